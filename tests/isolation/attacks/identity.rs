//! Attacks by those who may: grants, proxies, mandates, the tenant tree, other people's logins.

use super::super::arena::{Arena, DSO, NORTH, OAK, SOUTH, STRANGER, Session, Set, context, own, texts};
use super::super::naive::Naive;
use super::super::shape::conjuncts;
use crate::world;
use enamel::kernel::context::{Caps, Context, Permission, Plane};

fn caps(list: &[Permission]) -> Context {
    Context { caps: Caps::of(list), ..own(Plane::Staff) }
}

/// 37, 40: an ended proxy or mandate shows nothing from the next statement on.
#[test]
fn proxies_and_mandates_end() {
    world::with(async |world| {
        let naive = Naive::get(world).await;
        assert_eq!(
            naive.ask("select count(*) from mandate where auditor = '00000000-0000-0000-0000-0000000000f2'").await,
            Ok(vec!["1".into()]),
            "expired, and still there"
        );
        let arena = Arena::fresh(world, "ends").await;
        let (truth, patient, auditor) = (arena.truth().await, arena.plane(Plane::Patient).await, arena.plane(Plane::Audit).await);
        let count = |table: &str, set: Set| format!("select count(*) from enamel.{table} where tenant_id = '{}'", set.tenant_id());
        let oak = count("patients", OAK);
        let user = NORTH.id("users");
        for (sql, sees) in [
            ("select", "1"),
            ("update enamel.patient_proxies set scopes = '{billing}'", "1"),
            ("update enamel.patient_proxies set valid_until = now() - interval '1 second'", "0"),
            ("update enamel.patient_proxies set valid_until = null, valid_from = now() + interval '1 day'", "0"),
            ("update enamel.patient_proxies set valid_from = '2020-01-01', status = 'REVOKED'", "0"),
            ("update enamel.patient_proxies set status = 'PENDING'", "0"),
            ("update enamel.patient_proxies set status = 'ACTIVE'", "1"),
        ] {
            let sql = if sql == "select" {
                sql.to_owned()
            } else {
                format!("{sql} where user_id = '{user}' and tenant_id = '{}'", OAK.tenant_id())
            };
            truth.batch_execute(&sql).await.unwrap();
            assert_eq!(patient.ask(&own(Plane::Patient), &oak).await, Ok(vec![sees.into()]), "{sql}");
        }
        // A scope that is not given shows none of its tables.
        let given = |scopes: &str| {
            format!(
                "update enamel.patient_proxies set scopes = '{{{scopes}}}' where user_id = '{user}' and tenant_id = '{}'",
                OAK.tenant_id()
            )
        };
        for (scopes, sees) in [("billing", "0"), ("appointments,messages", "0"), ("imaging", "1"), ("documents", "1")] {
            truth.batch_execute(&given(scopes)).await.unwrap();
            assert_eq!(patient.ask(&own(Plane::Patient), &count("imaging_studies", OAK)).await, Ok(vec![sees.into()]), "{scopes}");
        }
        for (sql, sees) in [
            ("select", "2"),
            ("update enamel.audit_mandates set permissions = '{view_tenant}'", "0"),
            ("update enamel.audit_mandates set permissions = '{view_patient}', revoked_at = now()", "0"),
            ("update enamel.audit_mandates set revoked_at = null, valid_from = '2020-01-01', valid_until = '2020-01-02'", "0"),
        ] {
            truth.batch_execute(sql).await.unwrap();
            assert_eq!(auditor.ask(&own(Plane::Audit), &count("patients", NORTH)).await, Ok(vec![sees.into()]), "{sql}");
        }
        drop((truth, patient, auditor));
        arena.drop().await;
    });
}

/// One tenant's mandate with a word that is no permission must not lock the auditor out of the others.
#[test]
fn a_bad_mandate_harms_nobody_else() {
    world::with(async |world| {
        let arena = Arena::fresh(world, "mandate").await;
        let truth = arena.truth().await;
        truth.batch_execute(&format!("set session_replication_role = replica; update enamel.audit_mandates set auditor_user_id = '{}', permissions = '{{nonsense}}' where tenant_id = '{}' and id = '{}'",
            NORTH.id("users"), OAK.tenant_id(), OAK.id("audit_mandates"))).await.unwrap();
        let auditor = arena.plane(Plane::Audit).await;
        assert_eq!(auditor.ask(&own(Plane::Audit), "select count(*) from enamel.patients").await, Ok(vec!["2".into()]));
    });
}

