//! The metadata of an application that registers itself (RFC 7591 §2, OpenID Connect Dynamic Client Registration 1.0 §2). What is
//! not understood is passed over; what is registered is what the answer says.

use super::jwt;
use super::refusal::Refusal;
use crate::identity::scope::{self, Level};
use crate::kernel::table::form::is_address;
use serde_json::{Map, Value as Json, json};

const TEXT_MAX: usize = 300;
const ADDRESS_MAX: usize = 2_000;
const LIST_MAX: usize = 50;

pub struct App {
    pub client_type: &'static str,
    pub software_id: String,
    pub software_version: Option<String>,
    pub name: String,
    pub auth_method: &'static str,
    pub jwks: Option<Json>,
    pub jwks_uri: Option<String>,
    pub redirect_uris: Vec<String>,
    pub launch_uri: Option<String>,
    pub logout_uris: Vec<String>,
    pub backchannel_logout_uri: Option<String>,
    pub client_uri: Option<String>,
    pub logo_uri: Option<String>,
    pub tos_uri: Option<String>,
    pub policy_uri: Option<String>,
    pub scopes: Vec<String>,
    pub grant_types: Vec<&'static str>,
}

fn wrong(why: &'static str) -> Refusal {
    Refusal::new("invalid_client_metadata", why)
}

/// Left out and null are one.
fn text(says: &Map<String, Json>, name: &str, max: usize, why: &'static str) -> Result<Option<String>, Refusal> {
    match says.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) if !text.trim().is_empty() && text.chars().count() <= max && !text.contains('\0') => {
            Ok(Some(text.clone()))
        }
        _ => Err(wrong(why)),
    }
}

fn address(says: &Map<String, Json>, name: &str, why: &'static str) -> Result<Option<String>, Refusal> {
    let found = text(says, name, ADDRESS_MAX, why)?;
    if found.as_deref().is_some_and(|uri| !is_address(uri)) { Err(wrong(why)) } else { Ok(found) }
}

fn texts(says: &Map<String, Json>, name: &str, refusal: impl Fn() -> Refusal) -> Result<Option<Vec<String>>, Refusal> {
    match says.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Array(list)) if list.len() <= LIST_MAX => {
            list.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<_>>().map(Some).ok_or_else(refusal)
        }
        _ => Err(refusal()),
    }
}

fn addresses(says: &Map<String, Json>, name: &str, refusal: impl Fn() -> Refusal) -> Result<Vec<String>, Refusal> {
    let list = texts(says, name, &refusal)?.unwrap_or_default();
    let good = list.iter().all(|uri| uri.len() <= ADDRESS_MAX && is_address(uri));
    if good { Ok(list) } else { Err(refusal()) }
}

impl App {
    /// `software_id`: as the vendor has signed it.
    pub fn read(says: &Map<String, Json>, software_id: Option<String>) -> Result<App, Refusal> {
        let software_id = software_id.filter(|id| (1..=TEXT_MAX).contains(&id.chars().count()) && !id.contains('\0'));
        let software_id = software_id.ok_or_else(|| wrong("software_id stands in the statement, with 300 characters at most."))?;
        let auth_method = auth_method(says)?;
        let (client_type, grant_types) = kind(says, auth_method)?;
        let (jwks, jwks_uri) = keys(says, auth_method)?;
        let bad_redirect = || Refusal::new("invalid_redirect_uri", "Each is https, or http on the loopback address, without a fragment.");
        let redirect_uris = addresses(says, "redirect_uris", bad_redirect)?;
        if (client_type == "BACKEND") != redirect_uris.is_empty() {
            let why = "An application for people needs redirect_uris; one that acts by itself has none.";
            return Err(Refusal::new("invalid_redirect_uri", why));
        }
        Ok(App {
            client_type,
            software_id,
            software_version: text(says, "software_version", TEXT_MAX, "software_version is a text of 300 characters at most.")?,
            name: text(says, "client_name", TEXT_MAX, "client_name is a text of 300 characters at most.")?
                .ok_or_else(|| wrong("client_name is needed: people are asked about it by that name."))?,
            auth_method,
            jwks,
            jwks_uri,
            redirect_uris,
            launch_uri: address(says, "initiate_login_uri", "initiate_login_uri is an https address.")?,
            logout_uris: addresses(says, "post_logout_redirect_uris", || wrong("post_logout_redirect_uris are https addresses."))?,
            backchannel_logout_uri: address(says, "backchannel_logout_uri", "backchannel_logout_uri is an https address.")?,
            client_uri: address(says, "client_uri", "client_uri is an https address.")?,
            logo_uri: address(says, "logo_uri", "logo_uri is an https address.")?,
            tos_uri: address(says, "tos_uri", "tos_uri is an https address.")?,
            policy_uri: address(says, "policy_uri", "policy_uri is an https address.")?,
            scopes: scopes(says, client_type)?,
            grant_types,
        })
    }

