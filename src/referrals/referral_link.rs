//! The public address of a clinic's referral form (catalogue 12.11, 12.12, C40, C42, B4).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Machine, Move, Refers, Stamps, Table, Verb};

pub static REFERRAL_LINK: Table = Table {
    name: "referral_links",
    schema: "ReferralLink",
    plural: "ReferralLinks",
    path: "/referral-links",
    tag: "Referrals and public referral links",
    doc: "The public address of a clinic's referral form.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewReferral,
    write: Permission::ManageTenant,
    group: true,
    patient: None,
    sorts: &[],
    filters: &[
        Filter { name: "location_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "is_active", how: How::Equal },
        Filter { name: "allow_files", how: How::Equal },
    ],
    fields: &[
        Field::text("slug").defaulted().fixed().form(Form::Slug).doc("made of the clinic's name when left out; `regenerate` changes it"),
        Field::uuid("location_id").refers(Refers::Tenant("locations")).doc("null: the tenant's default link"),
        Field::choice("status", &["ACTIVE", "INACTIVE"]).means(&["in use", "out of use"]).defaulted(),
        Field::flag("is_active").read_only(),
        Field::text("public_url").computed("'/refer/' || r.slug").doc("the form's address below that of the API"),
        Field::text("intro_text").length(4000),
        Field::flag("allow_files").defaulted(),
        Field::int("max_files").defaulted().at_least(0).at_most(50),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["ACTIVE"],
        moves: &[Move { from: "ACTIVE", to: "INACTIVE", by: "update" }, Move { from: "INACTIVE", to: "ACTIVE", by: "update" }],
    }],
};
