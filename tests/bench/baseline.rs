//! pgbench, sending what the server was seen to send: the same statements under the same policies as the same role.
//!
//! How it is made comparable:
//! - The context is sealed by a key of its own in `sec_priv.ctx_key`. pgbench cannot compute a seal, so
//!   `bench.enter` gives each connection one for its backend, once, believed for a day. The check that PostgreSQL makes
//!   of it for every statement is the real one.
//! - Every read waits until its own audit event is durable, as a request does, before its connection reads again. The
//!   server writes the events of several requests in one transaction; between pgbench's connections PostgreSQL itself
//!   shares the flushes. The append is `sec.audit_append`, without its check of who is asking (the log role, which the
//!   server uses, skips it too). Events are the server's own JSON under new ids, spread over all tenants.
//! - [`How::Ahead`] is told beside, without a limit: reads by pipeline, and after every `B` of them one append of their `B`
//!   events, `B` being what the server's commits held just before. It saves what the server saves by grouping, but
//!   each connection runs up to `B` reads ahead of its durable events, which no server may do.
//! - PostgreSQL has its durable settings for all.

use crate::house::House;
use crate::people::{FIRST, LOAD_PREFIX, PATIENT_PREFIX, People, TENANT_PREFIX};
use crate::proxy::Watched;
use crate::wire::{self, Statement};
use enamel::kernel::hex::hex;
use secrecy::ExposeSecret;
use tokio::process::Command;
use uuid::Uuid;

#[derive(Clone, Copy, PartialEq)]
pub enum How {
    Pipelined,
    OneByOne,
    Ahead,
}

const CLIENTS: usize = 16;
/// Between the clinics of two clients, whose patients pgbench changes.
pub const APART: usize = 61;

/// What pgbench needs beside the server's own functions, and the events it appends: those of a read.
pub async fn ready(people: &People, read: &Watched) {
    people.truth.batch_execute(&helpers(read, people)).await.unwrap();
    own_append(people).await;
}

/// Reads a second.
pub async fn run(house: &House, people: &People, watched: &Watched, how: How, batch: u32, seconds: f64) -> f64 {
    let scripts = tps(house, people, &script(&watched.read, how, batch), CLIENTS, seconds).await;
    scripts * f64::from(if how == How::Ahead { batch } else { 1 })
}

/// Runs of the script a second. Client 0 asks for the first clinic.
pub async fn tps(house: &House, people: &People, script: &str, clients: usize, seconds: f64) -> f64 {
    people.settle().await;
    let file = house.dir.join("script.pgbench");
    std::fs::write(&file, format!("{ENTER}{script}")).unwrap();
    let password = house.config("thousand").database.plane_password("enamel_staff").expose_secret().to_owned();
    let output = Command::new("pgbench")
        .args(["--no-vacuum", "--protocol=prepared", "--define=entered=0", "--username=enamel_staff"])
        .args([format!("--client={clients}"), format!("--jobs={}", clients.min(2)), format!("--time={}", seconds.round().max(1.0))])
        .arg(format!("--host={}", house.sockets().display()))
        .arg(format!("--file={}", file.display()))
        .arg("thousand")
        .env("PGPASSWORD", password)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "pgbench failed: {}", String::from_utf8_lossy(&output.stderr));
    let scripts = said.lines().find_map(|line| line.strip_prefix("tps = ")).and_then(|rest| rest.split(' ').next()).unwrap();
    scripts.parse::<f64>().unwrap()
}

const ENTER: &str = "\\if :entered = 0\nselect * from bench.enter(:client_id) \\gset\n\\set entered 1\n\\endif\n";
pub const NUMBER: &str = "\\set number random(:first, :last)\n\\set fresh random(1, 9000000000000000000)\n";

fn script(read: &[Statement], how: How, batch: u32) -> String {
    let statements: String = read.iter().map(|statement| bound(statement) + ";\n").collect();
    let append = |events: u32| format!("select bench.audit_append(bench.events({events}));\n");
    match how {
        How::Pipelined => format!("{NUMBER}\\startpipeline\n{statements}{}\\endpipeline\n", append(1)),
        How::OneByOne => format!("{NUMBER}{statements}{}", append(1)),
        How::Ahead => {
            let one = format!("{NUMBER}\\startpipeline\n{statements}\\endpipeline\n");
            one.repeat(batch as usize) + &append(batch)
        }
    }
}

/// A change as the server was seen to make it, its audit event in the same transaction. What wipes the session is left out:
/// sent alone it would cost pgbench more than it costs the server.
pub fn change(watched: &Watched) -> String {
    let own = |statement: &Statement| bound(statement).replace("close all; unlisten *; reset all; ", "") + ";\n";
    let statements: String = watched.read.iter().map(own).collect();
    format!("{NUMBER}{statements}")
}

/// A list with the same SQL, and the event of a read.
pub fn list(watched: &Watched) -> String {
    script(&watched.read, How::Pipelined, 1)
}

/// The statement with pgbench's variables in place of what the server bound.
fn bound(statement: &Statement) -> String {
    // In a text it would be one of pgbench's variables.
    let mut text = statement.text.replace(":unsaid", "' || ':' || 'unsaid");
    // pgbench sends prepared statements, and SET takes no parameter.
    if let Some((begin, _)) = text.split_once("set local app.ctx") {
        text = format!("{begin}select set_config('app.ctx', :context, true)");
    }
    for (place, value) in statement.params.iter().enumerate().rev() {
        let oid = statement.types.get(place).copied().unwrap_or_default();
        text = text.replace(&format!("${}", place + 1), &literal(oid, value.as_deref()));
    }
    text
}

