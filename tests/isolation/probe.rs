//! What one plane may do with one table, tried statement by statement. The line it makes is what the golden file holds.

use super::arena::{self, Arena, NORTH, OAK, SOUTH, STRANGER, Session, Set, TWIN};
use super::seed::{self, Shape};
use chrono::{TimeDelta, Utc};
use enamel::kernel::context::{Caps, Context, Plane};
use futures_util::TryStreamExt;
use tokio_postgres::Client;
use uuid::Uuid;

/// Runs each statement by itself and undoes it. `?` in front: the first column of its row; else the rows it touched.
const RUNNER: &str = "
    create function probe.run(statements text[]) returns text[] language plpgsql as $$
    declare s text; answer text; n bigint; out text[] := '{}';
    begin
        foreach s in array statements loop
            begin
                if left(s, 1) = '?' then execute substr(s, 2) into answer;
                else execute s; get diagnostics n = row_count; answer := n; end if;
                raise exception using errcode = 'PR000', message = coalesce(answer, '');
            exception when others then
                out := out || case sqlstate when 'PR000' then '=' || sqlerrm else sqlstate end;
            end;
        end loop;
        return out;
    end $$;
    grant usage on schema probe to public;
    grant select on probe.label to public;
    grant execute on function probe.run(text[]) to public;";

pub async fn install(client: &Client) {
    client.batch_execute(RUNNER).await.unwrap();
}

/// A table and the rows we try to plant in it.
pub struct Target {
    pub shape: Shape,
    own: String,
    stranger: String,
    foreign: String,
    twin: String,
    literals: seed::Row,
    /// Every column a plane could be given UPDATE on.
    columns: Vec<String>,
}

/// Every table of the schema.
pub async fn targets(truth: &Client) -> Vec<Target> {
    truth.batch_execute("set search_path = enamel, kernel, pg_catalog").await.unwrap();
    let mut targets = Vec::new();
    for shape in seed::shapes(truth).await {
        let mut plant = Vec::new();
        for set in [NORTH, STRANGER, OAK, TWIN] {
            plant.push(seed::insert(&shape, &seed::row(truth, &shape, set, Uuid::new_v4()).await));
        }
        let columns = shape.columns.iter().map(|column| column.name.clone()).collect();
        let literals = seed::row(truth, &shape, NORTH, Uuid::new_v4()).await;
        let [own, stranger, foreign, twin] = plant.try_into().unwrap();
        targets.push(Target { shape, own, stranger, foreign, twin, literals, columns });
    }
    targets
}

impl Target {
    pub fn name(&self) -> &str {
        &self.shape.name
    }
    /// Which of the seeded rows a statement's rows are.
    fn labels(&self, source: &str) -> String {
        if !self.shape.has("id") {
            return format!("?select count(*) from {source} x");
        }
        let tenant = if self.shape.has("tenant_id") { "and l.tenant_id = x.tenant_id" } else { "" };
        format!(
            "?select string_agg(distinct coalesce(l.label, 'unlabelled'), ' ') from {source} x
               left join probe.label l on l.rel = '{}' and l.id = x.id {tenant}",
            self.name()
        )
    }
    fn read(&self) -> String {
        self.labels(&format!("enamel.{}", self.name()))
    }
    fn key(&self, set: Set) -> String {
        let tenant = if self.shape.has("tenant_id") { format!("tenant_id = '{}' and ", set.tenant_id()) } else { String::new() };
        if self.shape.has("id") { format!("{tenant}id = '{}'", set.id(self.name())) } else { "true".into() }
    }
    /// Sets the column without reading any, so that the policy for reading has no part in it.
    fn blindly(&self, column: &str) -> String {
        let value = match self.literals.get(column) {
            _ if column == "updated_at" => "now()",
            Some(literal) => literal,
            None => "default",
        };
        format!("update enamel.{} set {column} = {value}", self.name())
    }
    /// A column to try: one whose value does not matter, if there is one.
    fn column(&self, granted: &[String]) -> String {
        let free = |name: &&String| self.literals.get(*name).is_none();
        let first = granted.iter().find(|name| *name == "updated_at" || granted.iter().all(|other| other != "updated_at") && free(name));
        first.or(granted.last()).unwrap_or(&self.columns[0]).clone()
    }
    fn keys(&self) -> &str {
        if self.shape.has("tenant_id") { "tenant_id, id" } else { "id" }
    }
    /// Any statement that changes: each must fail before its first row without a believed context.
    fn basic(&self, column: &str) -> Vec<String> {
        let name = self.name();
        vec![self.read(), self.own.clone(), self.blindly(column), format!("delete from enamel.{name}")]
    }
}

