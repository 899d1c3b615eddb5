//! Family: a relationship (fact) and a proxy (permission) in one step; proxies and portal accounts along their states
//! (catalogue 4.19, C37, B6, 4.21).

use super::patient::PATIENT;
use super::patient_portal_account::PATIENT_PORTAL_ACCOUNT;
use super::patient_proxy::PATIENT_PROXY;
use super::patient_relationship::PATIENT_RELATIONSHIP;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run, Steps, transition};
use crate::kernel::table::{Draft, Field, Value, store};

pub static ADD_FAMILY_MEMBER: Operation = Operation {
    id: "addFamilyMember",
    method: Method::Post,
    path: "/patients/{id}/add-family-member",
    tag: "Patients",
    doc: "Record a relative who is a patient too, and let their login act for this patient",
    takes: &[
        Field::uuid("user_id").required().doc("login of the relative; known to the tenant"),
        Field::uuid("related_patient_id").required(),
        Field::choice("relationship", &["PARENT", "SPOUSE", "CHILD", "GUARDIAN"])
            .means(&["father or mother", "husband, wife or partner", "son or daughter", "guardian in law"])
            .required(),
        Field::texts("scopes").doc("what the login may see; appointments and messages when left out"),
        Field::instant("valid_until"),
    ],
    gives: Gives::Created(&PATIENT_PROXY),
    planes: &[Plane::Staff],
    permission: Permission::EditPatient,
    run: Run::Inside(|scope, call| Box::pin(add_family_member(scope, call))),
};

async fn add_family_member(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let patient = store::lock(scope, &PATIENT, call.id()?, None, keys).await?;
    let related = call.uuid("related_patient_id").unwrap_or_default();
    let kind = call.text("relationship").unwrap_or_default().to_owned();
    if related == patient.id {
        return Err(Error::new(&error::INVALID).fault("related_patient_id", "value", "A patient is no relative of themselves."));
    }
    let fact = Draft::default()
        .set(&PATIENT_RELATIONSHIP, "patient_id", Value::Uuid(patient.id))?
        .set(&PATIENT_RELATIONSHIP, "related_patient_id", Value::Uuid(related))?
        .set(&PATIENT_RELATIONSHIP, "relationship_type", Value::Text(kind.clone()))?
        .set(&PATIENT_RELATIONSHIP, "is_legal_guardian", Value::Bool(kind == "GUARDIAN"))?;
    let fact = store::insert(scope, &PATIENT_RELATIONSHIP, &fact, keys).await?;
    let mut grant = Draft::default()
        .set(&PATIENT_PROXY, "patient_id", Value::Uuid(patient.id))?
        .set(&PATIENT_PROXY, "user_id", call.value("user_id").cloned().unwrap_or(Value::Null))?
        .set(&PATIENT_PROXY, "relationship", Value::Text(kind))?
        .set(&PATIENT_PROXY, "relationship_id", Value::Uuid(fact.id))?
        .set(&PATIENT_PROXY, "granted_by", Value::Text("CLINIC".into()))?
        .set(&PATIENT_PROXY, "valid_from", Value::Instant(scope.now()))?;
    for name in ["scopes", "valid_until"] {
        if let Some(value) = call.value(name) {
            grant = grant.set(&PATIENT_PROXY, name, value.clone())?;
        }
    }
    Ok(Answer::Record(store::insert(scope, &PATIENT_PROXY, &grant, keys).await?))
}

const STEPS: Steps = Steps { tag: "Patients", planes: &[Plane::Staff], permission: Permission::EditPatient };

pub static CONFIRM_PROXY: Operation = STEPS.post(
    "confirmPatientProxy",
    "/patient-proxies/{id}/confirm",
    "Identity and authority were checked: the proxy begins",
    &[],
    Gives::Record(&PATIENT_PROXY),
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &PATIENT_PROXY, vec![]))),
);
pub static REVOKE_PROXY: Operation = STEPS.post(
    "revokePatientProxy",
    "/patient-proxies/{id}/revoke",
    "End a proxy; its access ends at the next statement",
    &[],
    Gives::Record(&PATIENT_PROXY),
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let now = scope.now();
            transition(scope, call, &PATIENT_PROXY, vec![("revoked_at", Value::Instant(now))]).await
        })
    }),
);
pub static ACTIVATE_PORTAL: Operation = STEPS.post(
    "activatePatientPortalAccount",
    "/patient-portal-accounts/{id}/activate",
    "The patient's identity was checked in the clinic: portal access begins",
    &[],
    Gives::Record(&PATIENT_PORTAL_ACCOUNT),
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let now = scope.now();
            transition(scope, call, &PATIENT_PORTAL_ACCOUNT, vec![("activated_at", Value::Instant(now))]).await
        })
    }),
);
pub static SUSPEND_PORTAL: Operation = STEPS.post(
    "suspendPatientPortalAccount",
    "/patient-portal-accounts/{id}/suspend",
    "Stop portal access for a while",
    &[],
    Gives::Record(&PATIENT_PORTAL_ACCOUNT),
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &PATIENT_PORTAL_ACCOUNT, vec![]))),
);
pub static REINSTATE_PORTAL: Operation = STEPS.post(
    "reinstatePatientPortalAccount",
    "/patient-portal-accounts/{id}/reinstate",
    "Give suspended portal access back",
    &[],
    Gives::Record(&PATIENT_PORTAL_ACCOUNT),
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &PATIENT_PORTAL_ACCOUNT, vec![]))),
);
pub static CLOSE_PORTAL: Operation = STEPS.post(
    "closePatientPortalAccount",
    "/patient-portal-accounts/{id}/close",
    "End portal access for good; the record stays",
    &[],
    Gives::Record(&PATIENT_PORTAL_ACCOUNT),
    Run::Inside(|scope, call| {
        Box::pin(async move {
            let now = scope.now();
            transition(scope, call, &PATIENT_PORTAL_ACCOUNT, vec![("closed_at", Value::Instant(now))]).await
        })
    }),
);
