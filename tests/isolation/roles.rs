//! Every table × built-in role × command, as its members meet it: their permissions come from a real sign-in's token. The
//! golden file says what each may do; it is proven in SQL, below the contract, and over HTTP. What no golden file may weaken is
//! asserted besides, in the words of the requirements.

mod http;
mod promises;

use super::arena::{self, Arena, NORTH, PLATFORM, STRANGER, Set};
use super::probe;
use super::seed::{self, Plan};
use crate::world::{self, World};
use enamel::identity::token::{Kind, Token};
use enamel::kernel::config::Config;
use enamel::kernel::context::{Context, Origin, PLATFORM_TENANT, Plane};
use enamel::server::{self, Contract, start};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio_postgres::Client;
use uuid::Uuid;

/// Somebody whose rights the golden file has a column for.
#[derive(Clone, Copy)]
struct Person {
    column: &'static str,
    who: Who,
}

#[derive(Clone, Copy)]
enum Who {
    /// Role and user type.
    Member(&'static str, &'static str),
    Patient,
    /// With that one scope.
    Proxy(&'static str),
}

const fn member(column: &'static str, role: &'static str, user_type: &'static str) -> Person {
    Person { column, who: Who::Member(role, user_type) }
}
const fn proxy(column: &'static str, scope: &'static str) -> Person {
    Person { column, who: Who::Proxy(scope) }
}

const PEOPLE: [Person; 19] = [
    member("platform", "PLATFORM_ADMIN", "ADMIN"),
    member("admin", "TENANT_ADMIN", "ADMIN"),
    member("clinician", "CLINICIAN", "DENTIST"),
    member("desk", "CLINIC_STAFF", "FRONT_DESK"),
    member("assistant", "CLINIC_STAFF", "ASSISTANT"),
    member("auditor", "READ_ONLY_AUDITOR", "REGULATOR"),
    member("science", "DATA_SCIENTIST", "ADMIN"),
    member("payer", "PAYER_ANALYST", "PAYER_ANALYST"),
    member("developer", "DEVELOPER", "DEVELOPER"),
    member("program", "API_CLIENT", "DEVELOPER"),
    Person { column: "patient", who: Who::Patient },
    proxy("p:times", "appointments"),
    proxy("p:talk", "messages"),
    proxy("p:money", "billing"),
    proxy("p:plans", "plans"),
    proxy("p:chart", "clinical"),
    proxy("p:files", "documents"),
    proxy("p:image", "imaging"),
    proxy("p:agree", "manage_consents"),
];

impl Person {
    /// The rows that are theirs, and those of another in the same place.
    fn sets(self) -> (Set, Option<Set>) {
        match self.who {
            Who::Member("PLATFORM_ADMIN", _) => (PLATFORM, None),
            _ => (NORTH, Some(STRANGER)),
        }
    }
}

/// What somebody may do with a table: read, create, update and delete, each all, own or nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Rights([char; 4]);

const COMMANDS: [char; 4] = ['R', 'C', 'U', 'D'];

impl Rights {
    fn word(self) -> String {
        self.0.iter().collect()
    }
    fn all(self, command: char) -> bool {
        self.0.contains(&command)
    }
    fn some(self, command: char) -> bool {
        self.all(command) || self.0.contains(&command.to_ascii_lowercase())
    }
}

/// Table → person's column → rights.
type Matrix = BTreeMap<String, BTreeMap<&'static str, Rights>>;

/// A server over a database of the arena, whose rows we know.
struct Stage {
    arena: Arena,
    truth: Client,
    kernel: Arc<enamel::kernel::Kernel>,
    base_url: String,
    /// Tables that have a row about another in the same clinic.
    others: BTreeSet<String>,
}

impl Stage {
    async fn build(world: &'static World) -> Stage {
        let arena = Arena::fresh(world, "roles").await;
        let truth = arena.truth().await;
        let mut config: Config = world.config.clone();
        config.database.url = config.database.url.replace("dbname=world", &format!("dbname={}", arena.name));
        config.server.listen = "127.0.0.1:0".parse().unwrap();
        for pool in [&mut config.database.pools.staff, &mut config.database.pools.patient, &mut config.database.pools.audit] {
            *pool = 4;
        }
        let prepared = start::prepare(config).await.unwrap();
        let kernel = prepared.kernel.clone();
        let bound = server::bind(&kernel.config.server).await.unwrap();
        let base_url = format!("http://{}", bound.address());
        let contract = server::app::describe(Contract::new(&kernel.config.server));
        let app = server::guard(server::app::app(kernel.clone()), contract, &kernel.config.server);
        tokio::spawn(bound.serve(app, std::future::pending()));
        // It lives as long as the process.
        std::mem::forget(prepared);
        let others = truth.query("select rel from probe.label where label = $1", &[&STRANGER.label()]).await.unwrap();
        Stage { arena, truth, kernel, base_url, others: others.iter().map(|row| row.get(0)).collect() }
    }

