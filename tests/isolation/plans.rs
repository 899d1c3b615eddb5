//! How PostgreSQL carries out what the kernel asks: every record table, read by id and listed by each sort and filter, on
//! the planes of people. A tenant's question must walk that tenant's part of an index; a policy must cost a statement
//! one evaluation, never one a row.

use super::arena::{self, Arena, Session};
use super::shape::{self, Shape};
use super::volume::{HERE, Volume};
use crate::world;
use enamel::kernel::context::{Context, Plane};
use enamel::kernel::table::list::{Built, PAGE_SIZE, sort_of};
use enamel::kernel::table::{Cursor, Filter, How, List, Sort, Table, Ty, Value, store};
use enamel::server::domains;
use serde_json::Value as Json;
use std::collections::{BTreeMap, HashMap, HashSet};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

/// So many rows may be read for nothing: some pages.
const FOR_NOTHING: f64 = 3.0 * PAGE_SIZE as f64;

struct Question {
    what: String,
    built: Built,
    /// The filter has few values: whoever asks for one of them reads past the others, and an index would not pay.
    coarse: bool,
}

/// Texts of few values.
const WORDS: &[(&str, &str)] = &[
    ("audit_events", "event_type"),
    ("audit_events", "resource_type"),
    ("change_log", "table_name"),
    ("files", "file_type"),
    ("imaging_studies", "modality_code"),
    // One tenant for many rows.
    ("payers", "payer_tenant_id"),
    ("quotes", "clinic_tenant_id"),
    ("bookings", "operator_tenant_id"),
    ("consents", "recipient_tenant_id"),
    ("contacts", "linked_tenant_id"),
    ("disclosures", "recipient_tenant_id"),
    ("document_grants", "grantee_tenant_id"),
    ("received_documents", "source_tenant_id"),
    ("referrals", "sender_tenant_id"),
    // True or false.
    ("chart_entries", "current"),
    ("record_shares", "grantee_tenant_id"),
    ("availability_blocks", "day_of_week"),
    ("documents", "document_type"),
    ("chart_entries", "fdi_tooth"),
    ("perio_measurements", "tooth_number"),
    ("treatment_plan_items", "tooth_number"),
    ("procedures", "tooth_number"),
    ("ai_predictions", "fdi_tooth"),
    ("referrals", "specialty"),
    ("notifications", "is_read"),
    ("knowledge_documents", "material_type"),
    ("webhook_events", "event_type"),
    ("custom_field_values", "field_key"),
    ("workflow_instances", "state"),
    // Too long for an index; asked for within one entity.
    ("custom_field_values", "value_text"),
];
/// Tables of which a tenant has some dozen rows; every list of them may read all of the tenant's.
const SMALL: &[&str] = &["locations"];

fn coarse(table: &Table, filter: &Filter) -> bool {
    let few = table.field(filter.name).is_some_and(|field| matches!(field.ty, Ty::Bool | Ty::Enum(_)));
    few && matches!(filter.how, How::Equal | How::Elsewhere { .. }) || WORDS.contains(&(table.name, filter.name))
}

/// A value that few rows of the tenant have: the edge of a range, else one from the middle.
async fn some(truth: &Client, table: &Table, column: &str, order: &str, tenant: &str) -> Option<String> {
    let own = if table.has_tenant() { format!("tenant_id = '{tenant}' and") } else { String::new() };
    let sql = format!(
        "select {column}::text from enamel.{} where {own} {column} is not null order by {column} {order} offset 2 limit 1",
        table.name
    );
    arena::texts(truth, &sql).await.ok()?.into_iter().next()
}

async fn value(truth: &Client, table: &'static Table, filter: &Filter, tenant: &str) -> Option<Value> {
    let (column, order) = match filter.how {
        How::Equal => (filter.name, ""),
        How::From(column) => (column, "desc"),
        How::Before(column) => (column, ""),
        How::Folded(column) => (column, ""),
        How::Words(columns) | How::AnyOf(columns) => (columns[0], ""),
        How::Blind(_) | How::Elsewhere { blind: true, .. } => return Some(Value::Bytes(vec![7; 32])),
        // The word that few have.
        How::Each(words) => return Some(Value::Text(words.last()?.0.to_owned())),
        How::Elsewhere { .. } => {
            let word = table.field(filter.name).and_then(|field| if let Ty::Enum(words) = field.ty { words.first() } else { None });
            return Some(Value::Text((*word.unwrap_or(&"nowhere")).to_owned()));
        }
    };
    let text = some(truth, table, column, order, tenant).await?;
    if matches!(filter.how, How::Words(_)) {
        return Some(Value::Text(text.replace('-', " ").split(' ').next_back()?.to_owned()));
    }
    store::filter_value(table, filter, text.replace(' ', "T").trim_end_matches("+00"))
        .or_else(|_| store::filter_value(table, filter, &text))
        .ok()
}

