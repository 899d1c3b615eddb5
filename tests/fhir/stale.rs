//! What a record is searched by beside its columns follows them, however they change: over REST, by rows below or beside the
//! record, by retiring it.

use super::{Client, id, patient};
use crate::world::operations::{patch, read, retire};
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use enamel::clinical::patient_condition::PATIENT_CONDITION;
use enamel::clinical::vital_sign::VITAL_SIGN;
use enamel::fhir::mapping::{Link, Part};
use enamel::kernel::table::Table;
use enamel::patients::external_contact::EXTERNAL_CONTACT;
use enamel::patients::patient::PATIENT;
use enamel::patients::patient_address::PATIENT_ADDRESS;
use enamel::server::fhir::{self, finish, stale};
use poem::http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

const ICD: &str = "http://hl7.org/fhir/sid/icd-10-cm";

/// Each question with whether it finds the resource.
async fn asked(fhir: &Client, id: &str, questions: &[(&str, bool)]) {
    let mut wrong = Vec::new();
    for (question, hit) in questions {
        if fhir.ids(&format!("/{question}")).await.iter().any(|found| found == id) != *hit {
            wrong.push(format!("{question} is {}", !hit));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// A PATCH of the record as it stands.
async fn changed(clinic: &Clinic, table: &'static Table, id: &str, body: Value) {
    let staff = clinic.staff();
    let was = read(&staff, table, id.parse().unwrap()).await.unwrap();
    patch(&staff, table, was.id, was.version, body).await.unwrap();
}

/// The one row of the table with that value in the column.
async fn below(world: &World, table: &Table, column: &str, id: &str) -> String {
    let text = format!("select id from enamel.{} where {column} = $1", table.name);
    let id: Uuid = id.parse().unwrap();
    world.truth().await.query_one(&text, &[&id]).await.unwrap().get::<_, Uuid>(0).to_string()
}

fn condition(patient: &str) -> Value {
    json!({"resourceType": "Condition", "subject": {"reference": format!("Patient/{patient}")},
        "code": {"coding": [{"system": ICD, "code": "K02.9"}, {"system": "urn:x", "code": "caries"}], "text": "Hole in a molar"},
        "onsetDateTime": "2020", "stage": [{"summary": {"text": "Second"}}]})
}

#[test]
fn what_rest_changes_is_found_as_it_is_shown() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let ada = id(&fhir.made(patient("Lovelace")).await);
        let made = id(&fhir.made(condition(&ada)).await);
        asked(
            &fhir,
            &made,
            &[
                ("Condition?code=K02.9", true),
                ("Condition?code=caries", true),
                ("Condition?code:text=hole", true),
                ("Condition?_content=molar", true),
                ("Condition?onset-date=2020", true),
                ("Condition?_content=second", true),
            ],
        )
        .await;
        changed(&clinic, &PATIENT_CONDITION, &made, json!({"code": "K04.0", "display": "Pulpitis", "onset_date": "2015-03-04"})).await;
        // Somebody reads the chart whose search is the first since.
        let portal = world.portal(&[(clinic.id, ada.parse().unwrap())]).await;
        let after = [
            ("Condition?code=K02.9", false),
            ("Condition?code=caries", false),
            ("Condition?code:text=hole", false),
            ("Condition?_content=molar", false),
            ("Condition?onset-date=2020", false),
            ("Condition?code=K04.0", true),
            ("Condition?_content=pulpitis", true),
            ("Condition?onset-date=2015-03", true),
            ("Condition?_content=second", true),
        ];
        asked(&portal, &made, &after).await;
        asked(&fhir, &made, &after).await;
        // And back: what was kept speaks again.
        changed(&clinic, &PATIENT_CONDITION, &made, json!({"code": "K02.9", "display": "Hole in a molar"})).await;
        let shown = fhir.get(&format!("/Condition/{made}")).await.body;
        assert_eq!(shown["code"], condition(&ada)["code"]);
        asked(&fhir, &made, &[("Condition?code=caries", true), ("Condition?code=K04.0", false)]).await;
    });
}

