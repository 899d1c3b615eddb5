//! What was: versions and histories say what FHIR said then, of records of ours and of what is kept whole alike.

use super::change::rest;
use super::{JSON, id, patient};
use crate::world;
use enamel::kernel::context::{Caps, Permission, Plane};
use enamel::kernel::db::Query;
use enamel::kernel::table::{Draft, store};
use enamel::patients::patient::PATIENT;
use enamel::patients::patient_address::PATIENT_ADDRESS;
use poem::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

/// All entries of a history, page by page.
async fn all(fhir: &super::Client, path: &str) -> Vec<Value> {
    let pages = fhir.pages(path).await;
    assert!(pages.iter().all(|page| page["type"] == "history"), "{path}");
    pages.iter().flat_map(|page| page["entry"].as_array().cloned().unwrap_or_default()).collect()
}

fn told(entry: &Value) -> String {
    format!("{} {} {}", entry["request"]["method"].as_str().unwrap(), entry["response"]["status"], entry["response"]["etag"])
}

#[test]
fn each_version_is_what_it_was() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let mut sent = patient("Byron");
        sent["photo"] = json!([{"title": "first"}]);
        sent["identifier"] = json!([{"system": "urn:a", "value": "1"}, {"system": "urn:b", "value": "2"}]);
        sent["address"] = json!([{"use": "home", "line": ["One"], "city": "London"}]);
        let made = fhir.made(sent).await;
        let path = format!("/Patient/{}", id(&made));
        let mut seen = vec![made.clone()];
        let mut next = made.clone();
        next["identifier"] = json!([{"system": "urn:b", "value": "3"}, {"system": "urn:c", "value": "4"}]);
        next["address"] = json!([{"use": "home", "line": ["Two"], "city": "London"}]);
        next["photo"] = json!([{"title": "second"}]);
        seen.push(fhir.put(&path, &next, &[]).await.body);
        rest(&clinic, &PATIENT, &id(&made), json!({"last_name": "Lovelace"})).await;
        seen.push(fhir.get(&path).await.body);
        // A part over REST.
        let body = json!({"patient_id": id(&made), "line1": "Three", "city": "Bath", "use": "WORK"});
        let draft = Draft::create(&PATIENT_ADDRESS, body.as_object().unwrap()).unwrap();
        let caller = clinic.staff();
        let mut scope = caller.write(Permission::EditPatient).await.unwrap();
        store::insert(&mut scope, &PATIENT_ADDRESS, &draft, &caller.kernel.keys).await.unwrap();
        scope.commit().await.unwrap();
        seen.push(fhir.get(&path).await.body);
        assert_eq!(fhir.send(Method::DELETE, &path, &[], Vec::new()).await.status, 204);

        for then in &seen {
            let version = then["meta"]["versionId"].as_str().unwrap();
            let read = fhir.get(&format!("{path}/_history/{version}")).await;
            assert_eq!((read.status.as_u16(), &read.body), (200, then), "version {version}");
            assert_eq!(read.headers["etag"], format!("W/\"{version}\""));
        }
        assert_eq!(seen[1]["identifier"].as_array().unwrap().len(), 2);
        let history = all(&fhir, &format!("{path}/_history")).await;
        let versions: Vec<&Value> = history.iter().map(|entry| &entry["resource"]).collect();
        assert_eq!(versions, [&Value::Null, &seen[3], &seen[2], &seen[1], &seen[0]]);
        let methods: Vec<&str> = history.iter().map(|entry| entry["request"]["method"].as_str().unwrap()).collect();
        assert_eq!(methods, ["DELETE", "PUT", "PUT", "PUT", "POST"]);
        assert_eq!(all(&fhir, &format!("{path}/_history?_count=2")).await, history, "in pages");
        // What nobody ever saw is no version, and what was removed is gone.
        let numbers: Vec<i64> = seen.iter().map(|then| then["meta"]["versionId"].as_str().unwrap().parse().unwrap()).collect();
        let last = numbers.iter().max().unwrap() + 1;
        for number in 1..last {
            let status = fhir.get(&format!("{path}/_history/{number}")).await.status.as_u16();
            assert_eq!(status, if numbers.contains(&number) { 200 } else { 404 }, "version {number}");
        }
        assert_eq!(fhir.get(&format!("{path}/_history/{last}")).await.status, 410);
        for none in [format!("{}", last + 1), "0".into(), "01".into(), "x".into(), "-1".into()] {
            assert_eq!(fhir.get(&format!("{path}/_history/{none}")).await.status, 404, "{none}");
        }
    });
}

