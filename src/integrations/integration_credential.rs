//! Keys and tokens of an integration, encrypted per field (catalogue 15.03, 3.13, B13).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Machine, Move, Refers, Stamps, Table, Verb};

pub static INTEGRATION_CREDENTIAL: Table = Table {
    name: "integration_credentials",
    schema: "IntegrationCredential",
    plural: "IntegrationCredentials",
    path: "/integration-credentials",
    tag: "Integrations",
    doc: "Keys and tokens of an integration, encrypted per field.",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Create, Verb::Read, Verb::Update, Verb::Delete],
    read: Permission::ManageIntegrations,
    write: Permission::ManageIntegrations,
    group: false,
    patient: None,
    sorts: &[],
    filters: &[
        Filter { name: "integration_id", how: How::Equal },
        Filter { name: "kind", how: How::Equal },
        Filter { name: "key_id", how: How::Equal },
        Filter { name: "status", how: How::Equal },
    ],
    fields: &[
        Field::uuid("integration_id").required().refers(Refers::Tenant("tenant_integrations")),
        Field::choice("kind", &["API_KEY", "OAUTH_TOKEN", "BASIC", "CERTIFICATE", "SFTP_KEY"])
            .means(&[
                "one secret word",
                "token of their OAuth server",
                "name and password",
                "client certificate and its key",
                "SSH key for file transfer",
            ])
            .required(),
        Field::text("endpoint"),
        Field::text("secret").required().length(10_000).write_only().sealed(),
        Field::text("refresh_secret").length(10_000).write_only().sealed(),
        Field::text("previous_secret").length(10_000).hidden().sealed(),
        Field::instant("previous_secret_expires_at").read_only().doc("until then the secret before the last rotation works too"),
        Field::uuid("key_id").read_only().refers(Refers::Tenant("encryption_keys")),
        Field::instant("expires_at"),
        Field::instant("rotated_at").read_only(),
        Field::choice("status", &["ACTIVE", "REVOKED", "EXPIRED"])
            .means(&["in force", "taken back", "ended by time"])
            .defaulted()
            .read_only(),
    ],
    machines: &[Machine {
        column: "status",
        initial: &["ACTIVE"],
        moves: &[Move { from: "ACTIVE", to: "REVOKED", by: "revoke" }, Move { from: "ACTIVE", to: "EXPIRED", by: "system" }],
    }],
};
