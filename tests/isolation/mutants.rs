//! Is the suite awake? Each policy is loosened in turn in a throw-away database, by each of its conditions and by what it asks a
//! permission for; some statement of the matrix must show it.
//! `make isolation-mutants` prints how many there are.

use super::arena::{Arena, Session};
use super::probe;
use super::script::{self, Depth, Target};
use super::shape::conjuncts;
use crate::world;
use enamel::kernel::context::Plane;
use std::collections::{BTreeMap, HashMap};
use tokio::sync::Mutex;
use tokio_postgres::Client;

/// Databases that are loosened side by side.
const ARENAS: usize = 2;

/// A policy; its mutants are tried together.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Policy {
    table: String,
    plane: &'static str,
    command: String,
    name: String,
}

struct Mutant {
    policy: Policy,
    /// What was done, for people.
    what: String,
    loosen: String,
}

/// Looser forms of an expression, each with what was left out.
fn looser(expression: &str) -> Vec<(String, String)> {
    let parts = conjuncts(expression);
    let mut out = vec![("true".to_owned(), "everything".to_owned())];
    let unasked = without_permission(expression);
    if unasked != expression {
        out.push((unasked, "its permission".to_owned()));
    }
    if parts.len() == 1 {
        return out;
    }
    let pair = parts.iter().any(|part| part.contains("sec.pairs") && !part.contains(" OR "));
    // Narrows callers of an application's launch alone: `attacks::identity` loosens these.
    let launch = |part: &str| part.contains("sec.any_patient((0)::bigint)");
    let without = |drop: &dyn Fn(&str) -> bool| parts.iter().filter(|part| !drop(part)).cloned().collect::<Vec<_>>().join(" AND ");
    for part in &parts {
        // The pair implies the tenant and the patient, which stand beside it for the index: dropping one alone is no change.
        if pair && (part.contains("sec.tenants") || part.contains("sec.patients")) || launch(part) {
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

/// The same, asking for no permission.
fn without_permission(expression: &str) -> String {
    let number = |c: char| c.is_ascii_digit() || "()'".contains(c);
    let Some((asked, last)) = expression.rsplit_once("::bigint") else { return expression.to_owned() };
    let asked = asked.split("::bigint").map(|part| format!("{}((0)::bigint", part.trim_end_matches(number)));
    asked.collect::<String>() + last
}

async fn mutants(truth: &Client) -> Vec<Mutant> {
    let sql = "select tablename::text, policyname::text, roles[1]::text, cmd, qual, with_check from pg_policies
                where schemaname = 'enamel' and roles[1]::text not in ('enamel_sec', 'enamel_sealer') order by 1, 2";
    let mut out = Vec::new();
    for row in truth.query(sql, &[]).await.unwrap() {
        let role: String = row.get(2);
        let plane = Plane::ALL.into_iter().find(|plane| role == format!("enamel_{}", plane.word())).unwrap();
        let policy = Policy { table: row.get(0), name: row.get(1), plane: plane.word(), command: row.get(3) };
        for (place, keyword) in [(4, "using"), (5, "with check")] {
            let Some(expression) = row.get::<_, Option<String>>(place) else { continue };
            for (loose, dropped) in looser(&expression) {
                out.push(Mutant {
                    what: format!("{keyword} without {dropped}"),
                    loosen: format!("alter policy {} on enamel.{} {keyword} ({loose})", policy.name, policy.table),
                    policy: policy.clone(),
                });
            }
        }
    }
    out
}

/// Those of one policy's mutants that no statement shows; the statements of its command are tried first.
async fn unseen(director: &Session, target: &Target, granted: &[String], mutants: Vec<Mutant>) -> Vec<Mutant> {
    let policy = &mutants[0].policy;
    let plane = Plane::ALL.into_iter().find(|plane| plane.word() == policy.plane).unwrap();
    let mut script = target.script(plane, granted, Depth::Believed);
    script.sort_by_key(|one| one.command != policy.command);
    let contexts: Vec<String> = script.iter().map(|one| one.who.seal(director, plane)).collect();
    let statements: Vec<&str> = script.iter().map(|one| one.sql.as_str()).collect();
    let changes: Vec<&str> = mutants.iter().map(|mutant| mutant.loosen.as_str()).collect();
    let sql = "select probe.unseen($1, $2, $3, $4)";
    let role = format!("enamel_{}", policy.plane);
    let left: Vec<i32> = director.client.query_one(sql, &[&changes, &role, &contexts, &statements]).await.unwrap().get(0);
    let left = |place: usize| left.contains(&i32::try_from(place + 1).unwrap());
    mutants.into_iter().enumerate().filter(|(place, _)| left(*place)).map(|(_, mutant)| mutant).collect()
}

/// The columns each plane may change of each table that has such a policy.
async fn granted(truth: &Client, policies: impl Iterator<Item = &Policy>) -> HashMap<(String, &'static str), Vec<String>> {
    let names: Vec<(String, &'static str)> = policies.map(|policy| (policy.table.clone(), policy.plane)).collect();
    let mut out = HashMap::new();
    for plane in Plane::ALL {
        let tables: Vec<&str> = names.iter().filter(|(_, of)| *of == plane.word()).map(|(table, _)| table.as_str()).collect();
        let columns = probe::updatable(truth, plane, &tables).await;
        out.extend(tables.iter().zip(columns).map(|(table, columns)| (((*table).to_owned(), plane.word()), columns)));
    }
    out
}

/// One policy of each plane and command, left as it is: statements that gave now this and now that would see those too.
fn unchanged(policies: &BTreeMap<Policy, Vec<Mutant>>) -> Vec<Vec<Mutant>> {
    let kinds: BTreeMap<(&str, &str), &Policy> = policies.keys().map(|policy| ((policy.plane, policy.command.as_str()), policy)).collect();
    let nothing = |policy: &Policy| Mutant { policy: policy.clone(), what: "nothing".into(), loosen: "select".into() };
    kinds.into_values().map(|policy| vec![nothing(policy)]).collect()
}

#[test]
fn a_loosened_policy_turns_the_suite_red() {
    world::with(async |world| {
        let mut arenas = Vec::new();
        for _ in 0..ARENAS {
            arenas.push(Arena::bare(world, "mutants").await);
        }
        let truth = arenas[0].truth().await;
        let targets: HashMap<String, Target> =
            script::targets(&truth).await.into_iter().map(|target| (target.name().to_owned(), target)).collect();
        let all = mutants(&truth).await;
        let total = all.len();
        let mut policies: BTreeMap<Policy, Vec<Mutant>> = BTreeMap::new();
        for mutant in all {
            policies.entry(mutant.policy.clone()).or_default().push(mutant);
        }
        let granted = granted(&truth, policies.keys()).await;
        let unchanged = unchanged(&policies);
        let kinds = unchanged.len();
        let queue = Mutex::new(policies.into_values().chain(unchanged));
        let work = async |arena: &Arena| {
            let director = arena.director().await;
            let mut left = Vec::new();
            loop {
                let Some(mutants) = queue.lock().await.next() else { return left };
                let policy = &mutants[0].policy;
                let granted = &granted[&(policy.table.clone(), policy.plane)];
                left.extend(unseen(&director, &targets[&policy.table], granted, mutants).await);
            }
        };
        let left: Vec<Mutant> = futures_util::future::join_all(arenas.iter().map(work)).await.into_iter().flatten().collect();
        let (unchanged, left): (Vec<_>, Vec<_>) = left.into_iter().partition(|mutant| mutant.loosen == "select");
        assert_eq!(unchanged.len(), kinds, "what is not changed is not seen");
        println!("{total} mutants, {} survive", left.len());
        let names: Vec<String> =
            left.iter().map(|mutant| format!("{}.{}: {}", mutant.policy.table, mutant.policy.name, mutant.what)).collect();
        assert!(names.is_empty(), "survivors:\n{}", names.join("\n"));
        drop(truth);
        for arena in arenas {
            arena.drop().await;
        }
    });
}

#[test]
fn a_condition_alone_can_only_be_dropped() {
    assert_eq!(looser("(a = 1)").len(), 1);
}
