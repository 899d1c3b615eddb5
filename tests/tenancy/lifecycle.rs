//! What begins, rests and ends by an operation: tenants, places, plans, memberships, portal accounts.

use crate::world;
use crate::world::operations::{create, record, run};
use enamel::kernel::Caller;
use enamel::kernel::context::{PLATFORM_TENANT, Permission, Plane};
use enamel::kernel::operation::Answer;
use enamel::patients::patient_portal_account::PATIENT_PORTAL_ACCOUNT;
use enamel::tenancy::location::LOCATION;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// The state after the operation, or the code of its refusal.
async fn state(caller: &Caller, operation: &str, id: Uuid, body: Json) -> String {
    match run(caller, operation, Some(id), body).await {
        Ok(answer) => record(answer).text("status").unwrap().to_owned(),
        Err(refusal) => refusal.code.code.to_owned(),
    }
}

#[test]
fn a_tenant_is_suspended_and_comes_back_by_the_platform_alone() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let platform = world.caller(Plane::Platform, PLATFORM_TENANT, None, Permission::ALL);
        let reason = || json!({"reason": "unpaid"});
        assert_eq!(state(&platform, "suspendTenant", clinic.id, reason()).await, "SUSPENDED");
        assert_eq!(state(&platform, "suspendTenant", clinic.id, reason()).await, "state.move_refused");
        assert_eq!(state(&platform, "reinstateTenant", clinic.id, json!({})).await, "ACTIVE");
        assert_eq!(state(&clinic.staff(), "suspendTenant", clinic.id, reason()).await, "auth.forbidden");
        // Nobody closes another tenant, nor learns its name by trying.
        let other = world.tenant("SOLO_PRACTICE", None).await;
        assert_eq!(state(&other.staff(), "closeTenant", clinic.id, json!({"confirm": "x", "without_copy": "y"})).await, "not_found");
        let weak = world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewTenant]);
        assert_eq!(state(&weak, "closeTenant", clinic.id, json!({"confirm": "x", "without_copy": "y"})).await, "auth.forbidden");
        let told: i64 = world
            .truth()
            .await
            .query_one("select count(*) from enamel.audit_events where tenant_id = $1 and event_type = 'CONFIG_CHANGED'", &[&clinic.id])
            .await
            .unwrap()
            .get(0);
        assert_eq!(told, 2, "its own log tells of both");
    });
}

#[test]
fn places_and_plans_end_for_good() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let body = json!({"name": "Annexe", "country": "DE", "time_zone": "Europe/Berlin"});
        let place = create(&clinic.staff(), &LOCATION, body).await.unwrap();
        assert_eq!(state(&clinic.staff(), "closeLocation", place.id, json!({})).await, "CLOSED");
        assert_eq!(state(&clinic.staff(), "closeLocation", place.id, json!({})).await, "state.move_refused");
        let (plan, truth) = (Uuid::now_v7(), world.truth().await);
        let sql = "insert into enamel.subscription_plans (id, code, name, currency, included_seats, included_storage_bytes)
                   values ($1, $1::uuid::text, 'Plan', 'EUR', 1, 1000)";
        truth.execute(sql, &[&plan]).await.unwrap();
        let platform = world.caller(Plane::Platform, PLATFORM_TENANT, None, Permission::ALL);
        assert_eq!(state(&platform, "retireSubscriptionPlan", plan, json!({})).await, "RETIRED");
        assert_eq!(state(&platform, "retireSubscriptionPlan", plan, json!({})).await, "state.move_refused");
    });
}

#[test]
fn memberships_and_portal_accounts_rest_and_come_back() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (boss, user) = (clinic.member("TENANT_ADMIN").await, clinic.member("CLINICIAN").await);
        let staff = world.caller(Plane::Staff, clinic.id, Some(boss), Permission::ALL);
        let truth = world.truth().await;
        let of = "select id from enamel.user_tenants where tenant_id = $1 and user_id = $2";
        let member: Uuid = truth.query_one(of, &[&clinic.id, &user]).await.unwrap().get(0);
        run(&staff, "removeUserTenant", Some(member), json!({})).await.unwrap();
        assert_eq!(state(&staff, "restoreUserTenant", member, json!({})).await, "ACTIVE");
        assert_eq!(state(&staff, "restoreUserTenant", member, json!({})).await, "state.move_refused");

        let patient = clinic.patient("Doe").await.unwrap().id;
        let login = world.user().await;
        truth
            .execute(
                "insert into enamel.patient_portal_accounts (tenant_id, id, patient_id, user_id, status) values ($1, $2, $3, $4, 'INVITED')",
                &[&clinic.id, &patient, &patient, &login],
            )
            .await
            .unwrap();
        let account = crate::world::operations::read(&staff, &PATIENT_PORTAL_ACCOUNT, patient).await.unwrap().id;
        for (operation, becomes) in [
            ("reinstatePatientPortalAccount", "state.move_refused"),
            ("activatePatientPortalAccount", "ACTIVE"),
            ("suspendPatientPortalAccount", "SUSPENDED"),
            ("reinstatePatientPortalAccount", "ACTIVE"),
            ("closePatientPortalAccount", "CLOSED"),
            ("activatePatientPortalAccount", "state.move_refused"),
        ] {
            assert_eq!(state(&staff, operation, account, json!({})).await, becomes, "{operation}");
        }
    });
}

#[test]
fn a_group_sees_its_tree_and_a_clinic_itself() {
    world::with(async |world| {
        let group = world.tenant("DSO", None).await;
        let clinic = world.tenant("GROUP_PRACTICE", Some(group.id)).await;
        let mut head = group.staff();
        head.reads_subtree = true;
        let shown = async |caller: &Caller, id: Uuid| match run(caller, "getTenantSubtree", Some(id), json!({})).await {
            Ok(Answer::Object(tree)) => {
                tree["tenants"].as_array().unwrap().iter().map(|node| (node["id"].clone(), node["depth"].clone())).collect()
            }
            _ => Vec::new(),
        };
        assert_eq!(shown(&head, group.id).await, [(json!(group.id), json!(0)), (json!(clinic.id), json!(1))]);
        assert_eq!(shown(&clinic.staff(), clinic.id).await, [(json!(clinic.id), json!(0))]);
        assert!(shown(&clinic.staff(), group.id).await.is_empty(), "not what stands above it");
    });
}
