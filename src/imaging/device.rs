//! An imaging or other device of a location (catalogue 10.14).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static DEVICE: Table = Table {
    name: "devices",
    schema: "Device",
    plural: "Devices",
    path: "/devices",
    tag: "Imaging",
    doc: "An imaging or other device of a location.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewImaging,
    write: Permission::ManageTenant,
    group: true,
    patient: None,
    sorts: &[Sort { name: "name", column: "name", ty: Ty::Text, nullable: false }],
    filters: &[
        Filter { name: "location_id", how: How::Equal },
        Filter { name: "equipment_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
    ],
    fields: &[
        Field::uuid("location_id").refers(Refers::Tenant("locations")),
        Field::uuid("equipment_tenant_id").read_only().doc("owner of the shared-or-own row; first half of the composite foreign key"),
        Field::uuid("equipment_id").refers(Refers::Shared("equipment_reference", "equipment_tenant_id")),
        Field::text("name").required(),
        Field::text("manufacturer"),
        Field::text("model"),
        Field::text("serial_number"),
        Field::text("ae_title").length(16),
        Field::text("modality_code"),
        Field::date("installed_on"),
        Field::date("calibration_due_on"),
        Field::choice("status", &["ACTIVE", "MAINTENANCE", "RETIRED"]).means(&["in use", "being serviced", "out of use"]).defaulted(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["ACTIVE"],
        moves: &[
            Move { from: "ACTIVE", to: "MAINTENANCE", by: "update" },
            Move { from: "MAINTENANCE", to: "ACTIVE", by: "update" },
            Move { from: "ACTIVE", to: "RETIRED", by: "update" },
            Move { from: "MAINTENANCE", to: "RETIRED", by: "update" },
        ],
    }],
};
