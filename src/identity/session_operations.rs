//! Signing in, renewing, changing tenants and ending, over REST (catalogue 2.20, C33).

use super::accept_invitation::open_invitations;
use super::grant::{self, Renewal};
use super::opening::{self, Issued, Opening};
use super::passkey;
use super::second_factor;
use super::sign_in::{self, Home, Known};
use super::token::Kind;
use crate::kernel::audit::Metadata;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::Field;
use crate::sql;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

pub(super) const ANYONE: &[Plane] = &Plane::ALL;
pub(super) const PEOPLE: &[Plane] = &[Plane::Staff, Plane::Patient, Plane::Audit, Plane::Platform];

sql! {
    /// $1 session, $2 the tenant of a manager or null.
    SESSION_OF(UUID) = "select user_id, active_tenant_id, api_client_id, auth_method, mfa_level from sessions where id = $1 and revoked_at is null";
    /// $1 session, $2 tenant, $3 token hash, $4 token expiry, $5 now.
    SESSION_MOVE(UUID, UUID, BYTEA, TIMESTAMPTZ, TIMESTAMPTZ) = "
        update sessions set active_tenant_id = $2, token_hash = $3, token_expires_at = $4, last_activity_at = $5 where id = $1";
    /// $1 session, $2 token hash, $3 token expiry, $4 now, $5 factor.
    SESSION_PROVED(UUID, BYTEA, TIMESTAMPTZ, TIMESTAMPTZ, TEXT) = "
        update sessions set token_hash = $2, token_expires_at = least($3, expires_at), last_activity_at = $4, proved_at = $4,
               mfa_level = case when $5 = 'NONE' then mfa_level else $5 end where id = $1";
    /// $1 login.
    PERSON(UUID) = "select id, email, full_name, preferred_locale, kind, mfa_enabled, last_login_at from users where id = $1";
    /// $1 login, $2 tenant.
    ROLES_OF(UUID, UUID) = "
        select o.code, o.name, g.resource_scope, g.location_id, g.team_id from user_roles g
          join roles o on o.tenant_id = g.role_tenant_id and o.id = g.role_id
         where g.tenant_id = $2 and g.user_id = $1 and g.deleted_at is null
           and (g.valid_from is null or g.valid_from <= now()) and (g.valid_until is null or g.valid_until > now())
         order by o.code, g.id";
}

static TOKENS: &[Field] = &[
    Field::text("access_token").required().shown_once().doc("opaque; goes into the Authorization header as a bearer token"),
    Field::text("token_type").required(),
    Field::int("expires_in").required().doc("seconds"),
    Field::text("refresh_token").shown_once().doc("good for one renewal"),
    Field::uuid("session_id").required(),
    Field::uuid("tenant_id").required().doc("the tenant the token acts in"),
    Field::json("tenants").required().doc("id, name and slug of each tenant the person may change to"),
];

const fn post(
    id: &'static str,
    path: &'static str,
    doc: &'static str,
    takes: &'static [Field],
    gives: Gives,
    planes: &'static [Plane],
    run: Run,
) -> Operation {
    Operation { id, method: Method::Post, path, tag: "Identity", doc, takes, gives, planes, permission: Permission::Own, run }
}

