//! Nobody is made a member, or shown to a tenant, without their own doing.

use crate::world::people::text;
use crate::world::{self, operations};
use enamel::kernel::context::{Permission, Plane};
use reqwest::Method;
use serde_json::json;
use tokio_postgres::types::Type;
use uuid::Uuid;

#[test]
fn a_foreign_login_is_named_like_one_that_does_not_exist() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let stranger = world.tenant("SOLO_PRACTICE", None).await.member("CLINICIAN").await;
        let known = clinic.member("CLINICIAN").await;
        let patient = clinic.patient("Chart").await.unwrap().id;
        let nobody = Uuid::now_v7();
        let staff = clinic.staff();
        let rows = [
            "insert into user_tenants (tenant_id, id, user_id, user_type, status) values ($1, gen_random_uuid(), $2, 'ADMIN', 'INVITED') returning $3::uuid",
            "insert into patient_portal_accounts (tenant_id, id, patient_id, user_id) values ($1, gen_random_uuid(), $3, $2) returning id",
            "insert into patient_proxies (tenant_id, id, patient_id, user_id, relationship, granted_by, valid_from) values ($1, gen_random_uuid(), $3, $2, 'PARENT', 'CLINIC', now()) returning id",
            "insert into user_roles (tenant_id, id, user_id, role_tenant_id, role_id) select $1, gen_random_uuid(), $2, tenant_id, id from roles where code = 'DATA_SCIENTIST' returning $3::uuid",
            "insert into providers (tenant_id, id, user_id, full_name, last_name, specialty) values ($1, gen_random_uuid(), $2, 'x', 'x', 'UNKNOWN') returning $3::uuid",
            "update user_roles set user_id = $2 where tenant_id = $1 returning $3::uuid",
        ];
        let attempt = async |sql: &str, login: Uuid| {
            let mut scope = world.kernel.door.open(&staff.context).await.unwrap();
            let params: [(enamel::kernel::db::Param<'_>, Type); 3] =
                [(&clinic.id, Type::UUID), (&login, Type::UUID), (&patient, Type::UUID)];
            scope.rows_once(sql, &params).await.map(|rows| rows.len()).map_err(|refusal| {
                (
                    refusal.code.code,
                    refusal.faults.into_iter().map(|fault| (fault.field, fault.rule)).collect::<Vec<_>>(),
                    refusal.cause.map(|cause| cause.to_string()),
                )
            })
        };
        for sql in rows {
            let (foreign, random) = (attempt(sql, stranger).await, attempt(sql, nobody).await);
            assert_eq!(foreign, random, "{sql}");
            assert_eq!(foreign.unwrap_err().0, "reference.unknown", "{sql}");
            if !sql.contains("user_tenants") {
                assert_eq!(attempt(sql, known).await, Ok(1), "a login of the clinic may be named: {sql}");
            }
        }
        let admin = clinic.token("TENANT_ADMIN").await;
        let bodies = [("/user-tenants", json!({"user_type": "ADMIN"})), ("/patient-portal-accounts", json!({"patient_id": patient}))];
        for (path, body) in bodies {
            let mut answers = Vec::new();
            for login in [stranger, nobody] {
                let mut body = body.clone();
                body["user_id"] = json!(login);
                let (status, mut told) = world.post(Some(&admin), path, body).await;
                told.as_object_mut().unwrap().remove("request_id");
                answers.push((status, told));
            }
            assert_eq!(answers[0], answers[1], "{path}");
            assert_eq!(answers[0].0, 422, "{path}");
        }
        assert_eq!(world.get(Some(&admin), &format!("/users/{stranger}")).await.0, 404);
    });
}

