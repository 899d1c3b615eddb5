//! One resource of the reference: its record, if it has one, and the calls below its path, as words.

use crate::kernel::context::{Permission, Plane};
use crate::kernel::operation::{Gives, Method, Operation};
use crate::kernel::table::field::Machine;
use crate::kernel::table::{Access, Field, How, Projection, Table, Ty, Verb};
use crate::server::domains;
use crate::server::rest::{self, projections};
use std::borrow::Cow;
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
    pub filters: Vec<(Cow<'static, str>, String)>,
    pub sorts: Vec<&'static str>,
}

/// A field.
pub struct Line {
    pub name: &'static str,
    pub kind: String,
    /// Who sets it, and when it has to be given.
    pub given: &'static str,
    pub doc: &'static str,
    /// Its words and what they mean, where it has some.
    pub words: Vec<(&'static str, &'static str)>,
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
    chapters.extend(domains::projections().map(|projection| (name_of(projection.path).to_owned(), of_projection(projection))));
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
    let served = Served { path: table.path, schema: table.schema, plural: table.plural };
    let permission = |verb: &Verb| if matches!(verb, Verb::List | Verb::Read) { table.read } else { table.write };
    let verbs = table.verbs.iter().map(|verb| of_verb(&served, *verb, permission(verb)));
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
        calls: verbs.chain(rest::keeps_history(table).then(|| of_history(table))).collect(),
        filters: table.filters.iter().map(|filter| (filter.name.into(), of_filter(filter.how))).collect(),
        sorts: table.sorts.iter().map(|sort| sort.name).chain(["id"]).collect(),
    }
}

/// A record in the words of a text: its names are what it holds, its filters are its table's under those names.
fn of_projection(projection: &'static Projection) -> Chapter {
    let Projection { table, path, schema, plural, tag, doc, .. } = *projection;
    let how = |of: &str| table.filters.iter().find(|filter| filter.name == of).map_or(String::new(), |filter| of_filter(filter.how));
    let served = Served { path, schema, plural };
    let verbs = projection.verbs.iter().map(|verb| of_verb(&served, *verb, projection.permission(*verb)));
    Chapter {
        name: name_of(path).to_owned(),
        title: schema.to_owned(),
        tag,
        doc,
        fields: projection.shaped().fields.iter().map(|field| line(field, projection.verbs.contains(&Verb::Create))).collect(),
        machines: Vec::new(),
        calls: verbs.collect(),
        filters: projections::parameters(projection).into_iter().map(|parameter| (parameter.name.into(), how(parameter.of))).collect(),
        sorts: projections::sorts(projection).into_iter().map(|(name, _)| name).chain(["id"]).collect(),
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
    Line { name: field.name, kind: kind(field), given, doc: field.doc, words: field.words().collect() }
}

fn of_input(field: &Field) -> Line {
    Line { given: if field.required { "needed" } else { "" }, ..line(field, true) }
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
        How::Equal | How::Each(_) => "equals".into(),
        How::From(name) => format!("{name} at or after"),
        How::Before(name) => format!("{name} before"),
        How::Words(_) => "words, each the beginning of a name".into(),
        How::Folded(_) => "whatever the case and accents".into(),
        How::AnyOf(names) => format!("any of {}", names.join(", ")),
        How::Blind(_) => "equals, by its hash".into(),
        How::Elsewhere { .. } => "found with it".into(),
    }
}

/// What the calls of a collection are called by.
struct Served {
    path: &'static str,
    schema: &'static str,
    plural: &'static str,
}

fn of_verb(table: &Served, verb: Verb, permission: Permission) -> CallLine {
    let one = format!("{}/{{id}}", table.path);
    let (method, path, id, doc, gives) = match verb {
        Verb::List => ("GET", table.path.to_owned(), format!("list{}", table.plural), "Pages of it.", "a page"),
        Verb::Create => ("POST", table.path.to_owned(), format!("create{}", table.schema), "A new one.", table.schema),
        Verb::Read => ("GET", one, format!("get{}", table.schema), "One by its id.", table.schema),
        Verb::Update => ("PATCH", one, format!("update{}", table.schema), "A JSON merge patch, with If-Match.", table.schema),
        Verb::Delete => ("DELETE", one, format!("delete{}", table.schema), "Retires it, with If-Match.", "nothing"),
    };
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
