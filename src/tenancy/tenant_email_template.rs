//! E-mail and SMS texts of a tenant per event, channel and language (catalogue 1.14, 13.11).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Sort, Stamps, Table, Ty, Verb};

pub static TENANT_EMAIL_TEMPLATE: Table = Table {
    name: "tenant_email_templates",
    schema: "TenantEmailTemplate",
    plural: "TenantEmailTemplates",
    path: "/tenant-email-templates",
    tag: "Tenancy",
    doc: "E-mail and SMS texts of a tenant per event, channel and language.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ViewTenant,
    write: Permission::ManageTenant,
    group: true,
    patient: None,
    sorts: &[Sort { name: "template_key", column: "template_key", ty: Ty::Text, nullable: false }],
    filters: &[Filter { name: "channel", how: How::Equal }, Filter { name: "is_active", how: How::Equal }],
    fields: &[
        Field::text("template_key").required().doc("event the text belongs to, for example REFERRAL_ACCEPTED"),
        Field::choice("channel", &["EMAIL", "SMS", "IN_APP"]).means(&["an e-mail", "a text message", "in the application"]).defaulted(),
        Field::text("locale").defaulted().form(Form::Language),
        Field::text("subject"),
        Field::text("body").required().length(20000),
        Field::flag("is_active").defaulted(),
    ],
    machines: &[],
};
