//! Attacks by staff whose role is for a part of the tenant: reaching, planting and keeping what is another's in it.

use super::super::arena::{NORTH, STRANGER, context};
use super::{Attack, accepted, rows, run_as, staff};
use enamel::kernel::context::{Caps, Context, Plane};

/// Every permission, for their own patients only.
fn specialist(plane: Plane) -> Context {
    let whole = context(plane, NORTH);
    Context { caps: Caps::NONE, part: whole.caps, ..whole }
}

fn attacks() -> Vec<Attack> {
    let (tenant, me) = (NORTH.tenant_id(), NORTH.id("users"));
    let (patient, visit, role) = (STRANGER.id("patients"), STRANGER.id("encounters"), "00000000-0000-7000-8002-000000000002");
    let naive = "select note from booking where provider <> 'me'";
    let grant = |scope: &str| {
        format!(
            "insert into enamel.user_roles (tenant_id, id, user_id, role_tenant_id, role_id, resource_scope)
             values ('{tenant}', gen_random_uuid(), '{me}', '00000000-0000-7000-8000-000000000001', '{role}', '{scope}')"
        )
    };
    vec![
        staff("42 another's visit", naive, rows, format!("select id from enamel.encounters where id = '{visit}'"), "="),
        staff("42 another's patient", naive, rows, format!("select id from enamel.patients where id = '{patient}'"), "="),
        staff(
            "42 what is written of them",
            naive,
            rows,
            format!("select id from enamel.clinical_notes where patient_id = '{patient}'"),
            "=",
        ),
        staff(
            "42 their allergies, where no provider stands",
            naive,
            rows,
            format!("select id from enamel.patient_allergies where patient_id = '{patient}'"),
            "=",
        ),
        staff("42 the log of all changes", naive, rows, format!("select id from enamel.change_log where patient_id = '{patient}'"), "="),
        staff("42 a record's history", naive, rows, format!("select count(*) from sec.history('patients', '{patient}', null, 50)"), "=0"),
        staff(
            "42 a record's versions",
            naive,
            rows,
            format!(
                "select count(*) from sec.versions('[{{\"rel\": \"patients\"}}]', '{patient}', null, null, null, null, null, null, 50)"
            ),
            "=0",
        ),
        staff(
            "42 words of another's notes",
            naive,
            rows,
            format!("select count(*) from enamel.messages where patient_id = '{patient}'"),
            "=0",
        ),
        staff(
            "43 another's patient taken over",
            "update booking set provider = 'me' where provider = 'another'",
            accepted,
            format!("update enamel.patients set primary_provider_id = '{}' where id = '{patient}'", NORTH.id("providers")),
            "=",
        ),
        staff(
            "43 a note planted in another's chart",
            "insert into booking values (current_setting('app.tenant_id')::uuid, 'another', 'there', 'planted')",
            accepted,
            format!(
                "insert into enamel.patient_allergies (tenant_id, id, patient_id, category, substance) values ('{tenant}', gen_random_uuid(), '{patient}', 'OTHER', 'x')"
            ),
            "42501",
        ),
        staff(
            "43 a visit given away and kept in sight",
            "update booking set provider = 'another' where provider = 'me' returning note",
            rows,
            format!(
                "update enamel.encounters set provider_id = '{}', location_id = '{}' where id = '{}'",
                STRANGER.id("providers"),
                STRANGER.id("locations"),
                NORTH.id("encounters")
            ),
            "42501",
        ),
        staff("44 the same role throughout", "insert into session_key values ('mine')", accepted, grant("ALL_LOCATIONS"), "42501"),
        staff("44 the same role in part", "insert into session_key values ('mine')", accepted, grant("SELF"), "42501"),
        staff(
            "44 settings of the whole tenant",
            "insert into session_key values ('mine')",
            accepted,
            "update enamel.tenant_settings set updated_at = now()".into(),
            "=",
        ),
        staff(
            "44 a colleague's name",
            "insert into session_key values ('mine')",
            accepted,
            "update enamel.users set full_name = 'x'".into(),
            "=",
        ),
    ]
}

#[test]
fn a_part_is_not_the_whole() {
    run_as(specialist, attacks);
}
