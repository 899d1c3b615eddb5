//! A chair or room of a location that an appointment occupies (catalogue 1.22).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static OPERATORY: Table = Table {
    name: "operatories",
    schema: "Operatory",
    plural: "Operatories",
    path: "/operatories",
    tag: "Tenancy",
    doc: "A chair or room of a location that an appointment occupies.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewSchedule,
    write: Permission::ManageTenant,
    group: true,
    patient: None,
    sorts: &[
        Sort { name: "sort_order", column: "sort_order", ty: Ty::Int, nullable: false },
        Sort { name: "name", column: "name", ty: Ty::Text, nullable: false },
    ],
    filters: &[
        Filter { name: "location_id", how: How::Equal },
        Filter { name: "kind", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "is_active", how: How::Equal },
    ],
    fields: &[
        Field::uuid("location_id").required().refers(Refers::Tenant("locations")),
        Field::text("name").required(),
        Field::text("short_code"),
        Field::choice("kind", &["GENERAL", "HYGIENE", "SURGERY", "ORTHO", "IMAGING", "CONSULT", "VIRTUAL"])
            .means(&[
                "any treatment",
                "cleaning and care of gums",
                "operations",
                "moving of teeth",
                "X-rays and scans",
                "consultation",
                "no chair, video only",
            ])
            .defaulted(),
        Field::int("sort_order").defaulted(),
        Field::choice("status", &["ACTIVE", "OUT_OF_SERVICE", "RETIRED"]).means(&["in use", "being serviced", "out of use"]).defaulted(),
        Field::flag("is_active").read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["ACTIVE"],
        moves: &[
            Move { from: "ACTIVE", to: "OUT_OF_SERVICE", by: "update" },
            Move { from: "OUT_OF_SERVICE", to: "ACTIVE", by: "update" },
            Move { from: "ACTIVE", to: "RETIRED", by: "update" },
            Move { from: "OUT_OF_SERVICE", to: "RETIRED", by: "update" },
        ],
    }],
};
