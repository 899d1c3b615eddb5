//! What one plane may do with one table, tried statement by statement. The line it makes is what the golden file holds.

use super::arena::{self, ELSEWHERE, NORTH, OAK, SOUTH, STRANGER, Session, Set, TWIN};
use super::seed;
use super::shape::Shape;
use chrono::{TimeDelta, Utc};
use enamel::kernel::context::{Caps, Context, Plane};
use futures_util::TryStreamExt;
use tokio_postgres::Client;
use uuid::Uuid;

/// Runs each statement by itself and undoes it; says the rows it touched, or its SQLSTATE. `?` in front: the first column of its
/// row instead. `!`: only whether policies let it in; a rule of the domain speaks only to those whom they do. `~`: only what
/// somebody gets who should get nothing.
const RUNNER: &str = "
    create function probe.run(statements text[]) returns text[] language plpgsql as $$
    declare s text; answer text; n bigint; out text[] := '{}';
    begin
        foreach s in array statements loop
            begin
                if s ~ '^[~!]*[?]' then execute ltrim(s, '~!?') into answer;
                else execute ltrim(s, '~!'); get diagnostics n = row_count; answer := n; end if;
                raise exception using errcode = 'PR000', message = coalesce(answer, '');
            exception when others then answer := case sqlstate when 'PR000' then '=' || sqlerrm else sqlstate end;
            end;
            out := out || case
                when s like '!%' and answer in ('42501', '0A000') then 'n'
                when s like '!%' and answer ~ '^(=|23|EN4|55000)' then 'y'
                when s like '~%' and answer ~ '^(42501|=0?|EN4..)$' then ''
                else answer end;
        end loop;
        return out;
    end $$;
    grant usage on schema probe to public;
    grant select on probe.label to public;
    grant execute on function probe.run(text[]) to public;

    -- The same for one statement, by a superuser who takes that plane's login for it, with something changed before.
    create function probe.tried(changed text, plane text, sealed text, statement text) returns text language plpgsql as $$
    declare answer text;
    begin
        execute changed;
        perform set_config('session_authorization', plane, true), set_config('app.ctx', sealed, true);
        answer := (probe.run(array[statement]))[1];
        raise exception using errcode = 'PR001';
    exception when sqlstate 'PR001' then return answer;
    end $$;
    -- Which of the changes no statement shows, each tried as its context says.
    create function probe.unseen(changes text[], plane text, contexts text[], statements text[]) returns int[] language plpgsql as $$
    declare unseen int[] := array(select generate_subscripts(changes, 1)); alike int[]; was text; place int;
    begin
        for i in 1 .. cardinality(statements) loop
            exit when unseen = '{}';
            was := probe.tried('select', plane, contexts[i], statements[i]);
            alike := '{}';
            foreach place in array unseen loop
                if probe.tried(changes[place], plane, contexts[i], statements[i]) = was then alike := alike || place; end if;
            end loop;
            unseen := alike;
        end loop;
        return unseen;
    end $$;";

pub async fn install(client: &Client) {
    client.batch_execute(RUNNER).await.unwrap();
}

/// As whom a statement is tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    Own,
    Sibling,
    Foreign,
    /// Without a permission.
    Powerless,
    /// With every permission, for their own patients only.
    Part,
    Nobody,
    /// With a context PostgreSQL must not believe, one of [`forged`].
    Forged(usize),
}

impl Who {
    pub fn seal(self, session: &Session, plane: Plane) -> String {
        let own = arena::own(plane);
        let context = match self {
            Who::Own => own,
            Who::Sibling => arena::context(plane, SOUTH),
            Who::Foreign => arena::context(plane, OAK),
            Who::Powerless => Context { caps: Caps::NONE, ..own },
            Who::Part => Context { caps: Caps::NONE, part: own.caps, ..own },
            Who::Nobody => return String::new(),
            Who::Forged(kind) => return forged(session, plane).swap_remove(kind).1,
        };
        session.seal(&context)
    }
}

