//! Rows for every table and set, their values invented from the catalogue: types, checks, references, policies. A table
//! added later is filled like the others; only what no catalogue can say stands in [`OVERRIDES`].

use super::arena::{self, Arena, DSO, ELSEWHERE, HIDDEN, NORTH, OAK, SETS, SOUTH, STRANGER, Set, WITHHELD};
use super::invent::{self, Draft, Source};
use super::shape::{self, Shape};
use crate::world;
use enamel::kernel::context::Plane;
use std::collections::{BTreeMap, HashSet};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

/// Table (or `*`), column and literal; `{tenant}`, `{id}`, `{hex}`, `{digits}` and `{patient}` are the row's.
pub const OVERRIDES: &[(&str, &str, &str)] = &[
    ("*", "storage_key", "'{tenant}/none/none/{id}'"),
    ("appointment_series", "recurrence_rule", "'FREQ=WEEKLY'"),
    ("api_clients", "client_type", "'BACKEND'"),
    // Of a table that not everybody may read.
    ("change_log", "table_name", "'patients'"),
    ("break_glass_grants", "valid_from", "'2098-12-31 22:00+00'"),
    ("break_glass_grants", "valid_until", "'2099-01-01'"),
    ("consents", "subject_type", "'PATIENT'"),
    ("consents", "subject_id", "'{patient}'"),
    ("image_annotations", "annotation_type", "'LABEL'"),
    ("image_annotations", "geometry", "('{\"points\": [[1' || chr(44) || '1]]}')::jsonb"),
    // What decides about others' rows is alive.
    ("patient_portal_accounts", "status", "'ACTIVE'"),
    ("patient_portal_accounts", "email_key", "'{id}'"),
    ("users", "kind", "'SERVICE'"),
];

