//! Somebody asked by e-mail to join a tenant (catalogue 2.13, C03). It names an address and no login, so it looks the same
//! whether a login has that address or not; the membership is made when that person accepts.

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Stamps, Table, Verb};

pub static MEMBER_INVITATION: Table = Table {
    name: "member_invitations",
    schema: "MemberInvitation",
    plural: "MemberInvitations",
    path: "/member-invitations",
    tag: "Identity",
    doc: "Somebody asked by e-mail to join a tenant; whoever signs in with that address may accept.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Delete],
    read: Permission::ManageUsers,
    write: Permission::ManageUsers,
    group: false,
    patient: None,
    sorts: &[],
    filters: &[Filter { name: "email", how: How::Folded("email_key") }, Filter { name: "user_type", how: How::Equal }],
    fields: &[
        Field::text("email").required().fixed().form(Form::Email).length(254).folded().pii(),
        Field::choice(
            "user_type",
            &["DENTIST", "HYGIENIST", "ASSISTANT", "ADMIN", "FRONT_DESK", "PAYER_ANALYST", "REGULATOR", "DEVELOPER"],
        )
        .means(&[
            "treats patients as a dentist",
            "cleans teeth and treats gums",
            "helps at the chair",
            "runs the clinic",
            "receives, books and bills",
            "analyst of a payer",
            "watches with a mandate",
            "builds integrations",
        ])
        .required()
        .fixed(),
        Field::text("title").fixed().pii(),
        Field::instant("expires_at").defaulted().fixed().doc("in 14 days when left out"),
        Field::instant("accepted_at").read_only(),
    ],
    machines: &[],
};