    pub fn keeps_secret(&self) -> bool {
        self.auth_method.starts_with("client_secret")
    }

    /// As it is registered (§3.2.1).
    pub fn told(&self) -> Map<String, Json> {
        let people = self.client_type != "BACKEND";
        let told = json!({
            "software_id": self.software_id, "software_version": self.software_version, "client_name": self.name,
            "token_endpoint_auth_method": self.auth_method, "grant_types": self.grant_types,
            "response_types": people.then_some(["code"]), "scope": self.scopes.join(" "), "jwks": self.jwks, "jwks_uri": self.jwks_uri,
            "redirect_uris": people.then_some(&self.redirect_uris), "initiate_login_uri": self.launch_uri,
            "post_logout_redirect_uris": people.then_some(&self.logout_uris), "backchannel_logout_uri": self.backchannel_logout_uri,
            "client_uri": self.client_uri, "logo_uri": self.logo_uri, "tos_uri": self.tos_uri, "policy_uri": self.policy_uri,
        });
        let told = if let Json::Object(told) = told { told } else { Map::new() };
        told.into_iter().filter(|(_, value)| !value.is_null()).collect()
    }
}

fn auth_method(says: &Map<String, Json>) -> Result<&'static str, Refusal> {
    let why = "token_endpoint_auth_method is none, client_secret_basic, client_secret_post or private_key_jwt.";
    let asked = text(says, "token_endpoint_auth_method", TEXT_MAX, why)?;
    let asked = asked.as_deref().unwrap_or("client_secret_basic");
    let known = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"];
    known.into_iter().find(|method| *method == asked).ok_or_else(|| wrong(why))
}

/// A client acts for people or by itself, never both.
fn kind(says: &Map<String, Json>, auth_method: &str) -> Result<(&'static str, Vec<&'static str>), Refusal> {
    let asked = texts(says, "grant_types", || wrong("grant_types is a list of texts."))?;
    let asked = asked.unwrap_or_else(|| vec!["authorization_code".to_owned()]);
    let (itself, people) =
        (asked.iter().any(|grant| grant == "client_credentials"), asked.iter().any(|grant| grant == "authorization_code"));
    let response = texts(says, "response_types", || wrong("response_types is a list of texts."))?;
    if people && response.is_some_and(|types| types != ["code"]) {
        return Err(wrong("response_types is code."));
    }
    match (itself, people, auth_method) {
        (true, false, "none") => Err(wrong("A client that acts by itself proves itself.")),
        (true, false, _) => Ok(("BACKEND", vec!["client_credentials"])),
        (false, true, "none") => Ok(("PUBLIC", vec!["authorization_code", "refresh_token"])),
        (false, true, _) => Ok(("CONFIDENTIAL", vec!["authorization_code", "refresh_token"])),
        _ => Err(wrong("grant_types has authorization_code, for people, or client_credentials.")),
    }
}

