//! An application as its vendor has registered it, once for all tenants (`oauth/register.rs`).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static VENDOR_APP: Table = Table {
    name: "vendor_apps",
    schema: "VendorApp",
    plural: "VendorApps",
    path: "/vendor-apps",
    tag: "Identity",
    doc: "An application as its vendor has registered it, once for all tenants.",
    home: Home::Installation,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read],
    read: Permission::ManageIntegrations,
    write: Permission::ManagePlatform,
    group: false,
    patient: None,
    sorts: &[Sort { name: "name", column: "name", ty: Ty::Text, nullable: false }],
    filters: &[
        Filter { name: "client_id", how: How::Equal },
        Filter { name: "client_type", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "vendor_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("vendor_id").required().read_only().refers(Refers::Installation("app_vendors")),
        Field::text("client_id").required().read_only().doc("public identifier, the same in each tenant that admits it"),
        Field::choice("client_type", &["CONFIDENTIAL", "PUBLIC", "BACKEND"])
            .means(&["keeps a secret and acts for people", "keeps no secret", "acts for itself with a key"])
            .required()
            .read_only(),
        Field::text("software_id").required().read_only().doc("by which the vendor knows it"),
        Field::text("software_version").read_only(),
        Field::text("name").required().read_only(),
        Field::choice("auth_method", &["none", "client_secret_basic", "client_secret_post", "private_key_jwt"])
            .means(&["by nothing", "by a secret in the header", "by a secret in the body", "by its keys"])
            .required()
            .read_only()
            .doc("by what it proves itself at the token endpoint"),
        Field::bytes("client_secret_hash").hidden(),
        Field::bytes("previous_secret_hash").hidden(),
        Field::instant("previous_secret_expires_at").read_only(),
        Field::json("jwks").read_only().doc("its public keys (RFC 7517)"),
        Field::text("jwks_uri").length(2000).form(Form::Address).read_only().doc("where it publishes its keys"),
        Field::texts("redirect_uris").defaulted().form(Form::Address).read_only(),
        Field::text("launch_uri").length(2000).form(Form::Address).read_only().doc("where the application is launched from here"),
        Field::texts("logout_uris").defaulted().form(Form::Address).read_only().doc("where a browser may go after signing out"),
        Field::text("backchannel_logout_uri")
            .length(2000)
            .form(Form::Address)
            .read_only()
            .doc("where the server tells that a person has signed out (OpenID Connect Back-Channel Logout 1.0)"),
        Field::text("client_uri").length(2000).form(Form::Address).read_only().doc("the vendor's page about it"),
        Field::text("logo_uri").length(2000).form(Form::Address).read_only(),
        Field::text("tos_uri").length(2000).form(Form::Address).read_only().doc("its terms of service"),
        Field::text("policy_uri").length(2000).form(Form::Address).read_only().doc("what it does with data"),
        Field::texts("scopes").defaulted().read_only().doc("SMART v2 scopes; a tenant admits it for these or fewer"),
        Field::texts("grant_types").defaulted().read_only(),
        Field::instant("stated_at").required().read_only().doc("when the statement was made that registered it last"),
        Field::choice("status", &["ACTIVE", "SUSPENDED"])
            .means(&["may be used where it is admitted", "may be used nowhere"])
            .defaulted()
            .read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["ACTIVE"],
        moves: &[Move { from: "ACTIVE", to: "SUSPENDED", by: "suspend" }, Move { from: "SUSPENDED", to: "ACTIVE", by: "reinstate" }],
    }],
};
