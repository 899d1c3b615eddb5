//! `_summary` and `_elements`: a resource cut down to what was asked for, marked so that nobody stores it back.

use super::definitions::{Definitions, Element};
use super::resource::Resource;
use super::search::{Query, Summary};
use serde_json::{Value, json};

/// Mandatory elements always stay (R4 §3.1.1.5.8); a modifier stays beside chosen elements, for without it they may
/// mean their opposite.
pub fn cut(resource: &mut Resource, query: &Query) {
    let Some(of) = Definitions::r4().named(resource.type_name()) else { return };
    let keeps: Box<dyn Fn(&Element) -> bool> = match query.summary {
        Some(Summary::True | Summary::Count) => Box::new(|element| element.is_summary),
        Some(Summary::Text) => Box::new(|element| element.name == "text"),
        Some(Summary::Data) => Box::new(|element| element.name != "text"),
        None if query.elements.is_empty() => return,
        None => Box::new(|element| element.is_modifier || query.elements.contains(&element.name)),
    };
    let stays = |key: &str| {
        let plain = key.strip_prefix('_').unwrap_or(key);
        let known = of.element(plain).map(|(element, _)| element);
        matches!(plain, "resourceType" | "id" | "meta") || known.is_some_and(|element| element.min > 0 || keeps(element))
    };
    resource.0.retain(|key, _| stays(key));
    let tag = json!({"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"});
    let meta = resource.0.entry("meta").or_insert_with(|| json!({}));
    match meta.get_mut("tag").and_then(Value::as_array_mut) {
        Some(tags) => tags.push(tag),
        None => meta["tag"] = json!([tag]),
    }
}

/// Whether a resource was cut down; such a one is refused as an update.
pub fn is_cut(resource: &Resource) -> bool {
    let tags = resource.as_map().get("meta").and_then(|meta| meta.get("tag")).and_then(Value::as_array);
    tags.is_some_and(|tags| tags.iter().any(|tag| tag.get("code").and_then(Value::as_str) == Some("SUBSETTED")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_to(query: Query) -> Vec<String> {
        let mut coverage =
            Resource::from_value(json!({"resourceType": "Coverage", "id": "1", "text": {"status": "empty"}, "status": "active",
            "beneficiary": {"reference": "Patient/1"}, "payor": [{"display": "P"}], "contract": [{"reference": "Contract/1"}], "order": 1,
            "meta": {"tag": [{"code": "mine"}]}}))
            .unwrap();
        cut(&mut coverage, &query);
        assert!(is_cut(&coverage) || query == Query::default());
        coverage.as_map().keys().skip(2).cloned().collect()
    }

    #[test]
    fn what_was_not_asked_for_is_left_out_and_said_so() {
        let summary = |summary| Query { summary: Some(summary), ..Query::default() };
        assert_eq!(cut_to(summary(Summary::True)), ["status", "beneficiary", "payor", "order", "meta"]);
        assert_eq!(cut_to(summary(Summary::Text)), ["text", "status", "beneficiary", "payor", "meta"]);
        assert_eq!(cut_to(summary(Summary::Data)), ["status", "beneficiary", "payor", "contract", "order", "meta"]);
        assert_eq!(
            cut_to(Query { elements: vec!["contract".into()], ..Query::default() }),
            ["status", "beneficiary", "payor", "contract", "meta"]
        );
        assert_eq!(cut_to(Query::default()).len(), 7);
    }
}
