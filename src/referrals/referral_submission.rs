//! What came through the public form, before staff see it (catalogue 12.12, B3, C56).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static REFERRAL_SUBMISSION: Table = Table {
    name: "referral_submissions",
    schema: "ReferralSubmission",
    plural: "ReferralSubmissions",
    path: "/referral-submissions",
    tag: "Referrals and public referral links",
    doc: "What came through the public form, before staff see it.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewReferral,
    write: Permission::EditReferral,
    group: false,
    patient: None,
    sorts: &[Sort { name: "submitted_at", column: "submitted_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "referral_link_id", how: How::Equal },
        Filter { name: "referral_id", how: How::Equal },
        Filter { name: "consent_text_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
    ],
    fields: &[
        Field::uuid("referral_link_id").required().refers(Refers::Tenant("referral_links")),
        Field::uuid("referral_id").read_only().refers(Refers::Tenant("referrals")),
        Field::bytes("payload").required().sealed().phi(),
        Field::uuid("consent_text_tenant_id").read_only().doc("owner of the shared-or-own row; first half of the composite foreign key"),
        Field::uuid("consent_text_id").refers(Refers::Shared("consent_texts", "consent_text_tenant_id")),
        Field::choice("status", &["RECEIVED", "SCANNING", "ACCEPTED", "QUARANTINED", "REFUSED"])
            .means(&["came in", "files being checked", "became a referral", "kept apart", "not taken"])
            .defaulted()
            .read_only(),
        Field::bytes("status_token_hash").hidden(),
        Field::instant("token_expires_at"),
        Field::inet("ip_address").pii(),
        Field::instant("submitted_at").required(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["RECEIVED"],
        moves: &[
            Move { from: "RECEIVED", to: "SCANNING", by: "system" },
            Move { from: "SCANNING", to: "ACCEPTED", by: "system" },
            Move { from: "SCANNING", to: "QUARANTINED", by: "system" },
            Move { from: "QUARANTINED", to: "ACCEPTED", by: "release" },
            Move { from: "QUARANTINED", to: "REFUSED", by: "refuse" },
            Move { from: "RECEIVED", to: "REFUSED", by: "refuse" },
        ],
    }],
};
