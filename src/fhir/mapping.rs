//! How a domain says which records a resource type is: declared once beside the record, used by read, search and write.
//!
//! Records give their JSON; the mapping renders from it and takes columns from a resource. What no column holds is kept
//! beside the record ([`super::keep`]), so a mapping states what is true of the columns and nothing else.

use super::bind::{self, Bind};
use super::find::Find;
use super::registry::TypeDef;
use super::resource::Resource;
use crate::kernel::context::Plane;
use crate::kernel::db::Sql;
use crate::kernel::error::{Error, Fault, INVALID, Result};
use crate::kernel::table::projection::Step;
use crate::kernel::table::{Draft, Record, Sort, Table, Ty, Value, value};
use serde_json::Value as Json;
use tokio_postgres::Row;

/// Planes a resource is served on, and those on which its parts can be read too.
pub const PEOPLE: &[Plane] = &[Plane::Staff, Plane::Group, Plane::Audit, Plane::Patient];
pub const STAFF: &[Plane] = &[Plane::Staff, Plane::Group, Plane::Audit];

/// Values that are told when they are asked for.
pub type Among = fn() -> &'static [&'static str];

/// Resources of one type that are records of one table; a type may have several of them.
#[derive(Clone, Copy)]
pub struct Mapping {
    pub of: &'static TypeDef,
    pub table: &'static Table,
    pub planes: &'static [Plane],
    /// Rows that belong to the record and are shown in its resource.
    pub parts: &'static [Part],
    /// What columns and elements both say.
    pub binds: &'static [Bind],
    /// What a list of binds cannot say, rendered after them.
    pub render: Option<fn(&Whole, &mut Resource)>,
    /// The same taken from a resource, after the binds.
    pub take: Option<Take>,
    /// False: such records are changed by operations of their own.
    pub writes: bool,
    /// Of the table's rows those with this value in this column; a new one is given it.
    pub only: Option<(&'static str, &'static str)>,
    /// Rows with this value in this column are shown to nobody here.
    pub hides: Option<(&'static str, &'static str)>,
    /// Of the table's rows those with one of these values in this column.
    pub among: Option<(&'static str, Among)>,
    /// How a state is reached: by the operations that REST has for it.
    pub steps: &'static [Step],
    /// A create of the type makes such records.
    pub creates: bool,
    /// Whether our rules for such records hold for what was sent, beside the columns that must have a value.
    pub fits: Option<fn(&Columns) -> bool>,
    /// What a new record needs and FHIR does not say.
    pub complete: Option<Complete>,
    /// Columns with a value that stands until somebody says better.
    pub presumed: &'static [(&'static str, &'static str)],
    pub search: &'static [(&'static str, Find)],
    /// Sort keys beside `_id` and `_lastUpdated`.
    pub sorts: &'static [Sort],
}

/// Sets what a resource says; the text is our FHIR base URL.
pub type Take = fn(&Resource, &str, &mut Taken) -> Result<()>;

