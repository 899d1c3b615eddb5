//! A pseudonymous member of a data set (catalogue 11.10, B15).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static RESEARCH_DATASET_MEMBER: Table = Table {
    name: "research_dataset_members",
    schema: "ResearchDatasetMember",
    plural: "ResearchDatasetMembers",
    path: "/research-dataset-members",
    tag: "AI models",
    doc: "A pseudonymous member of a data set.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::UseResearchData,
    write: Permission::UseResearchData,
    group: false,
    patient: Some("patient_id"),
    sorts: &[],
    filters: &[Filter { name: "dataset_id", how: How::Equal }],
    fields: &[
        Field::uuid("dataset_id").required().fixed().refers(Refers::Tenant("research_datasets")),
        Field::text("pseudonym").required().phi(),
        Field::uuid("patient_id").hidden().refers(Refers::Tenant("patients")).doc("readable by the building job only"),
        Field::uuid("consent_id").hidden().refers(Refers::Tenant("consents")),
        Field::int("object_count").defaulted(),
        Field::instant("included_at").required(),
        Field::instant("valid_until").doc("set when consent is withdrawn; later versions leave the member out"),
    ],
    machines: &[],
};
