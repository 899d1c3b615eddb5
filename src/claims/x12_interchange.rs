//! A raw X12 file sent or received, kept encrypted (catalogue 14.07, 15.04).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static X12_INTERCHANGE: Table = Table {
    name: "x12_interchanges",
    schema: "X12Interchange",
    plural: "X12Interchanges",
    path: "/x12-interchanges",
    tag: "Fee schedules",
    doc: "A raw X12 file sent or received, kept encrypted.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::EditClaims,
    write: Permission::EditClaims,
    group: false,
    patient: None,
    sorts: &[Sort { name: "created_at", column: "created_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "direction", how: How::Equal },
        Filter { name: "transaction_type", how: How::Equal },
        Filter { name: "integration_id", how: How::Equal },
        Filter { name: "file_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "related_interchange_id", how: How::Equal },
    ],
    fields: &[
        Field::choice("direction", &["OUT", "IN"]).means(&["sent", "received"]).required(),
        Field::choice("transaction_type", &["837D", "835", "270", "271", "276", "277", "277CA", "999", "TA1"])
            .means(&[
                "dental claim",
                "remittance",
                "eligibility question",
                "eligibility answer",
                "status question",
                "status answer",
                "claim acknowledgement",
                "implementation acknowledgement",
                "interchange acknowledgement",
            ])
            .required(),
        Field::text("partner").required().phi(),
        Field::text("control_number").required().phi(),
        Field::uuid("integration_id").refers(Refers::Tenant("tenant_integrations")),
        Field::uuid("file_id").refers(Refers::Tenant("files")),
        Field::choice("status", &["QUEUED", "SENT", "RECEIVED", "PARSED", "ACKNOWLEDGED", "REJECTED", "FAILED"])
            .means(&["waits", "handed over", "came in", "read", "the receiver took it in", "turned back", "ended with an error"])
            .defaulted(),
        Field::text("error_details").length(4000).phi(),
        Field::uuid("related_interchange_id").refers(Refers::Tenant("x12_interchanges")),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["QUEUED", "RECEIVED"],
        moves: &[
            Move { from: "QUEUED", to: "SENT", by: "system" },
            Move { from: "SENT", to: "ACKNOWLEDGED", by: "system" },
            Move { from: "SENT", to: "REJECTED", by: "system" },
            Move { from: "RECEIVED", to: "PARSED", by: "system" },
            Move { from: "QUEUED", to: "FAILED", by: "system" },
            Move { from: "RECEIVED", to: "FAILED", by: "system" },
        ],
    }],
};
