//! One row per table and set of rows, its values invented from the catalogue: types, checks, references.

use super::arena::{DSO, HIDDEN, NORTH, OAK, SETS, Set, UNREADY};
use std::collections::BTreeMap;
use tokio_postgres::Client;

/// A column as the catalogue has it.
pub struct Column {
    pub name: String,
    pub ty: String,
    pub needed: bool,
    pub checks: Vec<String>,
    /// Table it refers to.
    pub refers: Option<String>,
}

pub struct Shape {
    pub name: String,
    pub columns: Vec<Column>,
}

impl Shape {
    pub fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|found| found.name == column)
    }
}

const COLUMNS: &str = "
    select c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
           a.attnotnull and not a.atthasdef,
           coalesce((select array_agg(pg_get_expr(k.conbin, k.conrelid)) from pg_constraint k
                      where k.conrelid = c.oid and k.contype = 'c' and k.conkey = array[a.attnum]), '{}'),
           (select f.relname::text from pg_constraint k join pg_class f on f.oid = k.confrelid
             where k.conrelid = c.oid and k.contype = 'f' and a.attnum = any (k.conkey) and a.attname <> 'tenant_id'
               and (select b.attname from pg_attribute b where b.attrelid = k.confrelid
                     and b.attnum = k.confkey[array_position(k.conkey, a.attnum)]) = 'id' limit 1)
      from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relnamespace = 'enamel'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and a.attgenerated = ''
     order by c.relname, a.attnum";

/// Every table of the schema.
pub async fn shapes(client: &Client) -> Vec<Shape> {
    let mut shapes: Vec<Shape> = Vec::new();
    for row in client.query(COLUMNS, &[]).await.unwrap() {
        let name: String = row.get(0);
        if shapes.last().is_none_or(|shape| shape.name != name) {
            shapes.push(Shape { name, columns: Vec::new() });
        }
        let column = Column { name: row.get(1), ty: row.get(2), needed: row.get(3), checks: row.get(4), refers: row.get(5) };
        shapes.last_mut().unwrap().columns.push(column);
    }
    shapes
}

pub type Row = BTreeMap<String, String>;

/// Literals for a row of that set; the id may be another one.
pub async fn row(client: &Client, shape: &Shape, set: Set, id: uuid::Uuid) -> Row {
    let mut row = Row::new();
    for column in &shape.columns {
        if let Some(literal) = literal(client, shape, column, set, id).await {
            row.insert(column.name.clone(), literal);
        }
    }
    row
}

async fn literal(client: &Client, shape: &Shape, column: &Column, set: Set, id: uuid::Uuid) -> Option<String> {
    let quoted = |text: String| Some(format!("'{text}'"));
    match column.name.as_str() {
        "id" if shape.name == "tenants" => {
            return quoted(set.tenant_id().to_string()).filter(|_| id == set.id("tenants")).or(quoted(id.to_string()));
        }
        "id" => return quoted(id.to_string()),
        "tenant_id" | "role_tenant_id" | "root_tenant_id" | "payer_tenant_id" => return quoted(set.tenant_id().to_string()),
        "parent_tenant_id" if ["north", "south"].contains(&set.tenant) => return quoted(DSO.tenant_id().to_string()),
        "patient_id" => return quoted(set.id("patients").to_string()),
        "user_id" | "caller_id" | "auditor_user_id" => return quoted(set.id("users").to_string()),
        // It is about a procedure or a visit.
        "procedure_id" if shape.name == "clinical_outcomes" => return quoted(set.id("procedures").to_string()),
        "storage_key" => return quoted(format!("{}/none/none/{id}", set.tenant_id())),
        _ if !column.needed => return None,
        _ => {}
    }
    if let Some(table) = &column.refers {
        return quoted(set.id(table).to_string());
    }
    for candidate in candidates(column, id) {
        let literal = format!("'{candidate}'::{}", column.ty);
        if accepted(client, column, &literal).await {
            return Some(literal);
        }
    }
    panic!("no value found for {}.{} {} {:?}: teach the seeder one", shape.name, column.name, column.ty, column.checks)
}

async fn accepted(client: &Client, column: &Column, literal: &str) -> bool {
    if column.checks.is_empty() {
        return true;
    }
    let all: Vec<String> = column.checks.iter().map(|check| format!("({check})")).collect();
    let sql = format!("select coalesce({}, true) from (select {literal} as {}) x", all.join(" and "), column.name);
    client.query_one(&sql, &[]).await.is_ok_and(|row| row.get(0))
}

