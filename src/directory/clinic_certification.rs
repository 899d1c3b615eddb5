//! A certificate or accreditation, as text or document (catalogue 5.02, 5.01).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static CLINIC_CERTIFICATION: Table = Table {
    name: "clinic_certifications",
    schema: "ClinicCertification",
    plural: "ClinicCertifications",
    path: "/clinic-certifications",
    tag: "Clinic profiles",
    doc: "A certificate or accreditation, as text or document.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewTenant,
    write: Permission::ManageDirectory,
    group: true,
    patient: None,
    sorts: &[],
    filters: &[
        Filter { name: "document_id", how: How::Equal },
        Filter { name: "provider_id", how: How::Equal },
        Filter { name: "is_verified", how: How::Equal },
    ],
    fields: &[
        Field::text("name").required(),
        Field::text("issuer").length(2000),
        Field::text("certificate_number"),
        Field::date("issued_on"),
        Field::date("expires_on"),
        Field::uuid("document_id").refers(Refers::Tenant("documents")),
        Field::text("external_url").length(2000),
        Field::uuid("provider_id").refers(Refers::Tenant("providers")),
        Field::flag("is_verified").defaulted().read_only(),
    ],
    machines: &[],
};
