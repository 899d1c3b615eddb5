//! A person who is no patient: relative, guardian, emergency contact (catalogue 4.18).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static EXTERNAL_CONTACT: Table = Table {
    name: "external_contacts",
    schema: "ExternalContact",
    plural: "ExternalContacts",
    path: "/external-contacts",
    tag: "Patients",
    doc: "A person who is no patient: relative, guardian, emergency contact.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewPatient,
    write: Permission::EditPatient,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "full_name", column: "full_name_key", ty: Ty::Text, nullable: false }],
    filters: &[Filter { name: "q", how: How::Words(&["full_name_key"]) }, Filter { name: "patient_id", how: How::Equal }],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")).doc("the patient this contact belongs to"),
        Field::text("full_name").required().folded().pii(),
        Field::text("phone").pii(),
        Field::text("email").form(Form::Email).pii(),
        Field::text("address").length(4000).pii(),
        Field::text("notes").length(4000).pii(),
    ],
    machines: &[],
};
