//! The document's examples, sent: what it shows works, and what is answered is what its schemas say.

use super::bodies;
use super::stage::Stage;
use super::walk::{self, Route, whole};
use crate::isolation::arena::{NORTH, STRANGER};
use crate::world;
use enamel::server::domains;
use reqwest::Method;
use serde_json::{Map, Value as Json, json};

/// Where a value is not what its schema says.
fn strays(value: &Json, schema: &Json, at: &str) -> Vec<String> {
    let schema = whole(schema);
    if value.is_null() && schema["nullable"] == true {
        return Vec::new();
    }
    let fits = match schema["type"].as_str() {
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => schema["anyOf"].is_null() || value.is_object() || value.is_array(),
    };
    let word = schema["enum"].as_array().is_none_or(|words| words.contains(value));
    if !fits || !word {
        return vec![format!("{at} is not as its schema says")];
    }
    let mut out = Vec::new();
    if let (Some(members), Some(properties)) = (value.as_object(), schema["properties"].as_object()) {
        let needed = schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str);
        out.extend(needed.filter(|name| !members.contains_key(*name)).map(|name| format!("{at}.{name} is missing")));
        for (name, value) in members {
            match properties.get(name) {
                Some(schema) => out.extend(strays(value, schema, &format!("{at}.{name}"))),
                None => out.push(format!("{at}.{name} is in no schema")),
            }
        }
    }
    for item in value.as_array().into_iter().flatten().filter(|_| schema["items"].is_object()) {
        out.extend(strays(item, &schema["items"], &format!("{at}[]")));
    }
    out
}

fn answer_schema(route: &Route, status: u16) -> &'static Json {
    &route.operation["responses"][status.to_string()]["content"]["application/json"]["schema"]
}

#[test]
fn every_example_fits_its_own_schema() {
    let schemas = walk::document()["components"]["schemas"].as_object().unwrap();
    let mut wrong = Vec::new();
    for (name, schema) in schemas.iter().filter(|(_, schema)| !schema["example"].is_null()) {
        wrong.extend(strays(&schema["example"], schema, name));
    }
    let without: Vec<String> =
        walk::routes().filter(|route| route.body().is_some_and(|body| body["example"].is_null())).map(|route| route.name()).collect();
    assert!(wrong.is_empty() && without.is_empty(), "{wrong:#?} {without:#?}");
}

/// What rows that are there have to be, for the examples of others that point to them.
const SCENE: &str = "set session_replication_role = replica;
    -- A study whose images may be analysed by a released version, with consent.
    update imaging_studies set status = 'AVAILABLE' where tenant_id = $north;
    update ai_model_versions v set status = 'RELEASED', model_id = coalesce((select m.id from ai_models m where m.id = '{ai_models}'), v.model_id);
    update tenant_features set feature_code = 'AI_DIAGNOSTICS', is_enabled = true, valid_from = null, valid_until = null
     where id = '{tenant_features}';
    update tenant_settings set require_ai_consent = false where tenant_id = $north;
    -- Files that can be opened: one of the patient's, and one of nobody.
    update files set status = 'READY', sha256 = repeat('a', 64), patient_id = '{patients}' where id = '{files}';
    update files set status = 'READY', sha256 = repeat('b', 64), patient_id = null where id = '{stranger files}';
    -- What is written is a draft, and what was said was said by the caller.
    update knowledge_documents set status = 'DRAFT' where id = '{stranger knowledge_documents}';
    update medical_records set status = 'DRAFT' where id = '{medical_records}';
    update messages set sender_user_id = '{users}', patient_id = '{patients}' where id = '{messages}';
    -- Days on which the clinic is open, and a workflow that runs.
    delete from schedule_closures where tenant_id = $north;
    update workflows set status = 'ACTIVE', definition = '{\"initial\": \"OPEN\", \"states\": {\"OPEN\": {}}, \"transitions\": []}'
     where id = '{workflows}';
    set session_replication_role = origin";

/// The scene with the ids of the invented rows in it.
async fn set_scene(stage: &Stage) {
    let mut scene = SCENE.replace("$north", &format!("'{}'", NORTH.tenant_id()));
    for table in domains::tables() {
        scene = scene.replace(&format!("{{{}}}", table.name), &NORTH.id(table.name).to_string());
        scene = scene.replace(&format!("{{stranger {}}}", table.name), &STRANGER.id(table.name).to_string());
    }
    stage.truth.batch_execute("set search_path = enamel").await.unwrap();
    stage.truth.batch_execute(&scene).await.unwrap();
}

