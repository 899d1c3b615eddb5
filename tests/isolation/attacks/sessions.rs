//! Attacks through the connection that the next caller gets.

use super::super::arena::{Arena, NORTH, OAK, context, texts};
use super::super::naive::{B, Naive};
use crate::world;
use enamel::kernel::context::{Context, Permission, Plane};
use enamel::kernel::db::Query;
use std::borrow::Cow;
use tokio_postgres::types::Type;

fn query(text: &'static str) -> Query {
    Query::new(Cow::Borrowed(text), Cow::Borrowed(&[]))
}

/// 3, 26: settings, cursors and subscriptions that one request leaves must not reach the next on the same connection.
#[test]
fn what_a_request_leaves_on_its_connection_is_gone() {
    world::with(async |world| {
        let naive = Naive::get(world).await;
        let client = naive.bare().await;
        texts(&client, &format!("begin; select set_config('app.tenant_id', '{B}', false); declare c cursor with hold for select name from app.patient; commit")).await.unwrap();
        assert_eq!(texts(&client, "select name from app.patient").await, Ok(vec!["Bob".into()]), "the next caller reads as B");
        assert_eq!(texts(&client, "fetch all from c").await, Ok(vec!["Bob".into()]), "and B's cursor");

        let (door, north) = (world.kernel.door.clone(), world.tenant("SOLO_PRACTICE", None).await);
        north.patient("Left").await.unwrap();
        let context = Context { tenant: Some(north.id), ..north.staff().context };
        for _ in 0..20 {
            let mut scope = door.open(&context).await.unwrap();
            scope.rows(query("declare c cursor with hold for select last_name from enamel.patients"), &[]).await.unwrap();
            scope
                .rows(
                    query("select set_config('app.ctx', current_setting('app.ctx'), false), set_config('search_path', 'nowhere', false)"),
                    &[],
                )
                .await
                .unwrap();
            scope.commit().await.unwrap();
            let mut next = door.open(&Context { tenant: Some(uuid::Uuid::now_v7()), ..context.clone() }).await.unwrap();
            let path = next.one(query("select current_setting('search_path') || ' ' || (select count(*) from pg_cursors where name = 'c') || ' ' || (select count(*) from enamel.patients)"), &[]).await.unwrap();
            assert_eq!(path.get::<_, String>(0), "enamel, pg_catalog, pg_temp 0 0");
            next.commit().await.unwrap();
        }
    });
}

/// 3b: after its first use a custom setting is empty, not absent; that must not be an error.
#[test]
fn no_context_is_no_rows() {
    world::with(async |world| {
        let naive = Naive::get(world).await.bare().await;
        texts(&naive, &format!("begin; set local app.tenant_id = '{B}'; commit")).await.unwrap();
        assert_eq!(texts(&naive, "select name from app.patient").await, Err("22P02".into()));
        let session = Arena::shared(world).await.plane(Plane::Staff).await;
        session.ask(&context(Plane::Staff, NORTH), "select count(*) from enamel.patients").await.unwrap();
        assert_eq!(texts(&session.client, "select count(*) from enamel.patients").await, Ok(vec!["0".into()]));
    });
}

/// 32: a context taken from one connection is worth nothing on another, on another plane, or a minute later.
#[test]
fn a_context_cannot_be_carried_elsewhere() {
    world::with(async |world| {
        let arena = Arena::shared(world).await;
        let (one, other) = (arena.plane(Plane::Staff).await, arena.plane(Plane::Staff).await);
        let sealed = one.seal(&context(Plane::Staff, OAK));
        one.begin(&sealed).await;
        assert_eq!(texts(&one.client, "select count(*) > 0 from enamel.patients").await, Ok(vec!["t".into()]));
        one.rollback().await;
        other.begin(&sealed).await;
        assert_eq!(texts(&other.client, "select count(*) from enamel.patients").await, Err("42501".into()));
        let naive = Naive::get(world).await.bare().await;
        texts(&naive, &format!("set app.tenant_id = '{B}'")).await.unwrap();
        assert_eq!(
            texts(&naive, "select name from app.patient").await,
            Ok(vec!["Bob".into()]),
            "a plain setting is worth as much everywhere"
        );
    });
}

/// 38: a prepared plan must forget a role's old powers (CVE-2026-14666, fixed in 15.19).
#[test]
fn a_prepared_plan_forgets_a_power_that_was_taken() {
    world::with(async |world| {
        let truth = Arena::shared(world).await.truth().await;
        let version: String = truth.query_one("show server_version_num", &[]).await.unwrap().get(0);
        assert_eq!(enamel::kernel::db::check::too_old(version.parse().unwrap()), None);
        truth.batch_execute("drop role if exists isolation_spy; create role isolation_spy bypassrls;
            grant usage on schema enamel to isolation_spy; grant select on enamel.patients to isolation_spy;
            set role isolation_spy; prepare p as select count(*) from enamel.patients; execute p; execute p; execute p; execute p; execute p; execute p").await.unwrap();
        assert_ne!(texts(&truth, "execute p").await, Ok(vec!["0".into()]));
        truth.batch_execute("reset role; alter role isolation_spy nobypassrls; set role isolation_spy").await.unwrap();
        assert_eq!(texts(&truth, "execute p").await, Ok(vec!["0".into()]));
        truth.batch_execute("reset role; revoke all on enamel.patients from isolation_spy; revoke all on schema enamel from isolation_spy; drop role isolation_spy").await.unwrap();
    });
}

/// Values of a statement never become its text, so no session shows them to another.
#[test]
fn parameters_are_not_text() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let mut scope = clinic.staff().write(Permission::EditPatient).await.unwrap();
        let hostile = "' or true --".to_owned();
        let found = scope.rows_once("select id from enamel.patients where last_name = $1", &[(&hostile, Type::TEXT)]).await.unwrap();
        assert!(found.is_empty());
        scope.commit().await.unwrap();
    });
}