pub static SIGN_IN: Operation = post(
    "signIn",
    "/sessions/sign-in",
    "Sign in with an e-mail and a password",
    &[
        Field::text("email").required().length(254).pii(),
        Field::text("password").required().length(256).write_only(),
        Field::text("code").length(32).write_only().doc("of the second factor, or a recovery code; auth.second_factor asks for it"),
        Field::text("tenant").length(64).doc("id or slug; without it the tenant used last"),
    ],
    Gives::Object("SignedIn", TOKENS),
    ANYONE,
    Run::Apart(|call| Box::pin(sign_in(call))),
);
pub static PASSKEY_OPTIONS: Operation = post(
    "beginPasskeySignIn",
    "/sessions/passkey-options",
    "What an authenticator needs to sign in with a passkey",
    &[],
    Gives::Object("PasskeyCeremony", second_factor::CEREMONY),
    ANYONE,
    Run::Apart(|call| Box::pin(passkey_options(call))),
);
pub static SIGN_IN_WITH_PASSKEY: Operation = post(
    "signInWithPasskey",
    "/sessions/sign-in-with-passkey",
    "Sign in with a passkey; it is both factors at once",
    &[
        Field::text("ceremony").required().length(4000),
        Field::json("credential").required().write_only().doc("the authenticator's answer, in the JSON form of Web Authentication"),
        Field::text("tenant").length(64).doc("id or slug; without it the tenant used last"),
    ],
    Gives::Object("SignedIn", TOKENS),
    ANYONE,
    Run::Apart(|call| Box::pin(sign_in_with_passkey(call))),
);
pub static STEP_UP: Operation = post(
    "stepUp",
    "/sessions/step-up",
    "Prove again who one is, by password or passkey, for what asks for a recent sign-in; the access token is a new one",
    &[
        Field::text("password").length(256).write_only(),
        Field::text("code").length(32).write_only().doc("of the second factor, beside the password"),
        Field::text("ceremony").length(4000),
        Field::json("credential").write_only().doc("the authenticator's answer, in the JSON form of Web Authentication"),
    ],
    Gives::Object("SignedIn", TOKENS),
    PEOPLE,
    Run::Apart(|call| Box::pin(step_up(call))),
);
pub static REFRESH: Operation = post(
    "refreshSession",
    "/sessions/refresh",
    "Exchange a refresh token for a new pair; using one twice ends the session",
    &[Field::text("refresh_token").required().length(100)],
    Gives::Object("SignedIn", TOKENS),
    ANYONE,
    Run::Apart(|call| Box::pin(refresh(call))),
);
pub static SWITCH_TENANT: Operation = post(
    "switchTenant",
    "/sessions/switch-tenant",
    "Act in another of one's tenants, with a new access token",
    &[Field::uuid("tenant_id").required()],
    Gives::Object("SignedIn", TOKENS),
    PEOPLE,
    Run::Apart(|call| Box::pin(switch_tenant(call))),
);
pub static SIGN_OUT: Operation = post(
    "signOut",
    "/sessions/sign-out",
    "End this session; its tokens end with it",
    &[],
    Gives::Nothing,
    PEOPLE,
    Run::Apart(|call| Box::pin(sign_out(call))),
);
pub static REVOKE: Operation = post(
    "revokeSession",
    "/sessions/{id}/revoke",
    "End one's own session, or one of the tenant's people",
    &[],
    Gives::Nothing,
    PEOPLE,
    Run::Apart(|call| Box::pin(revoke(call))),
);

async fn sign_in(call: Call) -> Result<Answer> {
    let (kernel, context) = (&call.caller.kernel, &call.caller.context);
    let (email, password) = (call.text("email").unwrap_or_default(), call.text("password").unwrap_or_default());
    let known = sign_in::by_password(kernel, context, email, password.to_owned().into(), None).await?;
    let home = chosen(&call, &known).await?;
    let factor = match known.second {
        true => second_factor::prove(kernel, context, known.user, home.tenant, call.text("code")).await?,
        false if home.second_required => return Err(Error::new(&error::ENROLMENT_NEEDED)),
        false => "NONE",
    };
    enter(&call, &known, home, "PASSWORD", factor).await
}

async fn sign_in_with_passkey(call: Call) -> Result<Answer> {
    let (ceremony, credential) = second_factor::answered(&call);
    let known = sign_in::by_passkey(&call.caller.kernel, &call.caller.context, ceremony, credential).await?;
    let home = chosen(&call, &known).await?;
    enter(&call, &known, home, "PASSKEY", "WEBAUTHN").await
}