/// Creates by the example, with the id of the invented row, which makes room where it stands in the way. What staff may not
/// make is made by those who run the installation.
async fn create(stage: &Stage, route: &Route) -> Result<(Map<String, Json>, String), String> {
    let table = bodies::table(route).unwrap();
    let mut body = bodies::example(route, NORTH);
    let mut caller = stage.caller(route);
    let mut answer = stage.send(&caller, &route.method, route.path, None, Some(Json::Object(body.clone()).to_string())).await;
    if answer.status == 403 {
        caller = stage.operator();
        answer = stage.send(&caller, &route.method, route.path, None, Some(Json::Object(body.clone()).to_string())).await;
    }
    if answer.body["code"].as_str().is_some_and(|code| code.starts_with("conflict")) {
        // What points to the invented row points to the new one, which takes its id.
        let mine = format!(
            "set session_replication_role = replica; delete from enamel.{} where tenant_id = '{}'; set session_replication_role = origin",
            table.name,
            NORTH.tenant_id()
        );
        stage.truth.batch_execute(&mine).await.unwrap();
        body.insert(bodies::id_name(route).into(), json!(NORTH.id(table.name)));
        answer = stage.send(&caller, &route.method, route.path, None, Some(Json::Object(body.clone()).to_string())).await;
    }
    match answer.status {
        201 => {
            let strays = strays(&answer.body, answer_schema(route, 201), "answer");
            let made = answer.body.as_object().cloned().unwrap_or_default();
            if strays.is_empty() { Ok((made, answer.etag.unwrap_or_default())) } else { Err(format!("{}: {strays:?}", route.name())) }
        }
        status => Err(format!("{}: {status} {} for {}", route.name(), answer.body, Json::Object(body))),
    }
}

/// The example of its PATCH, where it has one.
async fn change(stage: &Stage, made: &Route, record: &Map<String, Json>, etag: &str) -> Option<Result<(), String>> {
    let route = walk::routes().find(|other| other.method == Method::PATCH && other.path == format!("{}/{{id}}", made.path))?;
    let path = route.path.replace("{id}", record[bodies::id_name(made)].as_str().unwrap());
    let body = Json::Object(bodies::example(&route, NORTH)).to_string();
    let mut answer = stage.send(&stage.caller(&route), &route.method, &path, Some(etag), Some(body.clone())).await;
    if matches!(answer.status, 403 | 404) {
        answer = stage.send(&stage.operator(), &route.method, &path, Some(etag), Some(body.clone())).await;
    }
    let strays = strays(&answer.body, answer_schema(&route, 200), "answer");
    let good = answer.status == 200 && strays.is_empty();
    Some(if good { Ok(()) } else { Err(format!("{}: {} {} {strays:?} for {body}", route.name(), answer.status, answer.body)) })
}

/// A whole object of a projection, as it was read: it may be given back and changes nothing.
async fn give_back(stage: &Stage, made: &Route, record: &Map<String, Json>, etag: &str) -> Option<String> {
    bodies::projection(made)?;
    let route = walk::routes().find(|other| other.method == Method::PATCH && other.path == format!("{}/{{id}}", made.path))?;
    let path = route.path.replace("{id}", record[bodies::id_name(made)].as_str().unwrap());
    let body = Json::Object(record.clone());
    let answer = stage.send(&stage.caller(&route), &route.method, &path, Some(etag), Some(body.to_string())).await;
    let same = answer.status == 200 && answer.body == body && answer.etag.as_deref() == Some(etag);
    (!same).then(|| format!("{} given back: {} {} for {body}", route.name(), answer.status, answer.body))
}

const TURNS: usize = 2;

#[test]
fn every_example_of_a_create_creates_and_its_change_changes() {
    world::with(async |world| {
        let stage = Stage::raise(world).await;
        set_scene(&stage).await;
        let (mut made, mut changed, mut wrong) = (0, 0, Vec::new());
        let mut left: Vec<Route> = walk::routes().filter(Route::creates).collect();
        // What was made in one turn is what others need in the next.
        for turn in 1..=TURNS {
            for route in std::mem::take(&mut left) {
                match create(&stage, &route).await {
                    Ok((record, etag)) => {
                        made += 1;
                        wrong.extend(give_back(&stage, &route, &record, &etag).await);
                        if let Some(done) = change(&stage, &route, &record, &etag).await {
                            changed += 1;
                            wrong.extend(done.err());
                        }
                    }
                    Err(_) if turn < TURNS => left.push(route),
                    Err(why) => wrong.push(why),
                }
            }
        }
        stage.strike().await;
        assert!(wrong.is_empty(), "{made} made, {changed} changed, {} wrong:\n{}", wrong.len(), wrong.join("\n"));
        assert!(made > 120 && changed > 90, "{made} made, {changed} changed");
    });
}

/// An operation's effect needs a scene of its own, which its own test makes; here its example is a body it can read.
#[test]
fn every_example_of_an_operation_is_read() {
    world::with(async |world| {
        let stage = Stage::raise(world).await;
        let mut wrong = Vec::new();
        let told = |route: &Route| {
            route.operation["responses"].to_string().contains("application/json") || route.operation["responses"]["204"].is_object()
        };
        let operations = walk::routes().filter(|route| route.method == Method::POST && !route.creates() && route.body().is_some());
        for route in operations.filter(told) {
            let body = Json::Object(bodies::example(&route, NORTH)).to_string();
            let answer = stage.send(&stage.caller(&route), &route.method, &stage.path(&route, NORTH), None, Some(body.clone())).await;
            let rules = if route.id() == "closeTenant" { &[][..] } else { &["unknown", "type", "length", "format", "value"] };
            let unread =
                answer.body["errors"].as_array().into_iter().flatten().any(|fault| rules.contains(&fault["rule"].as_str().unwrap()));
            let strays =
                if answer.status < 300 { strays(&answer.body, answer_schema(&route, answer.status), "answer") } else { Vec::new() };
            if answer.status >= 500 || unread || !strays.is_empty() {
                wrong.push(format!("{}: {} {} {strays:?} for {body}", route.name(), answer.status, answer.body));
            }
        }
        stage.strike().await;
        assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    });
}
