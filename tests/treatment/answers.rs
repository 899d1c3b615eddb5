//! Accepting and declining: by the patient or noted by staff, once, and only what was presented.

use super::{Desk, items, states, why};
use crate::world::operations::{read, record, run, run_at};
use crate::world::{self};
use enamel::kernel::context::{Permission, Plane};
use enamel::treatment::treatment_plan::TREATMENT_PLAN;
use enamel::treatment::treatment_plan_item::TREATMENT_PLAN_ITEM;
use serde_json::json;
use uuid::Uuid;

#[test]
fn an_accepted_plan_asks_for_its_deposit_once() {
    world::with(async |world| {
        let desk = Desk::open(world).await;
        desk.settings("deposit_rule, deposit_percent", "'PERCENT', 10").await;
        let plan = desk.presented().await;
        let accept = async |caller, body| run(caller, "acceptTreatmentPlan", Some(plan.id), body).await;
        assert_eq!(why(accept(&desk.portal, json!({})).await), (422, "revision_no".into()));
        assert_eq!(why(accept(&desk.portal, json!({"revision_no": 2})).await), (422, "revision_no".into()));
        assert_eq!(why(accept(&desk.portal, json!({"revision_no": 1, "item_ids": []})).await), (422, "item_ids".into()));
        let foreign = items(&desk.presented().await);
        assert_eq!(why(accept(&desk.portal, json!({"revision_no": 1, "item_ids": foreign})).await), (422, "item_ids".into()));
        let stale = run_at(&desk.portal, "acceptTreatmentPlan", Some(plan.id), Some(plan.version + 7), json!({"revision_no": 1})).await;
        assert_eq!(why(stale).0, 412);

        // The patient and the desk at once: one acceptance, one deposit, the same answer.
        let (one, two) = tokio::join!(accept(&desk.portal, json!({"revision_no": 1})), accept(&desk.staff, json!({"revision_no": 1})));
        let (one, two) = (record(one.unwrap()), record(two.unwrap()));
        assert_eq!((one.text("status"), one.version, one.int("accepted_revision_no")), (Some("ACCEPTED"), two.version, Some(1)));
        let again = record(accept(&desk.portal, json!({"revision_no": 1, "item_ids": items(&plan)})).await.unwrap());
        assert_eq!(again.version, one.version, "a double call changes nothing");
        let truth = world.truth().await;
        let asked = truth
            .query("select amount_minor, status, purpose, currency from enamel.payments where plan_id = $1", &[&plan.id])
            .await
            .unwrap();
        let asked: Vec<(i64, String, String, String)> = asked.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect();
        assert_eq!(asked, [(7_200, "PENDING".into(), "DEPOSIT".into(), "EUR".into())], "ten percent of 72 001, half up");
        let other = accept(&desk.portal, json!({"revision_no": 1, "item_ids": [items(&plan)[0]]})).await;
        assert_eq!(why(other).0, 409, "another answer is not the same one");
        let event: i64 = truth
            .query_one(
                "select count(*) from enamel.outbox_events where resource_id = $1 and event_type = 'treatment_plans.update'",
                &[&plan.id],
            )
            .await
            .unwrap()
            .get(0);
        assert!(event > 0);
    });
}

#[test]
fn who_accepted_and_how_is_kept() {
    world::with(async |world| {
        let desk = Desk::open(world).await;
        let (mine, noted) = (desk.presented().await, desk.presented().await);
        run(&desk.portal, "acceptTreatmentPlan", Some(mine.id), json!({"revision_no": 1, "method": "PHONE"})).await.unwrap();
        run(&desk.staff, "acceptTreatmentPlan", Some(noted.id), json!({"revision_no": 1, "method": "PHONE"})).await.unwrap();
        let by = async |plan| {
            let item = read(&desk.staff, &TREATMENT_PLAN_ITEM, items(plan)[0]).await.unwrap();
            assert!(!item.get("accepted_at").is_null());
            (item.text("acceptance_method").unwrap().to_owned(), item.uuid("accepted_by"))
        };
        assert_eq!(by(&mine).await, ("PORTAL".into(), Some(desk.login)), "a patient's own login is PORTAL whatever it says");
        assert_eq!(by(&noted).await.0, "PHONE");
    });
}

