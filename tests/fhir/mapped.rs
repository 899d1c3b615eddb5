//! Every mapping, held against rows of every table: who may read the record reads and finds the resource, with its patient;
//! another clinic, another patient and a login without the permission do not. A type mapped later is inside by construction.

use super::{Client, id, indexed, patient};
use crate::isolation::arena::{self, NORTH, SOUTH, STRANGER, Set};
use crate::rest::contract::stage::Stage;
use crate::scheduling::Practice;
use crate::world::operations::{create, patch, read};
use crate::world::{self, World};
use chrono::{TimeDelta, Utc};
use enamel::clinical::vital_sign::VITAL_SIGN;
use enamel::fhir::mapping::Mapping;
use enamel::kernel::context::{Caps, Context, Permission, Plane};
use enamel::kernel::table::Ty;
use enamel::referrals::referral::REFERRAL;
use enamel::scheduling::appointment::APPOINTMENT;
use enamel::server::domains;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// Rows that are not of a mapping by chance become such: without the rules, which are not what is tried here.
async fn fitted(stage: &Stage) {
    let mut text = String::from("set session_replication_role = replica;");
    for mapping in domains::resources() {
        let word = |column: &str, not: &str| match mapping.table.field(column).map(|field| field.ty) {
            Some(Ty::Enum(words)) => words.iter().find(|word| **word != not).map(|word| (*word).to_owned()),
            _ => None,
        };
        let of = mapping.hides.and_then(|(column, not)| Some((column, word(column, not)?)));
        if let Some((column, value)) = of {
            text.push_str(&format!(
                "update enamel.{} set {column} = '{value}' where {column} = '{}';",
                mapping.table.name,
                mapping.hides.unwrap().1
            ));
        }
    }
    for (mapping, (column, values)) in domains::resources().filter_map(|mapping| Some((mapping, mapping.among?))) {
        text.push_str(&format!("update enamel.{} set {column} = '{}';", mapping.table.name, values()[0]));
    }
    text.push_str("set session_replication_role = origin;");
    stage.truth.batch_execute(&text).await.unwrap();
}

async fn only(stage: &Stage, mapping: &Mapping) {
    if let Some((column, value)) = mapping.only {
        let text = format!(
            "set session_replication_role = replica; update enamel.{} set {column} = '{value}'; set session_replication_role = origin",
            mapping.table.name
        );
        stage.truth.batch_execute(&text).await.unwrap();
    }
}

fn client(world: &'static World, stage: &Stage, plane: Plane, set: Set, lacks: Option<Permission>) -> Client {
    let held: Vec<Permission> = Permission::ALL.iter().copied().filter(|one| Some(*one) != lacks).collect();
    world.fhir(stage.calls(Context { caps: Caps::of(&held), ..arena::context(plane, set) }))
}

/// A value of the kind that means nothing in particular.
fn asked(name: &str, kind: &str) -> &'static str {
    match kind {
        // What is no tooth is refused.
        _ if ["tooth", "quadrant"].contains(&name) => "11",
        _ if name == "code-range" => "a..b",
        "date" => "2026-01-01",
        "reference" => "019a0000-0000-7000-8000-000000000000",
        "uri" => "http://x.test",
        "number" | "quantity" => "1",
        "composite" => "x$2026",
        "special" => "0%7C0",
        _ => "x",
    }
}

fn names(resource: &Json, to: &str) -> bool {
    match resource {
        Json::Object(map) => map.get("reference").and_then(Json::as_str) == Some(to) || map.values().any(|value| names(value, to)),
        Json::Array(items) => items.iter().any(|value| names(value, to)),
        _ => false,
    }
}