async fn passkey_options(call: Call) -> Result<Answer> {
    let kernel = &call.caller.kernel;
    Ok(second_factor::ceremony(passkey::of(kernel)?.ask(kernel)?))
}

/// The home that was named, or the first.
async fn chosen<'a>(call: &Call, known: &'a Known) -> Result<&'a Home> {
    let wanted = match call.text("tenant") {
        None => None,
        Some(word) => Some(sign_in::tenant_named(&call.caller.kernel, &call.caller.context, word).await?.unwrap_or_default()),
    };
    known.choose(wanted)
}

async fn enter(call: &Call, known: &Known, home: &Home, method: &'static str, factor: &'static str) -> Result<Answer> {
    let (kernel, context) = (&call.caller.kernel, &call.caller.context);
    let mut scope = kernel.door.open(&grant::proven(context, home.tenant, known.user)).await?;
    let opening = Opening { factor: factor.into(), renewable: true, ..Opening::of(known.user, home.tenant, method, Kind::Access) };
    let issued = opening::open(&mut scope, &kernel.config.identity, opening).await?;
    sign_in::succeeded(&mut scope, known.user, home.tenant, issued.session, method, factor).await?;
    scope.commit().await?;
    Ok(tokens(&issued, &known.homes))
}

/// The session gets a new token, and its person counts as having just signed in.
async fn step_up(call: Call) -> Result<Answer> {
    let (session, user) = own_session(&call)?;
    let (kernel, context, tenant) = (&call.caller.kernel, &call.caller.context, call.caller.tenant()?);
    let (method, factor) = match call.text("ceremony") {
        Some(_) => {
            let (ceremony, credential) = second_factor::answered(&call);
            let by = passkey::prove(kernel, context, ceremony, credential).await?;
            (by == user).then_some(("PASSKEY", "WEBAUTHN")).ok_or_else(|| Error::new(&error::CREDENTIALS_WRONG))?
        }
        None => {
            let email: String = {
                let mut scope = kernel.door.open(&grant::behind(context, Some(tenant))).await?;
                let email = scope.one(&PERSON, &[&user]).await?.try_get("email")?;
                scope.commit().await?;
                email
            };
            let password = call.text("password").unwrap_or_default().to_owned();
            let known = sign_in::by_password(kernel, context, &email, password.into(), None).await?;
            match known.second {
                true => ("PASSWORD", second_factor::prove(kernel, context, user, tenant, call.text("code")).await?),
                false => ("PASSWORD", "NONE"),
            }
        }
    };
    let mut scope = kernel.door.open(&grant::behind(context, Some(tenant))).await?;
    let (access, now, lives) = (super::token::Token::new(Kind::Access)?, scope.now(), i64::from(kernel.config.identity.access_token_s));
    let ends = now + chrono::TimeDelta::seconds(lives);
    scope.exec(&SESSION_PROVED, &[&session, &access.hash().as_bytes(), &ends, &now, &factor]).await?;
    let mut event = sign_in::succeeding(scope.context(), user, tenant, session, "STEP_UP");
    event.metadata = Metadata::new().text("method", "STEP_UP").text("by", method).text("factor", factor);
    scope.audit(event);
    scope.commit().await?;
    grant::forget(kernel, |context| context.session == Some(session))?;
    let issued =
        Issued { session, tenant, access, refresh: None, expires_in_s: lives, scopes: vec![], patient: None, encounter: None, dpop: false };
    Ok(tokens(&issued, &[]))
}

async fn refresh(call: Call) -> Result<Answer> {
    let (kernel, context) = (&call.caller.kernel, &call.caller.context);
    let issued = grant::renew(
        kernel,
        context,
        Renewal { token: call.text("refresh_token").unwrap_or_default(), client: None, asked: None, dpop: None, certificate: None },
    )
    .await?;
    Ok(tokens(&issued, &[]))
}

