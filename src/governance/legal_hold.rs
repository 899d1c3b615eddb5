//! Records that must not be deleted until released (catalogue 3.10, B11).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static LEGAL_HOLD: Table = Table {
    name: "legal_holds",
    schema: "LegalHold",
    plural: "LegalHolds",
    path: "/legal-holds",
    tag: "Audit",
    doc: "Records that must not be deleted until released.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewPatient,
    write: Permission::ManageGovernance,
    group: true,
    patient: None,
    sorts: &[Sort { name: "placed_at", column: "placed_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "status", how: How::Equal },
        Filter { name: "placed_by", how: How::Equal },
        Filter { name: "released_by", how: How::Equal },
    ],
    fields: &[
        Field::text("name").required().phi(),
        Field::text("matter_reference").phi(),
        Field::text("reason").required().length(4000).phi(),
        Field::choice("status", &["ACTIVE", "RELEASED"]).means(&["nothing of it is erased", "lifted"]).defaulted().read_only(),
        Field::instant("placed_at").defaulted(),
        Field::uuid("placed_by").required().read_only().refers(Refers::Installation("users")),
        Field::instant("released_at").read_only(),
        Field::uuid("released_by").read_only().refers(Refers::Installation("users")),
        Field::text("release_reason").read_only().length(4000).phi(),
    ],
    machines: &[Machine { column: "status", initial: &["ACTIVE"], moves: &[Move { from: "ACTIVE", to: "RELEASED", by: "release" }] }],
};
