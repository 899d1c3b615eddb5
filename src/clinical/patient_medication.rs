//! Current and past medication (catalogue 7.06, 4.12).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static PATIENT_MEDICATION: Table = Table {
    name: "patient_medications",
    schema: "PatientMedication",
    plural: "PatientMedications",
    path: "/patient-medications",
    tag: "Encounters",
    doc: "Current and past medication.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewClinical,
    write: Permission::EditClinical,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "start_date", column: "start_date", ty: Ty::Date, nullable: true }],
    filters: &[
        Filter { name: "status", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "drug_id", how: How::Equal },
        Filter { name: "prescriber_id", how: How::Equal },
        Filter { name: "is_prescribed_here", how: How::Equal },
        Filter { name: "encounter_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("drug_tenant_id").read_only().doc("owner of the shared-or-own row; first half of the composite foreign key"),
        Field::uuid("drug_id").refers(Refers::Shared("drug_reference", "drug_tenant_id")),
        Field::text("name").required().phi(),
        Field::text("code_system").phi(),
        Field::text("code").phi(),
        Field::text("dosage").phi(),
        Field::text("route").phi(),
        Field::text("frequency").phi(),
        Field::date("start_date").phi(),
        Field::date("stop_date").phi(),
        Field::uuid("prescriber_id").refers(Refers::Tenant("providers")),
        Field::text("prescriber_name").phi(),
        Field::choice("status", &["ACTIVE", "STOPPED", "ON_HOLD", "COMPLETED", "ENTERED_IN_ERROR"])
            .means(&["taken", "ended before its course", "nothing is billed", "course is over", "should never have been"])
            .defaulted(),
        Field::flag("is_prescribed_here").defaulted(),
        Field::uuid("encounter_id").refers(Refers::Tenant("encounters")),
        Field::text("notes").length(4000).phi(),
    ],
    machines: &[],
};
