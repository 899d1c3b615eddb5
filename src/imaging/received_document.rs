//! A document another party shared, as a row in the receiver's own space (catalogue 10.12, C24).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static RECEIVED_DOCUMENT: Table = Table {
    name: "received_documents",
    schema: "ReceivedDocument",
    plural: "ReceivedDocuments",
    path: "/received-documents",
    tag: "Imaging",
    doc: "A document another party shared, as a row in the receiver's own space.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewClinical,
    write: Permission::ViewClinical,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "received_at", column: "received_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "source_tenant_id", how: How::Equal },
        Filter { name: "booking_id", how: How::Equal },
        Filter { name: "referral_id", how: How::Equal },
        Filter { name: "file_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").fixed().refers(Refers::Tenant("patients")),
        Field::uuid("source_tenant_id").required().refers(Refers::Installation("tenants")),
        Field::uuid("grant_id").required(),
        Field::uuid("booking_id").refers(Refers::Tenant("bookings")),
        Field::uuid("referral_id").refers(Refers::Tenant("referrals")),
        Field::uuid("file_id")
            .required()
            .refers(Refers::Tenant("files"))
            .doc("entry in this tenant's registry that points at the shared object"),
        Field::instant("received_at").required(),
        Field::instant("revoked_at").read_only(),
    ],
    machines: &[],
};
