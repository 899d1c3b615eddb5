//! Register of processors with their agreements (catalogue 3.11, 3.12).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static PROCESSOR_AGREEMENT: Table = Table {
    name: "processor_agreements",
    schema: "ProcessorAgreement",
    plural: "ProcessorAgreements",
    path: "/processor-agreements",
    tag: "Audit",
    doc: "Register of processors with their agreements.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewTenant,
    write: Permission::ManageGovernance,
    group: true,
    patient: None,
    sorts: &[Sort { name: "processor_name", column: "processor_name", ty: Ty::Text, nullable: false }],
    filters: &[
        Filter { name: "kind", how: How::Equal },
        Filter { name: "document_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
    ],
    fields: &[
        Field::text("processor_name").required(),
        Field::choice("kind", &["BAA", "DPA", "SUBPROCESSOR", "TRANSFER"])
            .means(&["business associate, HIPAA", "data processing, GDPR Art. 28", "a processor's processor", "transfer abroad"])
            .required(),
        Field::text("purpose").required().length(2000),
        Field::text("region").required(),
        Field::date("signed_on"),
        Field::date("expires_on"),
        Field::uuid("document_id").refers(Refers::Tenant("documents")),
        Field::choice("status", &["DRAFT", "SIGNED", "EXPIRED", "TERMINATED"])
            .means(&["being written", "in force", "ended by time", "ended by notice"])
            .defaulted(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["DRAFT"],
        moves: &[
            Move { from: "DRAFT", to: "SIGNED", by: "update" },
            Move { from: "SIGNED", to: "EXPIRED", by: "system" },
            Move { from: "SIGNED", to: "TERMINATED", by: "update" },
        ],
    }],
};
