//! The SMART scopes of a token, held against what it asks of either contract.
//!
//! What FHIR type a table's rows are is said where the domains register their mappings (`RESOURCES`, and `UNMAPPED` for
//! records that FHIR knows and this server does not map yet). A table of no FHIR type is open only to a scope for `*`:
//! a token narrowed to types was never given it. A person's own session has no scopes and is limited by none of this;
//! the permissions in the sealed context stay the wall behind it.

use super::{domains, fhir};
use crate::identity::scope::{KindCaps, Permit, permit, permits};
use crate::kernel::Caller;
use crate::kernel::context::{Caps, Permission};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Gives, Method, Operation};
use crate::kernel::table::{Field, Lists, Table, Verb};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What a table's rows are in FHIR.
#[derive(Default)]
struct Kinds {
    types: Vec<&'static str>,
    /// Only ever inside another resource: making or retiring a row is a change of that one.
    part: bool,
}

/// A mapping's own records come before the places where they are parts of another's.
static KINDS: LazyLock<BTreeMap<&'static str, Kinds>> = LazyLock::new(|| {
    let mut kinds: BTreeMap<&'static str, Kinds> = BTreeMap::new();
    let roots = domains::resources().map(|mapping| (mapping.table.name, mapping.of.name));
    for (table, kind) in roots.chain(domains::unmapped().map(|(table, kind)| (table.name, *kind))) {
        kinds.entry(table).or_default().types.push(kind);
    }
    let parts = domains::resources().flat_map(|mapping| mapping.parts.iter().map(|part| (part.table.name, mapping.of.name)));
    for (table, kind) in parts {
        let known = kinds.entry(table).or_insert(Kinds { types: Vec::new(), part: true });
        if known.part {
            known.types.push(kind);
        }
    }
    kinds
});

/// What permissions a scope for each type stands for: those of the tables its resources are, with their parts. Of what is
/// about a patient searches ask for the patient's permission too.
pub fn kinds() -> BTreeMap<&'static str, KindCaps> {
    let mut kinds: BTreeMap<&'static str, KindCaps> = BTreeMap::new();
    for mapping in fhir::mappings() {
        let kind = kinds.entry(mapping.of.name).or_default();
        for table in mapping.parts.iter().map(|part| part.table).chain([mapping.table]) {
            kind.see = kind.see.or(Caps::of(&[table.read]));
            if table.patient.is_some() {
                kind.see = kind.see.or(Caps::of(&[Permission::ViewPatient]));
            }
            if mapping.writes {
                kind.change = kind.change.or(Caps::of(&[table.write]));
            }
        }
    }
    kinds
}

/// The same where a scope that is narrowed to what a search finds is enough: whoever asks holds what they show against
/// [`narrowed`].
pub fn on_some(caller: &Caller, kind: &str, letter: char) -> Result<()> {
    if permit(&caller.scopes, kind, letter) == Permit::No { Err(refused(kind, letter)) } else { Ok(()) }
}

/// The searches of which one has to find what is shown. None: everything may be shown.
pub fn narrowed<'c>(caller: &'c Caller, kind: &str, letter: char) -> Option<Vec<&'c str>> {
    match permit(&caller.scopes, kind, letter) {
        Permit::All => None,
        Permit::Found(searches) => Some(searches),
        Permit::No => Some(Vec::new()),
    }
}

/// `c`, `r`, `u`, `d` or `s` on a FHIR type.
pub fn on_type(caller: &Caller, kind: &str, letter: char) -> Result<()> {
    if permits(&caller.scopes, kind, letter) { Ok(()) } else { Err(refused(kind, letter)) }
}

fn refused(kind: &str, letter: char) -> Error {
    Error::new(&error::FORBIDDEN).detail(format!("The token has no scope for {kind}.{letter}."))
}

