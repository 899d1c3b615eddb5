//! What a user has allowed an application to do (SMART launch, scopes, patient in context) (catalogue 2.12, 2.23, B16).

use crate::kernel::context::Permission;
use crate::kernel::table::{Field, Filter, Home, How, Refers, Stamps, Table, Verb};

pub static OAUTH_AUTHORIZATION: Table = Table {
    name: "oauth_authorizations",
    schema: "OauthAuthorization",
    plural: "OauthAuthorizations",
    path: "/oauth-authorizations",
    tag: "Identity",
    doc: "What a user has allowed an application to do (SMART launch, scopes, patient in context).",
    home: Home::Tenant,
    soft_delete: true,
    stamps: Stamps::Versioned,
    verbs: &[Verb::List, Verb::Read, Verb::Delete],
    read: Permission::Own,
    write: Permission::Own,
    group: false,
    patient: None,
    sorts: &[],
    filters: &[
        Filter { name: "api_client_id", how: How::Equal },
        Filter { name: "user_id", how: How::Equal },
        Filter { name: "patient_id", how: How::Equal },
    ],
    fields: &[
        Field::uuid("api_client_id").required().refers(Refers::Tenant("api_clients")),
        Field::uuid("user_id").required().refers(Refers::Installation("users")),
        Field::uuid("patient_id").fixed().refers(Refers::Tenant("patients")).doc("patient in context"),
        Field::texts("scopes").required(),
        Field::bytes("code_hash").hidden(),
        Field::text("code_challenge").hidden(),
        Field::instant("code_expires_at").hidden(),
        Field::instant("granted_at").required(),
        Field::instant("revoked_at").read_only(),
    ],
    machines: &[],
};