/// Everything the contracts ask of one table on a plane.
async fn questions(truth: &Client, volume: &Volume, table: &'static Table, caller: &Context) -> Vec<Question> {
    let (plane, tenant) = (caller.plane, caller.tenant);
    let here = volume.id("tenants", HERE, 0);
    let get = |id| store::get_query(table, plane, tenant, id, false).unwrap();
    let mut out = vec![Question { what: "by id".into(), built: get(volume.id(table.name, HERE, HERE)), coarse: false }];
    let mut filters = Vec::new();
    for filter in table.filters {
        filters.extend(value(truth, table, filter, &here.to_string()).await.map(|value| (filter, value)));
    }
    let sorts: Vec<Sort> = sort_of(table, "id").into_iter().chain(table.sorts.iter().copied()).collect();
    for sort in sorts {
        let list = List { sort, ..List::new(table) };
        let mut ask = |what: String, list: List, coarse| out.push(Question { what, built: list.page(plane, tenant).unwrap(), coarse });
        ask(format!("by {}", sort.name), list.clone(), false);
        let value = if sort.column == "id" { None } else { some(truth, table, sort.column, "", &here.to_string()).await };
        if sort.column == "id" || value.is_some() {
            let value = value.map(|text| if matches!(sort.ty, Ty::Instant) { text.replace(' ', "T") + ":00" } else { text });
            let after = Some(Cursor { value, id: volume.id(table.name, HERE, 9), tenant: here });
            ask(format!("by {}, a later page, descending", sort.name), List { after, descending: true, ..list.clone() }, false);
        }
        for (filter, value) in &filters {
            let one = List { filters: vec![(filter, value.clone())], ..list.clone() };
            ask(format!("by {} where {}", sort.name, filter.name), one, coarse(table, filter));
        }
    }
    out
}

/// Filters and sorts without an index that begins with the tenant and goes on with them.
fn unindexed(table: &Table, catalogue: &Catalogue) -> Vec<String> {
    if SMALL.contains(&table.name) || !catalogue.tenant_tables.contains(table.name) {
        return Vec::new();
    }
    let mut columns: Vec<(String, &str)> = table.sorts.iter().map(|sort| (sort.name.to_owned(), sort.column)).collect();
    for filter in table.filters.iter().filter(|filter| !coarse(table, filter)) {
        let of: &[&str] = match &filter.how {
            How::Equal => &[filter.name],
            How::From(column) | How::Before(column) | How::Folded(column) => &[*column],
            How::Words(columns) | How::AnyOf(columns) => columns,
            How::Blind(_) | How::Elsewhere { .. } | How::Each(_) => &[],
        };
        columns.extend(of.iter().map(|column| (filter.name.to_owned(), *column)));
    }
    let key = |column: &str| (table.name.to_owned(), column.to_owned());
    columns.retain(|(_, column)| !catalogue.indexed.contains(&key(column)));
    columns.into_iter().map(|(name, column)| format!("{}: no index of the tenant's {column} for {name}", table.name)).collect()
}

pub struct Catalogue {
    tenant_tables: HashSet<String>,
    /// Table and the column right behind the tenant in one of its indexes.
    indexed: HashSet<(String, String)>,
    /// Index and its table.
    indexes: HashMap<String, String>,
}

