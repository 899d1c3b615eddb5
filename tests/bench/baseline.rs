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
use crate::people::{FIRST, PATIENT_PREFIX, People};
use crate::proxy::Watched;
use crate::wire::Statement;
use secrecy::ExposeSecret;
use tokio::process::Command;
use uuid::Uuid;

#[derive(Clone, Copy, PartialEq)]
pub enum How {
    Pipelined,
    OneByOne,
    Ahead,
}

const CLIENTS: u32 = 16;

/// Reads a second.
pub async fn run(house: &House, people: &People, watched: &Watched, how: How, batch: u32, seconds: f64) -> f64 {
    people.truth.batch_execute(&helpers(watched, people)).await.unwrap();
    own_append(people).await;
    people.settle().await;
    let file = house.dir.join("read.pgbench");
    std::fs::write(&file, script(&watched.read, how, batch)).unwrap();
    let password = house.config("thousand").database.plane_password("enamel_staff").expose_secret().to_owned();
    let output = Command::new("pgbench")
        .args(["--no-vacuum", "--protocol=prepared", "--define=entered=0", "--username=enamel_staff", "--jobs=2"])
        .arg(format!("--client={CLIENTS}"))
        .arg(format!("--time={}", seconds.round().max(1.0)))
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
    scripts.parse::<f64>().unwrap() * f64::from(if how == How::Ahead { batch } else { 1 })
}

fn script(read: &[Statement], how: How, batch: u32) -> String {
    let mut script = String::from("\\if :entered = 0\nselect * from bench.enter(:client_id) \\gset\n\\set entered 1\n\\endif\n");
    // Without a Sync between them, what runs first decides the isolation of all: BEGIN comes before what wipes the session.
    let (begin, rest): (Vec<&Statement>, Vec<&Statement>) = read.iter().partition(|statement| statement.text.starts_with("begin"));
    let statements: String = begin.into_iter().chain(rest).map(|statement| bound(statement) + ";\n").collect();
    let append = |events: u32| format!("select bench.audit_append(bench.events({events}));\n");
    const NUMBER: &str = "\\set number random(:first, :last)\n";
    match how {
        How::Pipelined => script += &format!("{NUMBER}\\startpipeline\n{statements}{}\\endpipeline\n", append(1)),
        How::OneByOne => script += &format!("{NUMBER}{statements}{}", append(1)),
        How::Ahead => {
            (0..batch).for_each(|_| script += &format!("{NUMBER}\\startpipeline\n{statements}\\endpipeline\n"));
            script += &append(batch);
        }
    }
    script
}

/// The statement with pgbench's variables in place of what the server bound.
fn bound(statement: &Statement) -> String {
    let mut text = statement.text.clone();
    for (place, value) in statement.params.iter().enumerate().rev() {
        let id = <[u8; 16]>::try_from(value.as_slice()).ok().map(|bytes| Uuid::from_bytes(bytes).to_string());
        let variable = match (id, std::str::from_utf8(value)) {
            (Some(id), _) if id.starts_with(PATIENT_PREFIX) => format!("('{PATIENT_PREFIX}' || :number::text)::uuid"),
            (Some(_), _) => ":tenant::uuid".to_owned(),
            (None, Ok(text)) if text.get(64..67) == Some(".1|") => ":context".to_owned(),
            _ => panic!("a value the baseline does not know in: {}", statement.text),
        };
        text = text.replace(&format!("${}", place + 1), &variable);
    }
    text
}

fn helpers(watched: &Watched, people: &People) -> String {
    // jsonb travels as a version byte and its text.
    let rows: serde_json::Value = serde_json::from_slice(&watched.audit.params[0][1..]).unwrap();
    let row = rows[0].to_string().replace('%', "%%").replace('\'', "''");
    let field = |name: &str| rows[0][name].as_str().unwrap().to_owned();
    let row = row.replace(&field("id"), "%1$s").replace(&field("tenant_id"), "%2$s").replace(&field("patient_id"), "%3$s");
    let (patients, tenants) = people.clinics.last().map(|last| (last.first, last.tenant)).unwrap();
    format!(
        "insert into sec_priv.ctx_key (kid, ipad, opad) select 'bench', decode(repeat('5a', 64), 'hex'), decode(repeat('a5', 64), 'hex') on conflict do nothing;
        create or replace function bench.enter(client int, out context text, out tenant text, out first bigint, out last bigint)
        language plpgsql security definer as $$
        declare c bench.clinics; payload text; k sec_priv.ctx_key;
        begin
            select * into c from bench.clinics where patients > 0 order by number offset client * 61 limit 1;
            select * into k from sec_priv.ctx_key where kid = 'bench';
            payload := concat_ws('|', '1', 'bench', (extract(epoch from now()) + 86400)::bigint, pg_backend_pid(), 'staff', bench.tenant(c.number),
                bench.tenant(c.number), 'tenant', 9223372036854775807, '', gen_random_uuid(), bench.tenant(c.number), bench.tenant(c.number));
            context := encode(sha256(k.opad || sha256(k.ipad || convert_to(payload, 'UTF8'))), 'hex') || '.' || payload;
            tenant := bench.tenant(c.number); first := {FIRST} + c.first; last := {FIRST} + c.first + c.patients - 1;
        end $$;
        create or replace function bench.events(count int) returns jsonb language sql volatile as $$
            select ('[' || string_agg(format('{row}', gen_random_uuid(), bench.tenant(1 + (random() * {tenants})::int % {tenants}),
                bench.patient((random() * {patients})::bigint)), ',') || ']')::jsonb from generate_series(1, count) $$;
        grant usage on schema bench to enamel_staff, enamel_sec;
        grant execute on all functions in schema bench to enamel_staff;"
    )
}

/// `sec.audit_append` as the log role runs it.
async fn own_append(people: &People) {
    let row = people.truth.query_one("select pg_get_functiondef('sec.audit_append(jsonb)'::regprocedure)", &[]).await.unwrap();
    let text: String = row.get(0);
    let own = text.replace("sec.audit_append", "bench.audit_append").replace("if session_user <> 'enamel_log' then", "if false then");
    assert_eq!(own.matches("if false then").count(), 1, "sec.audit_append has changed; look at what is compared");
    let own = format!(
        "{own}; alter function bench.audit_append(jsonb) owner to enamel_sec; grant execute on function bench.audit_append(jsonb) to enamel_staff"
    );
    people.truth.batch_execute(&format!("grant create on schema bench to enamel_sec; {own}")).await.unwrap();
}
