//! A de-identified data set with its method and consents (catalogue 11.10, 3.15, B15).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Stamps, Table, Verb};

pub static RESEARCH_DATASET: Table = Table {
    name: "research_datasets",
    schema: "ResearchDataset",
    plural: "ResearchDatasets",
    path: "/research-datasets",
    tag: "AI models",
    doc: "A de-identified data set with its method and consents.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::UseResearchData,
    write: Permission::ManageGovernance,
    group: false,
    patient: None,
    sorts: &[],
    filters: &[
        Filter { name: "status", how: How::Equal },
        Filter { name: "deidentification_method", how: How::Equal },
        Filter { name: "expert_report_document_id", how: How::Equal },
        Filter { name: "date_shift", how: How::Equal },
    ],
    fields: &[
        Field::text("name").required(),
        Field::text("purpose").required().length(2000),
        Field::int("version_no").defaulted(),
        Field::choice("status", &["DRAFT", "BUILDING", "PUBLISHED", "WITHDRAWN"])
            .means(&["being described", "being built", "can be fetched", "taken back"])
            .defaulted()
            .read_only(),
        Field::choice("deidentification_method", &["SAFE_HARBOR", "EXPERT_DETERMINATION"])
            .means(&["HIPAA safe harbor", "judged by an expert"])
            .required(),
        Field::text("expert_name"),
        Field::uuid("expert_report_document_id").refers(Refers::Tenant("documents")),
        Field::json("inclusion_criteria").defaulted(),
        Field::text("required_consent_type").defaulted(),
        Field::int("k_anonymity").at_least(1),
        Field::flag("date_shift").defaulted(),
        Field::int("member_count").defaulted().read_only(),
        Field::instant("published_at").read_only(),
        Field::text("ethics_reference"),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["DRAFT"],
        moves: &[
            Move { from: "DRAFT", to: "BUILDING", by: "build" },
            Move { from: "BUILDING", to: "PUBLISHED", by: "publish" },
            Move { from: "BUILDING", to: "DRAFT", by: "system" },
            Move { from: "PUBLISHED", to: "WITHDRAWN", by: "withdraw" },
        ],
    }],
};
