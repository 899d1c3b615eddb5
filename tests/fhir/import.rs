//! Bulk imports as their clients see them.

use super::{Client, Clinic, bare, id, patient};
use crate::world;
use crate::world::files::uploaded;
use poem::http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Read;
use uuid::Uuid;

const SYNTHEA: &[u8] = include_bytes!("../fixtures/synthea/8a4c9c04-1524-9f1c-d65b-9b17e4520fef.json.gz");
pub const NDJSON: &str = "application/fhir+ndjson";

async fn file(clinic: &Clinic, lines: &[String]) -> Uuid {
    uploaded(clinic, NDJSON, &lines.join("\n")).await
}

fn order(inputs: &[(&str, String)]) -> Value {
    let mut parameters = vec![
        json!({"name": "inputFormat", "valueCode": NDJSON}),
        json!({"name": "inputSource", "valueUri": "https://elsewhere.example/fhir"}),
    ];
    parameters.extend(
        inputs
            .iter()
            .map(|(kind, url)| json!({"name": "input", "part": [{"name": "type", "valueCode": kind}, {"name": "url", "valueUri": url}]})),
    );
    Value::Array(parameters)
}

async fn begun(fhir: &Client, inputs: &[(&str, Uuid)]) -> String {
    let inputs: Vec<(&str, String)> = inputs.iter().map(|(kind, file)| (*kind, format!("Binary/{file}"))).collect();
    fhir.place(fhir.kick_with("/$import", order(&inputs)).await).await
}

pub async fn imported(fhir: &Client, inputs: &[(&str, Uuid)]) -> Value {
    let ended = fhir.ended(&begun(fhir, inputs).await).await;
    assert_eq!(ended.status, StatusCode::OK, "{}", ended.body);
    ended.body
}

fn made(manifest: &Value) -> BTreeMap<String, i64> {
    let files = manifest["output"].as_array().unwrap().iter();
    files.map(|file| (file["type"].as_str().unwrap().to_owned(), file["count"].as_i64().unwrap())).collect()
}

async fn refused(fhir: &Client, manifest: &Value) -> Vec<Value> {
    let mut lines = Vec::new();
    for file in manifest["error"].as_array().unwrap() {
        lines.extend(fhir.lines(file["url"].as_str().unwrap()).await);
    }
    lines
}

/// Every reference by the type it leads to: ids differ.
fn nameless(value: &Value, kinds: &BTreeMap<String, String>) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, value)| match (key.as_str(), value.as_str()) {
                    ("reference", Some(text)) if !text.starts_with('#') => {
                        let kind = kinds.get(text).map_or_else(|| text.split(['/', '?']).next().unwrap(), String::as_str);
                        (key.clone(), json!(kind))
                    }
                    _ => (key.clone(), nameless(value, kinds)),
                })
                .collect(),
        ),
        Value::Array(items) => items.iter().map(|item| nameless(item, kinds)).collect(),
        other => other.clone(),
    }
}

fn sorted(mut values: Vec<String>) -> Vec<String> {
    values.sort();
    values
}