impl Mapping {
    /// Records of a table that are written, with nothing mapped yet.
    pub const fn new(of: &'static TypeDef, table: &'static Table, planes: &'static [Plane]) -> Self {
        Self {
            of,
            table,
            planes,
            parts: &[],
            binds: &[],
            render: None,
            take: None,
            writes: true,
            only: None,
            hides: None,
            among: None,
            steps: &[],
            creates: false,
            fits: None,
            complete: None,
            presumed: &[],
            search: &[],
            sorts: &[],
        }
    }
    /// Whether columns say anything of its resources.
    pub const fn speaks(&self) -> bool {
        !self.binds.is_empty() || self.render.is_some()
    }
    /// Records that operations of their own change: read and found here.
    pub const fn shown(of: &'static TypeDef, table: &'static Table, planes: &'static [Plane], binds: &'static [Bind]) -> Self {
        Self { binds, writes: false, ..Self::new(of, table, planes) }
    }
    /// Whether the row is one of these resources.
    pub fn is_of(&self, record: &Record) -> bool {
        self.is_row(|column| record.get(column))
    }
    /// The same of a row that is known by its columns.
    pub fn is_row<'r>(&self, get: impl Fn(&str) -> &'r Json) -> bool {
        let has = |(column, value): (&str, &str)| match get(column) {
            Json::Bool(flag) => flag.to_string() == value,
            held => held.as_str() == Some(value),
        };
        let is_among = |(column, values): (&str, fn() -> &'static [&'static str])| values().iter().any(|value| get(column) == value);
        self.only.is_none_or(has) && !self.hides.is_some_and(has) && self.among.is_none_or(is_among)
    }
    /// The same in SQL, of a row `r`; none, where every row of the table is one.
    pub fn rows(&self) -> Option<String> {
        let is = |(column, value): (&str, &'static str), not: &str| match self.held(column, value) {
            Json::Bool(flag) => format!("r.{column} is {not}{flag}"),
            _ if not.is_empty() => format!("r.{column} = '{value}'"),
            _ => format!("r.{column} is distinct from '{value}'"),
        };
        let mut told: Vec<String> = self.only.map(|held| is(held, "")).into_iter().chain(self.hides.map(|held| is(held, "not "))).collect();
        told.extend(self.among.map(|(column, values)| format!("r.{column} in ('{}')", values().join("', '"))));
        (!told.is_empty()).then(|| told.join(" and "))
    }
    /// Whether the resource is one of these, among others of its type.
    pub fn is_meant(&self, resource: &Resource) -> bool {
        bind::is_meant(self.binds, &resource.root())
    }
    /// How the parameter is answered; none, where nothing of these records answers it.
    pub fn find(&self, name: &str) -> Option<&'static Find> {
        self.search.iter().find(|(known, _)| *known == name).map(|(_, find)| find)
    }
    /// What a column holds that is a word here and may be a flag there.
    pub fn held(&self, column: &str, value: &'static str) -> Json {
        let is_flag = self.table.field(column).is_some_and(|field| field.ty == Ty::Bool);
        if is_flag { Json::Bool(value == "true") } else { value.into() }
    }
    /// What our columns say, without id and meta.
    pub fn rendered(&self, whole: &Whole) -> Resource {
        let mut resource = Resource::new(self.of.name);
        bind::render(self.binds, &whole.root, &mut resource);
        if let Some(render) = self.render {
            render(whole, &mut resource);
        }
        resource
    }
    /// What a resource says about our columns. `base` is our FHIR base URL.
    pub fn taken(&self, resource: &Resource, base: &str) -> Result<Taken> {
        let mut taken = Taken::default();
        if let Some((column, value)) = self.only {
            taken.root.set(column, self.held(column, value), self.of.name.to_owned());
        }
        bind::take(self.binds, &resource.root(), base, &mut taken.root)?;
        if let Some(take) = self.take {
            take(resource, base, &mut taken)?;
        }
        Ok(taken)
    }
}

/// A statement whose one row fills in what is missing.
#[derive(Clone, Copy)]
pub struct Complete {
    /// `$1` is the tenant; what else it asks for follows.
    pub query: &'static Sql,
    pub asks: fn(&Taken) -> Vec<Value>,
    pub fill: fn(&Row, &mut Taken) -> Result<()>,
}

pub struct Part {
    pub table: &'static Table,
    pub link: Link,
    pub planes: &'static [Plane],
    /// Columns by which an incoming row is taken for a stored one that has other values.
    pub alike: &'static [&'static str],
}

