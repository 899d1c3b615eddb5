//! What an owner of the database changes, an outsider with the package and the public keys finds.

use super::house::House;
use crate::world;
use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use enamel::kernel::audit::{Bad, Batch, Good, Hash, Seal, Signer, TreeHasher, Verdict};
use std::io::Read;
use uuid::Uuid;

struct Scene {
    house: House,
    ours: Uuid,
    other: Uuid,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

impl Scene {
    /// Two tenants over two days: two closed hours and an anchor, a third hour, and one that still runs.
    async fn new(world: &world::World, name: &str) -> Scene {
        let house = House::new(world, name).await;
        let (ours, other) = (Uuid::now_v7(), Uuid::now_v7());
        let from = (Utc::now() - Days::new(2)).date_naive().and_time(NaiveTime::MIN).and_utc();
        let minute = |minutes| from + TimeDelta::minutes(minutes);
        for at in [540, 541, 605, 24 * 60 + 30, 25 * 60 + 40, 25 * 60 + 41] {
            for tenant in [ours, other, ours, other, ours] {
                house.record(tenant, 2).await;
            }
            house.settle(minute(at)).await;
        }
        house
            .tamper(
                "create table kept_events as table audit_events; create table kept_seals as table audit_seals;
            create table kept_digests as table audit_digests; create table kept_anchors as table audit_anchors",
            )
            .await;
        Scene { house, ours, other, from, to: from + Days::new(2) }
    }

    async fn package(&self) -> Vec<u8> {
        self.house.package(self.ours, self.from, self.to).await.unwrap()
    }

    /// The verdict over a package made after this change, which is undone again.
    async fn after(&self, sql: &str) -> Bad {
        self.house.tamper(sql).await;
        let verdict = self.house.verify(&self.package().await);
        self.undo().await;
        match verdict {
            Verdict::Bad(bad) => bad,
            Verdict::Good(_) => panic!("unseen: {sql}"),
        }
    }

    async fn undo(&self) {
        for table in ["events", "seals", "digests", "anchors"] {
            self.house.tamper(&format!("delete from audit_{table}; insert into audit_{table} select * from kept_{table}")).await;
        }
    }

    /// The numbers of the first two batches that hold events of ours; a horizon held elsewhere makes batches in between.
    async fn batches(&self) -> [i64; 2] {
        let sql = "select distinct s.batch_no from enamel.audit_seals s join enamel.audit_events e
            on e.transaction_id >= s.from_transaction and e.transaction_id < s.to_transaction where e.tenant_id = $1 order by 1 limit 2";
        let rows = self.house.truth.query(sql, &[&self.ours]).await.unwrap();
        [rows[0].get(0), rows[1].get(0)]
    }

