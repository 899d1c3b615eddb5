//! An imaging study of a patient (catalogue 10.01, 10.05, 7.11, B9).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static IMAGING_STUDY: Table = Table {
    name: "imaging_studies",
    schema: "ImagingStudy",
    plural: "ImagingStudies",
    path: "/imaging-studies",
    tag: "Imaging",
    doc: "An imaging study of a patient.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewImaging,
    write: Permission::EditImaging,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "acquisition_datetime", column: "acquisition_datetime", ty: Ty::Instant, nullable: true }],
    filters: &[
        Filter { name: "modality_code", how: How::Equal },
        Filter { name: "acquisition_datetime_from", how: How::From("acquisition_datetime") },
        Filter { name: "acquisition_datetime_to", how: How::Before("acquisition_datetime") },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "encounter_id", how: How::Equal },
        Filter { name: "modality", how: How::Equal },
        Filter { name: "referring_provider_id", how: How::Equal },
        Filter { name: "performing_device_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("encounter_id"),
        Field::text("study_uid").required().form(Form::DicomUid).phi().doc("DICOM study UID; made for non-DICOM studies too"),
        Field::choice("modality", &["INTRAORAL", "PANORAMIC", "CBCT", "CT", "PHOTO", "VIDEO", "CEPHALOMETRIC", "SURFACE_SCAN", "OTHER"])
            .means(&[
                "intraoral radiograph",
                "panoramic radiograph",
                "cone beam CT",
                "CT with a fan beam",
                "photograph",
                "moving pictures",
                "cephalometric radiograph",
                "scan of the surfaces of teeth",
                "another",
            ])
            .required()
            .doc("CT: of a fan beam, as hospitals send it"),
        Field::text("modality_code").required().phi().doc("IO, PX, CT, XC, ES, DX, OSS"),
        Field::text("body_part").phi(),
        Field::texts("fdi_teeth").defaulted(),
        Field::instant("acquisition_datetime"),
        Field::uuid("referring_provider_id").refers(Refers::Tenant("providers")),
        Field::uuid("performing_device_id"),
        Field::text("source_system").phi().doc("identifier of the practice system, record system or PACS"),
        Field::text("accession_number").phi(),
        Field::text("description").length(4000).phi(),
        Field::choice("status", &["REGISTERED", "AVAILABLE", "QUARANTINED", "CANCELLED"])
            .means(&["announced", "can be seen", "whose it is is in doubt", "called off"])
            .defaulted()
            .read_only(),
        Field::int("series_count").defaulted().read_only(),
        Field::int("object_count").defaulted().read_only(),
        Field::json("radiation_dose_json").phi(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["REGISTERED"],
        moves: &[
            Move { from: "REGISTERED", to: "AVAILABLE", by: "system" },
            Move { from: "REGISTERED", to: "QUARANTINED", by: "system" },
            Move { from: "QUARANTINED", to: "AVAILABLE", by: "accept-match" },
            Move { from: "REGISTERED", to: "CANCELLED", by: "cancel" },
            Move { from: "AVAILABLE", to: "CANCELLED", by: "cancel" },
            Move { from: "QUARANTINED", to: "CANCELLED", by: "cancel" },
        ],
    }],
};