/// What was seen, to be written or compared.
pub struct Line {
    pub table: String,
    pub plane: Plane,
    pub text: String,
    /// Promises that no golden file may weaken.
    pub broken: Vec<String>,
}

async fn run(session: &Session, sealed: &str, statements: &[String]) -> Vec<String> {
    session.begin(sealed).await;
    let answer = session.client.query_one("select probe.run($1)", &[&statements]).await.unwrap().get(0);
    session.rollback().await;
    answer
}

fn yes(answer: &str) -> String {
    match answer {
        "42501" => "n".into(),
        "0A000" => "n".into(),
        code if code.starts_with("23") || code == "55000" || code.starts_with('=') => "y".into(),
        other => other.to_owned(),
    }
}
fn seen(answer: &str) -> String {
    match answer.strip_prefix('=') {
        Some(labels) => format!("[{labels}]"),
        None if answer == "42501" => "denied".into(),
        None => answer.to_owned(),
    }
}

pub async fn updatable(truth: &Client, plane: Plane, target: &Target) -> Vec<String> {
    let sql = "select c from unnest($3::text[]) c where has_column_privilege($1, 'enamel.' || $2::text, c, 'UPDATE')";
    let rows = truth.query(sql, &[&format!("enamel_{}", plane.word()), &target.name(), &target.columns]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Contexts PostgreSQL must not believe, and the one of another plane.
pub fn forged(session: &Session, plane: Plane, sealer: &enamel::kernel::context::Sealer) -> Vec<(&'static str, String)> {
    let real = arena::own(plane);
    let sealed = session.seal(&real);
    let later = Utc::now() + TimeDelta::seconds(60);
    let other = if plane == Plane::Staff { Plane::Jobs } else { Plane::Staff };
    let mut elsewhere = real.clone();
    elsewhere.plane = other;
    let flipped = if sealed.starts_with('0') { "1" } else { "0" };
    vec![
        ("expired", sealer.seal(&real, session.pid, Utc::now() - TimeDelta::seconds(1))),
        ("wrong pid", sealer.seal(&real, session.pid + 1, later)),
        ("wrong plane", sealer.seal(&elsewhere, session.pid, later)),
        ("wrong MAC", format!("{flipped}{}", &sealed[1..])),
        ("changed", sealed.replace(&real.tenant.unwrap_or_default().to_string(), &OAK.tenant_id().to_string())),
        ("garbage", "0".repeat(300)),
    ]
}

/// All commands of one plane on one table in its own context and in the wrong ones.
pub async fn observe(arena: &Arena, truth: &Client, session: &Session, plane: Plane, target: &Target) -> Line {
    let columns = updatable(truth, plane, target).await;
    let column = target.column(&columns);
    let own = arena::own(plane);
    let name = target.name();
    let mut broken = Vec::new();
    // Reading in every believed context.
    let mut reads = Vec::new();
    for context in [own.clone(), arena::context(plane, SOUTH), arena::context(plane, OAK), Context { caps: Caps::NONE, ..own.clone() }] {
        reads.push(run(session, &session.seal(&context), &[target.read()]).await.remove(0));
    }
    let none = run(session, "", &target.basic(&column)).await;
    if !none[0].trim_start_matches(['=', '0']).is_empty() && none[0] != "42501"
        || none[1..].iter().any(|answer| !["42501", "=0"].contains(&answer.as_str()))
    {
        broken.push(format!("{name} {}: without a context {none:?}", plane.word()));
    }
    for (kind, sealed) in forged(session, plane, &arena.sealer) {
        let answers = run(session, &sealed, &target.basic(&column)).await;
        if answers.iter().any(|answer| answer != "42501") {
            broken.push(format!("{name} {}: a context that is {kind} gives {answers:?}", plane.word()));
        }
    }
    let writes = run(session, &session.seal(&own), &writes(target, &columns, &column)).await;
    let copied = copy(&arena.plane(plane).await, &own, target).await;
    let text = format_line(target, &columns, &reads, &writes, &copied);
    Line { table: name.to_owned(), plane, text, broken }
}

fn writes(target: &Target, columns: &[String], column: &str) -> Vec<String> {
    let name = target.name();
    let mut list = vec![target.own.clone(), target.stranger.clone(), target.foreign.clone(), target.twin.clone()];
    list.push(target.blindly(column));
    let keys = if target.shape.has("id") { target.keys() } else { "ancestor_id" };
    list.push(format!("?with w as (update enamel.{name} set {column} = {column} returning {keys}) {}", &target.labels("w")[1..]));
    let change = format!("set {column} = excluded.{column}");
    let conflict = |insert: &str, set: Set| format!("{} on conflict ({}) do update {change}", with_id(insert, target, set), target.keys());
    list.push(conflict(&target.own, NORTH));
    list.push(conflict(&target.foreign, OAK));
    for set in [NORTH, OAK] {
        list.push(format!(
            "merge into enamel.{name} t using (select 1) s on {} when matched then update set {column} = t.{column}",
            target.key(set)
        ));
    }
    list.push(format!("delete from enamel.{name}"));
    for set in [NORTH, OAK] {
        list.push(format!("delete from enamel.{name} where {}", target.key(set)));
    }
    for owner in ["patient_id", "user_id", "caller_id"].iter().filter(|owner| columns.iter().any(|column| column == *owner)) {
        let table = if *owner == "patient_id" { "patients" } else { "users" };
        list.push(format!("update enamel.{name} set {owner} = '{}' where {}", STRANGER.id(table), target.key(NORTH)));
    }
    list
}

/// The same insert with the id that is there already.
fn with_id(insert: &str, target: &Target, set: Set) -> String {
    let Some((names, values)) = insert.split_once(") values (") else { return insert.to_owned() };
    let names = names.split_once('(').map(|(_, names)| names).unwrap_or_default();
    let Some(place) = names.split(", ").position(|name| name == "id") else { return insert.to_owned() };
    let old = values.trim_end_matches(')').split(", ").nth(place).unwrap_or_default();
    insert.replace(old, &format!("'{}'", set.id(target.name())))
}

/// On a session of its own: a refused COPY FROM leaves the driver out of step.
async fn copy(session: &Session, own: &Context, target: &Target) -> [String; 2] {
    let column = if target.shape.has("tenant_id") {
        "tenant_id"
    } else if target.shape.has("id") {
        "id"
    } else {
        "ancestor_id"
    };
    session.begin(&session.seal(own)).await;
    let out = match session.client.copy_out(&format!("copy enamel.{} ({column}) to stdout", target.name())).await {
        Ok(stream) => match stream.try_collect::<Vec<_>>().await {
            Ok(rows) => rows.len().to_string(),
            Err(failure) => arena::sqlstate(&failure),
        },
        Err(failure) => arena::sqlstate(&failure),
    };
    if out == "42501" {
        session.rollback().await;
        session.begin(&session.seal(own)).await;
    }
    let into = session.client.copy_in::<_, bytes::Bytes>(&format!("copy enamel.{} from stdin", target.name())).await;
    let into = into.err().map_or("y".into(), |failure| arena::sqlstate(&failure));
    [out.replace("42501", "denied"), yes(&into)]
}

fn format_line(target: &Target, columns: &[String], reads: &[String], writes: &[String], copied: &[String; 2]) -> String {
    if reads.iter().chain(writes).all(|answer| answer == "42501") && copied[0] == "denied" && copied[1] == "n" {
        return "denied".into();
    }
    let givable: Vec<&String> =
        target.columns.iter().filter(|name| !["tenant_id", "id", "created_at", "created_by"].contains(&name.as_str())).collect();
    let granted = if columns.len() == givable.len() { "*".to_owned() } else { columns.join(",") };
    let moved: Vec<String> = writes[13..].iter().map(|answer| yes(answer)).collect();
    format!(
        "select {} sibling {} foreign {} no-capability {} | insert own:{} stranger:{} foreign:{} twin:{} | update({granted}) rows:{} returning {} move:{} | upsert own:{} foreign:{} | merge own:{} foreign:{} | delete all:{} own:{} foreign:{} | copy to:{} from:{}",
        seen(&reads[0]),
        seen(&reads[1]),
        seen(&reads[2]),
        seen(&reads[3]),
        yes(&writes[0]),
        yes(&writes[1]),
        yes(&writes[2]),
        yes(&writes[3]),
        writes[4].replace("42501", "n"),
        seen(&writes[5]),
        if moved.is_empty() { "-".into() } else { moved.join(",") },
        yes(&writes[6]),
        yes(&writes[7]),
        writes[8].replace("42501", "n"),
        writes[9].replace("42501", "n"),
        writes[10].replace("42501", "n"),
        writes[11].replace("42501", "n"),
        writes[12].replace("42501", "n"),
        copied[0],
        copied[1],
    )
}
