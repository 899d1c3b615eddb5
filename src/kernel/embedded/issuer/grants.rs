//! Codes and access tokens that were given out, in memory: 60 seconds for a code, used once; ten minutes for a token.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::kernel::{Error, Result};

pub const CODE_LIFE: Duration = Duration::from_secs(60);
pub const TOKEN_LIFE: Duration = Duration::from_secs(600);
const KEPT_MAX: usize = 10_000;

/// What a code stands for.
#[derive(Debug, Clone)]
pub struct Grant {
    pub sub: String,
    pub client_id: String,
    pub redirect_uri: String,
    pub scopes: Vec<String>,
    pub nonce: Option<String>,
    pub code_challenge: String,
    /// Seconds since 1970.
    pub auth_time: u64,
}

/// Whom an access token speaks for.
#[derive(Debug, Clone)]
pub struct Bearer {
    pub sub: String,
    pub scopes: Vec<String>,
}

#[derive(Default)]
pub struct Grants {
    codes: HashMap<String, (Instant, Code)>,
    tokens: HashMap<String, (Instant, Bearer)>,
}

enum Code {
    Open(Grant),
    /// With the access token it was exchanged for: a second use takes that back (RFC 6749 §4.1.2).
    Spent(String),
}

impl Grants {
    pub fn give_code(&mut self, grant: Grant, now: Instant) -> Result<String> {
        sweep(&mut self.codes, now, CODE_LIFE);
        let code = random()?;
        self.codes.insert(code.clone(), (now, Code::Open(grant)));
        Ok(code)
    }

    /// The grant of an unused code. Looking does not spend it: only the right client does, by [`Grants::spend`].
    pub fn look(&mut self, code: &str, now: Instant) -> Option<Grant> {
        match self.codes.get(code) {
            Some((given, Code::Open(grant))) if now.duration_since(*given) < CODE_LIFE => Some(grant.clone()),
            Some((_, Code::Spent(token))) => {
                self.tokens.remove(token);
                None
            }
            _ => None,
        }
    }

    /// Turns the code into an access token.
    pub fn spend(&mut self, code: &str, grant: &Grant, now: Instant) -> Result<String> {
        sweep(&mut self.tokens, now, TOKEN_LIFE);
        let token = random()?;
        self.codes.insert(code.to_owned(), (now, Code::Spent(token.clone())));
        let bearer = Bearer { sub: grant.sub.clone(), scopes: grant.scopes.clone() };
        self.tokens.insert(token.clone(), (now, bearer));
        Ok(token)
    }

    pub fn bearer(&self, token: &str, now: Instant) -> Option<Bearer> {
        let (given, bearer) = self.tokens.get(token)?;
        (now.duration_since(*given) < TOKEN_LIFE).then(|| bearer.clone())
    }
}

/// Drops what is over. Whoever fills the store within one life starts it anew: this is no production server.
fn sweep<T>(kept: &mut HashMap<String, (Instant, T)>, now: Instant, life: Duration) {
    kept.retain(|_, (given, _)| now.duration_since(*given) < life);
    if kept.len() >= KEPT_MAX {
        kept.clear();
    }
}

fn random() -> Result<String> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| Error::internal("no randomness"))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant() -> Grant {
        Grant {
            sub: "ana".into(),
            client_id: "enamel".into(),
            redirect_uri: "http://127.0.0.1/callback".into(),
            scopes: vec![],
            nonce: None,
            code_challenge: String::new(),
            auth_time: 0,
        }
    }

    #[test]
    fn a_code_ends_after_sixty_seconds() {
        let (mut grants, now) = (Grants::default(), Instant::now());
        let code = grants.give_code(grant(), now).unwrap();
        assert!(grants.look(&code, now + Duration::from_secs(59)).is_some());
        assert!(grants.look(&code, now + CODE_LIFE).is_none());
    }

    #[test]
    fn a_second_use_of_a_code_takes_the_token_back() {
        let (mut grants, now) = (Grants::default(), Instant::now());
        let code = grants.give_code(grant(), now).unwrap();
        let token = grants.spend(&code, &grant(), now).unwrap();
        assert!(grants.bearer(&token, now).is_some());
        assert!(grants.look(&code, now).is_none());
        assert!(grants.bearer(&token, now).is_none());
    }

    #[test]
    fn a_token_ends_after_ten_minutes() {
        let (mut grants, now) = (Grants::default(), Instant::now());
        let code = grants.give_code(grant(), now).unwrap();
        let token = grants.spend(&code, &grant(), now).unwrap();
        assert!(grants.bearer(&token, now + TOKEN_LIFE - Duration::from_secs(1)).is_some());
        assert!(grants.bearer(&token, now + TOKEN_LIFE).is_none());
    }
}
