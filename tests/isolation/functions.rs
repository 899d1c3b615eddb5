//! What PostgreSQL replaces a function for: the same arguments by name, the same result. `policies/` are applied whole over the
//! database of the release before, so one that changes either would keep every server from starting.

use super::arena;
use crate::world;
use std::collections::{BTreeMap, BTreeSet};

const GOLDEN: &str = include_str!("functions.txt");

/// Name and types of what it takes → the whole.
fn by_signature(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|line| line.split_once(" :: ")).collect()
}

/// `ENAMEL_GOLDEN=write` takes in what is new and lets go what is no more; what stands there in another form is given another
/// name, or dropped first (then its line is taken out by hand).
#[test]
fn what_stands_can_be_replaced() {
    world::with(async |world| {
        let sql = "select format('%I.%I(%s) :: (%s) returns %s', n.nspname, p.proname, oidvectortypes(p.proargtypes),
                                 pg_get_function_identity_arguments(p.oid), pg_get_function_result(p.oid))
                     from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                    where n.nspname in ('sec', 'kernel', 'enamel') and p.prokind in ('f', 'p')";
        let lines: BTreeSet<String> = arena::texts(&world.truth().await, sql).await.unwrap().into_iter().collect();
        let text: String = lines.into_iter().map(|line| line + "\n").collect();
        let (stood, stands) = (by_signature(GOLDEN), by_signature(&text));
        assert!(stands.len() > 100, "{}", stands.len());
        let changed: Vec<String> = stood
            .iter()
            .filter_map(|(signature, was)| stands.get(signature).filter(|is| *is != was).map(|is| format!("{signature}: {was} → {is}")))
            .collect();
        assert!(changed.is_empty(), "cannot be replaced in a database that has them:\n{}", changed.join("\n"));
        world::golden("tests/isolation/functions.txt", &text);
    });
}
