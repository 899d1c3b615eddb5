//! A named set of permissions: shared template or the tenant's own (catalogue 2.15, C05, C54, C-R).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Sort, Stamps, Table, Ty, Verb};

pub static ROLE: Table = Table {
    name: "roles",
    schema: "Role",
    plural: "Roles",
    path: "/roles",
    tag: "Identity",
    doc: "A named set of permissions: shared template or the tenant's own.",
    home: Home::Shared,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewTenant,
    write: Permission::ManageUsers,
    group: false,
    patient: None,
    sorts: &[Sort { name: "code", column: "code", ty: Ty::Text, nullable: false }],
    filters: &[Filter { name: "is_system", how: How::Equal }, Filter { name: "default_resource_scope", how: How::Equal }],
    fields: &[
        Field::text("code").required(),
        Field::text("name").required(),
        Field::text("description").length(4000),
        Field::flag("is_system").defaulted().read_only().doc("shared templates cannot be changed by a tenant"),
        Field::choice("default_resource_scope", &["ALL_LOCATIONS", "LOCATION", "TEAM", "SELF"])
            .means(&["the whole tenant", "one location", "one team's patients", "one's own patients"])
            .defaulted(),
    ],
    machines: &[],
};

/// Roles under the words of the requirement texts (C-R).
const WORDS: &[(&str, &str)] = &[
    ("super_admin", "PLATFORM_ADMIN"),
    ("Admin", "TENANT_ADMIN"),
    ("admin", "TENANT_ADMIN"),
    ("ADMIN", "TENANT_ADMIN"),
    ("Specialist", "CLINICIAN"),
    ("provider", "CLINICIAN"),
    ("staff", "CLINIC_STAFF"),
    ("STAFF", "CLINIC_STAFF"),
    ("Patient", "PATIENT"),
    ("FamilyMember", "PATIENT_PROXY"),
];

/// The code behind a role's word; a code is its own.
pub fn code_of(word: &str) -> &str {
    WORDS.iter().find(|(known, _)| *known == word).map_or(word, |(_, code)| code)
}