#[test]
fn values_that_belong_together_follow_their_columns() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let ada = id(&fhir.made(patient("Lovelace")).await);
        let value = |code: &str, value: i64| {
            json!({"code": {"coding": [{"system": "http://loinc.org", "code": code}]},
                "valueQuantity": {"value": value, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}})
        };
        let place = id(&fhir.made(json!({"resourceType": "Location", "name": "Main"})).await);
        let dentist = id(&fhir.made(json!({"resourceType": "Practitioner", "name": [{"family": "Molar"}]})).await);
        let visit = json!({"resourceType": "Encounter", "status": "in-progress", "class": {"code": "AMB"},
            "subject": {"reference": format!("Patient/{ada}")}, "period": {"start": "2026-03-02T09:00:00Z"},
            "type": [{"coding": [{"system": "urn:enamel:encounter-type", "code": "exam"}]}],
            "participant": [{"individual": {"reference": format!("Practitioner/{dentist}")}}],
            "location": [{"location": {"reference": format!("Location/{place}")}}]});
        let visit = id(&fhir.made(visit).await);
        let made = id(&fhir
            .made(json!({"resourceType": "Observation", "encounter": {"reference": format!("Encounter/{visit}")}, "status": "final", "subject": {"reference": format!("Patient/{ada}")},
                "code": {"coding": [{"system": "http://loinc.org", "code": "85353-1"}]}, "effectiveDateTime": "2026-03-02T09:05:00Z",
                "component": [value("8462-4", 80), value("8480-6", 120)]}))
            .await);
        read(&clinic.staff(), &VITAL_SIGN, made.parse().unwrap()).await.unwrap();
        let (before, now) =
            ("Observation?component-code-value-quantity=8480-6$120", "Observation?component-code-value-quantity=8480-6$131");
        asked(&fhir, &made, &[(before, true), (now, false)]).await;
        changed(&clinic, &VITAL_SIGN, &made, json!({"systolic_mmhg": 131})).await;
        asked(&fhir, &made, &[(before, false), (now, true)]).await;
    });
}

#[test]
fn rows_below_and_beside_a_record_are_part_of_what_it_says() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let mut sent = patient("Lovelace");
        sent["address"] = json!([{"use": "home", "line": ["1 Main"], "city": "Boston", "text": "By the harbour"}]);
        let ada = id(&fhir.made(sent).await);
        asked(&fhir, &ada, &[("Patient?_content=harbour", true), ("Patient?address-city=Boston", true)]).await;
        let address = below(world, &PATIENT_ADDRESS, "patient_id", &ada).await;
        changed(&clinic, &PATIENT_ADDRESS, &address, json!({"city": "Amherst"})).await;
        asked(&fhir, &ada, &[("Patient?_content=harbour", false), ("Patient?address-city=Amherst", true)]).await;
        let mother = json!({"resourceType": "RelatedPerson", "patient": {"reference": format!("Patient/{ada}")},
            "name": [{"family": "Byron", "given": ["Anne"]}], "telecom": [{"system": "phone", "value": "+16175550101", "rank": 1}]});
        let mother = id(&fhir.made(mother).await);
        asked(&fhir, &mother, &[("RelatedPerson?name:exact=Byron", true)]).await;
        let contact = below(world, &EXTERNAL_CONTACT, "patient_id", &ada).await;
        changed(&clinic, &EXTERNAL_CONTACT, &contact, json!({"full_name": "Augusta Leigh"})).await;
        asked(&fhir, &mother, &[("RelatedPerson?name:exact=Byron", false), ("RelatedPerson?name=Leigh", true)]).await;
    });
}

#[test]
fn a_condition_of_a_change_is_asked_of_what_is_now() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let ada = id(&fhir.made(patient("Lovelace")).await);
        let made = id(&fhir.made(condition(&ada)).await);
        let create = async || {
            let headers = [super::JSON, ("if-none-exist", "code=urn:x%7Ccaries")];
            fhir.send(poem::http::Method::POST, "/Condition", &headers, condition(&ada).to_string().into_bytes()).await.status
        };
        assert_eq!(create().await, StatusCode::OK);
        changed(&clinic, &PATIENT_CONDITION, &made, json!({"code": "K04.0", "display": "Pulpitis"})).await;
        assert_eq!(create().await, StatusCode::CREATED);
    });
}

#[test]
fn what_is_retired_leaves_nothing_to_be_found() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (fhir, truth) = (clinic.fhir(), world.truth().await);
        let ada = id(&fhir.made(patient("Lovelace")).await);
        let made: Uuid = id(&fhir.made(condition(&ada)).await).parse().unwrap();
        let rows = async || {
            let text = "select count(*) from enamel.clinical_search_values where record_id = $1";
            truth.query_one(text, &[&made]).await.unwrap().get::<_, i64>(0)
        };
        assert!(rows().await > 0);
        let staff = clinic.staff();
        let was = read(&staff, &PATIENT_CONDITION, made).await.unwrap();
        retire(&staff, &PATIENT_CONDITION, made, was.version).await.unwrap();
        asked(&fhir, &made.to_string(), &[("Condition?code=caries", false)]).await;
        assert_eq!(rows().await, 0);
    });
}