/// 39: the pair decides. With the two lists alone (the twin) the stranger of the same id is seen.
#[test]
fn the_same_patient_id_in_two_clinics() {
    world::with(async |world| {
        let naive = Naive::get(world).await;
        assert_eq!(
            naive.ask("set local app.login = '00000000-0000-0000-0000-0000000000f1'; select count(*) from chart").await,
            Ok(vec!["2".into()])
        );
        let arena = Arena::fresh(world, "pairs").await;
        let (truth, patient) = (arena.truth().await, arena.plane(Plane::Patient).await);
        let charts = "select count(*) from enamel.patients";
        assert_eq!(patient.ask(&own(Plane::Patient), charts).await, Ok(vec!["2".into()]));
        truth.batch_execute("alter policy patient_r on enamel.patients using (tenant_id = any ((select sec.tenants(0))::uuid[]) and id = any ((select sec.patients(0))::uuid[]))").await.unwrap();
        assert_eq!(patient.ask(&own(Plane::Patient), charts).await, Ok(vec!["3".into()]), "without the pair check the twin is seen");
        drop((truth, patient));
        arena.drop().await;
    });
}

async fn refused(session: &Session, context: &Context, sql: &str) {
    assert_eq!(session.ask(context, sql).await, Err("42501".into()), "{sql}");
}

/// A tenant's admin cannot graft the tenant elsewhere, change its kind or come back from a suspension.
#[test]
fn the_tree_is_the_platforms() {
    world::with(async |world| {
        let staff = Arena::shared(world).await.plane(Plane::Staff).await;
        for change in [
            format!("parent_tenant_id = '{}'", OAK.tenant_id()),
            "parent_tenant_id = null".into(),
            format!("root_tenant_id = '{}'", OAK.tenant_id()),
            "type = 'REGULATOR'".into(),
            "status = 'ACTIVE'".into(),
            "is_marketplace_operator = true".into(),
            "purge_after = now()".into(),
            "primary_region = 'us'".into(),
        ] {
            refused(&staff, &context(Plane::Staff, NORTH), &format!("update enamel.tenants set {change}")).await;
        }
        refused(
            &staff,
            &context(Plane::Staff, DSO),
            &format!("insert into enamel.tenant_closure values ('{}', '{}', 1)", DSO.tenant_id(), OAK.tenant_id()),
        )
        .await;
        assert_eq!(
            staff
                .ask(&context(Plane::Staff, DSO), &format!("update enamel.tenants set name = 'x' where id = '{}'", SOUTH.tenant_id()))
                .await,
            Ok(vec![])
        );
    });
}

/// Nobody gives what they do not have.
#[test]
fn grants_end_at_ones_own_permissions() {
    world::with(async |world| {
        let arena = Arena::fresh(world, "grants").await;
        let (truth, staff) = (arena.truth().await, arena.plane(Plane::Staff).await);
        // Whatever the catalogue holds: one permission the admin has, and one the admin has not, which north's role gives.
        truth.batch_execute(&format!("set session_replication_role = replica;
            delete from enamel.permissions where code in ('manage_platform', 'view_tenant') or bit in (61, 62) or id in ('{0}', '{1}');
            insert into enamel.permissions (id, code, name, bit, description) values ('{0}', 'manage_platform', 'x', 61, 'x'), ('{1}', 'view_tenant', 'x', 62, 'x')",
            NORTH.id("permissions"), STRANGER.id("permissions"))).await.unwrap();
        let (tenant, role) = (NORTH.tenant_id(), NORTH.id("roles"));
        let add = |permission| {
            let role = if permission == NORTH.id("permissions") { STRANGER.id("roles") } else { role };
            format!(
                "insert into enamel.role_permissions (tenant_id, id, role_id, permission_id) values ('{tenant}', gen_random_uuid(), '{role}', '{permission}')"
            )
        };
        let give = format!(
            "insert into enamel.user_roles (tenant_id, id, user_id, role_tenant_id, role_id) values ('{tenant}', gen_random_uuid(), '{}', '{tenant}', '{role}')",
            NORTH.id("users")
        );
        let admin = caps(&[Permission::ManageUsers, Permission::ViewTenant]);
        refused(&staff, &admin, &add(NORTH.id("permissions"))).await;
        assert_eq!(staff.ask(&admin, &add(STRANGER.id("permissions"))).await, Ok(vec!["#1".into()]), "what they have they may give");
        refused(&staff, &admin, &give).await;
        refused(&staff, &admin, &format!("update enamel.user_roles set role_id = '{role}' where id = '{}'", STRANGER.id("user_roles")))
            .await;
        refused(
            &staff,
            &admin,
            &format!(
                "update enamel.role_permissions set permission_id = '{}' where id = '{}'",
                NORTH.id("permissions"),
                STRANGER.id("role_permissions")
            ),
        )
        .await;
        let end = format!("update enamel.user_roles set valid_until = now() where id = '{}'", NORTH.id("user_roles"));
        assert_eq!(staff.ask(&admin, &end).await, Ok(vec!["#1".into()]), "to end a grant is allowed");
        assert_eq!(staff.ask(&own(Plane::Staff), &give).await, Ok(vec!["#1".into()]), "who has it may give it");
        refused(&staff, &caps(&[Permission::ViewTenant]), &add(STRANGER.id("permissions"))).await;
        drop((truth, staff));
        arena.drop().await;
    });
}

