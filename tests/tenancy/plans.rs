//! Plans: what a subscription brings arrives with it, and changes with it.

use crate::world::{
    self, World,
    operations::{create, read, record, run},
};
use enamel::kernel::context::{PLATFORM_TENANT, Permission, Plane};
use enamel::kernel::operation::Answer;
use enamel::tenancy::tenant_subscription::TENANT_SUBSCRIPTION;
use serde_json::{Value as Json, json};
use uuid::Uuid;

async fn plan(world: &World, seats: i32, features: &[&str]) -> Uuid {
    let id = Uuid::now_v7();
    let features: Vec<String> = features.iter().map(|code| (*code).to_owned()).collect();
    world
        .truth()
        .await
        .execute(
            "insert into enamel.subscription_plans (id, code, name, currency, included_seats, included_features, included_storage_bytes)
         values ($1, $1::uuid::text, 'Plan', 'EUR', $2, $3, 1000)",
            &[&id, &seats, &features],
        )
        .await
        .unwrap();
    id
}

async fn enabled(world: &World, tenant: Uuid) -> Vec<String> {
    let rows = world
        .truth()
        .await
        .query(
            "select feature_code || ' ' || source from enamel.tenant_features where tenant_id = $1 and is_enabled order by 1",
            &[&tenant],
        )
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn usage(world: &World, staff: &enamel::kernel::Caller) -> Json {
    let quota: Uuid = world
        .truth()
        .await
        .query_one("select id from enamel.tenant_quotas where tenant_id = $1", &[&staff.context.tenant])
        .await
        .unwrap()
        .get(0);
    match run(staff, "getTenantQuotaUsage", Some(quota), json!({})).await.unwrap() {
        Answer::Object(members) => members["limits"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| (line["limit"].as_str().unwrap().to_owned(), json!([line["most"], line["used"]])))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        _ => panic!("no object"),
    }
}

#[test]
fn changing_the_plan_ends_one_subscription_and_begins_the_next() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = clinic.staff();
        let (small, large) = (plan(world, 2, &["charting"]).await, plan(world, 9, &["charting", "imaging"]).await);
        world
            .truth()
            .await
            .execute(
                "insert into enamel.tenant_features (tenant_id, id, feature_code, source) values ($1, gen_random_uuid(), 'ai', 'GRANT')",
                &[&clinic.id],
            )
            .await
            .unwrap();
        let first = create(&staff, &TENANT_SUBSCRIPTION, json!({"plan_id": large, "start_at": "2026-01-01T00:00:00Z"})).await.unwrap();
        let next = record(run(&staff, "changeTenantSubscriptionPlan", Some(first.id), json!({"plan_id": small})).await.unwrap());
        assert_eq!((next.uuid("plan_id"), next.text("status")), (Some(small), Some("ACTIVE")));
        let ended = read(&staff, &TENANT_SUBSCRIPTION, first.id).await.unwrap();
        assert_eq!((ended.text("status"), ended.get("end_at") == next.get("start_at")), (Some("EXPIRED"), true));
        assert_eq!(enabled(world, clinic.id).await, ["ai GRANT", "charting PLAN"]);

        let last = record(run(&staff, "changeTenantSubscriptionPlan", Some(next.id), json!({"plan_id": large, "seats": 4})).await.unwrap());
        assert_eq!(enabled(world, clinic.id).await, ["ai GRANT", "charting PLAN", "imaging PLAN"]);
        clinic.patient("Counted").await.unwrap();
        let used = usage(world, &staff).await;
        assert_eq!(
            (&used["max_users"], &used["max_patients"], &used["max_storage_bytes"]),
            (&json!([4, 0]), &json!([null, 1]), &json!([1000, 0]))
        );

        let again = run(&staff, "changeTenantSubscriptionPlan", Some(first.id), json!({"plan_id": small})).await.err().unwrap();
        assert_eq!(again.code.code, "state.move_refused");
        let unknown = run(&staff, "changeTenantSubscriptionPlan", Some(last.id), json!({"plan_id": Uuid::now_v7()})).await.err().unwrap();
        assert_eq!((unknown.code.status, unknown.faults[0].field.as_str()), (422, "plan_id"));
        let weak = world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewTenant]);
        assert_eq!(
            run(&weak, "changeTenantSubscriptionPlan", Some(last.id), json!({"plan_id": small})).await.err().unwrap().code.status,
            403
        );
        let stranger = world.tenant("SOLO_PRACTICE", None).await.staff();
        assert_eq!(
            run(&stranger, "changeTenantSubscriptionPlan", Some(last.id), json!({"plan_id": small})).await.err().unwrap().code.status,
            404
        );
    });
}

