//! A clinic's profile is shown, or found no more (catalogue 5.01). What a shown clinic must have, the row's trigger knows.

use super::clinic_profile::CLINIC_PROFILE;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::operation::{Gives, Method, Operation, Run, transition};

const fn step(id: &'static str, path: &'static str, doc: &'static str) -> Operation {
    Operation {
        id,
        method: Method::Post,
        path,
        tag: "Clinic profiles",
        doc,
        takes: &[],
        gives: Gives::Record(&CLINIC_PROFILE),
        planes: &[Plane::Staff],
        permission: Permission::ManageDirectory,
        run: Run::Inside(|scope, call| Box::pin(transition(scope, call, &CLINIC_PROFILE, vec![]))),
    }
}

pub static PUBLISH: Operation =
    step("publishClinicProfile", "/clinic-profiles/{id}/publish", "Show the clinic to patients: it has a name, a place and a treatment");
pub static HIDE: Operation = step("hideClinicProfile", "/clinic-profiles/{id}/hide", "Take the clinic out of what patients find");
