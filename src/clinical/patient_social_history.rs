//! Smoking, alcohol and habits that matter (catalogue 7.08, 4.12).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static PATIENT_SOCIAL_HISTORY: Table = Table {
    name: "patient_social_history",
    schema: "PatientSocialHistory",
    plural: "PatientSocialHistories",
    path: "/patient-social-histories",
    tag: "Encounters",
    doc: "Smoking, alcohol and habits that matter.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewClinical,
    write: Permission::EditClinical,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "recorded_at", column: "recorded_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "topic", how: How::Equal },
        Filter { name: "status", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::choice("topic", &["SMOKING", "ALCOHOL", "BRUXISM", "DIET", "ORAL_HYGIENE", "DRUGS", "OTHER"])
            .means(&[
                "tobacco of any kind",
                "drinking",
                "grinding of teeth",
                "what is eaten, sugar above all",
                "care of teeth at home",
                "other drugs",
                "another",
            ])
            .required(),
        Field::choice("status", &["CURRENT", "FORMER", "NEVER", "UNKNOWN"])
            .means(&["at present", "in the past", "not at any time", "not asked or not told"])
            .required(),
        Field::text("value_text").length(4000).phi(),
        Field::double("quantity"),
        Field::text("quantity_unit").phi(),
        Field::text("code_system").phi(),
        Field::text("code").phi(),
        Field::date("start_date").phi(),
        Field::date("end_date").phi(),
        Field::instant("recorded_at").required(),
    ],
    machines: &[],
};
