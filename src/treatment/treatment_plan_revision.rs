//! A frozen revision of a plan as the patient saw it (catalogue 9.06, C22).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static TREATMENT_PLAN_REVISION: Table = Table {
    name: "treatment_plan_revisions",
    schema: "TreatmentPlanRevision",
    plural: "TreatmentPlanRevisions",
    path: "/treatment-plan-revisions",
    tag: "Treatment plans",
    doc: "A frozen revision of a plan as the patient saw it.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewTreatment,
    write: Permission::ViewTreatment,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "revision_no", column: "revision_no", ty: Ty::Int, nullable: false }],
    filters: &[
        Filter { name: "plan_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "document_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("plan_id").required().refers(Refers::Tenant("treatment_plans")),
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::int("revision_no").required().at_least(1),
        Field::json("content").required().phi(),
        Field::text("content_hash").required().phi(),
        Field::uuid("document_id").refers(Refers::Tenant("documents")),
        Field::text("change_summary").phi(),
        Field::instant("presented_at"),
    ],
    machines: &[],
};
