//! A thread: patient messaging, team chat or case discussion (catalogue 13.05, B1).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static CONVERSATION: Table = Table {
    name: "conversations",
    schema: "Conversation",
    plural: "Conversations",
    path: "/conversations",
    tag: "Notifications",
    doc: "A thread: patient messaging, team chat or case discussion.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewMessages,
    write: Permission::SendMessages,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "last_message_at", column: "last_message_at", ty: Ty::Instant, nullable: true }],
    filters: &[
        Filter { name: "kind", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "team_id", how: How::Equal },
        Filter { name: "referral_id", how: How::Equal },
        Filter { name: "plan_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "assigned_user_id", how: How::Equal },
    ],
    fields: &[
        Field::choice("kind", &["PATIENT_MESSAGING", "TEAM_CHAT", "CASE_DISCUSSION"])
            .means(&["with a patient", "among staff", "about a case"])
            .required()
            .fixed(),
        Field::uuid("patient_id").example("id").fixed().refers(Refers::Tenant("patients")),
        Field::text("subject").phi(),
        Field::uuid("team_id").refers(Refers::Tenant("teams")),
        Field::uuid("referral_id").refers(Refers::Tenant("referrals")),
        Field::uuid("plan_id").refers(Refers::Tenant("treatment_plans")),
        Field::choice("status", &["OPEN", "CLOSED", "ARCHIVED"]).means(&["goes on", "ended", "put away"]).defaulted().read_only(),
        Field::instant("last_message_at").read_only(),
        Field::uuid("assigned_user_id").refers(Refers::Installation("users")),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["OPEN"],
        moves: &[
            Move { from: "OPEN", to: "CLOSED", by: "close" },
            Move { from: "CLOSED", to: "OPEN", by: "reopen" },
            Move { from: "CLOSED", to: "ARCHIVED", by: "archive" },
        ],
    }],
};
