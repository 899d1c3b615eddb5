//! Drafts: the list of details is the items, totals are their sum, and a presented plan is frozen.

use super::{Desk, items, states, told, why};
use crate::world::operations::{create, patch, read, record, run};
use crate::world::{self};
use enamel::kernel::context::{Permission, Plane};
use enamel::treatment::treatment_plan::TREATMENT_PLAN;
use enamel::treatment::treatment_plan_item::TREATMENT_PLAN_ITEM;
use enamel::treatment::treatment_plan_revision::TREATMENT_PLAN_REVISION;
use serde_json::json;
use uuid::Uuid;

#[test]
fn details_are_items_and_totals_are_their_sum() {
    world::with(async |world| {
        let desk = Desk::open(world).await;
        let plan = desk
            .draft(json!([
                {"name": "Crown", "tooth_number": "16", "estimated_fee_minor": 60_000, "estimated_insurance_minor": 20_000},
                {"description": "Filling", "surface": ["O", "M", "O"], "estimated_fee_minor": 12_000, "cdt_code": "T1234"}]))
            .await;
        assert_eq!((plan.text("created_by_party"), plan.uuid("clinic_id")), (Some("CLINIC"), Some(desk.clinic.id)));
        let totals = |plan: &enamel::kernel::table::Record| {
            ["total_estimated_cost_minor", "estimated_insurance_coverage_minor", "estimated_patient_portion_minor"]
                .map(|name| plan.int(name).unwrap())
        };
        assert_eq!(totals(&plan), [72_000, 20_000, 52_000]);
        let [crown, filling] = items(&plan)[..] else { panic!() };
        let stored = read(&desk.staff, &TREATMENT_PLAN_ITEM, filling).await.unwrap();
        assert_eq!((stored.get("surface"), stored.int("sequence_order")), (&json!(["M", "O"]), Some(2)));

        // Given back as a whole: the crown dearer, the filling gone, an inlay new.
        let details = json!([{"id": crown, "estimated_fee_minor": 65_000}, {"name": "Inlay", "estimated_fee_minor": 30_000}]);
        let next = patch(&desk.staff, &TREATMENT_PLAN, plan.id, plan.version, json!({"treatment_details": details})).await.unwrap();
        assert_eq!(totals(&next), [95_000, 20_000, 75_000]);
        assert_eq!(next.get("treatment_details")[1]["description"], "Inlay");
        assert_eq!(read(&desk.staff, &TREATMENT_PLAN_ITEM, filling).await.unwrap().text("status"), Some("CANCELLED"));
        // What was read can be given back and changes nothing.
        let echo = json!({"treatment_details": next.get("treatment_details")});
        let same = patch(&desk.staff, &TREATMENT_PLAN, plan.id, next.version, echo).await.unwrap();
        assert_eq!((same.version, same.get("treatment_details")), (next.version, next.get("treatment_details")));

        let wrong = json!({"treatment_details": [{"name": "x"}, {"name": "y", "phase": 10}]});
        let (status, field) = told(patch(&desk.staff, &TREATMENT_PLAN, plan.id, same.version, wrong).await);
        assert_eq!((status, field.as_str()), (422, "treatment_details[1].phase"));
        let not_list = json!({"treatment_details": {"name": "x"}});
        assert_eq!(told(patch(&desk.staff, &TREATMENT_PLAN, plan.id, same.version, not_list).await).0, 422);

        // A total that somebody writes past the contract is the sum again.
        desk.sql(&format!("update enamel.treatment_plans set total_estimated_cost_minor = 1 where id = '{}'", plan.id)).await;
        assert_eq!(totals(&read(&desk.staff, &TREATMENT_PLAN, plan.id).await.unwrap()), [95_000, 20_000, 75_000]);
    });
}

