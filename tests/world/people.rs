//! People and programs of one test, and the tokens with which they call over HTTP.

use super::World;
use super::tenants::Clinic;
use enamel::identity::service::Service;
use enamel::kernel::context::PLATFORM_TENANT;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// Somebody who can sign in.
pub struct Person {
    pub id: Uuid,
    pub email: String,
}

pub const PASSWORD: &str = "three blue molars on a shelf";

impl World {
    /// A login of nobody's tenant.
    pub async fn person(&'static self) -> Person {
        let id = Uuid::now_v7();
        let email = format!("p-{}@people.example", id.simple());
        let truth = self.truth().await;
        truth
            .execute("insert into enamel.users (id, email, full_name, status) values ($1, $2, 'Test Person', 'ACTIVE')", &[&id, &email])
            .await
            .unwrap();
        Person { id, email }
    }

    /// A password for them, as the server itself stores it; hashed once for all.
    pub async fn give_password(&self, user: Uuid) {
        static HASH: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();
        let hash =
            HASH.get_or_init(|| async { Service::of(&self.kernel).unwrap().passwords.hash(None, PASSWORD.into()).await.unwrap() }).await;
        self.store_hash(user, hash, "ARGON2ID").await;
    }
    pub async fn store_hash(&self, user: Uuid, hash: &str, algorithm: &str) {
        self.truth().await.execute(
            "insert into enamel.user_auth_identities (id, user_id, kind, password_hash, password_algorithm) values ($1, $2, 'PASSWORD', $3, $4)",
            &[&Uuid::now_v7(), &user, &hash, &algorithm],
        ).await.unwrap();
    }

    /// One request of somebody, or of nobody, to the API.
    pub async fn post(&self, token: Option<&str>, path: &str, body: Json) -> (u16, Json) {
        let request = self.http.post(format!("{}/api/v1{path}", self.base_url)).json(&body);
        answer(request, token).await
    }
    pub async fn get(&self, token: Option<&str>, path: &str) -> (u16, Json) {
        answer(self.http.get(format!("{}/api/v1{path}", self.base_url)), token).await
    }

    /// A request to either contract, by its whole path; over REST a change is one of the first version.
    pub async fn patch(&self, token: &str, path: &str, version: i64, body: Json) -> (u16, Json) {
        let request = self.http.patch(format!("{}/api/v1{path}", self.base_url)).header("if-match", format!("W/\"{version}\""));
        let answer = request.bearer_auth(token).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }
    pub async fn delete(&self, token: &str, path: &str, version: i64) -> u16 {
        let request = self.http.delete(format!("{}/api/v1{path}", self.base_url)).header("if-match", format!("W/\"{version}\""));
        request.bearer_auth(token).send().await.unwrap().status().as_u16()
    }
    pub async fn ask(&self, token: &str, method: reqwest::Method, path: &str, body: Option<&Json>) -> (u16, Json) {
        let fhir = path.starts_with("/fhir");
        let mut request = self.http.request(method, format!("{}{path}", self.base_url));
        if !fhir {
            request = request.header("if-match", "W/\"1\"");
        }
        if let Some(body) = body {
            request =
                request.header("content-type", if fhir { "application/fhir+json" } else { "application/json" }).body(body.to_string());
        }
        answer(request, Some(token)).await
    }

    /// What signing in answers.
    pub async fn sign_in(&self, person: &Person, tenant: Option<Uuid>) -> Json {
        let (status, body) =
            self.post(None, "/sessions/sign-in", json!({"email": person.email, "password": PASSWORD, "tenant": tenant})).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// The token endpoint, with or without the client's secret in the header.
    pub async fn exchange(&self, client: Option<(&str, &str)>, form: &[(&str, &str)]) -> (u16, Json) {
        let mut request = self.http.post(format!("{}/oauth2/token", self.base_url)).form(form);
        if let Some((id, secret)) = client {
            request = request.basic_auth(id, Some(secret));
        }
        answer(request, None).await
    }
}

impl Clinic {
    /// A member with one of the shared roles, who can sign in with [`PASSWORD`].
    pub async fn employee(&self, role: &str) -> Person {
        let person = self.world.person().await;
        self.give_membership(&person, role).await;
        self.world.give_password(person.id).await;
        person
    }

    pub async fn give_membership(&self, person: &Person, role: &str) {
        let truth = self.world.truth().await;
        truth
            .execute(
                "insert into enamel.user_tenants (tenant_id, id, user_id, user_type, status) values ($1, $2, $3, 'ADMIN', 'ACTIVE')",
                &[&self.id, &Uuid::now_v7(), &person.id],
            )
            .await
            .unwrap();
        let given = truth
            .execute(
                "insert into enamel.user_roles (tenant_id, id, user_id, role_tenant_id, role_id)
             select $1, $2, $3, o.tenant_id, o.id from enamel.roles o where o.tenant_id = $4 and o.code = $5",
                &[&self.id, &Uuid::now_v7(), &person.id, &PLATFORM_TENANT, &role],
            )
            .await
            .unwrap();
        assert_eq!(given, 1, "a role {role}");
    }

    /// A registered program: its public id and its secret.
    pub async fn client(&self, scope: &str) -> (String, String) {
        let admin = self.token("TENANT_ADMIN").await;
        let scopes: Vec<&str> = scope.split(' ').collect();
        let (status, made) =
            self.world.post(Some(&admin), "/api-clients", json!({"name": "Integration", "client_type": "BACKEND", "scopes": scopes})).await;
        assert_eq!(status, 201, "{made}");
        (text(&made, "client_id"), text(&made, "client_secret"))
    }

    /// The access token of a new program, by client credentials: `system/*.cruds`, `system/Patient.rs`, …
    pub async fn client_token(&self, scope: &str) -> String {
        let (id, secret) = self.client(scope).await;
        let (status, made) = self.world.exchange(Some((&id, &secret)), &[("grant_type", "client_credentials"), ("scope", scope)]).await;
        assert_eq!(status, 200, "{made}");
        text(&made, "access_token")
    }
}

async fn answer(request: reqwest::RequestBuilder, token: Option<&str>) -> (u16, Json) {
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Json::Null))
}

pub fn text(body: &Json, name: &str) -> String {
    body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}")).to_owned()
}
