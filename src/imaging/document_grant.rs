//! Permission for another clinic to have a patient's document, made when a booking is confirmed (catalogue 10.12, 10.10, C24, 9.11).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static DOCUMENT_GRANT: Table = Table {
    name: "document_grants",
    schema: "DocumentGrant",
    plural: "DocumentGrants",
    path: "/document-grants",
    tag: "Imaging",
    doc: "Permission for another clinic to have a patient's document, made when a booking is confirmed.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewClinical,
    write: Permission::EditClinical,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "granted_at", column: "granted_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "file_id", how: How::Equal },
        Filter { name: "document_id", how: How::Equal },
        Filter { name: "grantee_tenant_id", how: How::Equal },
        Filter { name: "consent_id", how: How::Equal },
        Filter { name: "reason", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("file_id").required().refers(Refers::Tenant("files")),
        Field::uuid("document_id").refers(Refers::Tenant("documents")),
        Field::uuid("grantee_tenant_id").required().refers(Refers::Installation("tenants")),
        Field::uuid("booking_id").doc("booking in the clinic's tenant"),
        Field::uuid("consent_id").refers(Refers::Tenant("consents")),
        Field::choice("reason", &["BOOKING_CONFIRMED", "PATIENT_SHARED", "REFERRAL"])
            .means(&["a booking was confirmed", "the patient shares it", "a referral"])
            .defaulted(),
        Field::instant("granted_at").required(),
        Field::instant("revoked_at").read_only(),
        Field::instant("expires_at"),
    ],
    machines: &[],
};
