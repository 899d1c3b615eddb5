//! Values for the columns of a table nobody has described: found by trying what its checks say.

use super::arena::{DSO, NORTH, Set};
use super::seed::OVERRIDES;
use super::shape::{Column, Shape};
use std::collections::BTreeMap;
use tokio_postgres::Client;
use uuid::Uuid;

/// Where a row's value comes from.
#[derive(Clone, PartialEq, Debug)]
pub enum Source {
    Id,
    Tenant,
    /// The tenant above it.
    Parent,
    /// The set's row of that table.
    Row(String),
    /// A literal, the row's own parts in braces.
    Form(String),
}

/// Column and source; what is absent takes its default.
pub type Draft = BTreeMap<String, Source>;

impl Source {
    pub fn literal(&self, set: Set, id: Uuid) -> String {
        match self {
            Source::Id => format!("'{id}'"),
            Source::Tenant => format!("'{}'", set.tenant_id()),
            Source::Parent if ["north", "south"].contains(&set.tenant) => format!("'{}'", DSO.tenant_id()),
            Source::Parent => "null".into(),
            Source::Row(table) => format!("'{}'", set.id(table)),
            Source::Form(form) => {
                let hex = id.simple().to_string();
                let digits = format!("1{:08}", id.as_u128() % 100_000_000);
                form.replace("{tenant}", &set.tenant_id().to_string())
                    .replace("{id}", &id.to_string())
                    .replace("{hex}", &hex)
                    .replace("{digits}", &digits)
                    .replace("{patient}", &set.id("patients").to_string())
            }
        }
    }
    /// Says nothing about whose row it is.
    pub fn free(&self) -> bool {
        matches!(self, Source::Form(_))
    }
}

/// A row that satisfies every check and is published.
pub async fn draft(client: &Client, shape: &Shape) -> Draft {
    let mut draft = Draft::new();
    for column in shape.settable() {
        if let Some(source) = source(client, shape, column).await {
            draft.insert(column.name.clone(), source);
        }
    }
    for column in shape.settable() {
        if column.tenant_of.as_ref().is_some_and(|of| draft.contains_key(of)) {
            draft.insert(column.name.clone(), Source::Tenant);
        }
    }
    let mut wants: Vec<String> = shape.checks.iter().map(|check| format!("({check}) is not false")).collect();
    wants.extend(shape.published.iter().map(|condition| format!("({condition}) is true")));
    satisfy(client, shape, draft, &wants).await
}

/// The same, but for one condition of being published.
pub async fn unpublished(client: &Client, shape: &Shape, draft: &Draft, place: usize) -> Draft {
    let mut wants: Vec<String> = shape.checks.iter().map(|check| format!("({check}) is not false")).collect();
    for (other, condition) in shape.published.iter().enumerate() {
        wants.push(format!("({condition}) is {}true", if other == place { "not " } else { "" }));
    }
    satisfy(client, shape, draft.clone(), &wants).await
}

async fn source(client: &Client, shape: &Shape, column: &Column) -> Option<Source> {
    let name = column.name.as_str();
    let is = |other: &Option<String>| other.as_deref() == Some(name);
    if let Some((.., literal)) = OVERRIDES.iter().find(|(table, column, _)| [shape.name.as_str(), "*"].contains(table) && *column == name) {
        return Some(Source::Form((*literal).to_owned()));
    }
    match name {
        "id" => return Some(Source::Id),
        "tenant_id" => return Some(Source::Tenant),
        "parent_tenant_id" if shape.name == "tenants" => return Some(Source::Parent),
        "patient_id" => return Some(Source::Row("patients".into())),
        "user_id" => return Some(Source::Row("users".into())),
        _ if is(&shape.patient) => return Some(Source::Row("patients".into())),
        _ if is(&shape.owner) || name == "auditor_user_id" => return Some(Source::Row("users".into())),
        _ if !column.needed => return None,
        _ => {}
    }
    if column.tenant_of.is_some() {
        return Some(Source::Tenant);
    }
    let first = choices(client, shape, column, 1).await.pop();
    assert!(first.is_some(), "no value for {}.{} {} {:?}: teach the seed one", shape.name, name, column.ty, column.checks);
    first
}

