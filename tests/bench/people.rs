//! Tenants and patients by the million, and a token for each tenant. Written as superuser with triggers off: what is
//! measured is reading them.

use crate::house::House;
use enamel::identity::token::{Kind, Token};
use tokio_postgres::Client;

pub struct Shape {
    pub dsos: u32,
    pub tenants: u32,
}

/// Signed-in programs of the installation, however many tenants they belong to.
const TOKENS: u32 = 1_000;
/// Clinics of the first DSO, and of each other one.
const LARGE_DSO: u32 = 200;
const SMALL_DSO: u32 = 20;
/// The biggest of 1 000 clinics has some 25 000 of a million patients, the smallest some 400.
const SKEW: f64 = 0.6;

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
    all: Vec<Clinic>,
}

/// Numbers have twelve digits, so that text and number of an id are one concatenation apart.
pub const FIRST: u64 = 100_000_000_000;
pub const PATIENT_PREFIX: &str = "00000000-0000-7000-8000-";
const TENANT_PREFIX: &str = "00000000-0000-7000-9000-";

pub fn patient_id(number: u64) -> String {
    format!("{PATIENT_PREFIX}{}", FIRST + number)
}
pub fn tenant_id(tenant: u32) -> String {
    format!("{TENANT_PREFIX}{}", FIRST + u64::from(tenant))
}

impl People {
    pub async fn make(house: &House, database: &str, shape: Shape, patients: u64) -> People {
        let truth = house.database(database).await;
        let all = divide(&shape, patients);
        truth
            .batch_execute(
                &HELPERS
                    .replace("TENANT_PREFIX", TENANT_PREFIX)
                    .replace("PATIENT_PREFIX", PATIENT_PREFIX)
                    .replace("FIRST", &FIRST.to_string()),
            )
            .await
            .unwrap();
        for (number, parent) in parents(&shape) {
            let kind = if number <= shape.dsos { "DSO" } else { "GROUP_PRACTICE" };
            truth
                .execute("select bench.make_tenant($1, $2, $3)", &[&(number as i32), &parent.map(|parent| parent as i32), &kind])
                .await
                .unwrap();
        }
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
        People { truth, clinics, dso: 0, all }
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

fn parents(shape: &Shape) -> Vec<(u32, Option<u32>)> {
    let mut parents: Vec<(u32, Option<u32>)> = (1..=shape.tenants).map(|number| (number, None)).collect();
    let mut next = shape.dsos;
    for dso in 1..=shape.dsos {
        for _ in 0..if dso == 1 { LARGE_DSO } else { SMALL_DSO } {
            parents[next as usize].1 = Some(dso);
            next += 1;
        }
    }
    parents
}

/// Which numbers belong to whom. Big and small clinics stand mixed, so that the DSO has both.
fn divide(shape: &Shape, patients: u64) -> Vec<Clinic> {
    let clinics = shape.tenants - shape.dsos;
    let weight = |number: u32| f64::from((number * 7_919) % clinics + 1).powf(-SKEW);
    let sum: f64 = (0..clinics).map(weight).sum();
    let mut first = 0;
    (1..=shape.tenants)
        .map(|tenant| {
            let count = if tenant <= shape.dsos { 0 } else { ((weight(tenant - shape.dsos - 1) / sum * patients as f64) as u64).max(25) };
            first += count;
            let tokens = (0..TOKENS / shape.tenants).map(|_| Token::new(Kind::Access).unwrap().expose().to_owned()).collect();
            Clinic { tenant, first: first - count, patients: count, tokens }
        })
        .collect()
}

const HELPERS: &str = "
create schema bench;
create function bench.tenant(number bigint) returns uuid language sql immutable as $$ select ('TENANT_PREFIX' || (FIRST + number))::uuid $$;
create function bench.patient(number bigint) returns uuid language sql immutable as $$ select ('PATIENT_PREFIX' || (FIRST + number))::uuid $$;
create function bench.make_tenant(number int, parent int, kind text) returns void language sql as $$
    insert into enamel.tenants (id, name, slug, type, parent_tenant_id, root_tenant_id, jurisdiction, default_currency, time_zone)
    values (bench.tenant(number), 'Practice ' || number, 'practice-' || number, kind, bench.tenant(parent), bench.tenant(coalesce(parent, number)), 'DE', 'EUR', 'Europe/Berlin') $$;
create table bench.clinics (number int, first bigint, patients bigint);
create table bench.tokens (number int, token_hash bytea);";

/// A service account with every right in each tenant, its sessions, and the patients with an address each.
const FILL: &str = "
set session_replication_role = replica;
set synchronous_commit = off;
set maintenance_work_mem = '512MB';
insert into enamel.users (id, email, full_name, kind, status)
    select bench.tenant(number), 'service-' || number || '@clients.invalid', 'Integration ' || number, 'SERVICE', 'ACTIVE' from bench.clinics;
insert into enamel.api_clients (tenant_id, id, client_id, name, client_type, scopes, service_user_id)
    select bench.tenant(number), bench.tenant(number), 'bench-' || number, 'Integration', 'BACKEND', '{system/*.cruds}', bench.tenant(number) from bench.clinics;
insert into enamel.sessions (id, user_id, active_tenant_id, api_client_id, last_activity_at, token_hash, auth_method, expires_at, token_expires_at, scopes)
    select gen_random_uuid(), bench.tenant(number), bench.tenant(number), bench.tenant(number), now(), token_hash, 'API_CLIENT', now() + interval '1 day', now() + interval '1 day', '{system/*.cruds}'
      from bench.tokens;
do $$
declare kept text[]; one record;
begin
    select array_agg(indexdef) into kept from pg_indexes where schemaname = 'enamel' and tablename in ('patients', 'patient_addresses') and indexname not like '%pkey';
    for one in select indexname from pg_indexes where schemaname = 'enamel' and tablename in ('patients', 'patient_addresses') and indexname not like '%pkey' loop
        execute 'drop index enamel.' || quote_ident(one.indexname);
    end loop;
    insert into enamel.patients (tenant_id, id, first_name, last_name, dob, administrative_gender, contact_email, phone_mobile, preferred_language, external_ref)
    select bench.tenant(c.number), bench.patient(n), name.first, name.last, date '1930-01-01' + (n * 7919 % 33000)::int, (array['FEMALE', 'MALE', 'OTHER', 'UNKNOWN'])[1 + n % 4],
           lower(name.first || '.' || name.last) || n || '@mail.example', '+49151' || 10000000 + n, 'de', 'PMS-' || n
      from bench.clinics c cross join lateral generate_series(c.first, c.first + c.patients - 1) n
      cross join lateral (select (array['Anna', 'Boris', 'Chloé', 'Dmitri', 'Elif', 'Farid', 'Grete', 'Hans', 'Ines', 'Jakob', 'Klara'])[1 + n % 11] as first,
                                 (array['Müller', 'Schmidt', 'Yılmaz', 'Nowak', 'Okafor', 'Lindqvist', 'García', 'Ionescu', 'Haddad', 'Kim', 'Fischer', 'Weber', 'Ruiz'])[1 + n % 13] || '-' || n % 997 as last) name;
    insert into enamel.patient_addresses (tenant_id, id, patient_id, line1, city, postal_code, country, is_primary)
    select p.tenant_id, p.id, p.id, 'Ahornweg ' || right(p.external_ref, 2), 'Köln', '50667', 'DE', true from enamel.patients p;
    for n in 1 .. cardinality(kept) loop execute kept[n]; end loop;
end $$;
reset session_replication_role;
reset synchronous_commit";
