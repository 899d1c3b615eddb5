//! Clinics as patients find them, specialists and the contacts of a clinic in the words of the requirement texts
//! (catalogue 5.01, 5.04, 5.06, C15, C47, C48).

use super::clinic_profile::CLINIC_PROFILE;
use super::contact::CONTACT;
use super::provider::PROVIDER;
use crate::kernel::table::projection::{Name, Projection};
use crate::kernel::table::{Field, Verb};

pub static PORTAL_CLINIC: Projection = Projection::new(
    &CLINIC_PROFILE,
    "PatientPortalClinic",
    "PatientPortalClinics",
    "/projections/patient-portal/clinics",
    &[
        Name::same("id").doc("not one of the text's: the profile's own"),
        Name::of("clinic_id", "tenant_id"),
        Name::sql(Field::text("clinic_name").computed("select t.name from tenants t where t.id = r.tenant_id")),
        Name::same("treatments_offered"),
        Name::same("packages_offered"),
        Name::same("certifications"),
        Name::of("clinic_contact_info", "contact").doc("only after the booking is confirmed, where the clinic wants it so"),
        Name::same("reviews_rating"),
        Name::of("images_links", "image_links"),
    ],
)
.verbs(&[Verb::List, Verb::Read]);

pub static NETWORK_CONTACT: Projection = Projection::new(
    &CONTACT,
    "ReferralNetworkContact",
    "ReferralNetworkContacts",
    "/projections/referral-network/contacts",
    &[
        Name::same("id"),
        Name::of("clinicId", "tenant_id"),
        Name::same("name"),
        Name::same("specialty"),
        Name::same("phone"),
        Name::same("email"),
        Name::same("address"),
        Name::same("notes"),
        Name::same("status"),
        Name::of("createdAt", "created_at"),
        Name::of("updatedAt", "updated_at"),
    ],
);

pub static CENTRE_SPECIALIST: Projection = Projection::new(
    &PROVIDER,
    "MedicalCentreSpecialist",
    "MedicalCentreSpecialists",
    "/projections/medical-centre/specialists",
    &[
        Name::of("specialist_id", "id"),
        Name::same("user_id"),
        Name::same("full_name").doc("not one of the text's: its logins have none either"),
        Name::same("specialty"),
        Name::same("professional_license"),
        Name::same("bio"),
    ],
);

pub static SCHEDULING_PROVIDER: Projection = Projection::new(
    &PROVIDER,
    "ClinicSchedulingProvider",
    "ClinicSchedulingProviders",
    "/projections/clinic-scheduling/providers",
    &[
        Name::of("_id", "id"),
        Name::of("clinicId", "tenant_id"),
        Name::of("name", "full_name"),
        Name::same("specialty").doc("not one of the text's, and needed"),
        Name::of("isActive", "status").words(&[("true", "ACTIVE"), ("false", "INACTIVE")]),
    ],
);
