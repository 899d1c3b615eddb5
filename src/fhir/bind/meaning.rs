//! What tells resources of one table from others of their type, and an item of an array from its neighbours.

use super::take::pointed;
use super::{Bind, How, flat};
use crate::fhir::resource::Node;
use serde_json::Value as Json;

/// Whether the element says all that is the same for every row.
pub fn is_meant(binds: &[Bind], node: &Node<'_>) -> bool {
    flat(binds).all(|bind| match bind.how {
        How::Is(text) => says(node.value(bind.element), text),
        _ => true,
    })
}

/// Whether an item of an array is the one of these binds: it says what is always said, and points where they point.
pub(super) fn is_item(binds: &[Bind], node: &Node<'_>, base: &str) -> bool {
    let mut pointers = binds.iter().filter_map(|bind| match bind.how {
        How::Points { to, .. } => Some((bind.element, to)),
        _ => None,
    });
    let points = |(element, to): (&str, &str)| node.value(element).is_some_and(|value| pointed(value, to, base).is_some());
    is_meant(binds, node) && (pointers.clone().next().is_none() || pointers.any(points))
}

fn says(sent: Option<&Json>, text: &str) -> bool {
    let (Some(sent), Ok(constant)) = (sent, serde_json::from_str::<Json>(text)) else { return false };
    match sent {
        Json::Array(items) => items.iter().any(|item| covers(item, &constant)),
        one => covers(one, &constant),
    }
}

fn covers(sent: &Json, constant: &Json) -> bool {
    match (sent, constant) {
        (Json::Object(sent), Json::Object(constant)) => {
            // What a code is called is everybody's own.
            let mut told = constant.iter().filter(|(key, _)| !matches!(key.as_str(), "display" | "text"));
            told.all(|(key, value)| sent.get(key).is_some_and(|sent| covers(sent, value)))
        }
        (Json::Array(sent), Json::Array(constant)) => constant.iter().all(|value| sent.iter().any(|sent| covers(sent, value))),
        (sent, constant) => sent == constant,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::Resource;
    use serde_json::json;

    const LOINC: &str = "http://loinc.org";
    const CODE: &[Bind] = &[Bind::one("code", How::Is(r#"{"coding":[{"system":"http://loinc.org","code":"1-1","display":"One"}]}"#))];

    #[test]
    fn a_resource_is_meant_by_its_code() {
        for (code, is) in [
            (json!({"coding": [{"system": LOINC, "code": "1-1"}]}), true),
            (json!({"coding": [{"system": "urn:x", "code": "x"}, {"system": LOINC, "code": "1-1", "display": "Eins"}]}), true),
            (json!({"coding": [{"system": LOINC, "code": "1-2"}]}), false),
            (json!({"text": "One"}), false),
        ] {
            let resource = Resource::from_value(json!({"resourceType": "Observation", "code": code})).unwrap();
            assert_eq!(is_meant(CODE, &resource.root()), is, "{code}");
        }
        assert!(!is_meant(CODE, &Resource::new("Observation").root()));
    }
}
