//! Links between the entries of a transaction: a resource that is not stored yet is named by its `fullUrl`, and every
//! reference to it becomes one to the id it is given (R4 §3.1.0.11.2).

use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

/// Replaces every whole value that names an entry, and the `href` and `src` of narratives; identifiers keep theirs.
/// Which entries were named is told.
pub fn resolve(resource: &mut Value, names: &HashMap<String, String>) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    walk(resource, names, &mut named);
    named
}

fn walk(value: &mut Value, names: &HashMap<String, String>, named: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match value {
                    Value::String(text) if key == "div" => narrative(text, names, named),
                    _ if key == "identifier" => {}
                    value => walk(value, names, named),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|value| walk(value, names, named)),
        Value::String(text) => {
            // A fragment or a version behind the name stays behind the id.
            let end = text.find(['#', '|']).filter(|at| *at > 0 && !names.contains_key(text)).unwrap_or(text.len());
            if let Some(to) = text.get(..end).and_then(|name| names.get(name)) {
                named.insert(to.clone());
                text.replace_range(..end, to);
            }
        }
        _ => {}
    }
}

fn narrative(text: &mut String, names: &HashMap<String, String>, named: &mut BTreeSet<String>) {
    for (name, to) in names.iter().filter(|(name, _)| name.starts_with("urn:")) {
        let quoted = format!("\"{name}\"");
        if text.contains(&quoted) {
            named.insert(to.clone());
            *text = text.replace(&quoted, &format!("\"{to}\""));
        }
    }
}

/// The references of a resource as they stand, in no order.
pub fn references(resource: &Value) -> Vec<&str> {
    let (mut found, mut open) = (Vec::new(), vec![resource]);
    while let Some(value) = open.pop() {
        match value {
            Value::Object(map) => {
                found.extend(map.get("reference").and_then(Value::as_str));
                open.extend(map.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    found
}

/// The conditional ones (`Practitioner?identifier=…`), each once.
pub fn conditional(resource: &Value) -> BTreeSet<String> {
    references(resource).into_iter().filter(|text| is_conditional(text)).map(str::to_owned).collect()
}

fn is_conditional(text: &str) -> bool {
    let name = text.split_once('?').map(|(name, _)| name);
    name.is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic()))
}

/// An order in which each comes after those it needs, as far as there is one: in a ring the first stays first.
pub fn order(needs: &[BTreeSet<usize>]) -> Vec<usize> {
    let mut order = Vec::with_capacity(needs.len());
    let mut state = vec![0u8; needs.len()];
    for start in 0..needs.len() {
        // Depth-first without recursion: a chain may be as long as the transaction.
        let mut open = vec![(start, false)];
        while let Some((at, is_done)) = open.pop() {
            let Some(mark) = state.get_mut(at) else { continue };
            if is_done {
                if *mark == 1 {
                    *mark = 2;
                    order.push(at);
                }
                continue;
            }
            if *mark != 0 {
                continue;
            }
            *mark = 1;
            open.push((at, true));
            open.extend(needs.get(at).into_iter().flatten().rev().map(|need| (*need, false)));
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn names_become_ids_wherever_they_stand() {
        let names = HashMap::from([("urn:uuid:1".to_owned(), "Patient/a".to_owned())]);
        let mut resource = json!({"subject": {"reference": "urn:uuid:1"}, "related": ["urn:uuid:1#x", "urn:uuid:2"],
            "identifier": [{"value": "urn:uuid:1"}], "text": {"div": "<a href=\"urn:uuid:1\">urn:uuid:1</a>"}});
        assert_eq!(resolve(&mut resource, &names), BTreeSet::from(["Patient/a".to_owned()]));
        assert_eq!(
            resource,
            json!({"subject": {"reference": "Patient/a"}, "related": ["Patient/a#x", "urn:uuid:2"],
            "identifier": [{"value": "urn:uuid:1"}], "text": {"div": "<a href=\"Patient/a\">urn:uuid:1</a>"}})
        );
    }

    #[test]
    fn conditions_are_told_apart_from_addresses() {
        let resource = json!({"a": {"reference": "Practitioner?identifier=x|1"}, "b": [{"reference": "http://e.test/x?y=1"}]});
        assert_eq!(conditional(&resource), BTreeSet::from(["Practitioner?identifier=x|1".to_owned()]));
    }

    #[test]
    fn what_is_needed_comes_first_and_rings_end() {
        assert_eq!(order(&[BTreeSet::from([1]), BTreeSet::from([2]), BTreeSet::new()]), [2, 1, 0]);
        assert_eq!(order(&[BTreeSet::from([1]), BTreeSet::from([0])]), [1, 0]);
    }

    proptest! {
        #[test]
        fn an_order_has_each_once(needs in prop::collection::vec(prop::collection::btree_set(0usize..12, 0..4), 0..12)) {
            let mut sorted = order(&needs);
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..needs.len()).collect::<Vec<_>>());
        }
    }
}