#[test]
fn a_record_of_synthea_comes_in_as_lines_and_goes_out_the_same() {
    world::with(async |world| {
        let clinic: Clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let mut text = String::new();
        flate2::read::GzDecoder::new(SYNTHEA).read_to_string(&mut text).unwrap();
        let bundle: Value = serde_json::from_str(&text).unwrap();
        let (mut lines, mut kinds): (BTreeMap<String, Vec<Value>>, BTreeMap<String, String>) = Default::default();
        for entry in bundle["entry"].as_array().unwrap() {
            let kind = entry["resource"]["resourceType"].as_str().unwrap().to_owned();
            kinds.insert(entry["fullUrl"].as_str().unwrap().to_owned(), kind.clone());
            lines.entry(kind).or_default().push(entry["resource"].clone());
        }
        // Its providers are those of other bundles: whoever has them already.
        let mut wanted: Vec<String> = lines.values().flatten().flat_map(enamel::fhir::link::conditional).collect();
        wanted.sort();
        wanted.dedup();
        for condition in wanted {
            let (kind, value) = condition.split_once("?identifier=").unwrap();
            let (system, value) = value.split_once('|').unwrap();
            let identifier = json!([{"system": system, "value": value}]);
            let made = match kind {
                "Practitioner" => json!({"resourceType": kind, "identifier": identifier, "name": [{"family": "Doe", "given": ["Jo"]}]}),
                _ => json!({"resourceType": kind, "identifier": identifier, "name": value}),
            };
            fhir.made(made).await;
        }
        // Claims before the patient they are of: the order of the files says nothing.
        let mut inputs = Vec::new();
        for (kind, resources) in lines.iter().rev() {
            inputs.push((kind.as_str(), file(&clinic, &resources.iter().map(Value::to_string).collect::<Vec<_>>()).await));
        }
        let before = fhir.export("/$export").await;
        let manifest = imported(&fhir, &inputs).await;
        assert_eq!(refused(&fhir, &manifest).await, Vec::<Value>::new());
        let counts: BTreeMap<String, i64> = lines.iter().map(|(kind, all)| (kind.clone(), i64::try_from(all.len()).unwrap())).collect();
        assert_eq!(made(&manifest), counts);
        let taken = fhir.export("/$export").await;
        for (kind, sent) in &lines {
            let known = before.ids(kind);
            let new = taken.resources[kind].iter().filter(|one| !known.contains(&id(one)));
            let stored = sorted(new.map(|one| nameless(&bare(one), &kinds).to_string()).collect());
            let sent = sorted(sent.iter().map(|one| nameless(&bare(one), &kinds).to_string()).collect());
            assert_eq!(stored.len(), sent.len(), "{kind}");
            for (stored, sent) in stored.iter().zip(&sent) {
                let (stored, sent): (Value, Value) = (serde_json::from_str(stored).unwrap(), serde_json::from_str(sent).unwrap());
                assert_eq!(stored, sent, "{kind}");
            }
        }
        // What a line names is the one it meant.
        let who = taken.resources["Patient"].iter().find(|one| !before.ids("Patient").contains(&id(one))).map(id).unwrap();
        assert_eq!(fhir.ids(&format!("/Encounter?patient={who}&_count=100")).await.len(), lines["Encounter"].len());
    });
}

#[test]
fn a_bad_line_is_told_and_holds_up_no_other() {
    world::with(async |world| {
        let clinic: Clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let named = |name: &str| {
            let mut one = patient(name);
            one["id"] = json!(name);
            one.to_string()
        };
        let flag = |who: &str| {
            json!({"resourceType": "Flag", "status": "active", "code": {"text": "x"}, "subject": {"reference": format!("Patient/{who}")}})
                .to_string()
        };
        let bad_date = json!({"resourceType": "Patient", "id": "secret-name", "birthDate": "tomorrow-secret"}).to_string();
        let lines = [named("a"), "{not json".into(), bad_date, flag("a"), String::new(), named("b")];
        let (people, flags) = (file(&clinic, &lines).await, file(&clinic, &[flag("a"), flag("b"), flag("nobody"), flag("a")]).await);
        let manifest = imported(&fhir, &[("Flag", flags), ("Patient", people)]).await;
        assert_eq!(made(&manifest), BTreeMap::from([("Flag".to_owned(), 3), ("Patient".to_owned(), 2)]));
        let told = refused(&fhir, &manifest).await;
        let mut places: Vec<&str> = told.iter().map(|line| line["id"].as_str().unwrap()).collect();
        places.sort_unstable();
        assert_eq!(places, ["Flag-1-line-3", "Patient-0-line-2", "Patient-0-line-3", "Patient-0-line-4"]);
        assert!(told.iter().all(|line| line["resourceType"] == "OperationOutcome" && !line.to_string().contains("secret")));
        assert_eq!(fhir.ids("/Flag").await.len(), 3);
        assert_eq!(fhir.ids("/Patient?family=b").await.len(), 1);
        // They are in the log and in the history like any others.
        let born = fhir.get(&format!("/Patient/{}/_history", fhir.ids("/Patient?family=a").await[0])).await;
        assert_eq!(born.body["entry"].as_array().unwrap().len(), 1);
    });
}

