//! Applications hear that somebody has signed out: OpenID Connect Back-Channel Logout 1.0, as a provider.
//!
//! Whatever ends a browser's session leaves a notice for each application that was entered from it (`sec.session_ended`). The
//! worker tells them, through the outbound guard, until they have heard it or an hour has passed.

use crate::identity::service::Service;
use crate::kernel::Kernel;
use crate::kernel::audit::{Action, Metadata, Outcome};
use crate::kernel::audit_store;
use crate::kernel::context::{Context, Plane};
use crate::kernel::error::{Error, Result};
use crate::sql;
use chrono::Utc;
use futures_util::future::join_all;
use http::{StatusCode, header};
use serde_json::json;
use std::sync::Arc;
use tokio_postgres::Row;
use uuid::Uuid;

/// What a logout token is about (§2.4).
pub const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
pub const TYP: &str = "logout+jwt";
/// §2.4: it is used at once, and two minutes are advised at most.
const TOKEN_LIVES_S: i64 = 120;
/// Seconds from each attempt to the next. After the last it is given up. The first is longer than a request may take: until then
/// no other server makes the attempt again.
const WAITS_S: [i32; 6] = [15, 60, 300, 900, 1800, 600];
/// Told at once, and how many of them for one tenant.
const TAKEN_MAX: i32 = 8;
const OF_A_TENANT_MAX: i32 = 4;

sql! {
    /// $1 how many, $2 of one tenant, $3 seconds to the next attempts.
    TAKE(INT4, INT4, INT4_ARRAY) = "select * from sec.take_logouts($1, $2, $3)";
    /// $1 tenant, $2 notice, $3 state.
    ENDED(UUID, UUID, TEXT) = "update logout_notices set status = $3 where tenant_id = $1 and id = $2 and status = 'PENDING'";
}

struct Notice {
    tenant: Uuid,
    id: Uuid,
    client: Uuid,
    client_id: String,
    uri: Option<String>,
    user: Uuid,
    session: Uuid,
    attempts: i32,
}

impl Notice {
    fn read(row: &Row) -> Result<Notice> {
        Ok(Notice {
            tenant: row.try_get("tenant_id")?,
            id: row.try_get("id")?,
            client: row.try_get("client")?,
            client_id: row.try_get("client_id")?,
            uri: row.try_get("uri")?,
            user: row.try_get("user_id")?,
            session: row.try_get("session_id")?,
            attempts: row.try_get("attempts")?,
        })
    }
}

/// Tells all that is due.
pub async fn carry_on(kernel: &Arc<Kernel>) -> Result<()> {
    loop {
        let mut scope = kernel.door.open(&Context::system(Plane::Jobs, None)).await?;
        let waits = WAITS_S.to_vec();
        let rows = scope.rows(&TAKE, &[&TAKEN_MAX, &OF_A_TENANT_MAX, &waits]).await?;
        scope.commit().await?;
        let due: Vec<Notice> = rows.iter().map(Notice::read).collect::<Result<_>>()?;
        if due.is_empty() {
            return Ok(());
        }
        let telling = due.iter().map(async |notice| {
            if let Err(failure) = tell(kernel, notice).await {
                tracing::warn!(tenant.id = %notice.tenant, error = %failure, "An application could not be told of a sign-out");
            }
        });
        join_all(telling).await;
    }
}

async fn tell(kernel: &Kernel, notice: &Notice) -> Result<()> {
    let heard = match &notice.uri {
        Some(uri) => send(kernel, notice, uri).await?,
        None => false,
    };
    let over = notice.uri.is_none() || usize::try_from(notice.attempts).is_ok_and(|attempts| attempts >= WAITS_S.len());
    let (state, outcome) = match (heard, over) {
        (true, _) => ("DELIVERED", Outcome::Success),
        (false, true) => ("GIVEN_UP", Outcome::Failed),
        (false, false) => return Ok(()),
    };
    let context = Context::system(Plane::Jobs, Some(notice.tenant));
    let mut scope = kernel.door.open(&context).await?;
    scope.exec(&ENDED, &[&notice.tenant, &notice.id, &state]).await?;
    let mut event = audit_store::of(&context, "LOGOUT_TOLD", Action::Execute, outcome, scope.now());
    (event.resource_type, event.resource_id) = (Some("Session".into()), Some(notice.session));
    let (user, client) = (notice.user.to_string(), notice.client.to_string());
    event.metadata = Metadata::new().text("user", user).text("client", client).integer("attempts", notice.attempts.into());
    scope.audit(event);
    scope.commit().await
}

/// Whether the application has heard it. Each attempt has a token of its own (§2.4: `jti`).
async fn send(kernel: &Kernel, notice: &Notice, uri: &str) -> Result<bool> {
    let (service, now) = (Service::of(kernel)?, Utc::now().timestamp());
    let claims = json!({
        "iss": kernel.config.server.public_url, "aud": notice.client_id, "sub": notice.user, "sid": notice.session, "iat": now,
        "exp": now + TOKEN_LIVES_S, "jti": Uuid::new_v4(), "events": {EVENT: {}},
    });
    let token = service.signing.sign(kernel, TYP, &claims).await?;
    let body = serde_urlencoded::to_string([("logout_token", token)]).map_err(Error::internal)?;
    let request = http::Request::post(uri).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body.into_bytes());
    let Ok(request) = request else { return Ok(false) };
    match service.outbound.send(request).await {
        // §2.8 asks for 200; frameworks that have nothing to say say 204.
        Ok(answer) => Ok([StatusCode::OK, StatusCode::NO_CONTENT].contains(&answer.status())),
        Err(why) => {
            tracing::debug!(tenant.id = %notice.tenant, error = %why, "An application did not hear of a sign-out");
            Ok(false)
        }
    }
}
