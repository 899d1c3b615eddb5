//! What each plane sees in random worlds, against a model that knows nothing of SQL: trees of tenants, members, portal
//! accounts, proxies, mandates, shared rows, patient ids that stand in two clinics, and callers of all kinds.
//! `PROPTEST_CASES` sets how many worlds are tried.

use super::arena::{Arena, NORTH, Session};
use super::model::{Asks, Model, Of, PERMISSIONS, PLANES, Row, SCOPES, TABLES, USERS, worlds};
use super::probe;
use super::seed::{self, Plan};
use crate::world;
use enamel::kernel::context::{Caps, Context, PLATFORM_TENANT, Permission, Plane};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::{BTreeSet, HashMap};
use tokio::sync::{Mutex, OnceCell};
use tokio_postgres::Client;
use uuid::Uuid;

/// Table, tenant and id; the installation's rows are the platform's.
type Seen = BTreeSet<(&'static str, Uuid, Uuid)>;

/// The ids of one world; each has its own, for all stand in one database.
struct Ids(u64);

impl Ids {
    fn of(&self, kind: u64, place: usize) -> Uuid {
        Uuid::from_u64_pair(self.0, kind << 32 | place as u64)
    }
    fn tenant(&self, place: usize) -> Uuid {
        self.of(1, place)
    }
    fn user(&self, place: usize) -> Uuid {
        self.of(2, place)
    }
    fn patient(&self, number: usize) -> Uuid {
        self.of(3, number)
    }
}

fn rows(model: &Model, ids: &Ids) -> Vec<Row> {
    let (mut rows, mut next) = (Vec::new(), 0);
    let mut add = |table: usize, tenant, number: Option<usize>, published| {
        next += 1;
        let id = match TABLES[table].0 {
            "patients" => ids.patient(number.unwrap()),
            "users" => ids.user(next - 1),
            _ => ids.of(4, next),
        };
        rows.push(Row { table, tenant, number, published, id });
    };
    let place = |name| TABLES.iter().position(|(table, ..)| *table == name).unwrap();
    for _ in 0..USERS {
        add(place("users"), None, None, true);
    }
    add(place("payers"), None, None, true);
    for tenant in 0..model.parents.len() {
        for table in ["teams", "locations", "payers"] {
            add(place(table), Some(tenant), None, true);
        }
    }
    for (tenant, number) in &model.patients {
        for (table, published) in
            [("patients", true), ("patient_addresses", true), ("imaging_studies", true), ("files", true), ("files", false)]
        {
            add(place(table), Some(*tenant), Some(*number), published);
        }
    }
    rows
}

struct Stage {
    arena: Arena,
    truth: Client,
    plans: HashMap<String, Plan>,
    sessions: HashMap<Plane, Session>,
}

static STAGE: OnceCell<Mutex<Stage>> = OnceCell::const_new();

impl Stage {
    async fn build(world: &'static world::World, name: &str) -> Stage {
        let arena = Arena::fresh(world, name).await;
        let truth = arena.truth().await;
        truth.batch_execute("set search_path = enamel, kernel, pg_catalog").await.unwrap();
        let plans = seed::plans(&truth).await.into_iter().map(|plan| (plan.shape.name.clone(), plan)).collect();
        let mut sessions = HashMap::new();
        for plane in PLANES {
            sessions.insert(plane, arena.plane(plane).await);
        }
        Stage { arena, truth, plans, sessions }
    }

    /// A row as the seed would make it, but for these columns.
    fn row(&self, table: &str, id: Uuid, columns: &[(&str, String)]) -> String {
        let plan = &self.plans[table];
        let mut row = plan.row(NORTH, id);
        for (column, literal) in columns {
            row.insert((*column).to_owned(), literal.clone());
        }
        seed::insert(&plan.shape, &row) + ";"
    }

    async fn store(&self, model: &Model, rows: &[Row], ids: &Ids) {
        let quoted = |id: Uuid| format!("'{id}'");
        // Tenants by the front door: the closure is its trigger's work.
        let mut tenants = String::from("set session_replication_role = origin;");
        for (place, parent) in model.parents.iter().enumerate() {
            let root = (0..model.parents.len()).find(|root| model.above(place, *root) && model.parents[*root].is_none());
            let columns = [
                ("parent_tenant_id", parent.map_or("null".into(), |parent| quoted(ids.tenant(parent)))),
                ("root_tenant_id", quoted(ids.tenant(root.unwrap()))),
            ];
            tenants += &self.row("tenants", ids.tenant(place), &columns);
        }
        let mut sql = tenants + "set session_replication_role = replica;";
        for row in rows {
            let (table, of, _) = TABLES[row.table];
            let mut columns = vec![("tenant_id", quoted(row.tenant.map_or(PLATFORM_TENANT, |tenant| ids.tenant(tenant))))];
            if let Some(number) = row.number.filter(|_| table != "patients") {
                columns.push(("patient_id", quoted(ids.patient(number))));
            }
            if of == Of::People {
                columns.clear();
            }
            if of == Of::Published {
                columns.push(("storage_key", format!("'{}/{}'", ids.tenant(row.tenant.unwrap()), row.id)));
                columns.push(("is_patient_visible", row.published.to_string()));
            }
            sql += &self.row(table, row.id, &columns);
        }
        let days = |days: i32| format!("now() + {days} * interval '1 day'");
        let whose = |user: usize, tenant: usize| vec![("tenant_id", quoted(ids.tenant(tenant))), ("user_id", quoted(ids.user(user)))];
        for (place, (user, (tenant, number), status)) in model.accounts.iter().enumerate() {
            let mut columns = whose(*user, *tenant);
            columns.extend([("patient_id", quoted(ids.patient(*number))), ("status", format!("'{status}'"))]);
            sql += &self.row("patient_portal_accounts", ids.of(5, place), &columns);
        }
        for (place, proxy) in model.proxies.iter().enumerate() {
            let scopes: Vec<&str> = proxy.scopes.iter().map(|place| SCOPES[*place]).collect();
            let mut columns = whose(proxy.user, proxy.chart.0);
            columns.extend([
                ("patient_id", quoted(ids.patient(proxy.chart.1))),
                ("scopes", format!("'{{{}}}'", scopes.join(","))),
                ("status", format!("'{}'", proxy.status)),
                ("valid_from", days(proxy.from)),
                ("valid_until", proxy.until.map_or("null".into(), days)),
            ]);
            sql += &self.row("patient_proxies", ids.of(6, place), &columns);
        }
        for (place, mandate) in model.mandates.iter().enumerate() {
            let mut words: Vec<&str> = mandate.permissions.iter().map(|place| PERMISSIONS[*place].word()).collect();
            words.extend(mandate.nonsense.then_some("nonsense"));
            let columns = [
                ("tenant_id", quoted(ids.tenant(mandate.tenant))),
                ("auditor_user_id", quoted(ids.user(mandate.user))),
                ("permissions", format!("'{{{}}}'", words.join(","))),
                ("valid_from", days(mandate.from)),
                ("valid_until", days(mandate.until)),
                ("revoked_at", if mandate.revoked { "now()" } else { "null" }.into()),
            ];
            sql += &self.row("audit_mandates", ids.of(7, place), &columns);
        }
        for (place, (user, tenant, gone)) in model.members.iter().enumerate() {
            let mut columns = whose(*user, *tenant);
            columns.push(("deleted_at", if *gone { "now()" } else { "null" }.into()));
            sql += &self.row("user_tenants", ids.of(8, place), &columns);
        }
        self.truth.batch_execute(&format!("begin; {sql} commit")).await.unwrap_or_else(|failure| panic!("{failure:?}\n{sql}"));
    }

    async fn seen(&self, who: &Asks, ids: &Ids) -> Seen {
        let mut context = Context::system(who.plane, Some(ids.tenant(who.tenant)));
        context.actor = Some(ids.user(who.user));
        context.caps = Caps::of(&who.caps.iter().map(|place| PERMISSIONS[*place]).collect::<Vec<_>>());
        context.subject = who.subject.map(|number| ids.patient(number));
        let session = &self.sessions[&who.plane];
        let ask = |(table, of, _): &(&str, Of, Permission)| {
            let tenant = if *of == Of::People { format!("'{PLATFORM_TENANT}'") } else { "tenant_id::text".into() };
            format!("?select string_agg({tenant} || id, ' ') from enamel.{table}")
        };
        let answers = probe::run(session, &session.seal(&context), &TABLES.iter().map(ask).collect::<Vec<_>>()).await;
        let mut seen = Seen::new();
        for ((table, ..), answer) in TABLES.iter().zip(answers) {
            if answer == "42501" {
                continue;
            }
            let pairs = answer.strip_prefix('=').unwrap_or_else(|| panic!("{table}: {answer}"));
            seen.extend(pairs.split_whitespace().map(|pair| (*table, pair[..36].parse().unwrap(), pair[36..].parse().unwrap())));
        }
        seen
    }

    /// Stores the world and lets everybody look: what differs from the model.
    async fn differs(&self, model: &Model) -> Option<String> {
        let ids = Ids(Uuid::new_v4().as_u64_pair().0);
        let rows = rows(model, &ids);
        let people: Vec<Uuid> = (0..USERS).map(|place| ids.user(place)).collect();
        self.store(model, &rows, &ids).await;
        for who in &model.asks {
            let shown = |row: &Row| (TABLES[row.table].0, row.tenant.map_or(PLATFORM_TENANT, |tenant| ids.tenant(tenant)), row.id);
            let expected: Seen = rows.iter().filter(|row| model.sees(who, row, &people)).map(shown).collect();
            // Other worlds' shared rows are everybody's, and jobs know all logins; anything else of theirs is a leak.
            let known = |row: &&(&str, Uuid, Uuid)| row.1 != PLATFORM_TENANT || row.2.as_u64_pair().0 == ids.0;
            let seen: Seen = self.seen(who, &ids).await.iter().filter(known).copied().collect();
            if seen != expected {
                let (more, less): (Vec<_>, Vec<_>) = (seen.difference(&expected).collect(), expected.difference(&seen).collect());
                return Some(format!("{who:?} of {model:?}\nsees what it must not: {more:?}\nmisses: {less:?}"));
            }
        }
        None
    }
}

/// What the policies' functions may not forget: function, part of its text, what stands there instead.
const FORGETFUL: &[(&str, &str, &str)] = &[
    ("sec.charts(bigint, sec.claims, text)", "a.status = 'ACTIVE'", "true"),
    ("sec.charts(bigint, sec.claims, text)", "p.status = 'ACTIVE'", "true"),
    ("sec.charts(bigint, sec.claims, text)", "p.valid_from <= now()", "true"),
    ("sec.charts(bigint, sec.claims, text)", "p.valid_until > now()", "true"),
    ("sec.charts(bigint, sec.claims, text)", "sec.proxy_caps(p.scopes) & cap = cap", "true"),
    ("sec.charts(bigint, sec.claims, text)", "a.user_id = c.actor", "true"),
    ("sec.charts(bigint, sec.claims, text)", "a.patient_id = c.subject", "true"),
    ("sec.charts(bigint, sec.claims, text)", "p.patient_id = c.subject", "true"),
    ("sec.tenants(bigint)", "m.revoked_at is null", "true"),
    ("sec.tenants(bigint)", "now() >= m.valid_from", "true"),
    ("sec.tenants(bigint)", "now() < m.valid_until", "true"),
    ("sec.tenants(bigint)", "m.auditor_user_id = c.actor", "true"),
    ("sec.tenants(bigint)", "ancestor_id = c.tenant", "true"),
    ("sec.tenants(bigint)", "c.caps & cap is distinct from cap", "c is null"),
    ("sec.tenants(bigint)", "cap & kernel.clinical() = 0", "true"),
    ("sec.home(bigint)", "(f[9]::bigint | f[14]::bigint) & cap = cap", "true"),
    ("sec.members(bigint)", "t.deleted_at is null", "true"),
    ("sec.members(bigint)", "and sees_patients", ""),
];
/// Worlds within which each has to be noticed.
const WORLDS_MAX: usize = 150;

/// The twin: a function that forgets one thing, and the same random worlds tell.
#[test]
fn a_forgetful_function_is_noticed() {
    world::with(async |world| {
        let stage = Stage::build(world, "forgetful").await;
        let mut runner = TestRunner::deterministic();
        let mut unnoticed = Vec::new();
        for (function, part, instead) in FORGETFUL {
            let sql = format!("select pg_get_functiondef('{function}'::regprocedure)");
            let whole: String = stage.truth.query_one(&sql, &[]).await.unwrap().get(0);
            assert!(whole.contains(part), "{function} has changed: {part}");
            stage.truth.batch_execute(&whole.replace(part, instead)).await.unwrap();
            let mut noticed = false;
            for _ in 0..WORLDS_MAX {
                let model = worlds().new_tree(&mut runner).unwrap().current();
                noticed = stage.differs(&model).await.is_some();
                if noticed {
                    break;
                }
            }
            if !noticed {
                unnoticed.push(format!("{function} without {part}"));
            }
            stage.truth.batch_execute(&whole).await.unwrap();
        }
        assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
        let Stage { arena, truth, sessions, .. } = stage;
        drop((truth, sessions));
        arena.drop().await;
    });
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() })]
    #[test]
    fn every_plane_sees_what_the_model_says(model in worlds()) {
        let differs = world::with(async move |world| {
            let stage = STAGE.get_or_init(async || Mutex::new(Stage::build(world, "properties").await)).await.lock().await;
            stage.differs(&model).await
        });
        prop_assert!(differs.is_none(), "{}", differs.unwrap_or_default());
    }
}
