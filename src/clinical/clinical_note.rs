//! A signed or draft note of a visit (catalogue 7.03, 7.11, 16.05, B8).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static CLINICAL_NOTE: Table = Table {
    name: "clinical_notes",
    schema: "ClinicalNote",
    plural: "ClinicalNotes",
    path: "/clinical-notes",
    tag: "Encounters",
    doc: "A signed or draft note of a visit.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewClinical,
    write: Permission::EditClinical,
    group: true,
    patient: Some("patient_id"),
    sorts: &[
        Sort { name: "created_at", column: "created_at", ty: Ty::Instant, nullable: false },
        Sort { name: "signed_at", column: "signed_at", ty: Ty::Instant, nullable: true },
    ],
    filters: &[
        Filter { name: "encounter_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "author_id", how: How::Equal },
        Filter { name: "note_type", how: How::Equal },
        Filter { name: "content_format", how: How::Equal },
        Filter { name: "template_id", how: How::Equal },
        Filter { name: "visibility", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "signed_by", how: How::Equal },
        Filter { name: "cosigned_by", how: How::Equal },
    ],
    fields: &[
        Field::uuid("encounter_id").required().refers(Refers::Tenant("encounters")),
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("author_id").required().refers(Refers::Installation("users")),
        Field::choice("note_type", &["SOAP", "RADIOLOGY_REPORT", "OP_NOTE", "PROGRESS", "CONSULT", "FREE_TEXT"])
            .means(&[
                "subjective, objective, assessment, plan",
                "report on images",
                "report of an operation",
                "how treatment goes",
                "opinion for a colleague",
                "without a form",
            ])
            .required(),
        Field::text("title").phi(),
        Field::text("content").required().length(20000).phi(),
        Field::choice("content_format", &["TEXT", "MARKDOWN"]).means(&["plain text", "text with Markdown marks"]).defaulted(),
        Field::json("soap").phi().doc("subjective, objective, assessment, plan when note_type is SOAP"),
        Field::uuid("template_id").refers(Refers::Tenant("templates")),
        Field::choice("visibility", &["PATIENT", "STAFF"]).means(&["the patient sees it too", "staff only"]).defaulted(),
        Field::choice("status", &["DRAFT", "SIGNED", "AMENDED", "ENTERED_IN_ERROR"])
            .means(&["may change", "signed, never changed", "has an addendum", "should never have been"])
            .defaulted()
            .read_only(),
        Field::instant("signed_at").read_only(),
        Field::uuid("signed_by").read_only().refers(Refers::Installation("users")),
        Field::text("signature_hash").read_only().phi(),
        Field::instant("amended_at").read_only(),
        Field::instant("cosigned_at").read_only(),
        Field::uuid("cosigned_by").read_only().refers(Refers::Installation("users")),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["DRAFT"],
        moves: &[
            Move { from: "DRAFT", to: "SIGNED", by: "sign" },
            Move { from: "SIGNED", to: "AMENDED", by: "amend" },
            Move { from: "AMENDED", to: "AMENDED", by: "amend" },
            Move { from: "SIGNED", to: "ENTERED_IN_ERROR", by: "mark-in-error" },
            Move { from: "AMENDED", to: "ENTERED_IN_ERROR", by: "mark-in-error" },
            Move { from: "DRAFT", to: "ENTERED_IN_ERROR", by: "mark-in-error" },
        ],
    }],
};
