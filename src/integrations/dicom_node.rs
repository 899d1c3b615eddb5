//! A registered DICOM peer of a tenant (catalogue 15.06, 10.14).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static DICOM_NODE: Table = Table {
    name: "dicom_nodes",
    schema: "DicomNode",
    plural: "DicomNodes",
    path: "/dicom-nodes",
    tag: "Integrations",
    doc: "A registered DICOM peer of a tenant.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ManageIntegrations,
    write: Permission::ManageIntegrations,
    group: true,
    patient: None,
    sorts: &[Sort { name: "name", column: "name", ty: Ty::Text, nullable: false }],
    filters: &[
        Filter { name: "integration_id", how: How::Equal },
        Filter { name: "tls_required", how: How::Equal },
        Filter { name: "is_active", how: How::Equal },
    ],
    fields: &[
        Field::uuid("integration_id").refers(Refers::Tenant("tenant_integrations")),
        Field::text("name").required(),
        Field::text("ae_title").required().length(16),
        Field::text("called_ae_title").required().doc("our title for this tenant"),
        Field::text("host").required(),
        Field::int("port").required().at_least(1).at_most(65535),
        Field::flag("tls_required").defaulted(),
        Field::text("certificate_fingerprint"),
        Field::texts("allowed_operations").defaulted(),
        Field::flag("is_active").defaulted(),
    ],
    machines: &[],
};