#[test]
fn items_belong_to_their_plan_and_come_one_after_the_other() {
    world::with(async |world| {
        let desk = Desk::open(world).await;
        let plan = desk.draft(json!([])).await;
        let other = desk.clinic.patient("Other").await.unwrap().id;
        let item = |patient: Uuid, currency: &str, place: i32| {
            json!({"plan_id": plan.id, "patient_id": patient, "code_system": "INTERNAL", "description": "x", "currency": currency,
                   "estimated_fee_minor": 100, "sequence_order": place})
        };
        assert_eq!(told(create(&desk.staff, &TREATMENT_PLAN_ITEM, item(other, "EUR", 1)).await).1, "patient_id");
        assert_eq!(told(create(&desk.staff, &TREATMENT_PLAN_ITEM, item(desk.patient, "CHF", 1)).await).1, "currency");
        let mut over = item(desk.patient, "EUR", 1);
        over["estimated_insurance_minor"] = json!(101);
        assert_eq!(told(create(&desk.staff, &TREATMENT_PLAN_ITEM, over).await).0, 422);
        // Two at once, on two connections: neither is lost from the total, neither fails.
        let import = world.caller(Plane::Jobs, desk.clinic.id, None, &[]);
        let (one, two) = tokio::join!(
            create(&desk.staff, &TREATMENT_PLAN_ITEM, item(desk.patient, "EUR", 1)),
            create(&import, &TREATMENT_PLAN_ITEM, item(desk.patient, "EUR", 2))
        );
        assert!(one.is_ok() && two.is_ok());
        assert_eq!(read(&desk.staff, &TREATMENT_PLAN, plan.id).await.unwrap().int("total_estimated_cost_minor"), Some(200));
        assert_eq!(told(create(&desk.staff, &TREATMENT_PLAN_ITEM, item(desk.patient, "EUR", 2)).await).0, 409);
    });
}

#[test]
fn a_presented_plan_is_frozen_with_its_hash_and_shown_to_the_patient() {
    world::with(async |world| {
        let desk = Desk::open(world).await;
        let empty = desk.draft(json!([])).await;
        assert_eq!(why(run(&desk.staff, "presentTreatmentPlan", Some(empty.id), json!({})).await), (422, "treatment_details".into()));
        let mixed = desk.draft(json!([{"name": "x", "estimated_fee_minor": 5}])).await;
        patch(&desk.staff, &TREATMENT_PLAN, mixed.id, mixed.version, json!({"currency": "CHF"})).await.unwrap();
        assert_eq!(why(run(&desk.staff, "presentTreatmentPlan", Some(mixed.id), json!({})).await), (422, "currency".into()));

        let draft = desk.draft(json!([{"name": "Crown", "estimated_fee_minor": 60_000}])).await;
        let unseen = read(&desk.portal, &TREATMENT_PLAN, draft.id).await;
        assert_eq!(told(unseen).0, 404, "a draft of the clinic is the clinic's");
        let plan = record(run(&desk.staff, "presentTreatmentPlan", Some(draft.id), json!({})).await.unwrap());
        assert_eq!((plan.text("status"), plan.int("presented_revision_no")), (Some("PRESENTED"), Some(1)));
        assert_eq!(plan.version, read(&desk.staff, &TREATMENT_PLAN, plan.id).await.unwrap().version, "the answer is what is stored");
        let truth = world.truth().await;
        let row = truth
            .query_one(
                "select id, content, content_hash = encode(sha256(convert_to(content::text, 'UTF8')), 'hex')
                   from enamel.treatment_plan_revisions where plan_id = $1",
                &[&plan.id],
            )
            .await
            .unwrap();
        let (revision, content, hashed): (Uuid, serde_json::Value, bool) = (row.get(0), row.get(1), row.get(2));
        assert!(hashed && content["items"][0]["description"] == "Crown" && content["plan"]["total_estimated_cost_minor"] == 60_000);

        let shown = read(&desk.portal, &TREATMENT_PLAN, plan.id).await.unwrap();
        assert_eq!(shown.get("treatment_details")[0]["description"], "Crown");
        assert!(read(&desk.portal, &TREATMENT_PLAN_REVISION, revision).await.is_ok());
        let told_them = format!("notifications where user_id = '{}' and type = 'TREATMENT_PLAN_UPDATED'", desk.login);
        assert_eq!(desk.count(&told_them).await, 1);

        let item = items(&plan)[0];
        let frozen = (409, "Revise the plan.".to_owned());
        assert_eq!(told(patch(&desk.staff, &TREATMENT_PLAN, plan.id, plan.version, json!({"title": "x"})).await), frozen);
        let stored = read(&desk.staff, &TREATMENT_PLAN_ITEM, item).await.unwrap();
        let dearer = json!({"estimated_fee_minor": 1});
        assert_eq!(told(patch(&desk.staff, &TREATMENT_PLAN_ITEM, item, stored.version, dearer).await), frozen);
        let more = json!({"treatment_details": [{"id": item}, {"name": "more"}]});
        assert_eq!(told(patch(&desk.staff, &TREATMENT_PLAN, plan.id, plan.version, more).await), frozen);
        assert!(patch(&desk.staff, &TREATMENT_PLAN, plan.id, plan.version, json!({"internal_notes": "call"})).await.is_ok());
        // Not even by SQL, and not by the superuser.
        let forged = truth.execute("update enamel.treatment_plan_revisions set content = '{}' where id = $1", &[&revision]).await;
        assert!(forged.is_err());
        let again = run(&desk.staff, "presentTreatmentPlan", Some(plan.id), json!({})).await.err().unwrap();
        assert_eq!(again.code.code, "state.move_refused");
        let weak = world.caller(Plane::Staff, desk.clinic.id, None, &[Permission::ViewTreatment]);
        assert_eq!(why(run(&weak, "presentTreatmentPlan", Some(empty.id), json!({})).await).0, 403);
        assert_eq!(why(run(&desk.portal, "presentTreatmentPlan", Some(empty.id), json!({})).await).0, 403);
        let stranger = world.tenant("SOLO_PRACTICE", None).await.staff();
        assert_eq!(why(run(&stranger, "presentTreatmentPlan", Some(empty.id), json!({})).await).0, 404);
    });
}

