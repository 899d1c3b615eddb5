//! The life of a referral, append-only (catalogue 12.14).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static REFERRAL_EVENT: Table = Table {
    name: "referral_events",
    schema: "ReferralEvent",
    plural: "ReferralEvents",
    path: "/referral-events",
    tag: "Referrals and public referral links",
    doc: "The life of a referral, append-only.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Created,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ViewReferral,
    write: Permission::ViewReferral,
    group: true,
    patient: Some("patient_id"),
    sorts: &[Sort { name: "created_at", column: "created_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "referral_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
        Filter { name: "event_type", how: How::Equal },
        Filter { name: "actor_party", how: How::Equal },
    ],
    fields: &[
        Field::uuid("referral_id").required().refers(Refers::Tenant("referrals")),
        Field::uuid("patient_id").fixed().refers(Refers::Tenant("patients")),
        Field::choice(
            "event_type",
            &[
                "CREATED",
                "SENT",
                "DELIVERED",
                "OPENED",
                "ACCEPTED",
                "REJECTED",
                "STARTED",
                "COMPLETED",
                "CANCELLED",
                "MATCHED",
                "REMINDED",
                "MESSAGE",
            ],
        )
        .means(&[
            "made",
            "left the sender",
            "arrived",
            "the receiver looked at it",
            "the receiver will see the patient",
            "turned down",
            "treatment began",
            "done",
            "called off",
            "the patient was recognised",
            "somebody was reminded",
            "somebody wrote about it",
        ])
        .required(),
        Field::text("from_status").phi(),
        Field::text("to_status").phi(),
        Field::choice("actor_party", &["SENDER", "RECEIVER", "SYSTEM"])
            .means(&["who refers", "who is referred to", "the system"])
            .required(),
        Field::text("note").length(4000).phi(),
    ],
    machines: &[],
};
