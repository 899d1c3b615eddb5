//! Documents and files as FHIR DocumentReference; their bytes are the Binary of the file. Devices as Device, annotations
//! as Observation.

use super::device::DEVICE;
use super::document::DOCUMENT;
use super::file::FILE;
use super::image_annotation::IMAGE_ANNOTATION;
use crate::fhir::bind::{Bind, Coded, How, code, moment, plain, points, text, words};
use crate::fhir::mapping::{Mapping, PEOPLE, STAFF};
use crate::fhir::registry::{Interaction, TypeDef};
use crate::fhir::systems::TOOTH;

static TYPE: TypeDef = TypeDef::all("DocumentReference");

pub static MAPPING: Mapping = Mapping::shown(&TYPE, &DOCUMENT, PEOPLE, DOCUMENTS);
pub static FILES: Mapping = Mapping::shown(&TYPE, &FILE, PEOPLE, UPLOADS);

const SUBJECT: Bind = Bind::one("subject", points("patient_id", "Patient"));
const CREATED: How = moment("created_at");

const DOCUMENTS: &[Bind] = &[
    Bind::one(
        "status",
        code("status", &[("DRAFT", "current"), ("FINAL", "current"), ("SIGNED", "current"), ("ENTERED_IN_ERROR", "entered-in-error")]),
    ),
    Bind::one(
        "docStatus",
        code("status", &[("DRAFT", "preliminary"), ("FINAL", "final"), ("SIGNED", "final"), ("ENTERED_IN_ERROR", "entered-in-error")]),
    ),
    Bind::one("type", words("document_type")),
    SUBJECT,
    Bind::one("date", CREATED),
    Bind::one("description", text("title")),
    Bind::item("content", How::Within(&[Bind::one("attachment", How::Within(DOCUMENT_FILE))])),
];
const DOCUMENT_FILE: &[Bind] = &[Bind::one("url", How::Path { column: "file_id", to: "Binary" }), Bind::one("title", text("title"))];

const UPLOADS: &[Bind] = &[
    Bind::one(
        "status",
        code(
            "status",
            &[
                ("PENDING", "current"),
                ("SCANNING", "current"),
                ("READY", "current"),
                ("QUARANTINED", "current"),
                ("DELETED", "entered-in-error"),
            ],
        ),
    ),
    SUBJECT,
    Bind::one("date", CREATED),
    Bind::item("content", How::Within(&[Bind::one("attachment", How::Within(UPLOADED))])),
];
const UPLOADED: &[Bind] = &[
    Bind::one("contentType", text("file_type")),
    Bind::one("url", How::Path { column: "id", to: "Binary" }),
    Bind::one("size", plain("file_size")),
    Bind::one("title", text("file_name")),
];

static BINARY: TypeDef = TypeDef { interactions: &[Interaction::Read], ..TypeDef::all("Binary") };

/// The bytes come from the store by a signed link.
pub static CONTENT: Mapping = Mapping::shown(&BINARY, &FILE, PEOPLE, BYTES);

const BYTES: &[Bind] = &[Bind::one("contentType", text("file_type")), Bind::one("securityContext", points("patient_id", "Patient"))];

static DEVICE_TYPE: TypeDef = TypeDef::all("Device");

pub static EQUIPMENT: Mapping = Mapping::shown(&DEVICE_TYPE, &DEVICE, STAFF, EQUIPPED);

const EQUIPPED: &[Bind] = &[
    Bind::one("status", code("status", &[("ACTIVE", "active"), ("MAINTENANCE", "inactive"), ("RETIRED", "inactive")])),
    Bind::one("manufacturer", text("manufacturer")),
    Bind::one("serialNumber", text("serial_number")),
    Bind::item("deviceName", How::Within(&[Bind::one("name", text("name")), Bind::one("type", How::Always(r#""user-friendly-name""#))])),
    Bind::one("modelNumber", text("model")),
    Bind::one("type", How::Coded(&MODALITY)),
    Bind::one("owner", How::Tenant),
    Bind::one("location", points("location_id", "Location")),
];
static MODALITY: Coded = Coded {
    code: "modality_code",
    system: None,
    systems: &[("DCM", "http://dicom.nema.org/resources/ontology/DCM")],
    version: None,
    display: None,
};

static OBSERVATION: TypeDef = TypeDef::all("Observation");

pub static ANNOTATION: Mapping = Mapping::shown(&OBSERVATION, &IMAGE_ANNOTATION, PEOPLE, ANNOTATED);

static LABEL: Coded = Coded {
    code: "label_code",
    system: Some("label_code_system"),
    systems: &[("SNOMED", "http://snomed.info/sct"), ("ICD10CM", "http://hl7.org/fhir/sid/icd-10-cm"), ("CUSTOM", "")],
    version: None,
    display: None,
};
static SITE: Coded = Coded { code: "fdi_tooth", system: None, systems: &[("FDI", TOOTH)], version: None, display: None };

const ANNOTATED: &[Bind] = &[
    Bind::one("status", code("source_type", &[("USER", "final"), ("AI", "preliminary")])),
    Bind::item(
        "category",
        How::Always(r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"imaging"}]}"#),
    ),
    Bind::one("code", How::Always(r#"{"coding":[{"system":"urn:enamel:observation","code":"image-annotation"}]}"#)),
    SUBJECT,
    Bind::one("issued", CREATED),
    Bind::one("valueCodeableConcept", How::Coded(&LABEL)),
    Bind::one("bodySite", How::Coded(&SITE)),
    Bind::item("derivedFrom", points("imaging_object_id", "Media")),
];
