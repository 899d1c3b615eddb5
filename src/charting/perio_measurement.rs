//! One probing site of one tooth (catalogue 8.03, C20, C51).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static PERIO_MEASUREMENT: Table = Table {
    name: "perio_measurements",
    schema: "PerioMeasurement",
    plural: "PerioMeasurements",
    path: "/perio-measurements",
    tag: "Dental charting and periodontal charting",
    doc: "One probing site of one tooth.",
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
        Filter { name: "tooth_number", how: How::Equal },
        Filter { name: "site", how: How::Equal },
        Filter { name: "exam_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "encounter_id", how: How::Equal },
        Filter { name: "bleeding_on_probing", how: How::Equal },
        Filter { name: "suppuration", how: How::Equal },
        Filter { name: "plaque", how: How::Equal },
        Filter { name: "calculus", how: How::Equal },
        Filter { name: "furcation_scale", how: How::Equal },
    ],
    fields: &[
        Field::uuid("exam_id").required().fixed().refers(Refers::Tenant("perio_exams")),
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("encounter_id").refers(Refers::Tenant("encounters")),
        Field::text("tooth_number").required().phi().doc("canonical FDI; the answer also gives the tenant's numbering"),
        Field::choice("site", &["MB", "B", "DB", "ML", "L", "DL"])
            .required()
            .doc("seed shorthand M, D, B, L only on import of partial exams"),
        Field::int("pocket_depth_mm").doc("unit: mm"),
        Field::int("gingival_margin_mm").doc("distance from the cemento-enamel junction to the margin, positive = recession; unit: mm"),
        Field::int("cal_mm").read_only().doc("unit: mm"),
        Field::flag("bleeding_on_probing"),
        Field::flag("suppuration"),
        Field::flag("plaque"),
        Field::flag("calculus"),
        Field::int("furcation_involvement"),
        Field::choice("furcation_scale", &["GLICKMAN", "HAMP"]),
        Field::int("mucogingival_junction_mm").doc("unit: mm"),
    ],
    machines: &[],
};
