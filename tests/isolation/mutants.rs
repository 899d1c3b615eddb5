//! Is the suite awake? Each policy is loosened in turn in a throw-away database; the matrix must change for each.
//! `make isolation-mutants` (ENAMEL_MUTANTS=all) tries every one, the normal run a sample.

use super::arena::Arena;
use super::lint;
use super::pool::Dice;
use super::probe::{self, Depth, Target};
use super::shape::conjuncts;
use crate::world;
use enamel::kernel::context::Plane;
use std::collections::HashMap;
use tokio_postgres::Client;

const SAMPLE: usize = 40;
/// The same sample for everybody who has the same tree; `ENAMEL_SEED` draws another.
const SEED: u64 = 1;

struct Mutant {
    table: String,
    policy: String,
    plane: Plane,
    /// What was done, for people.
    what: String,
    loosen: String,
    restore: String,
    /// The check of an UPDATE, whose columns no plane is granted; what is asked of a row beside its tenant; the share plane, which
    /// sees nothing before there are shares; and the two equal halves of a policy that asks for the plane alone: no statement
    /// can show the difference, the lint must.
    by_grants: bool,
}

/// Looser forms of an expression, each with what was left out.
fn looser(expression: &str) -> Vec<(String, String)> {
    let parts = conjuncts(expression);
    let mut out = vec![("true".to_owned(), "everything".to_owned())];
    if parts.len() == 1 {
        return out;
    }
    let pair = parts.iter().any(|part| part.contains("sec.pairs"));
    let without = |drop: &dyn Fn(&str) -> bool| parts.iter().filter(|part| !drop(part)).cloned().collect::<Vec<_>>().join(" AND ");
    for part in &parts {
        // The pair implies the tenant and the patient, which stand beside it for the index: dropping one alone is no change.
        if pair && (part.contains("sec.tenants") || part.contains("sec.patients")) {
            continue;
        }
        out.push((without(&|one| one == part), part.clone()));
    }
    if pair {
        let both = without(&|one| one.contains("sec.pairs") || one.contains("sec.patients"));
        out.push((if both.is_empty() { "true".into() } else { both }, "patient and pair".into()));
        out.push((without(&|one| one.contains("sec.pairs") || one.contains("sec.tenants")), "tenant and pair".into()));
    }
    out
}

async fn mutants(truth: &Client) -> Vec<Mutant> {
    let rows = truth
        .query(
            "select tablename::text, policyname::text, roles[1]::text, cmd, qual, with_check from pg_policies
        where schemaname = 'enamel' and roles[1]::text not in ('enamel_sec', 'enamel_sealer') order by 1, 2",
            &[],
        )
        .await
        .unwrap();
    let mut out = Vec::new();
    for row in rows {
        let (table, policy, role, cmd): (String, String, String, String) = (row.get(0), row.get(1), row.get(2), row.get(3));
        let plane = Plane::ALL.into_iter().find(|plane| role == format!("enamel_{}", plane.word())).unwrap();
        for (place, keyword) in [(4, "using"), (5, "with check")] {
            let Some(expression) = row.get::<_, Option<String>>(place) else { continue };
            for (loose, dropped) in looser(&expression) {
                // Nothing is shared yet, so a condition on the rows of a shared chart shows nowhere, not even in the lint.
                if plane == Plane::Share && !dropped.contains("sec.") {
                    continue;
                }
                let alter = |to: &str| format!("alter policy {policy} on enamel.{table} {keyword} ({to})");
                out.push(Mutant {
                    table: table.clone(),
                    policy: policy.clone(),
                    plane,
                    what: format!("{keyword} without {dropped}"),
                    loosen: alter(&loose),
                    restore: alter(&expression),
                    by_grants: cmd == "UPDATE" && keyword == "with check"
                        || plane == Plane::Share
                        || expression.contains("sec.actor(") && dropped.contains("pair")
                        // Of what is addressed to one person, the arena's people are told nothing elsewhere.
                        || expression.contains("user_id IS NULL") && dropped.contains("tenant_id")
                        || ["sec.known(", "sec.untold(", "user_id IS NULL"].iter().any(|asked| dropped.contains(asked))
                        || cmd == "UPDATE" && expression.contains("sec.everything"),
                });
            }
        }
    }
    out
}

fn chosen(all: Vec<Mutant>, seed: u64) -> Vec<Mutant> {
    if std::env::var("ENAMEL_MUTANTS").is_ok_and(|what| what == "all") {
        return all;
    }
    let mut dice = Dice(seed);
    let mut left: Vec<Mutant> = all;
    (0..SAMPLE).map(|_| left.swap_remove(usize::try_from(dice.below(left.len() as u64)).unwrap())).collect()
}

#[test]
fn a_loosened_policy_turns_the_suite_red() {
    world::with(async |world| {
        let arena = Arena::fresh(world, "mutants").await;
        let truth = arena.truth().await;
        let targets: HashMap<String, Target> =
            probe::targets(&truth).await.into_iter().map(|target| (target.name().to_owned(), target)).collect();
        let seed = std::env::var("ENAMEL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED);
        let mut sessions = HashMap::new();
        for plane in Plane::ALL {
            sessions.insert(plane, arena.plane(plane).await);
        }
        let all = chosen(mutants(&truth).await, seed);
        let (mut by_matrix, mut by_lint, mut survivors) = (0, 0, Vec::new());
        let mut golden = HashMap::new();
        for mutant in &all {
            let target = &targets[&mutant.table];
            let session = &sessions[&mutant.plane];
            let observe = async || probe::observe(&arena, &truth, session, mutant.plane, &[target], Depth::Believed).await.remove(0);
            let key = (mutant.table.clone(), mutant.plane.word());
            if !golden.contains_key(&key) {
                golden.insert(key.clone(), observe().await.text);
            }
            truth.batch_execute(&mutant.loosen).await.unwrap();
            let line = observe().await;
            if line.text != golden[&key] || !line.broken.is_empty() {
                by_matrix += 1;
            } else if mutant.by_grants && !lint::ours(&truth).await.is_empty() {
                by_lint += 1;
            } else {
                survivors.push(format!("{}.{}: {}", mutant.table, mutant.policy, mutant.what));
            }
            truth.batch_execute(&mutant.restore).await.unwrap();
        }
        println!(
            "seed {seed}: {} mutants, {by_matrix} seen by the matrix, {by_lint} held by column grants and seen by the lint, {} survive",
            all.len(),
            survivors.len()
        );
        assert!(survivors.is_empty(), "seed {seed}, survivors:\n{}", survivors.join("\n"));
        drop((truth, sessions));
        arena.drop().await;
    });
}

#[test]
fn a_condition_alone_can_only_be_dropped() {
    assert_eq!(looser("(a = 1)").len(), 1);
}
