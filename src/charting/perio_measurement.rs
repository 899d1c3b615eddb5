//! One probing site of one tooth (catalogue 8.03, C20, C51).

use super::probing::SITES;
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
        Field::text("tooth_number").example(r#""16""#).required().phi().doc("canonical FDI; the answer also gives the tenant's numbering"),
        Field::text("tooth_display")
            .computed("kernel.tooth_in(coalesce((select s.tooth_system from tenant_settings s where s.tenant_id = r.tenant_id), 'FDI'), r.tooth_number, false)")
            .phi()
            .staff_only()
            .doc("the tooth in the tenant's numbering"),
        Field::choice("site", &SITES).means(&["mesiobuccal", "buccal", "distobuccal", "mesiolingual", "lingual", "distolingual"]).required(),
        Field::int("pocket_depth_mm").example("3").doc("unit: mm"),
        Field::int("gingival_margin_mm").example("0").doc("distance from the cemento-enamel junction to the margin, positive = recession; unit: mm"),
        Field::int("cal_mm").read_only().doc("unit: mm"),
        Field::int("recession_mm")
            .computed("case when r.gingival_margin_mm < 0 then 0 else r.gingival_margin_mm end")
            .doc("the gingival margin where it is positive; unit: mm"),
        Field::flag("bleeding_on_probing"),
        Field::flag("suppuration"),
        Field::flag("plaque"),
        Field::flag("calculus"),
        Field::int("mobility_grade")
            .computed(
                "select f.mobility_grade from perio_tooth_findings f
                  where f.tenant_id = r.tenant_id and f.exam_id = r.exam_id and f.fdi_tooth = r.tooth_number and f.deleted_at is null",
            )
            .doc("of the tooth, from its finding"),
        Field::int("furcation_involvement").doc("0 none to 3 (HAMP) or 4 (GLICKMAN), at the site where the furcation is entered"),
        Field::choice("furcation_scale", &["GLICKMAN", "HAMP"]).means(&["Glickman I to IV", "Hamp I to III"]),
        Field::int("mucogingival_junction_mm").doc("unit: mm"),
    ],
    machines: &[],
};
