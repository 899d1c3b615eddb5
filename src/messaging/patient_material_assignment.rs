//! Education assigned to a patient, once per material (catalogue 13.09, B7, C42).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static PATIENT_MATERIAL_ASSIGNMENT: Table = Table {
    name: "patient_material_assignments",
    schema: "PatientMaterialAssignment",
    plural: "PatientMaterialAssignments",
    path: "/patient-material-assignments",
    tag: "Notifications",
    doc: "Education assigned to a patient, once per material.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewClinical,
    write: Permission::EditClinical,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "assignment_date", column: "assignment_date", ty: Ty::Date, nullable: false }],
    filters: &[
        Filter { name: "assignment_date_from", how: How::From("assignment_date") },
        Filter { name: "assignment_date_to", how: How::Before("assignment_date") },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "material_id", how: How::Equal },
        Filter { name: "assigned_by", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("material_tenant_id").read_only().doc("owner of the shared-or-own row; first half of the composite foreign key"),
        Field::uuid("material_id").required().fixed().refers(Refers::Shared("knowledge_documents", "material_tenant_id")),
        Field::date("assignment_date").defaulted().phi().doc("today when left out"),
        Field::text("specialist_comments").phi(),
        Field::uuid("assigned_by").required().read_only().refers(Refers::Installation("users")),
        Field::instant("viewed_at").read_only(),
        Field::instant("completed_at").read_only(),
    ],
    machines: &[],
};