/// Other people's logins, secrets and sessions.
#[test]
fn logins_belong_to_their_person() {
    world::with(async |world| {
        let arena = Arena::fresh(world, "logins").await;
        let (truth, staff) = (arena.truth().await, arena.plane(Plane::Staff).await);
        let me = context(Plane::Staff, OAK);
        // North's person is known at oak as a proxy: oak may see the login and not change it.
        refused(&staff, &me, &format!("update enamel.users set full_name = 'x' where id = '{}'", NORTH.id("users"))).await;
        refused(&staff, &me, "update enamel.users set email = 'x@y.example'").await;
        refused(&staff, &me, "update enamel.users set status = 'ACTIVE'").await;
        for (table, column) in [
            ("sessions", "token_hash"),
            ("users", "failed_login_count"),
            ("user_auth_identities", "password_hash"),
            ("api_clients", "client_secret_hash"),
            ("identity_providers", "client_secret_enc"),
            ("user_mfa_factors", "totp_secret_enc"),
            ("files", "storage_key"),
            ("refresh_tokens", "id"),
            ("user_tokens", "id"),
            ("user_recovery_codes", "id"),
            ("sign_in_attempts", "id"),
        ] {
            refused(&staff, &me, &format!("select {column} from enamel.{table}")).await;
        }
        truth
            .batch_execute(&format!(
                "set session_replication_role = replica; update enamel.users set kind = 'HUMAN' where id = '{}'",
                STRANGER.id("users")
            ))
            .await
            .unwrap();
        let become_them = |user| {
            format!(
                "update enamel.api_clients set service_user_id = '{user}' where tenant_id = '{}' and id = '{}'",
                NORTH.tenant_id(),
                NORTH.id("api_clients")
            )
        };
        refused(&staff, &own(Plane::Staff), &become_them(STRANGER.id("users"))).await;
        refused(&staff, &own(Plane::Staff), &become_them(OAK.id("users"))).await;
        let someone = texts(&truth, "select count(*) from enamel.sessions").await.unwrap();
        assert_ne!(someone, ["1"]);
        assert_eq!(staff.ask(&me, "select count(*) from enamel.sessions").await, Ok(vec!["1".into()]), "one's own session only");
        drop((truth, staff));
        arena.drop().await;
    });
}

/// Audit events speak for their own caller, and nothing changes them.
#[test]
fn audit_events_cannot_be_planted_or_changed() {
    world::with(async |world| {
        let staff = Arena::shared(world).await.plane(Plane::Staff).await;
        let event = |tenant, user| format!("select sec.audit_append('[{{\"tenant_id\": \"{tenant}\", \"user_id\": \"{user}\"}}]')");
        refused(&staff, &own(Plane::Staff), &event(OAK.tenant_id(), NORTH.id("users"))).await;
        refused(&staff, &own(Plane::Staff), &event(NORTH.tenant_id(), STRANGER.id("users"))).await;
        refused(&staff, &own(Plane::Staff), "update enamel.audit_events set outcome = 'SUCCESS'").await;
        refused(&staff, &own(Plane::Staff), "delete from enamel.change_log").await;
        let truth = Arena::shared(world).await.truth().await;
        truth.batch_execute("set session_replication_role = origin").await.unwrap();
        assert_eq!(
            texts(&truth, "update enamel.audit_events set outcome = 'x'").await,
            Err("55000".into()),
            "not even a superuser by accident"
        );
    });
}

