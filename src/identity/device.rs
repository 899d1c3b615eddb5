//! Browsers that have proved a second factor and are not asked for one for thirty days. What the browser holds is a random
//! token; its hash is here, so it can be taken back.

use super::token::{Kind, Token};
use crate::kernel::db::Scope;
use crate::kernel::error::Result;
use crate::sql;
use chrono::TimeDelta;
use uuid::Uuid;

const DAYS: i64 = 30;
pub const LIVES_S: i64 = DAYS * 24 * 3600;

sql! {
    ADD(UUID, UUID, BYTEA, TIMESTAMPTZ) = "
        insert into user_tokens (id, user_id, purpose, token_hash, expires_at) values ($1, $2, 'DEVICE', $3, $4)";
    /// $1 hash.
    OWNER(BYTEA) = "
        select user_id from user_tokens where token_hash = $1 and purpose = 'DEVICE' and used_at is null and expires_at > now()";
    /// $1 login.
    FORGET(UUID) = "update user_tokens set used_at = now() where user_id = $1 and purpose = 'DEVICE' and used_at is null";
    /// $1 login.
    COUNT(UUID) = "select count(*) from user_tokens where user_id = $1 and purpose = 'DEVICE' and used_at is null and expires_at > now()";
}

/// What the browser keeps; good when the scope is committed.
pub async fn remember(scope: &mut Scope, user: Uuid) -> Result<Token> {
    let (token, id, until) = (Token::new(Kind::Device)?, scope.new_id(), scope.now() + TimeDelta::days(DAYS));
    scope.exec(&ADD, &[&id, &user, &token.hash().as_bytes(), &until]).await?;
    Ok(token)
}

/// Whose browser this is.
pub async fn owner(scope: &mut Scope, cookie: Option<&str>) -> Result<Option<Uuid>> {
    let Some(token) = cookie.and_then(|text| Token::parse(Kind::Device, text)) else { return Ok(None) };
    match scope.optional(&OWNER, &[&token.hash().as_bytes()]).await? {
        Some(row) => Ok(Some(row.try_get(0)?)),
        None => Ok(None),
    }
}

/// Every browser of somebody is asked again.
pub async fn forget(scope: &mut Scope, user: Uuid) -> Result<()> {
    scope.exec(&FORGET, &[&user]).await?;
    Ok(())
}

pub async fn count(scope: &mut Scope, user: Uuid) -> Result<i64> {
    Ok(scope.one(&COUNT, &[&user]).await?.try_get(0)?)
}
