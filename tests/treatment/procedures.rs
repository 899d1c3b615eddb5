//! Procedures: begun in a visit, done with everything that follows, voided with the chart.

use super::{Desk, items, told, why};
use crate::world::operations::{create, patch, read, record, run};
use crate::world::{self};
use enamel::kernel::table::Record;
use enamel::treatment::clinical_outcome::CLINICAL_OUTCOME;
use enamel::treatment::plan_item_procedure::PLAN_ITEM_PROCEDURE;
use enamel::treatment::procedure::PROCEDURE;
use enamel::treatment::treatment_plan::TREATMENT_PLAN;
use enamel::treatment::treatment_plan_item::TREATMENT_PLAN_ITEM;
use serde_json::{Value as Json, json};
use uuid::Uuid;

struct Visit {
    provider: Uuid,
    encounter: Uuid,
}

impl Desk {
    async fn visit(&self) -> Visit {
        let (location, provider, encounter) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
        let tenant = self.clinic.id;
        self.sql(&format!(
            "insert into enamel.locations (tenant_id, id, name, country, time_zone) values ('{tenant}', '{location}', 'Room', 'DE', 'Europe/Berlin');
             insert into enamel.providers (tenant_id, id, full_name, specialty) values ('{tenant}', '{provider}', 'Dr. Test', 'General');
             insert into enamel.encounters (tenant_id, id, patient_id, location_id, provider_id, encounter_type, status, check_in_at)
             values ('{tenant}', '{encounter}', '{}', '{location}', '{provider}', 'EXAM', 'IN_PROGRESS', now())",
            self.patient
        ))
        .await;
        Visit { provider, encounter }
    }

    async fn procedure(&self, more: Json) -> Record {
        let mut body = json!({"patient_id": self.patient, "code_system": "INTERNAL", "cdt_code": "T1234", "description": "Filling", "currency": "EUR"});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        create(&self.staff, &PROCEDURE, body).await.unwrap()
    }

    async fn linked(&self, item: Uuid, procedure: Uuid) {
        let body = json!({"plan_item_id": item, "procedure_id": procedure, "patient_id": self.patient});
        create(&self.staff, &PLAN_ITEM_PROCEDURE, body).await.unwrap();
    }

    async fn step(&self, operation: &str, procedure: Uuid, body: Json) -> Record {
        record(run(&self.staff, operation, Some(procedure), body).await.unwrap())
    }
}

#[test]
fn a_plan_is_in_treatment_with_its_first_procedure_and_done_with_its_last() {
    world::with(async |world| {
        let desk = Desk::open(world).await;
        let visit = desk.visit().await;
        let plan = desk.presented().await;
        run(&desk.portal, "acceptTreatmentPlan", Some(plan.id), json!({"revision_no": 1})).await.unwrap();
        let [crown, filling] = items(&plan)[..] else { panic!() };
        let place = json!({"encounter_id": visit.encounter, "provider_id": visit.provider, "tooth_number": "16", "surface": ["M"]});
        let (one, two, three) = (desk.procedure(place.clone()).await, desk.procedure(place.clone()).await, desk.procedure(place).await);
        desk.linked(crown, one.id).await;
        desk.linked(crown, two.id).await;
        desk.linked(filling, three.id).await;
        let twice = json!({"plan_item_id": filling, "procedure_id": one.id, "patient_id": desk.patient});
        assert_eq!(told(create(&desk.staff, &PLAN_ITEM_PROCEDURE, twice).await), (409, "procedure_id".into()));

        desk.step("scheduleProcedure", one.id, json!({})).await;
        let state = async |item| read(&desk.staff, &TREATMENT_PLAN_ITEM, item).await.unwrap().text("status").unwrap().to_owned();
        let plan_state = async || read(&desk.staff, &TREATMENT_PLAN, plan.id).await.unwrap().text("status").unwrap().to_owned();
        assert_eq!((state(crown).await, plan_state().await), ("SCHEDULED".into(), "ACCEPTED".into()));
        let begun = desk.step("startProcedure", one.id, json!({})).await;
        assert!(!begun.get("start_at").is_null());
        assert_eq!((state(crown).await, plan_state().await), ("IN_PROGRESS".into(), "IN_TREATMENT".into()));
        desk.step("completeProcedure", one.id, json!({})).await;
        assert_eq!(state(crown).await, "IN_PROGRESS", "an item may need several procedures");
        desk.step("completeProcedure", two.id, json!({"start_at": "2026-01-01T08:00:00Z"})).await;
        assert_eq!((state(crown).await, plan_state().await), ("COMPLETED".into(), "IN_TREATMENT".into()));
        run(&desk.staff, "cancelTreatmentPlanItem", Some(filling), json!({"reason": "not needed"})).await.unwrap();
        assert_eq!(plan_state().await, "COMPLETED", "every accepted item is done or cancelled");
        assert_eq!(why(run(&desk.staff, "cancelTreatmentPlanItem", Some(crown), json!({"reason": "x"})).await).0, 409);
        assert_eq!(
            desk.count(&format!("payments where plan_id = '{}' and purpose = 'BALANCE' and amount_minor = 60000", plan.id)).await,
            1
        );
    });
}

