//! API clients: registered with a secret that is shown once or with keys of their own, given scopes, turned off and on
//! (catalogue 2.22).

use super::admit_app::check_registered;
use super::api_client::API_CLIENT;
use super::oauth::jwt;
use super::session_operations::object;
use super::token::{Kind, Token};
use super::vendor_app::VENDOR_APP;
use super::{grant, scope};
use crate::integrations::sealed::{OVERLAP_HOURS_MAX, overlap_hours};
use crate::kernel::audit::Action;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::hex::hex;
use crate::kernel::operation::{Answer, Call, Gives, Operation, Run, Steps, transition};
use crate::kernel::table::form::is_address;
use crate::kernel::table::{Draft, Field, Form, Record, Table, Value, store};
use crate::kernel::{Caller, audit_store};
use crate::sql;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use serde_json::{Map, Value as Json, json};
use tokio_postgres::types::Type;
use uuid::Uuid;

const LIST_MAX: usize = 50;
const THUMBPRINT_BYTES: usize = 32;
const ADDRESS: &str = "It is https, or http on the loopback address, without a fragment.";

sql! {
    /// $1 client, $2 now.
    CLIENT_SESSIONS_END(UUID, TIMESTAMPTZ) = "
        with ended as (update sessions set revoked_at = $2, revoke_reason = 'ADMIN' where api_client_id = $1 and revoked_at is null returning id)
        update refresh_tokens r set revoked_at = $2 from ended where r.session_id = ended.id and r.revoked_at is null";
    /// $1 tenant, $2 client, $3 now.
    CLIENT_CODES_END(UUID, UUID, TIMESTAMPTZ) = "
        update oauth_authorizations set code_expires_at = $3
         where tenant_id = $1 and api_client_id = $2 and session_id is null and code_expires_at > $3";
}

static SECRET: &[Field] = &[
    Field::uuid("id").required(),
    Field::text("client_id").required(),
    Field::text("client_secret").shown_once().doc("shown this once; a public client has none"),
    Field::instant("previous_secret_expires_at"),
];

pub(super) const JWKS: Field = Field::json("jwks").doc("public keys (RFC 7517) by which the program proves itself; it has no secret then");
pub(super) const JWKS_URI: Field = Field::text("jwks_uri").length(2000).doc("where the program publishes such keys; https");

const TLS_NAMES: Field = Field::texts("tls_names").doc(
    "DNS names or URIs of the certificate by which the program proves itself, given by an authority of the server (RFC 8705 section 2.1)",
);
const TLS_THUMBPRINTS: Field = Field::texts("tls_thumbprints").doc(
    "certificates by which the program proves itself, each the base64url of its SHA-256 (RFC 8705 section 2.2); two while it is renewed",
);

const STEPS: Steps = Steps { tag: "Identity", planes: STAFF, permission: Permission::ManageIntegrations };

