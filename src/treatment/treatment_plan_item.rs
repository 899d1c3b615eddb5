//! A planned procedure of a plan (catalogue 9.04, 9.15).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static TREATMENT_PLAN_ITEM: Table = Table {
    name: "treatment_plan_items",
    schema: "TreatmentPlanItem",
    plural: "TreatmentPlanItems",
    path: "/treatment-plan-items",
    tag: "Treatment plans",
    doc: "A planned procedure of a plan.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewTreatment,
    write: Permission::EditTreatment,
    group: true,
    patient: Some("patient_id"),
    sorts: &[
        Sort { name: "phase", column: "phase", ty: Ty::Int, nullable: false },
        Sort { name: "sequence_order", column: "sequence_order", ty: Ty::Int, nullable: false },
    ],
    filters: &[
        Filter { name: "cdt_code", how: How::Equal },
        Filter { name: "tooth_number", how: How::Equal },
        Filter { name: "phase", how: How::Equal },
        Filter { name: "plan_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "catalog_id", how: How::Equal },
        Filter { name: "tooth_system", how: How::Equal },
        Filter { name: "depends_on_item_id", how: How::Equal },
        Filter { name: "fee_schedule_id", how: How::Equal },
        Filter { name: "provider_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "accepted_by", how: How::Equal },
        Filter { name: "acceptance_method", how: How::Equal },
        Filter { name: "signature_document_id", how: How::Equal },
        Filter { name: "clinic_treatment_id", how: How::Equal },
        Filter { name: "visible_to_patient", how: How::Equal },
    ],
    fields: &[
        Field::uuid("plan_id").required().fixed().refers(Refers::Tenant("treatment_plans")),
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("catalog_id").refers(Refers::Tenant("procedure_catalog")),
        Field::text("code_system").required().phi(),
        Field::text("cdt_code")
            .example(r#""T1234""#)
            .phi()
            .doc("procedure code; the name is kept from the source text, any code system is allowed"),
        Field::text("code_version").phi(),
        Field::text("description").required().length(4000).phi(),
        Field::text("tooth_number").example(r#""16""#).phi(),
        Field::choice("tooth_system", &["FDI", "UNIVERSAL", "PALMER"]).means(&[
            "FDI, ISO 3950: 11 to 48",
            "Universal: 1 to 32, A to T",
            "Palmer quadrants",
        ]),
        Field::text("oral_area").phi(),
        Field::texts("surface").defaulted().doc("sorted surfaces"),
        Field::int("phase").defaulted().at_least(1).at_most(9),
        Field::int("sequence_order").defaulted(),
        Field::int("quantity").defaulted().at_least(1),
        Field::text("option_group").phi().doc("alternatives; at most one accepted per group"),
        Field::uuid("depends_on_item_id").refers(Refers::Tenant("treatment_plan_items")),
        Field::text("currency").required().form(Form::Currency).phi(),
        Field::big("estimated_fee_minor").example("60000").required().at_least(0).doc("unit: minor currency unit"),
        Field::big("estimated_write_off_minor").defaulted().doc("unit: minor currency unit"),
        Field::big("estimated_insurance_minor").defaulted().doc("unit: minor currency unit"),
        Field::big("estimated_patient_portion_minor").defaulted().doc("unit: minor currency unit"),
        Field::json("estimate_trace").phi(),
        Field::uuid("fee_schedule_id").refers(Refers::Tenant("fee_schedules")),
        Field::uuid("provider_id").refers(Refers::Tenant("providers")),
        Field::choice("status", &["PROPOSED", "ACCEPTED", "DECLINED", "SCHEDULED", "IN_PROGRESS", "COMPLETED", "CANCELLED"])
            .means(&["proposed", "accepted", "declined", "has an appointment", "goes on", "done", "called off"])
            .defaulted()
            .read_only(),
        Field::instant("accepted_at").read_only(),
        Field::uuid("accepted_by").read_only().refers(Refers::Installation("users")),
        Field::choice("acceptance_method", &["PORTAL", "IN_CLINIC", "PAPER", "PHONE"])
            .means(&["in the portal", "said in the clinic", "signed on paper", "said on the telephone"])
            .read_only(),
        Field::uuid("signature_document_id").refers(Refers::Tenant("documents")),
        Field::uuid("clinic_treatment_id").refers(Refers::Tenant("clinic_treatments")),
        Field::text("notes").length(4000).phi(),
        Field::flag("visible_to_patient").defaulted().read_only().doc("kept equal to the plan's by trigger"),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["PROPOSED"],
        moves: &[
            Move { from: "PROPOSED", to: "ACCEPTED", by: "system" },
            Move { from: "PROPOSED", to: "DECLINED", by: "system" },
            Move { from: "ACCEPTED", to: "SCHEDULED", by: "system" },
            Move { from: "ACCEPTED", to: "IN_PROGRESS", by: "system" },
            Move { from: "SCHEDULED", to: "IN_PROGRESS", by: "system" },
            Move { from: "ACCEPTED", to: "COMPLETED", by: "system" },
            Move { from: "SCHEDULED", to: "COMPLETED", by: "system" },
            Move { from: "IN_PROGRESS", to: "COMPLETED", by: "system" },
            Move { from: "PROPOSED", to: "CANCELLED", by: "cancel" },
            Move { from: "ACCEPTED", to: "CANCELLED", by: "cancel" },
            Move { from: "SCHEDULED", to: "CANCELLED", by: "cancel" },
            Move { from: "IN_PROGRESS", to: "CANCELLED", by: "cancel" },
        ],
    }],
};