/// What to try, best first: the words a check lists, then one of each form we know.
fn candidates(column: &Column, id: uuid::Uuid) -> Vec<String> {
    let hex = id.simple().to_string();
    let digits: String = hex.bytes().map(|byte| char::from(b'0' + byte % 10)).take(9).collect();
    let mut out: Vec<String> = column.checks.iter().flat_map(|check| check.split('\'').skip(1).step_by(2)).map(str::to_owned).collect();
    let name = column.name.as_str();
    let late = ["until", "end", "expires", "not_after", "purge"].iter().any(|word| name.contains(word));
    out.extend(match column.ty.as_str() {
        "uuid" => vec![id.to_string()],
        "text" => [
            format!("seed-{hex}"),
            format!("{hex}@seed.example"),
            "EUR".into(),
            "DE".into(),
            "Europe/Berlin".into(),
            "en".into(),
            format!("1.2.{digits}"),
            format!("+49{digits}"),
            "#aabbcc".into(),
            "1234567893".into(),
            "11".into(),
            "A".into(),
        ]
        .into(),
        "integer" | "bigint" | "smallint" | "numeric" | "double precision" | "real" => {
            ["1", "0", "5", "15", "100"].map(str::to_owned).into()
        }
        "boolean" => vec!["false".into()],
        "timestamp with time zone" | "date" => vec![if late { "2099-01-01".into() } else { "2026-01-01".into() }],
        "time without time zone" => vec![if late { "17:00".into() } else { "08:00".into() }],
        "bytea" => vec![format!("\\x{hex}{hex}"), format!("\\x{hex}")],
        "inet" => vec!["127.0.0.1".into()],
        "jsonb" => vec!["{}".into(), "[]".into()],
        ty if ty.ends_with("[]") => vec!["{}".into()],
        _ => Vec::new(),
    });
    out
}

pub fn insert(shape: &Shape, row: &Row) -> String {
    let (names, values): (Vec<&str>, Vec<&str>) = row.iter().map(|(name, value)| (name.as_str(), value.as_str())).unzip();
    format!("insert into enamel.{} ({}) values ({})", shape.name, names.join(", "), values.join(", "))
}

/// What the invented rows need to be alive: who has which chart, which mandate, and what is published.
fn finish() -> String {
    let (north, oak, hidden) = (NORTH, OAK, HIDDEN);
    let mut sql = String::from(
        "update enamel.users set kind = 'SERVICE';
         update enamel.patient_portal_accounts set status = 'ACTIVE', email_key = id::text;
         update enamel.audit_mandates set permissions = kernel.permissions();
         update enamel.files set status = 'READY';",
    );
    sql += &format!("update enamel.files set status = 'PENDING' where id = '{}';", UNREADY.id("files"));
    sql += &format!("update enamel.files set is_patient_visible = false where id = '{}';", hidden.id("files"));
    sql += &format!("update enamel.providers set status = (select m[1] from pg_constraint k, regexp_matches(pg_get_constraintdef(k.oid), '''([A-Z_]+)''', 'g') m
        where k.conname = 'providers_status_check' and m[1] <> 'ACTIVE' limit 1) where id = '{}';", hidden.id("providers"));
    // North's patient is known to oak too.
    sql += &format!(
        "insert into enamel.patient_proxies (tenant_id, id, patient_id, user_id, relationship, scopes, status, granted_by, valid_from)
         values ('{}', gen_random_uuid(), '{}', '{}', 'OTHER',
                 '{{appointments,messages,billing,plans,clinical,documents,imaging}}', 'ACTIVE', 'PATIENT', '2026-01-01');",
        oak.tenant_id(),
        oak.id("patients"),
        north.id("users")
    );
    for tenant in ["north", "south", "oak", "dso", "platform"] {
        let id = Set { tenant, who: "own" }.tenant_id();
        sql += &format!("insert into enamel.tenant_closure values ('{id}', '{id}', 0) on conflict do nothing;");
        if ["north", "south"].contains(&tenant) {
            sql += &format!("insert into enamel.tenant_closure values ('{}', '{id}', 1);", DSO.tenant_id());
        }
    }
    sql
}

/// Fills every table. Triggers and references rest meanwhile: the rows fit each other, whatever their order.
pub async fn fill(client: &Client) {
    client
        .batch_execute(
            "set session_replication_role = replica; set search_path = enamel, kernel, pg_catalog;
        create schema probe; create table probe.label (rel text, tenant_id uuid, id uuid, label text)",
        )
        .await
        .unwrap();
    client.batch_execute("truncate enamel.tenant_closure").await.unwrap();
    for shape in shapes(client).await.iter().filter(|shape| shape.has("id")) {
        for set in SETS {
            let id = set.id(&shape.name);
            let mut row = row(client, shape, set, id).await;
            let mut stored = client.execute(&format!("{} on conflict do nothing", insert(shape, &row)), &[]).await;
            // A check over several columns: one optional reference more may satisfy it.
            for column in shape.columns.iter().filter(|column| column.refers.is_some() && !column.needed) {
                if stored.as_ref().is_err_and(|failure| failure.code() == Some(&tokio_postgres::error::SqlState::CHECK_VIOLATION)) {
                    let table = column.refers.as_deref().unwrap();
                    row.insert(column.name.clone(), format!("'{}'", set.id(table)));
                    stored = client.execute(&format!("{} on conflict do nothing", insert(shape, &row)), &[]).await;
                }
            }
            let stored = stored.unwrap_or_else(|failure| panic!("{}: {failure:?}", shape.name));
            if stored == 1 {
                client
                    .execute("insert into probe.label values ($1, $2, $3, $4)", &[&shape.name, &set.tenant_id(), &id, &set.label()])
                    .await
                    .unwrap();
            }
        }
    }
    client.batch_execute(&finish()).await.unwrap();
    client.batch_execute("reset session_replication_role; analyze").await.unwrap();
}