#[test]
fn a_cancelled_plan_takes_its_items_and_open_payments_along() {
    world::with(async |world| {
        let desk = Desk::open(world).await;
        desk.settings("deposit_rule, deposit_percent", "'PERCENT', 10").await;
        let plan = desk.presented().await;
        run(&desk.portal, "acceptTreatmentPlan", Some(plan.id), json!({"revision_no": 1})).await.unwrap();
        let open = format!("payments where plan_id = '{}' and status = 'PENDING'", plan.id);
        assert_eq!(desk.count(&open).await, 1);
        let unreasoned = run(&desk.staff, "cancelTreatmentPlan", Some(plan.id), json!({})).await;
        assert_eq!(why(unreasoned), (422, "reason".into()));
        let over = record(run(&desk.staff, "cancelTreatmentPlan", Some(plan.id), json!({"reason": "moved away"})).await.unwrap());
        assert_eq!((over.text("status"), over.int("total_estimated_cost_minor")), (Some("CANCELLED"), Some(0)));
        assert_eq!(desk.count(&format!("treatment_plan_items where plan_id = '{}' and status = 'CANCELLED'", plan.id)).await, 2);
        assert_eq!(desk.count(&open).await, 0);
        let told: i64 = desk.count(&format!("audit_events where resource_id = '{}' and metadata->>'reason' = 'moved away'", plan.id)).await;
        assert_eq!(told, 1);
        assert_eq!(why(run(&desk.staff, "cancelTreatmentPlan", Some(plan.id), json!({"reason": "x"})).await).0, 409);
        let presented = desk.presented().await;
        assert_eq!(why(run(&desk.staff, "cancelTreatmentPlan", Some(presented.id), json!({"reason": "x"})).await).0, 409);
        assert_eq!(states(&presented), ["PROPOSED", "PROPOSED"]);
    });
}

#[test]
fn older_words_for_a_state_find_it() {
    world::with(async |world| {
        let desk = Desk::open(world).await;
        let (draft, presented) = (desk.draft(json!([])).await, desk.presented().await);
        let token = desk.clinic.token("CLINICIAN").await;
        let list = async |query: &str| {
            let (status, body) = world.get(Some(&token), &format!("/treatment-plans?{query}")).await;
            let rows = body.as_array().or(body["data"].as_array()).or(body["items"].as_array());
            (status, rows.map(|rows| rows.iter().map(|row| row["id"].as_str().unwrap().parse::<Uuid>().unwrap()).collect::<Vec<_>>()))
        };
        assert_eq!(list("status=Finalised").await, (200, Some(vec![presented.id])));
        assert_eq!(list("status=Draft&created_by_party=Clinic").await, (200, Some(vec![draft.id])));
        assert_eq!(list("status=In%20Treatment").await, (200, Some(vec![])));
        assert_eq!(list("status=Finished").await.0, 400);
    });
}
