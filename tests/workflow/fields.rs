//! A custom field's value is of its definition's type, over every contract and in SQL.

use crate::world;
use crate::world::operations::{create, patch, retire};
use enamel::kernel::Caller;
use enamel::workflow::custom_field_definition::CUSTOM_FIELD_DEFINITION;
use enamel::workflow::custom_field_value::CUSTOM_FIELD_VALUE;
use serde_json::{Value as Json, json};
use uuid::Uuid;

async fn field(staff: &Caller, kind: &str, rules: Json) -> Result<Uuid, (u16, String)> {
    let key = format!("f_{}", Uuid::now_v7().simple());
    let body = json!({"entity_type": "PATIENT", "field_key": key, "label": "Field", "data_type": kind, "validation_rules": rules});
    let made = create(staff, &CUSTOM_FIELD_DEFINITION, body).await;
    made.map(|made| made.id).map_err(|refusal| (refusal.code.status, refusal.faults[0].field.clone()))
}

#[test]
fn a_value_is_of_its_fields_type() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = clinic.staff();
        assert_eq!(field(&staff, "NUMBER", json!({"max_length": 3})).await, Err((422, "validation_rules".into())));
        assert_eq!(field(&staff, "CHOICE", json!({})).await, Err((422, "validation_rules".into())));
        assert_eq!(field(&staff, "TEXT", json!({"pattern": "a"})).await, Err((422, "validation_rules".into())));
        assert_eq!(field(&staff, "NUMBER", json!({"min": 5, "max": 1})).await, Err((422, "validation_rules".into())));
        let text = field(&staff, "TEXT", json!({"max_length": 3})).await.unwrap();
        let number = field(&staff, "NUMBER", json!({"min": 1, "max": 5})).await.unwrap();
        let choice = field(&staff, "CHOICE", json!({"choices": ["RED", "BLUE"]})).await.unwrap();
        let (day, flag, free) = (
            field(&staff, "DATE", json!({})).await.unwrap(),
            field(&staff, "BOOLEAN", json!({})).await.unwrap(),
            field(&staff, "JSON", json!({})).await.unwrap(),
        );
        let tried = [
            (text, json!({"value_text": "abc"}), None),
            (text, json!({"value_text": "abcd"}), Some("value_text")),
            (text, json!({"value_number": 1.0}), Some("value_text")),
            (text, json!({"value_text": "a", "value_number": 1.0}), Some("value_text")),
            (text, json!({}), Some("value_text")),
            (number, json!({"value_number": 5.0}), None),
            (number, json!({"value_number": 5.5}), Some("value_number")),
            (choice, json!({"value_text": "RED"}), None),
            (choice, json!({"value_text": "GREEN"}), Some("value_text")),
            (day, json!({"value_text": "2026-02-28"}), None),
            (day, json!({"value_text": "2026-02-30"}), Some("value_text")),
            (flag, json!({"value_text": "true"}), None),
            (flag, json!({"value_text": "yes"}), Some("value_text")),
            (free, json!({"value_json": {"a": [1]}}), None),
        ];
        for (definition, value, wrong) in tried {
            let patient = clinic.patient("Fielded").await.unwrap().id;
            let mut body = json!({"definition_id": definition, "entity_id": patient});
            body.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
            match (create(&staff, &CUSTOM_FIELD_VALUE, body).await, wrong) {
                (Ok(made), None) => assert_eq!((made.text("entity_type"), made.patient), (Some("PATIENT"), Some(patient))),
                (Err(refusal), Some(wrong)) => assert_eq!((refusal.code.status, refusal.faults[0].field.as_str()), (422, wrong), "{value}"),
                (Ok(_), Some(_)) => panic!("{value} was taken"),
                (Err(refusal), None) => panic!("{value}: {refusal}"),
            }
        }
    });
}

#[test]
fn a_field_is_one_thing_and_has_one_value() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (staff, patient) = (clinic.staff(), clinic.patient("Fielded").await.unwrap().id);
        let text = field(&staff, "TEXT", json!({})).await.unwrap();
        let body = json!({"definition_id": text, "entity_id": patient, "value_text": "one"});
        let value = create(&staff, &CUSTOM_FIELD_VALUE, body.clone()).await.unwrap();
        assert_eq!(create(&staff, &CUSTOM_FIELD_VALUE, body.clone()).await.unwrap_err().code.status, 409);
        let theirs = world.tenant("SOLO_PRACTICE", None).await.patient("Theirs").await.unwrap().id;
        for nothing in [theirs, Uuid::now_v7()] {
            let body = json!({"definition_id": text, "entity_id": nothing, "value_text": "one"});
            let refusal = create(&staff, &CUSTOM_FIELD_VALUE, body).await.unwrap_err();
            assert_eq!((refusal.code.status, refusal.faults[0].field.as_str()), (422, "entity_id"));
        }
        let longer = patch(&staff, &CUSTOM_FIELD_VALUE, value.id, value.version, json!({"value_text": "two"})).await.unwrap();
        assert_eq!(longer.text("value_text"), Some("two"));
        let mut scope = staff.kernel.door.open(&staff.context).await.unwrap();
        let changed = scope.rows_once(&format!("update custom_field_definitions set data_type = 'NUMBER' where id = '{text}'"), &[]).await;
        assert_eq!(changed.unwrap_err().code.code, "record.append_only");
        drop(scope);
        retire(&staff, &CUSTOM_FIELD_DEFINITION, text, 1).await.unwrap();
        let other = clinic.patient("Later").await.unwrap().id;
        let late =
            create(&staff, &CUSTOM_FIELD_VALUE, json!({"definition_id": text, "entity_id": other, "value_text": "x"})).await.unwrap_err();
        assert_eq!((late.code.status, late.faults[0].field.as_str()), (422, "definition_id"));
    });
}
