//! The public face of a clinic (catalogue 5.01, 5.03, C15).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Machine, Move, Stamps, Table, Verb};

pub static CLINIC_PROFILE: Table = Table {
    name: "clinic_profiles",
    schema: "ClinicProfile",
    plural: "ClinicProfiles",
    path: "/clinic-profiles",
    tag: "Clinic profiles",
    doc: "The public face of a clinic.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update],
    read: Permission::ViewTenant,
    write: Permission::ManageDirectory,
    group: true,
    patient: None,
    sorts: &[],
    filters: &[
        Filter {
            name: "country",
            how: How::Elsewhere {
                sql: "exists (select from locations l where l.tenant_id = r.tenant_id and l.country = $value and l.deleted_at is null)",
                blind: false,
            },
        },
        Filter {
            name: "city",
            how: How::Elsewhere {
                sql: "exists (select from locations l where l.tenant_id = r.tenant_id and l.city = $value and l.deleted_at is null)",
                blind: false,
            },
        },
        Filter { name: "status", how: How::Equal },
    ],
    fields: &[
        Field::text("headline"),
        Field::text("description").length(4000),
        Field::text("contact_email").form(Form::Email).staff_only().doc("masked until the booking is confirmed"),
        Field::text("contact_phone").staff_only().doc("masked until the booking is confirmed"),
        Field::text("contact_address").staff_only().doc("masked until the booking is confirmed"),
        Field::text("website"),
        Field::texts("languages").defaulted(),
        Field::choice("status", &["DRAFT", "PUBLISHED", "HIDDEN"]).defaulted().read_only(),
        Field::instant("published_at").read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["DRAFT"],
        moves: &[
            Move { from: "DRAFT", to: "PUBLISHED", by: "publish" },
            Move { from: "HIDDEN", to: "PUBLISHED", by: "publish" },
            Move { from: "PUBLISHED", to: "HIDDEN", by: "hide" },
        ],
    }],
};
