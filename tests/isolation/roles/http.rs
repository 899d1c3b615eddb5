//! The same over HTTP: a member of each role calls every record's endpoints.

use super::{Matrix, PEOPLE, Person, Rights, Stage, Who};
use crate::isolation::arena::{NORTH, Set};
use crate::world::World;
use enamel::kernel::table::field::Access;
use enamel::kernel::table::{Table, Verb};
use enamel::server::domains;
use futures_util::{StreamExt, stream};
use reqwest::Method;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

const AT_ONCE: usize = 6;

/// A body that makes another such row, by table: what the administrator reads of the seeded one.
type Bodies = BTreeMap<&'static str, Map<String, Json>>;

struct Visitor<'a> {
    stage: &'a Stage,
    world: &'a World,
    token: String,
    person: Person,
}

impl Visitor<'_> {
    async fn ask(&self, method: Method, path: &str, version: i64, body: Option<Json>) -> (u16, Json) {
        let url = format!("{}/api/v1{path}", self.stage.base_url);
        let mut request = self.world.http.request(method, url).bearer_auth(&self.token).header("if-match", format!("W/\"{version}\""));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }

    /// What differs from what the golden file says of this table.
    async fn visit(&self, table: &'static Table, rights: Rights, body: &Map<String, Json>) -> Vec<String> {
        let (own, other) = self.person.sets();
        let mut wrong = Vec::new();
        let mut note = |what: &str, expected: bool, status: u16| {
            wrong.push(format!("{} {what} {}: {status}, expected {}", self.person.column, table.path, if expected { "yes" } else { "no" }));
        };
        let one = |set: Set| format!("{}/{}", table.path, set.id(table.name));
        if table.verbs.contains(&Verb::List) {
            let (status, page) = self.ask(Method::GET, &format!("{}?limit=100", table.path), 0, None).await;
            let items = page["items"].as_array().cloned().unwrap_or_default();
            let shows = |set: Set| items.iter().any(|item| item["id"] == json!(set.id(table.name)));
            let hides = rights.some('R') && !shows(own) && items.len() < 100;
            if hides || !rights.some('R') && shows(own) || !rights.all('R') && other.is_some_and(shows) || status >= 500 {
                note("lists", rights.some('R'), status);
            }
        }
        if table.verbs.contains(&Verb::Read) {
            for (set, may) in [(Some(own), rights.some('R')), (other, rights.all('R'))] {
                let Some(set) = set else { continue };
                let (status, _) = self.ask(Method::GET, &one(set), 0, None).await;
                if !self.fits(may, status) || may && status != 200 && set == own {
                    note("gets", may, status);
                }
            }
        }
        if table.verbs.contains(&Verb::Create) {
            let (status, _) = self.ask(Method::POST, table.path, 0, Some(Json::Object(body.clone()))).await;
            if !self.fits(rights.some('C'), status) {
                note("creates", rights.some('C'), status);
            }
        }
        if table.verbs.contains(&Verb::Update) {
            let change: Map<String, Json> = changeable(table, body).into_iter().collect();
            let (status, _) = self.ask(Method::PATCH, &one(own), self.version(table, own).await, Some(Json::Object(change))).await;
            if !self.fits(rights.some('U'), status) {
                note("patches", rights.some('U'), status);
            }
        }
        if table.verbs.contains(&Verb::Delete) {
            let (status, _) = self.ask(Method::DELETE, &one(own), self.version(table, own).await, None).await;
            self.restore(table, own).await;
            if !self.fits(rights.some('D'), status) {
                note("deletes", rights.some('D'), status);
            }
        }
        wrong
    }

    /// Whoever may is answered by the domain, if not with the deed; staff who may not are told so, others learn nothing.
    fn fits(&self, may: bool, status: u16) -> bool {
        let told = matches!(self.person.who, Who::Member(..));
        match may {
            true => matches!(status, 200..=299 | 409 | 412 | 422),
            false if told => matches!(status, 403 | 404),
            false => matches!(status, 400..=499),
        }
    }

    async fn version(&self, table: &Table, set: Set) -> i64 {
        let tenant = if table.has_tenant() { format!("tenant_id = '{}' and", set.tenant_id()) } else { String::new() };
        let sql =
            format!("select (to_jsonb(r) ->> 'version')::bigint from enamel.{} r where {tenant} id = '{}'", table.name, set.id(table.name));
        let row = self.stage.truth.query_opt(&sql, &[]).await.unwrap();
        row.and_then(|row| row.get::<_, Option<i64>>(0)).unwrap_or(1)
    }

    async fn restore(&self, table: &Table, set: Set) {
        let tenant = if table.has_tenant() { format!("tenant_id = '{}' and", set.tenant_id()) } else { String::new() };
        let sql = format!(
            "update enamel.{} set deleted_at = null, delete_reason = null where {tenant} id = '{}' and deleted_at is not null",
            table.name,
            set.id(table.name)
        );
        self.stage.truth.execute(&sql, &[]).await.unwrap();
    }
}

/// One field a PATCH may name, with the value it has.
fn changeable(table: &Table, body: &Map<String, Json>) -> Option<(String, Json)> {
    let field =
        table.fields.iter().find(|field| field.access == Access::Write && field.computed.is_none() && body.contains_key(field.name))?;
    Some((field.name.to_owned(), body[field.name].clone()))
}

async fn bodies(admin: &Visitor<'_>) -> Bodies {
    let mut bodies = Bodies::new();
    for table in domains::tables() {
        let path = format!("{}/{}", table.path, NORTH.id(table.name));
        let (_, record) = admin.ask(Method::GET, &path, 0, None).await;
        let given = table.fields.iter().filter(|field| matches!(field.access, Access::Write | Access::Fixed) && field.computed.is_none());
        let body =
            given.filter_map(|field| Some((field.name.to_owned(), record.get(field.name).filter(|value| !value.is_null())?.clone())));
        bodies.insert(table.name, body.collect());
    }
    bodies
}

/// Everything that answers otherwise than the matrix says.
pub async fn compare(stage: &Stage, world: &World, matrix: &Matrix) -> Vec<String> {
    // Invented keys open nothing; real ones are made when they are first needed.
    stage.truth.batch_execute("delete from enamel.encryption_keys").await.unwrap();
    let visitor = async |person: Person| Visitor { stage, world, token: stage.sign_in(person).await, person };
    let bodies = bodies(&visitor(PEOPLE[1]).await).await;
    let mut wrong = Vec::new();
    for person in PEOPLE {
        let visitor = visitor(person).await;
        let mut visits = Vec::new();
        // A view is its tables.
        for table in domains::tables().filter(|table| matrix.contains_key(table.name)) {
            visits.push(visitor.visit(table, matrix[table.name][person.column], &bodies[table.name]));
        }
        wrong.extend(stream::iter(visits).buffer_unordered(AT_ONCE).concat().await);
    }
    wrong
}
