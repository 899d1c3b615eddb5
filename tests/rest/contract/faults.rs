//! Every property of every body, wrong in every way its schema can be broken. All that the server reads before it looks at
//! any row: many faults go in one request, and all of them have to be named.

use super::stage::{self, Stage};
use super::walk::{self, Route};
use crate::isolation::arena::NORTH;
use crate::world;
use serde_json::{Map, Value as Json, json};

const KINDS: [&str; 8] = ["null", "type", "length", "above", "below", "word", "format", "items"];

/// A value that breaks the property in that way, where it can be broken so.
fn broken(kind: &str, property: &Json) -> Option<Json> {
    let ty = if property["anyOf"].is_array() { "structure" } else { property["type"].as_str()? };
    let number = |text: &str| serde_json::from_str(text).unwrap();
    let format = property["format"].as_str().unwrap_or_default();
    let wide = match (ty, format) {
        ("integer", "int32") => Some("2147483648"),
        ("integer", _) => Some("9223372036854775808"),
        ("number", _) => Some("1e400"),
        _ => None,
    };
    match kind {
        "null" => (property["nullable"] != true).then_some(Json::Null),
        "type" => Some(match ty {
            "string" => json!({"a": 1}),
            "object" | "array" | "structure" => json!(7),
            _ => json!("words"),
        }),
        "length" => property["maxLength"].as_u64().map(|most| json!("x".repeat(usize::try_from(most).unwrap() + 1))),
        "above" => wide.map(|wide| property["maximum"].as_f64().map_or_else(|| number(wide), |most| json!(most as i64 + 1))),
        "below" => {
            wide.map(|wide| property["minimum"].as_f64().map_or_else(|| number(&format!("-{wide}9")), |least| json!(least as i64 - 1)))
        }
        "word" => property["enum"].is_array().then(|| json!("NO_SUCH_WORD")),
        "format" => ["uuid", "date", "date-time", "byte", "email"].contains(&format).then(|| json!("2026-02-30 *")),
        "items" => (ty == "array" && property["items"].get("$ref").is_none()).then(|| json!([{"a": 1}])),
        _ => None,
    }
}

/// The bodies to send to a route, each with the fields that its refusal has to name.
fn bodies(route: &Route) -> Vec<(String, Map<String, Json>)> {
    let mut bodies: Vec<(String, Map<String, Json>)> = Vec::new();
    for kind in KINDS {
        let body: Map<String, Json> =
            route.properties().filter_map(|(name, property)| Some((name.to_owned(), broken(kind, &property)?))).collect();
        if !body.is_empty() {
            bodies.push((kind.to_owned(), body));
        }
    }
    bodies.push(("unknown".into(), Map::from_iter([("shoe_size".to_owned(), json!(43)), ("__proto__".to_owned(), json!({}))])));
    bodies
}

async fn refused(stage: &Stage, route: &Route, what: &str, body: String, status: u16, fields: &[&str]) -> Option<String> {
    let answer = stage.send(&stage.caller(route), &route.method, &stage.path(route, NORTH), Some("W/\"1\""), Some(body)).await;
    let named = answer.named();
    let silent: Vec<&&str> = fields.iter().filter(|field| !named.contains(*field)).collect();
    let good = answer.status == status && answer.media == "application/problem+json" && silent.is_empty();
    (!good).then(|| format!("{} {what}: {} {} silent about {silent:?}: {}", route.name(), answer.status, answer.media, answer.body))
}

#[test]
fn every_property_in_every_wrong_way_is_named_and_nothing_is_stored() {
    world::with(async |world| {
        let stage = Stage::shared(world).await;
        let before = stage.rows().await;
        let (mut sent, mut properties, mut wrong) = (0, 0, Vec::new());
        for route in walk::routes().filter(|route| route.body().is_some() && route.id() != "runBatch") {
            for (what, body) in bodies(&route) {
                let fields: Vec<&str> = body.keys().map(String::as_str).collect();
                properties += fields.len();
                sent += 1;
                wrong.extend(refused(stage, &route, &what, Json::Object(body.clone()).to_string(), 422, &fields).await);
            }
        }
        wrong.extend(stage::grown(&before, &stage.rows().await));
        assert!(sent > 1_500 && properties > 6_000, "{sent} requests, {properties} faults");
        assert!(wrong.is_empty(), "{} of {sent} wrong:\n{}", wrong.len(), wrong.join("\n"));
    });
}

