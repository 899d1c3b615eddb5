//! What one plane may do with one table, tried statement by statement. The line it makes is what the golden file holds.

use super::arena::{self, Arena, ELSEWHERE, NORTH, OAK, SOUTH, STRANGER, Session, Set, TWIN};
use super::seed;
use super::shape::Shape;
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
    elsewhere: String,
    literals: seed::Row,
    /// Every column a plane could be given UPDATE on.
    columns: Vec<String>,
}

/// Every table of the schema.
pub async fn targets(truth: &Client) -> Vec<Target> {
    truth.batch_execute("set search_path = enamel, kernel, pg_catalog").await.unwrap();
    let mut targets = Vec::new();
    for plan in seed::plans(truth).await {
        let plant = |set| seed::insert(&plan.shape, &plan.row(set, Uuid::new_v4()));
        targets.push(Target {
            own: plant(NORTH),
            stranger: plant(STRANGER),
            foreign: plant(OAK),
            twin: plant(TWIN),
            elsewhere: plant(ELSEWHERE),
            literals: plan.row(NORTH, Uuid::new_v4()),
            columns: plan.shape.settable().map(|column| column.name.clone()).collect(),
            shape: plan.shape,
        });
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
        let free = |name: &&String| !self.literals.contains_key(*name);
        let first = granted.iter().find(|name| *name == "updated_at" || granted.iter().all(|other| other != "updated_at") && free(name));
        first.or(granted.last()).unwrap_or(&self.columns[0]).clone()
    }
    fn keys(&self) -> &str {
        if self.shape.has("tenant_id") { "tenant_id, id" } else { "id" }
    }
    /// [`BASIC`] statements: each must fail before its first row without a believed context.
    fn basic(&self, column: &str) -> Vec<String> {
        let name = self.name();
        vec![self.read(), self.own.clone(), self.blindly(column), format!("delete from enamel.{name}")]
    }
}

const BASIC: usize = 4;

/// What was seen, to be written or compared.
pub struct Line {
    pub table: String,
    pub plane: Plane,
    pub text: String,
    /// Promises that no golden file may weaken.
    pub broken: Vec<String>,
}

/// How many statements one transaction tries.
const AT_ONCE: usize = 500;

pub async fn run(session: &Session, sealed: &str, statements: &[String]) -> Vec<String> {
    let mut answers = Vec::with_capacity(statements.len());
    for some in statements.chunks(AT_ONCE) {
        session.begin(sealed).await;
        answers.extend(session.client.query_one("select probe.run($1)", &[&some]).await.unwrap().get::<_, Vec<String>>(0));
        session.rollback().await;
    }
    answers
}

