//! State machines of records. The database holds the same moves (`kernel.moves` in the policies; a test compares).

use std::collections::VecDeque;

/// A state machine of one column: which moves exist. Operations make them; PATCH makes those marked so.
#[derive(Debug)]
pub struct Machine {
    pub column: &'static str,
    pub initial: &'static [&'static str],
    pub moves: &'static [Move],
}

#[derive(Debug)]
pub struct Move {
    pub from: &'static str,
    pub to: &'static str,
    /// The operation that makes it; `update` is a plain PATCH, `system` a job or trigger.
    pub by: &'static str,
}

impl Machine {
    pub fn allowed(&self, from: &str, by: &str) -> Vec<&'static str> {
        self.moves.iter().filter(|step| step.from == from && step.by == by).map(|step| step.to).collect()
    }
    /// The fewest moves from one state to another, whatever operation makes each; None: there is no way.
    pub fn way(&self, from: &str, to: &str) -> Option<Vec<&'static Move>> {
        let mut ways: VecDeque<(&str, Vec<&'static Move>)> = VecDeque::from([(from, Vec::new())]);
        let mut seen = vec![from];
        while let Some((state, way)) = ways.pop_front() {
            if state == to {
                return Some(way);
            }
            for step in self.moves.iter().filter(|step| step.from == state) {
                if !seen.contains(&step.to) {
                    seen.push(step.to);
                    ways.push_back((step.to, way.iter().copied().chain([step]).collect()));
                }
            }
        }
        None
    }
    /// The first state of a new row that is to end in `to`, and its way from there.
    pub fn arrival(&self, to: &str) -> Option<(&'static str, Vec<&'static Move>)> {
        let ways = self.initial.iter().filter_map(|from| Some((*from, self.way(from, to)?)));
        ways.min_by_key(|(_, way)| way.len())
    }
    /// Every state that can be reached from here, for the refusal's text.
    pub fn onward(&self, from: &str) -> Vec<&'static str> {
        let mut states: Vec<_> = self.moves.iter().filter(|step| step.from == from).map(|step| step.to).collect();
        states.dedup();
        states
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static MACHINE: Machine = Machine {
        column: "status",
        initial: &["A", "B"],
        moves: &[
            Move { from: "A", to: "C", by: "go" },
            Move { from: "B", to: "D", by: "go" },
            Move { from: "C", to: "D", by: "stop" },
            Move { from: "D", to: "A", by: "back" },
        ],
    };

    #[test]
    fn the_shortest_way_is_found_and_rings_end() {
        let way = |from: &str, to: &str| MACHINE.way(from, to).map(|way| way.iter().map(|step| step.to).collect::<Vec<_>>());
        assert_eq!(way("A", "D"), Some(vec!["C", "D"]));
        assert_eq!(way("D", "D"), Some(vec![]));
        assert_eq!(way("A", "B"), None);
        assert_eq!(MACHINE.arrival("D").map(|(from, way)| (from, way.len())), Some(("B", 1)));
        assert_eq!(MACHINE.arrival("Z").map(|(from, _)| from), None);
    }
}