#[test]
fn activating_a_trial_applies_its_plan_and_a_clinic_cannot_apply_one_itself() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (id, plan) = (Uuid::now_v7(), plan(world, 3, &["recall"]).await);
        world.truth().await.execute(
            "insert into enamel.tenant_subscriptions (tenant_id, id, plan_id, start_at, status, is_trial) values ($1, $2, $3, now(), 'TRIALING', true)",
            &[&clinic.id, &id, &plan]).await.unwrap();
        let active = record(run(&clinic.staff(), "activateTenantSubscription", Some(id), json!({})).await.unwrap());
        assert_eq!((active.text("status"), active.flag("is_trial")), (Some("ACTIVE"), false));
        assert_eq!(enabled(world, clinic.id).await, ["recall PLAN"]);
        let stranger = world.tenant("SOLO_PRACTICE", None).await.staff();
        let mut scope = stranger.kernel.door.open(&stranger.context).await.unwrap();
        let applied = scope.rows_once(&format!("select sec.apply_plan('{id}')"), &[]).await;
        assert_eq!(applied.unwrap_err().code.status, 403);
        drop(scope);
        let mut scope = stranger.kernel.door.open(&stranger.context).await.unwrap();
        let seen = scope.rows_once(&format!("select * from sec.quota_usage('{}')", clinic.id), &[]).await.unwrap();
        assert!(seen.is_empty());
    });
}

#[test]
fn jobs_are_stopped_and_tried_again_by_those_who_manage_the_tenant() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let truth = world.truth().await;
        let job = async |status: &str| {
            let id = Uuid::now_v7();
            truth.execute("insert into enamel.jobs (tenant_id, id, kind, status, run_after, attempts, error_details) values ($1, $2, 'TEST', $3, now(), 10, 'x')",
                &[&clinic.id, &id, &status]).await.unwrap();
            id
        };
        let (running, failed, done) = (job("RUNNING").await, job("FAILED").await, job("SUCCEEDED").await);
        let stopped = record(run(&clinic.staff(), "cancelJob", Some(running), json!({})).await.unwrap());
        assert!(stopped.text("status") == Some("CANCELLED") && stopped.text("finished_at").is_some());
        let queued = record(run(&clinic.staff(), "retryJob", Some(failed), json!({})).await.unwrap());
        assert_eq!((queued.text("status"), queued.int("attempts"), queued.get("error_details").is_null()), (Some("QUEUED"), Some(0), true));
        for name in ["cancelJob", "retryJob"] {
            assert_eq!(run(&clinic.staff(), name, Some(done), json!({})).await.err().unwrap().code.code, "state.move_refused");
            let weak = world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewTenant]);
            assert_eq!(run(&weak, name, Some(failed), json!({})).await.err().unwrap().code.status, 403);
        }
    });
}

#[test]
fn a_copied_role_is_ones_own_with_the_same_permissions() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let truth = world.truth().await;
        let (role, code) = (Uuid::now_v7(), Uuid::now_v7().to_string());
        truth
            .execute(
                "insert into enamel.tenants (id, name, slug, type, root_tenant_id, jurisdiction, default_currency, time_zone)
            values ($1, 'Platform', 'platform', 'OTHER', $1, 'DE', 'EUR', 'UTC') on conflict do nothing",
                &[&PLATFORM_TENANT],
            )
            .await
            .unwrap();
        truth
            .execute(
                "insert into enamel.roles (tenant_id, id, code, name, is_system) values ($1, $2, $3, 'Template', true)",
                &[&PLATFORM_TENANT, &role, &code],
            )
            .await
            .unwrap();
        for code in ["view_tenant", "view_patient"] {
            truth.execute("insert into enamel.permissions (id, code, name, bit, description) values (gen_random_uuid(), $1, $1, 0, $1) on conflict do nothing", &[&code]).await.unwrap();
            truth
                .execute(
                    "insert into enamel.role_permissions (tenant_id, id, role_id, permission_id)
                select $1, gen_random_uuid(), $2, p.id from enamel.permissions p where p.code = $3",
                    &[&PLATFORM_TENANT, &role, &code],
                )
                .await
                .unwrap();
        }
        let copy = record(run(&clinic.staff(), "copyRole", Some(role), json!({"code": "OWN"})).await.unwrap());
        assert_eq!((copy.tenant, copy.text("name"), copy.flag("is_system")), (clinic.id, Some("Template"), false));
        let same: i64 = truth
            .query_one(
                "select count(*) from enamel.role_permissions a join enamel.role_permissions b using (permission_id)
            where a.role_id = $1 and b.role_id = $2 and b.tenant_id = $3",
                &[&role, &copy.id, &clinic.id],
            )
            .await
            .unwrap()
            .get(0);
        assert_eq!(same, 2);
        assert_eq!(run(&clinic.staff(), "copyRole", Some(role), json!({"code": "OWN"})).await.err().unwrap().code.status, 409);
        let modest = world.caller(Plane::Staff, clinic.id, None, &[Permission::ManageUsers, Permission::ViewTenant]);
        assert_eq!(
            run(&modest, "copyRole", Some(role), json!({"code": "MORE"})).await.err().unwrap().code.status,
            403,
            "nobody gives what they do not have"
        );
        let stranger = world.tenant("SOLO_PRACTICE", None).await.staff();
        assert_eq!(run(&stranger, "copyRole", Some(copy.id), json!({"code": "THEIRS"})).await.err().unwrap().code.status, 404);
    });
}
