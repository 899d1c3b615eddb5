//! A tenant's attestation that it holds a licence for a code set (catalogue 14.03, 15.09, C-N).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static CODE_LICENCE: Table = Table {
    name: "code_licences",
    schema: "CodeLicence",
    plural: "CodeLicences",
    path: "/code-licences",
    tag: "Code systems and master data",
    doc: "A tenant's attestation that it holds a licence for a code set.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Create, Verb::Read],
    read: Permission::ViewTenant,
    write: Permission::ManageReference,
    group: true,
    patient: None,
    sorts: &[Sort { name: "attested_at", column: "attested_at", ty: Ty::Instant, nullable: false }],
    filters: &[Filter { name: "attested_by", how: How::Equal }],
    fields: &[
        Field::text("code_system_code").required(),
        Field::text("edition").required(),
        Field::text("licence_reference"),
        Field::uuid("attested_by").required().refers(Refers::Installation("users")),
        Field::instant("attested_at").required(),
        Field::date("valid_until"),
    ],
    machines: &[],
};
