//! Consecutive creates of a batch that can be stored in one pipeline. Every other step, and every refusal that is seen
//! before a row is sent, is left to its turn alone.

use super::batch::creating;
use super::batch_step::{Names, Step, Target, read};
use crate::kernel::Caller;
use crate::kernel::table::{Draft, Table, Verb, store};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

/// Steps of one run.
pub const MOST: usize = 250;

#[derive(Default)]
pub struct Run {
    pub drafts: Vec<(&'static Table, Draft)>,
    /// What the steps call their rows.
    pub names: Vec<Option<String>>,
}

impl Run {
    pub fn of(caller: &Caller, steps: &[Map<String, Json>], from: usize, most: usize, names: &Names) -> Run {
        let (mut run, mut names) = (Run::default(), names.clone());
        for step in steps.iter().skip(from).take(most) {
            let Some((table, mut draft, name)) = plain(caller, step, &names) else { break };
            if let Some(name) = &name {
                // A later step of the run may say it.
                names.insert(name.clone(), *draft.id.get_or_insert_with(Uuid::now_v7));
            }
            run.drafts.push((table, draft));
            run.names.push(name);
        }
        run
    }
    pub fn len(&self) -> usize {
        self.drafts.len()
    }
}

fn plain(caller: &Caller, step: &Map<String, Json>, names: &Names) -> Option<(&'static Table, Draft, Option<String>)> {
    let Step { target: Target::Record(table, Verb::Create, None), body, name, .. } = read(step, names).ok()? else { return None };
    let draft = creating(caller, table, &body).ok()?;
    store::is_plain(&draft).then_some((table, draft, name))
}
