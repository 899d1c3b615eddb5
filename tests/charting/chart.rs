//! Chart entries as events: what is stored, what takes whose place, and the chart at any moment.

use crate::clinical::Practice;
use crate::world;
use crate::world::operations::{create, read, record, run};
use enamel::charting::chart_entry::CHART_ENTRY;
use enamel::charting::tooth_chart_snapshot::TOOTH_CHART_SNAPSHOT;
use enamel::kernel::Caller;
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::error::Result;
use enamel::kernel::operation::Answer;
use enamel::kernel::table::Record;
use serde_json::{Value as Json, json};
use uuid::Uuid;

async fn chart(practice: &Practice, entry: Json) -> Result<Record> {
    let mut body = json!({"patient_id": practice.patient, "axis": "FINDING", "tooth_system": "FDI", "observed_at": "2026-01-10T10:00:00Z"});
    body.as_object_mut().unwrap().extend(entry.as_object().unwrap().clone());
    create(&practice.dentist, &CHART_ENTRY, body).await
}

async fn object(caller: &Caller, operation: &str, id: Uuid, body: Json) -> Result<Json> {
    match run(caller, operation, Some(id), body).await? {
        Answer::Object(members) => Ok(Json::Object(members)),
        _ => panic!("no object"),
    }
}

/// The teeth of the chart at that moment: tooth, status, number of conditions, restorations and prostheses.
async fn teeth(caller: &Caller, patient: Uuid, query: Json) -> Vec<String> {
    let chart = object(caller, "getPatientChart", patient, query).await.unwrap();
    let count = |tooth: &Json, part: &str| tooth[part].as_array().unwrap().len();
    let line = |tooth: &Json| {
        let status = tooth["status"]["presence"].as_str().unwrap_or("-").to_owned();
        let parts = ["conditions", "restorations", "prostheses"].map(|part| count(tooth, part));
        format!("{} {status} {}{}{}", tooth["tooth"].as_str().unwrap(), parts[0], parts[1], parts[2])
    };
    chart["teeth"].as_array().unwrap().iter().map(line).collect()
}

fn refusal(made: Result<Record>) -> (u16, String) {
    let refused = made.unwrap_err();
    (refused.code.status, refused.faults[0].field.clone())
}

#[test]
fn an_entry_is_stored_by_its_tooth_whatever_was_written() {
    world::with(async |world| {
        let practice = Practice::open(world).await;
        let stored =
            |entry: &Record| (entry.text("fdi_tooth").unwrap().to_owned(), entry.get("surfaces").clone(), entry.flag("is_supernumerary"));
        let universal =
            chart(&practice, json!({"tooth_system": "UNIVERSAL", "tooth_entered": "3", "surfaces": ["D", "O", "M"]})).await.unwrap();
        assert_eq!(stored(&universal), ("16".into(), json!(["M", "O", "D"]), false));
        assert_eq!((universal.get("surfaces_entered"), universal.text("tooth_display")), (&Json::Null, Some("16")), "only put in order");
        let extra = chart(&practice, json!({"tooth_system": "UNIVERSAL", "tooth_entered": "58"})).await.unwrap();
        assert_eq!((stored(&extra), extra.int("supernumerary_ordinal")), (("11".into(), json!([]), true), Some(1)));
        let palmer = chart(&practice, json!({"tooth_system": "PALMER", "tooth_entered": "ULC", "surfaces": ["V", "p"]})).await.unwrap();
        assert_eq!(stored(&palmer), ("63".into(), json!(["F", "L"]), false));
        assert_eq!((palmer.get("surfaces_entered"), palmer.get("warnings")), (&json!(["V", "p"]), &json!(["surfaces_mapped"])));
        for (wrong, field) in [
            (json!({"tooth_entered": "19"}), "fdi_tooth"),
            (json!({"tooth_system": "UNIVERSAL", "tooth_entered": "3", "fdi_tooth": "26"}), "tooth_entered"),
            (json!({"fdi_tooth": "99"}), "fdi_tooth"),
            (json!({}), "fdi_tooth"),
            (json!({"fdi_tooth": "16", "oral_area": "10"}), "fdi_tooth"),
            (json!({"fdi_tooth": "11", "surfaces": ["O"]}), "surfaces"),
            (json!({"fdi_tooth": "16", "surfaces": ["M", "M"]}), "surfaces"),
            (json!({"fdi_tooth": "46", "surfaces": ["P"]}), "surfaces"),
            (json!({"oral_area": "01", "surfaces": ["M"]}), "surfaces"),
            (json!({"fdi_tooth": "16", "presence": "MISSING"}), "presence"),
            (json!({"fdi_tooth": "16", "axis": "WORK"}), "work_layer"),
            (json!({"fdi_tooth": "16", "axis": "PRESENCE", "presence": "PRESENT", "icdas": 3}), "caries_depth"),
        ] {
            let (status, named) = refusal(chart(&practice, wrong.clone()).await);
            assert_eq!((status, named.as_str()), (422, field), "{wrong}");
        }
    });
}

