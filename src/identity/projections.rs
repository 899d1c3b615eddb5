//! Staff logins and their roles in the words of the requirement texts (catalogue 2.08, C05, C-R). A login belongs to a clinic
//! by an invitation, so it is not created here.

use super::user::USER;
use super::user_operations::{DISABLE, ENABLE};
use crate::kernel::table::projection::{Name, Projection, Step};
use crate::kernel::table::{Field, Verb};

const VERBS: &[Verb] = &[Verb::List, Verb::Read, Verb::Update];
const CLINIC: Field = Field::uuid("clinicId")
    .computed("select m.tenant_id from user_tenants m where m.user_id = r.id order by m.created_at, m.tenant_id limit 1")
    .doc("the clinic it belongs to; of several that the caller sees the first");

const ACTIVITY: &[Step] = &[Step { to: "ACTIVE", by: &[&ENABLE], with: &[] }, Step { to: "DISABLED", by: &[&DISABLE], with: &[] }];

pub static NETWORK_USER: Projection = Projection::new(
    &USER,
    "ReferralNetworkUser",
    "ReferralNetworkUsers",
    "/projections/referral-network/users",
    &[
        Name::same("id"),
        Name::same("email"),
        Name::of("name", "full_name"),
        Name::same("role")
            .words(&[("ADMIN", "TENANT_ADMIN"), ("STAFF", "CLINICIAN"), ("STAFF", "CLINIC_STAFF")])
            .means(&["runs the clinic", "works in it"]),
        Name::sql(CLINIC),
        Name::of("createdAt", "created_at"),
        Name::of("updatedAt", "updated_at"),
    ],
)
.verbs(VERBS);

pub static CENTRE_USER: Projection = Projection::new(
    &USER,
    "MedicalCentreUser",
    "MedicalCentreUsers",
    "/projections/medical-centre/users",
    &[
        Name::of("user_id", "id"),
        Name::same("email"),
        Name::same("role")
            .words(&[("Admin", "TENANT_ADMIN"), ("Specialist", "CLINICIAN"), ("Patient", "PATIENT"), ("FamilyMember", "PATIENT_PROXY")])
            .means(&["runs the clinic", "treats patients", "is treated", "acts for a patient"]),
        Name::of("is_active", "status").words(&[("true", "ACTIVE"), ("false", "DISABLED"), ("false", "INVITED")]).moves(ACTIVITY),
        Name::same("created_at"),
        Name::same("updated_at"),
        Name::same("created_by"),
        Name::same("updated_by"),
    ],
)
.verbs(VERBS);

pub static SCHEDULING_USER: Projection = Projection::new(
    &USER,
    "ClinicSchedulingUser",
    "ClinicSchedulingUsers",
    "/projections/clinic-scheduling/users",
    &[
        Name::of("_id", "id"),
        Name::sql(CLINIC),
        Name::same("email"),
        Name::of("name", "full_name"),
        Name::same("role")
            .words(&[("super_admin", "PLATFORM_ADMIN"), ("admin", "TENANT_ADMIN"), ("provider", "CLINICIAN"), ("staff", "CLINIC_STAFF")])
            .means(&["runs the installation", "runs the clinic", "treats patients", "works in the clinic"]),
        Name::of("isActive", "status").words(&[("true", "ACTIVE"), ("false", "DISABLED"), ("false", "INVITED")]).moves(ACTIVITY),
    ],
)
.verbs(VERBS);
