//! A record in the words of another text: other names and other words over the same table, its rules and its checks.
//!
//! A projection is a list of names. What a name shows is a field of the record or SQL over its row; what is given for it
//! goes to that field, to the operation that makes the change, or is held against what the record says afterwards. So a
//! whole object that was read can be given back, and nothing is taken that would not be shown.

use super::draft::{fault, missing, shortened, value_of};
use super::field::{Access, Field, Table, Ty, Unfold, Verb};
use super::form::Broken;
use super::{Record, Value, value};
use crate::kernel::context::Permission;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::Operation;
use serde_json::{Map, Value as Json};
use std::sync::OnceLock;

/// Values for the record's own fields, made of what the text calls by one name.
pub type Split = fn(&Json) -> Result<Vec<(&'static str, Json)>, Broken>;

pub struct Projection {
    pub table: &'static Table,
    /// OpenAPI schema: `ReferralNetworkContact`.
    pub schema: &'static str,
    pub plural: &'static str,
    /// `/projections/referral-network/contacts`.
    pub path: &'static str,
    pub tag: &'static str,
    pub doc: &'static str,
    pub verbs: &'static [Verb],
    pub names: &'static [Name],
    /// Fields that have one value in all of its rows.
    pub only: &'static [(&'static str, &'static str)],
    /// What a create leaves out and the record needs: a field and SQL of one row; $1 is the tenant.
    pub fills: &'static [(&'static str, &'static str)],
    /// Makes a row where the table's own create is not the way, and the name whose value is the operation's `{id}`.
    pub made_by: Option<(&'static Operation, &'static str)>,
    pub shaped: OnceLock<Shaped>,
}

/// One name of the text.
#[derive(Clone, Copy)]
pub struct Name {
    pub name: &'static str,
    /// The field that is shown and set: one of the table's, `id`, `tenant_id` or a stamp.
    pub of: &'static str,
    /// Its word and the record's, either way by the first pair that fits. A state no word stands for is not in the shape.
    pub words: &'static [(&'static str, &'static str)],
    pub moves: &'static [Step],
    /// Shown by SQL over the row `r`, in place of a field.
    pub sql: Option<Field>,
    pub split: Option<Split>,
    /// The record's fields that it is split into.
    pub parts: &'static [&'static str],
    /// Writes what is given into rows of its own, after the record is written.
    pub after: Option<Unfold>,
    /// The list's parameter where it is not called like the field.
    pub filter: Option<&'static str>,
    pub doc: &'static str,
    /// What its words mean, where no enum of the record's says so.
    pub means: &'static [&'static str],
    /// In the document's examples, in place of the field's own.
    pub example: &'static str,
}

/// How a state is reached: operations in their order, those that do not begin where the record stands left out.
#[derive(Clone, Copy)]
pub struct Step {
    pub to: &'static str,
    pub by: &'static [&'static Operation],
    /// What the operations ask for and the text has no name for.
    pub with: &'static [(&'static str, &'static str)],
}

/// What follows from a projection, made once.
pub struct Shaped {
    /// What is read: the table with the fields that the names show, and no others.
    pub table: &'static Table,
    /// The names as fields of their own, with their words and who may set them.
    pub fields: Vec<Field>,
}

