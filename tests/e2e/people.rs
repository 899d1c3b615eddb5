//! Who works in the main job: programs and people with the tokens they got by signing in.

use super::house::House;
use crate::identity::browser::Browser;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::{Method, Response};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

/// Somebody with an access token.
pub struct Caller<'h> {
    house: &'h House,
    token: String,
}

impl House {
    /// A tenant's back-end integration, by client credentials.
    pub async fn integration(&self, slug: &str) -> Caller<'_> {
        let client = &self.tenant(slug)["clients"][0];
        let asked = self
            .http
            .post(self.url("/oauth2/token"))
            .basic_auth(client["client_id"].as_str().unwrap(), client["client_secret"].as_str())
            .form(&[("grant_type", "client_credentials"), ("scope", client["scope"].as_str().unwrap())]);
        self.token_of(asked.send().await.unwrap()).await
    }

    /// With a password, straight at the API.
    pub async fn by_password(&self, slug: &str, email: &str) -> Caller<'_> {
        let user = self.user(slug, email);
        let asked = self
            .http
            .post(self.url("/api/v1/sessions/sign-in"))
            .json(&json!({"email": email, "password": user["password"], "tenant": slug}));
        self.token_of(asked.send().await.unwrap()).await
    }

    /// In a browser, from the tenant's app over our sign-in page to the tenant's own OIDC provider and back (RFC 7636).
    pub async fn by_oidc(&self, slug: &str, email: &str) -> Caller<'_> {
        let (app, user) = (&self.tenant(slug)["clients"][1], self.user(slug, email));
        let (client_id, redirect) = (app["client_id"].as_str().unwrap(), app["redirect_uris"][0].as_str().unwrap());
        let verifier = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
        let mut start = reqwest::Url::parse(&self.url("/oauth2/authorize")).unwrap();
        start.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", redirect),
            ("state", "e2e"),
            ("scope", "openid fhirUser user/*.cruds"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("aud", &self.url("/fhir/r4")),
        ]);
        let mut browser = Browser::new();
        let page = browser.get(start.as_str()).await;
        let ours = browser.follow(page, redirect).await;
        assert_eq!(ours.status, 200, "our sign-in page: {}", ours.body);
        let provider = ours.link_to("/signin/oidc/").unwrap_or_else(|| panic!("no provider on {}: {}", ours.url, ours.body));
        let sent = browser.get(&self.url(&provider)).await;
        let theirs = browser.follow(sent, redirect).await;
        assert!(theirs.url.as_str().starts_with(self.issuer()), "the provider's page, not {}", theirs.url);
        let signed = browser.submit(&theirs, &[("email", email), ("password", user["password"].as_str().unwrap())]).await;
        let mut back = browser.follow(signed, redirect).await;
        if back.location.is_none() && back.form_action().is_some() {
            let agreed = browser.submit(&back, &[("decision", "allow")]).await;
            back = browser.follow(agreed, redirect).await;
        }
        let target = back.location.unwrap_or_else(|| panic!("no way back from {}: {}", back.url, back.body));
        let code = reqwest::Url::parse(&target).unwrap().query_pairs().find(|(name, _)| name == "code").map(|(_, code)| code.into_owned());
        let code = code.unwrap_or_else(|| panic!("no code in {target}"));
        let asked = self.http.post(self.url("/oauth2/token")).form(&[
            ("grant_type", "authorization_code"),
            ("client_id", client_id),
            ("code", &code),
            ("redirect_uri", redirect),
            ("code_verifier", &verifier),
        ]);
        self.token_of(asked.send().await.unwrap()).await
    }

    fn user(&self, slug: &str, email: &str) -> &Json {
        self.tenant(slug)["users"].as_array().unwrap().iter().find(|user| user["email"] == email).unwrap()
    }

    async fn token_of(&self, answer: Response) -> Caller<'_> {
        let status = answer.status();
        let body: Json = answer.json().await.unwrap();
        assert_eq!(status, 200, "no token: {body}");
        Caller { house: self, token: body["access_token"].as_str().unwrap().to_owned() }
    }
}

impl Caller<'_> {
    pub async fn send(&self, method: Method, path: &str, body: Option<&Json>) -> Response {
        let mut request = self.house.http.request(method, self.house.url(path)).bearer_auth(&self.token);
        if let Some(body) = body {
            let media = if path.starts_with("/fhir/") { "application/fhir+json" } else { "application/json" };
            request = request.header("content-type", media).body(body.to_string());
        }
        request.send().await.unwrap()
    }
    /// The JSON of an answer that must succeed.
    pub async fn get(&self, path: &str) -> Json {
        let answer = self.send(Method::GET, path, None).await;
        assert_eq!(answer.status(), 200, "GET {path}: {}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    }
    pub async fn post(&self, path: &str, body: &Json) -> Json {
        let answer = self.send(Method::POST, path, Some(body)).await;
        assert!(answer.status().is_success(), "POST {path}: {} {}", answer.status(), answer.text().await.unwrap());
        answer.json().await.unwrap()
    }
    pub async fn status(&self, path: &str) -> u16 {
        self.send(Method::GET, path, None).await.status().as_u16()
    }
    /// All pages of a list.
    pub async fn list(&self, path: &str) -> Vec<Json> {
        let (mut items, mut next): (Vec<Json>, Option<String>) = (Vec::new(), None);
        loop {
            let mut url = reqwest::Url::parse(&self.house.url(path)).unwrap();
            if let Some(cursor) = &next {
                url.query_pairs_mut().append_pair("cursor", cursor);
            }
            let page = self.get(&url.as_str()[self.house.base_url.len()..]).await;
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(cursor) => next = Some(cursor.to_owned()),
                None => return items,
            }
        }
    }
}
