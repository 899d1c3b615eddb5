//! Which changes of the OpenAPI document would break a program written against the one before.
//!
//! What is sent may only be asked for more loosely, what is answered may only become more: a request breaks by what it must
//! or may no longer say, an answer by what it no longer says.

use serde_json::Value as Json;
use std::collections::BTreeSet;

/// A line for each break, empty when programs written for `old` work with `new`.
pub fn breaks(old: &Json, new: &Json) -> Vec<String> {
    let mut found = Comparison { old, new, breaks: Vec::new() };
    for (path, methods) in members(&old["paths"]) {
        for (method, operation) in members(methods) {
            let at = format!("{} {path}", method.to_uppercase());
            match new["paths"][path].get(method) {
                None => found.breaks.push(format!("{at} is gone")),
                Some(now) => found.operation(&at, operation, now),
            }
        }
    }
    found.breaks
}

/// Who says what a schema describes.
#[derive(Clone, Copy, PartialEq)]
enum Said {
    ByCaller,
    ByServer,
}

struct Comparison<'a> {
    old: &'a Json,
    new: &'a Json,
    breaks: Vec<String>,
}

impl<'a> Comparison<'a> {
    fn operation(&mut self, at: &str, old: &'a Json, new: &'a Json) {
        if old["operationId"] != new["operationId"] {
            self.say(at, format!("is called {} and no longer {}", word(&new["operationId"]), word(&old["operationId"])));
        }
        self.parameters(at, old, new);
        let body = |of: &'a Json| &of["requestBody"]["content"]["application/json"]["schema"];
        let required = |of: &Json| of["requestBody"]["required"] == true;
        match (body(old).is_null(), body(new).is_null()) {
            (false, true) => self.say(at, "takes no body any more"),
            (true, false) if required(new) => self.say(at, "needs a body"),
            (false, false) => self.schema(&format!("{at}: body"), body(old), body(new), Said::ByCaller, &mut BTreeSet::new()),
            _ => {}
        }
        let open = |of: &Json| of["security"].as_array().is_none_or(Vec::is_empty);
        if open(old) && !open(new) {
            self.say(at, "needs a token");
        }
        for (status, response) in members(&old["responses"]).filter(|(status, _)| status.starts_with('2')) {
            let Some(now) = new["responses"].get(status) else {
                self.say(at, format!("no longer answers {status}"));
                continue;
            };
            for (media, content) in members(&resolve(self.old, response)["content"]) {
                match resolve(self.new, now)["content"].get(media) {
                    None => self.say(at, format!("{status} no longer has {media}")),
                    Some(given) => {
                        let at = format!("{at}: {status}");
                        self.schema(&at, &content["schema"], &given["schema"], Said::ByServer, &mut BTreeSet::new());
                    }
                }
            }
        }
    }

    fn parameters(&mut self, at: &str, old: &'a Json, new: &'a Json) {
        fn list<'a>(document: &'a Json, of: &'a Json) -> Vec<&'a Json> {
            of["parameters"].as_array().into_iter().flatten().map(|parameter| resolve(document, parameter)).collect()
        }
        let (before, after) = (list(self.old, old), list(self.new, new));
        let same = |a: &Json, b: &Json| a["name"] == b["name"] && a["in"] == b["in"];
        for was in &before {
            let at = format!("{at}: parameter {}", word(&was["name"]));
            match after.iter().find(|now| same(was, now)) {
                None => self.say(&at, "is gone"),
                Some(now) => {
                    if now["required"] == true && was["required"] != true {
                        self.say(&at, "has to be given now");
                    }
                    self.schema(&at, &was["schema"], &now["schema"], Said::ByCaller, &mut BTreeSet::new());
                }
            }
        }
        for now in after.iter().filter(|now| now["required"] == true && !before.iter().any(|was| same(was, now))) {
            self.say(at, format!("needs the new parameter {}", word(&now["name"])));
        }
    }

    /// `open` holds the pairs that are being compared above: schemas may contain themselves.
    fn schema(&mut self, at: &str, old: &Json, new: &Json, said: Said, open: &mut BTreeSet<(String, String)>) {
        let pair = (word(&old["$ref"]).to_owned(), word(&new["$ref"]).to_owned());
        if !pair.0.is_empty() && !open.insert(pair.clone()) {
            return;
        }
        let (was, now) = (&merged(self.old, old), &merged(self.new, new));
        for part in ["type", "format"] {
            if was[part] != now[part] && !widened(part, was, now, said) {
                self.say(at, format!("{part} was {} and is {}", word(&was[part]), word(&now[part])));
            }
        }
        if was["anyOf"] != now["anyOf"] {
            self.say(at, "is another choice of types");
        }
        match said {
            Said::ByCaller if was["nullable"] == true && now["nullable"] != true => self.say(at, "can no longer be null"),
            Said::ByServer if was["nullable"] != true && now["nullable"] == true => self.say(at, "can be null now"),
            _ => {}
        }
        self.words(at, was, now, said);
        self.bounds(at, was, now, said);
        self.properties(at, was, now, said, open);
        if !was["items"].is_null() {
            self.schema(&format!("{at}[]"), &was["items"], &now["items"], said, open);
        }
        open.remove(&pair);
    }

