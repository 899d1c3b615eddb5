//! Pictures as FHIR ImagingStudy with its series, and pictures that are no DICOM as Media. They come by upload.

use super::imaging_object::IMAGING_OBJECT;
use super::imaging_series::IMAGING_SERIES;
use super::imaging_study::IMAGING_STUDY;
use crate::fhir::bind::{Bind, How, Words, code, concept, moment, plain, points, text};
use crate::fhir::find::{Find, HERE, Namespace};
use crate::fhir::mapping::{Link, Mapping, PEOPLE, Part, Whole};
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::{Element, Resource};
use crate::kernel::table::Record;
use serde_json::{Value as Json, json};

static STUDY_TYPE: TypeDef = TypeDef::all("ImagingStudy");
static MEDIA_TYPE: TypeDef = TypeDef::all("Media");

pub static STUDY: Mapping = Mapping {
    parts: &[
        Part { table: &IMAGING_SERIES, link: Link::Child("study_id"), planes: PEOPLE, alike: &[] },
        Part { table: &IMAGING_OBJECT, link: Link::Child("study_id"), planes: PEOPLE, alike: &[] },
    ],
    render: Some(series),
    search: &[
        ("identifier", Find::Any(NUMBERS)),
        ("series", Find::number(SERIES, "i.series_uid")),
        ("modality", Find::numbered(SERIES, Namespace::Always(DCM), "i.modality_code")),
        ("instance", Find::number(OBJECTS, "i.sop_instance_uid")),
        ("dicom-class", Find::Plain { within: OBJECTS, namespace: Namespace::Always(URIS), value: "i.sop_class_uid", stored: uid }),
    ],
    ..Mapping::shown(&STUDY_TYPE, &IMAGING_STUDY, PEOPLE, STUDIES)
};
const NUMBERS: &[Find] = &[
    Find::number(HERE, "r.accession_number"),
    Find::Plain { within: HERE, namespace: Namespace::Always("urn:dicom:uid"), value: "r.study_uid", stored: uid },
];
const SERIES: &str = "exists (select from imaging_series i where i.tenant_id = r.tenant_id and i.study_id = r.id and {})";
const OBJECTS: &str = "exists (select from imaging_objects i where i.tenant_id = r.tenant_id and i.study_id = r.id and {})";
const URIS: &str = "urn:ietf:rfc:3986";

/// A UID as it is stored, of one that is a URI.
fn uid(text: &str) -> String {
    text.trim_start_matches("urn:oid:").to_owned()
}

pub static MEDIA: Mapping =
    Mapping { hides: Some(("object_type", "DICOM")), ..Mapping::shown(&MEDIA_TYPE, &IMAGING_OBJECT, PEOPLE, PICTURES) };

const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";

const STUDIES: &[Bind] = &[
    Bind::item("identifier", How::Identifier { column: "accession_number", system: "" }),
    Bind::one(
        "status",
        code("status", &[("REGISTERED", "registered"), ("AVAILABLE", "available"), ("QUARANTINED", "unknown"), ("CANCELLED", "cancelled")]),
    ),
    Bind::item("modality", How::Spelled { column: "modality_code", system: DCM }),
    Bind::one("subject", points("patient_id", "Patient")),
    Bind::one("encounter", points("encounter_id", "Encounter")),
    Bind::one("started", moment("acquisition_datetime")),
    Bind::one("referrer", points("referring_provider_id", "Practitioner")),
    Bind::one("numberOfSeries", plain("series_count")),
    Bind::one("numberOfInstances", plain("object_count")),
    Bind::one("description", text("description")),
];

fn series(whole: &Whole, out: &mut Resource) {
    if let Some(uid) = whole.root.text("study_uid") {
        out.append("identifier", json!({"system": "urn:dicom:uid", "value": format!("urn:oid:{uid}")}));
    }
    for row in whole.part(0) {
        let mut series = Element::default();
        series.string("uid", row.text("series_uid"));
        series.value("number", Some(row.get("series_number").clone()).filter(Json::is_number));
        series.value("modality", json!({"system": DCM, "code": row.text("modality_code")}));
        series.string("description", row.text("description"));
        series.value("bodySite", row.text("body_part").map(|part| json!({"display": part})));
        let of = |object: &&Record| object.uuid("series_id") == Some(row.id);
        for object in whole.part(1).iter().filter(of) {
            let (Some(uid), Some(class)) = (object.text("sop_instance_uid"), object.text("sop_class_uid")) else { continue };
            series.append("instance", json!({"uid": uid, "sopClass": {"system": URIS, "code": format!("urn:oid:{class}")}}));
        }
        out.push_element("series", series);
    }
}

const KINDS: Words = &[("JPEG", "image"), ("PNG", "image"), ("STL", "image"), ("OBJ", "image"), ("PDF", "image"), ("MP4", "video")];
const MEDIA_TYPES: Words = &[
    ("JPEG", "image/jpeg"),
    ("PNG", "image/png"),
    ("STL", "model/stl"),
    ("OBJ", "model/obj"),
    ("PDF", "application/pdf"),
    ("MP4", "video/mp4"),
];

const PICTURES: &[Bind] = &[
    Bind::one("status", How::Always(r#""completed""#)),
    Bind::one("type", concept("object_type", "http://terminology.hl7.org/CodeSystem/media-type", KINDS)),
    Bind::one("subject", points("patient_id", "Patient")),
    Bind::one("createdDateTime", moment("created_at")),
    Bind::one("height", plain("height")),
    Bind::one("width", plain("width")),
    Bind::one("frames", plain("frame_count")),
    Bind::one("content", How::Within(CONTENT)),
];
const CONTENT: &[Bind] = &[
    Bind::one("contentType", code("object_type", MEDIA_TYPES)),
    Bind::one("url", How::Path { column: "file_id", to: "Binary" }),
    Bind::one("size", plain("byte_size")),
];