/// What we know that the column's own checks accept, best first, as many as are wanted.
pub async fn choices(client: &Client, shape: &Shape, column: &Column, wanted: usize) -> Vec<Source> {
    if let Some(table) = &column.refers {
        return vec![Source::Row(table.clone())];
    }
    let mut out = Vec::new();
    for form in candidates(shape, column) {
        if out.len() == wanted {
            break;
        }
        let source = Source::Form(format!("'{form}'::{}", column.ty));
        if column.checks.is_empty() || accepted(client, column, &source.literal(NORTH, SOME)).await {
            out.push(source);
        }
    }
    out
}

async fn accepted(client: &Client, column: &Column, literal: &str) -> bool {
    let all: Vec<String> = column.checks.iter().map(|check| format!("({check})")).collect();
    let sql = format!("select coalesce({}, true) from (select {literal} as {}) x", all.join(" and "), column.name);
    client.query_one(&sql, &[]).await.is_ok_and(|row| row.get(0))
}

/// The words its checks list, then one of each form we know.
fn candidates(shape: &Shape, column: &Column) -> Vec<String> {
    let asked = column.checks.iter().chain(shape.published.iter().chain(&shape.checks).filter(|check| {
        let mentioned = shape.mentioned(check);
        mentioned.iter().any(|found| found.name == column.name)
    }));
    let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let late = column.name.split('_').any(|part| ["until", "end", "ends", "expires", "after", "purge", "due", "to"].contains(&part));
    let mut out: Vec<String> = Vec::new();
    if column.ty == "text" {
        out.extend(asked.flat_map(|check| check.split('\'').skip(1).step_by(2)).map(str::to_owned));
    }
    out.extend(match column.ty.as_str() {
        "uuid" => list(&["{id}"]),
        "text" => list(&[
            "seed-{hex}",
            "{hex}@seed.example",
            "EUR",
            "DE",
            "Europe/Berlin",
            "en",
            "1.2.{digits}",
            "+49{digits}",
            "#aabbcc",
            "1234567893",
            "https://seed.example/{hex}",
            "11",
            "A",
            "M",
            "2026-01-01",
            "{digits}",
            "AT",
            "CH",
            "US",
            "CHF",
            "fr",
            "B",
            "12",
        ]),
        "integer" | "bigint" | "smallint" | "real" => list(&["1", "0", "5", "2", "3", "4", "6", "7", "8", "9", "11", "15", "18", "100"]),
        ty if ty.starts_with("numeric") || ty == "double precision" => list(&["1", "0", "0.5", "5", "15", "100"]),
        "boolean" => list(&["false", "true"]),
        "timestamp with time zone" | "date" if late => list(&["2099-01-01", "2026-01-02", "2026-01-01"]),
        "timestamp with time zone" | "date" => list(&["2026-01-01", "2026-01-02", "2099-01-01"]),
        "time without time zone" if late => list(&["17:00", "08:00"]),
        "time without time zone" => list(&["08:00", "17:00"]),
        "bytea" => list(&["\\x{hex}{hex}", "\\x{hex}"]),
        "inet" => list(&["127.0.0.1"]),
        "jsonb" => list(&["{}", "[]"]),
        ty if ty.ends_with("range") => list(&["empty", "[2026-01-01,2099-01-01)"]),
        ty if ty.ends_with("[]") => {
            let words: Vec<&str> = column.checks.iter().flat_map(|check| check.split('\'').skip(1).step_by(2)).collect();
            let mut all = list(&["{}", "{1}"]);
            all.extend(words.iter().filter(|word| !word.starts_with('{')).map(|word| format!("{{{word}}}")));
            all
        }
        _ => Vec::new(),
    });
    let mut seen = std::collections::HashSet::new();
    out.retain(|form| seen.insert(form.clone()));
    out
}

/// The id of a row that is only tried.
const SOME: Uuid = Uuid::from_u128((0x5eed << 64) | 0x1234_5678_9abc);
/// How many combinations are tried in one statement, and of how many columns at once.
const AT_ONCE: usize = 400;
const CHANGED_MAX: usize = 3;