impl Catalogue {
    pub async fn read(truth: &Client) -> Catalogue {
        let with_tenant = "select c.relname::text from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
            where c.relnamespace = 'enamel'::regnamespace and c.relkind in ('r', 'p')";
        let second =
            "select i.indrelid::regclass::text, x.relname::text, b.attname::text from pg_index i join pg_class x on x.oid = i.indexrelid
              join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
              left join pg_attribute b on b.attrelid = i.indrelid and b.attnum = i.indkey[1] and a.attname = 'tenant_id'
             where x.relnamespace = 'enamel'::regnamespace";
        let (mut indexed, mut indexes) = (HashSet::new(), HashMap::new());
        for row in truth.query(second, &[]).await.unwrap() {
            let table = row.get::<_, String>(0).replace("enamel.", "");
            indexes.insert(row.get(1), table.clone());
            indexed.extend(row.get::<_, Option<String>>(2).map(|column| (table, column)));
        }
        let tenant_tables = arena::texts(truth, with_tenant).await.unwrap().into_iter().collect();
        Catalogue { tenant_tables, indexed, indexes }
    }
}

const POLICY_FUNCTIONS: &[&str] = &[
    "sec.tenant(",
    "sec.home(",
    "sec.whole(",
    "sec.me(",
    "sec.my_",
    "sec.any_patient(",
    "sec.one_patient(",
    "sec.tenants(",
    "sec.shared(",
    "sec.patients(",
    "sec.pairs(",
    "sec.actor(",
    "sec.members(",
    "sec.known(",
    "sec.everything(",
    "sec.claims(",
];

/// What is wrong with a plan; `ran` when its rows were counted.
pub struct Judge<'a> {
    pub catalogue: &'a Catalogue,
    pub large: &'a HashSet<String>,
    /// Rows read for nothing count.
    pub strict: bool,
    /// The planner chose by its own costs: it reads all of a table of some rows.
    pub by_cost: bool,
    pub ran: bool,
    pub faults: Vec<String>,
}

impl Judge<'_> {
    pub fn node(&mut self, node: &Json) {
        let text = |name: &str| node[name].as_str().unwrap_or_default();
        let number = |name: &str| node[name].as_f64().unwrap_or_default();
        let kind = text("Node Type");
        let index = text("Index Name");
        let table = self.catalogue.indexes.get(index).map_or(text("Relation Name"), String::as_str);
        let walks = ["Index Scan", "Index Only Scan", "Bitmap Index Scan"].contains(&kind);
        let is_few_rows = self.by_cost && !self.large.contains(table);
        if kind == "Seq Scan" && self.catalogue.tenant_tables.contains(table) && !is_few_rows {
            self.faults.push(format!("reads all of {table}"));
        }
        // One login's rows over all tenants are few, and those of one id fewer.
        let condition = text("Index Cond");
        let few = index.ends_with("_user_id_tenant_idx") && condition.contains("user_id = ") || condition.contains("(id = ");
        if walks && self.catalogue.tenant_tables.contains(table) && !condition.contains("tenant_id") && !few {
            self.faults.push(format!("walks {index} without a tenant"));
        }
        for place in ["Filter", "Index Cond", "Recheck Cond", "Join Filter", "Hash Cond", "Merge Cond"] {
            if POLICY_FUNCTIONS.iter().any(|function| text(place).contains(function)) {
                self.faults.push(format!("asks the policy for every row of {table}: {}", text(place)));
            }
        }
        if self.ran {
            let loops = number("Actual Loops");
            let removed = number("Rows Removed by Filter") * loops;
            if self.strict
                && self.large.contains(table)
                && !SMALL.contains(&table)
                && removed > FOR_NOTHING
                && removed > number("Actual Rows") * loops
            {
                self.faults.push(format!("throws away {removed} of {table} by {}", text("Filter")));
            }
            let role = text("Parent Relationship");
            if role == "InitPlan" && loops > 1.0 || role == "SubPlan" && loops > FOR_NOTHING {
                self.faults.push(format!("{} ran {loops} times", text("Subplan Name")));
            }
        }
        for child in node["Plans"].as_array().into_iter().flatten() {
            self.node(child);
        }
    }
}

async fn explain(session: &Session, question: &Question, ran: bool) -> Result<Json, String> {
    let Built { query, .. } = &question.built;
    if ran {
        let sql = format!("explain (analyze, timing off, format json) {}", query.text);
        let params: Vec<_> = question.built.params().into_iter().zip(query.types.iter().cloned()).collect();
        let rows = session.client.query_typed(&sql, &params).await;
        return rows.map(|rows| rows[0].get(0)).map_err(|failure| format!("{failure:?}"));
    }
    let types: Vec<&str> = query.types.iter().map(Type::name).collect();
    let (of, nulls) = if types.is_empty() {
        (String::new(), String::new())
    } else {
        (format!("({})", types.join(", ")), format!("({})", vec!["null"; types.len()].join(", ")))
    };
    let sql = format!("deallocate all; prepare p {of} as {}; explain (format json) execute p {nulls}", query.text);
    let text = arena::texts(&session.client, &sql).await?;
    serde_json::from_str(&text[0]).map_err(|failure| failure.to_string())
}

