//! P1, P2, P3, P5: kill -9 at any moment loses nothing that was acknowledged and does nothing twice.

use super::Dice;
use super::book::Book;
use super::ground::{Ground, superuser};
use super::load::Load;
use super::people::Staff;
use super::process::{Process, command, family, free_ports, postmaster, signal_all};
use crate::world;
use nix::sys::signal::Signal;
use serde_json::Value as Json;
use std::path::Path;
use std::time::{Duration, Instant};
use uuid::Uuid;

const ROUNDS: usize = 100;
/// Of the whole house, PostgreSQL included; each start recovers from a crash.
const HOUSE_ROUNDS: usize = 5;

#[test]
fn a_server_killed_a_hundred_times_keeps_its_word() {
    world::runtime().block_on(async {
        let seed = Dice::seed();
        println!("seed {seed}");
        let began = Instant::now();
        let house = Ground::get().await.house("killed").await;
        let staff = house.staff().await;
        let mut dice = Dice::new(seed);
        let load = Load::start(&staff, 4, seed);
        let mut slowest = Duration::ZERO;
        for _ in 0..ROUNDS {
            let starting = Instant::now();
            let mut server = house.serve().await;
            slowest = slowest.max(starting.elapsed());
            // At any moment, and on a slow machine too not before it has done something worth losing.
            load.is_answered(dice.below(12), Duration::from_secs(20)).await;
            tokio::time::sleep(Duration::from_millis(dice.below(120))).await;
            server.kill_9().await;
        }
        let last = house.serve().await;
        let told = load.end().await;
        println!(
            "{ROUNDS} kills in {:.1} s (slowest start {slowest:?}): {} creates, {} changes, {} reads and {} lists acknowledged, {} answers lost",
            began.elapsed().as_secs_f32(), told.made.len(), told.changed.len(), told.read.len(), told.listed.len(), told.lost
        );
        assert!(told.made.len() > ROUNDS / 2 && told.changed.len() > ROUNDS / 4 && told.lost > ROUNDS / 2, "the load was no load; seed {seed}");
        Book::of(&house.truth().await, staff.tenant).await.holds(&told);
        drop(last);
    });
}

#[test]
fn a_house_killed_with_its_postgresql_keeps_its_word() {
    world::runtime().block_on(async {
        let seed = Dice::seed();
        println!("seed {seed}");
        let (dir, port) = (world::scratch("killed-house"), free_ports(4));
        let probe = format!("http://127.0.0.1:{}/livez", port + 1);
        let up = || {
            Process::start(command(["up", "--plain", "--data-dir", dir.to_str().unwrap(), "--port", &port.to_string()]), &dir.join("said"))
        };
        let mut house = up();
        // It answers before its demo world is whole, and says so after.
        house.says("Ctrl-C stops everything", Duration::from_secs(60)).await;
        let staff = newcomer(&dir, port).await;
        let mut dice = Dice::new(seed);
        let load = Load::start(&staff, 3, seed);
        for _ in 0..HOUSE_ROUNDS {
            load.is_answered(dice.below(24), Duration::from_secs(20)).await;
            tokio::time::sleep(Duration::from_millis(dice.below(300))).await;
            let servers = family(postmaster(&dir).unwrap());
            // In either order, and the server first sees its database die or dies before it.
            if dice.below(2) == 0 {
                signal_all(&servers, Signal::SIGKILL);
                house.kill_9().await;
            } else {
                house.kill_9().await;
                signal_all(&servers, Signal::SIGKILL);
            }
            house = up();
            house.answers(&probe, Duration::from_secs(60)).await;
        }
        let told = load.end().await;
        println!(
            "{HOUSE_ROUNDS} kills: {} creates, {} changes, {} reads acknowledged, {} answers lost",
            told.made.len(),
            told.changed.len(),
            told.read.len(),
            told.lost
        );
        assert!(told.made.len() > 2 && told.lost > HOUSE_ROUNDS, "the load was no load; seed {seed}");
        Book::of(&superuser(&dir).await, staff.tenant).await.holds(&told);
        house.signal(Signal::SIGTERM);
        assert!(house.ended(Duration::from_secs(30)).await.status.success());
    });
}

/// A new tenant of the running house, with its administrator.
async fn newcomer(dir: &Path, port: u16) -> Staff {
    let described: Json = serde_json::from_slice(&std::fs::read(dir.join("dev.json")).unwrap()).unwrap();
    let north = described["tenants"].as_array().unwrap().iter().find(|tenant| tenant["slug"] == "bright-north").unwrap();
    let known: Uuid = north["id"].as_str().unwrap().parse().unwrap();
    let truth = superuser(dir).await;
    let there: i64 = truth.query_one("select count(*) from enamel.patients where tenant_id = $1", &[&known]).await.unwrap().get(0);
    assert!(there > 0, "the demo world is empty");
    Staff::new(&truth, &format!("http://127.0.0.1:{port}")).await
}
