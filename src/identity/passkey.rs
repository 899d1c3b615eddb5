//! Passkeys (Web Authentication, Level 3), checked by webauthn-rs: possession and the person's own presence in one, bound to our
//! name, so there is nothing to type at a page that only looks like ours. What a ceremony must remember goes out sealed with
//! its question and comes back with the answer; it lives for minutes and is spent once.

use super::grant;
use super::service::Service;
use crate::kernel::audit::{Action, Outcome};
use crate::kernel::context::Context;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::{Kernel, audit_store};
use crate::sql;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::Utc;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::Arc;
use uuid::Uuid;
use webauthn_rs::prelude::{
    CredentialID, DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Url,
    Webauthn, WebauthnBuilder, WebauthnError,
};

const LIVES_S: i64 = 300;
const SIGNING_IN: &[u8] = b"passkey sign-in";

sql! {
    /// $1 id, $2 hash of the ceremony, $3 its end.
    SPEND(UUID, BYTEA, TIMESTAMPTZ) = "
        insert into sign_in_attempts (id, state_hash, pending_enc, return_to, expires_at, used_at) values ($1, $2, '', '', $3, now())
        on conflict (state_hash) do nothing";
    /// $1 login, $2 credential. Sign-ins with one passkey take turns.
    KEY(UUID, BYTEA) = "
        select f.id, f.public_key from user_mfa_factors f join users u on u.id = f.user_id and u.status = 'ACTIVE' and u.kind = 'HUMAN'
         where f.user_id = $1 and f.credential_id = $2 and f.kind = 'WEBAUTHN' and f.status = 'ACTIVE' and f.deleted_at is null
           for update of f";
    /// $1 factor, $2 the passkey as it is now, $3 its counter.
    USED(UUID, BYTEA, INT8) = "update user_mfa_factors set public_key = $2, sign_count = $3, last_used_at = now() where id = $1";
}

/// A question for the person's authenticator.
pub struct Ceremony {
    /// For `navigator.credentials`, as JSON.
    pub options: Json,
    /// To be brought back with the answer.
    pub sealed: String,
}

#[derive(Serialize, Deserialize)]
struct Kept<S> {
    id: Uuid,
    /// Seconds since the epoch.
    until: i64,
    state: S,
}

/// Who a passkey is to be made for.
pub struct Holder<'a> {
    pub user: Uuid,
    pub email: &'a str,
    pub name: &'a str,
}

/// Our side of the ceremonies. One for the process.
pub struct Passkeys(Webauthn);

impl Passkeys {
    /// Nothing where people reach the server by a number: a passkey belongs to a name.
    pub fn of(public_url: &str) -> Result<Option<Passkeys>> {
        let origin = Url::parse(public_url).map_err(Error::internal)?;
        let Some(name) = origin.host_str().filter(|host| host.parse::<IpAddr>().is_err() && !host.starts_with('[')) else {
            return Ok(None);
        };
        let built = WebauthnBuilder::new(name, &origin).and_then(|builder| builder.rp_name("Enamel").build());
        Ok(Some(Passkeys(built.map_err(Error::internal)?)))
    }

    /// Asks for a new passkey that finds its account by itself, on no authenticator that has one of these.
    pub fn register(&self, kernel: &Kernel, holder: &Holder<'_>, held: Vec<CredentialID>) -> Result<Ceremony> {
        let begun = self.0.start_passkey_registration(holder.user, holder.email, holder.name, Some(held));
        let (question, state) = begun.map_err(Error::internal)?;
        let mut options = serde_json::to_value(question).map_err(Error::internal)?["publicKey"].take();
        options["authenticatorSelection"]["residentKey"] = json!("required");
        options["authenticatorSelection"]["requireResidentKey"] = json!(true);
        Ok(Ceremony { options, sealed: seal(kernel, &registering(holder.user), state)? })
    }

    /// The passkey that was made. INVALID for an answer that does not hold.
    pub async fn registered(&self, kernel: &Kernel, scope: &mut Scope, user: Uuid, sealed: &str, credential: &Json) -> Result<Passkey> {
        let fault = |text: &str| Error::new(&error::INVALID).fault("credential", "wrong", text);
        let kept: Kept<PasskeyRegistration> =
            open(kernel, &registering(user), sealed).ok_or_else(|| fault("The passkey was asked for too long ago, or elsewhere."))?;
        let answer: RegisterPublicKeyCredential =
            serde_json::from_value(credential.clone()).map_err(|_| fault("This is no answer of an authenticator."))?;
        if !spend(scope, kept.id, kept.until).await? {
            return Err(fault("The passkey was asked for too long ago, or elsewhere."));
        }
        self.0
            .finish_passkey_registration(&answer, &kept.state)
            .map_err(|refusal| fault("The passkey could not be checked.").because(refusal))
    }

    /// Asks for any passkey of ours; whose it is the answer says.
    pub fn ask(&self, kernel: &Kernel) -> Result<Ceremony> {
        let (question, state) = self.0.start_discoverable_authentication().map_err(Error::internal)?;
        let options = serde_json::to_value(question).map_err(Error::internal)?["publicKey"].take();
        Ok(Ceremony { options, sealed: seal(kernel, SIGNING_IN, state)? })
    }

