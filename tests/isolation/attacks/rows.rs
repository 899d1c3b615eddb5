//! Attacks on rows: reading, planting, moving and deleting what belongs to another.

use super::super::arena::{NORTH, OAK, SOUTH, STRANGER, TWIN};
use super::{Attack, accepted, rows, run, staff};
use enamel::kernel::context::Plane;

/// Who the row's author is, whatever the statement says.
fn author() -> &'static str {
    static AUTHOR: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| format!("={}", NORTH.id("users")));
    &AUTHOR
}

fn reading() -> Vec<Attack> {
    let foreign = OAK.tenant_id();
    vec![
        staff("1 a forged setting", "with forged as materialized (select set_config('app.tenant_id', '00000000-0000-0000-0000-00000000000b', true)) select name from forged cross join lateral (select name from patient where set_config is not null) p where name = 'Bob'", rows,
            format!("select id from enamel.patients where set_config('app.ctx', repeat('0', 64) || '.1|k|9999999999|1|staff||{foreign}|tenant|-1||||', true) is not null"), "42501"),
        staff("1 a forged setting, then a read", "set local app.tenant_id = '00000000-0000-0000-0000-00000000000b'; select name from patient", rows,
            format!("select set_config('app.ctx', repeat('0', 64) || '.1|k|9999999999|1|staff||{foreign}|tenant|-1||||', true); select id from enamel.patients"), "42501"),
        staff("2 a stronger role", "set local role naive_admin; select name from patient", rows, "set local role enamel_platform".into(), "42501"),
        staff("2 the owner's role", "set local role naive_admin; select name from patient", rows, "set local role enamel_owner".into(), "42501"),
        staff("5 an owner's view", "select name from patient_view where tenant_id <> current_setting('app.tenant_id')::uuid", rows,
            format!("select count(*) from enamel.phi_access_logs where tenant_id = '{foreign}'"), "=0"),
        staff("6 a materialized view", "select count from patient_count where tenant_id <> current_setting('app.tenant_id')::uuid", rows,
            "select count(*) from pg_class where relnamespace = 'enamel'::regnamespace and relkind in ('m', 'f', 'S') and has_table_privilege(oid, 'select')".into(), "=0"),
        staff("16 a partition", "select what from event_2026", rows,
            "select count(*) from pg_class where relnamespace = 'enamel'::regnamespace and relispartition and has_table_privilege(oid, 'select')".into(), "=0"),
        staff("19 a definer's function", "select get_patient('00000000-0000-0000-0000-0000000000b1')", rows,
            format!("select count(*) from sec.charts(0, null, null) where tenant_id = '{foreign}'"), "42501"),
        staff("33 the sealing key", "select secret from session_key", rows, "select ipad from sec_priv.ctx_key".into(), "42501"),
        staff("33 the claims", "select secret from session_key", rows, "select sec.claims()".into(), "42501"),
        staff("35 notes without the right", "select body from staff_note", rows, "select wrapped_key from enamel.encryption_keys".into(), "42501"),
        staff("41 a statement that forgot its tenant", "select patient_id from portal where tenant_id <> current_setting('app.tenant_id')::uuid", rows,
            format!("select count(*) from enamel.patients where tenant_id in ('{}', '{foreign}')", SOUTH.tenant_id()), "=0"),
        staff("28 row security off", "set local row_security = off; select count(*) from session_key", rows,
            "set local row_security = off; select count(*) from enamel.patients".into(), "42501"),
        staff("29 no triggers", "set local session_replication_role = replica; insert into visit (tenant_id, patient_id) values (current_setting('app.tenant_id')::uuid, gen_random_uuid()) returning 1", rows, "set local session_replication_role = replica".into(), "42501"),
    ]
}