#[test]
fn every_mapped_record_is_read_and_found_by_those_who_may() {
    world::with(async |world| {
        let stage = Stage::raise(world).await;
        fitted(&stage).await;
        let own = client(world, &stage, Plane::Staff, NORTH, None);
        let statement = own.get("/metadata").await.body;
        let mut wrong = Vec::new();
        for mapping in domains::resources().filter(|mapping| mapping.table.name != "tenants") {
            only(&stage, mapping).await;
            let (name, table) = (mapping.of.name, mapping.table);
            let what = format!("{name} of {}", table.name);
            let record = NORTH.id(table.name);
            let path = format!("/{name}/{record}");
            let shown = own.get(&path).await;
            if shown.status != 200 || shown.body["resourceType"] != name || id(&shown.body) != record.to_string() {
                wrong.push(format!("{what}: {} {}", shown.status, shown.body));
                continue;
            }
            let theirs = format!("Patient/{}", NORTH.id("patients"));
            // A slot tells that it is taken and not by whom.
            if name != "Slot" && table.patient.is_some_and(|column| column != "id") && !names(&shown.body, &theirs) {
                wrong.push(format!("{what} names no patient: {}", shown.body));
            }
            let resources = statement["rest"][0]["resource"].as_array().unwrap();
            let params = resources.iter().find(|one| one["type"] == name).and_then(|one| one["searchParam"].as_array());
            let searches = mapping.of.interactions.iter().any(|one| one.code() == "search-type");
            let params: Vec<&Json> = params.into_iter().flatten().filter(|_| searches).collect();
            for param in &params {
                let query = format!(
                    "/{name}?{}={}",
                    param["name"].as_str().unwrap(),
                    asked(param["name"].as_str().unwrap(), param["type"].as_str().unwrap())
                );
                let answer = own.get(&query).await;
                if answer.status != 200 {
                    wrong.push(format!("{query}: {} {}", answer.status, answer.body));
                }
            }
            let mut queries = if searches { vec![format!("/{name}?_id={record}")] } else { Vec::new() };
            // What it shows it is found by, though FHIR never wrote it.
            if searches {
                // These rows have no keys of their own to be sealed with.
                let told = indexed::questions(&shown.body).into_iter().filter(|(_, value)| value != "sealed");
                queries.extend(told.map(|(known, value)| format!("/{name}?{}={value}&_id={record}", known.code)));
            }
            let by_patient = params.iter().any(|param| param["name"] == "patient") && table.patient.is_some() && name != "Patient";
            if by_patient {
                queries.push(format!("/{name}?patient={theirs}&_id={record}"));
            }
            for query in &queries {
                let answer = own.get(query).await;
                if answer.status != 200 || !super::ids(&answer.body).contains(&record.to_string()) {
                    wrong.push(format!("{what} is not found by {query}: {}", answer.status));
                }
            }
            if by_patient && own.ids(&format!("/{name}?patient=Patient/{}", STRANGER.id("patients"))).await.contains(&record.to_string()) {
                wrong.push(format!("{what} is found for another patient"));
            }
            let mut strangers = vec![
                ("another clinic", client(world, &stage, Plane::Staff, SOUTH, None)),
                ("no permission", client(world, &stage, Plane::Staff, NORTH, Some(table.read))),
            ];
            if table.patient.is_some() {
                strangers.push(("another patient", client(world, &stage, Plane::Patient, STRANGER, None)));
            }
            for (who, stranger) in &strangers {
                let answer = stranger.get(&path).await;
                if answer.status == 200 {
                    wrong.push(format!("{what} is read by {who}"));
                }
                for query in &queries {
                    let answer = stranger.get(query).await;
                    if answer.status == 200 && super::ids(&answer.body).contains(&record.to_string()) {
                        wrong.push(format!("{what} is found by {who}"));
                    }
                }
            }
            let mut body = shown.body.clone();
            if !mapping.writes && mapping.of.interactions.iter().any(|one| one.code() == "update") {
                body["language"] = json!("en");
                let answer = own.put(&path, &body, &[]).await;
                // What was invented need not be a sound resource; a sound one is refused with the way to go.
                let told = answer.body["issue"].to_string().contains("REST API") || answer.status == 400 || answer.status == 422;
                if answer.status.as_u16() / 100 != 4 || !told {
                    wrong.push(format!("{what} changed: {} {}", answer.status, answer.body));
                }
            }
        }
        stage.strike().await;
        // A server of its own has run, which tells panics without their words.
        println!("{}", wrong.join("\n"));
        assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    });
}

