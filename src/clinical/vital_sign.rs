//! Time-stamped vital signs of a visit (catalogue 7.04).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static VITAL_SIGN: Table = Table {
    name: "vital_signs",
    schema: "VitalSign",
    plural: "VitalSigns",
    path: "/vital-signs",
    tag: "Encounters",
    doc: "Time-stamped vital signs of a visit.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewClinical,
    write: Permission::EditClinical,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "measured_at", column: "measured_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "measured_at_from", how: How::From("measured_at") },
        Filter { name: "measured_at_to", how: How::Before("measured_at") },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "encounter_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("encounter_id").required().refers(Refers::Tenant("encounters")),
        Field::instant("measured_at").required(),
        Field::int("systolic_mmhg").at_least(40).at_most(320).doc("unit: mmHg"),
        Field::int("diastolic_mmhg").doc("unit: mmHg"),
        Field::int("heart_rate_bpm").at_least(20).at_most(300).doc("unit: /min"),
        Field::int("respiratory_rate").doc("unit: /min"),
        Field::double("temperature_c").at_least(30).at_most(45).doc("unit: Cel"),
        Field::int("spo2_percent").at_least(50).at_most(100).doc("unit: %"),
        Field::double("height_cm").doc("unit: cm"),
        Field::double("weight_kg").doc("unit: kg"),
        Field::double("bmi").read_only().doc("unit: kg/m2"),
        Field::int("blood_glucose_mg_dl").doc("unit: mg/dL"),
        Field::int("pain_score").at_least(0).at_most(10),
        Field::text("notes").length(4000).phi(),
    ],
    machines: &[],
};
