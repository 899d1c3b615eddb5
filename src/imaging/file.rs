//! One registry of stored blobs (catalogue 10.06, 10.07, 10.08, 10.09, 10.13, C36, C43, 7.12).

use super::links::MINTED;
use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub const KIND: Field =
    Field::choice("kind", &["XRAY", "CT_SCAN", "PHOTO", "MEDICAL_RECORD", "DOCUMENT", "NOTE", "DICOM", "MODEL_3D", "VIDEO", "OTHER"])
        .means(&[
            "single radiograph",
            "CT or CBCT volume",
            "photograph",
            "narrative record",
            "letter, form or report",
            "written note",
            "DICOM of any kind",
            "mesh of a scan",
            "moving pictures",
            "another",
        ])
        .required();

pub static FILE: Table = Table {
    name: "files",
    schema: "File",
    plural: "Files",
    path: "/files",
    tag: "Imaging",
    doc: "One registry of stored blobs.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewImaging,
    write: Permission::EditImaging,
    group: true,
    patient: Some("patient_id"),
    sorts: &[
        Sort { name: "uploaded_at", column: "uploaded_at", ty: Ty::Instant, nullable: true },
        Sort { name: "created_at", column: "created_at", ty: Ty::Instant, nullable: false },
    ],
    filters: &[
        Filter { name: "file_type", how: How::Equal },
        Filter { name: "uploaded_at_from", how: How::From("uploaded_at") },
        Filter { name: "uploaded_at_to", how: How::Before("uploaded_at") },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "plan_id", how: How::Equal },
        Filter { name: "kind", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "uploaded_by_party", how: How::Equal },
        Filter { name: "is_patient_visible", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").fixed().refers(Refers::Tenant("patients")),
        Field::uuid("plan_id"),
        KIND,
        Field::text("file_name").required().pii().doc("shown to people, never part of the key"),
        Field::text("file_url")
            .length(4_000)
            .computed(MINTED)
            .doc("signed, good for five minutes at most; when the file is read by itself"),
        Field::text("file_type").required().read_only().phi(),
        Field::big("file_size").required().read_only().at_least(0).doc("unit: bytes"),
        Field::text("sha256").read_only().phi(),
        Field::text("storage_key").hidden(),
        Field::text("storage_region").required().read_only().phi(),
        Field::uuid("encryption_key_id").hidden().refers(Refers::Tenant("encryption_keys")),
        Field::choice("status", &["PENDING", "SCANNING", "READY", "QUARANTINED", "DELETED"])
            .means(&["announced, bytes not there", "bytes being checked", "can be opened", "kept apart, not opened", "bytes are gone"])
            .defaulted()
            .read_only(),
        Field::text("scan_result").read_only().phi(),
        Field::instant("uploaded_at").read_only(),
        Field::choice("uploaded_by_party", &["STAFF", "PATIENT", "PUBLIC", "SYSTEM"])
            .means(&["people of the clinic", "the patient", "somebody by the public form", "the server by itself"])
            .defaulted()
            .read_only(),
        Field::text("source").phi(),
        Field::date("purge_after").read_only().phi(),
        Field::flag("is_patient_visible").defaulted().doc("false for attachments of staff-only notes and internal files"),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["PENDING"],
        moves: &[
            Move { from: "PENDING", to: "SCANNING", by: "complete-upload" },
            Move { from: "SCANNING", to: "READY", by: "system" },
            Move { from: "SCANNING", to: "QUARANTINED", by: "system" },
            Move { from: "QUARANTINED", to: "READY", by: "release" },
            Move { from: "PENDING", to: "DELETED", by: "system" },
            Move { from: "READY", to: "DELETED", by: "system" },
            Move { from: "QUARANTINED", to: "DELETED", by: "system" },
        ],
    }],
};