fn writing() -> Vec<Attack> {
    let (foreign, patient) = (OAK.tenant_id(), OAK.id("patients"));
    let own = NORTH.tenant_id();
    let address = |tenant, patient| {
        format!(
            "insert into enamel.patient_addresses (tenant_id, id, patient_id, kind, line1, city, country) values ('{tenant}', gen_random_uuid(), '{patient}', 'HOME', 'x', 'x', 'DE')"
        )
    };
    vec![
        staff(
            "9 a child of another's parent",
            "insert into visit (tenant_id, patient_id) values (current_setting('app.tenant_id')::uuid, '00000000-0000-0000-0000-0000000000b1')",
            accepted,
            format!(
                "insert into enamel.team_members (tenant_id, id, team_id, user_id) values ('{own}', gen_random_uuid(), '{}', '{}')",
                OAK.id("teams"),
                NORTH.id("users")
            ),
            "23503",
        ),
        staff(
            "9 … and of none",
            "insert into visit (tenant_id, patient_id) values (current_setting('app.tenant_id')::uuid, gen_random_uuid())",
            |there| there == &Err("23503".into()),
            format!(
                "insert into enamel.team_members (tenant_id, id, team_id, user_id) values ('{own}', gen_random_uuid(), gen_random_uuid(), '{}')",
                NORTH.id("users")
            ),
            "23503",
        ),
        staff(
            "10 another's unique value tells",
            "insert into patient (id, tenant_id, email) values (gen_random_uuid(), current_setting('app.tenant_id')::uuid, 'b1@x')",
            |there| there == &Err("23505".into()),
            format!(
                "insert into enamel.teams (tenant_id, id, name, kind) select '{own}', '{}', 'x', 'x' returning 'made'",
                OAK.id("teams")
            ),
            "=made",
        ),
        staff(
            "11 upsert on another's key",
            "insert into patient (id, tenant_id, email) values ('00000000-0000-0000-0000-0000000000b1', current_setting('app.tenant_id')::uuid, 'z') on conflict do nothing returning 1",
            |there| there == &Ok(vec![]),
            format!(
                "insert into enamel.teams (tenant_id, id, name, kind) values ('{own}', '{}', 'x', 'x') on conflict do nothing returning 'made'",
                OAK.id("teams")
            ),
            "=made",
        ),
        staff(
            "12 a planted row",
            "insert into patient (id, tenant_id) values (gen_random_uuid(), '00000000-0000-0000-0000-00000000000b')",
            accepted,
            address(foreign, patient),
            "42501",
        ),
        staff(
            "13 a moved row",
            "update patient set tenant_id = '00000000-0000-0000-0000-00000000000b'",
            accepted,
            format!("update enamel.patients set tenant_id = '{foreign}' where id = '{}'", NORTH.id("patients")),
            "42501",
        ),
        staff(
            "13b moved without a where",
            "update task set tenant_id = '00000000-0000-0000-0000-00000000000a'",
            |there| there == &Ok(vec!["#2".into()]),
            format!("update enamel.patients set tenant_id = '{own}'"),
            "42501",
        ),
        staff(
            "14 deleted by a lax policy",
            "delete from task",
            |there| there == &Ok(vec!["#2".into()]),
            "delete from enamel.patients".into(),
            "42501",
        ),
        staff(
            "15 returning what is not ours",
            "with w as (update portal set login = login returning tenant_id) select tenant_id from w where tenant_id <> current_setting('app.tenant_id')::uuid",
            rows,
            format!("update enamel.teams set name = 'x' where tenant_id = '{foreign}' returning id"),
            "=",
        ),
        staff("18 truncate", "truncate task", accepted, "truncate enamel.patients".into(), "42501"),
        staff(
            "18 a trigger",
            "create function f() returns trigger language plpgsql as 'begin return new; end'; create trigger t before insert on task for each row execute function f()",
            accepted,
            "create trigger t before insert on enamel.patients for each row execute function sec.stamp()".into(),
            "42501",
        ),
        staff(
            "18 a foreign key as an oracle",
            "create table spy (id uuid references patient); insert into spy values ('00000000-0000-0000-0000-0000000000b1') returning id",
            rows,
            "create table enamel.spy (id uuid references enamel.patients)".into(),
            "42501",
        ),
        staff(
            "30 a cascade across tenants",
            "delete from patient; set local app.tenant_id = '00000000-0000-0000-0000-00000000000b'; select count(*) from visit where note = 'of b'",
            |there| there == &Ok(vec!["#1".into(), "0".into()]),
            format!("delete from enamel.patients where tenant_id = '{foreign}'"),
            "42501",
        ),
        staff(
            "40 a seal that a row's author invents",
            "insert into patient (id, tenant_id, name) values (gen_random_uuid(), null, 'by somebody else')",
            accepted,
            format!(
                "insert into enamel.teams (tenant_id, id, name, kind, created_by, created_at) values ('{own}', gen_random_uuid(), 'x', 'x', '{}', '2001-01-01') returning created_by",
                STRANGER.id("users")
            ),
            author(),
        ),
    ]
}

