//! Revisions: one open at a time, what was accepted stays so until it is changed, and nothing is forgotten.

use super::{Desk, items, states, why};
use crate::world::operations::{patch, read, record, run};
use crate::world::{self};
use enamel::kernel::operation::Answer;
use enamel::treatment::treatment_plan::TREATMENT_PLAN;
use enamel::treatment::treatment_plan_item::TREATMENT_PLAN_ITEM;
use serde_json::{Value as Json, json};

fn revised(answer: Answer) -> enamel::kernel::table::Record {
    record(answer)
}

#[test]
fn a_revision_supersedes_and_resets_what_it_changes() {
    world::with(async |world| {
        let desk = Desk::open(world).await;
        desk.settings("deposit_rule", "'FULL'").await;
        let plan = desk.presented().await;
        run(&desk.portal, "acceptTreatmentPlan", Some(plan.id), json!({"revision_no": 1})).await.unwrap();
        let next = revised(run(&desk.staff, "reviseTreatmentPlan", Some(plan.id), json!({})).await.unwrap());
        assert_eq!((next.text("status"), next.int("revision_no"), next.uuid("supersedes_id")), (Some("DRAFT"), Some(2), Some(plan.id)));
        assert_eq!((next.int("total_estimated_cost_minor"), states(&next)), (Some(72_001), vec!["PROPOSED".into(); 2]));
        let old = read(&desk.portal, &TREATMENT_PLAN, plan.id).await.unwrap();
        assert_eq!(old.text("status"), Some("SUPERSEDED"));
        assert_eq!(desk.count(&format!("payments where plan_id = '{}' and status = 'CANCELLED'", plan.id)).await, 1);
        assert!(read(&desk.portal, &TREATMENT_PLAN, next.id).await.is_err(), "the draft is not shown before it is presented");
        // Told three times: presented, superseded; and no more while the clinic works on it.
        assert_eq!(desk.count(&format!("notifications where user_id = '{}'", desk.login)).await, 2);

        let [crown, filling] = items(&next)[..] else { panic!() };
        let details = json!([{"id": crown, "estimated_fee_minor": 70_000}, {"id": filling}]);
        let next = patch(&desk.staff, &TREATMENT_PLAN, next.id, next.version, json!({"treatment_details": details})).await.unwrap();
        let accepted = async |id| !read(&desk.staff, &TREATMENT_PLAN_ITEM, id).await.unwrap().get("accepted_at").is_null();
        assert_eq!((accepted(crown).await, accepted(filling).await), (false, true), "the changed one has to be accepted anew");
        let shown = record(run(&desk.staff, "presentTreatmentPlan", Some(next.id), json!({})).await.unwrap());
        let wrong = run(&desk.portal, "acceptTreatmentPlan", Some(shown.id), json!({"revision_no": 1})).await;
        assert_eq!(why(wrong), (422, "revision_no".into()));
        run(&desk.portal, "acceptTreatmentPlan", Some(shown.id), json!({"revision_no": 2})).await.unwrap();

        // Both revisions with their hashes, from either of the two plans, for the clinic and the patient.
        for (caller, of) in [(&desk.staff, plan.id), (&desk.portal, shown.id)] {
            let Answer::Page(kept, None) = run(caller, "listRevisionsOfTreatmentPlan", Some(of), json!({})).await.unwrap() else {
                panic!()
            };
            let numbers: Vec<_> = kept.iter().map(|kept| kept.int("revision_no").unwrap()).collect();
            assert_eq!(numbers, [2, 1]);
            assert_ne!(kept[0].text("content_hash"), kept[1].text("content_hash"));
            assert_eq!(kept[1].get("content")["items"][0]["estimated_fee_minor"], 60_000, "as it was shown then");
        }
        let stranger = Desk::open(world).await;
        for caller in [&stranger.staff, &stranger.portal] {
            assert_eq!(why(run(caller, "listRevisionsOfTreatmentPlan", Some(plan.id), json!({})).await).0, 404);
        }
    });
}

#[test]
fn one_open_revision_at_a_time() {
    world::with(async |world| {
        let desk = Desk::open(world).await;
        let draft = desk.draft(json!([{"name": "x"}])).await;
        assert_eq!(why(run(&desk.staff, "reviseTreatmentPlan", Some(draft.id), json!({})).await).0, 409);
        let plan = desk.presented().await;
        let revise = async || run(&desk.staff, "reviseTreatmentPlan", Some(plan.id), json!({})).await;
        let (one, two) = tokio::join!(revise(), revise());
        assert!(one.is_ok() != two.is_ok());
        assert_eq!(desk.count(&format!("treatment_plans where supersedes_id = '{}'", plan.id)).await, 1);
        let beside = json!({"patient_id": desk.patient, "currency": "EUR", "supersedes_id": plan.id});
        let refused = crate::world::operations::create(&desk.staff, &TREATMENT_PLAN, beside).await;
        assert_eq!(super::told(refused), (409, "supersedes_id".into()));
    });
}

#[test]
fn the_history_tells_every_change_and_who_made_it() {
    world::with(async |world| {
        let desk = Desk::open(world).await;
        let plan = desk.presented().await;
        run(&desk.portal, "acceptTreatmentPlan", Some(plan.id), json!({"revision_no": 1})).await.unwrap();
        let Answer::Object(answer) = run(&desk.staff, "getTreatmentPlanHistory", Some(plan.id), json!({})).await.unwrap() else { panic!() };
        let changes = answer["changes"].as_array().unwrap();
        let moved: Vec<&Json> = changes
            .iter()
            .filter(|change| change["resource"] == "treatment_plans" && change["new_values"]["status"].is_string())
            .map(|change| &change["new_values"]["status"])
            .collect();
        assert_eq!(moved, ["DRAFT", "PRESENTED", "ACCEPTED"]);
        let by_patient = changes.iter().filter(|change| change["user_id"] == json!(desk.login)).count();
        assert!(by_patient >= 3, "two items and the plan");
        assert!(changes.iter().any(|change| change["resource"] == "treatment_plan_items" && change["action"] == "INSERT"));
        assert_eq!(why(run(&desk.portal, "getTreatmentPlanHistory", Some(plan.id), json!({})).await).0, 403);
        let stranger = Desk::open(world).await;
        assert_eq!(why(run(&stranger.staff, "getTreatmentPlanHistory", Some(plan.id), json!({})).await).0, 404);
    });
}
