//! A service account or integration client (catalogue 2.22, 16.25, C-R).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Form, Home, How, Machine, Move, Refers, Sort, Stamps, Table, Ty, Verb};

pub static API_CLIENT: Table = Table {
    name: "api_clients",
    schema: "ApiClient",
    plural: "ApiClients",
    path: "/api-clients",
    tag: "Identity",
    doc: "A service account or integration client.",
    home: Home::Tenant,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read, Verb::Update],
    read: Permission::ManageIntegrations,
    write: Permission::ManageIntegrations,
    group: false,
    patient: None,
    sorts: &[Sort { name: "name", column: "name", ty: Ty::Text, nullable: false }],
    filters: &[
        Filter { name: "client_type", how: How::Equal },
        Filter { name: "service_user_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
        Filter { name: "vendor_app_id", how: How::Equal },
    ],
    fields: &[
        Field::text("client_id")
            .required()
            .read_only()
            .doc("public identifier, 128 random bits made by the server, so unique without a constraint across tenants"),
        Field::text("name").required(),
        Field::choice("client_type", &["CONFIDENTIAL", "PUBLIC", "BACKEND"])
            .means(&["keeps a secret and acts for people", "keeps no secret", "acts for itself with a key"])
            .defaulted()
            .fixed(),
        Field::bytes("client_secret_hash").hidden(),
        Field::bytes("previous_secret_hash").hidden(),
        Field::instant("previous_secret_expires_at").read_only(),
        Field::text("jwks_uri").length(2000).form(Form::Address).doc("where the client publishes its keys, when it proves itself by them"),
        Field::json("jwks").read_only().doc("the client's public keys (RFC 7517), when they are registered here; changed by set-keys"),
        Field::texts("tls_names")
            .defaulted()
            .read_only()
            .doc("DNS names or URIs of the certificate by which it proves itself; changed by set-keys"),
        Field::texts("tls_thumbprints")
            .defaulted()
            .read_only()
            .doc("certificates by which it proves itself, each the base64url of its SHA-256; changed by set-keys"),
        Field::texts("redirect_uris").defaulted().form(Form::Address).doc("exact; https, or http on the loopback address"),
        Field::text("launch_uri").length(2000).form(Form::Address).doc("where the application is launched from here"),
        Field::texts("logout_uris").defaulted().form(Form::Address).doc("where a browser may go after signing out"),
        Field::text("backchannel_logout_uri")
            .length(2000)
            .form(Form::Address)
            .doc("where the server tells that a person has signed out (OpenID Connect Back-Channel Logout 1.0)"),
        Field::instant("expires_at").doc("when the client ends by itself"),
        Field::texts("scopes").defaulted().read_only().doc("SMART v2 scopes; changed by set-scopes"),
        Field::texts("grant_types").defaulted().fixed(),
        Field::int("rate_limit_per_minute").at_least(1).doc("units a minute: a read costs one, a search and an export more"),
        Field::uuid("service_user_id")
            .required()
            .read_only()
            .refers(Refers::Installation("users"))
            .doc("the actor written to created_by and the audit log"),
        Field::texts("allowed_ip_ranges").defaulted().form(Form::Network).doc("networks from which it may come; empty: everywhere"),
        Field::uuid("vendor_app_id")
            .read_only()
            .refers(Refers::Installation("vendor_apps"))
            .doc("the application of a vendor that the tenant has admitted; keys and addresses are the vendor's to say"),
        Field::choice("status", &["ACTIVE", "DISABLED"]).means(&["may be used", "may not be used"]).defaulted().read_only(),
        Field::instant("last_used_at").read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["ACTIVE"],
        moves: &[Move { from: "ACTIVE", to: "DISABLED", by: "disable" }, Move { from: "DISABLED", to: "ACTIVE", by: "enable" }],
    }],
};
