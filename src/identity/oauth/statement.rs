//! Software statements (RFC 7591 §2.3): what a vendor says of its application, signed with a key the platform knows the vendor by.
//! Each is good once, and soon.

use super::jwt;
use super::refusal::Refusal;
use crate::identity::grant;
use crate::identity::service::Service;
use crate::kernel::Caller;
use crate::kernel::error::Error;
use crate::sql;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

/// From `iat` to `exp`, and what clocks may differ by.
const LIVES_MAX_S: i64 = 24 * 60 * 60;
const SKEW_S: i64 = 10;
const JTI_MAX: usize = 255;

sql! {
    /// $1 issuer.
    VENDOR(TEXT) = "select id, jwks, jwks_uri from app_vendors where issuer = $1 and status = 'ACTIVE'";
}

pub struct Statement {
    pub vendor: Uuid,
    pub made: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub jti: String,
    pub says: Map<String, Json>,
}

pub fn unapproved(why: &'static str) -> Refusal {
    Refusal::new("unapproved_software_statement", why)
}

fn invalid() -> Refusal {
    Refusal::new("invalid_software_statement", "The statement is not signed by its vendor, not for this server, or not for now.")
}

/// Proven; whether it was shown before is for whoever uses it.
pub async fn proven(caller: &Caller, text: &str) -> Result<Statement, Refusal> {
    let head = jwt::head(text, &["JWT"]).filter(|head| head.jku.is_none()).ok_or_else(invalid)?;
    let said: Map<String, Json> = jwt::unproven(text).ok_or_else(invalid)?;
    let issuer = said.get("iss").and_then(Json::as_str).ok_or_else(invalid)?;
    let scope = caller.kernel.door.open(&grant::behind(&caller.context, None)).await?;
    let answers = scope.once(&[((&VENDOR).into(), vec![&issuer])]).await?;
    let row = answers.iter().flatten().next().ok_or_else(|| unapproved("The platform has not approved this vendor."))?;
    let (here, at): (Option<Json>, Option<String>) =
        (row.try_get("jwks").map_err(Error::from)?, row.try_get("jwks_uri").map_err(Error::from)?);
    let here = here.as_ref().map(jwt::stored).transpose()?;
    let kid = head.kid.as_deref().ok_or_else(invalid)?;
    let key = Service::of(&caller.kernel)?.client_keys.find(here.as_ref(), at.as_deref(), kid, head.alg).await.ok_or_else(invalid)?;
    let says: Map<String, Json> = jwt::claims(text, head.alg, &key).ok_or_else(invalid)?;
    let vendor = row.try_get("id").map_err(Error::from)?;
    read(vendor, says, caller.kernel.config.server.public_url.as_str(), Utc::now().timestamp()).ok_or_else(invalid)
}

/// `now`: seconds since 1970.
fn read(vendor: Uuid, says: Map<String, Json>, us: &str, now: i64) -> Option<Statement> {
    let at = |name: &str| says.get(name).and_then(Json::as_i64);
    let (made, until) = (at("iat")?, at("exp")?);
    let jti = says.get("jti").and_then(Json::as_str).filter(|jti| (1..=JTI_MAX).contains(&jti.len()))?.to_owned();
    let now_on = match says.get("nbf") {
        None => true,
        Some(from) => from.as_i64().is_some_and(|from| from <= now + SKEW_S),
    };
    // It need not name a server; where it does, it is for that one.
    let register = format!("{}/oauth2/register", us.trim_end_matches('/'));
    let is_us = |name: &Json| name.as_str().is_some_and(|name| name == us || name == register);
    let ours = match says.get("aud") {
        None => true,
        Some(Json::Array(names)) => names.iter().any(is_us),
        Some(name) => is_us(name),
    };
    let timely = made <= now + SKEW_S && until > now && until > made && until - made <= LIVES_MAX_S;
    let (made, until) = (DateTime::from_timestamp(made, 0)?, DateTime::from_timestamp(until, 0)?);
    (timely && now_on && ours).then_some(Statement { vendor, made, until, jti, says })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_statement_is_of_now_for_us_and_named() {
        let now = 1_700_000_000;
        let good = json!({"iat": now, "exp": now + 300, "jti": "a"});
        let passes = |changes: Json| {
            let mut says = good.as_object().unwrap().clone();
            says.extend(changes.as_object().unwrap().clone());
            says.retain(|_, value| !value.is_null());
            read(Uuid::nil(), says, "https://enamel.example", now).is_some()
        };
        for right in [
            json!({}),
            json!({"aud": "https://enamel.example"}),
            json!({"aud": ["https://other.example", "https://enamel.example/oauth2/register"]}),
            json!({"nbf": now}),
            json!({"iat": now - 1000, "exp": now - 1000 + LIVES_MAX_S}),
        ] {
            assert!(passes(right.clone()), "{right}");
        }
        for wrong in [
            json!({"iat": null}),
            json!({"exp": null}),
            json!({"jti": null}),
            json!({"jti": ""}),
            json!({"exp": now}),
            json!({"iat": now + 60}),
            json!({"exp": now + LIVES_MAX_S + 1}),
            json!({"exp": i64::MAX}),
            json!({"nbf": now + 60}),
            json!({"nbf": "later"}),
            json!({"aud": "https://other.example"}),
            json!({"aud": []}),
        ] {
            assert!(!passes(wrong.clone()), "{wrong}");
        }
    }
}