const STAFF: &[Plane] = &[Plane::Staff];
pub static REGISTER: Operation = STEPS.post(
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
        Field::texts("allowed_ip_ranges").form(Form::Network).doc("networks from which it may come; empty: everywhere"),
        Field::int("rate_limit_per_minute").at_least(1).doc("units a minute: a read costs one, a search and an export more"),
        JWKS,
        JWKS_URI,
        TLS_NAMES,
        TLS_THUMBPRINTS,
        Field::text("launch_uri").length(2000).form(Form::Address).doc("where the application is launched from here"),
        Field::texts("logout_uris").form(Form::Address).doc("where a browser may go after signing out; as redirect_uris"),
        Field::text("backchannel_logout_uri")
            .length(2000)
            .form(Form::Address)
            .doc("where the server tells that a person has signed out (OpenID Connect Back-Channel Logout 1.0)"),
        Field::instant("expires_at").doc("when the client ends by itself"),
    ],
    Gives::Made("ApiClientSecret", SECRET, &API_CLIENT),
    Run::Inside(|scope, call| Box::pin(register(scope, call))),
);
pub static ROTATE: Operation = STEPS.post(
    "rotateApiClientSecret",
    "/api-clients/{id}/rotate-secret",
    "Give a new secret; the old one works on for the overlap",
    &[Field::int("overlap_hours").at_least(0).at_most(OVERLAP_HOURS_MAX)],
    Gives::Object("ApiClientSecret", SECRET),
    Run::Inside(|scope, call| Box::pin(rotate(scope, call))),
);
pub static SET_SCOPES: Operation = STEPS.post(
    "setApiClientScopes",
    "/api-clients/{id}/set-scopes",
    "Replace what a program may ask for; its tokens end",
    &[Field::texts("scopes").example(r#"["system/Patient.rs"]"#).required()],
    Gives::Record(&API_CLIENT),
    Run::Apart(|call| Box::pin(set_scopes(call))),
);
pub static SET_KEYS: Operation = STEPS.post(
    "setApiClientKeys",
    "/api-clients/{id}/set-keys",
    "Replace the keys or certificates by which a program proves itself; its secrets and tokens end",
    &[JWKS, JWKS_URI, TLS_NAMES, TLS_THUMBPRINTS],
    Gives::Record(&API_CLIENT),
    Run::Apart(|call| Box::pin(set_keys(call))),
);
pub static DISABLE: Operation = STEPS.post(
    "disableApiClient",
    "/api-clients/{id}/disable",
    "Turn a program off; its tokens end within 5 seconds",
    &[],
    Gives::Record(&API_CLIENT),
    Run::Apart(|call| Box::pin(disable(call))),
);
pub static ENABLE: Operation = STEPS.post(
    "enableApiClient",
    "/api-clients/{id}/enable",
    "Turn a program on again",
    &[],
    Gives::Record(&API_CLIENT),
    Run::Inside(|scope, call| Box::pin(transition(scope, call, &API_CLIENT, vec![]))),
);

async fn register(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let caller = &call.caller;
    let kind = call.text("client_type").unwrap_or("BACKEND");
    let (scopes, redirects, ranges) = (words(call, "scopes")?, words(call, "redirect_uris")?, words(call, "allowed_ip_ranges")?);
    check_scopes(caller, kind, &scopes)?;
    check_redirects(kind, &redirects)?;
    let grants: &[&str] = if kind == "BACKEND" { &["client_credentials"] } else { &["authorization_code", "refresh_token"] };
    let client_id = hex(Uuid::new_v4().as_bytes());
    let keys = keys(call)?;
    if kind == "PUBLIC" && keys.is_some() {
        return Err(Error::new(&error::INVALID).fault("jwks", "level", "A public program keeps no keys."));
    }
    let secret = if kind == "PUBLIC" || keys.is_some() { None } else { Some(Token::new(Kind::ClientSecret)?) };
    let logouts = words(call, "logout_uris")?;
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
    draft = draft.set(&API_CLIENT, "logout_uris", Value::Texts(logouts))?;
    for name in ["rate_limit_per_minute", "launch_uri", "backchannel_logout_uri", "expires_at"] {
        if let Some(value) = call.value(name) {
            draft = draft.set(&API_CLIENT, name, value.clone())?;
        }
    }
    if let Some(keys) = keys {
        draft = keys.into_draft(draft)?;
    }
    let record = store::insert(scope, &API_CLIENT, &draft, &caller.kernel.keys).await?;
    Ok(Answer::Made(record.id, told(&record, secret.as_ref())))
}

/// By what a program proves itself that keeps no secret with us.
enum Keys {
    /// Registered here, or where they are published.
    Own(Value, Value),
    Certificates {
        names: Vec<String>,
        thumbprints: Vec<String>,
    },
}

impl Keys {
    fn into_draft(self, draft: Draft) -> Result<Draft> {
        let (here, at, certificates) = match self {
            Keys::Own(here, at) => (here, at, (Vec::new(), Vec::new())),
            Keys::Certificates { names, thumbprints } => (Value::Null, Value::Null, (names, thumbprints)),
        };
        let draft = draft.set(&API_CLIENT, "jwks", here)?.set(&API_CLIENT, "jwks_uri", at)?;
        draft.set(&API_CLIENT, "tls_names", Value::Texts(certificates.0))?.set(&API_CLIENT, "tls_thumbprints", Value::Texts(certificates.1))
    }
}

fn keys(call: &Call) -> Result<Option<Keys>> {
    let fault = |name, text: &str| Err(Error::new(&error::INVALID).fault(name, "format", text));
    let (names, thumbprints) = (words(call, "tls_names")?, words(call, "tls_thumbprints")?);
    if !names.is_empty() || !thumbprints.is_empty() {
        if call.value("jwks").is_some() || call.text("jwks_uri").is_some() {
            return fault("jwks", "A program proves itself by keys or by certificates, not by both.");
        }
        if names.iter().any(|name| !(1..=253).contains(&name.len()) || !name.bytes().all(|byte| byte.is_ascii_graphic())) {
            return fault("tls_names", "Each is a DNS name or a URI, as it stands in the certificate.");
        }
        if thumbprints.iter().any(|text| BASE64_URL_SAFE_NO_PAD.decode(text).map_or(0, |bytes| bytes.len()) != THUMBPRINT_BYTES) {
            return fault("tls_thumbprints", "Each is the base64url, without padding, of a SHA-256.");
        }
        return Ok(Some(Keys::Certificates { names, thumbprints }));
    }
    Ok(own_keys(call)?.map(|(here, at)| Keys::Own(here, at)))
}

/// `jwks` and `jwks_uri`: one of them, or none.
pub(super) fn own_keys(call: &Call) -> Result<Option<(Value, Value)>> {
    let fault = |name, text: &str| Err(Error::new(&error::INVALID).fault(name, "format", text));
    match (call.value("jwks"), call.text("jwks_uri")) {
        (Some(_), Some(_)) => fault("jwks_uri", "Keys are registered here or published there, not both."),
        (Some(Value::Json(keys)), None) => match jwt::keys(keys.to_string().as_bytes()) {
            Ok(_) => Ok(Some((Value::Json(keys.clone()), Value::Null))),
            Err(why) => fault("jwks", why),
        },
        (_, Some(uri)) if is_address(uri) => Ok(Some((Value::Null, Value::Text(uri.to_owned())))),
        (_, Some(_)) => fault("jwks_uri", ADDRESS),
        _ => Ok(None),
    }
}

async fn set_keys(call: Call) -> Result<Answer> {
    let keys = keys(&call)?
        .ok_or_else(|| Error::new(&error::INVALID).fault("jwks", "required", "Keys, where they are, or certificates are needed."))?;
    let (mut scope, was) = held(&call).await?;
    of_its_vendor(&was)?;
    if was.text("client_type") == Some("PUBLIC") {
        return Err(Error::new(&error::MOVE_REFUSED).detail("A public program keeps no keys."));
    }
    let mut draft = keys.into_draft(Draft::default())?;
    for name in ["client_secret_hash", "previous_secret_hash", "previous_secret_expires_at"] {
        draft = draft.set(&API_CLIENT, name, Value::Null)?;
    }
    let record = store::update(&mut scope, &was, &draft, "set-keys", &call.caller.kernel.keys).await?;
    let mut event = audit_store::of_record(scope.context(), Action::Update, &record, scope.now());
    event.event_type = "KEY_CHANGED".into();
    scope.audit(event);
    ended(&call, scope, record).await
}

fn told(record: &Record, secret: Option<&Token>) -> Map<String, Json> {
    object(json!({
        "id": record.id, "client_id": record.text("client_id"), "client_secret": secret.map(|secret| secret.expose()),
        "previous_secret_expires_at": record.get("previous_secret_expires_at"),
    }))
}

pub(super) fn words(call: &Call, name: &'static str) -> Result<Vec<String>> {
    match call.value(name) {
        Some(Value::Texts(words)) if words.len() <= LIST_MAX => Ok(words.clone()),
        Some(Value::Texts(_)) => Err(Error::new(&error::INVALID).fault(name, "length", "There are too many of them.")),
        _ => Ok(Vec::new()),
    }
}

/// Nobody gives a program more than they have: what it may do by itself must be within the caller's permissions. What it
/// may do for others is bounded by what those may.
pub(super) fn check_scopes(caller: &Caller, kind: &str, scopes: &[String]) -> Result<()> {
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

fn of_its_vendor(client: &Record) -> Result<()> {
    match client.uuid("vendor_app_id") {
        None => Ok(()),
        Some(_) => Err(Error::new(&error::MOVE_REFUSED).detail("The vendor says by what its application proves itself.")),
    }
}

fn check_redirects(kind: &str, redirects: &[String]) -> Result<()> {
    let wrong = redirects.iter().any(|uri| !is_address(uri))
        || kind == "BACKEND" && !redirects.is_empty()
        || kind != "BACKEND" && redirects.is_empty();
    if wrong {
        let text = "A program for people needs redirect addresses: https, or http on the loopback address, without a fragment.";
        return Err(Error::new(&error::INVALID).fault("redirect_uris", "format", text));
    }
    Ok(())
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
    of_its_vendor(&was)?;
    let listed = |name| was.get(name).as_array().is_some_and(|held| !held.is_empty());
    let keyed = !was.get("jwks").is_null() || was.text("jwks_uri").is_some() || listed("tls_names") || listed("tls_thumbprints");
    if was.text("client_type") == Some("PUBLIC") || keyed || was.text("status") != Some("ACTIVE") {
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
    if let Some(app) = was.uuid("vendor_app_id") {
        let app = store::seen(&mut scope, &VENDOR_APP, app, &call.caller.kernel.keys).await?;
        check_registered(&app, &scopes)?;
    }
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

/// The client's tokens end with the change, and the codes for them.
async fn ended(call: &Call, mut scope: Scope, record: Record) -> Result<Answer> {
    let now = scope.now();
    scope.exec(&CLIENT_SESSIONS_END, &[&record.id, &now]).await?;
    scope.exec(&CLIENT_CODES_END, &[&record.tenant, &record.id, &now]).await?;
    scope.did(Action::Execute, &record);
    scope.commit().await?;
    let client = record.id;
    grant::forget(&call.caller.kernel, |context| context.client == Some(client))?;
    Ok(Answer::Record(record))
}
