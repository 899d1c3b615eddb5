//! A series of a study (catalogue 10.02).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Refers, Stamps, Table, Verb};

pub static IMAGING_SERIES: Table = Table {
    name: "imaging_series",
    schema: "ImagingSeries",
    plural: "ImagingSeries",
    path: "/imaging-series",
    tag: "Imaging",
    doc: "A series of a study.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewImaging,
    write: Permission::EditImaging,
    group: true,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[
        Filter { name: "study_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "laterality", how: How::Equal },
    ],
    fields: &[
        Field::uuid("study_id").required().fixed().refers(Refers::Tenant("imaging_studies")),
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::text("series_uid").required().form(Form::DicomUid).phi(),
        Field::text("modality_code").required().phi(),
        Field::int("series_number"),
        Field::text("description").length(4000).phi(),
        Field::text("body_part").phi(),
        Field::choice("laterality", &["LEFT", "RIGHT", "BOTH"]).means(&["the patient's left", "the patient's right", "both sides"]),
        Field::int("object_count").defaulted().read_only(),
    ],
    machines: &[],
};
