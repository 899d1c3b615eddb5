//! Every property that points to a row, pointing to nothing and to another tenant's: one answer for both, and nothing
//! stored. Asked as steps of batches, which answer as the endpoints do.

use super::bodies;
use super::stage::{self, Stage};
use super::walk::{self, Route};
use crate::isolation::arena::{NORTH, OAK};
use crate::world;
use enamel::kernel::operation::Run;
use enamel::kernel::table::Home;
use enamel::server::domains;
use reqwest::Method;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

/// Names of rows that lie with another clinic: kept as words and never followed, like a `resource_id` of any
/// `resource_type`. An auditor may be any login.
const WORDS: &[(&str, &str)] =
    &[("/bookings", "source_quote_id"), ("/treatment-plans", "source_quote_id"), ("/audit-mandates", "auditor_user_id")];

/// Bound to another field by a rule that speaks first, and names that one.
const BOUND: &[(&str, &str)] = &[
    ("/ai-outcome-links", "encounter_id"),
    ("/chart-entries", "supersedes_id"),
    ("/claims", "patient_id"),
    ("/documents", "patient_id"),
    ("/image-annotations", "patient_id"),
    ("/patient-relationships", "external_contact_id"),
];

/// One property of one route.
struct Pointer {
    route: Route,
    name: &'static str,
    to: &'static str,
    property: Json,
}

impl Pointer {
    fn step(&self, stage: &Stage, id: Option<Uuid>) -> Json {
        let mut body = if self.route.method == Method::PATCH { Map::new() } else { bodies::example(&self.route, NORTH) };
        if let Some(id) = id {
            body.insert(self.name.to_owned(), bodies::pointing(&self.property, id));
        }
        json!({"method": self.route.method.as_str(), "path": stage.path(&self.route, NORTH), "if_match": 1, "body": body})
    }
    /// A projection speaks of its own names only.
    fn strange(&self, answer: &Json) -> bool {
        let known = |place: &str| {
            self.route
                .properties()
                .any(|(name, _)| place.strip_prefix("body.").and_then(|rest| rest.split(['.', '[']).next()) == Some(name))
        };
        let faults = answer["body"]["errors"].as_array().into_iter().flatten();
        bodies::projection(&self.route).is_some() && faults.filter_map(|fault| fault["field"].as_str()).any(|place| !known(place))
    }
    /// Why the answers to a reference to nothing and to another's row are not good.
    fn wrong(&self, random: &Json, foreign: &Json) -> Option<&'static str> {
        let place = format!("body.{}", self.name);
        let named = BOUND.contains(&(self.route.collection(), self.name))
            || random["body"]["errors"].as_array().into_iter().flatten().any(|fault| fault["field"] == place);
        match random["status"].as_u64().unwrap() {
            200..300 if foreign["status"] == random["status"] && !bodies::checked(&self.route, self.name) => None,
            _ if self.strange(random) => Some("names a field it does not have"),
            _ if random["body"] != foreign["body"] || random["status"] != foreign["status"] => Some("tells a foreign id from a random one"),
            500.. => Some("broke"),
            200..400 if self.route.operation["x-planes"].is_null() => Some("was taken"),
            400.. if self.route.creates() && bodies::checked(&self.route, self.name) && !named => Some(UNNAMED),
            _ => None,
        }
    }
}

/// No fault where the example alone is refused.
const UNNAMED: &str = "does not name it";

/// What those steps are answered, each for itself.
async fn answers(stage: &Stage, steps: Vec<Json>) -> Vec<Json> {
    let batch = walk::routes().find(|route| route.id() == "runBatch").unwrap();
    let body = json!({"atomic": false, "operations": steps}).to_string();
    let answer = stage.send(&stage.caller(&batch), &batch.method, batch.path, None, Some(body)).await;
    answer.body["results"].as_array().unwrap_or_else(|| panic!("{}", answer.body)).clone()
}

/// A row of theirs is nobody else's: not a clinic, which others may name, nor what everybody sees.
fn private(table: &str) -> bool {
    let home = domains::tables().find(|held| held.name == table).map(|held| held.home);
    table == "users" || (table != "tenants" && home != Some(Home::Installation) && !EVERYBODYS.contains(&table))
}

/// Shared tables of which a tenant has no rows of its own.
const EVERYBODYS: &[&str] = &["ai_models", "ai_model_versions", "external_systems", "subscription_plans", "permissions"];

fn pointers() -> Vec<Pointer> {
    let mut pointers = Vec::new();
    for route in walk::routes().filter(|route| route.body().is_some() && route.id() != "runBatch") {
        let operation = domains::operations().find(|operation| operation.id == route.id());
        let staff = route.operation["x-planes"].as_array().is_none_or(|planes| planes.contains(&json!("staff")));
        if !staff || operation.is_some_and(|operation| matches!(operation.run, Run::Apart(_))) {
            continue;
        }
        for (name, property) in route.properties().filter(|(name, _)| *name != bodies::id_name(&route)) {
            let word = name == "resource_id" || WORDS.contains(&(route.collection(), name));
            if let Some(to) = bodies::target(&route, name).filter(|to| private(to) && !word) {
                pointers.push(Pointer { route: route.clone(), name, to, property });
            }
        }
    }
    pointers
}

#[test]
fn a_foreign_reference_is_answered_like_one_to_nothing() {
    world::with(async |world| {
        let stage = Stage::raise(world).await;
        let before = stage.rows().await;
        let (pointers, mut faults, mut unnamed) = (pointers(), Vec::new(), Vec::new());
        for some in pointers.chunks(100) {
            let both = |pointer: &Pointer| [Uuid::now_v7(), OAK.id(pointer.to)].map(|id| pointer.step(&stage, Some(id)));
            let answers = answers(&stage, some.iter().flat_map(both).collect()).await;
            for (pointer, answers) in some.iter().zip(answers.chunks(2)) {
                let Some(why) = pointer.wrong(&answers[0], &answers[1]) else { continue };
                let told = format!("{} {} → {} {why}: {} | {}", pointer.route.name(), pointer.name, pointer.to, answers[0], answers[1]);
                if why == UNNAMED { unnamed.push((pointer, told)) } else { faults.push(told) }
            }
        }
        faults.extend(stage::grown(&before, &stage.rows().await));
        let alone = answers(&stage, unnamed.iter().map(|(pointer, _)| pointer.step(&stage, None)).collect()).await;
        let good = unnamed.iter().zip(alone).filter(|(_, alone)| alone["status"].as_u64() < Some(300));
        faults.extend(good.map(|((_, told), _)| told.clone()));
        stage.strike().await;
        assert!(pointers.len() > 450 && unnamed.len() < 70, "{} of {}", unnamed.len(), pointers.len());
        assert!(faults.is_empty(), "{} of {} wrong:\n{}", faults.len(), pointers.len(), faults.join("\n"));
    });
}
