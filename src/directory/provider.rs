//! A dentist, hygienist or other specialist of a tenant (catalogue 5.04, 5.05, C47, 16.11).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static PROVIDER: Table = Table {
    name: "providers",
    schema: "Provider",
    plural: "Providers",
    path: "/providers",
    tag: "Clinic profiles",
    doc: "A dentist, hygienist or other specialist of a tenant.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewTenant,
    write: Permission::ManageUsers,
    group: true,
    patient: None,
    sorts: &[Sort { name: "full_name", column: "full_name_key", ty: Ty::Text, nullable: false }],
    filters: &[
        Filter { name: "q", how: How::Words(&["full_name_key"]) },
        Filter { name: "specialty", how: How::Equal },
        Filter { name: "user_id", how: How::Equal },
        Filter { name: "provider_type", how: How::Equal },
        Filter { name: "photo_file_id", how: How::Equal },
        Filter { name: "default_operatory_id", how: How::Equal },
        Filter { name: "accepts_online_booking", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "is_active", how: How::Equal },
    ],
    fields: &[
        Field::uuid("user_id").refers(Refers::Installation("users")).staff_only().doc("null for an external provider"),
        Field::text("full_name").required().folded(),
        Field::text("first_name"),
        Field::text("last_name"),
        Field::text("title"),
        Field::choice("provider_type", &["DENTIST", "HYGIENIST", "ASSISTANT", "SPECIALIST", "EXTERNAL"])
            .means(&[
                "general dentist",
                "cleans teeth and treats gums",
                "helps at the chair",
                "dentist of one specialty",
                "works in another house",
            ])
            .defaulted(),
        Field::text("specialty").required().length(100).doc("for example Acupuncture, Naturopathy, Orthodontics"),
        Field::text("specialty_code").doc("provider taxonomy code"),
        Field::text("professional_license").length(100),
        Field::text("npi").form(Form::Npi),
        Field::text("bio").length(20000),
        Field::uuid("photo_file_id").refers(Refers::Tenant("files")),
        Field::uuid("default_operatory_id").refers(Refers::Tenant("operatories")),
        Field::text("color"),
        Field::flag("accepts_online_booking").defaulted(),
        Field::choice("status", &["ACTIVE", "INACTIVE"]).means(&["in use", "out of use"]).defaulted(),
        Field::flag("is_active").read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["ACTIVE"],
        moves: &[Move { from: "ACTIVE", to: "INACTIVE", by: "update" }, Move { from: "INACTIVE", to: "ACTIVE", by: "update" }],
    }],
};
