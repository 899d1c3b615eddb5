//! One resource of the reference: its record, if it has one, and the calls below its path, as words.

use crate::kernel::context::Plane;
use crate::kernel::operation::{Gives, Method, Operation};
use crate::kernel::table::field::Machine;
use crate::kernel::table::{Access, Field, How, Table, Ty, Verb};
use crate::server::{domains, rest};
use std::collections::BTreeMap;

pub struct Chapter {
    /// The path below `/api/v1`, without its slash: the address of the page.
    pub name: String,
    pub title: String,
    pub tag: &'static str,
    pub doc: &'static str,
    pub fields: Vec<Line>,
    pub machines: Vec<States>,
    pub calls: Vec<CallLine>,
    pub filters: Vec<(&'static str, String)>,
    pub sorts: Vec<&'static str>,
}

/// A field.
pub struct Line {
    pub name: &'static str,
    pub kind: String,
    /// Who sets it, and when it has to be given.
    pub given: &'static str,
    pub doc: &'static str,
}

pub struct States {
    pub column: &'static str,
    pub initial: String,
    /// From, to, by.
    pub moves: Vec<(&'static str, &'static str, &'static str)>,
}

pub struct CallLine {
    pub method: &'static str,
    pub path: String,
    pub id: String,
    pub doc: String,
    pub needs: String,
    pub takes: Vec<Line>,
    pub gives: String,
}

/// By tag and name.
pub fn all() -> Vec<Chapter> {
    let mut chapters: BTreeMap<String, Chapter> =
        domains::tables().map(|table| (name_of(table.path).to_owned(), of_table(table))).collect();
    for operation in domains::operations() {
        let name = home(operation, &chapters);
        let chapter = chapters.entry(name.clone()).or_insert_with(|| Chapter::empty(name, operation.tag));
        chapter.calls.push(of_operation(operation));
    }
    chapters.insert("batch".into(), batch());
    let mut chapters: Vec<Chapter> = chapters.into_values().collect();
    for chapter in &mut chapters {
        chapter.name = chapter.name.replace('/', "-");
    }
    chapters.sort_by(|a, b| (a.tag, &a.name).cmp(&(b.tag, &b.name)));
    chapters
}

fn name_of(path: &str) -> &str {
    path.trim_start_matches('/')
}

/// The resource whose path an operation's begins with, else its first word.
fn home(operation: &Operation, chapters: &BTreeMap<String, Chapter>) -> String {
    let path = name_of(operation.path);
    let under = |name: &&String| path.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let longest = chapters.keys().filter(under).max_by_key(|name| name.len());
    longest.cloned().unwrap_or_else(|| path.split('/').next().unwrap_or_default().to_owned())
}

impl Chapter {
    fn empty(name: String, tag: &'static str) -> Chapter {
        let title = name.replace('-', " ");
        Chapter { name, title, tag, doc: "", fields: vec![], machines: vec![], calls: vec![], filters: vec![], sorts: vec![] }
    }