#[test]
fn starting_needs_a_visit_that_is_under_way() {
    world::with(async |world| {
        let desk = Desk::open(world).await;
        let visit = desk.visit().await;
        let loose = desk.procedure(json!({})).await;
        assert_eq!(why(run(&desk.staff, "startProcedure", Some(loose.id), json!({})).await), (422, "encounter_id".into()));
        let held = desk.procedure(json!({"encounter_id": visit.encounter})).await;
        desk.sql(&format!(
            "set session_replication_role = replica; update enamel.encounters set status = 'COMPLETED' where id = '{}'",
            visit.encounter
        ))
        .await;
        let refused = why(run(&desk.staff, "startProcedure", Some(held.id), json!({})).await);
        assert_eq!(refused, (409, "The visit is not in progress.".into()));
        let other = Desk::open(world).await;
        assert_eq!(why(run(&other.staff, "startProcedure", Some(held.id), json!({})).await).0, 404);
        assert_eq!(why(run(&desk.portal, "startProcedure", Some(held.id), json!({})).await).0, 403);
        let stranger = desk.clinic.patient("Stranger").await.unwrap().id;
        let mixed = json!({"patient_id": stranger, "encounter_id": visit.encounter, "code_system": "INTERNAL", "description": "x", "currency": "EUR"});
        assert_eq!(told(create(&desk.staff, &PROCEDURE, mixed).await), (422, "encounter_id".into()));
    });
}