    fn words(&mut self, at: &str, was: &Json, now: &Json, said: Said) {
        let list = |of: &Json| {
            let words = of["enum"].as_array()?.iter().filter(|word| !word.is_null());
            Some(words.map(ToString::to_string).collect::<BTreeSet<_>>())
        };
        match (list(was), list(now), said) {
            (Some(was), Some(now), Said::ByCaller) => {
                for gone in was.difference(&now) {
                    self.say(at, format!("no longer takes {gone}"));
                }
            }
            // A word more is what a reader has to bear with; a word less it can do without.
            (Some(_), None, Said::ByServer) => self.say(at, "is any text now"),
            (None, Some(_), Said::ByCaller) => self.say(at, "takes only certain words now"),
            _ => {}
        }
    }

    fn bounds(&mut self, at: &str, was: &Json, now: &Json, said: Said) {
        if said == Said::ByServer {
            return;
        }
        for (bound, upper) in
            [("maxLength", true), ("maximum", true), ("maxItems", true), ("minLength", false), ("minimum", false), ("minItems", false)]
        {
            let narrowed = match (was[bound].as_f64(), now[bound].as_f64()) {
                (None, Some(_)) => true,
                (Some(was), Some(now)) => {
                    if upper {
                        now < was
                    } else {
                        now > was
                    }
                }
                _ => false,
            };
            if narrowed {
                self.say(at, format!("{bound} is {} now", now[bound]));
            }
        }
    }

    fn properties(&mut self, at: &str, was: &Json, now: &Json, said: Said, open: &mut BTreeSet<(String, String)>) {
        let required = |of: &Json, name: &str| of["required"].as_array().is_some_and(|list| list.iter().any(|held| held == name));
        for (name, property) in members(&was["properties"]) {
            let at = format!("{at}.{name}");
            match now["properties"].get(name) {
                None => self.say(&at, "is gone"),
                Some(given) => self.schema(&at, property, given, said, open),
            }
            if said == Said::ByServer && required(was, name) && !required(now, name) {
                self.say(&at, "may be missing now");
            }
        }
        for (name, _) in members(&now["properties"]).filter(|_| said == Said::ByCaller) {
            if required(now, name) && !required(was, name) {
                self.say(&format!("{at}.{name}"), "has to be given now");
            }
        }
    }

    fn say(&mut self, at: &str, what: impl std::fmt::Display) {
        self.breaks.push(format!("{at} {what}"));
    }
}

/// A caller may always have sent the narrower, a reader always got it: int32 for int64, a whole number for any.
fn widened(part: &str, was: &Json, now: &Json, said: Said) -> bool {
    let (from, to) = if said == Said::ByCaller { (was, now) } else { (now, was) };
    match part {
        "type" => from[part] == "integer" && to[part] == "number",
        _ => (from[part] == "int32" && to[part] == "int64") || (!from[part].is_null() && to[part].is_null()),
    }
}

fn resolve<'a>(document: &'a Json, value: &'a Json) -> &'a Json {
    let to = value["$ref"].as_str().and_then(|to| document.pointer(to.trim_start_matches('#')));
    to.unwrap_or(value)
}

/// A schema with what it is all of: a property says more beside its reference.
fn merged(document: &Json, schema: &Json) -> Json {
    let mut out = resolve(document, schema).clone();
    let parts = out.as_object_mut().and_then(|members| members.shift_remove("allOf")).unwrap_or_default();
    for part in parts.as_array().into_iter().flatten() {
        for (name, value) in members(resolve(document, part)) {
            out[name] = value.clone();
        }
    }
    out
}

fn members(value: &Json) -> impl Iterator<Item = (&String, &Json)> {
    value.as_object().into_iter().flatten()
}