#[test]
fn a_person_joins_a_tenant_by_accepting() {
    world::with(async |world| {
        let (home, clinic) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let person = home.employee("CLINICIAN").await;
        let other = home.employee("CLINICIAN").await;
        let admin = clinic.token("TENANT_ADMIN").await;
        let invite =
            async |email: &str| world.post(Some(&admin), "/member-invitations", json!({"email": email, "user_type": "DENTIST"})).await;
        // A known and an unknown address look alike, apart from what was sent.
        let (known, unknown) = (invite(&person.email.to_uppercase()).await, invite("nobody@nowhere.example").await);
        assert_eq!((known.0, unknown.0), (201, 201), "{known:?} {unknown:?}");
        let names = |body: &serde_json::Value| {
            body.as_object().unwrap().iter().map(|(name, value)| (name.clone(), value.is_null())).collect::<Vec<_>>()
        };
        assert_eq!(names(&known.1), names(&unknown.1));
        assert_eq!(invite(&person.email).await.0, 409, "once at a time");
        let id = text(&known.1, "id");
        assert_eq!(world.get(Some(&admin), &format!("/users/{}", person.id)).await.0, 404, "nothing is shown of them");
        let token = text(&world.sign_in(&person, None).await, "access_token");
        let (_, me) = world.get(Some(&token), "/me").await;
        let asked = json!([{"id": id, "tenant_id": clinic.id, "tenant_name": me["invitations"][0]["tenant_name"], "user_type": "DENTIST"}]);
        assert_eq!(me["invitations"], asked);
        // It is for the person of that address: not for another, not for the one who wrote it.
        let path = format!("/member-invitations/{id}/accept");
        let another = text(&world.sign_in(&other, None).await, "access_token");
        let random = format!("/member-invitations/{}/accept", Uuid::now_v7());
        for (token, path) in [(&another, &path), (&admin, &path), (&token, &random)] {
            assert_eq!(world.post(Some(token), path, json!({})).await.0, 404);
        }
        let app = home.client_token("system/*.cruds").await;
        assert_eq!(world.post(Some(&app), &path, json!({})).await.0, 403, "no application accepts for its user");
        let (status, membership) = world.post(Some(&token), &path, json!({})).await;
        assert_eq!((status, &membership["status"], &membership["user_id"]), (200, &json!("ACTIVE"), &json!(person.id)), "{membership}");
        assert_eq!(world.post(Some(&token), &path, json!({})).await.0, 404, "once");
        assert_eq!(world.get(Some(&admin), &format!("/users/{}", person.id)).await.1["email"], json!(person.email));
        assert_eq!(world.post(Some(&token), "/sessions/switch-tenant", json!({"tenant_id": clinic.id})).await.0, 200);
        // Removed, and asked again.
        let removed = format!("/user-tenants/{}/remove", text(&membership, "id"));
        assert_eq!(world.post(Some(&admin), &removed, json!({})).await.0, 200);
        let again = text(&invite(&person.email).await.1, "id");
        let token = text(&world.sign_in(&person, None).await, "access_token");
        let (status, back) = world.post(Some(&token), &format!("/member-invitations/{again}/accept"), json!({})).await;
        assert_eq!((status, &back["id"], &back["status"]), (200, &membership["id"], &json!("ACTIVE")), "{back}");
        // One that was taken back or is too old opens nothing.
        let gone = text(&invite(&other.email).await.1, "id");
        let retired = world.ask(&admin, Method::DELETE, &format!("/api/v1/member-invitations/{gone}"), None).await;
        assert_eq!(retired.0, 204, "{}", retired.1);
        let late = text(&invite(&other.email).await.1, "id");
        world
            .truth()
            .await
            .execute("update enamel.member_invitations set expires_at = now() where id = $1", &[&late.parse::<Uuid>().unwrap()])
            .await
            .unwrap();
        for id in [gone, late] {
            assert_eq!(world.post(Some(&another), &format!("/member-invitations/{id}/accept"), json!({})).await.0, 404);
        }
        // Without the right to manage people nobody is invited.
        let clerk = world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewTenant]);
        let refused = operations::create(
            &clerk,
            &enamel::identity::member_invitation::MEMBER_INVITATION,
            json!({"email": "a@b.example", "user_type": "ADMIN"}),
        )
        .await;
        assert_eq!(refused.err().map(|refusal| refusal.code.status), Some(403));
    });
}