fn keys(says: &Map<String, Json>, auth_method: &str) -> Result<(Option<Json>, Option<String>), Refusal> {
    if auth_method != "private_key_jwt" {
        return Ok((None, None));
    }
    let at = address(says, "jwks_uri", "jwks_uri is an https address.")?;
    match (says.get("jwks").filter(|keys| !keys.is_null()), at) {
        (Some(keys), None) => jwt::keys(keys.to_string().as_bytes()).map_err(wrong).map(|_| (Some(keys.clone()), None)),
        (None, Some(uri)) => Ok((None, Some(uri))),
        _ => Err(wrong("private_key_jwt needs jwks or jwks_uri, not both.")),
    }
}

/// The words that are served here.
fn scopes(says: &Map<String, Json>, client_type: &str) -> Result<Vec<String>, Refusal> {
    let asked = text(says, "scope", ADDRESS_MAX * 2, "scope is a text.")?.unwrap_or_default();
    let level = |word: &str| scope::Resource::parse(word).map(|scope| scope.level);
    let fits = |word: &&str| match client_type {
        "BACKEND" => level(word) == Some(Level::System),
        _ => scope::known(word) && level(word) != Some(Level::System),
    };
    let mut scopes: Vec<String> = Vec::new();
    for word in asked.split_ascii_whitespace().filter(fits) {
        if !scopes.iter().any(|held| held == word) {
            scopes.push(word.to_owned());
        }
    }
    match scopes.len() {
        1..=LIST_MAX => Ok(scopes),
        _ => Err(wrong("scope names between 1 and 50 SMART scopes; those of an application that acts by itself are of the system.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(changes: Json) -> Result<App, &'static str> {
        let mut says = json!({"client_name": "Charts", "redirect_uris": ["https://app.example/back"], "scope": "openid user/Patient.rs x"});
        says.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        App::read(says.as_object().unwrap(), Some("charts".into())).map_err(|refusal| refusal.error)
    }

    #[test]
    fn an_application_is_what_its_metadata_make_it() {
        let app = read(json!({})).unwrap();
        assert_eq!((app.client_type, app.auth_method, app.keeps_secret()), ("CONFIDENTIAL", "client_secret_basic", true));
        assert_eq!(app.scopes, ["openid", "user/Patient.rs"], "what is not served is left out");
        assert_eq!(read(json!({"token_endpoint_auth_method": "none"})).unwrap().client_type, "PUBLIC");
        let own = json!({"grant_types": ["client_credentials"], "redirect_uris": null, "scope": "system/Patient.rs"});
        let told = read(own).unwrap().told();
        assert!(told["grant_types"] == json!(["client_credentials"]) && !told.contains_key("redirect_uris"), "{told:?}");
    }

    #[test]
    fn what_cannot_be_registered_is_refused_by_its_name() {
        let key = json!({"kty": "oct", "k": "c2VjcmV0", "kid": "shared"});
        for (changes, error) in [
            (json!({"redirect_uris": ["http://app.example/"]}), "invalid_redirect_uri"),
            (json!({"redirect_uris": []}), "invalid_redirect_uri"),
            (json!({"redirect_uris": "https://app.example/"}), "invalid_redirect_uri"),
            (json!({"client_name": null}), "invalid_client_metadata"),
            (json!({"client_name": 1}), "invalid_client_metadata"),
            (json!({"scope": "nothing"}), "invalid_client_metadata"),
            (json!({"scope": "system/Patient.rs"}), "invalid_client_metadata"),
            (json!({"grant_types": ["implicit"]}), "invalid_client_metadata"),
            (json!({"grant_types": ["authorization_code", "client_credentials"]}), "invalid_client_metadata"),
            (json!({"response_types": ["token"]}), "invalid_client_metadata"),
            (json!({"token_endpoint_auth_method": "client_secret_jwt"}), "invalid_client_metadata"),
            (json!({"token_endpoint_auth_method": "private_key_jwt"}), "invalid_client_metadata"),
            (json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key]}}), "invalid_client_metadata"),
            (json!({"logo_uri": "ftp://app.example/logo"}), "invalid_client_metadata"),
        ] {
            assert_eq!(read(changes.clone()).err(), Some(error), "{changes}");
        }
    }
}