    async fn answered(&self, kernel: &Kernel, scope: &mut Scope, sealed: &str, answer: &PublicKeyCredential) -> Result<Option<Uuid>> {
        let Some(kept) = open::<DiscoverableAuthentication>(kernel, SIGNING_IN, sealed) else { return Ok(None) };
        let Ok((user, credential)) = self.0.identify_discoverable_authentication(answer) else { return Ok(None) };
        if !spend(scope, kept.id, kept.until).await? {
            return Ok(None);
        }
        let Some(row) = scope.optional(&KEY, &[&user, &credential]).await? else { return Ok(None) };
        let mut passkey: Passkey = serde_json::from_slice(row.try_get("public_key")?).map_err(Error::internal)?;
        let result = match self.0.finish_discoverable_authentication_v2(answer, kept.state, &passkey) {
            Ok(result) if result.user_verified() => result,
            Ok(_) => return Ok(None),
            Err(refusal) => {
                // A counter that goes back is a copy of the authenticator, which its owner should hear of.
                tracing::warn!(copied = matches!(refusal, WebauthnError::CredentialPossibleCompromise), "A passkey was refused");
                return Ok(None);
            }
        };
        passkey.update_credential(&result);
        let (factor, kept): (Uuid, Vec<u8>) = (row.try_get("id")?, serde_json::to_vec(&passkey).map_err(Error::internal)?);
        scope.exec(&USED, &[&factor, &kept, &i64::from(result.counter())]).await?;
        Ok(Some(user))
    }
}

/// The passkeys of this server; a server without a name has none.
pub fn of(kernel: &Kernel) -> Result<&Passkeys> {
    let none = || Error::new(&error::NOT_SUPPORTED).detail("Passkeys need a server that is reached by a name.");
    Service::of(kernel)?.passkeys.as_ref().ok_or_else(none)
}

/// Whose passkey answered. CREDENTIALS_WRONG, whatever the reason. Wrong answers lock nobody out: there is nothing to guess.
pub async fn prove(kernel: &Arc<Kernel>, context: &Context, sealed: &str, credential: &Json) -> Result<Uuid> {
    let service = Service::of(kernel)?;
    service.throttle.admit(sealed, context.origin.as_ref().and_then(|origin| origin.ip))?;
    let passkeys = of(kernel)?;
    let mut scope = kernel.door.open(&grant::behind(context, None)).await?;
    let user = match serde_json::from_value::<PublicKeyCredential>(credential.clone()) {
        Ok(answer) => passkeys.answered(kernel, &mut scope, sealed, &answer).await?,
        Err(_) => None,
    };
    // Spent it is, right or wrong.
    scope.commit().await?;
    if let Some(user) = user {
        return Ok(user);
    }
    let event = audit_store::of(&grant::behind(context, None), "LOGIN_FAILED", Action::Execute, Outcome::Denied, Utc::now());
    kernel.audit.record(event).await?;
    Err(Error::new(&error::CREDENTIALS_WRONG))
}

/// A passkey as it is stored: its credential's id, itself, its counter.
pub fn stored(passkey: &Passkey) -> Result<(Vec<u8>, Vec<u8>)> {
    Ok((passkey.cred_id().clone(), serde_json::to_vec(passkey).map_err(Error::internal)?))
}

fn registering(user: Uuid) -> Vec<u8> {
    [b"passkey of ".as_slice(), user.as_bytes()].concat()
}

fn seal(kernel: &Kernel, place: &[u8], state: impl Serialize) -> Result<String> {
    let kept = Kept { id: Uuid::new_v4(), until: Utc::now().timestamp() + LIVES_S, state };
    let bytes = serde_json::to_vec(&kept).map_err(Error::internal)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(kernel.keys.own().seal(place, &bytes)?))
}

fn open<S: DeserializeOwned>(kernel: &Kernel, place: &[u8], sealed: &str) -> Option<Kept<S>> {
    let bytes = kernel.keys.own().open(place, &BASE64_URL_SAFE_NO_PAD.decode(sealed).ok()?).ok()?;
    let kept: Kept<S> = serde_json::from_slice(&bytes).ok()?;
    (kept.until > Utc::now().timestamp()).then_some(kept)
}

async fn spend(scope: &mut Scope, ceremony: Uuid, until: i64) -> Result<bool> {
    let (id, hash) = (scope.new_id(), Sha256::digest([b"passkey ".as_slice(), ceremony.as_bytes()].concat()).to_vec());
    let until = chrono::DateTime::from_timestamp(until, 0).ok_or_else(|| Error::internal("a ceremony without an end"))?;
    Ok(scope.exec(&SPEND, &[&id, &hash, &until]).await? == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_a_name_has_no_passkeys() {
        for (url, has) in [
            ("https://enamel.example", true),
            ("http://localhost:8080", true),
            ("http://127.0.0.1:8080", false),
            ("http://[::1]:8080", false),
        ] {
            assert_eq!(Passkeys::of(url).unwrap().is_some(), has, "{url}");
        }
    }
}
