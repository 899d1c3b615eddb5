//! Configuration and preferences of one tenant, one row each (catalogue 1.13, C15, C52).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Stamps, Table, Verb};

pub static TENANT_SETTINGS: Table = Table {
    name: "tenant_settings",
    schema: "TenantSettings",
    plural: "TenantSettings",
    path: "/tenant-settings",
    tag: "Tenancy",
    doc: "Configuration and preferences of one tenant, one row each.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read, Verb::Update],
    read: Permission::ViewTenant,
    write: Permission::ManageTenant,
    group: true,
    patient: None,
    sorts: &[],
    filters: &[
        Filter { name: "tooth_system", how: How::Equal },
        Filter { name: "strict_charting", how: How::Equal },
        Filter { name: "contact_visibility", how: How::Equal },
        Filter { name: "deposit_rule", how: How::Equal },
        Filter { name: "deposit_refundable", how: How::Equal },
        Filter { name: "booking_confirmation_requires_deposit", how: How::Equal },
        Filter { name: "require_ai_consent", how: How::Equal },
        Filter { name: "allow_training_use", how: How::Equal },
        Filter { name: "provider_overlap_policy", how: How::Equal },
        Filter { name: "require_mfa", how: How::Equal },
    ],
    fields: &[
        Field::text("data_residency_region").doc("must equal or narrow tenants.primary_region"),
        Field::int("default_retention_years"),
        Field::text("default_language").defaulted().form(Form::Language),
        Field::text("date_format").defaulted(),
        Field::choice("tooth_system", &["FDI", "UNIVERSAL", "PALMER"])
            .means(&["FDI, ISO 3950: 11 to 48", "Universal: 1 to 32, A to T", "Palmer quadrants"])
            .defaulted()
            .doc("numbering shown to people; storage is always canonical FDI"),
        Field::flag("strict_charting").defaulted().doc("off: doubtful surfaces are mapped and said so; on: refused"),
        Field::choice("contact_visibility", &["PUBLIC", "AFTER_BOOKING"])
            .means(&["shown to everybody", "shown after a confirmed booking"])
            .defaulted(),
        Field::choice("deposit_rule", &["NONE", "FIXED", "PERCENT", "FULL"])
            .means(&["nothing is asked ahead", "a fixed sum", "a share of the patient's part", "all of the patient's part"])
            .defaulted(),
        Field::big("deposit_amount_minor").at_least(0).doc("unit: minor currency unit"),
        Field::int("deposit_percent").at_least(0).at_most(100),
        Field::flag("deposit_refundable").defaulted(),
        Field::flag("booking_confirmation_requires_deposit").defaulted(),
        Field::flag("require_ai_consent").defaulted().doc("AI jobs are refused without an AI_ANALYSIS consent"),
        Field::flag("allow_training_use").defaulted(),
        Field::int("appointment_granularity_minutes").defaulted(),
        Field::int("booking_min_notice_minutes").defaulted(),
        Field::int("booking_max_horizon_days").defaulted().at_most(730),
        Field::int("slot_hold_minutes").defaulted(),
        Field::int("no_show_grace_minutes").defaulted(),
        Field::int("late_cancel_hours").defaulted(),
        Field::ints("reminder_offsets_minutes").defaulted().doc("before the start"),
        Field::time("quiet_hours_start"),
        Field::time("quiet_hours_end"),
        Field::int("referral_reminder_days").defaulted(),
        Field::int("perio_warn_depth_mm").defaulted().doc("unit: mm"),
        Field::json("clinical_options").defaulted().doc("other clinical workflow options, schema-checked"),
        Field::choice("provider_overlap_policy", &["FORBID", "WARN", "ALLOW"])
            .means(&["refused", "allowed with a reason", "allowed"])
            .defaulted(),
        Field::int("session_idle_minutes").defaulted(),
        Field::flag("require_mfa").defaulted(),
    ],
    machines: &[],
};
