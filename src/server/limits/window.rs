//! What one subject has spent in the last minute, on this server and on the others.
//!
//! Time is cut into slots of two seconds, by the clock that all servers share. A slot counts wholly as long as any of it is
//! less than a minute old: so no minute, wherever it begins, sees more than the limit, and what was spent comes back after
//! 62 seconds at the latest. A token bucket would let twice the limit through in its first minute, forgets at a restart, and
//! two of them can be added only by their difference; slots of several servers are just added.

/// The time a limit is about.
pub const WINDOW_S: u64 = 60;
const SLOT_S: u64 = 2;
const SLOTS: usize = (WINDOW_S / SLOT_S) as usize + 1;
/// Of its part of a limit, what a server may spend before the others have heard of it.
const UNSAID_PART: u32 = 10;

/// The slot of a second.
pub fn slot(second: u64) -> u64 {
    second / SLOT_S
}

/// The oldest slot that counts at that second.
pub fn oldest(second: u64) -> u64 {
    (slot(second) + 1).saturating_sub(SLOTS as u64)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub left: u32,
    /// Seconds until some of what was spent comes back.
    pub reset_s: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It would pass after so many seconds, if nothing else were spent.
    Spent { wait_s: u64 },
    /// The others must hear first of what was spent here.
    Unsaid,
}

#[derive(Debug, Clone)]
pub struct Window {
    newest: u64,
    own: [u32; SLOTS],
    others: [u32; SLOTS],
    /// Spent here, and not yet told to the others; and the oldest slot of it.
    unsaid: u32,
    unsaid_from: Option<u64>,
}

/// What a server tells the others of one subject: its own counts of these slots, whole.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    pub slots: Vec<(u64, u32)>,
    units: u32,
    from: u64,
}

impl Window {
    pub fn new(second: u64) -> Window {
        Window { newest: slot(second), own: [0; SLOTS], others: [0; SLOTS], unsaid: 0, unsaid_from: None }
    }

    fn at(slot: u64) -> usize {
        (slot % SLOTS as u64) as usize
    }

    /// Slots that are over are forgotten. A clock that goes back changes nothing.
    fn advance(&mut self, second: u64) {
        let now = slot(second);
        for over in (self.newest + 1..=now).rev().take(SLOTS) {
            (self.own[Self::at(over)], self.others[Self::at(over)]) = (0, 0);
        }
        self.newest = self.newest.max(now);
    }

    /// The slots that count, oldest first, with what was spent in each.
    fn slots(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        let first = (self.newest + 1).saturating_sub(SLOTS as u64);
        (first..=self.newest).map(|slot| (slot, self.own[Self::at(slot)].saturating_add(self.others[Self::at(slot)])))
    }

    fn used(&self) -> u32 {
        self.slots().fold(0, |sum, (_, spent)| sum.saturating_add(spent))
    }

    /// Whether nothing is left to remember.
    pub fn is_idle(&self, second: u64) -> bool {
        slot(second) >= self.newest + SLOTS as u64
    }
    pub fn newest(&self) -> u64 {
        self.newest
    }

    pub fn standing(&mut self, second: u64, limit: u32) -> Standing {
        self.advance(second);
        let oldest = self.slots().find(|(_, spent)| *spent > 0).map_or(self.newest, |(slot, _)| slot);
        Standing { left: limit.saturating_sub(self.used()), reset_s: Self::gone(oldest).saturating_sub(second).max(1) }
    }

    /// The second at which a slot counts no more.
    fn gone(slot: u64) -> u64 {
        (slot + SLOTS as u64) * SLOT_S
    }

    /// Spends. What costs more than the whole limit takes the whole. `peers`: other servers, who must not hear too late.
    pub fn take(&mut self, second: u64, limit: u32, cost: u32, peers: u32) -> Result<(), Refused> {
        self.advance(second);
        let (cost, used) = (cost.min(limit), self.used());
        if used.saturating_add(cost) > limit {
            return Err(Refused::Spent { wait_s: self.wait(second, limit, cost, used) });
        }
        if peers > 0 && self.unsaid > 0 && self.unsaid.saturating_add(cost) > Self::unsaid_max(limit, peers) {
            return Err(Refused::Unsaid);
        }
        let here = &mut self.own[Self::at(self.newest)];
        *here = here.saturating_add(cost);
        self.unsaid = self.unsaid.saturating_add(cost);
        self.unsaid_from.get_or_insert(self.newest);
        Ok(())
    }

    fn unsaid_max(limit: u32, peers: u32) -> u32 {
        limit / UNSAID_PART / (peers + 1)
    }
    /// Time to tell the others, so that nobody has to wait for it.
    pub fn should_say(&self, limit: u32, peers: u32) -> bool {
        peers > 0 && self.unsaid > Self::unsaid_max(limit, peers) / 2
    }

    fn wait(&self, second: u64, limit: u32, cost: u32, used: u32) -> u64 {
        let mut left = used;
        for (slot, spent) in self.slots() {
            left = left.saturating_sub(spent);
            if left.saturating_add(cost) <= limit {
                return Self::gone(slot).saturating_sub(second).max(1);
            }
        }
        WINDOW_S
    }

    /// Takes back what was spent in this second for a request that another limit refused.
    pub fn give_back(&mut self, limit: u32, cost: u32) {
        let cost = cost.min(limit);
        let here = &mut self.own[Self::at(self.newest)];
        *here = here.saturating_sub(cost);
        self.unsaid = self.unsaid.saturating_sub(cost);
        self.unsaid_from.get_or_insert(self.newest);
    }

    /// What the others do not know yet, to be told; [`Self::said`] or [`Self::unheard`] ends it.
    pub fn say(&mut self, second: u64) -> Option<Said> {
        self.advance(second);
        let from = self.unsaid_from.take()?.max((self.newest + 1).saturating_sub(SLOTS as u64));
        let slots = (from..=self.newest).map(|slot| (slot, self.own[Self::at(slot)])).collect();
        Some(Said { slots, units: self.unsaid, from })
    }
    pub fn said(&mut self, said: &Said) {
        self.unsaid = self.unsaid.saturating_sub(said.units);
    }
    pub fn unheard(&mut self, said: &Said) {
        self.unsaid_from = Some(self.unsaid_from.unwrap_or(said.from).min(said.from));
    }

    /// What all others have spent, whole.
    pub fn hear(&mut self, second: u64, spent: impl Iterator<Item = (u64, u32)>) {
        self.advance(second);
        self.others = [0; SLOTS];
        let first = (self.newest + 1).saturating_sub(SLOTS as u64);
        for (slot, units) in spent.filter(|(slot, _)| *slot >= first) {
            // A server whose clock is ahead speaks of the newest slot.
            let there = &mut self.others[Self::at(slot.min(self.newest))];
            *there = there.saturating_add(units);
        }
    }
}
