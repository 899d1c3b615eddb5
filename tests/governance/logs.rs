//! What is told about changes and disclosures, and what a column means.

use crate::world;
use crate::world::operations::{create, run};
use enamel::governance::disclosure::DISCLOSURE;
use enamel::governance::processor_agreement::PROCESSOR_AGREEMENT;
use enamel::kernel::Caller;
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::operation::Answer;
use enamel::kernel::table::Record;
use serde_json::json;
use uuid::Uuid;

async fn page(caller: &Caller, operation: &str, id: Option<Uuid>, body: serde_json::Value) -> Result<Vec<Record>, u16> {
    match run(caller, operation, id, body).await {
        Ok(Answer::Page(records, _)) => Ok(records),
        Ok(_) => panic!("no page"),
        Err(refusal) => Err(refusal.code.status),
    }
}

#[test]
fn the_redacted_log_names_no_person() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let patient = clinic.patient("Hiddenname").await.unwrap().id;
        let body = json!({"table_name": "patients", "record_id": patient});
        let records = page(&clinic.staff(), "listRedactedChangeLog", None, body).await.unwrap();
        let image = records[0].get("new_values");
        assert_eq!((&image["last_name"], &image["status"], &image["dob"]), (&json!("[hidden]"), &json!("ACTIVE"), &json!(null)));
        assert!(!serde_json::to_string(&records[0].json).unwrap().contains("Hiddenname"));
        let weak = world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewTenant]);
        assert_eq!(page(&weak, "listRedactedChangeLog", None, json!({})).await.unwrap_err(), 403);
    });
}

#[test]
fn a_patient_learns_what_was_disclosed_in_six_years() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (mine, theirs) = (clinic.patient("Mine").await.unwrap().id, clinic.patient("Theirs").await.unwrap().id);
        let clerk = clinic.member("TENANT_ADMIN").await;
        let staff = world.caller(Plane::Staff, clinic.id, Some(clerk), Permission::ALL);
        let disclosed = |patient: Uuid, at: String, accountable: bool| json!({"patient_id": patient, "disclosed_at": at, "recipient_name": "Court", "what": "the chart", "purpose": "a suit", "category": "LEGAL", "is_accountable": accountable});
        let years_ago = |years: u32| chrono::Utc::now().checked_sub_months(chrono::Months::new(12 * years)).unwrap().to_rfc3339();
        let told = create(&staff, &DISCLOSURE, disclosed(mine, years_ago(1), true)).await.unwrap();
        assert_eq!(told.uuid("disclosed_by"), Some(clerk));
        create(&staff, &DISCLOSURE, disclosed(mine, years_ago(7), true)).await.unwrap();
        create(&staff, &DISCLOSURE, disclosed(mine, years_ago(1), false)).await.unwrap();
        create(&staff, &DISCLOSURE, disclosed(theirs, years_ago(1), true)).await.unwrap();
        let later = create(&staff, &DISCLOSURE, disclosed(mine, "2999-01-01T00:00:00Z".into(), true)).await.unwrap_err();
        assert_eq!(later.faults[0].field, "disclosed_at");
        let me = world.caller(Plane::Patient, clinic.id, Some(world.patient_login(&[(clinic.id, mine)]).await), &[Permission::ViewPatient]);
        for caller in [&me, &staff] {
            let list = page(caller, "getPatientDisclosures", Some(mine), json!({})).await.unwrap();
            assert_eq!(list.iter().map(|row| row.id).collect::<Vec<_>>(), [told.id]);
        }
        assert_eq!(page(&me, "getPatientDisclosures", Some(theirs), json!({})).await.unwrap_err(), 404);
    });
}

#[test]
fn the_dictionary_knows_every_column() {
    world::with(async |world| {
        let truth = world.truth().await;
        let missing = truth.query(
            "select c.relname || '.' || a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
              where c.relnamespace = 'enamel'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
                and not exists (select from enamel.data_dictionary_columns d where d.table_name = c.relname and d.column_name = a.attname)", &[]).await.unwrap();
        assert!(missing.is_empty(), "{missing:?}");
        let level = async |table: &str, column: &str| -> (String, bool) {
            let row = truth.query_one("select phi_sensitivity_level, is_encrypted from enamel.data_dictionary_columns where table_name = $1 and column_name = $2", &[&table, &column]).await.unwrap();
            (row.get(0), row.get(1))
        };
        assert_eq!(level("patients", "last_name").await, ("PHI".into(), false));
        assert_eq!(level("patients", "base_medical_history_enc").await, ("PHI".into(), true));
        assert_eq!(level("patients", "version").await.0, "BUSINESS");
    });
}

#[test]
fn an_agreement_is_signed_on_a_day() {
    world::with(async |world| {
        let staff = world.tenant("SOLO_PRACTICE", None).await.staff();
        let body = json!({"processor_name": "Host", "kind": "DPA", "purpose": "hosting", "region": "EU"});
        let draft = create(&staff, &PROCESSOR_AGREEMENT, body).await.unwrap();
        let signed =
            world::operations::patch(&staff, &PROCESSOR_AGREEMENT, draft.id, draft.version, json!({"status": "SIGNED"})).await.unwrap_err();
        assert_eq!((signed.code.status, signed.faults[0].field.as_str()), (422, "signed_on"));
        let body = json!({"status": "SIGNED", "signed_on": "2026-01-01"});
        assert_eq!(
            world::operations::patch(&staff, &PROCESSOR_AGREEMENT, draft.id, draft.version, body).await.unwrap().text("status"),
            Some("SIGNED")
        );
    });
}