#[test]
fn an_import_reads_what_was_uploaded_here_and_nothing_else() {
    world::with(async |world| {
        let clinic: Clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let own = file(&clinic, &[patient("A").to_string()]).await;
        let stranger: Clinic = world.tenant("SOLO_PRACTICE", None).await;
        let foreign = format!("Binary/{}", file(&stranger, &[patient("B").to_string()]).await);
        let random = fhir.kick_with("/$import", order(&[("Patient", format!("Binary/{}", Uuid::now_v7()))])).await;
        for url in
            [foreign.as_str(), "http://169.254.169.254/latest", "https://elsewhere.example/x.ndjson", "file:///etc/passwd", "Patient/1"]
        {
            let refused = fhir.kick_with("/$import", order(&[("Patient", url.to_owned())])).await;
            assert_eq!((refused.status, &refused.body), (random.status, &random.body), "{url}");
        }
        assert_eq!(random.status, 400);
        let good = || order(&[("Patient", format!("Binary/{own}"))]);
        let with = |more: Value| {
            let mut all = good();
            all.as_array_mut().unwrap().push(more);
            all
        };
        for wrong in [
            json!([]),
            order(&[]),
            order(&[("Foo", format!("Binary/{own}"))]),
            with(json!({"name": "storageDetail", "valueString": "x"})),
            with(json!({"name": "colour", "valueString": "x"})),
            with(json!({"name": "inputFormat", "valueCode": "text/csv"})),
        ] {
            assert_eq!(fhir.kick_with("/$import", wrong.clone()).await.status, 400, "{wrong}");
        }
        assert_eq!(fhir.post("/$import", &json!({"resourceType": "Parameters", "parameter": good()})).await.status, 400, "as a job");
        let mut caller = clinic.staff();
        caller.scopes = vec!["system/Patient.rs".to_owned(), "system/Binary.rs".to_owned()].into();
        assert_eq!(world.fhir(caller).kick_with("/$import", good()).await.status, 403);
        assert_eq!(made(&imported(&fhir, &[("Patient", own)]).await), BTreeMap::from([("Patient".to_owned(), 1)]));
    });
}

/// As if the server had died behind its last batch, before it could say how far it was.
#[test]
fn lines_that_are_read_again_make_nothing_twice() {
    world::with(async |world| {
        let clinic: Clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let one = json!({"resourceType": "Patient", "id": "one", "name": [{"family": "One", "given": ["Ada"]}]});
        let flag = json!({"resourceType": "Flag", "status": "active", "code": {"text": "x"}, "subject": {"reference": "Patient/one"}});
        let (people, flags) = (file(&clinic, &[one.to_string()]).await, file(&clinic, &[flag.to_string(), flag.to_string()]).await);
        let place = begun(&fhir, &[("Patient", people), ("Flag", flags)]).await;
        let first = fhir.ended(&place).await.body;
        let job: Uuid = place.rsplit('/').next().unwrap().parse().unwrap();
        let mut truth = world.truth().await;
        let back = truth.transaction().await.unwrap();
        back.batch_execute("set local session_replication_role = replica").await.unwrap();
        back.execute("delete from enamel.job_files where job_id = $1", &[&job]).await.unwrap();
        let again = "update enamel.jobs set status = 'RUNNING', lease_until = null, finished_at = null where id = $1";
        assert_eq!(back.execute(again, &[&job]).await.unwrap(), 1);
        back.commit().await.unwrap();
        enamel::server::fhir::jobs::run(world.kernel.clone(), clinic.id, job).await.unwrap();
        let second = fhir.ended(&place).await.body;
        assert_eq!((made(&second), refused(&fhir, &second).await), (made(&first), Vec::new()));
        assert_eq!((fhir.ids("/Patient").await.len(), fhir.ids("/Flag").await.len()), (1, 2));
    });
}
