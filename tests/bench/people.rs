//! Tenants and patients by the million, loaded by `enamel generate`, and tokens for each tenant.

use crate::house::House;
use chrono::Utc;
use enamel::cli::generate::{Plan, Share, load};
use enamel::identity::token::{Kind, Token};
use enamel::kernel::db::Connector;
use enamel::server::start;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// Signed-in programs of the installation, however many tenants they belong to.
const TOKENS: u32 = 1_000;
/// A tenant with its patients, whose numbers follow each other.
#[derive(Clone)]
pub struct Clinic {
    pub tenant: u32,
    pub first: u64,
    pub patients: u64,
    pub tokens: Vec<String>,
}

pub struct People {
    pub truth: Client,
    pub clinics: Vec<Clinic>,
    /// The DSO of 200 clinics, when there is one.
    pub dso: usize,
    pub rows: u64,
    pub loading: Duration,
    all: Vec<Clinic>,
}

/// Numbers have twelve digits, so that text and number of an id are one concatenation apart.
pub const FIRST: u64 = 100_000_000_000;
const SEED: u32 = 1;
pub const LOAD_PREFIX: &str = "00000001-";
pub const PATIENT_PREFIX: &str = "00000001-0020-7000-8000-";
pub const TENANT_PREFIX: &str = "00000001-0001-7000-8000-";
const PROVIDER_PREFIX: &str = "00000001-0012-7000-8000-";

pub fn patient_id(number: u64) -> String {
    format!("{PATIENT_PREFIX}{}", FIRST + number)
}
pub fn tenant_id(tenant: u32) -> String {
    format!("{TENANT_PREFIX}{}", FIRST + u64::from(tenant))
}
/// The first provider of a clinic.
pub fn provider_id(tenant: u32) -> String {
    format!("{PROVIDER_PREFIX}{}", FIRST + u64::from(tenant) * 10_000)
}

impl People {
    pub async fn make(house: &House, database: &str, tenants: u32, patients: u64, patients_only: bool) -> People {
        let truth = house.database(database).await;
        let plan = Plan { tenants, patients, seed: SEED, day: Utc::now().date_naive(), patients_only };
        let admin = Connector { config: house.cluster.superuser_config(database), tls: None };
        let prepared = start::prepare(house.config(database)).await.unwrap();
        let (began, kernel) = (Instant::now(), prepared.kernel.clone());
        let rows = load(&admin, &kernel, &plan, &AtomicBool::new(false), |_| {}).await.unwrap().rows;
        let loading = began.elapsed();
        prepared.stop().await;
        let all: Vec<Clinic> = plan.shares().iter().map(|share| Clinic::of(share, TOKENS / tenants)).collect();
        let helpers = [("TENANT_PREFIX", TENANT_PREFIX), ("PATIENT_PREFIX", PATIENT_PREFIX), ("FIRST", &FIRST.to_string())];
        let helpers = helpers.iter().fold(HELPERS.to_owned(), |text, (name, value)| text.replace(name, value));
        truth.batch_execute(&helpers).await.unwrap();
        let numbers: Vec<i32> = all.iter().map(|clinic| clinic.tenant as i32).collect();
        let firsts: Vec<i64> = all.iter().map(|clinic| clinic.first as i64).collect();
        let counts: Vec<i64> = all.iter().map(|clinic| clinic.patients as i64).collect();
        truth
            .execute("insert into bench.clinics select * from unnest($1::int[], $2::bigint[], $3::bigint[])", &[&numbers, &firsts, &counts])
            .await
            .unwrap();
        let tokens = all.iter().flat_map(|clinic| clinic.tokens.iter().map(|token| (clinic.tenant as i32, token)));
        let (owners, tokens): (Vec<i32>, Vec<Vec<u8>>) =
            tokens.map(|(owner, token)| (owner, Token::parse(Kind::Access, token).unwrap().hash().as_bytes().to_vec())).unzip();
        truth.execute("insert into bench.tokens select * from unnest($1::int[], $2::bytea[])", &[&owners, &tokens]).await.unwrap();
        truth.batch_execute(FILL).await.unwrap();
        truth.batch_execute("vacuum (analyze)").await.unwrap();
        let clinics: Vec<Clinic> = all.iter().filter(|clinic| clinic.patients > 0).cloned().collect();
        People { truth, clinics, dso: 0, all, rows, loading }
    }

    /// Any tenant, by its place: the DSOs come first.
    pub fn tenant(&self, place: usize) -> &Clinic {
        &self.all[place]
    }
    /// A clinic of the large DSO, of middling size.
    pub fn of_the_dso(&self) -> usize {
        self.all.iter().position(|clinic| clinic.patients > 0).unwrap() + 100
    }

    /// Nobody else's checkpoint runs into a measurement.
    pub async fn settle(&self) {
        self.truth.batch_execute("checkpoint").await.unwrap();
    }
    /// `(events, transactions that wrote them)` so far.
    pub async fn audit_batches(&self) -> (i64, i64) {
        let row = self.truth.query_one("select count(*), count(distinct transaction_id) from enamel.audit_events", &[]).await.unwrap();
        (row.get(0), row.get(1))
    }
    pub async fn events_a_batch(&self, before: (i64, i64)) -> u32 {
        let now = self.audit_batches().await;
        ((now.0 - before.0) as f64 / (now.1 - before.1).max(1) as f64).round().max(1.0) as u32
    }
}

impl Clinic {
    fn of(share: &Share, tokens: u32) -> Clinic {
        let tokens = (0..tokens.max(1)).map(|_| Token::new(Kind::Access).unwrap().expose().to_owned()).collect();
        Clinic { tenant: share.number, first: share.first, patients: share.patients, tokens }
    }
}

const HELPERS: &str = "
create schema bench;
create function bench.tenant(number bigint) returns uuid language sql immutable as $$ select ('TENANT_PREFIX' || (FIRST + number))::uuid $$;
create function bench.patient(number bigint) returns uuid language sql immutable as $$ select ('PATIENT_PREFIX' || (FIRST + number))::uuid $$;
create table bench.clinics (number int, first bigint, patients bigint);
create table bench.tokens (number int, token_hash bytea);";

/// A service account with every right in each tenant, and its sessions.
const FILL: &str = "
set session_replication_role = replica;
set synchronous_commit = off;
insert into enamel.users (id, email, full_name, kind, status)
    select bench.tenant(number), 'service-' || number || '@clients.invalid', 'Integration ' || number, 'SERVICE', 'ACTIVE' from bench.clinics;
insert into enamel.api_clients (tenant_id, id, client_id, name, client_type, scopes, service_user_id)
    select bench.tenant(number), bench.tenant(number), 'bench-' || number, 'Integration', 'BACKEND', '{system/*.cruds}', bench.tenant(number) from bench.clinics;
insert into enamel.sessions (id, user_id, active_tenant_id, api_client_id, last_activity_at, token_hash, auth_method, expires_at, token_expires_at, scopes)
    select gen_random_uuid(), bench.tenant(number), bench.tenant(number), bench.tenant(number), now(), token_hash, 'API_CLIENT', now() + interval '1 day', now() + interval '1 day', '{system/*.cruds}'
      from bench.tokens;
reset session_replication_role;
reset synchronous_commit";
