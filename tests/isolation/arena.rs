//! Throw-away databases with our schema and policies, filled with rows of several tenants, and the ways in.

use super::seed;
use crate::world::{self, World};
use chrono::{TimeDelta, Utc};
use enamel::kernel::context::{Caps, Context, PLATFORM_TENANT, Permission, Plane, Sealer};
use enamel::kernel::db::Connector;
use enamel::server::start;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, OnceCell};
use tokio_postgres::Client;
use uuid::Uuid;

/// Rows of one tenant about one person. `stranger` is another person of the same tenant; `twin` has the patient id of
/// north's own patient but is somebody else in another clinic; `elsewhere` are rows of north's own login in a clinic that is
/// not at hand; `hidden`, `unready` and `withheld` are about north's own patient and not published, for one reason each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct Set {
    pub tenant: &'static str,
    pub who: &'static str,
}

const fn set(tenant: &'static str, who: &'static str) -> Set {
    Set { tenant, who }
}
pub const NORTH: Set = set("north", "own");
pub const STRANGER: Set = set("north", "stranger");
pub const HIDDEN: Set = set("north", "hidden");
pub const UNREADY: Set = set("north", "unready");
pub const WITHHELD: Set = set("north", "withheld");
pub const SOUTH: Set = set("south", "own");
pub const OAK: Set = set("oak", "own");
pub const TWIN: Set = set("oak", "twin");
pub const ELSEWHERE: Set = set("south", "elsewhere");
pub const DSO: Set = set("dso", "own");
pub const PLATFORM: Set = set("platform", "own");
pub const SETS: [Set; 11] = [NORTH, STRANGER, SOUTH, OAK, TWIN, DSO, HIDDEN, UNREADY, WITHHELD, ELSEWHERE, PLATFORM];

impl Set {
    pub fn label(self) -> String {
        format!("{}.{}", self.tenant, self.who)
    }
    pub fn tenant_id(self) -> Uuid {
        if self.tenant == "platform" { PLATFORM_TENANT } else { hashed(&["tenant", self.tenant]) }
    }
    /// Which condition of being published it does not meet.
    pub fn unpublished(self) -> Option<usize> {
        [HIDDEN, UNREADY, WITHHELD].iter().position(|set| *set == self)
    }
    pub fn id(self, table: &str) -> Uuid {
        match (table, self.who) {
            ("tenants", _) => self.tenant_id(),
            ("patients", "twin") => NORTH.id("patients"),
            ("patients" | "users", "hidden" | "unready" | "withheld") | ("users", "elsewhere") => NORTH.id(table),
            _ => hashed(&[table, self.tenant, self.who]),
        }
    }
}

pub fn hashed(parts: &[&str]) -> Uuid {
    let digest = Sha256::digest(parts.join("|"));
    uuid::Builder::from_custom_bytes(digest[..16].try_into().unwrap()).into_uuid()
}

pub struct Arena {
    pub name: String,
    pub world: &'static World,
    pub sealer: Sealer,
}

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
static TEMPLATE: OnceCell<()> = OnceCell::const_new();
static SHARED: OnceCell<Arena> = OnceCell::const_new();
const TEMPLATE_NAME: &str = "isolation_template";

