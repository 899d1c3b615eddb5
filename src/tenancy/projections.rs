//! Clinics in the words of the requirement texts (catalogue 1.01, C01, C39).

use super::tenant::TENANT;
use crate::kernel::table::projection::{Name, Projection};
use crate::kernel::table::{Field, Verb};

pub const ADDRESS: &str =
    "select concat_ws(', ', a ->> 'line1', a ->> 'line2', nullif(concat_ws(' ', a ->> 'postal_code', a ->> 'city'), ''),
    a ->> 'region', a ->> 'country') from (select sec.tenant_contact(r.id) -> 'address' as a) x where a is not null";

const VERBS: &[Verb] = &[Verb::List, Verb::Read, Verb::Update];

/// Clinics sign up and are not created by a clinic; where they are is said by their default location.
pub static NETWORK_CLINIC: Projection = Projection::new(
    &TENANT,
    "ReferralNetworkClinic",
    "ReferralNetworkClinics",
    "/projections/referral-network/clinics",
    &[
        Name::same("id"),
        Name::same("name"),
        Name::sql(Field::text("address").computed(ADDRESS)),
        Name::same("phone"),
        Name::same("email"),
        Name::of("createdAt", "created_at"),
        Name::of("updatedAt", "updated_at"),
    ],
)
.verbs(VERBS);

pub static SCHEDULING_CLINIC: Projection = Projection::new(
    &TENANT,
    "ClinicSchedulingClinic",
    "ClinicSchedulingClinics",
    "/projections/clinic-scheduling/clinics",
    &[
        Name::of("_id", "id"),
        Name::same("name"),
        Name::sql(Field::text("address").computed(ADDRESS)),
        Name::same("phone"),
        Name::same("email"),
        Name::of("isActive", "is_active"),
        Name::of("createdAt", "created_at"),
    ],
)
.verbs(VERBS);