/// One more row: like that set's, with its own label and these values instead.
struct More {
    table: &'static str,
    like: Set,
    label: &'static str,
    instead: Vec<(&'static str, String)>,
}

/// What shows conditions that ask for more than whose row it is.
fn more() -> Vec<More> {
    let more = |table, like, label, instead: &[(&'static str, String)]| More { table, like, label, instead: instead.to_vec() };
    let null = || "null".to_owned();
    let id = |id: Uuid| format!("'{id}'");
    let everybody = [("audience", "'TENANT'".to_owned()), ("user_id", null()), ("patient_id", null())];
    let (me, second, quarantined) = (NORTH.id("users"), arena::hashed(&["second chart"]), HIDDEN.id("imaging_studies"));
    vec![
        // To everybody of a clinic; to one person who left it; to one about somebody else's chart.
        more("notifications", NORTH, "all", &everybody),
        more("notifications", OAK, "all", &everybody),
        more("notifications", ELSEWHERE, "left", &[("patient_id", null())]),
        more("notifications", NORTH, "others", &[("patient_id", id(STRANGER.id("patients")))]),
        // Of a table that everybody may read.
        more("change_log", NORTH, "plain", &[("table_name", "'fhir_extras'".into())]),
        more("change_log", STRANGER, "stranger-plain", &[("table_name", "'fhir_extras'".into())]),
        // North's own patient has a chart of another number in oak, where the twin has theirs.
        more("patient_portal_accounts", OAK, "second", &[("user_id", id(me)), ("patient_id", id(second))]),
        more("imaging_series", NORTH, "quarantined", &[("study_id", id(quarantined))]),
        more("imaging_objects", NORTH, "quarantined", &[("study_id", id(quarantined))]),
    ]
}

/// Tables that are not rows with an id; [`finish`] fills them.
const BY_HAND: &[&str] = &["tenant_closure"];

pub type Row = BTreeMap<String, String>;

pub fn insert(shape: &Shape, row: &Row) -> String {
    let (names, values): (Vec<&str>, Vec<&str>) = row.iter().map(|(name, value)| (name.as_str(), value.as_str())).unzip();
    format!("insert into enamel.{} ({}) values ({})", shape.name, names.join(", "), values.join(", "))
}

/// A table with the values its rows get.
pub struct Plan {
    pub shape: Shape,
    draft: Draft,
    /// The same with one condition of being published unmet, one for each.
    unpublished: Vec<Draft>,
}

impl Plan {
    pub async fn of(client: &Client, shape: Shape) -> Plan {
        let draft = invent::draft(client, &shape).await;
        let mut unpublished = Vec::new();
        for place in 0..shape.published.len() {
            unpublished.push(invent::unpublished(client, &shape, &draft, place).await);
        }
        Plan { shape, draft, unpublished }
    }
    pub fn row(&self, set: Set, id: Uuid) -> Row {
        self.draft_of(set).iter().map(|(name, source)| (name.clone(), source.literal(set, id))).collect()
    }
    /// Where a published row's value comes from; none is its default.
    pub fn source(&self, column: &str) -> Option<&Source> {
        self.draft.get(column)
    }
    fn draft_of(&self, set: Set) -> &Draft {
        set.unpublished().and_then(|place| self.unpublished.get(place)).unwrap_or(&self.draft)
    }
    /// The sets that have a row of their own in this table.
    fn sets(&self) -> impl Iterator<Item = Set> {
        SETS.into_iter().filter(|set| match set.unpublished() {
            Some(place) => place < self.unpublished.len(),
            None => *set != ELSEWHERE || self.shape.owned_in_tenant,
        })
    }
}

pub async fn plans(client: &Client) -> Vec<Plan> {
    let mut plans = Vec::new();
    for shape in shape::shapes(client).await {
        plans.push(Plan::of(client, shape).await);
    }
    plans
}

/// Fills every table. Triggers and references rest meanwhile: the rows fit each other, whatever their order.
pub async fn fill(client: &Client) {
    client
        .batch_execute(
            "set session_replication_role = replica; set search_path = enamel, kernel, pg_catalog;
        create schema probe; create table probe.label (rel text, tenant_id uuid, id uuid, label text);
        truncate enamel.tenant_closure",
        )
        .await
        .unwrap();
    for plan in plans(client).await.iter().filter(|plan| !BY_HAND.contains(&plan.shape.name.as_str())) {
        fill_table(client, plan).await;
    }
    client.batch_execute(&finish()).await.unwrap();
    client.batch_execute("create index on probe.label (rel, id); reset session_replication_role; analyze").await.unwrap();
}

async fn fill_table(client: &Client, plan: &Plan) {
    let mut filled: HashSet<(Uuid, Uuid)> = HashSet::new();
    for set in plan.sets() {
        let id = set.id(&plan.shape.name);
        if filled.contains(&(set.tenant_id(), id)) {
            continue;
        }
        if store(client, plan, set, id).await {
            filled.insert((set.tenant_id(), id));
            label(client, &plan.shape, set.tenant_id(), id, &set.label()).await;
        } else {
            let second = set.unpublished().is_some() && !alone(client, &plan.shape).await;
            let must = plan.shape.has("tenant_id") && ([NORTH, SOUTH, OAK, ELSEWHERE].contains(&set) || second);
            assert!(!must, "no row of {} fits into {}: teach the seed one", set.label(), plan.shape.name);
        }
    }
    for more in more().into_iter().filter(|more| more.table == plan.shape.name) {
        let (tenant, id) = (more.like.tenant_id(), arena::hashed(&[more.table, more.like.tenant, more.label]));
        let mut row = plan.row(more.like, id);
        row.extend(more.instead.into_iter().map(|(column, literal)| (column.to_owned(), literal)));
        client.execute(&insert(&plan.shape, &row), &[]).await.unwrap();
        label(client, &plan.shape, tenant, id, &format!("{}.{}", more.like.tenant, more.label)).await;
    }
}

/// A patient (or a tenant) has one row at most, which is shown or not: there is no second beside it.
async fn alone(client: &Client, shape: &Shape) -> bool {
    let sql = "select from pg_index i where i.indrelid = ('enamel.' || $1)::regclass and i.indisunique and not exists (
                   select from pg_attribute a where a.attrelid = i.indrelid and a.attnum = any (i.indkey)
                      and a.attname not in ('tenant_id', 'patient_id') and not (a.attname <> 'id' and not a.attnotnull))";
    !client.query(sql, &[&shape.name]).await.unwrap().is_empty()
}

async fn label(client: &Client, shape: &Shape, tenant: Uuid, id: Uuid, label: &str) {
    client.execute("insert into probe.label values ($1, $2, $3, $4)", &[&shape.name, &tenant, &id, &label]).await.unwrap();
}

/// One row, varied until no unique index refuses it.
async fn store(client: &Client, plan: &Plan, set: Set, id: Uuid) -> bool {
    let mut draft = plan.draft_of(set).clone();
    for turn in 0..8 {
        let row: Row = draft.iter().map(|(name, source)| (name.clone(), source.literal(set, id))).collect();
        let Err(failure) = client.execute(&insert(&plan.shape, &row), &[]).await else { return true };
        let db = failure.as_db_error().unwrap_or_else(|| panic!("{}: {failure:?}", plan.shape.name));
        let taken = [SqlState::UNIQUE_VIOLATION, SqlState::EXCLUSION_VIOLATION].contains(db.code());
        assert!(taken, "{} {}: {failure:?}\n{}", plan.shape.name, set.label(), insert(&plan.shape, &row));
        let columns = columns_of(client, db.constraint().unwrap_or_default()).await;
        if !vary(client, &plan.shape, &mut draft, &columns, turn).await {
            return false;
        }
    }
    false
}

async fn columns_of(client: &Client, index: &str) -> Vec<String> {
    let sql = "select a.attname::text from pg_attribute a where a.attrelid = ('enamel.' || quote_ident($1))::regclass";
    client.query(sql, &[&index]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// Another value for a column of the index that does not say whose row it is.
async fn vary(client: &Client, shape: &Shape, draft: &mut Draft, columns: &[String], turn: usize) -> bool {
    for column in columns.iter().filter_map(|name| shape.column(name)).filter(|column| column.generated.is_none()) {
        let removable = |source: &Source| column.nullable && *source == Source::Row("users".into());
        if draft.get(&column.name).is_some_and(|source| !source.free() && !removable(source)) {
            continue;
        }
        if column.nullable && draft.remove(&column.name).is_some() {
            return true;
        }
        let next = if draft.contains_key(&column.name) { turn + 1 } else { 0 };
        let other = invent::choices(client, shape, column, next + 1).await.into_iter().nth(next);
        if let Some(other) = other {
            draft.insert(column.name.clone(), other);
            return true;
        }
    }
    false
}

/// Who has which chart, which mandate, and the tree.
fn finish() -> String {
    // North's patient is known to oak too, whose page nobody has published.
    let mut sql = format!(
        "update enamel.audit_mandates set permissions = kernel.permissions();
         update enamel.record_shares set permissions = kernel.permissions();
         update enamel.clinic_profiles set status = 'DRAFT' where tenant_id = '{0}';
         insert into enamel.patient_proxies (tenant_id, id, patient_id, user_id, relationship, scopes, status, granted_by, valid_from)
         values ('{0}', gen_random_uuid(), '{1}', '{2}', 'OTHER',
                 '{{appointments,messages,billing,plans,clinical,documents,imaging}}', 'ACTIVE', 'PATIENT', '2026-01-01');",
        OAK.tenant_id(),
        OAK.id("patients"),
        NORTH.id("users")
    );
    // For their own patients only: what a context with a part shows.
    sql += &format!(
        "insert into enamel.user_roles (tenant_id, id, user_id, role_tenant_id, role_id, resource_scope)
         select '{}', gen_random_uuid(), '{}', o.tenant_id, o.id, 'SELF' from enamel.roles o where o.code = 'TENANT_ADMIN';",
        NORTH.tenant_id(),
        NORTH.id("users")
    );
    // A picture of the study nobody has matched to its patient yet, and what was drawn on it.
    for (table, points, to) in
        [("imaging_objects", "study_id", "imaging_studies"), ("image_annotations", "imaging_object_id", "imaging_objects")]
    {
        let (withheld, own, tenant) = (WITHHELD.id(table), NORTH.id(table), NORTH.tenant_id());
        let of = if to == "imaging_studies" { HIDDEN.id(to) } else { WITHHELD.id(to) };
        let change = format!("jsonb_build_object('id', '{withheld}', '{points}', '{of}', 'sop_instance_uid', null)");
        sql += &format!(
            "insert into enamel.{table} select (jsonb_populate_record(a, {change})).* from enamel.{table} a where a.id = '{own}';
             insert into probe.label values ('{table}', '{tenant}', '{withheld}', '{}');",
            WITHHELD.label()
        );
    }
    for tenant in ["north", "south", "oak", "dso", "platform"] {
        let id = Set { tenant, who: "own" }.tenant_id();
        sql += &format!("insert into enamel.tenant_closure values ('{id}', '{id}', 0) on conflict do nothing;");
        if ["north", "south"].contains(&tenant) {
            sql += &format!("insert into enamel.tenant_closure values ('{}', '{id}', 1);", DSO.tenant_id());
        }
    }
    sql
}

/// A table as a later room may add it, with what is hard to guess.
const NEW_TABLE: &str = "
    create table enamel.novelties (
        tenant_id uuid not null references enamel.tenants (id), id uuid not null, patient_id uuid not null,
        payer_tenant_id uuid, payer_id uuid, code text not null check (code ~ '^[A-Z]{2}$'),
        state text not null check (state in ('DRAFT', 'FINAL', 'SENT')), is_sent boolean not null generated always as (state = 'SENT') stored,
        from_day date not null, until_day date not null, amount bigint check (amount > 0), percent integer,
        released_at timestamptz, note text, price numeric(12, 2) not null check (price >= 0),
        primary key (tenant_id, id), foreign key (tenant_id, patient_id) references enamel.patients (tenant_id, id),
        foreign key (payer_tenant_id, payer_id) references enamel.payers (tenant_id, id),
        check (until_day > from_day), check ((amount is null) <> (percent is null)), check ((payer_id is null) = (payer_tenant_id is null)),
        check (state <> 'SENT' or note is not null));
    create unique index on enamel.novelties (tenant_id, patient_id, code);
    select kernel.protect('novelties', 'staff=all/all patient=own/none jobs=all/all', read => 'view_patient', write => 'edit_patient',
        patient => 'patient_id', rows => 'is_sent and released_at is not null');";

#[test]
fn a_table_nobody_described_is_filled() {
    world::with(async |world| {
        let arena = Arena::fresh(world, "novelties").await;
        let truth = arena.truth().await;
        truth.batch_execute(&format!("set search_path = enamel, kernel, pg_catalog; {NEW_TABLE}")).await.unwrap();
        let shape = shape::shapes(&truth).await.into_iter().find(|shape| shape.name == "novelties").unwrap();
        fill_table(&truth, &Plan::of(&truth, shape).await).await;
        let rows = "select l.label || ' ' || concat_ws(',', is_sent, released_at is not null) from enamel.novelties r
                      join probe.label l on (l.tenant_id, l.id) = (r.tenant_id, r.id) order by 1";
        let expected =
            ["dso.own t,t", "north.hidden f,t", "north.own t,t", "north.stranger t,t", "north.unready t,f", "oak.own t,t", "oak.twin t,t"];
        let filled = arena::texts(&truth, rows).await.unwrap();
        assert_eq!(filled[..7], expected, "{filled:?}");
        let patient = arena.plane(Plane::Patient).await;
        assert_eq!(patient.ask(&arena::own(Plane::Patient), "select count(*) from enamel.novelties").await, Ok(vec!["2".into()]));
        drop((truth, patient));
        arena.drop().await;
    });
}
