//! Measures of one moment as FHIR Observation: the panel of vital signs, each measure a component.

use super::vital_sign::VITAL_SIGN;
use crate::fhir::bind::{Bind, How, moment, note, points, quantity};
use crate::fhir::mapping::{Mapping, PEOPLE};
use crate::fhir::registry::TypeDef;

static TYPE: TypeDef = TypeDef::all("Observation");

pub static MAPPING: Mapping = Mapping { binds: BINDS, creates: true, ..Mapping::new(&TYPE, &VITAL_SIGN, PEOPLE) };

macro_rules! measure {
    ($code:literal, $display:literal, $column:literal, $unit:literal) => {
        Bind::item(
            "component",
            How::Within(&[
                Bind::one(
                    "code",
                    How::Is(concat!(r#"{"coding":[{"system":"http://loinc.org","code":""#, $code, r#"","display":""#, $display, r#""}]}"#)),
                ),
                Bind::one("valueQuantity", quantity($column, $unit)),
            ]),
        )
    };
}

const BINDS: &[Bind] = &[
    Bind::one("status", How::Always(r#""final""#)),
    Bind::item(
        "category",
        How::Always(r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}"#),
    ),
    Bind::one(
        "code",
        How::Is(
            r#"{"coding":[{"system":"http://loinc.org","code":"85353-1","display":"Vital signs, weight, height, head circumference, oxygen saturation and BMI panel"}]}"#,
        ),
    ),
    Bind::one("subject", points("patient_id", "Patient")),
    Bind::one("encounter", points("encounter_id", "Encounter")),
    Bind::one("effectiveDateTime", moment("measured_at")),
    Bind::item("note", note("notes")),
    measure!("8480-6", "Systolic blood pressure", "systolic_mmhg", "mm[Hg]"),
    measure!("8462-4", "Diastolic blood pressure", "diastolic_mmhg", "mm[Hg]"),
    measure!("8867-4", "Heart rate", "heart_rate_bpm", "/min"),
    measure!("9279-1", "Respiratory rate", "respiratory_rate", "/min"),
    measure!("8310-5", "Body temperature", "temperature_c", "Cel"),
    measure!("2708-6", "Oxygen saturation in arterial blood", "spo2_percent", "%"),
    measure!("8302-2", "Body height", "height_cm", "cm"),
    measure!("29463-7", "Body weight", "weight_kg", "kg"),
    measure!("39156-5", "Body mass index", "bmi", "kg/m2").shown_only(),
    measure!("2339-0", "Glucose in blood", "blood_glucose_mg_dl", "mg/dL"),
    measure!("72514-3", "Pain severity 0-10", "pain_score", "{score}"),
];
