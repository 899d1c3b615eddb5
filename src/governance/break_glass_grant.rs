//! Time-limited emergency access with reason and notice (catalogue C35, 3.11).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static BREAK_GLASS_GRANT: Table = Table {
    name: "break_glass_grants",
    schema: "BreakGlassGrant",
    plural: "BreakGlassGrants",
    path: "/break-glass-grants",
    tag: "Audit",
    doc: "Time-limited emergency access with reason and notice.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewAudit,
    write: Permission::Own,
    group: false,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "valid_from", column: "valid_from", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "user_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "reviewed_by", how: How::Equal },
    ],
    fields: &[
        Field::uuid("user_id").required().read_only().refers(Refers::Installation("users")),
        Field::uuid("patient_id").fixed().refers(Refers::Tenant("patients")),
        Field::text("reason").required().length(4000).pii(),
        Field::instant("valid_from").required().read_only(),
        Field::instant("valid_until").required().read_only(),
        Field::choice("status", &["OPEN", "CLOSED", "EXPIRED", "REVIEWED"])
            .means(&["access stands", "ended by its holder", "ended by time", "somebody has judged it"])
            .defaulted()
            .read_only(),
        Field::instant("notified_at").read_only(),
        Field::uuid("reviewed_by").read_only().refers(Refers::Installation("users")),
        Field::text("review_note").read_only().pii(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["OPEN"],
        moves: &[
            Move { from: "OPEN", to: "CLOSED", by: "close" },
            Move { from: "OPEN", to: "EXPIRED", by: "system" },
            Move { from: "CLOSED", to: "REVIEWED", by: "review" },
            Move { from: "EXPIRED", to: "REVIEWED", by: "review" },
        ],
    }],
};
