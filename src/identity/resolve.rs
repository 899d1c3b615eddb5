//! From an access token to its caller. What a token may do is asked anew within five seconds: a revoked session, a disabled
//! user or client, a suspended tenant and a changed role are all felt that fast, on every server.

use super::token::{Kind, Token};
use crate::kernel::context::{Caps, Context, Origin, Permission, Plane};
use crate::kernel::error::{self, Error, Result};
use crate::kernel::{Caller, Kernel};
use crate::sql;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, RwLock};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Shorter than the five seconds we promise, for an answer takes a moment too.
const BELIEVED: Duration = Duration::from_secs(4);
/// Beyond this the cache starts over; a flood of unknown tokens cannot fill the memory.
const TOKENS_MAX: usize = 50_000;

sql! {
    /// $1 hash, $2 idle seconds.
    RESOLVE_TOKEN(BYTEA, FLOAT8) = "select * from sec.resolve_token($1, make_interval(secs => $2))";
    /// $1 session.
    SESSION_SEEN(UUID) = "update sessions set last_activity_at = now() where id = $1";
}

/// What a token stands for, without the request it came with.
#[derive(Clone)]
struct Bearer {
    context: Context,
    reads_subtree: bool,
    scopes: Arc<[String]>,
    expires: chrono::DateTime<chrono::Utc>,
}

/// Tokens seen lately; `None` for one that stands for nobody.
#[derive(Default)]
pub struct Tokens(RwLock<HashMap<[u8; 32], (Instant, Option<Bearer>)>>);

static TOKENS: LazyLock<Tokens> = LazyLock::new(Tokens::default);

pub async fn resolve(kernel: &Arc<Kernel>, text: &str, request: Uuid, origin: Arc<Origin>) -> Result<Caller> {
    let unknown = || Error::new(&error::UNAUTHENTICATED);
    let token = Token::parse(Kind::Access, text).ok_or_else(unknown)?;
    let hash: [u8; 32] = token.hash().as_bytes().try_into().map_err(Error::internal)?;
    let known = TOKENS.0.read().unwrap_or_else(|poisoned| poisoned.into_inner()).get(&hash).cloned();
    let bearer = match known {
        Some((since, bearer)) if since.elapsed() < BELIEVED => bearer,
        _ => {
            let asked = Instant::now();
            let bearer = ask(kernel, &hash).await?;
            let mut tokens = TOKENS.0.write().unwrap_or_else(|poisoned| poisoned.into_inner());
            if tokens.len() >= TOKENS_MAX {
                tokens.clear();
            }
            tokens.insert(hash, (asked, bearer.clone()));
            bearer
        }
    };
    let bearer = bearer.filter(|bearer| bearer.expires > chrono::Utc::now()).ok_or_else(unknown)?;
    let mut context = bearer.context;
    (context.request, context.origin) = (request, Some(origin));
    Ok(Caller { kernel: kernel.clone(), context, reads_subtree: bearer.reads_subtree, scopes: bearer.scopes })
}

async fn ask(kernel: &Arc<Kernel>, hash: &[u8; 32]) -> Result<Option<Bearer>> {
    let scope = kernel.door.open(&Context::system(Plane::Auth, None)).await?;
    let idle = f64::from(kernel.config.identity.session_idle_s);
    let answers = scope.once(&[((&RESOLVE_TOKEN).into(), vec![&hash.as_slice(), &idle])]).await?;
    let Some(row) = answers.first().and_then(|rows| rows.first()) else { return Ok(None) };
    let (session, user, client, tenant): (Uuid, Uuid, Option<Uuid>, Option<Uuid>) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    let kind: Option<String> = row.try_get(4)?;
    let roles: Vec<String> = row.try_get::<_, Option<_>>(9)?.unwrap_or_default();
    let (member, portal): (bool, bool) = (row.try_get(11)?, row.try_get(12)?);
    let scope_caps = Caps(row.try_get(7)?);
    if !row.try_get::<_, bool>(5)? {
        return Ok(None);
    }
    let granted = Caps(row.try_get(10)?).and(scope_caps);
    let is = |code: &str| roles.iter().any(|role| role == code);
    let service = client.is_some() && !member && !portal;
    let (plane, caps) = match () {
        () if service => (Plane::Staff, scope_caps),
        () if is("PLATFORM_ADMIN") && tenant == Some(crate::kernel::context::PLATFORM_TENANT) => (Plane::Platform, granted),
        () if member && is("READ_ONLY_AUDITOR") => (Plane::Audit, granted),
        () if member && !roles.is_empty() && !is("PATIENT") && !is("PATIENT_PROXY") => (Plane::Staff, granted),
        () if portal => (Plane::Patient, (*PATIENT).and(scope_caps)),
        () => return Ok(None),
    };
    if row.try_get(14)? {
        seen(kernel.clone(), session);
    }
    let context = Context {
        plane, actor: Some(user), tenant: if plane == Plane::Patient { None } else { tenant }, caps, subject: row.try_get(8)?, request: Uuid::nil(),
        client, session: Some(session), origin: None,
    };
    let reads_subtree = plane == Plane::Staff && kind.as_deref() == Some("DSO");
    let scopes: Vec<String> = row.try_get(6)?;
    Ok(Some(Bearer { context, reads_subtree, scopes: scopes.into(), expires: row.try_get(13)? }))
}

/// What a patient's own login may ask for; which charts, the policies decide.
static PATIENT: LazyLock<Caps> = LazyLock::new(|| {
    Caps::of(&[
        Permission::ViewPatient, Permission::ViewSchedule, Permission::ViewClinical, Permission::ViewTreatment, Permission::ViewImaging,
        Permission::ViewMessages, Permission::SendMessages, Permission::ViewClaims, Permission::ViewPayments,
    ])
});

/// Once a minute at most, beside the request: an idle session is one nobody used.
fn seen(kernel: Arc<Kernel>, session: Uuid) {
    tokio::spawn(async move {
        let noted = async {
            let mut scope = kernel.door.open(&Context::system(Plane::Auth, None)).await?;
            scope.exec(&SESSION_SEEN, &[&session]).await?;
            scope.commit().await
        };
        if let Err(failure) = noted.await {
            tracing::warn!(error = %failure, "Could not note a session's activity");
        }
    });
}
