//! Every committed event is sealed exactly once, whatever order transactions commit in, die in, or wait in.

use super::house::{House, event};
use crate::world;
use chrono::{TimeDelta, Utc};
use enamel::kernel::audit::{Hash, TreeHasher};
use enamel::kernel::audit_store;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use uuid::Uuid;

const WRITERS: u64 = 8;
const TRANSACTIONS: u64 = 50;

/// Writes events in transactions that stay open for a while; one in eight is rolled back. Gives how many committed.
async fn write(house: Arc<House>, writer: u64) -> usize {
    let client = house.kernel.door.pools.connector("log").unwrap().connect().await.unwrap();
    let tenant = Uuid::now_v7();
    let mut committed = 0;
    for n in 0..TRANSACTIONS {
        let random = (writer * 7_919 + n * 104_729 + 13) % 9_973;
        let events: Vec<_> = (0..1 + random % 3).map(|_| event(tenant)).collect();
        client.batch_execute("begin").await.unwrap();
        client.execute("select sec.audit_append($1)", &[&audit_store::rows(&events).unwrap()]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(random % 25)).await;
        if random.is_multiple_of(8) {
            client.batch_execute("rollback").await.unwrap();
        } else {
            client.batch_execute("commit").await.unwrap();
            committed += events.len();
        }
    }
    committed
}

/// What a sealer by ids would have taken: each time the ids above the largest it knows.
async fn naive(house: Arc<House>, done: Arc<AtomicBool>) -> BTreeSet<Uuid> {
    let (mut seen, mut last) = (BTreeSet::new(), Uuid::nil());
    loop {
        let over = done.load(Ordering::SeqCst);
        for row in house.truth.query("select id from enamel.audit_events where id > $1 order by id", &[&last]).await.unwrap() {
            last = row.get(0);
            seen.insert(last);
        }
        if over {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(7)).await;
    }
}

/// Derives each seal anew from the rows; gives batches and events.
async fn derive(house: &House) -> (usize, usize) {
    let seals = house
        .truth
        .query("select from_transaction, to_transaction, event_count, root_hash, batch_no from enamel.audit_seals order by batch_no", &[])
        .await
        .unwrap();
    let (mut end, mut events) = ("0001.00000000000000000000".to_owned(), 0);
    for (place, seal) in seals.iter().enumerate() {
        let (from, to): (String, String) = (seal.get(0), seal.get(1));
        assert_eq!((&from, seal.get::<_, i64>(4)), (&end, place as i64 + 1), "a gap or an overlap between two seals");
        let rows = house
            .truth
            .query(
                "select leaf_hash from enamel.audit_events where transaction_id >= $1 and transaction_id < $2 order by transaction_id, id",
                &[&from, &to],
            )
            .await
            .unwrap();
        let tree: TreeHasher = rows.iter().map(|row| Hash::try_from(row.get::<_, &[u8]>(0)).unwrap()).collect();
        assert_eq!((tree.count() as i64, &tree.root().0[..]), (seal.get(2), seal.get(3)), "batch {}", place + 1);
        (end, events) = (to, events + rows.len());
    }
    (seals.len(), events)
}

#[test]
fn every_committed_event_is_sealed_once_where_a_sealer_by_ids_misses_some() {
    world::with(async |world| {
        let house = Arc::new(House::new(world, "audit_horizon").await);
        let done = Arc::new(AtomicBool::new(false));
        let naive = tokio::spawn(naive(house.clone(), done.clone()));
        let (sealing, stop) = (house.clone(), done.clone());
        let sealer = tokio::spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                sealing.work.round(Utc::now()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        let writers: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(write(house.clone(), writer))).collect();
        let mut committed = 0;
        for writer in writers {
            committed += writer.await.unwrap();
        }
        done.store(true, Ordering::SeqCst);
        sealer.await.unwrap();
        let naive = naive.await.unwrap();
        house.settle(Utc::now()).await;
        let (batches, sealed) = derive(&house).await;
        assert_eq!(sealed, committed);
        assert_eq!(house.number("select count(*) from enamel.audit_events").await as usize, committed);
        assert!(batches > 10, "{batches} batches prove little");
        assert!(naive.len() < committed, "the twin missed nothing, so this test could not fail");
    });
}

#[test]
fn two_sealers_make_one_chain() {
    world::with(async |world| {
        let house = Arc::new(House::new(world, "audit_twins").await);
        let other = Arc::new(house.second().await);
        let lost = Arc::new(AtomicUsize::new(0));
        let tenant = Uuid::now_v7();
        for _ in 0..20 {
            house.record(tenant, 10).await;
            let now = Utc::now();
            let (one, two) = tokio::join!(house.work.round(now), other.round(now));
            let beaten = usize::from(one.unwrap().lost) + usize::from(two.unwrap().lost);
            lost.fetch_add(beaten, Ordering::SeqCst);
        }
        house.settle(Utc::now()).await;
        assert_eq!(derive(&house).await.1, 200);
    });
}

#[test]
fn a_sealer_that_was_dead_catches_up() {
    world::with(async |world| {
        let house = House::new(world, "audit_catch_up").await;
        let (tenant, before) = (Uuid::now_v7(), Utc::now() - TimeDelta::hours(3));
        house.record(tenant, 5).await;
        house.settle(before).await;
        // More than one batch may hold.
        for _ in 0..34 {
            let events: Vec<_> = (0..1_000).map(|_| event(tenant)).collect();
            let client = &house.truth;
            let rows = audit_store::rows(&events).unwrap();
            client.batch_execute("set session authorization enamel_log").await.unwrap();
            client.execute("select sec.audit_append($1)", &[&rows]).await.unwrap();
            client.batch_execute("reset session authorization").await.unwrap();
        }
        let seals = house.number("select count(*) from enamel.audit_seals").await;
        let now = Utc::now();
        house.settle(now).await;
        assert!(house.number("select count(*) from enamel.audit_seals").await >= seals + 2);
        assert_eq!(derive(&house).await.1, 34_005);
        assert_eq!(house.number("select sum(event_count)::bigint from enamel.audit_digests").await, 5, "the hour before is closed");
    });
}

#[test]
fn a_new_epoch_begins_when_the_old_one_is_sealed_to_its_end() {
    world::with(async |world| {
        let mut house = House::new(world, "audit_epoch").await;
        let tenant = Uuid::now_v7();
        house.record(tenant, 3).await;
        house.settle(Utc::now()).await;
        house.record(tenant, 4).await;
        house.config.audit.epoch = 2;
        let restored = house.second().await;
        restored.round(Utc::now()).await.unwrap();
        house.record(tenant, 5).await;
        for _ in 0..100 {
            restored.round(Utc::now()).await.unwrap();
            if house.number("select sum(event_count)::bigint from enamel.audit_seals").await == 12 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let of = async |epoch: i32| {
            house.number(&format!("select sum(event_count)::bigint from enamel.audit_seals where epoch = {epoch}")).await
        };
        assert_eq!((of(1).await, of(2).await), (7, 5));
        let hour = chrono::DurationRound::duration_trunc(Utc::now(), TimeDelta::hours(1)).unwrap();
        let package = house.package(tenant, hour - TimeDelta::hours(1), hour + TimeDelta::hours(1)).await.unwrap();
        assert!(house.verify(&package).is_good());
    });
}
