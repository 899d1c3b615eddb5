//! Places that many want and few have: connections of a pool, cores that hash. Whoever waits gets the next free place by
//! turns of those who want one, so one with a thousand requests waits behind its own, and another with a single one does not.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// How much there is. What is said of `each` holds for those who are told apart; nobody in particular has all of it.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub places: usize,
    pub each_max: usize,
    pub waiting_max: usize,
    pub each_waiting_max: usize,
}

impl Size {
    /// Each may hold that part of the places, one at least, and all may wait.
    pub fn shared(places: usize, percent: u32) -> Size {
        let each_max = (places * percent.min(100) as usize / 100).max(1);
        Size { places, each_max, waiting_max: usize::MAX, each_waiting_max: usize::MAX }
    }
}

/// As many wait as may.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

pub struct Fair<K: Eq + Hash + Clone>(Arc<Mutex<State<K>>>);

impl<K: Eq + Hash + Clone> Clone for Fair<K> {
    fn clone(&self) -> Fair<K> {
        Fair(self.0.clone())
    }
}

struct State<K: Eq + Hash + Clone> {
    size: Size,
    free: usize,
    held: HashMap<Option<K>, usize>,
    waiting: HashMap<Option<K>, VecDeque<(u64, oneshot::Sender<Place<K>>)>>,
    /// Who waits, each once, the next turn first.
    turns: VecDeque<Option<K>>,
    queued: usize,
    next: u64,
}

/// A place that is held; dropping it hands it on.
pub struct Place<K: Eq + Hash + Clone> {
    fair: Fair<K>,
    who: Option<K>,
}

impl<K: Eq + Hash + Clone> Drop for Place<K> {
    fn drop(&mut self) {
        let mut state = self.fair.lock();
        state.free += 1;
        if let Some(held) = state.held.get_mut(&self.who) {
            *held -= 1;
            if *held == 0 {
                state.held.remove(&self.who);
            }
        }
        drop(state);
        self.fair.hand_on();
    }
}

impl<K: Eq + Hash + Clone> Fair<K> {
    pub fn new(size: Size) -> Fair<K> {
        let (held, waiting, turns) = (HashMap::new(), HashMap::new(), VecDeque::new());
        Fair(Arc::new(Mutex::new(State { size, free: size.places, held, waiting, turns, queued: 0, next: 0 })))
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place, at once or when it is one's turn. A caller who stops waiting leaves the queue.
    pub async fn place(&self, who: Option<K>) -> Result<Place<K>, Full> {
        let mut waiting = match self.ask(who)? {
            Asked::Given(place) => return Ok(place),
            Asked::Waits(waiting) => waiting,
        };
        // The sender lives in the queue, which lives as long as this end.
        (&mut waiting.given).await.map_err(|_| Full)
    }

    fn ask(&self, who: Option<K>) -> Result<Asked<K>, Full> {
        let mut state = self.lock();
        // Whoever waits while places are free holds all it may; nobody is overtaken.
        if state.free > 0 && state.may_hold(&who) {
            state.take(&who);
            return Ok(Asked::Given(Place { fair: self.clone(), who }));
        }
        let own = state.waiting.get(&who).map_or(0, VecDeque::len);
        if state.queued >= state.size.waiting_max || who.is_some() && own >= state.size.each_waiting_max {
            return Err(Full);
        }
        let (hand, given) = oneshot::channel();
        let id = state.next;
        (state.next, state.queued) = (id + 1, state.queued + 1);
        if own == 0 {
            state.turns.push_back(who.clone());
        }
        state.waiting.entry(who.clone()).or_default().push_back((id, hand));
        Ok(Asked::Waits(Waiting { fair: self.clone(), who, id, given }))
    }

    /// Free places to those whose turn it is. Nothing is sent under the lock: a place that nobody takes comes back by its drop.
    fn hand_on(&self) {
        loop {
            let next = self.lock().next_turn();
            let Some((who, hand)) = next else { return };
            drop(hand.send(Place { fair: self.clone(), who }));
        }
    }

    #[cfg(test)]
    fn stand(&self) -> (usize, usize) {
        let state = self.lock();
        (state.free, state.queued)
    }
}

impl<K: Eq + Hash + Clone> State<K> {
    fn may_hold(&self, who: &Option<K>) -> bool {
        who.is_none() || self.held.get(who).copied().unwrap_or_default() < self.size.each_max
    }
    fn take(&mut self, who: &Option<K>) {
        self.free -= 1;
        *self.held.entry(who.clone()).or_default() += 1;
    }