#[test]
fn a_launch_narrows_staff_to_one_patient_in_every_table() {
    world::with(async |world| {
        let arena = Arena::fresh(world, "launches").await;
        let (truth, staff) = (arena.truth().await, arena.plane(Plane::Staff).await);
        let whole = own(Plane::Staff);
        let launched = |patient| Context { caps: Caps::NONE, part: whole.caps, subject: Some(patient), ..whole.clone() };
        let (theirs, other) = (NORTH.id("patients"), STRANGER.id("patients"));
        let seen = async |patient| staff.ask(&launched(patient), "select id from enamel.patients").await.unwrap();
        let tables =
            "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'patient_id' and not a.attisdropped
                       where c.relnamespace = 'enamel'::regnamespace and c.relkind in ('r', 'p')
                         and has_column_privilege('enamel_staff', a.attrelid, a.attnum, 'select')";
        let tables: Vec<String> = truth.query(tables, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
        assert!(tables.len() > 60, "{}", tables.len());
        // With a role for their own patients: that patient if it is theirs, and nothing by place, provider or authorship.
        assert_eq!((seen(theirs).await, seen(other).await), (vec![theirs.to_string()], vec![]));
        let role = "update enamel.user_roles set resource_scope = 'ALL_LOCATIONS' where tenant_id = $1 and user_id = $2";
        for throughout in [false, true] {
            if throughout {
                assert!(truth.execute(role, &[&NORTH.tenant_id(), &NORTH.id("users")]).await.unwrap() > 0);
                assert_eq!((seen(theirs).await, seen(other).await), (vec![theirs.to_string()], vec![other.to_string()]));
            }
            let mut more: Vec<&str> = Vec::new();
            for table in &tables {
                for patient in [theirs, other] {
                    let sql = format!("select id from enamel.{table} where patient_id <> '{patient}'");
                    let shown = staff.ask(&launched(patient), &sql).await;
                    more.extend(shown.is_ok_and(|rows| !rows.is_empty()).then_some(table.as_str()));
                }
            }
            assert!(more.is_empty(), "{more:?} {throughout}");
            let visits = staff.ask(&launched(theirs), "select id from enamel.appointments").await.unwrap();
            assert_eq!(visits, [NORTH.id("appointments").to_string()], "a place and a provider on every row do not hide their own");
        }
        // No mutant leaves out what is asked for no permission, for no other statement shows it: this one does.
        let asked = "sec.any_patient((0)::bigint)";
        let sql = "select tablename::text, policyname::text, qual from pg_policies
                    where schemaname = 'enamel' and roles = '{enamel_staff}' and strpos(qual, $1) > 0";
        let policies = truth.query(sql, &[&asked]).await.unwrap();
        assert!(!policies.is_empty());
        for row in policies {
            let (table, policy, form): (String, String, String) = (row.get(0), row.get(1), row.get(2));
            let about = format!("update enamel.{table} set patient_id = $1 where user_id = $2");
            assert!(truth.execute(&about, &[&other, &NORTH.id("users")]).await.unwrap() > 0, "{table}");
            let sql = format!("select id from enamel.{table} where patient_id <> '{theirs}'");
            assert_eq!(staff.ask(&launched(theirs), &sql).await.unwrap(), [""; 0], "{table}");
            let looser = conjuncts(&form).into_iter().filter(|part| !part.contains(asked)).collect::<Vec<_>>().join(" AND ");
            truth.execute(&format!("alter policy {policy} on enamel.{table} using ({looser})"), &[]).await.unwrap();
            assert_ne!(staff.ask(&launched(theirs), &sql).await.unwrap(), [""; 0], "{table} {policy}");
        }
        drop((truth, staff));
        arena.drop().await;
    });
}