fn tokens(issued: &Issued, homes: &[Home]) -> Answer {
    let tenants: Vec<Json> = homes.iter().map(|home| json!({"id": home.tenant, "name": home.name, "slug": home.slug})).collect();
    Answer::Object(object(json!({
        "access_token": issued.access.expose(), "token_type": "Bearer", "expires_in": issued.expires_in_s,
        "refresh_token": issued.refresh.as_ref().map(|token| token.expose()), "session_id": issued.session, "tenant_id": issued.tenant, "tenants": tenants,
    })))
}

pub(super) fn object(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(members) => members,
        _ => Map::new(),
    }
}

/// The person's own session; an application's token does not steer it.
pub(super) fn own_session(call: &Call) -> Result<(Uuid, Uuid)> {
    let context = &call.caller.context;
    let own = context.session.zip(context.actor).filter(|_| context.client.is_none());
    own.ok_or_else(|| Error::new(&error::FORBIDDEN).detail("An application's token cannot do this."))
}

async fn switch_tenant(call: Call) -> Result<Answer> {
    let (session, user) = own_session(&call)?;
    let (kernel, wanted) = (&call.caller.kernel, call.uuid("tenant_id"));
    let mut scope = kernel.door.open(&grant::behind(&call.caller.context, wanted)).await?;
    let method = scope.one(&SESSION_OF, &[&session]).await?;
    let homes = sign_in::homes(&mut scope, user).await?;
    let known = sign_in::Known { user, homes: homes.into_iter().filter(|home| !home.provider_only).collect(), second: false };
    // What one clinic's identity provider says opens no other clinic.
    if !matches!(method.try_get("auth_method")?, "PASSWORD" | "PASSKEY") {
        return Err(Error::new(&error::FORBIDDEN).detail("Sign in at the other tenant's own identity provider."));
    }
    let home = known.choose(wanted).map_err(|_| Error::new(&error::NOT_FOUND))?;
    if home.second_required && method.try_get::<_, &str>("mfa_level")? == "NONE" {
        return Err(Error::new(&error::ENROLMENT_NEEDED));
    }
    let access = super::token::Token::new(Kind::Access)?;
    let (now, lives) = (scope.now(), i64::from(kernel.config.identity.access_token_s));
    let ends = now + chrono::TimeDelta::seconds(lives);
    scope.exec(&SESSION_MOVE, &[&session, &home.tenant, &access.hash().as_bytes(), &ends, &now]).await?;
    sign_in::succeeded(&mut scope, user, home.tenant, session, "SWITCH", "NONE").await?;
    scope.commit().await?;
    grant::forget(kernel, |context| context.session == Some(session))?;
    let issued = Issued {
        session,
        tenant: home.tenant,
        access,
        refresh: None,
        expires_in_s: lives,
        scopes: vec![],
        patient: None,
        encounter: None,
        dpop: false,
    };
    Ok(tokens(&issued, &known.homes))
}

async fn sign_out(call: Call) -> Result<Answer> {
    let session = call.caller.context.session.ok_or_else(|| Error::new(&error::FORBIDDEN))?;
    end(&call, session, "LOGOUT").await
}

async fn revoke(call: Call) -> Result<Answer> {
    let (session, context) = (call.id()?, &call.caller.context);
    let scope = call.caller.kernel.door.open(&grant::behind(context, context.tenant)).await?;
    let answers = scope.once(&[((&SESSION_OF).into(), vec![&session])]).await?;
    let row = answers.iter().flatten().next().ok_or_else(|| Error::new(&error::NOT_FOUND))?;
    let (user, tenant): (Uuid, Option<Uuid>) = (row.try_get("user_id")?, row.try_get("active_tenant_id")?);
    let own = Some(user) == context.actor && context.client.is_none();
    let managed = context.plane == Plane::Staff && tenant == context.tenant && context.caps.allows(Permission::ManageUsers);
    if !own && !managed && context.plane != Plane::Platform {
        return Err(Error::new(&error::NOT_FOUND));
    }
    end(&call, session, if own { "LOGOUT" } else { "ADMIN" }).await
}

