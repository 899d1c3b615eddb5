//! Published patient education in the words of one requirement text (catalogue 13.08, C49).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Home, Sort, Stamps, Table, Ty, Verb};

/// A view; materials are written and published as knowledge documents.
pub static EDUCATIONAL_MATERIAL: Table = Table {
    name: "educational_materials",
    schema: "EducationalMaterial",
    plural: "EducationalMaterials",
    path: "/educational-materials",
    tag: "Notifications",
    doc: "Patient education that is published.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::None,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewTenant,
    write: Permission::ViewTenant,
    group: false,
    patient: None,
    sorts: &[Sort { name: "title", column: "title_key", ty: Ty::Text, nullable: false }],
    filters: &[],
    fields: &[
        Field::text("title").required().read_only(),
        Field::text("content_url").read_only(),
        Field::text("material_type").read_only(),
        Field::date("publish_date").read_only(),
        Field::uuid("specialist_id").read_only(),
    ],
    machines: &[],
};
