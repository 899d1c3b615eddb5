//! Connections between requests: whatever happens to one request, the next one finds a clean connection.

use super::arena::{self, Arena, NORTH, OAK, SETS, Set, context};
use crate::world;
use enamel::kernel::context::{Context, Plane};
use enamel::kernel::db::{Door, Pools, Query};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Of the connection at hand: a transaction is open, a context is set, a row is locked or a setting was left.
const LEFT: &str = "
    select concat_ws(', ', case when now() <> statement_timestamp() then 'a transaction' end,
        case when coalesce(current_setting('app.ctx', true), '') <> '' then 'a context' end,
        case when pg_current_xact_id_if_assigned() is not null then 'a write' end,
        (select string_agg(name, ' ') from pg_settings where source = 'session'
          and name not in ('application_name', 'client_encoding')))";

fn door(arena: &Arena, plane: Plane, size: usize) -> Arc<Door> {
    let pools = Pools::new(vec![(plane.word(), arena.connector(plane.word()), size)], Duration::from_secs(10), 75).unwrap();
    Arc::new(Door { pools, sealer: arena.sealer.clone() })
}

fn query(text: &'static str) -> Query {
    Query::new(Cow::Borrowed(text), Cow::Borrowed(&[]))
}

async fn left(door: &Door) -> String {
    let conn = door.pools.take(Plane::Staff.word()).await.unwrap();
    // As a text: a prepared one starts its transaction a moment before its statement.
    arena::texts(&conn.client, LEFT).await.unwrap().remove(0)
}

/// Small, repeatable randomness.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

async fn tenants_seen(door: &Door, set: Set) -> Vec<Uuid> {
    let scope = door.open(&context(Plane::Staff, set)).await.unwrap();
    let rows = scope.once(&[(query("select tenant_id from enamel.patients"), vec![])]).await.unwrap();
    rows[0].iter().map(|row| row.get(0)).collect()
}

#[test]
fn one_connection_serves_tenants_in_turn() {
    world::with(async |world| {
        let door = door(Arena::shared(world).await, Plane::Staff, 1);
        for turn in 0..10_000 {
            let set = if turn % 2 == 0 { NORTH } else { OAK };
            let seen = tenants_seen(&door, set).await;
            assert!(seen.len() == 2 && seen.iter().all(|tenant| *tenant == set.tenant_id()), "turn {turn}: {seen:?}");
        }
        assert_eq!(left(&door).await, "");
    });
}

/// A request of some steps: reads, changes, waits, changes again and never commits.
async fn request(door: Arc<Door>, panics: bool) {
    let mut scope = door.open(&context(Plane::Staff, NORTH)).await.unwrap();
    scope.rows(query("select id from enamel.teams"), &[]).await.unwrap();
    scope.rows(query("update enamel.teams set description = 'never kept'"), &[]).await.unwrap();
    assert!(!panics, "a fault in a handler");
    scope.rows(query("select pg_sleep(0.02)"), &[]).await.unwrap();
    scope.rows(query("update enamel.patients set last_name = 'never kept'"), &[]).await.unwrap();
}

