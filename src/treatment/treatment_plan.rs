//! An offer of treatment to a patient, with per-item acceptance and revisions (catalogue 9.01, 9.02, 9.03, 9.05, 9.06, 9.09, B1, C-T).

use super::details;
use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static TREATMENT_PLAN: Table = Table {
    name: "treatment_plans",
    schema: "TreatmentPlan",
    plural: "TreatmentPlans",
    path: "/treatment-plans",
    tag: "Treatment plans",
    doc: "An offer of treatment to a patient, with per-item acceptance and revisions.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewTreatment,
    write: Permission::EditTreatment,
    group: true,
    patient: Some("patient_id"),
    sorts: &[
        Sort { name: "updated_at", column: "updated_at", ty: Ty::Instant, nullable: false },
        Sort { name: "created_at", column: "created_at", ty: Ty::Instant, nullable: false },
    ],
    filters: &[
        Filter { name: "updated_at_from", how: How::From("updated_at") },
        Filter { name: "updated_at_to", how: How::Before("updated_at") },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "created_by_id", how: How::Equal },
        Filter { name: "created_by_party", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "provider_id", how: How::Equal },
        Filter { name: "location_id", how: How::Equal },
        Filter { name: "visible_to_patient", how: How::Equal },
        Filter { name: "supersedes_id", how: How::Equal },
        Filter { name: "consultation_appointment_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("clinic_id").computed("r.tenant_id").doc("the clinic whose plan it is"),
        Field::uuid("created_by_id").read_only().refers(Refers::Installation("users")),
        Field::choice("created_by_party", &["PATIENT", "CLINIC"])
            .means(&["the patient, by a quote", "the clinic"])
            .required()
            .read_only()
            .aliases(&[("Patient", "PATIENT"), ("Clinic", "CLINIC")]),
        Field::text("title").example(r#""Crown on 16""#).phi(),
        Field::choice(
            "status",
            &["DRAFT", "PRESENTED", "ACCEPTED", "DECLINED", "PARTIALLY_ACCEPTED", "IN_TREATMENT", "COMPLETED", "CANCELLED", "SUPERSEDED"],
        )
        .means(&[
            "being written",
            "shown to the patient",
            "all accepted",
            "all declined",
            "some accepted",
            "goes on",
            "done",
            "called off",
            "replaced by a revision",
        ])
        .defaulted()
        .read_only()
        .aliases(&[("Draft", "DRAFT"), ("Finalised", "PRESENTED"), ("In Treatment", "IN_TREATMENT"), ("Completed", "COMPLETED")]),
        Field::uuid("provider_id").refers(Refers::Tenant("providers")),
        Field::uuid("location_id").refers(Refers::Tenant("locations")),
        Field::text("currency").required().form(Form::Currency).phi(),
        Field::big("total_estimated_cost_minor").defaulted().read_only().doc("sum of the items, checked; unit: minor currency unit"),
        Field::big("estimated_insurance_coverage_minor").defaulted().read_only().doc("unit: minor currency unit"),
        Field::big("estimated_patient_portion_minor").defaulted().read_only().doc("unit: minor currency unit"),
        Field::json("treatment_details")
            .projected(details::SHOWN, details::write)
            .phi()
            .doc("the items as a list of selected treatments; given as a whole: an item that is not in it is cancelled"),
        Field::text("notes").length(4000).phi().doc("visibility PATIENT"),
        Field::text("internal_notes").length(4000).phi().staff_only().doc("notes with visibility STAFF"),
        Field::flag("visible_to_patient").read_only(),
        Field::int("revision_no").defaulted().read_only(),
        Field::int("presented_revision_no").read_only(),
        Field::int("accepted_revision_no").read_only(),
        Field::uuid("source_quote_id").doc("quote in the operator's tenant"),
        Field::uuid("supersedes_id").refers(Refers::Tenant("treatment_plans")),
        Field::uuid("consultation_appointment_id").refers(Refers::Tenant("appointments")),
        Field::instant("presented_at").read_only(),
        Field::instant("accepted_at").read_only(),
        Field::instant("declined_at").read_only(),
        Field::instant("started_at").read_only(),
        Field::instant("completed_at").read_only(),
        Field::date("expires_on").phi(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["DRAFT"],
        moves: &[
            Move { from: "DRAFT", to: "PRESENTED", by: "present" },
            Move { from: "DRAFT", to: "CANCELLED", by: "cancel" },
            Move { from: "PRESENTED", to: "ACCEPTED", by: "accept" },
            Move { from: "PRESENTED", to: "PARTIALLY_ACCEPTED", by: "accept" },
            Move { from: "PRESENTED", to: "DECLINED", by: "decline" },
            Move { from: "PRESENTED", to: "SUPERSEDED", by: "revise" },
            Move { from: "ACCEPTED", to: "IN_TREATMENT", by: "system" },
            Move { from: "PARTIALLY_ACCEPTED", to: "IN_TREATMENT", by: "system" },
            Move { from: "ACCEPTED", to: "CANCELLED", by: "cancel" },
            Move { from: "PARTIALLY_ACCEPTED", to: "CANCELLED", by: "cancel" },
            Move { from: "ACCEPTED", to: "SUPERSEDED", by: "revise" },
            Move { from: "PARTIALLY_ACCEPTED", to: "SUPERSEDED", by: "revise" },
            Move { from: "IN_TREATMENT", to: "COMPLETED", by: "system" },
            Move { from: "IN_TREATMENT", to: "CANCELLED", by: "cancel" },
        ],
    }],
};
