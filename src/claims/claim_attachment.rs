//! Images, charts and letters sent with a claim (catalogue 14.05).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static CLAIM_ATTACHMENT: Table = Table {
    name: "claim_attachments",
    schema: "ClaimAttachment",
    plural: "ClaimAttachments",
    path: "/claim-attachments",
    tag: "Fee schedules",
    doc: "Images, charts and letters sent with a claim.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Delete],
    read: Permission::ViewClaims,
    write: Permission::EditClaims,
    group: true,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[
        Filter { name: "claim_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "file_id", how: How::Equal },
        Filter { name: "document_id", how: How::Equal },
        Filter { name: "kind", how: How::Equal },
    ],
    fields: &[
        Field::uuid("claim_id").required().fixed().refers(Refers::Tenant("claims")),
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("file_id").refers(Refers::Tenant("files")),
        Field::uuid("document_id").refers(Refers::Tenant("documents")),
        Field::choice("kind", &["RADIOGRAPH", "PERIO_CHART", "EOB", "PHOTO", "NARRATIVE", "OTHER"])
            .means(&["X-ray image", "periodontal chart", "explanation of benefits", "photograph", "text that explains the need", "another"])
            .required(),
        Field::text("control_number").phi(),
    ],
    machines: &[],
};