async fn judge(volume: &Volume, truth: &Client, plane: Plane, catalogue: &Catalogue) -> (usize, BTreeMap<String, Vec<String>>) {
    let (session, caller) = (volume.session(plane).await, volume.caller(plane));
    session.client.batch_execute("set search_path = enamel, pg_catalog; set plan_cache_mode = force_generic_plan").await.unwrap();
    let (mut asked, mut faults) = (0, BTreeMap::<String, Vec<String>>::new());
    for table in domains::tables().filter(|table| catalogue.tenant_tables.contains(table.name) || !table.has_tenant()) {
        if plane == Plane::Group && !table.group {
            continue;
        }
        let by_cost = volume.large.contains(table.name);
        session.begin(&session.seal(&caller)).await;
        session.client.batch_execute(&format!("set local enable_seqscan = {by_cost}")).await.unwrap();
        for question in questions(truth, volume, table, &caller).await {
            for ran in [false, true] {
                session.client.batch_execute("savepoint one").await.unwrap();
                let mut judge = Judge { catalogue, large: &volume.large, strict: !question.coarse, by_cost, ran, faults: Vec::new() };
                match explain(&session, &question, ran).await {
                    Ok(plan) => judge.node(&plan[0]["Plan"]),
                    // Columns the plane does not have: nobody asks that there.
                    Err(code) if code.contains("42501") => {}
                    Err(failure) => judge.faults.push(failure),
                }
                asked += 1;
                for fault in judge.faults {
                    let how = if ran { "custom" } else { "generic" };
                    faults
                        .entry(format!("{} {}: {fault}", table.name, plane.word()))
                        .or_default()
                        .push(format!("{} ({how})", question.what));
                }
                session.client.batch_execute("rollback to one").await.unwrap();
            }
        }
        session.rollback().await;
    }
    (asked, faults)
}

/// Lists walk a patient's charts by the column their field table names; policies must mean the same rows.
#[test]
fn charts_are_walked_by_the_column_that_policies_ask() {
    world::with(async |world| {
        let truth = Arena::shared(world).await.truth().await;
        let shapes: HashMap<String, Shape> = shape::shapes(&truth).await.into_iter().map(|shape| (shape.name.clone(), shape)).collect();
        let with_policy =
            "select tablename::text from pg_policies where schemaname = 'enamel' and roles[1] = 'enamel_patient' and cmd = 'SELECT'";
        let seen: HashSet<String> = arena::texts(&truth, with_policy).await.unwrap().into_iter().collect();
        for table in domains::tables().filter(|table| seen.contains(table.name)) {
            let walked = table.patient.filter(|_| table.has_tenant());
            let asked = shapes[table.name].patient.as_deref();
            assert!(walked.is_none() || walked == asked, "{}: walked by {walked:?}, policies ask {asked:?}", table.name);
        }
    });
}

#[test]
fn every_question_walks_its_tenants_part_of_an_index() {
    world::with(async |world| {
        let volume = Volume::make(Arena::fresh(world, "plans").await).await;
        let truth = volume.arena.truth().await;
        let catalogue = Catalogue::read(&truth).await;
        let planes = [Plane::Staff, Plane::Group, Plane::Patient].map(|plane| judge(&volume, &truth, plane, &catalogue));
        let (mut asked, mut wrong) = (0, domains::tables().flat_map(|table| unindexed(table, &catalogue)).collect::<Vec<_>>());
        for (some, faults) in futures_util::future::join_all(planes).await {
            asked += some;
            wrong.extend(faults.into_iter().map(|(fault, where_)| format!("{fault}\n    {} × {}", where_.len(), where_[0])));
        }
        assert!(asked > 10_000 && volume.large.len() > 150, "{asked} plans, {} tables in quantity", volume.large.len());
        assert!(wrong.is_empty(), "{asked} plans, {} wrong:\n{}", wrong.len(), wrong.join("\n"));
        drop(truth);
        volume.arena.drop().await;
    });
}
