//! What is tried with one table, by whom: the statements whose answers the golden file holds.

use super::arena::{self, ELSEWHERE, NORTH, OAK, SOUTH, STRANGER, Session, Set, TWIN};
use super::seed;
use super::shape::Shape;
use chrono::{TimeDelta, Utc};
use enamel::kernel::context::{Caps, Context, Permission, Plane};
use tokio_postgres::Client;
use uuid::Uuid;

/// As whom a statement is tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    Own,
    Sibling,
    Foreign,
    /// Without a permission.
    Powerless,
    /// With every permission but the one to see patients: those who look at a clinic and not at its charts.
    Distant,
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
            Who::Distant => Context {
                caps: Caps::of(&Permission::ALL.iter().copied().filter(|one| *one != Permission::ViewPatient).collect::<Vec<_>>()),
                ..own
            },
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
    pub columns: Vec<String>,
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
        [("SELECT", self.read()), ("INSERT", self.own.clone()), ("UPDATE", self.blindly(column)), ("DELETE", self.gone())]
    }
    /// Removes without reading, as [`Self::blindly`] changes.
    fn gone(&self) -> String {
        format!("delete from enamel.{}", self.name())
    }

    /// Everything that is tried on this plane, whose columns these are.
    pub fn script(&self, plane: Plane, granted: &[String], depth: Depth) -> Vec<Try> {
        let column = self.column(granted);
        let mut all = Vec::new();
        let mut add = |who, command, sql| all.push(Try { who, command, sql });
        for who in [Who::Own, Who::Sibling, Who::Foreign, Who::Powerless, Who::Distant] {
            add(who, "SELECT", self.read());
        }
        for (command, sql) in self.writes(granted, &column) {
            add(Who::Own, command, sql);
        }
        for who in [Who::Powerless, Who::Distant] {
            add(who, "INSERT", format!("!{}", self.own));
            add(who, "UPDATE", self.blindly(&column));
            add(who, "DELETE", self.gone());
        }
        if plane == Plane::Staff {
            add(Who::Part, "SELECT", self.read());
            add(Who::Part, "INSERT", format!("!{}", self.own));
            add(Who::Part, "INSERT", format!("!{}", self.stranger));
            add(Who::Part, "UPDATE", self.blindly(&column));
            add(Who::Part, "DELETE", self.gone());
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
        list.push(("DELETE", self.gone()));
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

/// The same insert with the id that is there already.
fn with_id(insert: &str, target: &Target, set: Set) -> String {
    let Some((names, values)) = insert.split_once(") values (") else { return insert.to_owned() };
    let names = names.split_once('(').map(|(_, names)| names).unwrap_or_default();
    let Some(place) = names.split(", ").position(|name| name == "id") else { return insert.to_owned() };
    let old = values.trim_end_matches(')').split(", ").nth(place).unwrap_or_default();
    insert.replace(old, &format!("'{}'", set.id(target.name())))
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
