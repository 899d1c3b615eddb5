//! Allergies and adverse reactions (catalogue 7.07, 4.12).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static PATIENT_ALLERGY: Table = Table {
    name: "patient_allergies",
    schema: "PatientAllergy",
    plural: "PatientAllergies",
    path: "/patient-allergies",
    tag: "Encounters",
    doc: "Allergies and adverse reactions.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewClinical,
    write: Permission::EditClinical,
    group: true,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "category", how: How::Equal },
        Filter { name: "drug_id", how: How::Equal },
        Filter { name: "material_id", how: How::Equal },
        Filter { name: "severity", how: How::Equal },
        Filter { name: "criticality", how: How::Equal },
        Filter { name: "clinical_status", how: How::Equal },
        Filter { name: "verification_status", how: How::Equal },
        Filter { name: "no_known_allergies", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::choice("category", &["DRUG", "MATERIAL", "OTHER"]).means(&["a medicine", "dental or other material", "another"]).required(),
        Field::text("substance").required().phi(),
        Field::text("code_system").phi(),
        Field::text("code").phi(),
        Field::uuid("drug_tenant_id").read_only().doc("owner of the shared-or-own row; first half of the composite foreign key"),
        Field::uuid("drug_id").refers(Refers::Shared("drug_reference", "drug_tenant_id")),
        Field::uuid("material_tenant_id").read_only().doc("owner of the shared-or-own row; first half of the composite foreign key"),
        Field::uuid("material_id").refers(Refers::Shared("material_reference", "material_tenant_id")),
        Field::text("reaction").phi(),
        Field::choice("severity", &["MILD", "MODERATE", "SEVERE"]).means(&[
            "passes without treatment",
            "needs treatment",
            "threatens life or leaves harm",
        ]),
        Field::choice("criticality", &["LOW", "HIGH", "UNABLE_TO_ASSESS"]).means(&[
            "no danger to life expected",
            "high, may threaten life",
            "cannot be judged",
        ]),
        Field::choice("clinical_status", &["ACTIVE", "INACTIVE", "RESOLVED"]).means(&["stands", "not at present", "gone"]).defaulted(),
        Field::choice("verification_status", &["UNCONFIRMED", "CONFIRMED", "REFUTED", "ENTERED_IN_ERROR"])
            .means(&["said or suspected", "certain by history or test", "proven wrong", "should never have been"])
            .defaulted(),
        Field::date("onset_date").phi(),
        Field::flag("no_known_allergies").defaulted(),
        Field::text("notes").length(4000).phi(),
    ],
    machines: &[],
};