/// One statement, and the command of the policy that answers it first.
pub struct Try {
    pub who: Who,
    pub command: &'static str,
    pub sql: String,
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
    /// Each must fail before its first row without a believed context.
    fn basic(&self, column: &str) -> [(&'static str, String); 4] {
        [
            ("SELECT", self.read()),
            ("INSERT", self.own.clone()),
            ("UPDATE", self.blindly(column)),
            ("DELETE", format!("delete from enamel.{}", self.name())),
        ]
    }

    /// Everything that is tried on this plane, whose columns these are.
    pub fn script(&self, plane: Plane, granted: &[String], depth: Depth) -> Vec<Try> {
        let column = self.column(granted);
        let read = |who| Try { who, command: "SELECT", sql: self.read() };
        let mut all: Vec<Try> = [Who::Own, Who::Sibling, Who::Foreign, Who::Powerless].map(read).into();
        let mut add = |who, command, sql| all.push(Try { who, command, sql });
        for (command, sql) in self.writes(granted, &column) {
            add(Who::Own, command, sql);
        }
        if plane == Plane::Staff {
            add(Who::Part, "SELECT", self.read());
            add(Who::Part, "INSERT", format!("!{}", self.own));
            add(Who::Part, "INSERT", format!("!{}", self.stranger));
            add(Who::Part, "UPDATE", self.blindly(&column));
        }
        for (command, sql) in self.basic(&column) {
            add(Who::Nobody, command, format!("~{sql}"));
        }
        for kind in (0..FORGERIES).filter(|_| depth == Depth::All) {
            for (command, sql) in self.basic(&column) {
                add(Who::Forged(kind), command, sql);
            }
        }
        all
    }

    fn writes(&self, granted: &[String], column: &str) -> Vec<(&'static str, String)> {
        let name = self.name();
        let mut list: Vec<(&str, String)> = Vec::new();
        for planted in [&self.own, &self.stranger, &self.foreign, &self.twin, &self.elsewhere] {
            list.push(("INSERT", format!("!{planted}")));
        }
        list.push(("UPDATE", self.blindly(column)));
        let keys = if self.shape.has("id") { self.keys() } else { "ancestor_id" };
        let returning = format!("?with w as (update enamel.{name} set {column} = {column} returning {keys}) {}", &self.labels("w")[1..]);
        list.push(("UPDATE", returning));
        for (insert, set) in [(&self.own, NORTH), (&self.foreign, OAK)] {
            let insert = with_id(insert, self, set);
            list.push(("UPDATE", format!("!{insert} on conflict ({}) do update set {column} = excluded.{column}", self.keys())));
        }
        for set in [NORTH, OAK] {
            let merge = format!("merge into enamel.{name} t using (select 1) s on {}", self.key(set));
            list.push(("UPDATE", format!("{merge} when matched then update set {column} = t.{column}")));
        }
        list.push(("DELETE", format!("delete from enamel.{name}")));
        for set in [NORTH, OAK] {
            list.push(("DELETE", format!("delete from enamel.{name} where {}", self.key(set))));
        }
        // Without reading a column, so that the policy for changing is all that is asked.
        let owners = [(&self.shape.patient, "patients"), (&self.shape.owner, "users")];
        for (owner, table) in owners.iter().filter_map(|(owner, table)| owner.as_ref().map(|owner| (owner, table))) {
            if granted.contains(owner) {
                list.push(("UPDATE", format!("!update enamel.{name} set {owner} = '{}'", STRANGER.id(table))));
            }
        }
        list
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

const FORGERIES: usize = 6;

/// Contexts PostgreSQL must not believe, and the one of another plane.
pub fn forged(session: &Session, plane: Plane) -> Vec<(&'static str, String)> {
    let real = arena::own(plane);
    let sealed = session.seal(&real);
    let (now, minute) = (Utc::now(), TimeDelta::seconds(60));
    let other = if plane == Plane::Staff { Plane::Jobs } else { Plane::Staff };
    let mut elsewhere = real.clone();
    elsewhere.plane = other;
    let flipped = if sealed.starts_with('0') { "1" } else { "0" };
    vec![
        ("expired", session.sealer.seal(&real, session.pid, now - TimeDelta::seconds(1))),
        ("wrong pid", session.sealer.seal(&real, session.pid + 1, now + minute)),
        ("wrong plane", session.sealer.seal(&elsewhere, session.pid, now + minute)),
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
pub async fn observe(truth: &Client, session: &Session, plane: Plane, targets: &[Target]) -> Vec<Line> {
    let columns = updatable(truth, plane, &targets.iter().map(Target::name).collect::<Vec<_>>()).await;
    let scripts: Vec<Vec<Try>> =
        targets.iter().zip(&columns).map(|(target, granted)| target.script(plane, granted, Depth::All)).collect();
    let mut answers: Vec<Vec<String>> = scripts.iter().map(|script| vec![String::new(); script.len()]).collect();
    let mut everybody: Vec<Who> = Vec::new();
    for one in scripts.iter().flatten() {
        if !everybody.contains(&one.who) {
            everybody.push(one.who);
        }
    }
    for who in everybody {
        let places = scripts.iter().enumerate().flat_map(|(target, script)| (0..script.len()).map(move |place| (target, place)));
        let places: Vec<(usize, usize)> = places.filter(|(target, place)| scripts[*target][*place].who == who).collect();
        let statements: Vec<String> = places.iter().map(|(target, place)| scripts[*target][*place].sql.clone()).collect();
        let given = run(session, &who.seal(session, plane), &statements).await;
        for ((target, place), answer) in places.into_iter().zip(given) {
            answers[target][place] = answer;
        }
    }
    let mut lines = Vec::with_capacity(targets.len());
    for (place, target) in targets.iter().enumerate() {
        let copied = copy(session, &arena::own(plane), target).await;
        let said: Said = &|who| scripts[place].iter().zip(&answers[place]).filter(|(one, _)| one.who == who).map(|(_, answer)| &**answer).collect();
        let text = format_line(target, &columns[place], said, &copied);
        lines.push(Line { table: target.name().to_owned(), plane, text, broken: believed(target, session, plane, said) });
    }
    lines
}

/// What somebody's statements gave, in their order.
type Said<'a> = &'a dyn Fn(Who) -> Vec<&'a str>;

/// Without a context nothing is seen and nothing done; with a false one everything is refused.
fn believed(target: &Target, session: &Session, plane: Plane, said: Said) -> Vec<String> {
    let mut broken = Vec::new();
    let mut note = |what: &str, given: Vec<&str>| broken.push(format!("{} {}: {what} gives {given:?}", target.name(), plane.word()));
    let none = said(Who::Nobody);
    if none.iter().any(|answer| !answer.is_empty()) {
        note("no context", none);
    }
    for (place, (kind, _)) in forged(session, plane).into_iter().enumerate() {
        let given = said(Who::Forged(place));
        if given.iter().any(|answer| *answer != "42501") {
            note(&format!("a context that is {kind}"), given);
        }
    }
    broken
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
    [out.replace("42501", "denied"), into.replace("42501", "n")]
}

fn format_line(target: &Target, columns: &[String], said: Said, copied: &[String; 2]) -> String {
    let own = said(Who::Own);
    let (read, writes) = (own[0], &own[1..]);
    let others = [Who::Sibling, Who::Foreign, Who::Powerless].map(|who| said(who)[0]);
    if own.iter().chain(&others).all(|answer| ["42501", "n"].contains(answer)) && copied[0] == "denied" && copied[1] == "n" {
        return "denied".into();
    }
    let givable: Vec<&String> =
        target.columns.iter().filter(|name| !["tenant_id", "id", "created_at", "created_by"].contains(&name.as_str())).collect();
    let granted = if columns.len() == givable.len() { "*".to_owned() } else { columns.join(",") };
    let done = |place: usize| writes[place].replace("42501", "n");
    let mut line = format!(
        "select {} sibling {} foreign {} no-capability {} | insert own:{} stranger:{} foreign:{} twin:{} elsewhere:{} | update({granted}) rows:{} returning {} move:{} | upsert own:{} foreign:{} | merge own:{} foreign:{} | delete all:{} own:{} foreign:{} | copy to:{} from:{}",
        seen(read),
        seen(others[0]),
        seen(others[1]),
        seen(others[2]),
        writes[0],
        writes[1],
        writes[2],
        writes[3],
        writes[4],
        done(5),
        seen(writes[6]),
        if writes.len() == 14 { "-".into() } else { writes[14..].join(",") },
        writes[7],
        writes[8],
        done(9),
        done(10),
        done(11),
        done(12),
        done(13),
        copied[0],
        copied[1],
    );
    if let [read, own, stranger, rows] = said(Who::Part)[..] {
        line += &format!(" | part {} insert own:{own} stranger:{stranger} update rows:{}", seen(read), rows.replace("42501", "n"));
    }
    line
}
