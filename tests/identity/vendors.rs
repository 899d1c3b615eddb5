//! Vendors whose statements the platform believes, and what they register.

use super::backend::Key;
use super::oauth::REDIRECT;
use crate::world::World;
use crate::world::people::text;
use crate::world::tenants::Clinic;
use enamel::kernel::context::PLATFORM_TENANT;
use serde_json::{Value as Json, json};
use uuid::Uuid;

pub async fn platform(world: &'static World) -> String {
    Clinic { id: PLATFORM_TENANT, world }.token("PLATFORM_ADMIN").await
}

pub struct Vendor {
    pub world: &'static World,
    pub id: String,
    pub issuer: String,
    pub key: Key,
    /// Of somebody of the platform.
    pub token: String,
}

fn changed(mut json: Json, changes: &Json) -> Json {
    let all = json.as_object_mut().unwrap();
    all.extend(changes.as_object().unwrap().clone());
    all.retain(|_, value| !value.is_null());
    json
}

impl Vendor {
    pub async fn approved(world: &'static World) -> Vendor {
        let (token, key) = (platform(world).await, Key::ec());
        let issuer = format!("https://{}.vendor.example", Uuid::now_v7());
        let body = json!({"name": "Vendor", "issuer": issuer, "jwks": {"keys": [key.public("one")]}});
        let (status, made) = world.post(Some(&token), "/app-vendors", body).await;
        assert_eq!((status, &made["status"]), (201, &json!("ACTIVE")), "{made}");
        Vendor { world, id: text(&made, "id"), issuer, key, token }
    }

    /// What it says of an application, unsigned; null takes a claim away.
    pub fn claims(&self, changes: &Json) -> Json {
        let now = chrono::Utc::now().timestamp();
        let says = json!({"iss": self.issuer, "iat": now, "exp": now + 300, "jti": Uuid::now_v7(), "software_id": "charts",
            "client_name": "Chart <app>", "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none",
            "scope": "openid offline_access launch launch/patient user/*.cruds patient/*.rs"});
        changed(says, changes)
    }

    pub fn sign(&self, claims: &Json) -> String {
        self.key.sign(&json!({"alg": self.key.algorithm(), "typ": "JWT", "kid": "one"}), claims)
    }

    pub async fn shows(&self, statement: &str, mut body: Json) -> (u16, Json) {
        body["software_statement"] = json!(statement);
        register(self.world, &body).await
    }

    pub async fn states(&self, changes: Json) -> (u16, Json) {
        self.shows(&self.sign(&self.claims(&changes)), json!({})).await
    }

    pub async fn registers(&self, changes: Json) -> App {
        let (status, made) = self.states(changes).await;
        assert_eq!(status, 201, "{made}");
        App { secret: made["client_secret"].as_str().map(str::to_owned), ..self.app(text(&made, "client_id")).await }
    }

    /// The application of that public id.
    pub async fn app(&self, client: String) -> App {
        let (_, found) = self.world.get(Some(&self.token), &format!("/vendor-apps?client_id={client}")).await;
        App { world: self.world, id: text(&found["items"][0], "id"), client, secret: None }
    }

    pub async fn moves(&self, verb: &str) {
        let body = if verb == "suspend" { json!({"reason": "Its key is in other hands."}) } else { json!({}) };
        let (status, told) = self.world.post(Some(&self.token), &format!("/app-vendors/{}/{verb}", self.id), body).await;
        assert_eq!(status, 200, "{told}");
    }
}

pub async fn register(world: &World, body: &Json) -> (u16, Json) {
    let answer = world.http.post(format!("{}/oauth2/register", world.base_url)).json(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// An application of a vendor.
pub struct App {
    pub world: &'static World,
    pub id: String,
    pub client: String,
    pub secret: Option<String>,
}

impl App {
    /// The id of the client it is in that clinic.
    pub async fn admitted(&self, clinic: &Clinic, scopes: &[&str]) -> String {
        let (status, made) = self.asks_admission(&clinic.token("TENANT_ADMIN").await, json!({"scopes": scopes})).await;
        assert_eq!((status, &made["client_id"]), (201, &json!(self.client)), "{made}");
        text(&made, "id")
    }

    pub async fn asks_admission(&self, token: &str, body: Json) -> (u16, Json) {
        self.world.post(Some(token), &format!("/vendor-apps/{}/admit", self.id), body).await
    }
}
