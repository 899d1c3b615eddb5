//! Somebody who may do everything in one clinic, with a session as sign-in makes it.

use enamel::identity::token::{Kind, Token};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value as Json, json};
use tokio_postgres::Client;
use uuid::Uuid;

#[derive(Clone)]
pub struct Staff {
    pub tenant: Uuid,
    pub http: reqwest::Client,
    base_url: String,
    token: String,
}

impl Staff {
    pub async fn new(truth: &Client, base_url: &str) -> Staff {
        let (tenant, user) = (Uuid::now_v7(), Uuid::now_v7());
        let slug = format!("t-{}", tenant.simple());
        truth
            .execute(
                "insert into enamel.tenants (id, name, slug, type, root_tenant_id, jurisdiction, default_currency, time_zone)
             values ($1, $2, $2, 'GROUP_PRACTICE', $1, 'DE', 'EUR', 'Europe/Berlin')",
                &[&tenant, &slug],
            )
            .await
            .unwrap();
        truth
            .execute(
                "insert into enamel.users (id, email, full_name, status) values ($1, $2, 'Test Person', 'ACTIVE')",
                &[&user, &format!("{slug}@people.example")],
            )
            .await
            .unwrap();
        Staff::of(truth, base_url, tenant, user).await
    }
    /// A login that exists becomes administrator of a tenant that exists.
    pub async fn of(truth: &Client, base_url: &str, tenant: Uuid, user: Uuid) -> Staff {
        truth
            .execute(
                "insert into enamel.user_tenants (tenant_id, id, user_id, user_type, status) values ($1, $2, $3, 'ADMIN', 'ACTIVE')",
                &[&tenant, &Uuid::now_v7(), &user],
            )
            .await
            .unwrap();
        truth
            .execute(
                "insert into enamel.user_roles (tenant_id, id, user_id, role_tenant_id, role_id)
             select $1, $2, $3, tenant_id, id from enamel.roles
              where code = 'TENANT_ADMIN' and tenant_id = '00000000-0000-7000-8000-000000000001'",
                &[&tenant, &Uuid::now_v7(), &user],
            )
            .await
            .unwrap();
        let token = Token::new(Kind::Access).unwrap();
        truth
            .execute(
                "insert into enamel.sessions (id, user_id, active_tenant_id, last_activity_at, token_hash, auth_method, expires_at)
             values ($1, $2, $3, now(), $4, 'PASSWORD', now() + interval '1 hour')",
                &[&Uuid::now_v7(), &user, &tenant, &token.hash().as_bytes()],
            )
            .await
            .unwrap();
        Staff { tenant, http: reqwest::Client::new(), base_url: base_url.to_owned(), token: token.expose().to_owned() }
    }
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/api/v1{path}", self.base_url)).bearer_auth(&self.token)
    }
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }
    pub fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }
    pub async fn patient(&self, last_name: &str) -> Json {
        let made = self.post("/patients").json(&json!({"first_name": "Test", "last_name": last_name})).send().await.unwrap();
        assert_eq!(made.status(), 201);
        made.json().await.unwrap()
    }
}
