//! A record's table around its fields: whose rows, which verbs, lists and states.

use super::field::{Field, Ty};
use super::machine::Machine;
use crate::kernel::context::Permission;

/// Whose rows a table holds; decides keys and policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// `(tenant_id, id)`.
    Tenant,
    /// The same, plus rows of the platform tenant that everyone reads; the contract shows their tenant as null.
    Shared,
    /// `(id)`: rows of the installation (tenants, users, sessions, catalogues).
    Installation,
}

/// Which columns say who and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamps {
    /// None: a view.
    None,
    /// `created_*`: a row is only ever added.
    Created,
    /// `created_*`, `updated_*` and `version`.
    Versioned,
}

/// What the generic endpoints offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    List,
    Create,
    Read,
    Update,
    Delete,
}

/// A column the list can be ordered by; it has an index led by the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    pub name: &'static str,
    pub column: &'static str,
    pub ty: Ty,
    pub nullable: bool,
}

/// A query parameter of the list.
#[derive(Debug, Clone, Copy)]
pub struct Filter {
    pub name: &'static str,
    pub how: How,
}

#[derive(Debug, Clone, Copy)]
pub enum How {
    /// The field of the same name equals the value.
    Equal,
    /// The named field is at or after / before the value (half-open ranges `x_from`, `x_to`).
    From(&'static str),
    Before(&'static str),
    /// Words, each a prefix of one of the folded columns.
    Words(&'static [&'static str]),
    /// The folded column equals the folded value.
    Folded(&'static str),
    /// Any of these columns equals the value.
    AnyOf(&'static [&'static str]),
    /// The blind index of the named field equals the keyed hash of the value.
    Blind(&'static str),
    /// A condition on another table, with `$value`; for what the record shows but does not hold.
    Elsewhere {
        sql: &'static str,
        blind: bool,
    },
    /// A condition for each word of the field of the same name.
    Each(&'static [(&'static str, &'static str)]),
}

/// One record: its table, its contract and who may touch it.
#[derive(Debug, Clone)]
pub struct Table {
    /// `patients`.
    pub name: &'static str,
    /// OpenAPI schema and operation ids: `Patient`.
    pub schema: &'static str,
    /// Plural for `list…`.
    pub plural: &'static str,
    /// `/patients`.
    pub path: &'static str,
    pub tag: &'static str,
    pub doc: &'static str,
    pub home: Home,
    pub soft_delete: bool,
    pub stamps: Stamps,
    pub verbs: &'static [Verb],
    pub read: Permission,
    pub write: Permission,
    /// A DSO reads it across its subtree.
    pub group: bool,
    /// The column that names the patient, for the audit trail; patients see the rows of their charts by it and no others.
    pub patient: Option<&'static str>,
    pub sorts: &'static [Sort],
    pub filters: &'static [Filter],
    pub fields: &'static [Field],
    pub machines: &'static [Machine],
}

impl Table {
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
    /// What a list can be filtered by: a field, or one of the stamps.
    pub fn filtered(&self, name: &str) -> Option<&'static Field> {
        static STAMPS: [Field; 2] = [Field::instant("created_at"), Field::instant("updated_at")];
        self.field(name).or_else(|| STAMPS.iter().find(|field| field.name == name))
    }
    pub fn offers(&self, verb: Verb) -> bool {
        self.verbs.contains(&verb)
    }
    pub fn has_tenant(&self) -> bool {
        self.home != Home::Installation
    }
}