#[derive(Debug, Clone, Copy)]
pub enum Link {
    /// The part's column names the record.
    Child(&'static str),
    /// The record's column names the part.
    Parent(&'static str),
}

/// A record and its parts, in the order the mapping names them.
#[derive(Clone)]
pub struct Whole {
    pub root: Record,
    pub parts: Vec<Vec<Record>>,
}

impl Whole {
    /// A record, with nothing that belongs to it.
    pub fn alone(mapping: &Mapping, root: Record) -> Self {
        Self { parts: mapping.parts.iter().map(|_| Vec::new()).collect(), root }
    }
    pub fn part(&self, place: usize) -> &[Record] {
        self.parts.get(place).map(Vec::as_slice).unwrap_or_default()
    }
}

/// What a resource says about columns.
#[derive(Default)]
pub struct Taken {
    pub root: Columns,
    /// For each part the rows there shall be; None leaves them as they are.
    pub parts: Vec<Option<Vec<Columns>>>,
}

/// Values for columns, each with the FHIRPath it came from.
#[derive(Debug, Clone, Default)]
pub struct Columns(Vec<(&'static str, Json, String)>);

impl Columns {
    /// A missing value clears the column.
    pub fn set(&mut self, column: &'static str, value: impl Into<Json>, path: String) -> &mut Self {
        self.0.retain(|(name, ..)| *name != column);
        self.0.push((column, value.into(), path));
        self
    }
    pub fn get(&self, column: &str) -> Option<&Json> {
        self.0.iter().find(|(name, ..)| *name == column).map(|(_, value, _)| value)
    }
    /// Another value under the same path.
    pub fn replace(&mut self, column: &str, value: impl Into<Json>) {
        if let Some(found) = self.0.iter_mut().find(|(name, ..)| *name == column) {
            found.1 = value.into();
        }
    }
    /// The value and its path, taken away.
    pub fn take(&mut self, column: &str) -> Option<(Json, String)> {
        let place = self.0.iter().position(|(name, ..)| *name == column)?;
        let (_, value, path) = self.0.remove(place);
        Some((value, path))
    }
    pub fn remove(&mut self, column: &str) {
        self.0.retain(|(name, ..)| *name != column);
    }
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(name, ..)| *name)
    }
    /// Whether a stored row already says all of it.
    pub fn are_in(&self, record: &Record) -> bool {
        self.0.iter().all(|(name, value, _)| record.json.get(*name).unwrap_or(&Json::Null) == value)
    }
    /// Whether a stored row agrees in these columns.
    pub fn agree(&self, record: &Record, columns: &[&str]) -> bool {
        columns.iter().all(|name| self.get(name).unwrap_or(&Json::Null) == record.json.get(*name).unwrap_or(&Json::Null))
    }

    /// Checked against the field table; faults name the elements.
    pub fn draft(&self, table: &'static Table) -> Result<Draft> {
        let mut draft = Draft::default();
        let mut faults = Vec::new();
        let fault = |path: &String, rule, text: String| Fault { field: path.clone(), rule, text };
        for (name, json, path) in &self.0 {
            let field = table.field(name).ok_or_else(|| Error::internal(format!("{} has no field {name}", table.name)))?;
            if json.is_null() && (field.required || field.defaulted) {
                faults.push(fault(path, "required", "The element is needed here.".into()));
                continue;
            }
            match value::parse(field, json) {
                Ok(value) => draft.values.push((field, value)),
                Err((rule, text)) => faults.push(fault(path, rule, text)),
            }
        }
        if faults.is_empty() { Ok(draft) } else { Err(Error::new(&INVALID).faults(faults)) }
    }

    /// A refusal of the store, with the elements' names in place of the columns'.
    pub fn told(&self, mut refusal: Error) -> Error {
        // What names an element already stays.
        let columns = refusal.faults.iter_mut().filter(|fault| !fault.field.starts_with(|first: char| first.is_ascii_uppercase()));
        for fault in columns {
            let of = self.0.iter().find(|(name, ..)| *name == fault.field);
            // A key of several columns is named by all of them; its last one is the one a caller chose.
            let of = of.or_else(|| self.0.iter().rfind(|(name, ..)| fault.field.contains(name)));
            fault.field = of.map(|(_, _, path)| path.clone()).unwrap_or_default();
        }
        refusal
    }
}
