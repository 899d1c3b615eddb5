//! Single sign-on of a tenant: OIDC, SAML or OAuth provider (catalogue 2.12, B16).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Stamps, Table, Verb};

pub static IDENTITY_PROVIDER: Table = Table {
    name: "identity_providers",
    schema: "IdentityProvider",
    plural: "IdentityProviders",
    path: "/identity-providers",
    tag: "Identity",
    doc: "Single sign-on of a tenant: OIDC, SAML or OAuth provider.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ManageUsers,
    write: Permission::ManageUsers,
    group: false,
    patient: None,
    sorts: &[],
    filters: &[
        Filter { name: "kind", how: How::Equal },
        Filter { name: "is_enforced", how: How::Equal },
        Filter { name: "status", how: How::Equal },
    ],
    fields: &[
        Field::text("name").required(),
        Field::choice("kind", &["OIDC", "SAML", "OAUTH"]).means(&["OpenID Connect", "SAML 2.0", "OAuth 2.0"]).required(),
        Field::text("issuer").required().length(2000),
        Field::text("client_id"),
        Field::text("client_secret").write_only().sealed(),
        Field::bytes("scim_token_hash").hidden(),
        Field::text("metadata_uri").length(2000),
        Field::texts("allowed_domains").defaulted(),
        Field::texts("proven_domains").read_only().doc("those the tenant has proved by a TXT record"),
        Field::json("role_mapping").defaulted().doc("claims to roles"),
        Field::flag("is_enforced").defaulted().doc("password sign-in refused for the domains"),
        Field::choice("status", &["ACTIVE", "DISABLED"]).means(&["may be used", "may not be used"]).defaulted(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["ACTIVE"],
        moves: &[Move { from: "ACTIVE", to: "DISABLED", by: "update" }, Move { from: "DISABLED", to: "ACTIVE", by: "update" }],
    }],
};
