//! A quote a patient builds on a portal and submits to a clinic with consent (catalogue 9.05, 9.10, 3.08, B1, C01).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static QUOTE: Table = Table {
    name: "quotes",
    schema: "Quote",
    plural: "Quotes",
    path: "/quotes",
    tag: "Treatment plans",
    doc: "A quote a patient builds on a portal and submits to a clinic with consent.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewTreatment,
    write: Permission::EditTreatment,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "submitted_at", column: "submitted_at", ty: Ty::Instant, nullable: true }],
    filters: &[
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "clinic_tenant_id", how: How::Equal },
        Filter { name: "consent_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("clinic_tenant_id").required().doc("the chosen clinic, which is published; may be this tenant itself"),
        Field::json("items").defaulted().phi().doc("selected treatments and packages"),
        Field::text("patient_notes").length(4000).phi(),
        Field::text("currency").required().form(Form::Currency).phi(),
        Field::big("estimated_total_minor").doc("unit: minor currency unit"),
        Field::uuid("consent_id").refers(Refers::Tenant("consents")),
        Field::choice("status", &["BUILDING", "SUBMITTED", "WITHDRAWN", "EXPIRED", "PLANNED"])
            .means(&["the patient chooses", "sent to the clinic", "taken back", "ended by time", "became a plan"])
            .defaulted()
            .read_only(),
        Field::instant("submitted_at").read_only(),
        Field::uuid("clinic_patient_id").read_only().doc("patient row made in the clinic's tenant"),
        Field::uuid("clinic_plan_id").read_only().doc("treatment plan made in the clinic's tenant"),
        Field::instant("expires_at"),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["BUILDING"],
        moves: &[
            Move { from: "BUILDING", to: "SUBMITTED", by: "submit" },
            Move { from: "SUBMITTED", to: "PLANNED", by: "system" },
            Move { from: "BUILDING", to: "WITHDRAWN", by: "withdraw" },
            Move { from: "SUBMITTED", to: "WITHDRAWN", by: "withdraw" },
            Move { from: "PLANNED", to: "WITHDRAWN", by: "withdraw" },
            Move { from: "BUILDING", to: "EXPIRED", by: "system" },
            Move { from: "SUBMITTED", to: "EXPIRED", by: "system" },
        ],
    }],
};
