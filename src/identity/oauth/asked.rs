//! An authorization request whose client and address are sure. Before that a refusal is a page; after it goes back to the
//! application.

use super::client::Client;
use super::handle::{self, Launch};
use super::place::Place;
use super::{Form, fhir_base};
use crate::identity::browser;
use crate::identity::pkce::Challenge;
use crate::identity::resolve::Bearer;
use crate::identity::scope::{self, Level};
use crate::kernel::Caller;
use crate::kernel::context::Plane;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::form::is_address;
use poem::Response;
use uuid::Uuid;

const NONCE_MAX: usize = 300;

pub struct Asked {
    pub client: Client,
    pub redirect: String,
    state: Option<String>,
    /// As the browser brought it: the pages carry it along.
    pub query: String,
    pub form: Form,
}

/// Who asks, for the sign-in page.
pub async fn asking(caller: &Caller, query: &str) -> Result<Client> {
    Ok(Asked::read(caller, query, None).await?.client)
}

/// An unknown client and an address that is not its own are one answer, and nobody is sent anywhere.
fn unknown() -> Error {
    Error::new(&error::PARAMETER_INVALID).detail("The application is not known, or it asked for an address that is not registered.")
}

impl Asked {
    /// As it stands in the address, or as the application has pushed it before (RFC 9126). `here`: the tenant in which the
    /// browser's person is signed in.
    pub async fn read(caller: &Caller, query: &str, here: Option<Uuid>) -> Result<Asked> {
        let form = Form::parse(query.as_bytes())?;
        let place = Place { here, ..Place::of(&form) };
        let client = Client::find(caller, form.get("client_id").ok_or_else(unknown)?, &place).await?.ok_or_else(unknown)?;
        let form = match form.get("request_uri") {
            None => form,
            Some(uri) => handle::pushed(caller, &client, uri).await?.ok_or_else(unknown)?,
        };
        Asked::of(client, form, query)
    }

    pub fn of(client: Client, form: Form, query: &str) -> Result<Asked> {
        let own = |uri: &&str| is_address(uri) && client.redirects.iter().any(|held| held == uri);
        let redirect = form.get("redirect_uri").filter(own).ok_or_else(unknown)?.to_owned();
        let state = form.get("state").map(str::to_owned);
        Ok(Asked { client, redirect, state, query: query.to_owned(), form })
    }

    /// Back to the application, with the state it gave and who we are (RFC 9207).
    pub fn back(&self, caller: &Caller, pairs: &[(&str, &str)]) -> Result<Response> {
        let mut url = openidconnect::url::Url::parse(&self.redirect).map_err(Error::internal)?;
        let state = self.state.iter().map(|state| ("state", state.as_str()));
        let iss = ("iss", caller.kernel.config.server.public_url.as_str());
        url.query_pairs_mut().extend_pairs(pairs.iter().copied().chain(state).chain([iss]));
        Ok(browser::redirect(url.as_str()))
    }

    /// The words of RFC 6749 §4.1.2.1 for a request that cannot be granted at all.
    pub fn fault(&self, caller: &Caller) -> Option<&'static str> {
        if self.form.get("request").is_some() {
            return Some("request_not_supported");
        }
        if self.form.get("response_type") != Some("code") || self.form.get("response_mode").is_some_and(|mode| mode != "query") {
            return Some("unsupported_response_type");
        }
        if !self.client.may("authorization_code") {
            return Some("unauthorized_client");
        }
        // A token for another server's address would be that server's to keep.
        let base = fhir_base(&caller.kernel);
        let meant = |name: &str| self.form.get(name).is_none_or(|aud| aud.trim_end_matches('/') == base);
        let nonce = self.form.get("nonce").is_none_or(|nonce| nonce.len() <= NONCE_MAX);
        let launches = self.form.get("launch").is_none() || self.form.get("aud").is_some();
        let right = meant("aud") && meant("resource") && nonce && launches && self.challenge().is_ok();
        (!right).then_some("invalid_request")
    }

    pub fn challenge(&self) -> Result<Challenge> {
        Challenge::read(self.form.get("code_challenge"), self.form.get("code_challenge_method"))
    }

    /// What this person can grant: a patient's words to those who have a chart or may open one, a launch's with a launch.
    pub fn scopes(&self, bearer: &Bearer, launch: Option<&Launch>) -> Vec<String> {
        let patients = matches!(bearer.context.plane, Plane::Patient | Plane::Staff);
        scope::granted(self.form.get("scope"), &self.client.scopes)
            .into_iter()
            .filter(|word| match scope::Resource::parse(word).map(|scope| scope.level) {
                Some(Level::System) => false,
                Some(Level::Patient) => patients,
                Some(Level::User) => true,
                None => match word.as_str() {
                    scope::LAUNCH => launch.is_some(),
                    scope::LAUNCH_ENCOUNTER => launch.is_some_and(|launch| launch.encounter.is_some()),
                    scope::LAUNCH_PATIENT => patients,
                    _ => true,
                },
            })
            .collect()
    }
}

/// Whether a grant of these words is for one patient.
pub fn names_a_patient(scopes: &[String]) -> bool {
    scopes.iter().any(|word| word == scope::LAUNCH_PATIENT) || scope::of_a_patient(scopes)
}