    async fn id(&self, sql: &str) -> Uuid {
        self.house.truth.query_one(sql, &[&self.ours]).await.unwrap().get(0)
    }
}

fn good(verdict: Verdict) -> Good {
    match verdict {
        Verdict::Good(good) => good,
        Verdict::Bad(bad) => panic!("{bad:?}"),
    }
}

#[test]
fn a_whole_log_is_proven_and_shows_nobody_else() {
    world::with(async |world| {
        let scene = Scene::new(world, "audit_whole").await;
        let package = scene.package().await;
        let proven = good(scene.house.verify(&package));
        assert_eq!((proven.events, proven.digests, proven.anchors, proven.anchored_events), (36, 4, 1, 18));
        let mut text = String::new();
        flate2::read::GzDecoder::new(&package[..]).read_to_string(&mut text).unwrap();
        assert!(text.contains(&scene.ours.to_string()) && !text.contains(&scene.other.to_string()));
        // A part of it begins where the chain stood, and the anchor may stand before its first digest.
        let part = scene.house.package(scene.ours, scene.from + TimeDelta::hours(11), scene.to).await.unwrap();
        let part = good(scene.house.verify(&part));
        assert_eq!((part.events, part.digests, part.anchors), (18, 2, 1));
        assert_eq!(part.head, proven.head);
        let nobody = scene.house.package(Uuid::now_v7(), scene.from, scene.to).await.unwrap();
        assert_eq!(good(scene.house.verify(&nobody)).events, 0);
    });
}

#[test]
fn what_an_owner_of_the_database_changes_is_named() {
    world::with(async |world| {
        let scene = Scene::new(world, "audit_tampering").await;
        let third = scene.id("select id from enamel.audit_events where tenant_id = $1 order by transaction_id, id offset 8 limit 1").await;
        let flipped = scene.after(&format!("update audit_events set outcome = 'DENIED' where id = '{third}'")).await;
        assert_eq!((flipped.reason.code, flipped.event_id), ("event.leaf", Some(third)));
        let metadata = scene.after(&format!("update audit_events set metadata = '{{\"count\": 4}}' where id = '{third}'")).await;
        assert_eq!((metadata.reason.code, metadata.event_id), ("event.leaf", Some(third)));

        let dropped = scene.after(&format!("delete from audit_events where id = '{third}'")).await;
        assert_eq!((dropped.reason.code, dropped.batch.is_some()), ("event.leaf", true));
        let [first, second] = scene.batches().await;
        let swap = format!(
            "update audit_seals set root_hash = (select root_hash from audit_seals where batch_no = {first}) where batch_no = {second}"
        );
        let swapped = scene.after(&swap).await;
        assert_eq!((swapped.reason.code, swapped.batch), ("seal.signature", Some((1, second))));
        let digest = scene.after("update audit_digests set root_hash = sha256('x') where digest_no = 2").await;
        assert_eq!((digest.reason.code, digest.digest_no), ("digest.root", Some(2)));
        let hole = scene.after("delete from audit_digests where digest_no = 1").await;
        assert_eq!(hole.reason.code, "digest.chain");
        let seal = scene.after(&format!("delete from audit_seals where batch_no = {second}")).await;
        assert!(["digest.count", "seal.chain"].contains(&seal.reason.code), "{}", seal.reason.code);

        // The tail of an anchored day, and with it every later trace of the tenant.
        let tail = format!("delete from audit_digests where tenant_id = '{0}' and digest_no > 1;
            delete from audit_events where tenant_id = '{0}' and transaction_id >= (select max(to_transaction) from audit_seals where sealed_at < '{1}')",
            scene.ours, scene.from + TimeDelta::minutes(600));
        assert_eq!(scene.after(&tail).await.reason.code, "anchor.head");

        let good = scene.house.verify(&scene.package().await);
        assert!(good.is_good(), "undone");
    });
}

#[test]
fn a_foreign_keys_seal_and_a_cut_running_hour_are_refused() {
    world::with(async |world| {
        let scene = Scene::new(world, "audit_foreign").await;
        let [first, _] = scene.batches().await;
        let row = scene
            .house
            .truth
            .query_one("select from_transaction, to_transaction, sealed_at from enamel.audit_seals where batch_no = $1", &[&first])
            .await
            .unwrap();
        let (from, to): (&str, &str) = (row.get(0), row.get(1));
        let leaves =
            "select leaf_hash from enamel.audit_events where transaction_id >= $1 and transaction_id < $2 order by transaction_id, id";
        let leaves = scene.house.truth.query(leaves, &[&from, &to]).await.unwrap();
        let leaves: TreeHasher = leaves.iter().map(|row| Hash::try_from(row.get::<_, &[u8]>(0)).unwrap()).collect();
        let (from_transaction, to_transaction) = (from[5..].parse().unwrap(), to[5..].parse().unwrap());
        let batch = Batch { epoch: 1, from_transaction, to_transaction, sealed_at: row.get(2) };
        let forged = Seal::next(None, batch, &leaves, &Signer::from_seed(&[99; 32]));
        let (key, signature) = (&forged.key_id, forged.signature);
        let foreign = scene
            .after(&format!("update audit_seals set key_id = '{key}', signature = decode('{signature}', 'hex') where batch_no = {first}"))
            .await;
        assert_eq!((foreign.reason.code, foreign.batch), ("seal.key", Some((1, first))));

        // In the hour that still runs no digest was made before; there the exporter itself refuses.
        scene
            .house
            .tamper(
                "delete from audit_events where transaction_id >= (select max(from_transaction) from audit_seals where event_count > 0)",
            )
            .await;
        assert!(scene.house.package(scene.ours, scene.from, scene.to).await.is_err());
        scene.undo().await;

        // What was changed before it was sealed is never sealed.
        scene.house.record(scene.ours, 1).await;
        scene
            .house
            .tamper("update audit_events set outcome = 'FAILED' where transaction_id >= (select max(to_transaction) from audit_seals)")
            .await;
        let mut refused = false;
        for _ in 0..100 {
            if let Err(failure) = scene.house.work.round(Utc::now()).await {
                refused = failure.to_string().contains("not the one that was recorded");
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert!(refused);
    });
}
