//! Amendments of a signed note, in order (catalogue 7.03).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static CLINICAL_NOTE_AMENDMENT: Table = Table {
    name: "clinical_note_amendments",
    schema: "ClinicalNoteAmendment",
    plural: "ClinicalNoteAmendments",
    path: "/clinical-note-amendments",
    tag: "Encounters",
    doc: "Amendments of a signed note, in order.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewClinical,
    write: Permission::SignClinical,
    group: true,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[
        Filter { name: "note_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "author_id", how: How::Equal },
        Filter { name: "is_patient_visible", how: How::Equal },
    ],
    fields: &[
        Field::uuid("note_id").required().fixed().refers(Refers::Tenant("clinical_notes")),
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::int("amendment_no").required().at_least(1),
        Field::text("content").required().length(20000).phi(),
        Field::text("reason").required().length(4000).phi(),
        Field::uuid("author_id").required().refers(Refers::Installation("users")),
        Field::instant("signed_at").required(),
        Field::flag("is_patient_visible").defaulted().read_only().doc("visibility of the note, by trigger"),
    ],
    machines: &[],
};