#[test]
fn a_nul_in_any_text_is_refused_at_its_place() {
    world::with(async |world| {
        let stage = Stage::shared(world).await;
        let before = stage.rows().await;
        let (mut sent, mut wrong) = (0, Vec::new());
        for route in walk::routes().filter(|route| route.body().is_some()) {
            for (name, _) in route.properties().filter(|(_, property)| property["type"] == "string") {
                sent += 1;
                let body = json!({name: "a\0b"}).to_string();
                wrong.extend(refused(stage, &route, &format!("NUL in {name}"), body, 400, &[name]).await);
            }
        }
        wrong.extend(stage::grown(&before, &stage.rows().await));
        assert!(sent > 1_500, "{sent}");
        assert!(wrong.is_empty(), "{} of {sent} wrong:\n{}", wrong.len(), wrong.join("\n"));
    });
}

/// A rule over several columns is refused by one of them.
#[test]
fn every_rule_of_the_database_is_about_a_column() {
    world::with(async |world| {
        let sql = "select conname::text from pg_constraint k join pg_class c on c.oid = k.conrelid
                    where c.relnamespace = 'enamel'::regnamespace and not c.relispartition and contype = 'c' and not exists (
                          select from pg_attribute a where a.attrelid = c.oid and a.attnum > 0
                             and conname ~ ('^' || c.relname || '_' || a.attname || '_check[0-9]*$'))";
        let stray: Vec<String> = world.truth().await.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
        assert!(stray.is_empty(), "{stray:?}");
    });
}

#[test]
fn the_steps_of_a_batch_are_read_as_strictly() {
    world::with(async |world| {
        let stage = Stage::shared(world).await;
        let before = stage.rows().await;
        let route = walk::routes().find(|route| route.id() == "runBatch").unwrap();
        let step = |name: &str, value: Json| {
            let mut step = json!({"method": "POST", "path": "/patients", "body": {"last_name": "A"}});
            step[name] = value;
            json!({"operations": [step]})
        };
        let mut wrong = Vec::new();
        for (body, field) in [
            (json!({"operations": 7}), "operations"),
            (json!({"operations": null}), "operations"),
            (json!({"operations": []}), "operations"),
            (json!({}), "operations"),
            (json!({"operations": [7]}), "operations[0]"),
            (json!({"atomic": "yes", "operations": [{"method": "POST", "path": "/patients", "body": {}}]}), "atomic"),
            (json!({"shoe_size": 43, "operations": [{"method": "POST", "path": "/patients", "body": {}}]}), "shoe_size"),
            (step("method", json!("PUT")), "operations[0].method"),
            (step("method", Json::Null), "operations[0].method"),
            (step("path", json!(7)), "operations[0].path"),
            (step("path", json!("x".repeat(501))), "operations[0].path"),
            (step("body", json!("text")), "operations[0].body"),
            (step("body", json!({"last_name": 7})), "operations[0].body.last_name"),
            (step("body", json!({"last_name": "A", "shoe_size": 43})), "operations[0].body.shoe_size"),
            (step("if_match", json!("one")), "operations[0].if_match"),
            (step("ref", json!({})), "operations[0].ref"),
            (step("shoe_size", json!(43)), "operations[0].shoe_size"),
        ] {
            let answer = stage.send(&stage.caller(&route), &route.method, route.path, None, Some(body.to_string())).await;
            if !matches!(answer.status, 400 | 422) || !answer.named().contains(&field) {
                wrong.push(format!("{field}: {} {}", answer.status, answer.body));
            }
        }
        wrong.extend(stage::grown(&before, &stage.rows().await));
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}
