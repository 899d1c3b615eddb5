//! A patient's insurance cover (catalogue 14.02).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Machine, Move, Refers, Stamps, Table, Verb};

pub static PATIENT_INSURANCE_POLICY: Table = Table {
    name: "patient_insurance_policies",
    schema: "PatientInsurancePolicy",
    plural: "PatientInsurancePolicies",
    path: "/patient-insurance-policies",
    tag: "Patients",
    doc: "A patient's insurance cover.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewPatient,
    write: Permission::EditPatient,
    group: true,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[
        Filter { name: "coverage_end_from", how: How::From("coverage_end") },
        Filter { name: "coverage_end_to", how: How::Before("coverage_end") },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "payer_id", how: How::Equal },
        Filter { name: "coverage_order", how: How::Equal },
        Filter { name: "subscriber_relationship", how: How::Equal },
        Filter { name: "card_file_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("payer_tenant_id").read_only().doc("owner of the shared-or-own row; first half of the composite foreign key"),
        Field::uuid("payer_id")
            .example("id")
            .refers(Refers::Shared("payers", "payer_tenant_id"))
            .doc("null when a person pays, or the payer is known by an identifier alone"),
        Field::text("plan_name").phi(),
        Field::text("policy_number").required().blind().phi(),
        Field::text("group_number").phi(),
        Field::date("coverage_start").example(r#""2026-01-01""#).phi(),
        Field::date("coverage_end").phi(),
        Field::choice("coverage_order", &["PRIMARY", "SECONDARY", "TERTIARY"])
            .means(&["pays first", "pays second", "pays third"])
            .defaulted()
            .doc("primary or secondary flag"),
        Field::choice("subscriber_relationship", &["SELF", "SPOUSE", "CHILD", "OTHER"])
            .means(&["the patient", "husband, wife or partner", "son or daughter", "another"])
            .defaulted(),
        Field::text("subscriber_name").phi(),
        Field::date("subscriber_dob").phi(),
        Field::big("annual_maximum_minor").doc("unit: minor currency unit"),
        Field::big("deductible_minor").doc("unit: minor currency unit"),
        Field::text("currency").required().form(Form::Currency).phi(),
        Field::json("benefit_rules").defaulted().phi().doc("percentages, waiting, frequency, missing-tooth clause, downgrade"),
        Field::uuid("card_file_id").refers(Refers::Tenant("files")),
        Field::choice("status", &["ACTIVE", "CANCELLED", "DRAFT"]).means(&["in force", "ended", "not checked yet"]).defaulted(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["ACTIVE", "DRAFT"],
        moves: &[
            Move { from: "DRAFT", to: "ACTIVE", by: "update" },
            Move { from: "ACTIVE", to: "CANCELLED", by: "update" },
            Move { from: "DRAFT", to: "CANCELLED", by: "update" },
        ],
    }],
};
