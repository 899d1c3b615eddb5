//! A periodontal examination as FHIR DiagnosticReport of its measurements and findings; it is final by being signed.

use super::perio_exam::PERIO_EXAM;
use super::perio_measurement::PERIO_MEASUREMENT;
use super::perio_tooth_finding::PERIO_TOOTH_FINDING;
use super::sign_perio_exam::SIGN;
use crate::fhir::bind::{Bind, How, code, moment, points, text};
use crate::fhir::find::Find;
use crate::fhir::mapping::{Link, Mapping, PEOPLE, Part, Whole};
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::{Element, Resource};
use crate::kernel::table::projection::Step;

static TYPE: TypeDef = TypeDef::all("DiagnosticReport");

pub static MAPPING: Mapping = Mapping {
    parts: &[
        Part { table: &PERIO_MEASUREMENT, link: Link::Child("exam_id"), planes: PEOPLE, alike: &[] },
        Part { table: &PERIO_TOOTH_FINDING, link: Link::Child("exam_id"), planes: PEOPLE, alike: &[] },
    ],
    binds: BINDS,
    render: Some(results),
    search: &[("result", Find::Any(RESULTS))],
    steps: &[Step { to: "SIGNED", by: &[&SIGN], with: &[] }],
    creates: true,
    ..Mapping::new(&TYPE, &PERIO_EXAM, PEOPLE)
};

const RESULTS: &[Find] = &[
    Find::Rows {
        from: "perio_measurements i where i.tenant_id = r.tenant_id and i.exam_id = r.id and i.deleted_at is null",
        column: "i.id",
        to: "Observation",
    },
    Find::Rows {
        from: "perio_tooth_findings i where i.tenant_id = r.tenant_id and i.exam_id = r.id and i.deleted_at is null",
        column: "i.id",
        to: "Observation",
    },
];

const BINDS: &[Bind] = &[
    Bind::one(
        "status",
        code(
            "status",
            &[("DRAFT", "preliminary"), ("DRAFT", "registered"), ("DRAFT", "partial"), ("SIGNED", "final"), ("SUPERSEDED", "cancelled")],
        ),
    ),
    Bind::item("category", How::Always(r#"{"coding":[{"system":"urn:enamel:report","code":"periodontal"}]}"#)),
    Bind::one("code", How::Is(r#"{"coding":[{"system":"http://loinc.org","code":"62598-8"}],"text":"Periodontal examination"}"#)),
    Bind::one("subject", points("patient_id", "Patient")),
    Bind::one("encounter", points("encounter_id", "Encounter")),
    Bind::one("effectiveDateTime", moment("examined_at")),
    Bind::one("issued", moment("signed_at")).shown_only(),
    Bind::item("performer", points("examiner_id", "Practitioner")),
    Bind::one("conclusion", text("notes")),
];

fn results(whole: &Whole, out: &mut Resource) {
    for row in whole.parts.iter().flatten() {
        let mut result = Element::default();
        result.string("reference", format!("Observation/{}", row.id).as_str());
        out.push_element("result", result);
    }
}
