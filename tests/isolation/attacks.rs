//! The numbered attacks. Each runs against the naive twin, where it must succeed (or our test of it proves nothing), and
//! against our database, where it must not. Attackers hold any SQL of their plane, within one request.
mod channels;
mod identity;
mod rows;
mod scopes;
mod servers;
mod sessions;

use super::arena::{Arena, NORTH, Session, context};
use super::naive::Naive;
use crate::world::{self, World};
use enamel::kernel::context::{Context, Plane};

/// An attack as two texts: what the attacker says there and here.
pub struct Attack {
    pub number: &'static str,
    pub naive: &'static str,
    /// What it earns on the naive twin.
    pub earns: fn(&Result<Vec<String>, String>) -> bool,
    pub plane: Plane,
    pub ours: String,
    /// What it may answer here: an SQLSTATE, or rows by `=`.
    pub answer: &'static str,
}

pub fn rows(answer: &Result<Vec<String>, String>) -> bool {
    answer.as_ref().is_ok_and(|rows| !rows.is_empty() && rows[0] != "0" && rows[0] != "NULL")
}
pub fn accepted(answer: &Result<Vec<String>, String>) -> bool {
    answer.is_ok()
}

pub fn said(answer: &Result<Vec<String>, String>) -> String {
    match answer {
        Ok(rows) => format!("={}", rows.join(",")),
        Err(code) => code.clone(),
    }
}

/// Runs them all; every failure is named.
pub fn run(attacks: fn() -> Vec<Attack>) {
    run_as(|plane| context(plane, NORTH), attacks);
}

/// The same, by other callers.
pub fn run_as(caller: fn(Plane) -> Context, attacks: fn() -> Vec<Attack>) {
    world::with(async move |world: &'static World| {
        let (arena, naive) = (Arena::shared(world).await, Naive::get(world).await);
        let mut wrong = Vec::new();
        for attack in attacks() {
            let there = naive.ask(attack.naive).await;
            if !(attack.earns)(&there) {
                wrong.push(format!("attack {} does not succeed on the naive twin: {there:?}", attack.number));
            }
            let session: Session = arena.plane(attack.plane).await;
            let here = said(&session.ask(&caller(attack.plane), &attack.ours).await);
            if here != attack.answer {
                wrong.push(format!("attack {} on {}: {here}, expected {}", attack.number, attack.plane.word(), attack.answer));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

/// An attack by staff.
pub fn staff(
    number: &'static str,
    naive: &'static str,
    earns: fn(&Result<Vec<String>, String>) -> bool,
    ours: String,
    answer: &'static str,
) -> Attack {
    Attack { number, naive, earns, plane: Plane::Staff, ours, answer }
}
