//! A person's request: access, erasure, portability, rectification (catalogue 3.17).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static DSAR_REQUEST: Table = Table {
    name: "dsar_requests",
    schema: "DsarRequest",
    plural: "DsarRequests",
    path: "/dsar-requests",
    tag: "Audit",
    doc: "A person's request: access, erasure, portability, rectification.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewPatient,
    write: Permission::ManageGovernance,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "due_on", column: "due_on", ty: Ty::Date, nullable: false }],
    filters: &[
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "request_type", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "decision", how: How::Equal },
        Filter { name: "decided_by", how: How::Equal },
        Filter { name: "export_job_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").fixed().refers(Refers::Tenant("patients")),
        Field::text("requester_name").required().pii(),
        Field::text("requester_email").pii(),
        Field::choice("request_type", &["ACCESS", "ERASURE", "PORTABILITY", "RECTIFICATION", "RESTRICTION", "OBJECTION"])
            .means(&["see the data", "erase it", "have it in a portable form", "correct it", "restrict its use", "object to its use"])
            .required(),
        Field::choice("status", &["RECEIVED", "VERIFYING", "IN_PROGRESS", "EXTENDED", "COMPLETED", "REFUSED", "WITHDRAWN"])
            .means(&[
                "came in",
                "identity is being checked",
                "worked on",
                "deadline extended",
                "done",
                "not done, on a stated ground",
                "taken back",
            ])
            .defaulted()
            .read_only(),
        Field::instant("received_at").defaulted(),
        Field::date("due_on").defaulted().phi().doc("one month, three when extended"),
        Field::instant("identity_verified_at").read_only(),
        Field::choice("decision", &["FULFILLED", "PARTLY_FULFILLED", "REFUSED"])
            .means(&["done whole", "done in part, with reasons", "refused, with reasons"])
            .read_only(),
        Field::text("decision_ground").phi().doc("legal ground of a refusal"),
        Field::uuid("decided_by").read_only().refers(Refers::Installation("users")),
        Field::uuid("export_job_id").read_only().refers(Refers::Tenant("export_jobs")),
        Field::date("scheduled_deletion_on").phi(),
        Field::instant("completed_at").read_only(),
        Field::text("details").length(4000).phi(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["RECEIVED"],
        moves: &[
            Move { from: "RECEIVED", to: "VERIFYING", by: "verify-identity" },
            Move { from: "VERIFYING", to: "IN_PROGRESS", by: "start" },
            Move { from: "RECEIVED", to: "IN_PROGRESS", by: "start" },
            Move { from: "IN_PROGRESS", to: "EXTENDED", by: "extend" },
            Move { from: "IN_PROGRESS", to: "COMPLETED", by: "complete" },
            Move { from: "EXTENDED", to: "COMPLETED", by: "complete" },
            Move { from: "IN_PROGRESS", to: "REFUSED", by: "refuse" },
            Move { from: "EXTENDED", to: "REFUSED", by: "refuse" },
            Move { from: "VERIFYING", to: "REFUSED", by: "refuse" },
            Move { from: "RECEIVED", to: "WITHDRAWN", by: "withdraw" },
            Move { from: "VERIFYING", to: "WITHDRAWN", by: "withdraw" },
            Move { from: "IN_PROGRESS", to: "WITHDRAWN", by: "withdraw" },
            Move { from: "EXTENDED", to: "WITHDRAWN", by: "withdraw" },
        ],
    }],
};
