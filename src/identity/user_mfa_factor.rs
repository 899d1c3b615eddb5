//! A second factor: TOTP or WebAuthn (catalogue 2.12, B16).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Stamps, Table, Verb};

pub static USER_MFA_FACTOR: Table = Table {
    name: "user_mfa_factors",
    schema: "UserMfaFactor",
    plural: "UserMfaFactors",
    path: "/user-mfa-factors",
    tag: "Identity",
    doc: "A second factor: TOTP or WebAuthn.",
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
        Filter { name: "status", how: How::Equal },
    ],
    fields: &[
        Field::uuid("user_id").required().refers(Refers::Installation("users")),
        Field::choice("kind", &["TOTP", "WEBAUTHN"]).means(&["one-time codes", "passkey or security key"]).required(),
        Field::text("label"),
        Field::text("totp_secret").hidden().sealed(),
        Field::bytes("credential_id").hidden(),
        Field::bytes("public_key").hidden(),
        Field::big("sign_count").hidden(),
        Field::choice("status", &["PENDING", "ACTIVE", "REVOKED"])
            .means(&["not proven yet", "in use", "out of use"])
            .defaulted()
            .read_only(),
        Field::instant("last_used_at").read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["PENDING"],
        moves: &[
            Move { from: "PENDING", to: "ACTIVE", by: "confirm" },
            Move { from: "PENDING", to: "REVOKED", by: "revoke" },
            Move { from: "ACTIVE", to: "REVOKED", by: "revoke" },
        ],
    }],
};
