//! A physical or virtual site of a tenant (catalogue 1.19, 1.08, C01).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Machine, Move, Sort, Stamps, Table, Ty, Verb};

pub static LOCATION: Table = Table {
    name: "locations",
    schema: "Location",
    plural: "Locations",
    path: "/locations",
    tag: "Tenancy",
    doc: "A physical or virtual site of a tenant.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewTenant,
    write: Permission::ManageTenant,
    group: true,
    patient: None,
    sorts: &[Sort { name: "name", column: "name_key", ty: Ty::Text, nullable: false }],
    filters: &[
        Filter { name: "q", how: How::Words(&["name_key"]) },
        Filter { name: "city", how: How::Equal },
        Filter { name: "country", how: How::Equal },
        Filter { name: "kind", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "is_active", how: How::Equal },
    ],
    fields: &[
        Field::text("name").required().folded(),
        Field::choice("kind", &["CLINIC", "TEACHING_CLINIC", "RESEARCH_UNIT", "MOBILE", "VIRTUAL"])
            .means(&["patients are treated here", "students treat here", "studies are run here", "goes to its patients", "by video only"])
            .defaulted()
            .doc("physical or virtual sites: clinics, teaching clinics, research units"),
        Field::text("address_line1").staff_only(),
        Field::text("address_line2").staff_only(),
        Field::text("city"),
        Field::text("region"),
        Field::text("postal_code"),
        Field::text("country").required().form(Form::Country),
        Field::text("phone").form(Form::Phone).staff_only(),
        Field::text("email").form(Form::Email).staff_only(),
        Field::text("time_zone").required().form(Form::TimeZone),
        Field::text("jurisdiction").form(Form::Jurisdiction),
        Field::double("latitude"),
        Field::double("longitude"),
        Field::text("npi").form(Form::Npi),
        Field::choice("status", &["ACTIVE", "SUSPENDED", "CLOSED"]).means(&["works", "on hold", "ended for good"]).defaulted(),
        Field::flag("is_active").read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["ACTIVE"],
        moves: &[
            Move { from: "ACTIVE", to: "SUSPENDED", by: "update" },
            Move { from: "SUSPENDED", to: "ACTIVE", by: "update" },
            Move { from: "ACTIVE", to: "CLOSED", by: "close" },
            Move { from: "SUSPENDED", to: "CLOSED", by: "close" },
        ],
    }],
};