fn literal(oid: u32, value: Option<&[u8]>) -> String {
    let Some(value) = value else { return "null".to_owned() };
    let whole = |bytes: &[u8]| bytes.iter().fold(if bytes[0] > 127 { -1i64 } else { 0 }, |all, byte| all << 8 | i64::from(*byte));
    match oid {
        2950 => match Uuid::from_slice(value).unwrap().to_string() {
            id if id.starts_with(PATIENT_PREFIX) => format!("('{PATIENT_PREFIX}' || :number::text)::uuid"),
            id if id.starts_with(TENANT_PREFIX) => ":tenant::uuid".to_owned(),
            id if id.starts_with(LOAD_PREFIX) => format!("'{id}'::uuid"),
            // One of each run's own, the same wherever it stands.
            id => format!("md5('{id}' || :fresh)::uuid"),
        },
        // A colon before a letter would be one of pgbench's variables, in quotes too.
        25 => format!("('{}')::text", String::from_utf8_lossy(value).replace('\'', "''").replace(':', "' || ':' || '")),
        16 => format!("{}", value[0] == 1),
        17 => format!("'\\x{}'::bytea", hex(value)),
        20 | 21 | 23 => whole(value).to_string(),
        701 => format!("'{}'::float8", f64::from_be_bytes(value.try_into().unwrap())),
        1082 => format!("(date '2000-01-01' + {})", whole(value)),
        1184 if whole(value) == i64::MAX => "'infinity'::timestamptz".to_owned(),
        1184 if whole(value) == i64::MIN => "'-infinity'::timestamptz".to_owned(),
        1184 => format!("(timestamptz '2000-01-01 00:00:00+00' + {} * interval '1 microsecond')", whole(value)),
        3802 => "bench.own_events(:tenant)".to_owned(),
        1000 | 1001 | 1007 | 1009 | 1016 | 1022 | 1185 | 2951 => {
            let (kind, elements) = wire::elements(value);
            let elements: Vec<String> = elements.iter().map(|element| literal(kind, element.as_deref())).collect();
            format!("array[{}]::{}", elements.join(", "), type_name(oid))
        }
        _ => panic!("a value of type {oid}, which the baseline does not know"),
    }
}

fn type_name(oid: u32) -> String {
    tokio_postgres::types::Type::from_oid(oid).map(|known| known.name().to_owned()).unwrap_or_default()
}

fn helpers(watched: &Watched, people: &People) -> String {
    // jsonb travels as a version byte and its text.
    let audit = watched.audit.as_ref().unwrap();
    let rows: serde_json::Value = serde_json::from_slice(&audit.params[0].as_ref().unwrap()[1..]).unwrap();
    let row = rows[0].to_string().replace('%', "%%").replace('\'', "''");
    let field = |name: &str| rows[0][name].as_str().unwrap().to_owned();
    let row = row.replace(&field("id"), "%1$s").replace(&field("tenant_id"), "%2$s");
    let row = row.replace(&field("patient_id"), "%3$s");
    let (patients, tenants) = people.clinics.last().map(|last| (last.first, last.tenant)).unwrap();
    format!(
        "insert into sec_priv.ctx_key (kid, ipad, opad) select 'bench', decode(repeat('5a', 64), 'hex'), decode(repeat('a5', 64), 'hex') on conflict do nothing;
        create or replace function bench.enter(client int, out context text, out tenant text, out first bigint, out last bigint)
        language plpgsql security definer as $$
        declare c bench.clinics; payload text; k sec_priv.ctx_key;
        begin
            select * into c from bench.clinics where patients > 0 order by number offset client * {APART} limit 1;
            select * into k from sec_priv.ctx_key where kid = 'bench';
            payload := concat_ws('|', '1', 'bench', (extract(epoch from now()) + 86400)::bigint, pg_backend_pid(), 'staff', bench.tenant(c.number),
                bench.tenant(c.number), 'tenant', 9223372036854775807, '', gen_random_uuid(), bench.tenant(c.number), bench.tenant(c.number), 0);
            context := encode(sha256(k.opad || sha256(k.ipad || convert_to(payload, 'UTF8'))), 'hex') || '.' || payload;
            tenant := bench.tenant(c.number); first := {FIRST} + c.first; last := {FIRST} + c.first + c.patients - 1;
        end $$;
        create or replace function bench.events(count int) returns jsonb language sql volatile as $$
            select ('[' || string_agg(format('{row}', gen_random_uuid(), bench.tenant(1 + (random() * {tenants})::int % {tenants}),
                bench.patient((random() * {patients})::bigint)), ',') || ']')::jsonb from generate_series(1, count) $$;
        create or replace function bench.own_events(tenant text) returns jsonb language sql volatile as $$
            select ('[' || format('{row}', gen_random_uuid(), tenant, bench.patient(0)) || ']')::jsonb $$;
        grant usage on schema bench to enamel_staff, enamel_sec;
        grant execute on all functions in schema bench to enamel_staff;"
    )
}

/// `sec.audit_append` as the log role runs it.
async fn own_append(people: &People) {
    let row = people.truth.query_one("select pg_get_functiondef('sec.audit_append(jsonb)'::regprocedure)", &[]).await.unwrap();
    let text: String = row.get(0);
    let own = text
        .replace("sec.audit_append", "bench.audit_append")
        .replace("for_all boolean := session_user = 'enamel_log'", "for_all boolean := true");
    assert_eq!(own.matches("for_all boolean := true").count(), 1, "sec.audit_append has changed; look at what is compared");
    let own = format!(
        "{own}; alter function bench.audit_append(jsonb) owner to enamel_sec; grant execute on function bench.audit_append(jsonb) to enamel_staff"
    );
    people.truth.batch_execute(&format!("grant create on schema bench to enamel_sec; {own}")).await.unwrap();
}