    fn next_turn(&mut self) -> Option<(Option<K>, oneshot::Sender<Place<K>>)> {
        if self.free == 0 {
            return None;
        }
        let at = self.turns.iter().position(|who| self.may_hold(who))?;
        let who = self.turns.remove(at)?;
        let queue = self.waiting.get_mut(&who)?;
        let (_, hand) = queue.pop_front()?;
        match queue.is_empty() {
            true => drop(self.waiting.remove(&who)),
            false => self.turns.push_back(who.clone()),
        }
        self.queued -= 1;
        self.take(&who);
        Some((who, hand))
    }

    fn leave(&mut self, who: &Option<K>, id: u64) {
        let Some(queue) = self.waiting.get_mut(who) else { return };
        let before = queue.len();
        queue.retain(|(other, _)| *other != id);
        self.queued -= before - queue.len();
        if queue.is_empty() {
            self.waiting.remove(who);
            self.turns.retain(|other| other != who);
        }
    }
}

enum Asked<K: Eq + Hash + Clone> {
    Given(Place<K>),
    Waits(Waiting<K>),
}

struct Waiting<K: Eq + Hash + Clone> {
    fair: Fair<K>,
    who: Option<K>,
    id: u64,
    given: oneshot::Receiver<Place<K>>,
}

impl<K: Eq + Hash + Clone> Drop for Waiting<K> {
    fn drop(&mut self) {
        self.fair.lock().leave(&self.who, self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn fair(places: usize, each_max: usize) -> Fair<u8> {
        Fair::new(Size { places, each_max, waiting_max: 10, each_waiting_max: 5 })
    }

    #[test]
    fn whoever_holds_its_share_waits_while_others_pass() {
        let fair = fair(4, 3);
        let greedy: Vec<_> = (0..3).map(|_| fair.place(Some(1)).now_or_never().unwrap().unwrap()).collect();
        let mut fourth = Box::pin(fair.place(Some(1)));
        assert!(fourth.as_mut().now_or_never().is_none());
        let other = fair.place(Some(2)).now_or_never().unwrap().unwrap();
        assert!(fair.place(Some(2)).now_or_never().is_none(), "no place is free");
        drop(other);
        assert!(fourth.as_mut().now_or_never().is_none(), "the place that came free is none of the greedy one's");
        drop(greedy);
        assert!(fourth.now_or_never().is_some());
        assert_eq!(fair.stand(), (4, 0));
    }

    #[test]
    fn turns_go_round_those_who_wait() {
        let fair = fair(1, 1);
        let first = fair.place(Some(1)).now_or_never().unwrap().unwrap();
        let mut greedy: Vec<_> = (0..4).map(|_| Box::pin(fair.place(Some(1)))).collect();
        greedy.iter_mut().for_each(|waits| assert!(waits.as_mut().now_or_never().is_none()));
        let mut single = Box::pin(fair.place(Some(2)));
        assert!(single.as_mut().now_or_never().is_none());
        drop(first);
        assert!(single.as_mut().now_or_never().is_none());
        let one = greedy.remove(0).now_or_never().unwrap().unwrap();
        drop(one);
        assert!(single.as_mut().now_or_never().is_some(), "three of the greedy one's came before it and wait");
    }

    #[test]
    fn who_leaves_is_forgotten_and_who_is_too_many_hears_it_at_once() {
        let fair = fair(1, 1);
        let place = fair.place(Some(1)).now_or_never().unwrap().unwrap();
        let mut waits: Vec<_> = (0..5).map(|_| Box::pin(fair.place(Some(1)))).collect();
        waits.iter_mut().for_each(|waits| assert!(waits.as_mut().now_or_never().is_none()));
        assert_eq!(fair.place(Some(1)).now_or_never().unwrap().err(), Some(Full));
        assert!(Box::pin(fair.place(Some(2))).now_or_never().is_none(), "room for others is left");
        waits.truncate(1);
        assert_eq!(fair.stand(), (0, 1));
        // It was handed the place and leaves without taking it.
        drop(place);
        assert_eq!(fair.stand(), (0, 0));
        drop(waits);
        assert_eq!(fair.stand(), (1, 0));
    }

    #[test]
    fn nobody_in_particular_may_have_all() {
        let fair = fair(3, 1);
        let all: Vec<_> = (0..3).map(|_| fair.place(None).now_or_never().unwrap().unwrap()).collect();
        assert_eq!(fair.stand(), (0, 0));
        drop(all);
        assert_eq!(fair.stand(), (3, 0));
    }
}
