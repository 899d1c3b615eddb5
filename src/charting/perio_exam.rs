//! Header of a periodontal examination (catalogue 8.04, 8.03, C20).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

/// Only probed sites count, above and below the line.
macro_rules! share_of_probed {
    ($finding:literal) => {
        concat!(
            "select round(100.0 * count(*) filter (where m.",
            $finding,
            ") / nullif(count(*), 0), 1)::float8 from perio_measurements m
              where m.tenant_id = r.tenant_id and m.exam_id = r.id and m.pocket_depth_mm is not null and m.deleted_at is null"
        )
    };
}
const BOP: &str = share_of_probed!("bleeding_on_probing");
const PLAQUE: &str = share_of_probed!("plaque");

pub static PERIO_EXAM: Table = Table {
    name: "perio_exams",
    schema: "PerioExam",
    plural: "PerioExams",
    path: "/perio-exams",
    tag: "Dental charting and periodontal charting",
    doc: "Header of a periodontal examination.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewClinical,
    write: Permission::EditClinical,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "examined_at", column: "examined_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "examined_at_from", how: How::From("examined_at") },
        Filter { name: "examined_at_to", how: How::Before("examined_at") },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "encounter_id", how: How::Equal },
        Filter { name: "examiner_id", how: How::Equal },
        Filter { name: "completeness", how: How::Equal },
        Filter { name: "site_scheme", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "supersedes_id", how: How::Equal },
        Filter { name: "suggested_stage", how: How::Equal },
        Filter { name: "suggested_grade", how: How::Equal },
        Filter { name: "suggested_extent", how: How::Equal },
        Filter { name: "confirmed_stage", how: How::Equal },
        Filter { name: "confirmed_grade", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("encounter_id").refers(Refers::Tenant("encounters")),
        Field::uuid("examiner_id").required().refers(Refers::Tenant("providers")),
        Field::instant("examined_at").required(),
        Field::choice("completeness", &["FULL", "PARTIAL", "SCREENING"])
            .means(&["all teeth, all sites", "some teeth", "basic screening"])
            .defaulted(),
        Field::choice("site_scheme", &["SIX", "FOUR"])
            .means(&["six sites a tooth", "four sites a tooth"])
            .defaulted()
            .doc("FOUR only on import"),
        Field::choice("status", &["DRAFT", "SIGNED", "SUPERSEDED"])
            .means(&["may change", "signed, never changed", "replaced by a later version"])
            .defaulted()
            .read_only(),
        Field::instant("signed_at").read_only(),
        Field::uuid("supersedes_id").read_only().refers(Refers::Tenant("perio_exams")),
        Field::choice("suggested_stage", &["I", "II", "III", "IV"])
            .means(&["initial", "moderate", "severe", "severe, with loss of teeth"])
            .read_only()
            .doc("suggestion from the measurements, confirmed by the clinician"),
        Field::choice("suggested_grade", &["A", "B", "C"]).means(&["slow progress", "moderate progress", "rapid progress"]).read_only(),
        Field::choice("suggested_extent", &["LOCALISED", "GENERALISED", "MOLAR_INCISOR"])
            .means(&["less than 30 % of teeth", "30 % of teeth or more", "molars and incisors"])
            .read_only(),
        Field::choice("confirmed_stage", &["I", "II", "III", "IV"]).means(&["initial", "moderate", "severe", "severe, with loss of teeth"]),
        Field::choice("confirmed_grade", &["A", "B", "C"]).means(&["slow progress", "moderate progress", "rapid progress"]),
        Field::double("bop_percent").computed(BOP).doc("bleeding sites among probed sites; unit: %"),
        Field::double("plaque_percent").computed(PLAQUE).doc("sites with plaque among probed sites; unit: %"),
        Field::text("notes").length(4000).phi(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["DRAFT"],
        moves: &[Move { from: "DRAFT", to: "SIGNED", by: "sign" }, Move { from: "SIGNED", to: "SUPERSEDED", by: "correct" }],
    }],
};
