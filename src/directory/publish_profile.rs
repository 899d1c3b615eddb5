//! A clinic's profile is shown, or found no more (catalogue 5.01). What a shown clinic must have, the row's trigger knows.

use super::clinic_profile::CLINIC_PROFILE;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::operation::{Gives, Operation, Run, Steps, transition};

const STEPS: Steps = Steps { tag: "Clinic profiles", planes: &[Plane::Staff], permission: Permission::ManageDirectory };

pub static PUBLISH: Operation = STEPS.post(
    "publishClinicProfile",
    "/clinic-profiles/{id}/publish",
    "Show the clinic to patients: it has a name, a place and a treatment",
    &[],
    Gives::Record(&CLINIC_PROFILE),
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &CLINIC_PROFILE, vec![]))),
);
pub static HIDE: Operation = STEPS.post(
    "hideClinicProfile",
    "/clinic-profiles/{id}/hide",
    "Take the clinic out of what patients find",
    &[],
    Gives::Record(&CLINIC_PROFILE),
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &CLINIC_PROFILE, vec![]))),
);