/// A body of the text, sorted by what becomes of it.
#[derive(Default)]
pub struct Given {
    /// For the record's own fields, by their names.
    pub body: Map<String, Json>,
    pub after: Vec<(Unfold, Value)>,
    /// To be what the record says afterwards.
    pub claims: Vec<(&'static Name, Json)>,
    /// Which name gave a field its value, for faults.
    sources: Vec<(&'static str, &'static str)>,
}

impl Name {
    /// Shows that field and sets it as the table lets it be set.
    pub const fn of(name: &'static str, of: &'static str) -> Name {
        Name {
            name,
            of,
            words: &[],
            moves: &[],
            sql: None,
            split: None,
            parts: &[],
            after: None,
            filter: None,
            doc: "",
            means: &[],
            example: "",
        }
    }
    /// The same name here and there.
    pub const fn same(name: &'static str) -> Name {
        Name::of(name, name)
    }
    /// Shown by the SQL of a computed field of that name.
    pub const fn sql(field: Field) -> Name {
        Name { sql: Some(field), doc: field.doc, ..Name::of(field.name, field.name) }
    }
    pub const fn words(self, words: &'static [(&'static str, &'static str)]) -> Name {
        Name { words, ..self }
    }
    pub const fn moves(self, moves: &'static [Step]) -> Name {
        Name { moves, ..self }
    }
    pub const fn split(self, split: Split, parts: &'static [&'static str]) -> Name {
        Name { split: Some(split), parts, ..self }
    }
    pub const fn after(self, write: Unfold) -> Name {
        Name { after: Some(write), ..self }
    }
    pub const fn filter(self, filter: &'static str) -> Name {
        Name { filter: Some(filter), ..self }
    }
    pub const fn doc(self, doc: &'static str) -> Name {
        Name { doc, ..self }
    }
    pub const fn means(self, means: &'static [&'static str]) -> Name {
        Name { means, ..self }
    }
    pub const fn example(self, example: &'static str) -> Name {
        Name { example, ..self }
    }

    /// What is given for it is the field's value, and nothing more.
    pub fn is_plain(&self) -> bool {
        self.words.is_empty() && self.moves.is_empty() && self.split.is_none() && self.after.is_none()
    }

    /// The record's words behind one of the text's; flags are the words `true` and `false`.
    pub fn meant_by(&self, json: &Json) -> Vec<&'static str> {
        match json {
            Json::String(word) => self.meant(word),
            Json::Bool(flag) => self.meant(if *flag { "true" } else { "false" }),
            _ => Vec::new(),
        }
    }
    pub fn meant(&self, word: &str) -> Vec<&'static str> {
        self.words.iter().filter(|(said, _)| *said == word).map(|(_, meant)| *meant).collect()
    }

    fn shown(&self, json: &Json) -> Json {
        match json {
            Json::String(text) if !self.words.is_empty() => {
                self.words.iter().find(|(_, meant)| meant == text).map_or(Json::Null, |(said, _)| match *said {
                    "true" => Json::Bool(true),
                    "false" => Json::Bool(false),
                    word => Json::from(word),
                })
            }
            other => other.clone(),
        }
    }
}

impl Projection {
    pub const fn new(
        table: &'static Table,
        schema: &'static str,
        plural: &'static str,
        path: &'static str,
        names: &'static [Name],
    ) -> Projection {
        Projection {
            table,
            schema,
            plural,
            path,
            tag: "Projections",
            doc: table.doc,
            verbs: table.verbs,
            names,
            only: &[],
            fills: &[],
            made_by: None,
            shaped: OnceLock::new(),
        }
    }
    pub const fn doc(mut self, doc: &'static str) -> Projection {
        self.doc = doc;
        self
    }
    pub const fn verbs(mut self, verbs: &'static [Verb]) -> Projection {
        self.verbs = verbs;
        self
    }
    pub const fn only(mut self, only: &'static [(&'static str, &'static str)]) -> Projection {
        self.only = only;
        self
    }
    pub const fn fills(mut self, fills: &'static [(&'static str, &'static str)]) -> Projection {
        self.fills = fills;
        self
    }
    pub const fn made_by(mut self, operation: &'static Operation, id: &'static str) -> Projection {
        self.made_by = Some((operation, id));
        self
    }

