//! Who used a data set, when, for what (catalogue 11.10, B15).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static RESEARCH_ACCESS_LOG: Table = Table {
    name: "research_access_logs",
    schema: "ResearchAccessLog",
    plural: "ResearchAccessLogs",
    path: "/research-access-logs",
    tag: "AI models",
    doc: "Who used a data set, when, for what.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::UseResearchData,
    write: Permission::ManageGovernance,
    group: false,
    patient: None,
    sorts: &[],
    filters: &[
        Filter { name: "dataset_id", how: How::Equal },
        Filter { name: "user_id", how: How::Equal },
        Filter { name: "action", how: How::Equal },
    ],
    fields: &[
        Field::uuid("dataset_id").required().refers(Refers::Tenant("research_datasets")),
        Field::uuid("user_id").required().refers(Refers::Installation("users")),
        Field::choice("action", &["VIEW", "QUERY", "EXPORT", "DOWNLOAD"])
            .means(&["looked at", "queried", "exported", "fetched"])
            .required(),
        Field::text("purpose").required().length(2000),
        Field::big("record_count"),
        Field::uuid("request_id"),
    ],
    machines: &[],
};
