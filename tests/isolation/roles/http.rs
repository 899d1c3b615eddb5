//! The same over HTTP: a member of each role calls every record's endpoints, is served what the golden file allows and refused
//! the rest.

use super::{Matrix, PEOPLE, Person, Rights, Stage};
use crate::isolation::arena::{NORTH, Set};
use crate::isolation::probe;
use crate::world::World;
use enamel::kernel::table::field::{Access, Sealing};
use enamel::kernel::table::{Field, Table, Verb};
use enamel::server::domains;
use futures_util::{StreamExt, stream};
use reqwest::Method;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use uuid::Uuid;

const AT_ONCE: usize = 6;

/// A body that makes another such row, by table: what the administrator reads of the seeded one.
type Bodies = BTreeMap<&'static str, Map<String, Json>>;

struct Visitor<'a> {
    stage: &'a Stage,
    world: &'a World,
    token: String,
    person: Person,
    /// The columns their plane may change, by table.
    columns: BTreeMap<&'static str, Vec<String>>,
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
        let other = other.filter(|_| self.stage.others.contains(table.name));
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
            if hides || !rights.some('R') && shows(own) || !rights.all('R') && other.is_some_and(shows) {
                note("lists", rights.some('R'), status);
            }
        }
        if table.verbs.contains(&Verb::Read) {
            for (set, may) in [(Some(own), rights.some('R')), (other, rights.all('R'))] {
                let Some(set) = set else { continue };
                let (status, _) = self.ask(Method::GET, &one(set), 0, None).await;
                if !self.fits(may, status) || may && status != 200 {
                    note("gets", may, status);
                }
            }
        }
        if table.verbs.contains(&Verb::Create) {
            let (status, _) = self.ask(Method::POST, table.path, 0, Some(Json::Object(body.clone()))).await;
            // The answer is the record, so nobody creates what they may not read.
            let may = rights.some('C') && rights.some('R');
            if !self.fits(may, status) {
                note("creates", may, status);
            }
        }
        if table.verbs.contains(&Verb::Update) {
            let change: Map<String, Json> = changeable(table, &self.columns[table.name], body).into_iter().collect();
            let (status, _) = self.ask(Method::PATCH, &one(own), self.version(table, own).await, Some(Json::Object(change))).await;
            if !self.fits(rights.some('U'), status) {
                note("patches", rights.some('U'), status);
            }
        }
        if table.verbs.contains(&Verb::Delete) && table.soft_delete {
            let (status, _) = self.ask(Method::DELETE, &one(own), self.version(table, own).await, None).await;
            self.restore(table, own).await;
            if !self.fits(rights.some('D'), status) {
                note("deletes", rights.some('D'), status);
            }
        }
        wrong
    }

    /// Whoever may is served, or told a rule of the domain; whoever may not is refused.
    fn fits(&self, may: bool, status: u16) -> bool {
        if may { matches!(status, 200..=299 | 409 | 412 | 422) } else { matches!(status, 400..=499) }
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

/// One field a PATCH may name and the plane may change, with the value it has.
fn changeable(table: &Table, columns: &[String], body: &Map<String, Json>) -> Option<(String, Json)> {
    let stored = |field: &Field| columns.iter().any(|column| column.strip_suffix("_enc").unwrap_or(column) == field.name);
    let open = |field: &&Field| field.access == Access::Write && field.computed.is_none() && stored(field) && body.contains_key(field.name);
    let field = table.fields.iter().find(open)?;
    Some((field.name.to_owned(), body[field.name].clone()))
}

/// Puts what a tenant's own key opens where the seed has invented bytes.
async fn seal(stage: &Stage) {
    // Invented keys open nothing; real ones are made when they are first needed.
    stage.truth.batch_execute("update enamel.encryption_keys set status = 'DESTROYED'").await.unwrap();
    let mut sealed: Vec<(&Table, &str)> = Vec::new();
    for table in domains::tables() {
        let fields = table.fields.iter().filter(|field| field.sealing != Sealing::Plain && field.computed.is_none());
        sealed.extend(fields.map(|field| (table, field.name)));
    }
    for (table, field) in sealed {
        let tenant_column = if table.has_tenant() { "tenant_id" } else { "id" };
        let sql = format!("select {tenant_column}, id from enamel.{} where {field}_enc is not null", table.name);
        for row in stage.truth.query(&sql, &[]).await.unwrap() {
            let (tenant, id): (Uuid, Uuid) = (row.get(0), row.get(1));
            let keys = stage.kernel.keys.of(tenant).await.unwrap();
            let value = keys.seal(table.name, field, id, b"Sealed").unwrap();
            let sql = format!("update enamel.{} set {field}_enc = $1 where {tenant_column} = $2 and id = $3", table.name);
            stage.truth.execute(&sql, &[&value, &tenant, &id]).await.unwrap();
        }
    }
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
    seal(stage).await;
    let names: Vec<&'static str> = domains::tables().map(|table| table.name).filter(|name| matrix.contains_key(*name)).collect();
    let visitor = async |person: Person| {
        let token = stage.sign_in(person).await;
        let plane = stage.resolve(&token).await.plane;
        let columns = names.iter().copied().zip(probe::updatable(&stage.truth, plane, &names).await).collect();
        Visitor { stage, world, token, person, columns }
    };
    let bodies = bodies(&visitor(PEOPLE[1]).await).await;
    let mut wrong = Vec::new();
    for person in PEOPLE {
        let visitor = visitor(person).await;
        let mut visits = Vec::new();
        // A view is its tables, and the platform's own tenant is no row of the arena's making.
        let its_own = |table: &Table| person.column == "platform" && table.name == "tenants";
        for table in domains::tables().filter(|table| matrix.contains_key(table.name) && !its_own(table)) {
            visits.push(visitor.visit(table, matrix[table.name][person.column], &bodies[table.name]));
        }
        wrong.extend(stream::iter(visits).buffer_unordered(AT_ONCE).concat().await);
    }
    wrong
}