    /// Makes somebody of the seeded rows' owner, and signs them in.
    async fn sign_in(&self, person: Person) -> String {
        let (set, _) = person.sets();
        let mut user = set.id("users");
        match person.who {
            Who::Member(role, kind) => self.employ(set, role, kind).await,
            Who::Patient => self.employ(set, "PATIENT", "PATIENT").await,
            Who::Proxy(scope) => user = self.entrust(set, scope, "2099-01-01").await,
        }
        self.session(user, Some(set.tenant_id())).await
    }

    async fn employ(&self, set: Set, role: &str, kind: &str) {
        let (tenant, user) = (set.tenant_id(), set.id("users"));
        for sql in [
            format!("update enamel.users set status = 'ACTIVE', kind = 'HUMAN' where id = '{user}'"),
            format!("update enamel.tenants set status = 'ACTIVE' where id = '{tenant}'"),
            format!(
                "update enamel.user_tenants set status = 'ACTIVE', user_type = '{kind}' where tenant_id = '{tenant}' and user_id = '{user}'"
            ),
            format!(
                "update enamel.user_roles g set role_tenant_id = o.tenant_id, role_id = o.id, resource_scope = 'ALL_LOCATIONS',
                        valid_from = null, valid_until = null from enamel.roles o
                  where g.tenant_id = '{tenant}' and g.user_id = '{user}' and o.tenant_id = '{PLATFORM_TENANT}' and o.code = '{role}'"
            ),
        ] {
            assert!(self.truth.execute(&sql, &[]).await.unwrap() > 0, "{sql}");
        }
    }

    /// A new login that acts for the set's patient.
    async fn entrust(&self, set: Set, scope: &str, until: &str) -> Uuid {
        let user = Uuid::now_v7();
        let (tenant, patient) = (set.tenant_id(), set.id("patients"));
        self.truth
            .batch_execute(&format!(
                "insert into enamel.users (id, email, full_name, status) values ('{user}', '{user}@people.example', 'Test Person', 'ACTIVE');
                 insert into enamel.patient_proxies (tenant_id, id, patient_id, user_id, relationship, scopes, status, granted_by, valid_from, valid_until)
                 values ('{tenant}', gen_random_uuid(), '{patient}', '{user}', 'OTHER', '{{{scope}}}', 'ACTIVE', 'PATIENT', '2026-01-01', '{until}')"
            ))
            .await
            .unwrap();
        user
    }

    async fn session(&self, user: Uuid, tenant: Option<Uuid>) -> String {
        let token = Token::new(Kind::Access).unwrap();
        let sql = "insert into enamel.sessions (id, user_id, active_tenant_id, last_activity_at, token_hash, auth_method, expires_at)
                   values ($1, $2, $3, now(), $4, 'PASSWORD', now() + interval '1 hour')";
        self.truth.execute(sql, &[&Uuid::now_v7(), &user, &tenant, &token.hash().as_bytes()]).await.unwrap();
        token.expose().to_owned()
    }