#[test]
fn doubts_are_refused_where_charting_is_strict_and_told_where_it_is_not() {
    world::with(async |world| {
        let practice = Practice::open(world).await;
        chart(&practice, json!({"axis": "PRESENCE", "fdi_tooth": "36", "presence": "EXTRACTED", "observed_at": "2026-01-05T10:00:00Z"}))
            .await
            .unwrap();
        let crown = json!({"axis": "WORK", "fdi_tooth": "36", "work_layer": "PLANNED", "restoration_kind": "CROWN"});
        let bridge = json!({"axis": "WORK", "fdi_tooth": "36", "work_layer": "PLANNED", "restoration_kind": "BRIDGE"});
        let caries = json!({"fdi_tooth": "36", "surfaces": ["M"]});
        assert_eq!(refusal(chart(&practice, crown.clone()).await), (422, "fdi_tooth".into()));
        assert_eq!(refusal(chart(&practice, caries.clone()).await), (422, "fdi_tooth".into()));
        assert_eq!(chart(&practice, bridge).await.unwrap().get("warnings"), &json!([]), "a bridge goes where a tooth is missing");
        let mut before = caries.clone();
        before["observed_at"] = json!("2026-01-04T10:00:00Z");
        chart(&practice, before).await.unwrap();
        world.truth().await.execute(
            "insert into enamel.tenant_settings (tenant_id, id, strict_charting, tooth_system) values ($1, gen_random_uuid(), false, 'UNIVERSAL')",
            &[&practice.clinic.id],
        ).await.unwrap();
        assert_eq!(chart(&practice, crown).await.unwrap().get("warnings"), &json!(["restoration_on_missing_tooth"]));
        let told = chart(&practice, caries).await.unwrap();
        assert_eq!((told.get("warnings"), told.text("tooth_display")), (&json!(["surface_on_missing_tooth"]), Some("19")));
        let mapped = chart(&practice, json!({"fdi_tooth": "11", "surfaces": ["B", "O"]})).await.unwrap();
        assert_eq!((mapped.get("surfaces"), mapped.get("surfaces_entered")), (&json!(["I", "F"]), &json!(["B", "O"])));
        assert_eq!(mapped.get("warnings"), &json!(["surfaces_mapped"]));
    });
}

