//! Documents and files as FHIR DocumentReference; their bytes are the Binary of the file, and may come inside of either. Devices
//! as Device, annotations as Observation.

use super::device::DEVICE;
use super::document::DOCUMENT;
use super::file::FILE;
use super::image_annotation::IMAGE_ANNOTATION;
use super::signing::{FINALISE, MARK_IN_ERROR};
use crate::fhir::bind::{Bind, Coded, How, code, moment, plain, points, text, words};
use crate::fhir::datatype::CodeableConcept;
use crate::fhir::mapping::{Columns, Mapping, PEOPLE, STAFF, Taken};
use crate::fhir::registry::{Interaction, TypeDef};
use crate::fhir::resource::Resource;
use crate::fhir::systems::TOOTH;
use crate::kernel::error::Result;
use crate::kernel::table::projection::Step;
use serde_json::Value as Json;

static TYPE: TypeDef = TypeDef::all("DocumentReference");

pub static MAPPING: Mapping = Mapping {
    binds: DOCUMENTS,
    take: Some(take),
    steps: &[
        Step { to: "FINAL", by: &[&FINALISE], with: &[] },
        Step { to: "ENTERED_IN_ERROR", by: &[&MARK_IN_ERROR], with: &[("reason", "Entered in error in another system.")] },
    ],
    presumed: &[("owner_type", "PATIENT")],
    creates: true,
    ..Mapping::new(&TYPE, &DOCUMENT, PEOPLE)
};

/// A document is its patient's. What has no title is called by its kind; one of no stated status is as it was.
fn take(resource: &Resource, _base: &str, taken: &mut Taken) -> Result<()> {
    let (root, map) = (resource.root(), resource.as_map());
    let columns = &mut taken.root;
    let patient = columns.get("patient_id").cloned().unwrap_or(Json::Null);
    columns.set("owner_id", patient, root.at("subject"));
    let kind: Option<CodeableConcept> = root.read("type")?;
    let called = kind.and_then(|kind| kind.text.or_else(|| kind.coding.into_iter().find_map(|coding| coding.display.or(coding.code))));
    let inside = map.get("content").and_then(|content| content.get(0)?.get("attachment")?.get("title")?.as_str());
    let title = root.string("description")?.or(inside).map(str::to_owned).or(called);
    columns.set("title", title, root.at("description"));
    let state = match (root.code("status")?, root.code("docStatus")?) {
        (Some("entered-in-error"), _) | (_, Some("entered-in-error")) => Some("ENTERED_IN_ERROR"),
        (Some("current"), Some("preliminary")) => Some("DRAFT"),
        (Some("current"), Some("final" | "amended")) => Some("FINAL"),
        (Some("current"), None) => return Ok(()),
        _ => None,
    };
    columns.set("status", state, root.at("docStatus"));
    Ok(())
}

pub static FILES: Mapping = Mapping::shown(&TYPE, &FILE, PEOPLE, UPLOADS);

const SUBJECT: Bind = Bind::one("subject", points("patient_id", "Patient"));
const CREATED: How = moment("created_at");

const DOCUMENTS: &[Bind] = &[
    Bind::one(
        "status",
        code("status", &[("DRAFT", "current"), ("FINAL", "current"), ("SIGNED", "current"), ("ENTERED_IN_ERROR", "entered-in-error")]),
    )
    .shown_only(),
    Bind::one(
        "docStatus",
        code("status", &[("DRAFT", "preliminary"), ("FINAL", "final"), ("SIGNED", "final"), ("ENTERED_IN_ERROR", "entered-in-error")]),
    )
    .shown_only(),
    Bind::one("type", words("document_type")),
    SUBJECT,
    Bind::one("date", CREATED).shown_only(),
    Bind::one("description", text("title")).shown_only(),
    Bind::item("content", How::Within(&[Bind::one("attachment", How::Within(DOCUMENT_FILE))])),
];
const DOCUMENT_FILE: &[Bind] =
    &[Bind::one("url", How::Path { column: "file_id", to: "Binary" }), Bind::one("title", text("title")).shown_only()];

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

static BINARY: TypeDef = TypeDef { interactions: &[Interaction::Read, Interaction::Create], ..TypeDef::all("Binary") };

/// The bytes come from the store by a signed link.
pub static CONTENT: Mapping = Mapping { binds: BYTES, creates: true, ..Mapping::new(&BINARY, &FILE, PEOPLE) };

const BYTES: &[Bind] = &[Bind::one("contentType", text("file_type")), Bind::one("securityContext", points("patient_id", "Patient"))];

static DEVICE_TYPE: TypeDef = TypeDef::all("Device");

pub static EQUIPMENT: Mapping =
    Mapping { binds: EQUIPPED, creates: true, fits: Some(stands_here), ..Mapping::new(&DEVICE_TYPE, &DEVICE, STAFF) };

/// What stands at a place of the clinic is its equipment; a patient's implant or a program is kept as it is told.
fn stands_here(columns: &Columns) -> bool {
    columns.get("location_id").is_some_and(Json::is_string)
}

const EQUIPPED: &[Bind] = &[
    Bind::one(
        "status",
        code("status", &[("ACTIVE", "active"), ("MAINTENANCE", "inactive"), ("RETIRED", "inactive"), ("RETIRED", "entered-in-error")]),
    ),
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
