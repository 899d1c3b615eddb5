//! API clients: registered with a secret that is shown once, given scopes, turned off and on (catalogue 2.22).

use super::api_client::API_CLIENT;
use super::session_operations::object;
use super::token::{Kind, Token};
use super::{grant, scope};
use crate::integrations::sealed::{OVERLAP_HOURS_MAX, overlap_hours};
use crate::kernel::Caller;
use crate::kernel::audit::Action;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::hex::hex;
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run, transition};
use crate::kernel::table::{Draft, Field, Record, Table, Value, store};
use crate::sql;
use chrono::TimeDelta;
use serde_json::{Map, Value as Json, json};
use tokio_postgres::types::Type;
use uuid::Uuid;

const LIST_MAX: usize = 50;

sql! {
    /// $1 client, $2 now.
    CLIENT_SESSIONS_END(UUID, TIMESTAMPTZ) = "
        with ended as (update sessions set revoked_at = $2, revoke_reason = 'ADMIN' where api_client_id = $1 and revoked_at is null returning id)
        update refresh_tokens r set revoked_at = $2 from ended where r.session_id = ended.id and r.revoked_at is null";
}

static SECRET: &[Field] = &[
    Field::uuid("id").required(),
    Field::text("client_id").required(),
    Field::text("client_secret").shown_once().doc("shown this once; a public client has none"),
    Field::instant("previous_secret_expires_at"),
];

const fn step(
    id: &'static str,
    path: &'static str,
    doc: &'static str,
    takes: &'static [Field],
    gives: Gives,
    planes: &'static [Plane],
    run: Run,
) -> Operation {
    Operation {
        id,
        method: Method::Post,
        path,
        tag: "Identity",
        doc,
        takes,
        gives,
        planes,
        permission: Permission::ManageIntegrations,
        run,
    }
}

const STAFF: &[Plane] = &[Plane::Staff];
pub static REGISTER: Operation = step(
    "createApiClient",
    "/api-clients",
    "Register a program; its secret is in the answer and nowhere else",
    &[
        Field::text("name").required(),
        Field::choice("client_type", &["CONFIDENTIAL", "PUBLIC", "BACKEND"])
            .means(&["keeps a secret and acts for people", "keeps no secret", "acts for itself with a key"])
            .required()
            .doc("BACKEND acts by itself, the others for people who sign in"),
        Field::texts("scopes")
            .example(r#"["system/Patient.rs"]"#)
            .required()
            .doc("SMART v2 scopes; a program's own may not exceed what the caller may do"),
        Field::texts("redirect_uris").doc("exact; https, or http on the loopback address"),
        Field::texts("allowed_ip_ranges").doc("networks in CIDR form; empty: everywhere"),
        Field::int("rate_limit_per_minute").at_least(1),
    ],
    Gives::Made("ApiClientSecret", SECRET, &API_CLIENT),
    STAFF,
    Run::Inside(|scope, call| Box::pin(register(scope, call))),
);
pub static ROTATE: Operation = step(
    "rotateApiClientSecret",
    "/api-clients/{id}/rotate-secret",
    "Give a new secret; the old one works on for the overlap",
    &[Field::int("overlap_hours").at_least(0).at_most(OVERLAP_HOURS_MAX)],
    Gives::Object("ApiClientSecret", SECRET),
    STAFF,
    Run::Inside(|scope, call| Box::pin(rotate(scope, call))),
);
pub static SET_SCOPES: Operation = step(
    "setApiClientScopes",
    "/api-clients/{id}/set-scopes",
    "Replace what a program may ask for; its tokens end",
    &[Field::texts("scopes").example(r#"["system/Patient.rs"]"#).required()],
    Gives::Record(&API_CLIENT),
    STAFF,
    Run::Apart(|call| Box::pin(set_scopes(call))),
);
pub static DISABLE: Operation = step(
    "disableApiClient",
    "/api-clients/{id}/disable",
    "Turn a program off; its tokens end within 5 seconds",
    &[],
    Gives::Record(&API_CLIENT),
    STAFF,
    Run::Apart(|call| Box::pin(disable(call))),
);
pub static ENABLE: Operation = step(
    "enableApiClient",
    "/api-clients/{id}/enable",
    "Turn a program on again",
    &[],
    Gives::Record(&API_CLIENT),
    STAFF,
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &API_CLIENT, vec![]))),
);