#[test]
fn an_abandoned_request_leaves_nothing() {
    world::with(async |world| {
        let arena = Arena::fresh(world, "abandoned").await;
        let door = door(&arena, Plane::Staff, 2);
        let mut dice = Dice(0x5eed);
        for turn in 0..150 {
            let task = tokio::spawn(request(door.clone(), turn % 10 == 9));
            tokio::time::sleep(Duration::from_micros(dice.below(25_000))).await;
            task.abort();
            let _ = task.await;
            assert_eq!(left(&door).await, "", "turn {turn}");
        }
        // A dropped future that was never polled to its end, without a task.
        for wait in [1, 3, 9, 27] {
            let _ = tokio::time::timeout(Duration::from_millis(wait), request(door.clone(), false)).await;
            assert_eq!(left(&door).await, "");
        }
        let truth = arena.truth().await;
        let kept = "select (select count(*) from enamel.teams where description = 'never kept') + (select count(*) from enamel.patients where last_name = 'never kept')";
        assert_eq!(arena::texts(&truth, kept).await, Ok(vec!["0".into()]));
        // What was held is free soon: nothing waits for a transaction nobody ends.
        let held = "select count(*) from pg_locks l join pg_stat_activity a using (pid) where l.mode = 'RowExclusiveLock' and a.usename = 'enamel_staff' and a.datname = current_database()";
        let mut free = false;
        for _ in 0..100 {
            free = arena::texts(&truth, held).await == Ok(vec!["0".into()]);
            if free {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(free, "locks are still held");
        drop(truth);
        door.pools.close();
        arena.drop().await;
    });
}

#[test]
fn a_failed_statement_a_timeout_and_a_lost_backend_leave_nothing() {
    world::with(async |world| {
        let arena = Arena::shared(world).await;
        let door = door(arena, Plane::Staff, 1);
        let mut scope = door.open(&context(Plane::Staff, NORTH)).await.unwrap();
        scope.rows(query("select set_config('statement_timeout', '30', true)"), &[]).await.unwrap();
        assert!(scope.rows(query("select pg_sleep(5)"), &[]).await.is_err());
        assert!(scope.commit().await.is_err(), "a failed transaction does not commit");
        assert_eq!(left(&door).await, "");

        let mut scope = door.open(&context(Plane::Staff, NORTH)).await.unwrap();
        assert!(scope.rows(query("update enamel.patients set status = 'NONE'"), &[]).await.is_err());
        drop(scope);
        assert_eq!(left(&door).await, "");

        let mut scope = door.open(&context(Plane::Staff, NORTH)).await.unwrap();
        let pid: i32 = scope.one(query("select pg_backend_pid()"), &[]).await.unwrap().get(0);
        arena.truth().await.execute("select pg_terminate_backend($1)", &[&pid]).await.unwrap();
        assert!(scope.rows(query("select id from enamel.teams"), &[]).await.is_err());
        drop(scope);
        assert_eq!(left(&door).await, "");
    });
}

/// The twin: without the mark a connection comes back as its last user left it, transaction and all.
#[test]
fn without_the_mark_a_transaction_is_inherited() {
    world::with(async |world| {
        let door = door(Arena::shared(world).await, Plane::Staff, 1);
        for (marked, inherits) in [(false, true), (true, false)] {
            let conn = door.pools.take(Plane::Staff.word()).await.unwrap();
            conn.client.batch_execute("begin; select set_config('app.ctx', 'somebody', true)").await.unwrap();
            conn.mark_dirty(marked);
            drop(conn);
            assert_eq!(left(&door).await.contains("a transaction, a context"), inherits, "marked: {marked}");
            let conn = door.pools.take(Plane::Staff.word()).await.unwrap();
            conn.client.batch_execute("rollback").await.unwrap();
        }
    });
}

#[test]
fn fifty_callers_at_once_see_their_own_tenant() {
    world::with(async |world| {
        let door = door(Arena::shared(world).await, Plane::Staff, 8);
        let callers = (0..50u64).map(|caller| {
            let door = door.clone();
            tokio::spawn(async move {
                let mut dice = Dice(0x9e37_79b9 + caller * 7919);
                for _ in 0..40 {
                    let set = SETS[usize::try_from(dice.below(8)).unwrap()];
                    let seen = tenants_seen(&door, set).await;
                    assert!(!seen.is_empty() && seen.iter().all(|tenant| *tenant == set.tenant_id()), "{set:?}: {seen:?}");
                }
            })
        });
        for caller in futures_util::future::join_all(callers).await {
            caller.unwrap();
        }
    });
}

/// A right that is taken while somebody reads ends with the statement under way.
#[test]
fn what_is_revoked_while_reading_is_not_read_again() {
    world::with(async |world| {
        let arena = Arena::fresh(world, "revoked").await;
        for (plane, revoke) in [
            (Plane::Patient, format!("update enamel.patient_proxies set status = 'REVOKED' where user_id = '{}'", NORTH.id("users"))),
            (Plane::Audit, "update enamel.audit_mandates set revoked_at = now()".to_owned()),
        ] {
            let door = door(&arena, plane, 2);
            let of: Context = arena::own(plane);
            let gone = Arc::new(std::sync::atomic::AtomicBool::new(false));
            let flag = gone.clone();
            let table = if plane == Plane::Patient {
                "select id from enamel.patients where tenant_id <> (select tenant_id from enamel.users u cross join enamel.patient_portal_accounts a where a.user_id = u.id limit 1)"
            } else {
                "select id from enamel.patients"
            };
            let reader = tokio::spawn(async move {
                let (mut before, mut after) = (0, 0);
                while after < 50 {
                    let was_gone = flag.load(std::sync::atomic::Ordering::SeqCst);
                    let rows = door.open(&of).await.unwrap().once(&[(query(table), vec![])]).await.unwrap();
                    assert!(!was_gone || rows[0].is_empty(), "{}: read after the revocation", of.plane.word());
                    if was_gone { after += 1 } else { before += rows[0].len() }
                }
                before
            });
            tokio::time::sleep(Duration::from_millis(100)).await;
            arena.truth().await.batch_execute(&revoke).await.unwrap();
            gone.store(true, std::sync::atomic::Ordering::SeqCst);
            assert!(reader.await.unwrap() > 0, "it was read before");
        }
        arena.drop().await;
    });
}