impl Arena {
    /// The one most tests read from; nothing is committed in it.
    pub async fn shared(world: &'static World) -> &'static Arena {
        SHARED.get_or_init(|| Arena::fresh(world, "arena")).await
    }

    /// A copy of its own, to change as a test likes.
    pub async fn fresh(world: &'static World, name: &str) -> Arena {
        let _turn = ONE_AT_A_TIME.lock().await;
        TEMPLATE.get_or_init(|| template(world)).await;
        let name = format!("{name}_{}", Uuid::new_v4().simple());
        let admin = superuser(world, "postgres").await;
        // The session that filled the template may still be on its way out.
        let mut left = 50;
        while let Err(failure) = admin.batch_execute(&format!("create database {name} template {TEMPLATE_NAME}")).await {
            left -= 1;
            assert!(left > 0, "{failure:?}");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        let planes = start::ROLES.map(|role| format!("enamel_{role}")).join(", ");
        admin
            .batch_execute(&format!("revoke all on database {name} from public; grant connect on database {name} to {planes}"))
            .await
            .unwrap();
        Arena { name, world, sealer: start::sealer(&world.config).unwrap() }
    }

    /// Where policies answer alone: a rule of a domain that speaks first would hide what they say.
    pub async fn bare(world: &'static World, name: &str) -> Arena {
        let arena = Arena::fresh(world, name).await;
        arena.truth().await.batch_execute(&rules("disable")).await.unwrap();
        arena
    }

    pub async fn truth(&self) -> Client {
        let client = superuser(self.world, &self.name).await;
        // Puts rows into any state at once; what triggers demand of real changes is tested elsewhere.
        client.batch_execute("set session_replication_role = replica").await.unwrap();
        client
    }
    pub fn connector(&self, role: &str) -> Connector {
        let user = format!("enamel_{role}");
        let password = self.world.config.database.plane_password(&user);
        Connector { config: self.world.cluster().config(&user, password.expose_secret(), &self.name), tls: None }
    }
    /// One session on a plane's login.
    pub async fn login(&self, role: &str) -> Session {
        self.session(self.connector(role).connect().await.unwrap()).await
    }
    /// One that may take any plane's login, and change what it likes.
    pub async fn director(&self) -> Session {
        self.session(superuser(self.world, &self.name).await).await
    }
    async fn session(&self, client: Client) -> Session {
        let pid = client.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
        Session { client, pid, sealer: self.sealer.clone() }
    }
    pub async fn plane(&self, plane: Plane) -> Session {
        self.login(plane.word()).await
    }
    pub async fn drop(self) {
        let admin = superuser(self.world, "postgres").await;
        admin.batch_execute(&format!("drop database if exists {} with (force)", self.name)).await.unwrap();
    }
}

pub async fn superuser(world: &World, name: &str) -> Client {
    Connector { config: world.cluster().superuser_config(name), tls: None }.connect().await.unwrap()
}

/// Turns the rules of the domains on or off: every trigger but those that stamp, those that guard beside the policies, and those
/// that keep logs as they are.
pub fn rules(how: &str) -> String {
    format!(
        "do $$ declare t record; begin
             for t in select tgrelid::regclass as rel, tgname from pg_trigger join pg_class c on c.oid = tgrelid
                       where not tgisinternal and c.relnamespace = 'enamel'::regnamespace
                         and tgname not in ('stamp', 'refuse_change') and tgname not like 'guard%' loop
                 execute format('alter table %s {how} trigger %I', t.rel, t.tgname);
             end loop;
         end $$"
    )
}

async fn template(world: &World) {
    world::database(world.cluster(), TEMPLATE_NAME).await;
    start::migrate_as(world.cluster().superuser_config(TEMPLATE_NAME), &world.config).await.unwrap();
    let client = superuser(world, TEMPLATE_NAME).await;
    seed::fill(&client).await;
    super::probe::install(&client).await;
}

/// The caller of a plane that stands for that set of rows: its clinic's staff, its DSO, its patient, its auditor, or whoever has
/// opened its share.
pub fn context(plane: Plane, of: Set) -> Context {
    let mut context = Context::system(plane, Some(of.tenant_id()));
    context.caps = Caps::of(Permission::ALL);
    if plane == Plane::Share {
        (context.session, context.subject) = (Some(of.id("share_visits")), Some(of.id("record_shares")));
    } else {
        context.actor = Some(of.id("users"));
    }
    context
}

/// The same, where a group reads a subtree.
pub fn own(plane: Plane) -> Context {
    let mut context = context(plane, NORTH);
    if plane == Plane::Group {
        context.tenant = Some(DSO.tenant_id());
    }
    context
}

pub struct Session {
    pub client: Client,
    pub pid: i32,
    pub sealer: Sealer,
}

impl Session {
    pub fn seal(&self, context: &Context) -> String {
        self.sealer.seal(context, self.pid, Utc::now() + TimeDelta::seconds(60))
    }
    pub async fn begin(&self, sealed: &str) {
        self.client.batch_execute("begin read write").await.unwrap();
        self.client.query("select set_config('app.ctx', $1, true)", &[&sealed]).await.unwrap();
    }
    pub async fn rollback(&self) {
        self.client.batch_execute("rollback").await.unwrap();
    }
    /// One statement in a transaction of that context: its first column as text, or its SQLSTATE. Nothing is kept.
    pub async fn ask(&self, context: &Context, sql: &str) -> Result<Vec<String>, String> {
        self.begin(&self.seal(context)).await;
        let answer = texts(&self.client, sql).await;
        self.rollback().await;
        answer
    }
}

/// Rows of a text as PostgreSQL prints them, first column only; a failure as its SQLSTATE.
pub async fn texts(client: &Client, sql: &str) -> Result<Vec<String>, String> {
    let messages = client.simple_query(sql).await.map_err(|failure| sqlstate(&failure))?;
    let mut rows = Vec::new();
    for message in messages {
        match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => rows.push(row.get(0).unwrap_or("NULL").to_owned()),
            tokio_postgres::SimpleQueryMessage::CommandComplete(count) if rows.is_empty() && count > 0 => rows.push(format!("#{count}")),
            _ => {}
        }
    }
    Ok(rows)
}

pub fn sqlstate(failure: &tokio_postgres::Error) -> String {
    failure.code().map_or_else(|| failure.to_string(), |code| code.code().to_owned())
}