    async fn resolve(&self, token: &str) -> Context {
        let origin = Arc::new(Origin::default());
        let shown = enamel::identity::Shown { token: token.to_owned(), proof: None, certificate: None };
        enamel::identity::resolve(&self.kernel, &shown, Uuid::now_v7(), origin).await.unwrap().context
    }
}

// ── In SQL ─────────────────────────────────────────────────────────────────────────────────────────────────────

/// Which of the person's own row and another's a table's rows are.
fn reading(plan: &Plan) -> String {
    let (name, shape) = (&plan.shape.name, &plan.shape);
    let tenant = if shape.has("tenant_id") { "and l.tenant_id = x.tenant_id" } else { "" };
    match shape.has("id") {
        true => format!(
            "?select string_agg(distinct l.label, ' ') from enamel.{name} x join probe.label l on l.rel = '{name}' and l.id = x.id {tenant}"
        ),
        false => format!("?select case when exists (select from enamel.{name}) then 'north.own platform.own' end"),
    }
}

fn updating(plan: &Plan, set: Set, granted: &[String]) -> [String; 2] {
    let (name, shape) = (&plan.shape.name, &plan.shape);
    let tenant = if shape.has("tenant_id") { format!("tenant_id = '{}' and ", set.tenant_id()) } else { String::new() };
    let key = if shape.has("id") { format!("{tenant}id = '{}'", set.id(name)) } else { "true".into() };
    let row = plan.row(set, set.id(name));
    let plain = |column: &&String| *column == "updated_at" || !row.contains_key(*column) && *column != "deleted_at";
    let column = granted.iter().find(plain).or(granted.last()).unwrap_or(&shape.columns[0].name);
    let value = row.get(column).map_or("default", String::as_str);
    let retire = match shape.has("deleted_at") {
        true => format!("update enamel.{name} set deleted_at = now() where {key}"),
        false => format!("delete from enamel.{name} where {key}"),
    };
    [format!("update enamel.{name} set {column} = {value} where {key}"), retire]
}

/// One statement for each command on one's own row and on another's, reading first.
fn statements(plan: &Plan, person: Person, granted: &[String]) -> Vec<String> {
    let (own, other) = person.sets();
    let mut list = vec![reading(plan)];
    for set in [own, other.unwrap_or(own)] {
        list.push(seed::insert(&plan.shape, &plan.row(set, Uuid::new_v4())));
        list.extend(updating(plan, set, granted));
    }
    list
}

const STATEMENTS: usize = 7;

/// Policies let it through; what a rule of the domain says afterwards is said to those who may.
fn passed(answer: &str) -> bool {
    !matches!(answer, "42501" | "0A000" | "25006" | "=0" | "=")
}

fn judged(answers: &[String], person: Person, another: bool) -> Rights {
    let (own, other) = person.sets();
    let sees = |set: Set| answers[0].trim_start_matches('=').split(' ').any(|label| label == set.label());
    let mine = [sees(own), passed(&answers[1]), passed(&answers[2]), passed(&answers[3])];
    let others = [other.is_none_or(sees), passed(&answers[4]), passed(&answers[5]), passed(&answers[6])];
    let mut rights = ['-'; 4];
    for (place, command) in COMMANDS.into_iter().enumerate() {
        rights[place] = match (mine[place], others[place] || !another) {
            (true, true) => command,
            (true, false) => command.to_ascii_lowercase(),
            (false, _) => '-',
        };
    }
    Rights(rights)
}

async fn observe(stage: &Stage, plans: &[Plan]) -> Matrix {
    let mut matrix = Matrix::new();
    let names: Vec<&str> = plans.iter().map(|plan| plan.shape.name.as_str()).collect();
    for person in PEOPLE {
        let context = stage.resolve(&stage.sign_in(person).await).await;
        let granted = probe::updatable(&stage.truth, context.plane, &names).await;
        let session = stage.arena.plane(context.plane).await;
        let list: Vec<String> = plans.iter().zip(&granted).flat_map(|(plan, granted)| statements(plan, person, granted)).collect();
        let answers = probe::run(&session, &session.seal(&context), &list).await;
        for (plan, answers) in plans.iter().zip(answers.chunks(STATEMENTS)) {
            let name = &plan.shape.name;
            let rights = judged(answers, person, stage.others.contains(name));
            matrix.entry(name.clone()).or_default().insert(person.column, rights);
        }
    }
    matrix
}

fn text(matrix: &Matrix) -> String {
    let mut text = String::from(
        "# What each built-in role may do with each table: R read, C create, U update, D retire; small: their own rows only. Made by\n\
         # tests/isolation/roles.rs; read a change of it as a change of permissions. p:… are proxies with one scope.\n",
    );
    let line = |name: &str, cells: Vec<String>| {
        let cells: String = cells.iter().map(|cell| format!(" {cell:<9}")).collect();
        format!("{name:<28}{}\n", cells.trim_end())
    };
    text += &line("# table", PEOPLE.iter().map(|person| person.column.to_owned()).collect());
    for (table, cells) in matrix {
        text += &line(table, PEOPLE.iter().map(|person| cells[person.column].word()).collect());
    }
    text
}

#[test]
fn every_role_may_what_the_golden_file_says() {
    world::with(async |world| {
        let stage = Stage::build(world).await;
        stage.truth.batch_execute("set search_path = enamel, kernel, pg_catalog").await.unwrap();
        let plans = seed::plans(&stage.truth).await;
        // Below the domains' own rules, which may speak first: policies, and the guards that belong to them.
        stage.truth.batch_execute(&arena::rules("disable")).await.unwrap();
        let matrix = observe(&stage, &plans).await;
        stage.truth.batch_execute(&arena::rules("enable")).await.unwrap();
        let text = text(&matrix);
        world::golden("tests/isolation/roles.txt", &text);
        let broken = promises::broken(&matrix, &stage.truth).await;
        assert!(broken.is_empty(), "{} promises broken:\n{}", broken.len(), broken.join("\n"));
        let wrong = http::compare(&stage, world, &matrix).await;
        assert!(wrong.is_empty(), "{} answers over HTTP differ:\n{}", wrong.len(), wrong.join("\n"));
    });
}

/// A grant ends with its last moment, in SQL and over HTTP alike, and with it the sight of everything.
#[test]
fn a_proxy_loses_its_grant_at_its_end() {
    world::with(async |world| {
        let stage = Stage::build(world).await;
        stage.employ(NORTH, "PATIENT", "PATIENT").await;
        let user = stage.entrust(NORTH, "appointments,clinical", "2099-01-01").await;
        let token = stage.session(user, None).await;
        let context = stage.resolve(&token).await;
        let session = stage.arena.plane(Plane::Patient).await;
        let sees = async || session.ask(&context, "select count(*) from enamel.patients").await.unwrap();
        let path = format!("{}/api/v1/patients/{}", stage.base_url, NORTH.id("patients"));
        assert_eq!(sees().await, ["1"]);
        assert_eq!(world.http.get(&path).bearer_auth(&token).send().await.unwrap().status(), 200);
        let ended = "update enamel.patient_proxies set valid_until = now() where user_id = $1";
        assert_eq!(stage.truth.execute(ended, &[&user]).await.unwrap(), 1);
        assert_eq!(sees().await, ["0"], "a context that was sealed before the end");
        // The token is believed for seconds; what it shows is nothing at once.
        assert!(world.http.get(&path).bearer_auth(&token).send().await.unwrap().status().is_client_error());
        let later = stage.session(user, None).await;
        assert_eq!(world.http.get(&path).bearer_auth(&later).send().await.unwrap().status(), 401, "nobody's patient, nobody's staff");
    });
}