#[test]
fn completing_writes_materials_chart_recall_and_charge_and_voiding_takes_the_chart_back() {
    world::with(async |world| {
        let desk = Desk::open(world).await;
        let visit = desk.visit().await;
        let (entry, kind) = (Uuid::now_v7(), Uuid::now_v7());
        desk.sql(&format!(
            "insert into enamel.procedure_catalog (tenant_id, id, code_system, code, code_version, description, tooth_rule, surface_rule)
             values ('{0}', '{entry}', 'INTERNAL', 'T1234', '1', 'Filling', 'TOOTH', 'REQUIRED');
             insert into enamel.recall_types (tenant_id, id, name, interval_months, interval_days, trigger_codes)
             values ('{0}', '{kind}', 'Check', 6, 1, '{{T1234}}')",
            desk.clinic.id
        ))
        .await;
        let bare = desk.procedure(json!({"catalog_id": entry, "fee_minor": 12_000})).await;
        let refused = run(&desk.staff, "completeProcedure", Some(bare.id), json!({})).await.err().unwrap();
        let fields: Vec<_> = refused.faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["provider_id", "encounter_id", "start_at", "tooth_number", "surface"]);
        let filled = json!({"provider_id": visit.provider, "encounter_id": visit.encounter, "tooth_number": "26", "surface": ["O"],
                            "start_at": "2026-03-31T08:00:00Z"});
        let ready = patch(&desk.staff, &PROCEDURE, bare.id, bare.version, filled).await.unwrap();
        let wrong = json!({"materials": [{"description": "Composite"}, {"quantity": -1.0}]});
        assert_eq!(why(run(&desk.staff, "completeProcedure", Some(ready.id), wrong).await), (422, "materials[1].quantity".into()));
        assert_eq!(desk.count(&format!("procedure_materials where procedure_id = '{}'", ready.id)).await, 0, "all or nothing");
        let body =
            json!({"end_at": "2026-03-31T08:40:00Z", "materials": [{"description": "Composite", "lot_number": "L1", "quantity": 1.5}]});
        let done = desk.step("completeProcedure", ready.id, body).await;
        assert_eq!((done.text("status"), done.text("end_at")), (Some("COMPLETED"), Some("2026-03-31T08:40:00.000000Z")));
        let of = format!("where procedure_id = '{}'", done.id);
        assert_eq!(desk.count(&format!("procedure_materials {of} and lot_number = 'L1'")).await, 1);
        assert_eq!(
            desk.count(&format!("chart_entries {of} and fdi_tooth = '26' and work_layer = 'COMPLETED' and superseded_at is null")).await,
            1
        );
        assert_eq!(desk.count(&format!("recalls where recall_type_id = '{kind}' and due_on = '2026-10-01' and status = 'DUE'")).await, 1);
        let charge = format!("payments where patient_id = '{}' and amount_minor = 12000 and purpose = 'BALANCE'", desk.patient);
        assert_eq!(desk.count(&format!("{charge} and status = 'PENDING'")).await, 1);

        let frozen = patch(&desk.staff, &PROCEDURE, done.id, done.version, json!({"tooth_number": "27"})).await;
        assert_eq!(told(frozen), (409, "Void the procedure and record it again.".into()));
        assert_eq!(why(run(&desk.staff, "cancelProcedure", Some(done.id), json!({"reason": "x"})).await).0, 409);
        let outcome =
            json!({"patient_id": desk.patient, "procedure_id": done.id, "assessed_at": "2026-04-10T00:00:00Z", "outcome": "SUCCESS"});
        assert_eq!(create(&desk.staff, &CLINICAL_OUTCOME, outcome).await.unwrap().int("days_since"), Some(10));
        let of_nothing = json!({"patient_id": desk.patient, "assessed_at": "2026-04-10T00:00:00Z", "outcome": "SUCCESS"});
        assert_eq!(told(create(&desk.staff, &CLINICAL_OUTCOME, of_nothing).await), (422, "procedure_id".into()));

        assert_eq!(why(run(&desk.staff, "voidProcedure", Some(done.id), json!({})).await), (422, "reason".into()));
        let void = desk.step("voidProcedure", done.id, json!({"reason": "wrong tooth"})).await;
        assert_eq!((void.text("status"), void.text("status_reason")), (Some("ENTERED_IN_ERROR"), Some("wrong tooth")));
        assert_eq!(desk.count(&format!("chart_entries {of} and superseded_at is not null")).await, 1);
        assert_eq!(desk.count(&format!("{charge} and status = 'CANCELLED'")).await, 1);
        let planned = desk.procedure(json!({})).await;
        let off = desk.step("cancelProcedure", planned.id, json!({"reason": "no time"})).await;
        assert_eq!((off.text("status"), off.text("status_reason")), (Some("CANCELLED"), Some("no time")));
    });
}

#[test]
fn a_procedure_that_a_submitted_claim_names_is_not_voided() {
    world::with(async |world| {
        let desk = Desk::open(world).await;
        let visit = desk.visit().await;
        let place = json!({"encounter_id": visit.encounter, "provider_id": visit.provider, "start_at": "2026-01-01T08:00:00Z"});
        let done = desk.procedure(place).await;
        desk.step("completeProcedure", done.id, json!({})).await;
        let (claim, line) = (Uuid::now_v7(), Uuid::now_v7());
        desk.sql(&format!(
            "set session_replication_role = replica;
             insert into enamel.claims (tenant_id, id, patient_id, payer_tenant_id, payer_id, policy_id, claim_number, currency, status)
             values ('{0}', '{claim}', '{1}', '{0}', gen_random_uuid(), gen_random_uuid(), 'C1', 'EUR', 'SUBMITTED');
             insert into enamel.claim_lines (tenant_id, id, claim_id, patient_id, procedure_id, line_no, code_system, code, billed_minor, currency)
             values ('{0}', '{line}', '{claim}', '{1}', '{2}', 1, 'INTERNAL', 'T1234', 1, 'EUR')",
            desk.clinic.id, desk.patient, done.id
        ))
        .await;
        let refused = why(run(&desk.staff, "voidProcedure", Some(done.id), json!({"reason": "x"})).await);
        assert_eq!(refused, (409, "A submitted claim names it: void the claim first.".into()));
        desk.sql(&format!("set session_replication_role = replica; update enamel.claims set status = 'VOIDED' where id = '{claim}'")).await;
        desk.step("voidProcedure", done.id, json!({"reason": "x"})).await;
    });
}
