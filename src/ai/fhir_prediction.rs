//! What a model found in a picture, as FHIR Observation until somebody reviewed it, and a risk as RiskAssessment.

use super::ai_inference_job::AI_INFERENCE_JOB;
use super::ai_prediction::AI_PREDICTION;
use crate::fhir::bind::{Bind, Coded, How, Words, code, concept, moment, plain, points, text};
use crate::fhir::mapping::{Mapping, STAFF};
use crate::fhir::registry::TypeDef;
use crate::fhir::systems::TOOTH;

static FOUND_TYPE: TypeDef = TypeDef::all("Observation");
static RISK_TYPE: TypeDef = TypeDef::all("RiskAssessment");
static JOB_TYPE: TypeDef = TypeDef::all("Task");

pub static FOUND: Mapping =
    Mapping { hides: Some(("prediction_type", "RISK_SCORE")), ..Mapping::shown(&FOUND_TYPE, &AI_PREDICTION, STAFF, FINDINGS) };
pub static RISK: Mapping =
    Mapping { only: Some(("prediction_type", "RISK_SCORE")), ..Mapping::shown(&RISK_TYPE, &AI_PREDICTION, STAFF, RISKS) };
pub static JOB: Mapping = Mapping::shown(&JOB_TYPE, &AI_INFERENCE_JOB, STAFF, JOBS);

const REVIEWED: Words = &[("UNREVIEWED", "preliminary"), ("CONFIRMED", "final"), ("EDITED", "amended"), ("REJECTED", "entered-in-error")];
const SUBJECT: Bind = Bind::one("subject", points("patient_id", "Patient"));

static CODE: Coded = Coded {
    code: "code",
    system: Some("code_system"),
    systems: &[("SNOMED", "http://snomed.info/sct"), ("ICD10CM", "http://hl7.org/fhir/sid/icd-10-cm"), ("CUSTOM", "")],
    version: None,
    display: None,
};
static SITE: Coded = Coded { code: "fdi_tooth", system: None, systems: &[("FDI", TOOTH)], version: None, display: None };

const FINDINGS: &[Bind] = &[
    Bind::one("status", code("review_status", REVIEWED)),
    Bind::one(
        "code",
        concept(
            "prediction_type",
            "urn:enamel:prediction",
            &[
                ("CARIES", "caries"),
                ("BONE_LOSS", "bone-loss"),
                ("PATHOLOGY", "pathology"),
                ("TREATMENT_RECOMMENDATION", "treatment-recommendation"),
            ],
        ),
    ),
    SUBJECT,
    Bind::one("issued", moment("created_at")),
    Bind::one("valueCodeableConcept", How::Coded(&CODE)),
    Bind::one("bodySite", How::Coded(&SITE)),
    Bind::item("derivedFrom", points("imaging_object_id", "Media")),
];

const RISKS: &[Bind] = &[
    Bind::one("status", code("review_status", REVIEWED)),
    SUBJECT,
    Bind::one("occurrenceDateTime", moment("created_at")),
    Bind::one("code", How::Coded(&CODE)),
    Bind::item("prediction", How::Within(&[Bind::one("probabilityDecimal", plain("value"))])),
];

const JOBS: &[Bind] = &[
    Bind::one(
        "status",
        code(
            "status",
            &[
                ("QUEUED", "requested"),
                ("RUNNING", "in-progress"),
                ("SUCCEEDED", "completed"),
                ("FAILED", "failed"),
                ("CANCELLED", "cancelled"),
            ],
        ),
    ),
    Bind::one("intent", How::Always(r#""order""#)),
    Bind::one("code", How::Always(r#"{"coding":[{"system":"urn:enamel:task","code":"ai-analysis"}]}"#)),
    Bind::one("description", text("error_details")),
    Bind::one("for", points("patient_id", "Patient")),
    Bind::one("authoredOn", moment("queued_at")),
];