#[test]
fn the_worker_does_what_nobody_searches_for() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (fhir, truth) = (clinic.fhir(), world.truth().await);
        let marks = async || truth.query_one("select count(*) from enamel.search_stale where tenant_id = $1", &[&clinic.id]).await.unwrap();
        let ada = clinic.patient("Lovelace").await.unwrap();
        patch(&clinic.staff(), &PATIENT, ada.id, ada.version, json!({"first_name": "Augusta"})).await.unwrap();
        assert_eq!(marks().await.get::<_, i64>(0), 0, "FHIR never said anything of it");
        let made = id(&fhir.made(condition(&ada.id.to_string())).await);
        let body = fhir.get(&format!("/Condition/{made}")).await.body;
        assert_eq!(fhir.put(&format!("/Condition/{made}"), &body, &[]).await.status, StatusCode::OK);
        assert_eq!(marks().await.get::<_, i64>(0), 0, "FHIR made them itself");
        changed(&clinic, &PATIENT_CONDITION, &made, json!({"code": "K04.0", "display": "Pulpitis"})).await;
        assert_eq!(marks().await.get::<_, i64>(0), 1);
        stale::carry_on(&world.kernel).await.unwrap();
        assert_eq!(marks().await.get::<_, i64>(0), 0);
        let rows = "select count(*) from enamel.clinical_search_values where record_id = $1 and code = 'caries'";
        assert_eq!(truth.query_one(rows, &[&made.parse::<Uuid>().unwrap()]).await.unwrap().get::<_, i64>(0), 0);
    });
}

async fn watched(truth: &tokio_postgres::Client, trigger: &str) -> BTreeSet<String> {
    let text = "select c.relname::text from pg_trigger t join pg_class c on c.oid = t.tgrelid where t.tgname = $1";
    truth.query(text, &[&trigger]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// Of the parts of what FHIR writes: the whole's table, the part's, and the column of a row below that names its whole.
fn parts() -> Vec<(&'static str, &'static str, Option<&'static str>)> {
    let below = |part: &Part| match part.link {
        Link::Child(column) => Some(column),
        Link::Parent(_) => None,
    };
    let written = fhir::mappings().filter(|mapping| mapping.writes);
    written.flat_map(|mapping| mapping.parts.iter().map(move |part| (mapping.table.name, part.table.name, below(part)))).collect()
}

/// A table that FHIR writes and no trigger watches would be searched by what it was.
#[test]
fn every_record_that_fhir_writes_is_watched() {
    world::with(async |world| {
        let truth = world.truth().await;
        let records: BTreeSet<String> =
            fhir::mappings().filter(|mapping| mapping.writes).map(|mapping| mapping.table.name.to_owned()).collect();
        assert_eq!(watched(&truth, "record_changed").await, records);
        let watched = watched(&truth, "shown_changed").await;
        // A row below is watched itself, or raises the version of what it is a part of, which is a change of that.
        let raises = "select exists (select from pg_trigger where tgname = 'log_change' and tgrelid = ('enamel.' || $1)::regclass
                       and encode(tgargs, 'escape') like '%' || $2 || '\\\\000' || $3 || '\\\\000')";
        for (whole, part, column) in parts() {
            let is_raised = match column {
                Some(column) => truth.query_one(raises, &[&part, &whole, &column]).await.unwrap().get(0),
                None => false,
            };
            assert!(is_raised || watched.contains(part), "{part} of {whole}");
        }
    });
}

/// What such triggers do touches neither the row, nor rows shown with it.
const TOUCHES_NOTHING: &[&str] = &[
    "log_insert",
    "log_change",
    "record_changed",
    "shown_changed",
    "refuse_other_patient",
    "check_consent",
    // Recalls, and what a patient who left is called for: both of tables of their own.
    "first_recalls",
    "patient_leaves",
];

/// A record whose triggers change it once it is stored is read again; FHIR would answer with what it was before.
#[test]
fn a_record_that_triggers_change_is_known() {
    world::with(async |world| {
        let text = "select distinct p.proname::text from pg_trigger t join pg_proc p on p.oid = t.tgfoid
                     where t.tgrelid = ('enamel.' || $1)::regclass and not t.tgisinternal and t.tgtype & 2 = 0 and t.tgtype & 20 <> 0";
        let truth = world.truth().await;
        let written: BTreeSet<&str> = fhir::mappings().filter(|mapping| mapping.writes).map(|mapping| mapping.table.name).collect();
        for table in written {
            let rows = truth.query(text, &[&table]).await.unwrap();
            let functions: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
            let stirs = functions.iter().any(|function| !TOUCHES_NOTHING.contains(&function.as_str()));
            assert_eq!(stirs, finish::STIRRED.contains(&table), "{table}: {functions:?}");
        }
    });
}
