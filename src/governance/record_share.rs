//! A live view of one patient's chart for another tenant, for a time (catalogue C24, 3.07).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static RECORD_SHARE: Table = Table {
    name: "record_shares",
    schema: "RecordShare",
    plural: "RecordShares",
    path: "/record-shares",
    tag: "Audit",
    doc: "A live view of one patient's chart for another tenant, for a time.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewPatient,
    write: Permission::EditPatient,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "valid_until", column: "valid_until", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "grantee_tenant_id", how: How::Equal },
        Filter { name: "consent_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("grantee_tenant_id").required(),
        Field::texts("permissions").example(r#"["view_patient"]"#).required(),
        Field::uuid("consent_id").refers(Refers::Tenant("consents")),
        Field::instant("valid_from").required(),
        Field::instant("valid_until").required(),
        Field::instant("revoked_at").read_only(),
    ],
    machines: &[],
};
