//! One image, volume, model or video (catalogue 10.03, 10.05).

use super::links::MINTED;
use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Refers, Stamps, Table, Verb};

pub static IMAGING_OBJECT: Table = Table {
    name: "imaging_objects",
    schema: "ImagingObject",
    plural: "ImagingObjects",
    path: "/imaging-objects",
    tag: "Imaging",
    doc: "One image, volume, model or video.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewImaging,
    write: Permission::EditImaging,
    group: true,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[
        Filter { name: "study_id", how: How::Equal },
        Filter { name: "series_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "file_id", how: How::Equal },
        Filter { name: "object_type", how: How::Equal },
        Filter { name: "is_calibrated", how: How::Equal },
        Filter { name: "is_original", how: How::Equal },
        Filter { name: "derived_from_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("study_id").required().fixed().refers(Refers::Tenant("imaging_studies")),
        Field::uuid("series_id").refers(Refers::Tenant("imaging_series")),
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("file_id").required().fixed().refers(Refers::Tenant("files")),
        Field::text("storage_uri").length(4_000).computed(MINTED).doc("signed link to the object, when it is read by itself"),
        Field::text("sop_instance_uid").form(Form::DicomUid).phi(),
        Field::text("sop_class_uid").phi(),
        Field::text("transfer_syntax_uid").phi(),
        Field::choice("object_type", &["DICOM", "JPEG", "PNG", "STL", "MP4", "PDF", "OBJ"])
            .means(&["DICOM instance", "picture, lossy", "picture, lossless", "STL mesh", "MP4 video", "pages of a document", "OBJ mesh"])
            .required(),
        Field::text("hash")
            .example(r#""9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08""#)
            .required()
            .read_only()
            .phi()
            .doc("SHA-256"),
        Field::big("byte_size").required().read_only().at_least(0).doc("unit: bytes"),
        Field::int("width").doc("unit: px"),
        Field::int("height").doc("unit: px"),
        Field::int("depth_slices"),
        Field::int("frame_count"),
        Field::double("pixel_spacing_mm").doc("unit: mm"),
        Field::flag("is_calibrated").defaulted(),
        Field::flag("is_original").defaulted(),
        Field::uuid("derived_from_id").refers(Refers::Tenant("imaging_objects")),
        Field::json("processing_pipeline").phi(),
        Field::texts("fdi_teeth").defaulted(),
        Field::texts("conformance_warnings").defaulted().read_only(),
    ],
    machines: &[],
};
