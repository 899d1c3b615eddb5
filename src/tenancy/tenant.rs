//! An organisation: practice, group, DSO, academic site, payer, regulator, AI vendor or marketplace operator (catalogue 1.01, 1.11, 1.12, 1.24, C01, B4, B14).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static TENANT: Table = Table {
    name: "tenants",
    schema: "Tenant",
    plural: "Tenants",
    path: "/tenants",
    tag: "Tenancy",
    doc: "An organisation: practice, group, DSO, academic site, payer, regulator, AI vendor or marketplace operator.",
    home: Home::Installation,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read, Verb::Update],
    read: Permission::ViewTenant,
    write: Permission::ManageTenant,
    group: true,
    patient: None,
    sorts: &[
        Sort { name: "name", column: "name_key", ty: Ty::Text, nullable: false },
        Sort { name: "created_at", column: "created_at", ty: Ty::Instant, nullable: false },
    ],
    filters: &[
        Filter { name: "q", how: How::Words(&["name_key"]) },
        Filter { name: "is_active", how: How::Equal },
        Filter { name: "type", how: How::Equal },
        Filter { name: "parent_tenant_id", how: How::Equal },
        Filter { name: "root_tenant_id", how: How::Equal },
        Filter { name: "partition_strategy", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "default_location_id", how: How::Equal },
        Filter { name: "is_marketplace_operator", how: How::Equal },
    ],
    fields: &[
        Field::text("name").required().folded(),
        Field::text("slug").required().form(Form::Slug).doc("short name of the tenant in addresses and configuration"),
        Field::choice("type", &["SOLO_PRACTICE", "GROUP_PRACTICE", "DSO", "ACADEMIC", "PAYER", "REGULATOR", "AI_VENDOR", "OTHER"])
            .means(&[
                "one dentist's practice",
                "practice of several",
                "group of clinics",
                "university or teaching clinic",
                "insurer",
                "authority with mandates",
                "maker of AI models",
                "another",
            ])
            .required(),
        Field::text("category").doc("free kind, for example Holistic Medical Center"),
        Field::uuid("parent_tenant_id").refers(Refers::Installation("tenants")).doc("null for a root; no cycles"),
        Field::uuid("root_tenant_id")
            .required()
            .read_only()
            .refers(Refers::Installation("tenants"))
            .doc("root of the tree, the unit of placement"),
        Field::text("primary_region").defaulted().doc("region group for data, replicas and backups"),
        Field::choice("partition_strategy", &["ROW_LEVEL", "SCHEMA", "DATABASE"])
            .means(&["rows beside others", "a schema of its own", "a database of its own"])
            .defaulted()
            .read_only(),
        Field::choice("status", &["ACTIVE", "SUSPENDED", "CLOSED"]).means(&["works", "on hold", "ended for good"]).defaulted().read_only(),
        Field::flag("is_active").read_only(),
        Field::text("jurisdiction").required().form(Form::Jurisdiction).doc("law that decides retention when a location names none"),
        Field::text("default_currency").required().form(Form::Currency),
        Field::text("default_locale").defaulted().form(Form::Language),
        Field::text("time_zone").required().form(Form::TimeZone),
        Field::uuid("default_location_id")
            .refers(Refers::Tenant("locations"))
            .doc("composite reference (id, default_location_id) to locations (tenant_id, id); null only while a clinic is being set up"),
        Field::json("address")
            .computed("sec.tenant_contact(r.id) -> 'address'")
            .doc("of the default location, as contact_visibility allows"),
        Field::text("phone").computed("sec.tenant_contact(r.id) ->> 'phone'").doc("of the default location"),
        Field::text("email").computed("sec.tenant_contact(r.id) ->> 'email'").doc("of the default location"),
        Field::text("legal_name"),
        Field::text("tax_id").sealed(),
        Field::flag("is_marketplace_operator").defaulted().doc("operator of a patient portal whose quotes go to other clinics"),
        Field::instant("suspended_at").read_only(),
        Field::instant("closed_at").read_only(),
        Field::instant("purge_after").read_only().doc("earliest moment the purge job may run"),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["ACTIVE"],
        moves: &[
            Move { from: "ACTIVE", to: "SUSPENDED", by: "suspend" },
            Move { from: "SUSPENDED", to: "ACTIVE", by: "reinstate" },
            Move { from: "ACTIVE", to: "CLOSED", by: "close" },
            Move { from: "SUSPENDED", to: "CLOSED", by: "close" },
        ],
    }],
};