#[test]
fn what_is_kept_whole_has_a_past_too() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let ada = id(&fhir.made(patient("Lovelace")).await);
        let question = json!({"resourceType": "Questionnaire", "status": "draft", "title": "First", "extension": [{"url": "urn:x", "valueDecimal": 1.50}]});
        let condition = json!({"resourceType": "Condition", "subject": {"reference": format!("Patient/{ada}")}, "code": {"text": "First"}});
        for (sent, change) in [(question, ("title", json!("Second"))), (condition, ("code", json!({"text": "Second"})))] {
            let first = fhir.made(sent).await;
            let name = first["resourceType"].as_str().unwrap();
            let path = format!("/{name}/{}", id(&first));
            let mut next = first.clone();
            next[change.0] = change.1;
            let second = fhir.put(&path, &next, &[("if-match", "W/\"1\"")]).await;
            assert_eq!(second.status, 200, "{}", second.body);
            assert_eq!(fhir.get(&format!("{path}/_history/1")).await.body, first);
            let history = all(&fhir, &format!("{path}/_history")).await;
            assert_eq!(history.iter().map(|entry| &entry["resource"]).collect::<Vec<_>>(), [&second.body, &first]);
            assert_eq!(
                history.iter().map(told).collect::<Vec<_>>(),
                ["PUT \"200 OK\" \"W/\\\"2\\\"\"", "POST \"201 Created\" \"W/\\\"1\\\"\""]
            );
            assert!(history[0]["fullUrl"].as_str().unwrap().ends_with(&path), "{}", history[0]);
            assert_eq!((&history[0]["request"]["url"], &history[1]["request"]["url"]), (&json!(path[1..]), &json!(name)));
            let typed = all(&fhir, &format!("/{name}/_history?_count=1")).await;
            assert_eq!(typed, history, "{name}");
        }
        let mut system = all(&fhir, "/_history?_count=2").await;
        assert_eq!(system.pop().unwrap()["resource"]["resourceType"], "Organization", "the clinic itself came first");
        assert_eq!(system.len(), 5, "{system:?}");
        assert_eq!(all(&fhir, "/_history").await[..5], system);
        let middle = system[2]["response"]["lastModified"].as_str().unwrap();
        let since = all(&fhir, &format!("/_history?_since={middle}")).await;
        assert!(since.len() >= 3 && since[..2] == system[..2], "{since:?}");
        assert!(all(&fhir, "/_history?_since=2199-01-01T00:00:00Z").await.is_empty());
        let stood = all(&fhir, "/Questionnaire/_history?_at=2199-01-01").await;
        assert_eq!(stood.len(), 1, "the last version stands from then on");
        assert_eq!(stood[0]["response"]["etag"], "W/\"2\"");
        assert!(all(&fhir, "/Questionnaire/_history?_at=2001").await.is_empty());
        assert_eq!(fhir.get("/Questionnaire/_history?_cursor=none").await.status, 400);
        let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [
            {"request": {"method": "GET", "url": format!("Patient/{ada}/_history/1")}},
            {"request": {"method": "GET", "url": "Questionnaire/_history"}},
            {"request": {"method": "GET", "url": format!("Patient/{ada}"), "ifNoneMatch": "W/\"1\""}},
        ]});
        let answer = fhir.post("/", &batch).await.body;
        assert_eq!(answer["entry"][0]["resource"]["id"], json!(ada), "{answer}");
        assert_eq!(answer["entry"][1]["resource"]["entry"].as_array().unwrap().len(), 2);
        assert_eq!(answer["entry"][2]["response"]["status"], "304 Not Modified");
    });
}

