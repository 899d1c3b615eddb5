//! A signed-in session: device, address, agent, last activity (catalogue 2.20, C33, B16).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Sort, Stamps, Table, Ty, Verb};

pub static SESSION: Table = Table {
    name: "sessions",
    schema: "Session",
    plural: "Sessions",
    path: "/sessions",
    tag: "Identity",
    doc: "A signed-in session: device, address, agent, last activity.",
    home: Home::Installation,
    soft_delete: false,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read, Verb::Delete],
    read: Permission::Own,
    write: Permission::Own,
    group: false,
    patient: None,
    sorts: &[Sort { name: "last_activity_at", column: "last_activity_at", ty: Ty::Instant, nullable: false }],
    filters: &[
        Filter { name: "user_id", how: How::Equal },
        Filter { name: "active_tenant_id", how: How::Equal },
        Filter { name: "auth_method", how: How::Equal },
        Filter { name: "mfa_level", how: How::Equal },
        Filter { name: "revoke_reason", how: How::Equal },
    ],
    fields: &[
        Field::uuid("user_id").required().refers(Refers::Installation("users")),
        Field::uuid("active_tenant_id").refers(Refers::Installation("tenants")),
        Field::uuid("api_client_id").doc("when the session belongs to an OAuth grant of a client"),
        Field::text("device_info").pii(),
        Field::inet("ip_address").pii(),
        Field::text("user_agent").pii(),
        Field::instant("last_activity_at").required(),
        Field::bytes("token_hash").hidden(),
        Field::choice("auth_method", &["PASSWORD", "PASSKEY", "OIDC", "SAML", "OAUTH", "API_CLIENT"])
            .means(&["a password kept here", "a passkey", "OpenID Connect", "SAML 2.0", "OAuth 2.0", "an application by its own key"])
            .required(),
        Field::choice("mfa_level", &["NONE", "TOTP", "WEBAUTHN", "RECOVERY", "DEVICE", "PROVIDER"])
            .means(&[
                "one factor only",
                "one-time code",
                "passkey or security key",
                "recovery code",
                "a browser that was remembered",
                "asked for by the identity provider",
            ])
            .defaulted(),
        Field::instant("proved_at").defaulted().read_only().doc("when its person last proved who they are"),
        Field::instant("expires_at").required(),
        Field::instant("revoked_at").read_only(),
        Field::choice("revoke_reason", &["LOGOUT", "ADMIN", "PASSWORD_CHANGED", "REUSE_DETECTED", "USER_DISABLED", "EXPIRED"])
            .means(&[
                "signed out",
                "by an administrator",
                "the password changed",
                "a refresh token came twice",
                "the login was disabled",
                "ended by time",
            ])
            .read_only(),
    ],
    machines: &[],
};
