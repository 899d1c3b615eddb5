//! A file attached to a referral (catalogue 12.10, 12.08, C53).

use crate::imaging::links::MINTED;
use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static REFERRAL_FILE: Table = Table {
    name: "referral_files",
    schema: "ReferralFile",
    plural: "ReferralFiles",
    path: "/referral-files",
    tag: "Referrals and public referral links",
    doc: "A file attached to a referral.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Delete],
    read: Permission::ViewReferral,
    write: Permission::EditReferral,
    group: true,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[
        Filter { name: "referral_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "file_id", how: How::Equal },
        Filter { name: "category", how: How::Equal },
    ],
    fields: &[
        Field::uuid("referral_id").required().fixed().refers(Refers::Tenant("referrals")),
        Field::uuid("patient_id").fixed().refers(Refers::Tenant("patients")),
        Field::uuid("file_id").required().refers(Refers::Tenant("files")),
        Field::text("file_url").length(4_000).computed(MINTED).doc("signed link, when the row is read by itself"),
        Field::text("file_name").required().phi(),
        Field::text("file_type").required().phi(),
        Field::big("file_size").required().at_least(0).doc("unit: bytes"),
        Field::instant("uploaded_at").required(),
        Field::choice("category", &["XRAY", "NOTE", "DOCUMENT", "PHOTO", "OTHER"]).means(&[
            "radiograph",
            "written note",
            "letter, form or report",
            "photograph",
            "another",
        ]),
    ],
    machines: &[],
};