#[test]
fn a_past_is_told_to_whom_the_record_is() {
    world::with(async |world| {
        let dso = world.tenant("DSO", None).await;
        let (north, south) = (world.tenant("SOLO_PRACTICE", Some(dso.id)).await, world.tenant("SOLO_PRACTICE", Some(dso.id)).await);
        let made = north.fhir().made(patient("Lovelace")).await;
        let path = format!("/Patient/{}", id(&made));
        rest(&north, &PATIENT, &id(&made), json!({"last_name": "King"})).await;
        let question = north.fhir().made(json!({"resourceType": "Questionnaire", "status": "draft"})).await;
        let nowhere = Uuid::now_v7();
        for stranger in
            [south.fhir(), world.fhir(world.caller(Plane::Staff, south.id, None, &[Permission::ViewPatient, Permission::ViewClinical]))]
        {
            for (name, own) in [("Patient", id(&made)), ("Questionnaire", id(&question))] {
                for rest in ["/_history", "/_history/1", "/_history/2"] {
                    let foreign = stranger.get(&format!("/{name}/{own}{rest}")).await;
                    let random = stranger.get(&format!("/{name}/{nowhere}{rest}")).await;
                    assert_eq!((foreign.status, &foreign.body), (random.status, &random.body), "{name}{rest}");
                    assert_eq!(foreign.status, 404);
                }
                assert!(all(&stranger, &format!("/{name}/_history")).await.is_empty());
            }
            let everything = all(&stranger, "/_history").await;
            assert!(everything.iter().all(|entry| entry["resource"]["resourceType"] == "Organization"), "{everything:?}");
        }
        let group = world.fhir(world.caller(Plane::Group, dso.id, None, &[Permission::ViewPatient, Permission::ViewTenant]));
        assert_eq!(group.get(&format!("{path}/_history/1")).await.body, made);
        assert_eq!(all(&group, "/Patient/_history").await.len(), 2);
        let blind = world.fhir(world.caller(Plane::Staff, north.id, None, &[Permission::ViewTenant]));
        for path in [format!("{path}/_history"), format!("{path}/_history/1"), "/Patient/_history".into()] {
            assert_eq!(blind.get(&path).await.status, 403, "{path}");
        }
        assert!(all(&blind, "/_history").await.iter().all(|entry| entry["request"]["url"] != "Patient"));
        // With a role for a part of the clinic that is nobody's: nobody's past.
        let mut part = world.caller(Plane::Staff, north.id, None, &[]);
        part.context.part = Caps::of(&[Permission::ViewPatient]);
        let part = world.fhir(part);
        assert_eq!(part.get(&format!("{path}/_history")).await.status, 404);
        assert!(all(&part, "/Patient/_history").await.is_empty());

        let truth = world.truth().await;
        let ada = world.portal(&[(north.id, id(&made).parse().unwrap())]).await;
        assert_eq!(ada.get(&format!("{path}/_history/2")).await.status, 200, "what they see now");
        assert_eq!(ada.get(&format!("{path}/_history/1")).await.body, made);
        assert_eq!(all(&ada, &format!("{path}/_history")).await.len(), 2);
        assert_eq!(all(&ada, "/Patient/_history").await.len(), 2);
        let other = id(&north.fhir().made(patient("Babbage")).await);
        assert_eq!(ada.get(&format!("/Patient/{other}/_history")).await.status, 404);

        let events = "select event_type, count(*) from enamel.audit_events where tenant_id = $1 and patient_id = $2 group by 1 order by 1";
        let told = |rows: Vec<tokio_postgres::Row>| rows.iter().map(|row| (row.get(0), row.get(1))).collect::<Vec<(String, i64)>>();
        let patient: Uuid = id(&made).parse().unwrap();
        let before = told(truth.query(events, &[&north.id, &patient]).await.unwrap());
        north.fhir().get(&format!("{path}/_history/1")).await;
        north.fhir().get(&format!("{path}/_history")).await;
        north.fhir().get("/Patient/_history").await;
        let after = told(truth.query(events, &[&north.id, &patient]).await.unwrap());
        let of = |told: &[(String, i64)], kind: &str| told.iter().find(|(name, _)| name == kind).map_or(0, |(_, count)| *count);
        assert_eq!(of(&after, "PATIENT_VIEWED") - of(&before, "PATIENT_VIEWED"), 2, "{before:?} {after:?}");
    });
}

#[test]
fn what_was_is_shown_as_what_is() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let ada = id(&fhir.made(patient("Lovelace")).await);
        let sent = |state: &str, title: &str| {
            json!({"resourceType": "DocumentReference", "status": "current", "docStatus": state, "type": {"text": "Letter"},
                "subject": {"reference": format!("Patient/{ada}")},
                "content": [{"attachment": {"contentType": "application/pdf", "data": "JVBERi0xLjQgdGVzdA==", "title": title}}]})
        };
        let letter = fhir.made(sent("preliminary", "For staff")).await;
        let path = format!("/DocumentReference/{}", id(&letter));
        let mut next = letter.clone();
        (next["docStatus"], next["content"][0]["attachment"]["title"]) = (json!("final"), json!("For Ada"));
        let next = fhir.put(&path, &next, &[]).await;
        assert_eq!(next.status, 200, "{}", next.body);
        let [hidden, shown] = [&letter, &next.body].map(|then| then["meta"]["versionId"].as_str().unwrap().to_owned());
        let me = world.portal(&[(clinic.id, ada.parse().unwrap())]).await;
        for (path, status) in [(format!("{path}/_history/{hidden}"), 404), (format!("{path}/_history/{shown}"), 200)] {
            assert_eq!(me.get(&path).await.status, status, "{path}");
        }
        for path in [format!("{path}/_history"), "/DocumentReference/_history".into(), "/_history".into()] {
            // Its file is a resource of its own.
            let told = all(&me, &path).await;
            let of = told.iter().filter(|entry| entry["resource"]["id"] == letter["id"]);
            let versions: Vec<&Value> = of.map(|entry| &entry["resource"]["meta"]["versionId"]).collect();
            assert_eq!(versions, [&json!(shown)], "{path}: {told:?}");
        }
        // Not even to who asks the database.
        let versions = "select (image ->> 'version')::int from sec.versions('[{\"rel\": \"documents\"}]', null, null, null, null, null, null, null, 50)";
        let mut scope = world.kernel.door.open(&me.caller.context).await.unwrap();
        let rows = scope.rows(Query::new(versions.into(), Vec::new().into()), &[]).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.get::<_, i32>(0).to_string()).collect::<Vec<String>>(), [shown.as_str()]);
        scope.commit().await.unwrap();
        // What is theirs no more never was.
        let truth = world.truth().await;
        let withdrawn = "update enamel.documents set visibility = 'STAFF' where tenant_id = $1";
        truth.batch_execute("set session_replication_role = replica").await.unwrap();
        truth.execute(withdrawn, &[&clinic.id]).await.unwrap();
        for rest in ["/_history".to_owned(), format!("/_history/{shown}")] {
            assert_eq!(me.get(&format!("{path}{rest}")).await.status, 404, "{rest}");
        }
        assert!(all(&me, "/DocumentReference/_history").await.iter().all(|entry| entry["resource"]["id"] != letter["id"]));
        assert_eq!(all(&fhir, &format!("{path}/_history")).await.len(), 2);
    });
}