/// The draft with as few columns changed as make all of it true; conditions that share no column are met one by one.
async fn satisfy(client: &Client, shape: &Shape, mut draft: Draft, wants: &[String]) -> Draft {
    for wants in groups(shape, wants) {
        let columns: Vec<&Column> = shape.mentioned(&wants.join(" ")).into_iter().filter(|column| column.generated.is_none()).collect();
        let mut options: Vec<Vec<Option<Source>>> = Vec::new();
        for column in &columns {
            let now = draft.get(&column.name).cloned();
            let fixed = now.as_ref().is_some_and(|source| !source.free());
            let mut all = vec![now];
            let whose = [&shape.patient, &shape.owner].iter().any(|owner| owner.as_ref() == Some(&column.name));
            if fixed && column.nullable && column.refers.is_some() && !whose {
                all.push(None);
            }
            if !fixed {
                let own_default = column.nullable || column.default.is_some();
                all.extend(own_default.then_some(None));
                all.extend(choices(client, shape, column, usize::MAX).await.into_iter().map(Some));
            }
            options.push(all);
        }
        let combinations = combinations(&options.iter().map(Vec::len).collect::<Vec<_>>());
        let mut found = None;
        for tried in combinations.chunks(AT_ONCE) {
            found = first_true(client, shape, &columns, &options, tried, &wants).await.map(|place| &tried[place]);
            if found.is_some() {
                break;
            }
        }
        let found = found.unwrap_or_else(|| panic!("no row of {} makes this true, teach the seed one:\n{}", shape.name, wants.join("\n")));
        for ((column, choices), choice) in columns.iter().zip(&options).zip(found) {
            match &choices[*choice] {
                Some(source) => draft.insert(column.name.clone(), source.clone()),
                None => draft.remove(&column.name),
            };
        }
    }
    draft
}

fn groups(shape: &Shape, wants: &[String]) -> Vec<Vec<String>> {
    let mut groups: Vec<Vec<String>> = Vec::new();
    for want in wants {
        let columns: Vec<&str> = shape.mentioned(want).into_iter().map(|column| column.name.as_str()).collect();
        let touches = |group: &Vec<String>| shape.mentioned(&group.join(" ")).iter().any(|column| columns.contains(&column.name.as_str()));
        let (with, without): (Vec<_>, Vec<_>) = groups.into_iter().partition(touches);
        groups = without;
        groups.push(with.into_iter().flatten().chain([want.clone()]).collect());
    }
    groups
}

/// Choices by column, those that change least first.
fn combinations(sizes: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![vec![0; sizes.len()]];
    let mut last: Vec<(Vec<usize>, usize)> = vec![(vec![0; sizes.len()], 0)];
    for _ in 0..CHANGED_MAX {
        let mut next = Vec::new();
        for (base, from) in &last {
            for place in *from..sizes.len() {
                for choice in 1..sizes[place] {
                    let mut one = base.clone();
                    one[place] = choice;
                    next.push((one, place + 1));
                }
            }
        }
        all.extend(next.iter().map(|(one, _)| one.clone()));
        last = next;
    }
    all
}

async fn first_true(
    client: &Client,
    shape: &Shape,
    columns: &[&Column],
    options: &[Vec<Option<Source>>],
    tried: &[Vec<usize>],
    wants: &[String],
) -> Option<usize> {
    let mut rows = Vec::with_capacity(tried.len());
    for (place, choices) in tried.iter().enumerate() {
        let mut row = place.to_string();
        for ((column, options), choice) in columns.iter().zip(options).zip(choices) {
            let value = match &options[*choice] {
                Some(source) => source.literal(NORTH, SOME),
                None => column.default.clone().unwrap_or_else(|| "null".into()),
            };
            row += &format!(", ({value})::{}", column.ty);
        }
        rows.push(format!("({row})"));
    }
    let names: String = columns.iter().map(|column| format!(", {}", column.name)).collect();
    let mentioned = shape.mentioned(&wants.join(" "));
    let made: String =
        mentioned.iter().filter_map(|column| column.generated.as_ref().map(|made| format!(", ({made}) as {}", column.name))).collect();
    let sql = format!(
        "select place from (select v.*{made} from (values {}) v (place{names})) x where {} order by place limit 1",
        rows.join(", "),
        wants.join(" and ")
    );
    let found = client.query(&sql, &[]).await.unwrap_or_else(|failure| panic!("{}: {failure:?}\n{sql}", shape.name));
    found.first().map(|row| usize::try_from(row.get::<_, i32>(0)).unwrap())
}