#[test]
fn any_moment_can_be_looked_at() {
    world::with(async |world| {
        let practice = Practice::open(world).await;
        let (dentist, patient) = (&practice.dentist, practice.patient);
        chart(
            &practice,
            json!({"axis": "PRESENCE", "fdi_tooth": "55", "presence": "PRIMARY_RETAINED", "observed_at": "2025-02-01T10:00:00Z"}),
        )
        .await
        .unwrap();
        chart(&practice, json!({"axis": "PRESENCE", "fdi_tooth": "15", "presence": "UNERUPTED", "observed_at": "2025-02-01T10:00:00Z"}))
            .await
            .unwrap();
        let caries = chart(
            &practice,
            json!({"fdi_tooth": "46", "surfaces": ["O"], "caries_depth": "DENTIN", "observed_at": "2025-03-01T10:00:00Z"}),
        )
        .await
        .unwrap();
        chart(&practice, json!({"axis": "WORK", "fdi_tooth": "46", "surfaces": ["O"], "work_layer": "COMPLETED", "restoration_kind": "FILLING", "observed_at": "2025-04-01T10:00:00Z"})).await.unwrap();
        chart(&practice, json!({"axis": "PRESENCE", "fdi_tooth": "55", "presence": "EXTRACTED", "observed_at": "2025-05-01T10:00:00Z"}))
            .await
            .unwrap();
        chart(
            &practice,
            json!({"axis": "FINDING", "oral_area": "02", "finding_display": "Calculus", "observed_at": "2025-05-01T10:00:00Z"}),
        )
        .await
        .unwrap();
        let at = async |moment: &str| teeth(dentist, patient, json!({"at": moment})).await;
        assert!(at("2025-01-01T00:00:00Z").await.is_empty());
        assert_eq!(at("2025-03-15T00:00:00Z").await, ["15 UNERUPTED 000", "46 - 100", "55 PRIMARY_RETAINED 000"]);
        assert_eq!(at("2025-06-01T00:00:00Z").await, ["15 UNERUPTED 000", "46 - 110", "55 EXTRACTED 000"]);
        assert_eq!(teeth(dentist, patient, json!({"tooth_system": "UNIVERSAL"})).await, ["4 UNERUPTED 000", "30 - 110", "A EXTRACTED 000"]);
        let whole = object(dentist, "getPatientChart", patient, json!({})).await.unwrap();
        assert_eq!(whole["areas"][0]["conditions"][0]["finding_display"], "Calculus");
        // The patient reads their own chart; nobody reads another's.
        let person = practice.portal().await;
        assert_eq!(teeth(&person, patient, json!({})).await.len(), 3);
        let other = practice.clinic.patient("Other").await.unwrap().id;
        assert_eq!(object(&person, "getPatientChart", other, json!({})).await.unwrap_err().code.status, 404);
        let stranger = Practice::open(world).await;
        assert_eq!(object(&stranger.dentist, "getPatientChart", patient, json!({})).await.unwrap_err().code.status, 404);
        // Withdrawn today, the finding still stands on the days it stood.
        run(dentist, "supersedeChartEntry", Some(caries.id), json!({"reason": "A stain."})).await.unwrap();
        assert_eq!(at("2025-03-15T00:00:00Z").await[1], "46 - 100");
        assert_eq!(teeth(dentist, patient, json!({})).await[1], "46 - 010");
    });
}

#[test]
fn a_statement_is_superseded_once_and_never_changed() {
    world::with(async |world| {
        let practice = Practice::open(world).await;
        let dentist = &practice.dentist;
        let wrong =
            chart(&practice, json!({"tooth_system": "PALMER", "tooth_entered": "UR6", "surfaces": ["M"], "icdas": 2})).await.unwrap();
        let supersede = async |id, body| run(dentist, "supersedeChartEntry", Some(id), body).await.map(record);
        assert_eq!(refusal(supersede(wrong.id, json!({})).await), (422, "reason".into()));
        let bad = supersede(wrong.id, json!({"reason": "x", "replacement": {"surfaces": ["I"], "nonsense": 1}})).await;
        assert_eq!(refusal(bad), (422, "replacement.nonsense".into()));
        let right =
            supersede(wrong.id, json!({"reason": "Other side", "replacement": {"fdi_tooth": "26", "surfaces": ["M", "O"]}})).await.unwrap();
        assert_eq!((right.text("fdi_tooth"), right.int("icdas"), right.uuid("supersedes_id")), (Some("26"), Some(2), Some(wrong.id)));
        assert!(!read(dentist, &CHART_ENTRY, wrong.id).await.unwrap().get("superseded_at").is_null());
        assert_eq!(supersede(wrong.id, json!({"reason": "again"})).await.unwrap_err().code.status, 409);
        assert_eq!(teeth(dentist, practice.patient, json!({})).await, ["26 - 100"]);
        // A create that names what it supersedes does the same, for its own patient only.
        let other = practice.clinic.patient("Other").await.unwrap().id;
        let theirs =
            chart(&practice, json!({"patient_id": other, "fdi_tooth": "26", "supersedes_id": right.id, "supersede_reason": "x"})).await;
        assert_eq!(theirs.unwrap_err().code.status, 409);
        assert_eq!(
            refusal(chart(&practice, json!({"fdi_tooth": "26", "supersedes_id": right.id})).await),
            (422, "supersede_reason".into())
        );
        let gone = supersede(right.id, json!({"reason": "Nothing there"})).await.unwrap();
        assert_eq!(gone.text("supersede_reason"), Some("Nothing there"));
        assert!(teeth(dentist, practice.patient, json!({})).await.is_empty());
        for statement in
            ["update chart_entries set notes = 'x'", "update chart_entries set superseded_at = null", "delete from chart_entries"]
        {
            let mut scope = dentist.write(Permission::EditClinical).await.unwrap();
            assert_eq!(scope.rows_once(statement, &[]).await.unwrap_err().code.status, 403, "{statement}");
        }
        let (status, page) = world.get(Some(&practice.clinic.token("CLINICIAN").await), "/chart-entries?current=true").await;
        assert_eq!((status, page["items"].as_array().map(Vec::len)), (200, Some(0)), "{page}");
    });
}