#[test]
fn whoever_has_a_version_is_told_so() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let question = json!({"resourceType": "Questionnaire", "status": "draft", "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">Q</div>"}, "title": "T", "purpose": "p"});
        for sent in [patient("Byron"), question] {
            let made = fhir.post(&format!("/{}", sent["resourceType"].as_str().unwrap()), &sent).await;
            let path = format!("/{}/{}", sent["resourceType"].as_str().unwrap(), id(&made.body));
            let modified = made.headers["last-modified"].to_str().unwrap().to_owned();
            for (header, value, status) in [
                ("if-none-match", "W/\"1\"", 304),
                ("if-none-match", "W/\"9\", W/\"1\"", 304),
                ("if-none-match", "*", 304),
                ("if-none-match", "W/\"9\"", 200),
                ("if-modified-since", modified.as_str(), 304),
                ("if-modified-since", "Thu, 01 Jan 2004 00:00:00 GMT", 200),
                ("if-modified-since", "never", 200),
            ] {
                let answer = fhir.send(Method::GET, &path, &[(header, value)], Vec::new()).await;
                assert_eq!(answer.status.as_u16(), status, "{header}: {value}");
                assert_eq!(answer.headers["etag"], "W/\"1\"");
            }
            let head = fhir.send(Method::HEAD, &path, &[], Vec::new()).await;
            assert_eq!((head.status.as_u16(), head.body, &head.headers["etag"]), (200, Value::Null, &made.headers["etag"]));
            for stale in ["W/\"2\"", "\"x\"", "W/\"\""] {
                let refused = fhir.put(&path, &made.body, &[("if-match", stale)]).await;
                assert_eq!(refused.status, 412, "{stale}");
                assert_eq!(fhir.send(Method::DELETE, &path, &[("if-match", stale)], Vec::new()).await.status, 412);
            }
            for (wanted, status, kind) in [
                ("minimal", 200, Value::Null),
                ("representation", 200, sent["resourceType"].clone()),
                ("OperationOutcome", 200, json!("OperationOutcome")),
            ] {
                let answer = fhir.put(&path, &made.body, &[("prefer", &format!("return={wanted}"))]).await;
                assert_eq!((answer.status.as_u16(), &answer.body["resourceType"]), (status, &kind), "{wanted}");
                assert!(answer.headers.contains_key("etag"));
            }
            let narrowed = |text: &str| format!("{path}?{text}");
            for (query, has) in [
                ("_summary=true", false),
                ("_summary=text", false),
                ("_summary=data", true),
                ("_elements=name", false),
                ("_summary=false", true),
            ] {
                let read = fhir.get(&narrowed(query)).await.body;
                assert_eq!(read.get("purpose").is_some(), has && sent.get("purpose").is_some(), "{query}: {read}");
                assert_eq!(read["meta"]["tag"][0]["code"] == "SUBSETTED", query != "_summary=false", "{query}");
                let name = sent["resourceType"].as_str().unwrap();
                let found = fhir.get(&format!("/{name}?_id={}&{query}", id(&made.body))).await.body;
                assert_eq!(found["entry"][0]["resource"], read, "{query} of a search");
            }
            let post = fhir.send(Method::POST, &path, &[JSON], b"{}".to_vec()).await;
            assert_eq!(post.status, 405);
            assert!(post.headers["allow"].to_str().unwrap().contains("PATCH"), "{:?}", post.headers);
            let gone = fhir.send(Method::DELETE, &path, &[("prefer", "return=OperationOutcome")], Vec::new()).await;
            assert_eq!((gone.status.as_u16(), &gone.body["resourceType"]), (200, &json!("OperationOutcome")));
            assert_eq!(fhir.get(&path).await.status, 410);
        }
    });
}
