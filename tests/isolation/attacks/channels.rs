//! Attacks by side channels: other sessions, statistics, locks, plans, objects outside of tables.

use super::super::arena::{Arena, NORTH, OAK, context, texts};
use super::super::naive::Naive;
use super::{Attack, accepted, rows, run, staff};
use crate::world;
use enamel::kernel::context::Plane;

fn channels() -> Vec<Attack> {
    vec![
        staff(
            "7 a temporary table shadows a name",
            "create temp table member (id int); insert into member values (1); select shadowed()",
            rows,
            "create temp table member (id int)".into(),
            "42501",
        ),
        staff(
            "8 a temporary table catches inserts",
            "create temp table patient (id uuid, tenant_id uuid, name text); insert into patient values (gen_random_uuid(), null, 'caught'); select name from pg_temp.patient",
            rows,
            "create temp table patients (id uuid)".into(),
            "42501",
        ),
        staff(
            "17 a sequence tells the volume",
            "select last_value from visit_id_seq",
            rows,
            "select count(*) from pg_class where relkind = 'S' and relnamespace = 'enamel'::regnamespace".into(),
            "=0",
        ),
        staff(
            "20 a leakproof wrapper sees all",
            "select count(*) from patient where app.leaky(email); select value from loot where value = 'b1@x'",
            rows,
            "create function enamel.leaky(v text) returns boolean language sql as 'select true'".into(),
            "42501",
        ),
        staff("21b sizes", "select pg_relation_size('app.patient')", rows, "select pg_relation_size('enamel.patients')".into(), "42501"),
        staff(
            "21b live rows",
            "select pg_stat_get_live_tuples('app.patient'::regclass)",
            rows,
            "select pg_stat_get_live_tuples('enamel.patients'::regclass)".into(),
            "42501",
        ),
        staff(
            "22 a broken check tells of the row",
            "update account set balance = balance - 6 where tenant_id = '00000000-0000-0000-0000-00000000000b'",
            |there| there == &Err("23514".into()),
            format!("update enamel.patients set status = 'NONE' where tenant_id = '{}'", OAK.tenant_id()),
            "=",
        ),
        staff("23 a notification", "select pg_notify('x', 'y')", accepted, "select pg_notify('x', 'y')".into(), "42501"),
        staff("24 an advisory lock", "select pg_try_advisory_lock(42)", rows, "select pg_try_advisory_lock(42)".into(), "42501"),
        staff(
            "25 what others ask",
            "select query from pg_stat_activity where query like 'select ''secret%'",
            rows,
            "select query from pg_stat_activity".into(),
            "42501",
        ),
        staff(
            "25 … by the other function",
            "select pg_stat_get_backend_activity(b) from pg_stat_get_backend_idset() b where pg_stat_get_backend_activity(b) like 'select ''secret%'",
            rows,
            "select pg_stat_get_backend_activity(1)".into(),
            "42501",
        ),
        staff(
            "25 … by ending them",
            "select pg_cancel_backend(pid) from pg_stat_activity where query like 'select ''secret%'",
            rows,
            "select pg_terminate_backend(1)".into(),
            "42501",
        ),
        staff("25 … by their locks", "select count(*) from pg_locks", rows, "select count(*) from pg_locks".into(), "42501"),
        staff("27 a large object", "select lo_create(0)", rows, "select lo_create(0)".into(), "42501"),
        staff(
            "31 copy from",
            "create temp table taken (line text); copy taken from '/etc/passwd' (delimiter e'\x01'); select line from taken where line like 'root:%'",
            rows,
            "copy enamel.patients from '/etc/passwd'".into(),
            "42501",
        ),
        staff(
            "31 copy to a program",
            "create temp table taken (line text); copy taken from program 'echo run'; select line from taken where line = 'run'",
            rows,
            "copy enamel.patients to program 'cat'".into(),
            "42501",
        ),
        staff(
            "33 the statements of statistics",
            "select tablename from pg_stats where schemaname = 'app' and tablename = 'portal'",
            rows,
            "select most_common_vals from pg_stats".into(),
            "42501",
        ),
    ]
}

#[test]
fn channels_between_tenants() {
    run(channels);
}

/// 4: a table's owner without FORCE sees all; ours is bound too.
#[test]
fn the_owner_is_bound_by_the_policies() {
    world::with(async |world| {
        let naive = Naive::get(world).await.truth().await;
        naive
            .batch_execute("begin; set local role naive_owner; set local app.tenant_id = '00000000-0000-0000-0000-00000000000a'")
            .await
            .unwrap();
        assert_eq!(texts(&naive, "select count(*) from app.task").await, Ok(vec!["2".into()]));
        naive.batch_execute("rollback").await.unwrap();
        let truth = Arena::shared(world).await.truth().await;
        truth.batch_execute("begin; set local role enamel_owner").await.unwrap();
        assert_eq!(texts(&truth, "select count(*) from enamel.patients").await, Ok(vec!["0".into()]));
        truth.batch_execute("rollback").await.unwrap();
    });
}

/// 21: a plan must tell nothing of others' rows: a foreign value and one that exists nowhere are planned and run alike.
#[test]
fn a_plan_tells_nothing_of_others() {
    world::with(async |world| {
        let naive = Naive::get(world).await;
        let told = naive.ask("set enable_seqscan = on; explain (analyze, costs off, timing off, summary off) select id from app.patient where email = 'b1@x'").await.unwrap();
        assert!(told.join("\n").contains("Rows Removed by Filter"), "{told:?}");
        let session = Arena::shared(world).await.plane(Plane::Staff).await;
        let plan = async |id: uuid::Uuid| {
            let sql = format!(
                "explain (analyze, costs off, timing off, summary off, buffers off) select id from enamel.patients where tenant_id = '{}' and id = '{id}'",
                NORTH.tenant_id()
            );
            session.client.batch_execute("set enable_seqscan = off").await.unwrap();
            let plan = session.ask(&context(Plane::Staff, NORTH), &sql).await.unwrap().join("\n");
            plan.replace(&id.to_string(), "ID")
        };
        assert_eq!(plan(OAK.id("patients")).await, plan(uuid::Uuid::from_u128(7)).await);
    });
}