    /// Where the words are found; nothing when one is found nowhere.
    pub fn places(&self, words: &[String]) -> Option<Vec<String>> {
        let holds = |text: &str, word: &str| text.to_lowercase().contains(word);
        let mut places = Vec::new();
        for word in words {
            let head = holds(&self.title, word) || holds(&self.name, word) || holds(self.doc, word);
            let fields = self.fields.iter().filter(|line| holds(line.name, word) || holds(line.doc, word) || holds(&line.kind, word));
            let calls = self.calls.iter().filter(|call| holds(&call.id, word) || holds(&call.path, word) || holds(&call.doc, word));
            let found: Vec<String> = fields.map(|line| line.name.to_owned()).chain(calls.map(|call| call.id.clone())).collect();
            if !head && found.is_empty() {
                return None;
            }
            places.extend(found);
        }
        places.dedup();
        Some(places)
    }
}

fn of_table(table: &'static Table) -> Chapter {
    Chapter {
        name: name_of(table.path).to_owned(),
        title: table.schema.to_owned(),
        tag: table.tag,
        doc: table.doc,
        fields: table
            .fields
            .iter()
            .filter(|field| field.access != Access::Hidden)
            .map(|field| line(field, table.offers(Verb::Create)))
            .collect(),
        machines: table.machines.iter().map(of_machine).collect(),
        calls: table.verbs.iter().map(|verb| of_verb(table, *verb)).chain(rest::keeps_history(table).then(|| of_history(table))).collect(),
        filters: table.filters.iter().map(|filter| (filter.name, of_filter(filter.how))).collect(),
        sorts: table.sorts.iter().map(|sort| sort.name).chain(["id"]).collect(),
    }
}

fn line(field: &Field, created: bool) -> Line {
    let given = match field.access {
        Access::Write if !created => "may change",
        Access::Write if field.required => "needed, may change",
        Access::Write => "may change",
        Access::Fixed if field.required => "needed, fixed",
        Access::Fixed => "fixed",
        Access::WriteOnly => "set, never shown",
        Access::Read | Access::Hidden => "by the server",
    };
    Line { name: field.name, kind: kind(field), given, doc: field.doc }
}

fn of_input(field: &Field) -> Line {
    Line { name: field.name, kind: kind(field), given: if field.required { "needed" } else { "" }, doc: field.doc }
}

fn kind(field: &Field) -> String {
    match field.ty {
        Ty::Enum(words) => words.join(" · "),
        Ty::Uuid => "uuid".into(),
        Ty::Text => format!("text, up to {}", field.length_max),
        Ty::Bool => "true or false".into(),
        Ty::Int | Ty::BigInt => "whole number".into(),
        Ty::Double => "number".into(),
        Ty::Date => "date".into(),
        Ty::Time => "time of day".into(),
        Ty::Instant => "time".into(),
        Ty::Json => "object or list".into(),
        Ty::TextArray => "list of texts".into(),
        Ty::UuidArray => "list of uuids".into(),
        Ty::IntArray => "list of whole numbers".into(),
        Ty::Bytes => "base64".into(),
        Ty::Inet => "IP address".into(),
    }
}

fn of_machine(machine: &'static Machine) -> States {
    let moves = machine.moves.iter().map(|step| (step.from, step.to, step.by)).collect();
    States { column: machine.column, initial: machine.initial.join(" or "), moves }
}

fn of_filter(how: How) -> String {
    match how {
        How::Equal => "equals".into(),
        How::From(name) => format!("{name} at or after"),
        How::Before(name) => format!("{name} before"),
        How::Words(_) => "words, each the beginning of a name".into(),
        How::Folded(_) => "whatever the case and accents".into(),
        How::AnyOf(names) => format!("any of {}", names.join(", ")),
        How::Blind(_) => "equals, by its hash".into(),
        How::Elsewhere { .. } => "found with it".into(),
    }
}

fn of_verb(table: &Table, verb: Verb) -> CallLine {
    let one = format!("{}/{{id}}", table.path);
    let (method, path, id, doc, gives) = match verb {
        Verb::List => ("GET", table.path.to_owned(), format!("list{}", table.plural), "Pages of it.", "a page"),
        Verb::Create => ("POST", table.path.to_owned(), format!("create{}", table.schema), "A new one.", table.schema),
        Verb::Read => ("GET", one, format!("get{}", table.schema), "One by its id.", table.schema),
        Verb::Update => ("PATCH", one, format!("update{}", table.schema), "A JSON merge patch, with If-Match.", table.schema),
        Verb::Delete => ("DELETE", one, format!("delete{}", table.schema), "Retires it, with If-Match.", "nothing"),
    };
    let permission = if matches!(verb, Verb::List | Verb::Read) { table.read } else { table.write };
    CallLine { method, path, id, doc: doc.to_owned(), needs: permission.word().to_owned(), takes: Vec::new(), gives: gives.to_owned() }
}

fn of_history(table: &Table) -> CallLine {
    CallLine {
        method: "GET",
        path: format!("{}/{{id}}/history", table.path),
        id: format!("get{}History", table.schema),
        doc: "Who changed it, when, and what it was then.".into(),
        needs: table.read.word().to_owned(),
        takes: Vec::new(),
        gives: "a page of versions".into(),
    }
}

fn batch() -> Chapter {
    let call = CallLine {
        method: "POST",
        path: "/batch".into(),
        id: "runBatch".into(),
        doc: "Up to 500 changes in one transaction: whole, or each for itself. A step may point to the id of an earlier one by its name."
            .into(),
        needs: "what each step needs".into(),
        takes: Vec::new(),
        gives: "a result for each step".into(),
    };
    Chapter { calls: vec![call], ..Chapter::empty("batch".into(), "Batch") }
}

fn of_operation(operation: &'static Operation) -> CallLine {
    let public = operation.planes.contains(&Plane::Auth);
    CallLine {
        method: if operation.method == Method::Get { "GET" } else { "POST" },
        path: operation.path.to_owned(),
        id: operation.id.to_owned(),
        doc: operation.doc.to_owned(),
        needs: if public { "nothing".into() } else { operation.permission.word().to_owned() },
        takes: operation.input().map(of_input).collect(),
        gives: match operation.gives {
            Gives::Record(table) | Gives::Created(table) => table.schema.to_owned(),
            Gives::Page(table) => format!("a page of {}", table.schema),
            Gives::Object(schema, _) | Gives::Made(schema, ..) => schema.to_owned(),
            Gives::Bytes(media) => media.to_owned(),
            Gives::Nothing => "nothing".to_owned(),
        },
    }
}
