//! White-label look: logos, colours, sender names (catalogue 1.14).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Refers, Stamps, Table, Verb};

pub static TENANT_BRANDING: Table = Table {
    name: "tenant_branding",
    schema: "TenantBranding",
    plural: "TenantBranding",
    path: "/tenant-branding",
    tag: "Tenancy",
    doc: "White-label look: logos, colours, sender names.",
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
        Filter { name: "logo_file_id", how: How::Equal },
        Filter { name: "logo_dark_file_id", how: How::Equal },
        Filter { name: "favicon_file_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("logo_file_id").refers(Refers::Tenant("files")),
        Field::uuid("logo_dark_file_id").refers(Refers::Tenant("files")),
        Field::uuid("favicon_file_id").refers(Refers::Tenant("files")),
        Field::text("primary_color").form(Form::Colour),
        Field::text("secondary_color").form(Form::Colour),
        Field::json("color_scheme").defaulted(),
        Field::text("display_name"),
        Field::text("email_sender_name"),
        Field::text("email_reply_to").form(Form::Email),
        Field::text("custom_domain"),
        Field::flag("is_listed")
            .defaulted()
            .doc("whether the clinic stands in the public list that applications read (SMART App Launch 2.2, user-access brands)"),
        Field::texts("aliases").defaulted().doc("other names under which people look for the clinic, in that list; 20 at most"),
        Field::text("logo_url").length(2000).form(Form::Address).doc("where the logo is published, for that list"),
    ],
    machines: &[],
};
