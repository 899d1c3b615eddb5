//! Patients and their family in the words of the requirement texts (catalogue 4.02–4.11, 4.19, C11–C14, C37–C39).

use super::external_contact::EXTERNAL_CONTACT;
use super::family::ADD_FAMILY_MEMBER;
use super::family_member::FAMILY_MEMBER;
use super::patient::{EMERGENCY_CONTACT, PATIENT};
use super::patient_relationship::PATIENT_RELATIONSHIP;
use crate::kernel::crypto::Keyring;
use crate::kernel::db::Scope;
use crate::kernel::error::Result;
use crate::kernel::table::form::Broken;
use crate::kernel::table::projection::{Name, Projection, Step};
use crate::kernel::table::{Draft, Field, Record, Value, Verb, store};
use crate::sql;
use futures_util::future::BoxFuture;
use serde_json::Value as Json;
use uuid::Uuid;

sql! {
    /// $1 tenant, $2 patient.
    EMERGENCY_RELATIONS(UUID, UUID) = "
        select id, external_contact_id from patient_relationships
         where tenant_id = $1 and patient_id = $2 and relationship_type = 'EMERGENCY_CONTACT' and deleted_at is null
         order by created_at, id";
}

const NAME: &[&str] = &["last_name", "first_name", "name_needs_review"];

/// One name fills the last name and waits for a person to divide it (C12).
fn one_name(json: &Json) -> Result<Vec<(&'static str, Json)>, Broken> {
    match json.as_str() {
        Some(name) => Ok(vec![("last_name", name.into()), ("first_name", Json::Null), ("name_needs_review", true.into())]),
        None => Err(("type", "It must be a string.".to_owned())),
    }
}

const ACTIVITY: &[Step] = &[
    Step { to: "ACTIVE", by: &[&super::status::REACTIVATE], with: &[] },
    Step { to: "INACTIVE", by: &[&super::status::DEACTIVATE], with: &[] },
];

pub static PORTAL_PATIENT: Projection = Projection::new(
    &PATIENT,
    "PatientPortalPatient",
    "PatientPortalPatients",
    "/projections/patient-portal/patients",
    &[
        Name::same("id"),
        Name::same("full_name").split(one_name, NAME),
        Name::of("email", "contact_email").filter("email"),
        Name::of("phone_number", "phone_mobile").filter("phone").doc("international form"),
        Name::of("treatment_plan_id", "active_treatment_plan_id"),
        Name::same("portal_status").words(&[("Active", "ACTIVE"), ("In Progress", "IN_PROGRESS"), ("Completed", "COMPLETED")]),
        Name::of("date_created", "created_at"),
    ],
);

pub static CENTRE_PATIENT: Projection = Projection::new(
    &PATIENT,
    "MedicalCentrePatient",
    "MedicalCentrePatients",
    "/projections/medical-centre/patients",
    &[
        Name::of("patient_id", "id"),
        Name::same("user_id"),
        Name::same("first_name").doc("not one of the text's: its logins have the name"),
        Name::same("last_name").doc("not one of the text's, and needed"),
        Name::of("date_of_birth", "dob"),
        Name::sql(Field::text("emergency_contact_name").computed(EMERGENCY_CONTACT).length(200).pii()).after(name_contact),
        Name::same("base_medical_history"),
    ],
);

pub static SCHEDULING_PATIENT: Projection = Projection::new(
    &PATIENT,
    "ClinicSchedulingPatient",
    "ClinicSchedulingPatients",
    "/projections/clinic-scheduling/patients",
    &[
        Name::of("_id", "id"),
        Name::of("clinicId", "tenant_id"),
        Name::of("email", "contact_email").filter("email"),
        Name::of("name", "full_name").split(one_name, NAME),
        Name::of("phone", "phone_mobile").filter("phone"),
        Name::of("dateOfBirth", "dob"),
        Name::of("isActive", "status").words(&[("true", "ACTIVE"), ("false", "INACTIVE"), ("false", "DECEASED")]).moves(ACTIVITY),
    ],
);

pub static CENTRE_FAMILY_MEMBER: Projection = Projection::new(
    &FAMILY_MEMBER,
    "MedicalCentreFamilyMember",
    "MedicalCentreFamilyMembers",
    "/projections/medical-centre/family-members",
    &[
        Name::of("family_member_id", "id"),
        Name::same("user_id"),
        Name::same("patient_id"),
        Name::same("relationship").words(&[("Parent", "PARENT"), ("Spouse", "SPOUSE"), ("Child", "CHILD"), ("Guardian", "GUARDIAN")]),
        Name::sql(
            Field::uuid("related_patient_id")
                .required()
                .computed(
                    "select f.related_patient_id from patient_proxies p
                       join patient_relationships f on f.tenant_id = p.tenant_id and f.id = p.relationship_id
                      where p.tenant_id = r.tenant_id and p.id = r.id",
                )
                .doc("not one of the text's: the relative's own record, needed for the fact beside the permission"),
        ),
    ],
)
.verbs(&[Verb::List, Verb::Create, Verb::Read])
.made_by(&ADD_FAMILY_MEMBER, "patient_id");

fn name_contact<'a>(scope: &'a mut Scope, patient: &'a Record, value: &'a Value, keys: &'a Keyring) -> BoxFuture<'a, Result<()>> {
    Box::pin(replace_contact(scope, patient, value, keys))
}

/// The name is an external contact's; without one yet the relation is made with it, and no name ends the relation.
async fn replace_contact(scope: &mut Scope, patient: &Record, value: &Value, keys: &Keyring) -> Result<()> {
    let held = scope.rows(&EMERGENCY_RELATIONS, &[&patient.tenant, &patient.id]).await?;
    let held: Option<(Uuid, Option<Uuid>)> =
        held.first().map(|row| Ok::<_, tokio_postgres::Error>((row.try_get(0)?, row.try_get(1)?))).transpose()?;
    match (value, held) {
        (Value::Text(_), Some((_, Some(contact)))) => {
            let was = store::lock(scope, &EXTERNAL_CONTACT, contact, None, keys).await?;
            let draft = Draft::default().set(&EXTERNAL_CONTACT, "full_name", value.clone())?;
            store::update(scope, &was, &draft, "update", keys).await?;
        }
        (Value::Text(_), held) => {
            if let Some((relation, None)) = held {
                end_relation(scope, relation, keys).await?;
            }
            let contact = Draft::default().set(&EXTERNAL_CONTACT, "patient_id", Value::Uuid(patient.id))?.set(
                &EXTERNAL_CONTACT,
                "full_name",
                value.clone(),
            )?;
            let contact = store::insert(scope, &EXTERNAL_CONTACT, &contact, keys).await?;
            let relation = Draft::default()
                .set(&PATIENT_RELATIONSHIP, "patient_id", Value::Uuid(patient.id))?
                .set(&PATIENT_RELATIONSHIP, "external_contact_id", Value::Uuid(contact.id))?
                .set(&PATIENT_RELATIONSHIP, "relationship_type", Value::Text("EMERGENCY_CONTACT".to_owned()))?;
            store::insert(scope, &PATIENT_RELATIONSHIP, &relation, keys).await?;
        }
        (_, Some((relation, _))) => end_relation(scope, relation, keys).await?,
        _ => {}
    }
    Ok(())
}

async fn end_relation(scope: &mut Scope, relation: Uuid, keys: &Keyring) -> Result<()> {
    let was = store::lock(scope, &PATIENT_RELATIONSHIP, relation, None, keys).await?;
    store::retire(scope, &was, None, keys).await.map(|_| ())
}