fn planes() -> Vec<Attack> {
    let sibling = SOUTH.tenant_id();
    let other = |plane, number, naive, earns, ours: String, answer| Attack { number, naive, earns, plane, ours, answer };
    let patient = |number, naive, earns, ours: String, answer| other(Plane::Patient, number, naive, earns, ours, answer);
    const PLANTED: &str = "set local app.login = '00000000-0000-0000-0000-0000000000f1'; insert into chart values
        ('00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0000-0000000000b1', 'planted') returning owner";
    const EDITED: &str = "set local app.login = '00000000-0000-0000-0000-0000000000f1'; update chart set owner = 'edited'
        where tenant_id = '00000000-0000-0000-0000-00000000000b' and id = '00000000-0000-0000-0000-0000000000a1' returning owner";
    const CARRIED: &str =
        "set local app.login = '00000000-0000-0000-0000-0000000000f1'; update chart set id = '00000000-0000-0000-0000-0000000000b1'
        where tenant_id = '00000000-0000-0000-0000-00000000000b' returning id";
    const OTHERS: &str = "select login from portal where login <> '00000000-0000-0000-0000-0000000000f1'";
    const TWIN_SEEN: &str =
        "set local app.login = '00000000-0000-0000-0000-0000000000f1'; select owner from chart where owner like 'somebody else%'";
    vec![
        other(
            Plane::Group,
            "34 a group moves a row between its clinics",
            "update task set tenant_id = '00000000-0000-0000-0000-00000000000b'",
            accepted,
            format!("set transaction read write; update enamel.patients set tenant_id = '{sibling}'"),
            "42501",
        ),
        other(
            Plane::Group,
            "34 a group writes",
            "update task set title = 'x'",
            accepted,
            "set transaction read write; update enamel.teams set name = 'x'".into(),
            "42501",
        ),
        other(
            Plane::Audit,
            "34 an auditor writes",
            "update task set title = 'x'",
            accepted,
            "set transaction read write; update enamel.teams set name = 'x'".into(),
            "42501",
        ),
        patient(
            "36 a patient plants a file in another's chart",
            PLANTED,
            rows,
            format!(
                "insert into enamel.files (tenant_id, id, patient_id, kind, file_name, file_type, file_size, storage_key, storage_region)
            values ('{t}', gen_random_uuid(), '{}', 'OTHER', 'x', 'x', 1, '{t}/x', 'eu')",
                STRANGER.id("patients"),
                t = NORTH.tenant_id()
            ),
            "42501",
        ),
        patient(
            "36 a patient points a file at another tenant's object",
            PLANTED,
            rows,
            format!(
                "insert into enamel.files (tenant_id, id, patient_id, kind, file_name, file_type, file_size, storage_key, storage_region)
            values ('{}', gen_random_uuid(), '{}', 'OTHER', 'x', 'x', 1, '{}/x', 'eu')",
                NORTH.tenant_id(),
                NORTH.id("patients"),
                OAK.tenant_id()
            ),
            "23514",
        ),
        patient("36 a patient edits the chart", EDITED, rows, "update enamel.patients set last_name = 'x'".into(), "42501"),
        patient(
            "36 a patient carries a row into the other chart",
            CARRIED,
            rows,
            format!("update enamel.patient_addresses set patient_id = '{}'", OAK.id("patients")),
            "42501",
        ),
        patient("36 a patient lists the clinic's logins", OTHERS, rows, "select coalesce(array_length(sec.members(0), 1), 0)".into(), "=0"),
        patient(
            "36 a patient reads who else has an account",
            OTHERS,
            rows,
            format!(
                "select count(*) from enamel.patient_portal_accounts where user_id <> '{}' and tenant_id = '{}'",
                NORTH.id("users"),
                NORTH.tenant_id()
            ),
            "=0",
        ),
        patient(
            "39 the same patient id in another clinic",
            TWIN_SEEN,
            rows,
            format!("select count(*) from enamel.patient_addresses where id = '{}'", TWIN.id("patient_addresses")),
            "=0",
        ),
    ]
}

#[test]
fn reading_what_is_not_ours() {
    run(reading);
}
#[test]
fn writing_what_is_not_ours() {
    run(writing);
}
#[test]
fn planes_that_only_read_or_see_one_chart() {
    run(planes);
}