async fn register(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let caller = &call.caller;
    let kind = call.text("client_type").unwrap_or("BACKEND");
    let (scopes, redirects, ranges) = (words(call, "scopes")?, words(call, "redirect_uris")?, words(call, "allowed_ip_ranges")?);
    check_scopes(caller, kind, &scopes)?;
    check_redirects(kind, &redirects)?;
    if ranges.iter().any(|range| range.parse::<crate::kernel::config::Network>().is_err()) {
        return Err(Error::new(&error::INVALID).fault("allowed_ip_ranges", "format", "Each must be a network in CIDR form."));
    }
    let grants: &[&str] = if kind == "BACKEND" { &["client_credentials"] } else { &["authorization_code", "refresh_token"] };
    let client_id = hex(Uuid::new_v4().as_bytes());
    let secret = if kind == "PUBLIC" { None } else { Some(Token::new(Kind::ClientSecret)?) };
    let name = call.text("name").unwrap_or_default();
    let mut draft = Draft::default()
        .set(&API_CLIENT, "client_id", Value::Text(client_id.clone()))?
        .set(&API_CLIENT, "name", Value::Text(name.to_owned()))?
        .set(&API_CLIENT, "client_type", Value::Text(kind.to_owned()))?
        .set(
            &API_CLIENT,
            "client_secret_hash",
            secret.as_ref().map_or(Value::Null, |secret| Value::Bytes(secret.hash().as_bytes().to_vec())),
        )?
        .set(&API_CLIENT, "scopes", Value::Texts(scopes))?
        .set(&API_CLIENT, "redirect_uris", Value::Texts(redirects))?
        .set(&API_CLIENT, "allowed_ip_ranges", Value::Texts(ranges))?
        .set(&API_CLIENT, "grant_types", Value::Texts(grants.iter().map(|word| (*word).to_owned()).collect()))?;
    if let Some(limit) = call.value("rate_limit_per_minute") {
        draft = draft.set(&API_CLIENT, "rate_limit_per_minute", limit.clone())?;
    }
    let record = store::insert(scope, &API_CLIENT, &draft, &caller.kernel.keys).await?;
    Ok(Answer::Made(record.id, told(&record, secret.as_ref())))
}

fn told(record: &Record, secret: Option<&Token>) -> Map<String, Json> {
    object(json!({
        "id": record.id, "client_id": record.text("client_id"), "client_secret": secret.map(|secret| secret.expose()),
        "previous_secret_expires_at": record.get("previous_secret_expires_at"),
    }))
}

fn words(call: &Call, name: &'static str) -> Result<Vec<String>> {
    match call.value(name) {
        Some(Value::Texts(words)) if words.len() <= LIST_MAX => Ok(words.clone()),
        Some(Value::Texts(_)) => Err(Error::new(&error::INVALID).fault(name, "length", "There are too many of them.")),
        _ => Ok(Vec::new()),
    }
}

/// Nobody gives a program more than they have: what it may do by itself must be within the caller's permissions. What it
/// may do for others is bounded by what those may.
fn check_scopes(caller: &Caller, kind: &str, scopes: &[String]) -> Result<()> {
    let fault = |rule, text| Err(Error::new(&error::INVALID).fault("scopes", rule, text));
    if scopes.is_empty() || scopes.iter().any(|word| !scope::known(word)) {
        return fault("unknown", "Each must be a SMART scope that is served here.");
    }
    let own = scopes.iter().filter_map(|word| scope::Resource::parse(word)).map(|scope| scope.level == scope::Level::System);
    let (all, any) = own.fold((true, false), |(all, any), system| (all && system, any || system));
    if kind == "BACKEND" && !all || kind != "BACKEND" && any {
        return fault("level", "A program that acts by itself has system scopes; one that acts for people has user and patient scopes.");
    }
    if any && scope::caps(scopes).0 & !caller.context.caps.0 != 0 {
        return Err(Error::new(&error::FORBIDDEN).detail("A permission can be given only by those who have it."));
    }
    Ok(())
}