fn yes(answer: &str) -> String {
    match answer {
        "42501" => "n".into(),
        "0A000" => "n".into(),
        // A rule of the domain speaks only to those whom the policies let in.
        code if code.starts_with("23") || code.starts_with("EN4") || code == "55000" || code.starts_with('=') => "y".into(),
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

/// The columns of each table that the plane may update.
pub async fn updatable(truth: &Client, plane: Plane, names: &[&str]) -> Vec<Vec<String>> {
    let sql = "select array(select c.attname::text from pg_attribute c where c.attrelid = ('enamel.' || t.name)::regclass and c.attnum > 0
                 and not c.attisdropped and has_column_privilege($1, c.attrelid, c.attnum, 'UPDATE') order by c.attnum)
                 from unnest($2::text[]) with ordinality t (name, place) order by place";
    let rows = truth.query(sql, &[&format!("enamel_{}", plane.word()), &names]).await.unwrap();
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

/// Which contexts are tried.
#[derive(Clone, Copy, PartialEq)]
pub enum Depth {
    /// The believed ones.
    Believed,
    /// Those that must not be believed too, and COPY.
    All,
}

/// All commands of one plane on these tables, context by context: one transaction a context serves every table.
pub async fn observe(arena: &Arena, truth: &Client, session: &Session, plane: Plane, targets: &[&Target], depth: Depth) -> Vec<Line> {
    let columns = updatable(truth, plane, &targets.iter().map(|target| target.name()).collect::<Vec<_>>()).await;
    let own = arena::own(plane);
    let chosen: Vec<String> = targets.iter().zip(&columns).map(|(target, granted)| target.column(granted)).collect();
    let read: Vec<String> = targets.iter().map(|target| target.read()).collect();
    let mut reads = Vec::new();
    for context in [own.clone(), arena::context(plane, SOUTH), arena::context(plane, OAK), Context { caps: Caps::NONE, ..own.clone() }] {
        reads.push(run(session, &session.seal(&context), &read).await);
    }
    let parts = part(session, &own, targets, &chosen).await;
    let basic: Vec<String> = targets.iter().zip(&chosen).flat_map(|(target, column)| target.basic(column)).collect();
    let none = run(session, "", &basic).await;
    let mut forgeries = Vec::new();
    if depth == Depth::All {
        for (kind, sealed) in forged(session, plane, &arena.sealer) {
            forgeries.push((kind, run(session, &sealed, &basic).await));
        }
    }
    let each: Vec<Vec<String>> =
        targets.iter().zip(columns.iter().zip(&chosen)).map(|(target, (columns, column))| writes(target, columns, column)).collect();
    let mut written = run(session, &session.seal(&own), &each.concat()).await.into_iter();
    let mut lines = Vec::with_capacity(targets.len());
    for (place, target) in targets.iter().enumerate() {
        let basics = place * BASIC..(place + 1) * BASIC;
        let mut broken = unbelieved(target, plane, &none[basics.clone()]);
        for (kind, answers) in &forgeries {
            if answers[basics.clone()].iter().any(|answer| answer != "42501") {
                let given = &answers[basics.clone()];
                broken.push(format!("{} {}: a context that is {kind} gives {given:?}", target.name(), plane.word()));
            }
        }
        let writes: Vec<String> = written.by_ref().take(each[place].len()).collect();
        let reads: Vec<String> = reads.iter().map(|answers| answers[place].clone()).collect();
        let copied = if depth == Depth::All { copy(session, &own, target).await } else { Default::default() };
        let mut text = format_line(target, &columns[place], &reads, &writes, &copied);
        if let Some(part) = parts.get(place).filter(|_| text != "denied") {
            text += part;
        }
        lines.push(Line { table: target.name().to_owned(), plane, text, broken });
    }
    lines
}

/// What staff see and change who have every permission for their own patients only.
async fn part(session: &Session, own: &Context, targets: &[&Target], columns: &[String]) -> Vec<String> {
    if own.plane != Plane::Staff {
        return Vec::new();
    }
    let context = Context { caps: Caps::NONE, part: own.caps, ..own.clone() };
    let each = targets
        .iter()
        .zip(columns)
        .flat_map(|(target, column)| [target.read(), target.own.clone(), target.stranger.clone(), target.blindly(column)]);
    let answers = run(session, &session.seal(&context), &each.collect::<Vec<_>>()).await;
    let line = |answers: &[String]| {
        let (own, stranger) = (yes(&answers[1]), yes(&answers[2]));
        format!(" | part {} insert own:{own} stranger:{stranger} update rows:{}", seen(&answers[0]), answers[3].replace("42501", "n"))
    };
    answers.chunks(4).map(line).collect()
}

/// Without a context nothing is seen and nothing done.
fn unbelieved(target: &Target, plane: Plane, none: &[String]) -> Vec<String> {
    let sees = !none[0].trim_start_matches(['=', '0']).is_empty() && none[0] != "42501";
    let does = none[1..].iter().any(|answer| !["42501", "=0"].contains(&answer.as_str()) && !answer.starts_with("EN4"));
    if sees || does { vec![format!("{} {}: without a context {none:?}", target.name(), plane.word())] } else { Vec::new() }
}

fn writes(target: &Target, columns: &[String], column: &str) -> Vec<String> {
    let name = target.name();
    let mut list = vec![target.own.clone(), target.stranger.clone(), target.foreign.clone(), target.twin.clone(), target.elsewhere.clone()];
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
    // Without reading a column, so that the policy for changing is all that is asked.
    let owners = [(&target.shape.patient, "patients"), (&target.shape.owner, "users")];
    for (owner, table) in owners.iter().filter_map(|(owner, table)| owner.as_ref().map(|owner| (owner, table))) {
        if columns.contains(owner) {
            list.push(format!("update enamel.{name} set {owner} = '{}'", STRANGER.id(table)));
        }
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
    // As a text: the driver's own COPY falls out of step when it is refused.
    let into = session.client.simple_query(&format!("copy enamel.{} from stdin", target.name())).await;
    let into = into.err().map_or("y".into(), |failure| arena::sqlstate(&failure));
    session.rollback().await;
    [out.replace("42501", "denied"), yes(&into)]
}

fn format_line(target: &Target, columns: &[String], reads: &[String], writes: &[String], copied: &[String; 2]) -> String {
    if reads.iter().chain(writes).all(|answer| answer == "42501") && copied[0] == "denied" && copied[1] == "n" {
        return "denied".into();
    }
    let givable: Vec<&String> =
        target.columns.iter().filter(|name| !["tenant_id", "id", "created_at", "created_by"].contains(&name.as_str())).collect();
    let granted = if columns.len() == givable.len() { "*".to_owned() } else { columns.join(",") };
    let moved: Vec<String> = writes[14..].iter().map(|answer| yes(answer)).collect();
    format!(
        "select {} sibling {} foreign {} no-capability {} | insert own:{} stranger:{} foreign:{} twin:{} elsewhere:{} | update({granted}) rows:{} returning {} move:{} | upsert own:{} foreign:{} | merge own:{} foreign:{} | delete all:{} own:{} foreign:{} | copy to:{} from:{}",
        seen(&reads[0]),
        seen(&reads[1]),
        seen(&reads[2]),
        seen(&reads[3]),
        yes(&writes[0]),
        yes(&writes[1]),
        yes(&writes[2]),
        yes(&writes[3]),
        yes(&writes[4]),
        writes[5].replace("42501", "n"),
        seen(&writes[6]),
        if moved.is_empty() { "-".into() } else { moved.join(",") },
        yes(&writes[7]),
        yes(&writes[8]),
        writes[9].replace("42501", "n"),
        writes[10].replace("42501", "n"),
        writes[11].replace("42501", "n"),
        writes[12].replace("42501", "n"),
        writes[13].replace("42501", "n"),
        copied[0],
        copied[1],
    )
}