async fn end(call: &Call, session: Uuid, reason: &'static str) -> Result<Answer> {
    let context = &call.caller.context;
    let mut scope = call.caller.kernel.door.open(&grant::behind(context, context.tenant)).await?;
    grant::end(&mut scope, session, reason).await?;
    scope.commit().await?;
    grant::forget(&call.caller.kernel, |context| context.session == Some(session))?;
    Ok(Answer::Nothing)
}

static ME_FIELDS: &[Field] = &[
    Field::json("user").required().doc("id, email, full_name, preferred_locale, kind, mfa_enabled"),
    Field::uuid("tenant_id").required(),
    Field::text("plane").required().doc("staff, patient, audit or platform"),
    Field::json("tenants").required().doc("id, name and slug of each tenant the person belongs to"),
    Field::json("invitations").required().doc("id, tenant and user_type of each tenant that has asked the person to join"),
    Field::json("roles").required().doc("code, name and scope of each role in this tenant"),
    Field::texts("permissions").required(),
    Field::texts("scopes").required().doc("of an application's token; empty for a person's own"),
    Field::uuid("session_id"),
    Field::uuid("api_client_id"),
];
pub static ME: Operation = Operation {
    id: "getMe",
    method: Method::Get,
    path: "/me",
    tag: "Identity",
    doc: "Who the caller is: user, tenants, roles and permissions",
    takes: &[],
    gives: Gives::Object("Me", ME_FIELDS),
    planes: PEOPLE,
    permission: Permission::Own,
    run: Run::Apart(|call| Box::pin(me(call))),
};

async fn me(call: Call) -> Result<Answer> {
    let context = &call.caller.context;
    let (user, tenant) = (context.actor.ok_or_else(|| Error::new(&error::FORBIDDEN))?, call.caller.tenant()?);
    let mut scope = call.caller.kernel.door.open(&grant::behind(context, Some(tenant))).await?;
    let person = scope.one(&PERSON, &[&user]).await?;
    let roles = scope.rows(&ROLES_OF, &[&user, &tenant]).await?;
    let homes = sign_in::homes(&mut scope, user).await?;
    let invitations = if context.client.is_none() { open_invitations(&mut scope, user).await? } else { Vec::new() };
    scope.commit().await?;
    let roles: Vec<Json> = roles
        .iter()
        .map(|row| {
            Ok(json!({
                "code": row.try_get::<_, &str>(0)?, "name": row.try_get::<_, &str>(1)?, "resource_scope": row.try_get::<_, &str>(2)?,
                "location_id": row.try_get::<_, Option<Uuid>>(3)?, "team_id": row.try_get::<_, Option<Uuid>>(4)?,
            }))
        })
        .collect::<Result<_>>()?;
    // An application learns where its user is now, not where else they work.
    let shown = homes.iter().filter(|home| context.client.is_none() || home.tenant == tenant);
    let tenants: Vec<Json> = shown.map(|home| json!({"id": home.tenant, "name": home.name, "slug": home.slug})).collect();
    Ok(Answer::Object(object(json!({
        "user": {
            "id": user, "email": person.try_get::<_, &str>("email")?, "full_name": person.try_get::<_, &str>("full_name")?,
            "preferred_locale": person.try_get::<_, &str>("preferred_locale")?, "kind": person.try_get::<_, &str>("kind")?,
            "mfa_enabled": person.try_get::<_, bool>("mfa_enabled")?,
        },
        "tenant_id": tenant, "plane": context.plane.word(), "tenants": tenants, "invitations": invitations, "roles": roles, "permissions": context.caps.or(context.part).words(),
        "scopes": call.caller.scopes.as_ref(), "session_id": context.session, "api_client_id": context.client,
    }))))
}
