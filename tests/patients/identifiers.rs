//! National ids: found by their keyed hash, in clear nowhere.

use crate::world;
use crate::world::operations::{create, patch, run};
use enamel::kernel::operation::Answer;
use enamel::patients::patient_identifier::PATIENT_IDENTIFIER;
use serde_json::json;

#[test]
fn a_national_id_is_found_and_stands_in_no_column_in_clear() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let (patient, same) = (clinic.patient("Carrier").await.unwrap(), other.patient("Carrier").await.unwrap());
        let first = "QX-7391-0042-ZK";
        let second = "QX 8820 0042 WW";
        let made = create(&clinic.staff(), &PATIENT_IDENTIFIER, json!({"patient_id": patient.id, "system": "NATIONAL_ID", "value": first}))
            .await
            .unwrap();
        assert_eq!(made.text("value"), Some(first));
        create(&other.staff(), &PATIENT_IDENTIFIER, json!({"patient_id": same.id, "system": "NATIONAL_ID", "value": first})).await.unwrap();
        let twice = create(
            &clinic.staff(),
            &PATIENT_IDENTIFIER,
            json!({"patient_id": patient.id, "system": "NATIONAL_ID", "value": "qx73910042zk"}),
        )
        .await;
        assert_eq!(twice.unwrap_err().code.status, 409, "the same id, written otherwise");
        patch(&clinic.staff(), &PATIENT_IDENTIFIER, made.id, 1, json!({"value": second})).await.unwrap();

        let found =
            async |caller: enamel::kernel::Caller, value: &str| match run(&caller, "searchPatients", None, json!({"identifier": value}))
                .await
                .unwrap()
            {
                Answer::Page(records, _) => records.iter().map(|record| record.id).collect::<Vec<_>>(),
                _ => panic!("no page"),
            };
        assert_eq!(found(clinic.staff(), "qx88200042ww").await, [patient.id]);
        assert!(found(clinic.staff(), first).await.is_empty());
        assert_eq!(found(other.staff(), first).await, [same.id]);

        let truth = world.truth().await;
        let tables = truth.query("select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'enamel' and c.relkind = 'r'", &[]).await.unwrap();
        for table in tables.iter().map(|row| row.get::<_, String>(0)) {
            let clear: i64 = truth.query_one(
                &format!("select count(*) from enamel.{table} t where t::text ~* 'QX.?(7391|8820).?0042' or t::text like '%' || encode('QX-7391-0042-ZK'::bytea, 'hex') || '%'"), &[]).await.unwrap().get(0);
            assert_eq!(clear, 0, "{table}");
        }
        let logged: i64 = truth
            .query_one("select count(*) from enamel.change_log where table_name = 'patient_identifiers' and record_id = $1", &[&made.id])
            .await
            .unwrap()
            .get(0);
        assert_eq!(logged, 2);
        let hashes: i64 = truth
            .query_one(
                "select count(distinct value_bidx) from enamel.patient_identifiers where patient_id = any ($1)",
                &[&vec![patient.id, same.id]],
            )
            .await
            .unwrap()
            .get(0);
        assert_eq!(hashes, 2, "no two tenants hash alike");
    });
}
