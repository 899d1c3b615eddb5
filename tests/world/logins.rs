//! Real tokens for the tests' own people: sessions as sign-in makes them.

use super::World;
use super::tenants::Clinic;
use enamel::identity::token::{Kind, Token};
use uuid::Uuid;

impl World {
    /// A login of the installation.
    pub async fn user(&self) -> Uuid {
        let id = Uuid::now_v7();
        let email = format!("{}@people.example", id.simple());
        let truth = self.truth().await;
        truth
            .execute("insert into enamel.users (id, email, full_name, status) values ($1, $2, 'Test Person', 'ACTIVE')", &[&id, &email])
            .await
            .unwrap();
        id
    }
    /// A session and its access token.
    pub async fn session(&self, user: Uuid, tenant: Option<Uuid>) -> String {
        let token = Token::new(Kind::Access).unwrap();
        let truth = self.truth().await;
        truth
            .execute(
                "insert into enamel.sessions (id, user_id, active_tenant_id, last_activity_at, token_hash, auth_method, expires_at)
             values ($1, $2, $3, now(), $4, 'PASSWORD', now() + interval '1 hour')",
                &[&Uuid::now_v7(), &user, &tenant, &token.hash().as_bytes()],
            )
            .await
            .unwrap();
        token.expose().to_owned()
    }
    /// A patient login with an active portal account for each (tenant, patient).
    pub async fn patient_login(&self, charts: &[(Uuid, Uuid)]) -> Uuid {
        let user = self.user().await;
        let truth = self.truth().await;
        for (tenant, patient) in charts {
            truth.execute(
                "insert into enamel.patient_portal_accounts (tenant_id, id, patient_id, user_id, status) values ($1, $2, $3, $4, 'ACTIVE')",
                &[tenant, &Uuid::now_v7(), patient, &user],
            ).await.unwrap();
        }
        user
    }
    /// The same, signed in.
    pub async fn patient_token(&self, charts: &[(Uuid, Uuid)]) -> (Uuid, String) {
        let user = self.patient_login(charts).await;
        (user, self.session(user, None).await)
    }
}

impl Clinic {
    /// A member with that shared role, and an access token of theirs.
    pub async fn token(&self, role: &str) -> String {
        let user = self.member(role).await;
        self.world.session(user, Some(self.id)).await
    }
    pub async fn member(&self, role: &str) -> Uuid {
        let user = self.world.user().await;
        let truth = self.world.truth().await;
        truth
            .execute(
                "insert into enamel.user_tenants (tenant_id, id, user_id, user_type, status) values ($1, $2, $3, 'ADMIN', 'ACTIVE')",
                &[&self.id, &Uuid::now_v7(), &user],
            )
            .await
            .unwrap();
        truth
            .execute(
                "insert into enamel.user_roles (tenant_id, id, user_id, role_tenant_id, role_id)
             select $1, $2, $3, tenant_id, id from enamel.roles where code = $4 and tenant_id = '00000000-0000-7000-8000-000000000001'",
                &[&self.id, &Uuid::now_v7(), &user, &role],
            )
            .await
            .unwrap();
        user
    }
}
