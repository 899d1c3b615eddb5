//! Anchors are kept outside the database too, and a database that says something else is found out.

use super::house::House;
use crate::world;
use chrono::{DateTime, Days, TimeZone, Utc};
use enamel::governance::anchor_copies::{keep, key};
use uuid::Uuid;

/// Days nobody else's anchors have: the object store is the world's.
fn at(day: u32, hour: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2001, 5, day, hour, 30, 0).unwrap()
}

#[test]
fn anchors_are_copied_once_and_a_rewritten_one_raises_the_alarm() {
    world::with(async |world| {
        let house = House::new(world, "anchor_copies").await;
        let tenant = Uuid::now_v7();
        assert_eq!(keep(&house.kernel).await.unwrap(), 0, "nothing to copy yet");
        for day in 1..=4 {
            house.record(tenant, 2).await;
            house.settle(at(day, 9)).await;
            house.settle(at(day, 11)).await;
        }
        let anchored = house.number("select count(*) from enamel.audit_anchors").await;
        assert_eq!(anchored, 3);
        // The store was away when the second and third were made.
        let store = &house.kernel.storage;
        assert_eq!(keep(&house.kernel).await.unwrap(), 3);
        let day = |number: u64| at(1, 0).date_naive() + Days::new(number);
        for number in [1, 2] {
            store.delete(&key(day(number))).await.unwrap();
        }
        assert_eq!(keep(&house.kernel).await.unwrap(), 2, "a later round makes up for it");
        assert_eq!(keep(&house.kernel).await.unwrap(), 0);

        let row = house
            .truth
            .query_one("select key_id, encode(signature, 'hex') from enamel.audit_anchors where anchor_date = $1", &[&day(2)])
            .await
            .unwrap();
        let copy: serde_json::Value = serde_json::from_slice(&store.read_prefix(&key(day(2)), 4_096).await.unwrap()).unwrap();
        assert_eq!((copy["key_id"].as_str(), copy["signature"].as_str()), (Some(row.get(0)), Some(row.get(1))));
        assert_eq!(copy["anchor_date"], "2001-05-03");

        house.tamper("update audit_anchors set heads_root = digest_root where anchor_date = '2001-05-03'").await;
        let alarm = keep(&house.kernel).await.unwrap_err();
        assert!(alarm.to_string().contains("the copy of the anchor of 2001-05-03"), "{alarm}");
        assert_eq!(store.read_prefix(&key(day(2)), 4_096).await.unwrap(), copy.to_string(), "the copy stays as it was");
    });
}
