//! A way to prove who a user is: password, OIDC, SAML or OAuth (catalogue 2.12, 2.13, C06, 4.13).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static USER_AUTH_IDENTITY: Table = Table {
    name: "user_auth_identities",
    schema: "UserAuthIdentity",
    plural: "UserAuthIdentities",
    path: "/user-auth-identities",
    tag: "Identity",
    doc: "A way to prove who a user is: password, OIDC, SAML or OAuth.",
    home: Home::Installation,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read, Verb::Delete],
    read: Permission::Own,
    write: Permission::Own,
    group: false,
    patient: None,
    sorts: &[],
    filters: &[
        Filter { name: "user_id", how: How::Equal },
        Filter { name: "kind", how: How::Equal },
        Filter { name: "password_algorithm", how: How::Equal },
        Filter { name: "must_change", how: How::Equal },
    ],
    fields: &[
        Field::uuid("user_id").required().refers(Refers::Installation("users")),
        Field::choice("kind", &["PASSWORD", "OIDC", "SAML", "OAUTH"])
            .means(&["a password kept here as a hash", "OpenID Connect", "SAML 2.0", "OAuth 2.0"])
            .required(),
        Field::uuid("identity_provider_id").doc("row of identity_providers in some tenant; null for PASSWORD; no foreign key"),
        Field::text("issuer").length(2000),
        Field::text("external_id").pii().doc("what the tenant's directory calls the person"),
        Field::text("subject").pii().doc("subject at the issuer"),
        Field::text("password_hash")
            .hidden()
            .doc("PHC string: argon2id, scrypt or bcrypt; verified hashes of weaker cost are replaced at sign-in"),
        Field::choice("password_algorithm", &["ARGON2ID", "BCRYPT", "SCRYPT"])
            .means(&["made here", "bcrypt, from elsewhere", "scrypt, from elsewhere"])
            .read_only(),
        Field::instant("password_changed_at").read_only(),
        Field::flag("must_change").defaulted(),
        Field::instant("last_used_at").read_only(),
    ],
    machines: &[],
};
