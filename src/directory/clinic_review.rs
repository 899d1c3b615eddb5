//! A patient's review of a clinic, moderated (catalogue 5.02, C48).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static CLINIC_REVIEW: Table = Table {
    name: "clinic_reviews",
    schema: "ClinicReview",
    plural: "ClinicReviews",
    path: "/clinic-reviews",
    tag: "Clinic profiles",
    doc: "A patient's review of a clinic, moderated.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    // Written by an operation: its author does not see it before it is published.
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewTenant,
    write: Permission::ManageDirectory,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "rating", column: "rating", ty: Ty::Int, nullable: false }],
    filters: &[
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "booking_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "moderated_by", how: How::Equal },
    ],
    fields: &[
        Field::uuid("patient_id").required().fixed().refers(Refers::Tenant("patients")).staff_only().doc("never shown in public answers"),
        Field::uuid("booking_id").refers(Refers::Tenant("bookings")).staff_only().doc("only after a confirmed booking"),
        Field::int("rating").required().at_least(1).at_most(5),
        Field::text("title").pii(),
        Field::text("body").length(20000).pii(),
        Field::text("display_name").pii(),
        Field::text("reply").read_only().pii(),
        Field::choice("status", &["PENDING", "PUBLISHED", "REJECTED", "WITHDRAWN"])
            .means(&["waits for a moderator", "shown", "turned down", "taken back by its author"])
            .defaulted()
            .read_only(),
        Field::uuid("moderated_by").read_only().refers(Refers::Installation("users")).staff_only(),
        Field::instant("moderated_at").read_only().staff_only(),
        Field::text("moderation_reason").length(4000).read_only().pii().staff_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["PENDING"],
        moves: &[
            Move { from: "PENDING", to: "PUBLISHED", by: "publish" },
            Move { from: "PENDING", to: "REJECTED", by: "reject" },
            Move { from: "PUBLISHED", to: "REJECTED", by: "reject" },
            Move { from: "PENDING", to: "WITHDRAWN", by: "withdraw" },
            Move { from: "PUBLISHED", to: "WITHDRAWN", by: "withdraw" },
        ],
    }],
};
