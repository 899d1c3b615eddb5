//! Materials used in a procedure (catalogue 9.13).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static PROCEDURE_MATERIAL: Table = Table {
    name: "procedure_materials",
    schema: "ProcedureMaterial",
    plural: "ProcedureMaterials",
    path: "/procedure-materials",
    tag: "Treatment plans",
    doc: "Materials used in a procedure.",
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
        Filter { name: "procedure_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "material_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("procedure_id").required().fixed().refers(Refers::Tenant("procedures")),
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")),
        Field::uuid("material_tenant_id").read_only().doc("owner of the shared-or-own row; first half of the composite foreign key"),
        Field::uuid("material_id").refers(Refers::Shared("material_reference", "material_tenant_id")),
        Field::text("description").length(4000).phi(),
        Field::double("quantity"),
        Field::text("unit").phi(),
        Field::text("lot_number").phi(),
        Field::text("serial_number").phi(),
        Field::text("udi").phi(),
        Field::date("expires_on").phi(),
        Field::text("shade").phi(),
    ],
    machines: &[],
};