fn word(value: &Json) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document() -> Json {
        json!({
            "paths": {"/pets": {
                "get": {
                    "operationId": "listPets",
                    "parameters": [{"$ref": "#/components/parameters/Limit"}, {"name": "kind", "in": "query", "schema": {"type": "string", "enum": ["CAT", "DOG"]}}],
                    "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Page"}}}}, "401": {}}
                },
                "post": {
                    "operationId": "createPet",
                    "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PetCreate"}}}},
                    "responses": {"201": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}}
                }
            }},
            "components": {
                "parameters": {"Limit": {"name": "limit", "in": "query", "schema": {"type": "integer", "format": "int32", "maximum": 200}}},
                "schemas": {
                    "Page": {"type": "object", "required": ["items"], "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Pet"}}}},
                    "Pet": {"type": "object", "required": ["name"], "properties": {
                        "name": {"type": "string"}, "kind": {"type": "string", "enum": ["CAT", "DOG"]}, "age": {"type": "integer", "format": "int32"},
                        "mother": {"$ref": "#/components/schemas/Pet"}}},
                    "PetCreate": {"type": "object", "required": ["name"], "properties": {
                        "name": {"type": "string", "maxLength": 50}, "kind": {"type": "string", "nullable": true, "enum": ["CAT", "DOG", null]},
                        "age": {"type": "integer", "format": "int32"}}}
                }
            }
        })
    }

    /// The breaks after one value of the document was put in place of another; none takes it away.
    fn edited(pointer: &str, name: &str, value: Option<Json>) -> Vec<String> {
        let (old, mut new) = (document(), document());
        let held = new.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
        match value {
            Some(value) => held.insert(name.into(), value),
            None => held.shift_remove(name),
        };
        assert_ne!(old, new, "{pointer} {name}");
        breaks(&old, &new)
    }

    #[test]
    fn what_programs_rely_on_is_missed() {
        let schemas = "/components/schemas";
        let pet = format!("{schemas}/Pet");
        let asked = format!("{schemas}/PetCreate");
        let cases: Vec<(String, &str, Option<Json>, &str)> = vec![
            ("/paths".into(), "/pets", None, "GET /pets is gone"),
            ("/paths/~1pets".into(), "post", None, "POST /pets is gone"),
            ("/paths/~1pets/get".into(), "operationId", Some(json!("pets")), "is called pets"),
            ("/paths/~1pets/get".into(), "parameters", Some(json!([])), "parameter kind is gone"),
            ("/paths/~1pets/get".into(), "security", Some(json!([{"bearer": []}])), "needs a token"),
            ("/paths/~1pets/post/responses".into(), "201", None, "no longer answers 201"),
            ("/components/parameters/Limit".into(), "required", Some(json!(true)), "limit has to be given now"),
            ("/components/parameters/Limit/schema".into(), "maximum", Some(json!(100)), "maximum is 100 now"),
            (format!("{pet}/properties"), "age", None, "POST /pets: 201.age is gone"),
            (format!("{pet}/properties/age"), "type", Some(json!("string")), "type was integer and is string"),
            (format!("{pet}/properties/age"), "format", Some(json!("int64")), "format was int32 and is int64"),
            (format!("{pet}/properties/name"), "nullable", Some(json!(true)), "can be null now"),
            (pet.clone(), "required", Some(json!([])), "GET /pets: 200.items[].name may be missing now"),
            (format!("{pet}/properties/kind"), "enum", None, "is any text now"),
            (asked.clone(), "required", Some(json!(["name", "age"])), "body.age has to be given now"),
            (format!("{asked}/properties"), "age", None, "body.age is gone"),
            (format!("{asked}/properties/kind"), "enum", Some(json!(["CAT", null])), "no longer takes \"DOG\""),
            (format!("{asked}/properties/kind"), "nullable", Some(json!(false)), "can no longer be null"),
            (format!("{asked}/properties/name"), "maxLength", Some(json!(10)), "maxLength is 10 now"),
            (format!("{asked}/properties/age"), "minimum", Some(json!(0)), "minimum is 0 now"),
        ];
        for (pointer, name, value, told) in cases {
            let found = edited(&pointer, name, value);
            assert!(found.iter().any(|line| line.contains(told)), "{pointer} {name}: {found:?} lacks {told}");
        }
    }

    #[test]
    fn what_is_added_or_loosened_breaks_nothing() {
        let schemas = "/components/schemas";
        let cases: Vec<(String, &str, Option<Json>)> = vec![
            ("/paths".into(), "/birds", Some(json!({"get": {"operationId": "listBirds"}}))),
            ("/paths/~1pets".into(), "delete", Some(json!({"operationId": "deletePets"}))),
            ("/paths/~1pets/get".into(), "description", Some(json!("All of them."))),
            ("/paths/~1pets/get/responses".into(), "401", None),
            ("/components/parameters/Limit/schema".into(), "maximum", Some(json!(500))),
            (format!("{schemas}/Pet/properties"), "colour", Some(json!({"type": "string"}))),
            (format!("{schemas}/Pet"), "required", Some(json!(["name", "kind"]))),
            (format!("{schemas}/Pet/properties/kind"), "enum", Some(json!(["CAT", "DOG", "BIRD"]))),
            (format!("{schemas}/PetCreate/properties"), "colour", Some(json!({"type": "string"}))),
            (format!("{schemas}/PetCreate/properties/age"), "format", Some(json!("int64"))),
            (format!("{schemas}/PetCreate/properties/kind"), "enum", Some(json!(["CAT", "DOG", "BIRD", null]))),
            (format!("{schemas}/PetCreate"), "required", Some(json!([]))),
            (format!("{schemas}/PetCreate/properties/name"), "maxLength", None),
        ];
        for (pointer, name, value) in cases {
            assert_eq!(edited(&pointer, name, value), Vec::<String>::new(), "{pointer} {name}");
        }
        assert!(breaks(&document(), &document()).is_empty());
    }
}
