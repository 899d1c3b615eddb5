//! Per tooth: mobility, implant, gingiva (catalogue 8.03).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static PERIO_TOOTH_FINDING: Table = Table {
    name: "perio_tooth_findings",
    schema: "PerioToothFinding",
    plural: "PerioToothFindings",
    path: "/perio-tooth-findings",
    tag: "Dental charting and periodontal charting",
    doc: "Per tooth: mobility, implant, gingiva.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewClinical,
    write: Permission::EditClinical,
    group: true,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[
        Filter { name: "exam_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "is_implant", how: How::Equal },
        Filter { name: "is_missing", how: How::Equal },
        Filter { name: "prognosis", how: How::Equal },
    ],
    fields: &[
        Field::uuid("exam_id").required().fixed().refers(Refers::Tenant("perio_exams")),
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::text("fdi_tooth").example(r#""16""#).required().phi(),
        Field::int("mobility_grade").example("1"),
        Field::text("mobility_suffix").phi(),
        Field::flag("is_implant").defaulted(),
        Field::flag("is_missing").defaulted(),
        Field::choice("prognosis", &["GOOD", "FAIR", "QUESTIONABLE", "HOPELESS"]).means(&[
            "will stay with usual care",
            "will probably stay",
            "may be lost",
            "cannot be kept",
        ]),
        Field::text("notes").length(4000).phi(),
    ],
    machines: &[],
};
