//! Every property that points to a row, pointing to nothing and to another tenant's: one answer for both, and nothing
//! stored.

use super::bodies;
use super::stage::{self, Stage};
use super::walk::{self, Route};
use crate::isolation::arena::{NORTH, OAK};
use crate::world;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

/// What the example with one more reference is answered.
async fn answered(stage: &Stage, route: &Route, base: &Map<String, Json>, name: &str, value: Json) -> (u16, Json) {
    let mut body = base.clone();
    body.insert(name.to_owned(), value);
    let body = Json::Object(body).to_string();
    let answer = stage.send(&stage.caller(route), &route.method, &stage.path(route, NORTH), Some("W/\"1\""), Some(body)).await;
    answer.seen()
}

/// Why an answer to a bad reference is none.
fn wrong(route: &Route, name: &str, (status, body): &(u16, Json), foreign: &(u16, Json)) -> Option<&'static str> {
    let named = body["errors"].as_array().into_iter().flatten().any(|fault| fault["field"] == name);
    match status {
        _ if (status, body) != (&foreign.0, &foreign.1) => Some("tells a foreign id from a random one"),
        500.. => Some("broke"),
        // What no key and no look holds is a word of the caller's own.
        200..300 if bodies::checked(route, name) => Some("was taken"),
        200..400 => None,
        _ if route.creates() && bodies::checked(route, name) && !named => Some("does not name it"),
        _ => None,
    }
}

#[test]
fn a_foreign_reference_is_answered_like_one_to_nothing() {
    world::with(async |world| {
        let stage = Stage::raise(world).await;
        let before = stage.rows().await;
        let (mut asked, mut faults) = (0, Vec::new());
        for route in walk::routes().filter(|route| route.body().is_some() && route.id() != "runBatch") {
            let base = if route.method == reqwest::Method::PATCH { Map::new() } else { bodies::example(&route, NORTH) };
            for (name, property) in route.properties().filter(|(name, _)| *name != "id") {
                let Some(to) = bodies::target(&route, name) else { continue };
                let random = answered(&stage, &route, &base, name, bodies::pointing(property, Uuid::now_v7())).await;
                let foreign = answered(&stage, &route, &base, name, bodies::pointing(property, OAK.id(to))).await;
                if let Some(why) = wrong(&route, name, &random, &foreign) {
                    faults.push(format!("{} {name} → {to} {why}: {} {} | {} {}", route.name(), random.0, random.1, foreign.0, foreign.1));
                }
                asked += 1;
            }
        }
        faults.extend(stage::grown(&before, &stage.rows().await));
        stage.strike().await;
        assert!(asked > 500, "{asked}");
        assert!(faults.is_empty(), "{} of {asked} wrong:\n{}", faults.len(), faults.join("\n"));
    });
}