#[test]
fn alternatives_and_parts() {
    world::with(async |world| {
        let desk = Desk::open(world).await;
        let offer = json!([
            {"name": "Crown", "option_group": "A", "estimated_fee_minor": 60_000},
            {"name": "Bridge", "option_group": "A", "estimated_fee_minor": 90_000},
            {"name": "Cleaning", "estimated_fee_minor": 8_000}]);
        let offered = async || {
            let plan = desk.draft(offer.clone()).await;
            record(run(&desk.staff, "presentTreatmentPlan", Some(plan.id), json!({})).await.unwrap())
        };
        let accept = async |plan: Uuid, chosen: &[Uuid]| {
            run(&desk.portal, "acceptTreatmentPlan", Some(plan), json!({"revision_no": 1, "item_ids": chosen})).await
        };
        let plan = offered().await;
        let [crown, bridge, cleaning] = items(&plan)[..] else { panic!() };
        assert_eq!(why(accept(plan.id, &[crown, bridge]).await), (422, "item_ids".into()));
        let all = run(&desk.portal, "acceptTreatmentPlan", Some(plan.id), json!({"revision_no": 1})).await;
        assert_eq!(why(all), (422, "item_ids".into()), "of a group somebody has to choose");
        let whole = record(accept(plan.id, &[bridge, cleaning]).await.unwrap());
        assert_eq!(
            (whole.text("status"), states(&whole)),
            (Some("ACCEPTED"), vec!["DECLINED".into(), "ACCEPTED".into(), "ACCEPTED".into()])
        );
        assert_eq!(whole.int("total_estimated_cost_minor"), Some(98_000), "what was declined is not in the sum");

        let plan = offered().await;
        let part = record(accept(plan.id, &items(&plan)[..1]).await.unwrap());
        assert_eq!(part.text("status"), Some("PARTIALLY_ACCEPTED"));
    });
}

#[test]
fn only_the_patient_and_their_clinic_answer_and_only_in_time() {
    world::with(async |world| {
        let (desk, other) = (Desk::open(world).await, Desk::open(world).await);
        let plan = desk.presented().await;
        let answer = async |caller, operation: &str| why(run(caller, operation, Some(plan.id), json!({"revision_no": 1})).await).0;
        for stranger in [&other.portal, &other.staff] {
            assert_eq!(answer(stranger, "acceptTreatmentPlan").await, 404);
        }
        let reader = world.caller(Plane::Patient, desk.clinic.id, Some(desk.login), &[Permission::ViewTreatment]);
        assert_eq!(answer(&reader, "acceptTreatmentPlan").await, 404, "an application of the patient's that only reads");
        let weak = world.caller(Plane::Staff, desk.clinic.id, None, &[Permission::ViewTreatment]);
        assert_eq!(answer(&weak, "acceptTreatmentPlan").await, 403);
        // The function itself asks again.
        let mut scope = weak.kernel.door.open(&weak.context).await.unwrap();
        let forced = scope.rows_once(&format!("select sec.accept_plan('{}', 1, null, 'PAPER', null)", plan.id), &[]).await.unwrap();
        assert_eq!(forced[0].get::<_, Option<Uuid>>(0), None);
        drop(scope);

        let draft = desk.draft(json!([{"name": "x"}])).await;
        assert_eq!(why(run(&desk.staff, "acceptTreatmentPlan", Some(draft.id), json!({"revision_no": 1})).await).0, 409);
        desk.sql(&format!(
            "set session_replication_role = replica; update enamel.treatment_plans set expires_on = current_date - 1 where id = '{}'",
            plan.id
        ))
        .await;
        assert_eq!(
            why(run(&desk.portal, "acceptTreatmentPlan", Some(plan.id), json!({"revision_no": 1})).await),
            (409, "The offer has expired.".into())
        );

        let declined = record(run(&desk.portal, "declineTreatmentPlan", Some(plan.id), json!({"reason": "too dear"})).await.unwrap());
        assert_eq!((declined.text("status"), states(&declined)), (Some("DECLINED"), vec!["DECLINED".into(); 2]));
        let again = record(run(&desk.portal, "declineTreatmentPlan", Some(plan.id), json!({})).await.unwrap());
        assert_eq!(again.version, declined.version);
        assert_eq!(answer(&desk.portal, "acceptTreatmentPlan").await, 409);
        assert_eq!(read(&desk.staff, &TREATMENT_PLAN, plan.id).await.unwrap().text("status"), Some("DECLINED"));
    });
}

