//! The window against a model that remembers every request.

use super::window::{Refused, WINDOW_S, Window, slot};
use proptest::prelude::*;

/// What was let through: second and units.
type Log = Vec<(u64, u32)>;

fn spent(log: &Log, from: u64, until: u64) -> u32 {
    log.iter().filter(|(at, _)| (from..=until).contains(at)).map(|(_, units)| units).sum()
}

fn worst_minute(log: &Log) -> u32 {
    log.iter().map(|(at, _)| spent(log, *at, at + WINDOW_S - 1)).max().unwrap_or_default()
}

/// Steps of time, and what is asked then.
fn requests() -> impl Strategy<Value = Vec<(u64, u32)>> {
    proptest::collection::vec((prop_oneof![4 => Just(0u64), 4 => 0..4u64, 1 => 10..90u64], 1..30u32), 1..200)
}

proptest! {
    #[test]
    fn no_minute_sees_more_than_the_limit_and_nobody_waits_for_nothing(limit in 1..200u32, requests in requests()) {
        let (mut now, mut log, mut window) = (1_000u64, Log::new(), Window::new(1_000));
        for (later, cost) in requests {
            now += later;
            let cost = cost.min(limit);
            // What is at most 62 seconds old, to the slot.
            let model = counted(&log, now);
            match window.take(now, limit, cost, 0) {
                Ok(()) => {
                    prop_assert!(model + cost <= limit);
                    log.push((now, cost));
                }
                Err(Refused::Spent { wait_s }) => {
                    prop_assert!(model + cost > limit);
                    prop_assert!((1..=WINDOW_S + 2).contains(&wait_s));
                    prop_assert!(window.clone().take(now + wait_s, limit, cost, 0).is_ok(), "as long as was said");
                    prop_assert!(window.clone().take(now + wait_s - 1, limit, cost, 0).is_err(), "and no longer");
                }
                Err(Refused::Unsaid) => prop_assert!(false, "alone"),
            }
            prop_assert_eq!(window.standing(now, limit).left, limit - counted(&log, now));
        }
        prop_assert!(worst_minute(&log) <= limit);
    }

    /// Two servers that hear of each other whenever it pleases: together they stay within a tenth of the limit, and one
    /// request for each, for the first is never kept waiting.
    #[test]
    fn two_servers_keep_one_limit(limit in 20..400u32, steps in proptest::collection::vec((0..3u64, 0..2usize, 1..4u32, any::<bool>()), 1..400)) {
        let (mut now, mut log) = (1_000u64, Log::new());
        let mut servers = [Window::new(now), Window::new(now)];
        let mut told: [Vec<(u64, u32)>; 2] = [Vec::new(), Vec::new()];
        for (later, which, cost, exchange) in steps {
            now += later;
            match servers[which].take(now, limit, cost, 1) {
                Ok(()) => log.push((now, cost)),
                Err(Refused::Unsaid) => {
                    exchange_of(&mut servers, &mut told, which, now);
                    if servers[which].take(now, limit, cost, 1).is_ok() {
                        log.push((now, cost));
                    }
                }
                Err(Refused::Spent { .. }) => {}
            }
            if exchange {
                exchange_of(&mut servers, &mut told, which, now);
            }
        }
        prop_assert!(worst_minute(&log) <= limit + limit / 10 + 2 * 3, "{} of {limit}", worst_minute(&log));
    }
}

fn counted(log: &Log, now: u64) -> u32 {
    log.iter().filter(|(at, _)| slot(*at) + WINDOW_S / 2 >= slot(now)).map(|(_, units)| units).sum()
}

/// One server tells, and hears what the other has told.
fn exchange_of(servers: &mut [Window; 2], told: &mut [Vec<(u64, u32)>; 2], which: usize, now: u64) {
    if let Some(said) = servers[which].say(now) {
        for (slot, units) in &said.slots {
            told[which].retain(|(other, _)| other != slot);
            told[which].push((*slot, *units));
        }
        servers[which].said(&said);
    }
    let others = told[1 - which].clone();
    servers[which].hear(now, others.into_iter());
}

#[test]
fn what_could_not_be_told_is_told_again_and_counts_until_then() {
    let mut window = Window::new(100);
    window.take(100, 100, 5, 1).unwrap();
    assert_eq!(window.take(100, 100, 1, 1), Err(Refused::Unsaid));
    let lost = window.say(100).unwrap();
    window.unheard(&lost);
    assert_eq!(window.take(103, 100, 1, 1), Err(Refused::Unsaid));
    let said = window.say(103).unwrap();
    assert_eq!(said.slots, [(50, 5), (51, 0)]);
    window.said(&said);
    assert_eq!((window.say(103), window.take(103, 100, 1, 1)), (None, Ok(())));
}

#[test]
fn what_was_given_back_was_never_spent() {
    let mut window = Window::new(100);
    window.take(100, 10, 7, 0).unwrap();
    window.give_back(10, 7);
    assert_eq!(window.standing(100, 10).left, 10);
    window.take(100, 10, 900, 0).unwrap();
    assert_eq!(window.standing(100, 10).left, 0, "more than the whole is the whole");
}