#[test]
fn an_appointment_is_one_record_over_both_contracts() {
    world::with(async |world| {
        let practice = Practice::open(world, "Europe/Berlin").await;
        let fhir = practice.clinic.fhir();
        let start = Utc::now() + TimeDelta::days(3);
        let body = json!({"patient_id": practice.patient, "provider_id": practice.dentist, "location_id": practice.place,
            "operatory_id": practice.chair, "start_at": start, "duration_minutes": 30});
        let made = create(&practice.staff, &APPOINTMENT, body).await.unwrap();
        let shown = fhir.get(&format!("/Appointment/{}", made.id)).await.body;
        assert_eq!((&shown["status"], &shown["minutesDuration"]), (&json!("booked"), &json!(30)), "{shown}");
        let actors: Vec<&str> =
            shown["participant"].as_array().unwrap().iter().map(|one| one["actor"]["reference"].as_str().unwrap()).collect();
        let expected = [
            format!("Patient/{}", practice.patient),
            format!("Practitioner/{}", practice.dentist),
            format!("Location/{}", practice.place),
            format!("Location/{}", practice.chair),
        ];
        assert_eq!(actors, expected);
        let day = start.format("%Y-%m-%d");
        for query in [
            format!("patient={}", practice.patient),
            format!("practitioner=Practitioner/{}&date={day}", practice.dentist),
            format!("location={}&status=booked", practice.place),
            format!("actor=Location/{}", practice.chair),
        ] {
            assert_eq!(fhir.ids(&format!("/Appointment?{query}")).await, [made.id.to_string()], "{query}");
        }
        assert!(fhir.ids(&format!("/Appointment?practitioner={}", practice.patient)).await.is_empty());
        patch(&practice.staff, &APPOINTMENT, made.id, made.version, json!({"notes": "bring the splint"})).await.unwrap();
        let changed = fhir.get(&format!("/Appointment/{}", made.id)).await.body;
        assert_eq!(changed["comment"], "bring the splint");
        let mut cancelled = changed.clone();
        cancelled["status"] = json!("cancelled");
        let answer = fhir.put(&format!("/Appointment/{}", made.id), &cancelled, &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(read(&practice.staff, &APPOINTMENT, made.id).await.unwrap().text("status"), Some("CANCELLED"));
        // From FHIR: one of ours becomes a row, one without a place is kept whole, and a search finds both.
        let (from, until) = (start + TimeDelta::days(1), start + TimeDelta::days(1) + TimeDelta::minutes(30));
        let mut sent = json!({"resourceType": "Appointment", "status": "booked", "start": from, "end": until, "priority": 3, "participant": [
            {"actor": {"reference": format!("Patient/{}", practice.patient)}, "status": "accepted"},
            {"actor": {"reference": format!("Location/{}", practice.place)}, "status": "needs-action"}]});
        let ours = fhir.made(sent.clone()).await;
        let row = read(&practice.staff, &APPOINTMENT, id(&ours).parse().unwrap()).await.unwrap();
        assert_eq!((row.uuid("location_id"), row.patient), (Some(practice.place), Some(practice.patient)));
        assert_eq!(ours["participant"][1]["status"], "needs-action");
        sent["participant"].as_array_mut().unwrap().pop();
        sent["start"] = json!(from + TimeDelta::days(1));
        sent["end"] = json!(until + TimeDelta::days(1));
        let kept = fhir.made(sent).await;
        let missing = read(&practice.staff, &APPOINTMENT, id(&kept).parse().unwrap()).await.unwrap_err();
        assert_eq!(missing.code.status, 404);
        let mut expected = vec![made.id.to_string(), id(&ours), id(&kept)];
        expected.sort();
        let mut found = fhir.ids(&format!("/Appointment?patient={}", practice.patient)).await;
        found.sort();
        assert_eq!(found, expected);
    });
}

#[test]
fn measures_are_one_record_over_both_contracts() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let ada = id(&fhir.made(patient("Lovelace")).await);
        let subject = json!({"reference": format!("Patient/{ada}")});
        let place = id(&fhir.made(json!({"resourceType": "Location", "name": "Main"})).await);
        let dentist = id(&fhir.made(json!({"resourceType": "Practitioner", "name": [{"family": "Molar"}]})).await);
        let visit = json!({"resourceType": "Encounter", "status": "in-progress", "class": {"code": "AMB"}, "subject": subject,
            "type": [{"coding": [{"system": "urn:enamel:encounter-type", "code": "exam"}]}],
            "period": {"start": "2026-03-02T09:00:00Z"},
            "participant": [{"individual": {"reference": format!("Practitioner/{dentist}")}}],
            "location": [{"location": {"reference": format!("Location/{place}")}}]});
        let visit = fhir.made(visit).await;
        let panel = json!({"resourceType": "Observation", "status": "final", "subject": subject,
            "encounter": {"reference": format!("Encounter/{}", id(&visit))},
            "code": {"coding": [{"system": "http://loinc.org", "code": "85353-1"}]},
            "effectiveDateTime": "2026-03-02T09:05:00Z",
            "component": [
                {"code": {"coding": [{"system": "http://loinc.org", "code": "8462-4"}]},
                 "valueQuantity": {"value": 80, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}},
                {"code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]},
                 "valueQuantity": {"value": 120, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}}]});
        let made = fhir.made(panel.clone()).await;
        assert_eq!(super::bare(&made), panel);
        let row = read(&clinic.staff(), &VITAL_SIGN, id(&made).parse().unwrap()).await;
        let row = row.unwrap_or_else(|_| panic!("the visit is {visit}"));
        assert_eq!((row.int("systolic_mmhg"), row.int("diastolic_mmhg")), (Some(120), Some(80)));
        patch(&clinic.staff(), &VITAL_SIGN, row.id, row.version, json!({"heart_rate_bpm": 61})).await.unwrap();
        let shown = fhir.get(&format!("/Observation/{}", row.id)).await.body;
        let rate = shown["component"].as_array().unwrap().iter().find(|one| one["code"]["coding"][0]["code"] == "8867-4");
        assert_eq!(rate.unwrap()["valueQuantity"]["value"], 61, "{shown}");
        // Another code is no panel of ours, and found beside it; a fraction that our column has not is kept as it is.
        let mut other = panel.clone();
        other["code"] = json!({"text": "Mood"});
        let other = id(&fhir.made(other).await);
        let mut fraction = panel.clone();
        fraction["component"][0]["valueQuantity"]["value"] = json!(80.5);
        let fraction = fhir.made(fraction).await;
        assert_eq!(fraction["component"][0]["valueQuantity"]["value"], 80.5);
        assert_eq!(fhir.ids(&format!("/Observation?patient={ada}&_count=10")).await.len(), 3);
        assert_eq!(
            fhir.ids(&format!("/Observation?patient={ada}&code=http://loinc.org%7C85353-1&component-code=8867-4")).await,
            [row.id.to_string()]
        );
        assert!(!fhir.ids("/Observation?code=85353-1").await.contains(&other));
        // Of the whole or of one of its components, and of one of them alone.
        for (asked, found) in [
            ("combo-code=http://loinc.org%7C85353-1", 2),
            ("combo-code=http://loinc.org%7C8480-6", 3),
            ("combo-code-value-quantity=http://loinc.org%7C8480-6$120", 3),
            ("combo-code-value-quantity=http://loinc.org%7C85353-1$120", 0),
            ("combo-value-quantity=80.5", 1),
            ("combo-code:missing=true", 0),
        ] {
            assert_eq!(fhir.ids(&format!("/Observation?patient={ada}&{asked}")).await.len(), found, "{asked}");
        }
        let mut turned = shown.clone();
        turned["code"] = json!({"text": "Mood"});
        assert_eq!(fhir.put(&format!("/Observation/{}", row.id), &turned, &[]).await.status, 422);
    });
}

