//! A consent form, report or other document with its owner and signature (catalogue 10.11).

use super::links::MINTED;
use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static DOCUMENT: Table = Table {
    name: "documents",
    schema: "Document",
    plural: "Documents",
    path: "/documents",
    tag: "Imaging",
    doc: "A consent form, report or other document with its owner and signature.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewClinical,
    write: Permission::EditClinical,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "created_at", column: "created_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "document_type", how: How::Equal },
        Filter { name: "owner_id", how: How::Equal },
        Filter { name: "owner_type", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "file_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "signer_id", how: How::Equal },
        Filter { name: "signature_method", how: How::Equal },
        Filter { name: "visibility", how: How::Equal },
    ],
    fields: &[
        Field::choice("owner_type", &["PATIENT", "ENCOUNTER", "CLAIM", "TENANT"])
            .means(&["a patient", "a visit", "a claim", "a tenant"])
            .required(),
        Field::uuid("owner_id").required(),
        Field::uuid("patient_id").fixed().refers(Refers::Tenant("patients")),
        Field::text("document_type").required().phi(),
        Field::text("title").required().phi(),
        Field::uuid("file_id").required().refers(Refers::Tenant("files")),
        Field::text("storage_uri").length(4_000).computed(MINTED).doc("signed link to the file, when the document is read by itself"),
        Field::text("hash").required().read_only().phi(),
        Field::choice("status", &["DRAFT", "FINAL", "SIGNED", "ENTERED_IN_ERROR"])
            .means(&["may change", "as it will stay", "signed, never changed", "should never have been"])
            .defaulted()
            .read_only(),
        Field::instant("signed_at").read_only(),
        Field::uuid("signer_id").read_only().refers(Refers::Installation("users")),
        Field::text("signer_name").read_only().phi(),
        Field::choice("signature_method", &["ELECTRONIC", "PAPER", "QUALIFIED"])
            .means(&["by a person signed in here", "on paper", "qualified electronic"])
            .read_only(),
        Field::choice("visibility", &["PATIENT", "STAFF"]).means(&["the patient sees it too", "staff only"]).defaulted(),
        Field::date("retain_until").read_only().phi(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["DRAFT"],
        moves: &[
            Move { from: "DRAFT", to: "FINAL", by: "finalise" },
            Move { from: "DRAFT", to: "SIGNED", by: "sign" },
            Move { from: "FINAL", to: "SIGNED", by: "sign" },
            Move { from: "DRAFT", to: "ENTERED_IN_ERROR", by: "mark-in-error" },
            Move { from: "FINAL", to: "ENTERED_IN_ERROR", by: "mark-in-error" },
            Move { from: "SIGNED", to: "ENTERED_IN_ERROR", by: "mark-in-error" },
        ],
    }],
};
