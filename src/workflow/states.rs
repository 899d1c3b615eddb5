//! What a workflow's definition may say: states with their tasks, transitions between them (catalogue 15.13).
//!
//! `{"initial": "OPEN", "states": {"OPEN": {"tasks": [{"title": "Look"}]}, "DONE": {"final": true}},
//! "transitions": [{"name": "finish", "from": "OPEN", "to": "DONE", "permission": "review_ai", "when_tasks_done": true}]}`

use super::task::TASK;
use crate::kernel::context::Permission;
use crate::kernel::table::Ty;
use serde::Deserialize;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Definition {
    initial: String,
    states: BTreeMap<String, State>,
    transitions: Vec<Transition>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    #[serde(default)]
    tasks: Vec<Task>,
    #[serde(default, rename = "final")]
    is_final: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Task {
    title: String,
    kind: Option<String>,
    priority: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transition {
    name: String,
    from: String,
    to: String,
    permission: Option<String>,
    #[serde(default)]
    when_tasks_done: bool,
}

const WORD_CHARACTERS_MAX: usize = 300;

/// What is wrong with a definition, told without its words.
pub fn faults(definition: &Json) -> Vec<&'static str> {
    let Ok(definition) = serde_json::from_value::<Definition>(definition.clone()) else {
        return vec![
            "It needs initial, states (tasks, final) and transitions (name, from, to, permission, when_tasks_done), and nothing else.",
        ];
    };
    let mut faults = Vec::new();
    let known = |state: &str| definition.states.contains_key(state);
    if !known(&definition.initial) {
        faults.push("The initial state is none of the states.");
    }
    if definition.transitions.iter().any(|step| !known(&step.from) || !known(&step.to)) {
        faults.push("A transition goes from or to a state that does not exist.");
    }
    let mut names = BTreeSet::new();
    if !definition.transitions.iter().all(|step| names.insert((step.from.as_str(), step.name.as_str()))) {
        faults.push("Two transitions from one state have the same name.");
    }
    let is_final = |state: &str| definition.states.get(state).is_some_and(|state| state.is_final);
    if definition.transitions.iter().any(|step| is_final(&step.from)) {
        faults.push("A final state has no way on.");
    }
    let ways_on = |state: &str| definition.transitions.iter().filter(|step| step.from == state && step.when_tasks_done).count();
    if definition.states.keys().any(|state| ways_on(state) > 1) {
        faults.push("One transition at most follows when the tasks of a state are done.");
    }
    if definition.transitions.iter().filter_map(|step| step.permission.as_deref()).any(|word| Permission::parse(word).is_none()) {
        faults.push("A transition needs a permission that does not exist.");
    }
    if !definition.states.values().flat_map(|state| &state.tasks).all(Task::fits) {
        faults.push("A task needs a title, and a kind and priority that exist.");
    }
    let words = definition.states.keys().chain(definition.transitions.iter().map(|step| &step.name));
    if words.into_iter().any(|word| word.is_empty() || word.chars().count() > WORD_CHARACTERS_MAX) {
        faults.push("A name has 1 to 300 characters.");
    }
    let reached = definition.reached();
    if definition.states.keys().any(|state| !reached.contains(state.as_str())) {
        faults.push("A state cannot be reached.");
    }
    if !reached.iter().any(|state| is_final(state)) {
        faults.push("No final state can be reached.");
    }
    faults
}

impl Definition {
    fn reached(&self) -> BTreeSet<&str> {
        let mut reached = BTreeSet::from([self.initial.as_str()]);
        loop {
            let next: Vec<&str> =
                self.transitions.iter().filter(|step| reached.contains(step.from.as_str())).map(|step| step.to.as_str()).collect();
            let before = reached.len();
            reached.extend(next);
            if reached.len() == before {
                return reached;
            }
        }
    }
}

impl Task {
    fn fits(&self) -> bool {
        let one_of = |column: &str, word: &Option<String>| match (TASK.field(column).map(|field| field.ty), word) {
            (_, None) => true,
            (Some(Ty::Enum(words)), Some(word)) => words.contains(&word.as_str()),
            _ => false,
        };
        let title = self.title.chars().count();
        (1..=WORD_CHARACTERS_MAX).contains(&title) && one_of("kind", &self.kind) && one_of("priority", &self.priority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn whole() -> Json {
        json!({"initial": "A", "states": {"A": {"tasks": [{"title": "Look", "kind": "AI_REVIEW"}]}, "B": {"final": true}},
            "transitions": [{"name": "go", "from": "A", "to": "B", "permission": "review_ai", "when_tasks_done": true}]})
    }

    #[test]
    fn a_whole_definition_has_no_fault() {
        assert_eq!(faults(&whole()), Vec::<&str>::new());
    }

    #[test]
    fn each_fault_is_found() {
        let with = |pointer: &str, value: Json| {
            let mut changed = whole();
            *changed.pointer_mut(pointer).unwrap() = value;
            faults(&changed)
        };
        assert!(faults(&json!({"initial": "A", "timers": []}))[0].starts_with("It needs"));
        assert!(with("/initial", json!("X")).contains(&"The initial state is none of the states."));
        assert!(with("/transitions/0/to", json!("X")).contains(&"A transition goes from or to a state that does not exist."));
        assert!(with("/transitions/0/permission", json!("fly")).contains(&"A transition needs a permission that does not exist."));
        assert!(with("/states/A/tasks/0/kind", json!("FLY")).contains(&"A task needs a title, and a kind and priority that exist."));
        assert!(with("/transitions/0/to", json!("A")).contains(&"A state cannot be reached."));
        assert!(with("/states/B/final", json!(false)).contains(&"No final state can be reached."));
        assert!(with("/states/A", json!({"final": true})).contains(&"A final state has no way on."));
        let twice = json!([{"name": "go", "from": "A", "to": "B", "when_tasks_done": true}, {"name": "go", "from": "A", "to": "B", "when_tasks_done": true}]);
        assert_eq!(with("/transitions", twice).len(), 2);
    }
}