#[test]
fn a_referral_is_asked_for_and_its_state_is_a_task() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let ada = clinic.patient("Lovelace").await.unwrap().id;
        let body = json!({"referral_type": "OUTGOING", "patient_id": ada, "patient_name": "Ada Lovelace", "patient_dob": "1990-12-10",
            "reason": "Root canal", "fdi_teeth": ["16"], "urgency": "URGENT"});
        let made = create(&clinic.staff(), &REFERRAL, body).await.unwrap();
        let fhir = clinic.fhir();
        let request = fhir.get(&format!("/ServiceRequest/{}", made.id)).await.body;
        assert_eq!((&request["status"], &request["priority"]), (&json!("draft"), &json!("urgent")), "{request}");
        assert_eq!(request["bodySite"][0]["coding"][0]["code"], "16");
        let task = fhir.get(&format!("/Task/{}", made.id)).await.body;
        assert_eq!(task["focus"]["reference"], format!("ServiceRequest/{}", made.id));
        assert_eq!(fhir.ids(&format!("/Task?focus=ServiceRequest/{}", made.id)).await, [made.id.to_string()]);
        assert_eq!(fhir.ids(&format!("/ServiceRequest?patient={ada}&category=3457005")).await, [made.id.to_string()]);
        let mut sent = request.clone();
        sent["status"] = json!("active");
        let answer = fhir.put(&format!("/ServiceRequest/{}", made.id), &sent, &[]).await;
        assert_eq!(answer.status.as_u16() / 100, 4, "it leads to nobody: {}", answer.body);
        assert_eq!(read(&clinic.staff(), &REFERRAL, made.id).await.unwrap().text("status"), Some("DRAFT"));
        let random = Uuid::now_v7();
        sent["id"] = json!(random);
        let unknown = fhir.put(&format!("/ServiceRequest/{random}"), &sent, &[]).await;
        assert_eq!(unknown.status, 201, "one that was asked for elsewhere: {}", unknown.body);
        assert_eq!(fhir.get(&format!("/ServiceRequest/{}", made.id)).await.body, request);
    });
}
