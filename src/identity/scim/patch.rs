//! PATCH (RFC 7644 §3.5.2), with the liberties that directories take: `Replace` for `replace`, `"False"` for `false`, whole objects
//! without a path.

use super::{member, text, wrong};
use crate::kernel::error::Result;
use serde_json::Value as Json;

const OPERATIONS_MAX: usize = 100;

#[derive(Debug, PartialEq)]
pub enum Verb {
    Add,
    Remove,
    Replace,
}

/// One attribute's change; objects without a path are taken apart into these.
#[derive(Debug)]
pub struct Change {
    pub verb: Verb,
    /// As sent.
    pub path: String,
    pub value: Json,
}

pub fn changes(body: &Json) -> Result<Vec<Change>> {
    let operations = member(body, "Operations").and_then(Json::as_array).ok_or_else(|| wrong("invalidSyntax", "Operations are needed."))?;
    if operations.len() > OPERATIONS_MAX {
        return Err(wrong("tooMany", "There are too many operations."));
    }
    let mut changes = Vec::new();
    for operation in operations {
        let verb = || match text(operation, "op").unwrap_or_default().to_ascii_lowercase().as_str() {
            "add" => Ok(Verb::Add),
            "remove" => Ok(Verb::Remove),
            "replace" => Ok(Verb::Replace),
            _ => Err(wrong("invalidSyntax", "An operation is add, remove or replace.")),
        };
        let value = member(operation, "value").cloned().unwrap_or_default();
        match (text(operation, "path"), value) {
            (Some(path), value) => changes.push(Change { verb: verb()?, path: path.to_owned(), value }),
            (None, Json::Object(members)) => {
                for (path, value) in members {
                    changes.push(Change { verb: verb()?, path, value });
                }
            }
            (None, _) => return Err(wrong("noTarget", "An operation without a path has an object.")),
        }
    }
    Ok(changes)
}

pub fn truth(value: &Json) -> Result<bool> {
    match value {
        Json::Bool(truth) => Ok(*truth),
        Json::String(word) if word.eq_ignore_ascii_case("true") => Ok(true),
        Json::String(word) if word.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(wrong("invalidValue", "true or false is needed.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_are_taken_apart_and_words_are_read_in_any_case() {
        let read = changes(&json!({"operations": [
            {"op": "Replace", "value": {"active": "False", "displayName": "Ana"}}, {"op": "remove", "path": "members[value eq \"7\"]"},
        ]}));
        let read = read.unwrap();
        assert_eq!(
            read.iter().map(|change| change.path.as_str()).collect::<Vec<_>>(),
            ["active", "displayName", "members[value eq \"7\"]"]
        );
        assert_eq!((&read[0].verb, truth(&read[0].value).unwrap(), &read[2].verb), (&Verb::Replace, false, &Verb::Remove));
        for odd in [json!({}), json!({"Operations": [{"op": "move", "path": "x"}]}), json!({"Operations": [{"op": "add", "value": 7}]})] {
            assert!(changes(&odd).is_err(), "{odd}");
        }
        assert!(truth(&json!(1)).is_err());
    }
}
