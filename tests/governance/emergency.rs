//! Emergency access: for oneself, short, told, marked and reviewed by another.

use super::rule;
use crate::world;
use crate::world::operations::{record, run};
use crate::world::tenants::Clinic;
use enamel::kernel::Caller;
use enamel::kernel::context::{Permission, Plane};
use serde_json::json;
use uuid::Uuid;

const REASON: &str = "unconscious after a fall, allergies unknown";

async fn somebody(clinic: &Clinic, permissions: &[Permission]) -> Caller {
    let user = clinic.member("CLINIC_STAFF").await;
    clinic.world.caller(Plane::Staff, clinic.id, Some(user), permissions)
}

#[test]
fn emergency_access_is_short_told_and_reviewed_by_another() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let patient = clinic.patient("Unconscious").await.unwrap().id;
        let doctor = somebody(&clinic, &[Permission::ViewTenant]).await;
        let body = json!({"reason": REASON, "patient_id": patient, "minutes": 30});
        let grant = record(run(&doctor, "createBreakGlassGrant", None, body).await.unwrap());
        assert_eq!((grant.text("status"), grant.uuid("user_id")), (Some("OPEN"), doctor.context.actor));
        assert!(grant.text("notified_at").is_some());
        let told: i64 = world
            .truth()
            .await
            .query_one(
                "select count(*) from enamel.notifications where tenant_id = $1 and resource_id = $2 and role_code = 'TENANT_ADMIN'",
                &[&clinic.id, &grant.id],
            )
            .await
            .unwrap()
            .get(0);
        assert_eq!(told, 1);
        let short = run(&doctor, "createBreakGlassGrant", None, json!({"reason": "why"})).await.err().unwrap();
        assert_eq!((short.code.status, short.faults[0].field.as_str()), (422, "reason"));
        let long = run(&doctor, "createBreakGlassGrant", None, json!({"reason": REASON, "minutes": 241})).await.err().unwrap();
        assert_eq!((long.code.status, long.faults[0].field.as_str()), (422, "minutes"));
        let nobody = clinic.staff();
        assert_eq!(run(&nobody, "createBreakGlassGrant", None, json!({"reason": REASON})).await.err().unwrap().code.status, 403);

        let watcher = somebody(&clinic, &[Permission::ViewTenant, Permission::ViewAudit]).await;
        assert_eq!(rule(&watcher, "reviewBreakGlassGrant", grant.id, json!({"review_note": "fine"})).await, (409, "state"));
        let stranger = somebody(&clinic, &[Permission::ViewTenant]).await;
        assert_eq!(rule(&stranger, "closeBreakGlassGrant", grant.id, json!({})).await, (404, "not_found"));
        let closed = record(run(&doctor, "closeBreakGlassGrant", Some(grant.id), json!({})).await.unwrap());
        assert_eq!(closed.text("status"), Some("CLOSED"));
        assert_eq!(rule(&doctor, "closeBreakGlassGrant", grant.id, json!({})).await.0, 409);
        let mut own = doctor.clone();
        own.context.caps = enamel::kernel::context::Caps::of(&[Permission::ViewAudit]);
        assert_eq!(rule(&own, "reviewBreakGlassGrant", grant.id, json!({"review_note": "fine"})).await, (409, "second_person"));
        let reviewed = record(run(&watcher, "reviewBreakGlassGrant", Some(grant.id), json!({"review_note": "as told"})).await.unwrap());
        assert_eq!((reviewed.text("status"), reviewed.uuid("reviewed_by")), (Some("REVIEWED"), watcher.context.actor));
    });
}

#[test]
fn sql_opens_no_longer_grant_and_none_for_another() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let watcher = somebody(&clinic, &[Permission::ViewTenant, Permission::ViewAudit]).await;
        let other = clinic.member("CLINICIAN").await;
        let insert = |until: &str| {
            format!("insert into break_glass_grants (tenant_id, id, user_id, reason, valid_from, valid_until)
                values ('{}', '{}', '{other}', '{REASON}', '2020-01-01', {until}) returning user_id, valid_from > now() - interval '1 minute'", clinic.id, Uuid::now_v7())
        };
        let mut scope = watcher.kernel.door.open(&watcher.context).await.unwrap();
        let rows = scope.rows_once(&insert("now() + interval '1 hour'"), &[]).await.unwrap();
        let (user, begins_now): (Uuid, bool) = (rows[0].get(0), rows[0].get(1));
        assert_eq!((Some(user), begins_now), (watcher.context.actor, true));
        assert_eq!(scope.rows_once(&insert("now() + interval '5 hours'"), &[]).await.unwrap_err().code.status, 422);
    });
}

#[test]
fn what_is_done_under_a_grant_is_marked_with_it() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let patient = clinic.patient("Marked").await.unwrap().id;
        let token = clinic.token("TENANT_ADMIN").await;
        let (status, grant) = world.post(Some(&token), "/break-glass-grants", json!({"reason": REASON, "patient_id": patient})).await;
        assert_eq!(status, 201, "{grant}");
        let user: Uuid = grant["user_id"].as_str().unwrap().parse().unwrap();
        // A new session: what was known of the old one is believed for some seconds.
        let token = world.session(user, Some(clinic.id)).await;
        assert_eq!(world.get(Some(&token), &format!("/patients/{patient}")).await.0, 200);
        let row = world
            .truth()
            .await
            .query_one(
                "select break_glass_id, purpose_of_use from enamel.audit_events where resource_id = $1 and event_type = 'PATIENT_VIEWED'",
                &[&patient],
            )
            .await
            .unwrap();
        let (marked, purpose): (Option<Uuid>, Option<String>) = (row.get(0), row.get(1));
        assert_eq!((marked.map(|id| id.to_string()).as_deref(), purpose.as_deref()), (grant["id"].as_str(), Some("EMERGENCY")));
    });
}
