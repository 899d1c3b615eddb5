//! A mark on an image by a person or a model (catalogue 10.04, 10.05, B9).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static IMAGE_ANNOTATION: Table = Table {
    name: "image_annotations",
    schema: "ImageAnnotation",
    plural: "ImageAnnotations",
    path: "/image-annotations",
    tag: "Imaging",
    doc: "A mark on an image by a person or a model.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewImaging,
    write: Permission::EditImaging,
    group: true,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[
        Filter { name: "label_code", how: How::Equal },
        Filter { name: "imaging_object_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "source_type", how: How::Equal },
        Filter { name: "author_user_id", how: How::Equal },
        Filter { name: "model_version_id", how: How::Equal },
        Filter { name: "annotation_type", how: How::Equal },
        Filter { name: "supersedes_id", how: How::Equal },
        Filter { name: "is_current", how: How::Equal },
    ],
    fields: &[
        Field::uuid("imaging_object_id").required().refers(Refers::Tenant("imaging_objects")),
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::choice("source_type", &["AI", "USER"]).means(&["a program", "a person"]).required(),
        Field::uuid("author_user_id").refers(Refers::Installation("users")),
        Field::uuid("model_version_id").refers(Refers::Installation("ai_model_versions")),
        Field::choice("annotation_type", &["BOUNDING_BOX", "MASK", "MEASUREMENT", "LABEL", "POLYLINE", "POINTS"])
            .means(&["upright rectangle", "polygons around an area", "distance between points", "words at a point", "line of points", "single points"])
            .required(),
        Field::json("geometry").required().phi().example(r#"{"x": 4, "y": 4, "width": 8, "height": 6}"#).doc(
            "pixels of the picture from its upper left corner; BOUNDING_BOX: x, y, width, height; MASK: polygons, lists of points; all others: points, pairs of x and y",
        ),
        Field::int("frame_index").at_least(0).doc("of a picture of several, counted from 0"),
        Field::text("label_code_system").phi(),
        Field::text("label_code").phi().doc("maps to code_values"),
        Field::text("fdi_tooth").phi(),
        Field::texts("surfaces").defaulted(),
        Field::double("measurement_value"),
        Field::text("measurement_unit").phi(),
        Field::double("confidence"),
        Field::int("version_no").defaulted(),
        Field::uuid("supersedes_id").refers(Refers::Tenant("image_annotations")),
        Field::flag("is_current").defaulted().read_only(),
    ],
    machines: &[],
};