/// Two correct the same statement at the same time: one waits for the other and is refused.
#[test]
fn of_two_corrections_at_once_one_stands() {
    world::with(async |world| {
        let practice = Practice::open(world).await;
        let entry = chart(&practice, json!({"fdi_tooth": "16"})).await.unwrap();
        // Two planes, for each has its own connections.
        let job = world.caller(Plane::Jobs, practice.clinic.id, None, &[]);
        let statement = format!(
            "insert into chart_entries (tenant_id, id, patient_id, axis, tooth_system, fdi_tooth, observed_at, supersedes_id, supersede_reason)
             values ('{}', gen_random_uuid(), '{}', 'FINDING', 'FDI', '17', now(), '{}', 'x')",
            practice.clinic.id, practice.patient, entry.id
        );
        let mut first = practice.dentist.write(Permission::EditClinical).await.unwrap();
        let mut second = job.write(Permission::Own).await.unwrap();
        first.rows_once(&statement, &[]).await.unwrap();
        let (late, ended) = futures_util::future::join(second.rows_once(&statement, &[]), async {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            first.commit().await
        })
        .await;
        ended.unwrap();
        assert_eq!(late.unwrap_err().code.status, 409, "it waited and was refused");
    });
}

#[test]
fn a_snapshot_is_made_of_the_entries_and_proved_by_them() {
    world::with(async |world| {
        let practice = Practice::open(world).await;
        let dentist = &practice.dentist;
        chart(&practice, json!({"fdi_tooth": "16", "surfaces": ["O"], "observed_at": "2025-03-01T10:00:00Z"})).await.unwrap();
        let wrong = chart(&practice, json!({"fdi_tooth": "26", "observed_at": "2025-03-01T10:00:00Z"})).await.unwrap();
        let snapshot = json!({"patient_id": practice.patient, "as_of": "2025-04-01T00:00:00Z"});
        let taken = create(dentist, &TOOTH_CHART_SNAPSHOT, snapshot.clone()).await.unwrap();
        assert_eq!(taken.get("chart_json")["teeth"].as_array().unwrap().len(), 2);
        let mut forged = snapshot.clone();
        forged["chart_json"] = json!({"teeth": []});
        assert_eq!(refusal(create(dentist, &TOOTH_CHART_SNAPSHOT, forged).await), (422, "chart_json".into()));
        let ahead = json!({"patient_id": practice.patient, "as_of": "2099-01-01T00:00:00Z"});
        assert_eq!(refusal(create(dentist, &TOOTH_CHART_SNAPSHOT, ahead).await), (422, "as_of".into()));
        // What is superseded later was true then: the same entries, the same hash.
        run(dentist, "supersedeChartEntry", Some(wrong.id), json!({"reason": "x", "replacement": {"fdi_tooth": "27"}})).await.unwrap();
        let same = object(dentist, "rebuildToothChartSnapshot", taken.id, json!({})).await.unwrap();
        assert_eq!((&same["is_same"], &same["differences"], &same["entries_hash"]), (&json!(true), &json!([]), taken.get("entries_hash")));
        // An entry that arrives late for a day past is told.
        let late = chart(&practice, json!({"fdi_tooth": "36", "source": "IMPORT", "observed_at": "2025-03-02T10:00:00Z"})).await.unwrap();
        let differs = object(dentist, "rebuildToothChartSnapshot", taken.id, json!({})).await.unwrap();
        assert_eq!(differs["is_same"], json!(false));
        assert_eq!(differs["differences"], json!([{"place": "36", "part": "conditions", "entry_id": late.id, "change": "ADDED"}]));
    });
}