fn on_table(caller: &Caller, table: &Table, letter: char) -> Result<()> {
    let Some(Kinds { types, part }) = KINDS.get(table.name) else { return on_type(caller, "*", letter) };
    let letter = if *part && matches!(letter, 'c' | 'd') { 'u' } else { letter };
    if types.iter().any(|kind| permits(&caller.scopes, kind, letter)) {
        return Ok(());
    }
    Err(refused(types.first().copied().unwrap_or("*"), letter))
}

pub fn on_verb(caller: &Caller, table: &Table, verb: Verb) -> Result<()> {
    let letter = match verb {
        Verb::List => 's',
        Verb::Create => 'c',
        Verb::Read => 'r',
        Verb::Update => 'u',
        Verb::Delete => 'd',
    };
    on_table(caller, table, letter)
}

fn listed(field: &Field) -> Option<&'static Table> {
    match field.lists {
        Lists::Records(table) => Some(table),
        Lists::Nothing | Lists::Objects(_) => None,
    }
}

/// An operation reads or changes the record its path names, and gives one that may be of another table.
pub fn on_operation(caller: &Caller, operation: &Operation) -> Result<()> {
    let reads = operation.method == Method::Get || operation.permission.only_reads();
    let letter = match (reads, operation.path.contains("{id}")) {
        (true, true) => 'r',
        (true, false) => 's',
        (false, true) => 'u',
        (false, false) => 'c',
    };
    let gives: Vec<(&Table, char)> = match operation.gives {
        Gives::Created(table) | Gives::Made(_, _, table) => vec![(table, 'c')],
        Gives::Page(table) => vec![(table, 's')],
        Gives::Record(table) => vec![(table, letter)],
        Gives::Object(_, fields) => fields.iter().filter_map(listed).map(|table| (table, 's')).collect(),
        Gives::Bytes(_) | Gives::Nothing => Vec::new(),
    };
    let named = operation.path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let of = domains::tables().find(|table| table.path.trim_start_matches('/') == named).map(|table| (table, letter));
    // Who the caller is, and what everybody may know.
    if of.is_none() && gives.is_empty() && operation.permission == Permission::Own {
        return Ok(());
    }
    // A view that asks for another permission than its record shows more than that record.
    let more = of.is_some_and(|(table, _)| reads && operation.permission != table.read && operation.permission != Permission::Own);
    if gives.is_empty() && (of.is_none() || more) {
        return on_type(caller, "*", letter);
    }
    of.into_iter().chain(gives).try_for_each(|(table, letter)| on_table(caller, table, letter))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::scope;
    use crate::kernel::context::Permission::{
        DeleteData, EditClinical, EditPatient, ManageUsers, SignClinical, ViewClinical, ViewPatient, ViewTenant,
    };

    fn caps(text: &str) -> Caps {
        scope::ask(kinds);
        scope::caps(&text.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn scopes_stand_for_the_permissions_of_their_tables() {
        assert_eq!(caps("system/Patient.rs"), Caps::of(&[ViewPatient]));
        assert_eq!(caps("system/Patient.cud"), Caps::of(&[EditPatient, DeleteData]));
        assert_eq!(caps("user/AllergyIntolerance.rs openid"), Caps::of(&[ViewClinical, ViewPatient]));
        assert_eq!(caps("user/AllergyIntolerance.u"), Caps::of(&[EditClinical]));
        // Of these some are kept whole: not among the charts.
        assert_eq!(caps("system/PractitionerRole.rs"), Caps::of(&[ViewTenant]));
        assert_eq!(caps("system/PractitionerRole.cud"), Caps::of(&[ManageUsers, DeleteData]));
        assert!(!caps("user/Observation.cruds").allows(SignClinical));
    }

    #[test]
    fn every_type_that_is_served_has_its_permissions() {
        let kinds = kinds();
        for mapping in fhir::mappings() {
            let kind = kinds.get(mapping.of.name).unwrap_or_else(|| panic!("{}", mapping.of.name));
            assert!(kind.see.allows(mapping.table.read), "{}", mapping.of.name);
        }
    }
}
