//! Conversations, notifications and education.
mod knowledge;
mod notices;
mod stream;
mod threads;

use crate::world::operations::run;
use crate::world::tenants::Clinic;
use enamel::kernel::Caller;
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::error::Error;
use serde_json::Value as Json;
use uuid::Uuid;

pub async fn colleague(clinic: &Clinic, role: &str) -> Caller {
    let user = clinic.member(role).await;
    clinic.world.caller(Plane::Staff, clinic.id, Some(user), Permission::ALL)
}

/// The login of a patient, with what the role of patients allows.
pub async fn portal(clinic: &Clinic, patient: Uuid) -> Caller {
    let login = clinic.world.patient_login(&[(clinic.id, patient)]).await;
    let caps =
        [Permission::ViewPatient, Permission::ViewClinical, Permission::ViewTenant, Permission::ViewMessages, Permission::SendMessages];
    clinic.world.caller(Plane::Patient, clinic.id, Some(login), &caps)
}

pub async fn refused(caller: &Caller, operation: &str, id: Option<Uuid>, body: Json) -> Error {
    run(caller, operation, id, body).await.err().unwrap_or_else(|| panic!("{operation} was not refused"))
}
