//! State machines of records. The database holds the same moves (`kernel.moves` in the policies; a test compares).

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
    /// Every state that can be reached from here, for the refusal's text.
    pub fn onward(&self, from: &str) -> Vec<&'static str> {
        let mut states: Vec<_> = self.moves.iter().filter(|step| step.from == from).map(|step| step.to).collect();
        states.dedup();
        states
    }
}