#[test]
fn an_estimate_reckons_with_the_policy_and_shows_its_steps() {
    world::with(async |world| {
        let desk = Desk::open(world).await;
        let plan = desk.presented().await;
        let estimate = async |caller| match run(caller, "estimateTreatmentPlan", Some(plan.id), json!({})).await.unwrap() {
            enamel::kernel::operation::Answer::Object(members) => serde_json::Value::Object(members),
            _ => panic!("no object"),
        };
        let plain = estimate(&desk.staff).await;
        assert_eq!((&plain["fee_minor"], &plain["patient_portion_minor"]), (&json!(72_001), &json!(72_001)));
        desk.sql(&format!(
            "insert into enamel.patient_insurance_policies (tenant_id, id, patient_id, policy_number_enc, policy_number_bidx, currency,
                    deductible_minor, annual_maximum_minor, benefit_rules)
             values ('{}', gen_random_uuid(), '{}', '', '', 'EUR', 10000, 30000, '{{\"percent\": {{\"*\": 50}}}}')",
            desk.clinic.id, desk.patient
        ))
        .await;
        for caller in [&desk.staff, &desk.portal] {
            let insured = estimate(caller).await;
            assert_eq!((&insured["insurance_minor"], &insured["patient_portion_minor"]), (&json!(30_000), &json!(42_001)));
            assert_eq!(insured["items"][0]["trace"].as_array().unwrap().len(), 8);
        }
        let empty = desk.draft(json!([])).await;
        assert_eq!(why(run(&desk.staff, "estimateTreatmentPlan", Some(empty.id), json!({})).await), (422, "treatment_details".into()));
    });
}

#[test]
fn over_http_the_patient_answers_and_a_proxy_only_with_the_scope_for_plans() {
    world::with(async |world| {
        let desk = Desk::open(world).await;
        let (mine, theirs) = (desk.presented().await, desk.presented().await);
        let accept = async |token: &str, plan: Uuid| {
            let path = format!("/treatment-plans/{plan}/accept");
            world.post(Some(token), &path, json!({"revision_no": 1})).await
        };
        let own = world.session(desk.login, None).await;
        let (status, answer) = accept(&own, mine.id).await;
        assert_eq!((status, &answer["status"]), (200, &json!("ACCEPTED")), "{answer}");
        let relative = world.user().await;
        let token = world.session(relative, None).await;
        let proxy = Uuid::now_v7();
        desk.sql(&format!(
            "insert into enamel.patient_proxies (tenant_id, id, patient_id, user_id, relationship, scopes, granted_by, status, valid_from)
             values ('{}', '{proxy}', '{}', '{relative}', 'SPOUSE', '{{clinical}}', 'CLINIC', 'ACTIVE', now() - interval '1 hour')",
            desk.clinic.id, desk.patient
        ))
        .await;
        assert_eq!(accept(&token, theirs.id).await.0, 404);
        desk.sql(&format!("update enamel.patient_proxies set scopes = '{{plans}}' where id = '{proxy}'")).await;
        let (status, answer) = accept(&token, theirs.id).await;
        assert_eq!((status, &answer["status"]), (200, &json!("ACCEPTED")), "{answer}");
        let (status, shown) = world.get(Some(&own), &format!("/treatment-plans/{}/revisions", mine.id)).await;
        assert_eq!(status, 200, "{shown}");
        let (status, _) = world.get(Some(&own), &format!("/treatment-plans/{}/history", mine.id)).await;
        assert_eq!(status, 403);
    });
}