fn check_redirects(kind: &str, redirects: &[String]) -> Result<()> {
    let wrong = redirects.iter().any(|uri| !is_redirect(uri))
        || kind == "BACKEND" && !redirects.is_empty()
        || kind != "BACKEND" && redirects.is_empty();
    if wrong {
        let text = "A program for people needs redirect addresses: https, or http on the loopback address, without a fragment.";
        return Err(Error::new(&error::INVALID).fault("redirect_uris", "format", text));
    }
    Ok(())
}

/// RFC 9700 §2.1: https, or http to the same machine; no fragment, no credentials.
pub(super) fn is_redirect(uri: &str) -> bool {
    let Ok(url) = openidconnect::url::Url::parse(uri) else { return false };
    let here = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
    (url.scheme() == "https" || url.scheme() == "http" && here)
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
}

/// The client, locked where its sessions can end together with its change.
async fn held(call: &Call) -> Result<(Scope, Record)> {
    let (caller, keys) = (&call.caller, &call.caller.kernel.keys);
    let server = caller.acting(caller.tenant()?, call.operation.permission)?;
    let mut scope = caller.kernel.door.open(&server).await?;
    let record = store::lock(&mut scope, &API_CLIENT, call.id()?, call.version, keys).await?;
    Ok((scope, record))
}

/// The key of the request is kept in the same transaction: a rotation that was asked for again after a crash is not a second
/// one, which would forget the secret that is in use.
async fn rotate(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let was = store::lock(scope, &API_CLIENT, call.id()?, call.version, keys).await?;
    if was.text("client_type") == Some("PUBLIC") || was.text("status") != Some("ACTIVE") {
        return Err(Error::new(&error::MOVE_REFUSED).detail("Only an active program with a secret can get a new one."));
    }
    let secret = Token::new(Kind::ClientSecret)?;
    let until = scope.now() + TimeDelta::hours(overlap_hours(call));
    let hash = secret.hash();
    let now = store::given_one(
        scope,
        &API_CLIENT,
        "sec.rotate_secret($1, $2, $3)",
        &[(&was.id, Type::UUID), (&hash.as_bytes(), Type::BYTEA), (&until, Type::TIMESTAMPTZ)],
        keys,
    )
    .await?;
    scope.did(Action::Execute, &now);
    Ok(Answer::Object(told(&now, Some(&secret))))
}

async fn set_scopes(call: Call) -> Result<Answer> {
    let (mut scope, was) = held(&call).await?;
    let scopes = words(&call, "scopes")?;
    check_scopes(&call.caller, was.text("client_type").unwrap_or_default(), &scopes)?;
    let draft = Draft::default().set(&API_CLIENT, "scopes", Value::Texts(scopes))?;
    let record = store::update(&mut scope, &was, &draft, "set-scopes", &call.caller.kernel.keys).await?;
    ended(&call, scope, record).await
}

async fn disable(call: Call) -> Result<Answer> {
    let (mut scope, _) = held(&call).await?;
    let table: &'static Table = &API_CLIENT;
    let Answer::Record(record) = transition(&mut scope, &call, table, vec![]).await? else {
        return Err(Error::internal("a transition gives its record"));
    };
    ended(&call, scope, record).await
}

/// The client's tokens end with the change.
async fn ended(call: &Call, mut scope: Scope, record: Record) -> Result<Answer> {
    let now = scope.now();
    scope.exec(&CLIENT_SESSIONS_END, &[&record.id, &now]).await?;
    scope.did(Action::Execute, &record);
    scope.commit().await?;
    let client = record.id;
    grant::forget(&call.caller.kernel, |context| context.client == Some(client))?;
    Ok(Answer::Record(record))
}
