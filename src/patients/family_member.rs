//! Who acts for whom: the open proxies of a patient, in the words of one requirement text (catalogue 4.19, C37).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Stamps, Table, Verb};

/// A view; a family member is added to a patient and leaves as a proxy that is revoked.
pub static FAMILY_MEMBER: Table = Table {
    name: "family_members",
    schema: "FamilyMember",
    plural: "FamilyMembers",
    path: "/family-members",
    tag: "Patients",
    doc: "A login that acts, or is about to act, for a patient.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::None,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewPatient,
    write: Permission::ViewPatient,
    group: false,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[Filter { name: "patient_id", how: How::Equal }, Filter { name: "user_id", how: How::Equal }],
    fields: &[
        Field::uuid("user_id").required().read_only(),
        Field::uuid("patient_id").required().read_only(),
        Field::text("relationship").required().read_only(),
    ],
    machines: &[],
};