    pub fn name(&self, name: &str) -> Option<&'static Name> {
        self.names.iter().find(|known| known.name == name)
    }
    /// What the verb asks of staff.
    pub fn permission(&self, verb: Verb) -> Permission {
        match (verb, self.made_by) {
            (Verb::List | Verb::Read, _) => self.table.read,
            (Verb::Create, Some((operation, _))) => operation.permission,
            _ => self.table.write,
        }
    }
    pub fn shaped(&self) -> &Shaped {
        self.shaped.get_or_init(|| Shaped { table: self.read_table(), fields: self.names.iter().map(|name| self.field(name)).collect() })
    }
    /// Words that stand for only some of a field's states hide the rows in the others.
    pub fn partial(&self) -> impl Iterator<Item = (&'static Name, Vec<&'static str>)> {
        self.names.iter().filter_map(|name| {
            let Some(Field { ty: Ty::Enum(all), .. }) = self.table.field(name.of) else { return None };
            let known: Vec<&str> = all.iter().copied().filter(|state| name.words.iter().any(|(_, meant)| meant == state)).collect();
            (!name.words.is_empty() && known.len() < all.len()).then_some((name, known))
        })
    }

    /// Made once for the life of the process, like every other table.
    fn read_table(&self) -> &'static Table {
        let table = self.table;
        let mut fields: Vec<Field> = Vec::new();
        let own = self.names.iter().filter_map(|name| name.sql.or_else(|| table.field(name.of).copied()));
        for field in own.chain(self.only.iter().filter_map(|(name, _)| table.field(name).copied())) {
            if fields.iter().all(|held| held.name != field.name) {
                fields.push(field);
            }
        }
        Box::leak(Box::new(Table { fields: Box::leak(fields.into_boxed_slice()), ..table.clone() }))
    }

    /// The name as the contract describes it.
    fn field(&self, name: &'static Name) -> Field {
        static STAMPS: [Field; 6] = [
            Field::uuid("id").defaulted().fixed(),
            Field::uuid("tenant_id").read_only().example("some"),
            Field::instant("created_at").defaulted().read_only(),
            Field::uuid("created_by").read_only(),
            Field::instant("updated_at").defaulted().read_only(),
            Field::uuid("updated_by").read_only(),
        ];
        let found = self.made_of(name).or(name.sql).or_else(|| self.table.field(name.of).copied());
        let found = found.or_else(|| STAMPS.iter().find(|field| field.name == name.of).copied());
        // A test holds every name against its table.
        let mut field = found.unwrap_or(Field::text(name.of).read_only());
        let filled = self.fills.iter().any(|(filled, _)| *filled == name.of);
        field.name = name.name;
        field.required = (field.required && !filled) || name.parts.iter().any(|part| self.only_by(name, part));
        field.defaulted |= filled;
        if !name.words.is_empty() {
            let mut words: Vec<&'static str> = Vec::new();
            let mut means: Vec<&'static str> = Vec::new();
            for (said, meant) in name.words {
                if !words.contains(said) {
                    words.push(said);
                    means.extend(field.words().find(|(word, _)| word == meant).map(|(_, means)| means));
                }
            }
            field.means = if means.len() == words.len() { Box::leak(means.into_boxed_slice()) } else { name.means };
            field.ty = if words.contains(&"true") { Ty::Bool } else { Ty::Enum(Box::leak(words.into_boxed_slice())) };
            (field.aliases, field.example) = (&[], "");
        }
        field.access = match field.access {
            _ if name.after.is_some() || !name.moves.is_empty() || name.split.is_some() => Access::Write,
            kept => kept,
        };
        if !name.doc.is_empty() {
            field.doc = name.doc;
        }
        if !name.example.is_empty() {
            field.example = name.example;
        }
        field
    }

    /// What the operation that makes its rows asks by that name.
    fn made_of(&self, name: &Name) -> Option<Field> {
        let (operation, id) = self.made_by?;
        let asked = operation.takes.iter().find(|field| field.name == name.of).copied();
        asked.or((name.of == id).then_some(Field::uuid(id).required())).map(Field::fixed)
    }

    /// Whether the record needs that field and has it by no other name.
    fn only_by(&self, name: &Name, part: &str) -> bool {
        let elsewhere = |other: &Name| other.name != name.name && (other.of == part || other.parts.contains(&part));
        self.table.field(part).is_some_and(|field| field.required) && !self.names.iter().any(elsewhere)
    }

    /// Names every fault of a body by the text's own names, before any row is looked at.
    pub fn check(&self, body: &Map<String, Json>, whole: bool) -> Result<()> {
        let (fields, mut faults) = (&self.shaped().fields, Vec::new());
        for (said, json) in body {
            match fields.iter().find(|field| field.name == said) {
                None => faults.push(fault(&shortened(said), "unknown", "There is no such field.")),
                Some(field) => faults.extend(value_of(field, json).err().map(|(rule, text)| fault(said, rule, &text))),
            }
        }
        if whole {
            missing(fields, body, &mut faults);
        }
        if faults.is_empty() { Ok(()) } else { Err(Error::new(&error::INVALID).faults(faults)) }
    }

    /// A state that has no word, or a row of another kind.
    pub fn hides(&self, record: &Record) -> bool {
        let wordless = self.partial().any(|(name, known)| record.text(name.of).is_none_or(|state| !known.contains(&state)));
        wordless || self.only.iter().any(|(field, value)| record.text(field) != Some(value))
    }

    /// The record in the words of the text; none where it is hidden.
    pub fn show(&self, record: &Record) -> Option<Map<String, Json>> {
        if self.hides(record) {
            return None;
        }
        let value = |name: &Name| name.shown(record.json.get(name.of).unwrap_or(&Json::Null));
        Some(self.names.iter().map(|name| (name.name.to_owned(), value(name))).collect())
    }

    /// Sorts what was checked by what becomes of it; `open` says which fields the verb sets.
    pub fn given(&self, body: &Map<String, Json>, open: fn(&Field) -> bool) -> Result<Given> {
        let mut given = Given::default();
        let mut wrong = Error::new(&error::INVALID);
        for (said, json) in body {
            let Some(name) = self.name(said) else { continue };
            if let Err((rule, text)) = self.sort(name, json, open, &mut given) {
                wrong = wrong.fault(name.name, rule, text);
            }
        }
        if wrong.faults.is_empty() { Ok(given) } else { Err(wrong) }
    }

    fn sort(&self, name: &'static Name, json: &Json, open: fn(&Field) -> bool, given: &mut Given) -> Result<(), Broken> {
        let own = self.table.field(name.of).filter(|field| name.sql.is_none() && open(field));
        if let (Some(write), Some(field)) = (name.after, name.sql.as_ref().or(self.table.field(name.of))) {
            given.after.push((write, value::parse(field, json)?));
        } else if let Some(split) = name.split {
            for (field, value) in split(json)? {
                given.put(field, name.name, value);
            }
        } else if own.is_some() || self.made_of(name).is_some() || (name.of == "id" && open(&Field::uuid("id").fixed())) {
            let value = if name.words.is_empty() || json.is_null() { json.clone() } else { Json::from(meant(name, json)?) };
            given.put(name.of, name.name, value);
        } else {
            if !name.words.is_empty() {
                meant(name, json)?;
            }
            given.claims.push((name, json.clone()));
        }
        Ok(())
    }
}

fn meant(name: &Name, json: &Json) -> Result<&'static str, Broken> {
    name.meant_by(json).first().copied().ok_or_else(|| ("value", "It is none of the words of this field.".to_owned()))
}

impl Given {
    pub fn put(&mut self, field: &'static str, name: &'static str, value: Json) {
        self.body.insert(field.to_owned(), value);
        self.sources.push((field, name));
    }

    /// Faults of the record, named as the text does.
    pub fn named(&self, projection: &Projection, mut failure: Error) -> Error {
        for fault in &mut failure.faults {
            let (head, rest) = fault.field.split_at(fault.field.find(['[', '.']).unwrap_or(fault.field.len()));
            let source = self.sources.iter().find(|(field, _)| *field == head).map(|(_, name)| *name);
            let known = |name: &&Name| (name.of == head && name.sql.is_none()) || name.parts.contains(&head);
            let name = source.or_else(|| projection.names.iter().find(known).map(|name| name.name));
            fault.field = format!("{}{rest}", name.unwrap_or(head));
        }
        failure
    }
}
