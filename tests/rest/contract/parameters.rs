//! Every query parameter, wrong in every way.

use super::stage::{self, Stage};
use super::walk::{self, resolved};
use crate::isolation::arena::NORTH;
use crate::world;
use reqwest::Method;
use serde_json::Value as Json;

/// Texts that break the parameter's schema, form-encoded.
fn broken(parameter: &'static Json) -> Vec<(&'static str, String)> {
    let schema = resolved(&parameter["schema"]);
    let format = schema["format"].as_str().unwrap_or_default();
    match (schema["type"].as_str().unwrap(), format) {
        ("integer", _) => vec![("type", "ten".into()), ("range", "99999999999999999999".into())],
        ("number", _) => vec![("type", "ten".into())],
        ("boolean", _) => vec![("type", "maybe".into())],
        ("string", "uuid" | "date" | "date-time") => vec![("format", "2026-02-30%20x".into())],
        ("string", _) if schema["enum"].is_array() => vec![("word", "NO_SUCH_WORD".into())],
        ("string", _) => vec![("length", "x".repeat(60_000))],
        _ => Vec::new(),
    }
}

#[test]
fn every_query_parameter_in_every_wrong_way_is_named() {
    world::with(async |world| {
        let stage = Stage::shared(world).await;
        let before = stage.rows().await;
        let (mut sent, mut wrong) = (0, Vec::new());
        for route in walk::routes().filter(|route| [Method::GET, Method::DELETE].contains(&route.method)) {
            let mut queries: Vec<(String, &str, String)> = Vec::new();
            for parameter in route.query() {
                let name = parameter["name"].as_str().unwrap();
                queries.extend(broken(parameter).into_iter().map(|(what, text)| (format!("{name}={text}"), name, what.to_owned())));
            }
            queries.push(("shoe_size=43".into(), "shoe_size", "unknown".into()));
            for (query, name, what) in queries {
                let path = format!("{}?{query}", stage.path(&route, NORTH));
                let answer = stage.send(&stage.caller(&route), &route.method, &path, Some("W/\"1\""), None).await;
                if answer.status != 400 || !answer.named().contains(&name) {
                    wrong.push(format!("{} {name} {what}: {} {}", route.name(), answer.status, answer.body));
                }
                sent += 1;
            }
            for query in ["a=%00", "a=%ff", "a=1&a=2"] {
                let path = format!("{}?{query}", stage.path(&route, NORTH));
                let answer = stage.send(&stage.caller(&route), &route.method, &path, Some("W/\"1\""), None).await;
                if answer.status != 400 {
                    wrong.push(format!("{} {query}: {} {}", route.name(), answer.status, answer.body));
                }
                sent += 1;
            }
        }
        wrong.extend(stage::grown(&before, &stage.rows().await));
        assert!(sent > 3_000, "{sent}");
        assert!(wrong.is_empty(), "{} of {sent} wrong:\n{}", wrong.len(), wrong.join("\n"));
    });
}
