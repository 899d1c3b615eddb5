//! The demo world: a DSO with two clinics, an independent practice, a marketplace operator and a regulator, with people
//! for every role. Everything is made up; loading it again changes nothing.
mod cast;
mod hand;
mod picture;
mod talk;
mod visit;
mod week;

use super::secrets::Secrets;
use super::{Outcome, up};
use crate::directory::provider::PROVIDER;
use crate::identity::hashing::{Passwords, PoolSize};
use crate::identity::password_hash::Recipe;
use crate::kernel::Kernel;
use crate::kernel::context::{Context, PLATFORM_TENANT, Plane};
use crate::kernel::db::Scope;
use crate::kernel::embedded::issuer::Person;
use crate::kernel::table::{Draft, Record, Table, store};
use crate::patients::patient::PATIENT;
use crate::patients::{external_contact::EXTERNAL_CONTACT, patient_address::PATIENT_ADDRESS, patient_identifier::PATIENT_IDENTIFIER};
use crate::patients::{patient_insurance_policy::PATIENT_INSURANCE_POLICY, patient_relationship::PATIENT_RELATIONSHIP, payer::PAYER};
use crate::tenancy::{location::LOCATION, operatory::OPERATORY, team::TEAM};
pub use cast::id_of;
use cast::{CLINICS, HOUSES, House, Login, PATIENTS, PROVIDERS, born};
use chrono::Utc;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use tokio_postgres::types::Type;
use uuid::Uuid;

/// Who can sign in at the development issuer: everybody who works somewhere.
pub fn people(secrets: &Secrets) -> Vec<Person> {
    HOUSES
        .iter()
        .flat_map(|house| house.logins)
        .map(|login| Person {
            sub: id_of(login.email).to_string(),
            email: login.email.to_owned(),
            password: secrets.demo_password.clone(),
            name: login.name.to_owned(),
        })
        .collect()
}

/// Makes the world when it is not there, with its week unless it is to stay `plain`. True when it was made now.
pub async fn load(kernel: &Arc<Kernel>, plain: bool, secrets: &Secrets, issuer: &str) -> Outcome<bool> {
    let mut scope = kernel.door.open(&system(PLATFORM_TENANT)).await?;
    let there = scope.rows_once("select from tenants where slug = 'bright-smiles'", &[]).await?;
    drop(scope);
    if !there.is_empty() {
        return Ok(false);
    }
    let steps = HOUSES.len() + CLINICS.len() * (PATIENTS.len() + if plain { 0 } else { week::STEPS });
    let bar = ProgressBar::new(steps as u64);
    if let Ok(style) = ProgressStyle::with_template("Building the demo world {bar:32} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    let world = Demo { kernel, secrets, issuer, hash: hash(kernel, secrets).await?, bar };
    let roles = world.houses().await?;
    for house in HOUSES {
        world.people_of(house, &roles).await?;
    }
    for (place, slug) in CLINICS.iter().enumerate() {
        world.clinic(slug, place).await?;
    }
    world.family().await?;
    if !plain {
        week::week(kernel, &world.bar).await?;
    }
    world.bar.finish_and_clear();
    Ok(true)
}

/// One password for all demo logins, hashed once.
async fn hash(kernel: &Kernel, secrets: &Secrets) -> Outcome<String> {
    let pool = Passwords::new(Recipe::configured(&kernel.config)?, PoolSize::default())?;
    Ok(pool.hash(None, secrets.demo_password.clone().into()).await?)
}

fn system(tenant: Uuid) -> Context {
    Context::system(Plane::Jobs, Some(tenant))
}

struct Demo<'a> {
    kernel: &'a Kernel,
    secrets: &'a Secrets,
    issuer: &'a str,
    hash: String,
    bar: ProgressBar,
}

impl Demo<'_> {
    async fn scope(&self, tenant: Uuid) -> Outcome<Scope> {
        Ok(self.kernel.door.open(&system(tenant)).await?)
    }

    /// The tenants, parents first; gives the shared roles by code.
    async fn houses(&self) -> Outcome<HashMap<String, Uuid>> {
        let mut scope = self.scope(PLATFORM_TENANT).await?;
        for house in HOUSES {
            self.bar.set_message(house.name);
            scope
                .rows_once(
                    "insert into tenants (id, name, slug, type, parent_tenant_id, root_tenant_id, jurisdiction, default_currency, time_zone, is_marketplace_operator)
                     values ($1, $2, $3, $4, $5, $1, 'US-CO', 'USD', 'America/Denver', $6)",
                    &[(&id_of(house.slug), Type::UUID), (&house.name, Type::TEXT), (&house.slug, Type::TEXT), (&house.kind, Type::TEXT),
                        (&house.parent.map(id_of), Type::UUID), (&house.operator, Type::BOOL)],
                )
                .await?;
        }
        let roles = scope.rows_once("select code, id from roles where tenant_id = $1", &[(&PLATFORM_TENANT, Type::UUID)]).await?;
        let roles = roles.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_, tokio_postgres::Error>>()?;
        scope.commit().await?;
        Ok(roles)
    }

    async fn people_of(&self, house: &House, roles: &HashMap<String, Uuid>) -> Outcome {
        self.bar.set_message(house.name);
        let tenant = id_of(house.slug);
        let mut scope = self.scope(tenant).await?;
        for table in ["tenant_settings", "tenant_branding", "tenant_quotas"] {
            scope
                .rows_once(
                    &format!("insert into {table} (tenant_id, id) values ($1, $2)"),
                    &[(&tenant, Type::UUID), (&scope_id(house.slug, table), Type::UUID)],
                )
                .await?;
        }
        for login in house.logins {
            self.login(&mut scope, login).await?;
            let user = id_of(login.email);
            scope
                .rows_once(
                    "insert into user_tenants (tenant_id, id, user_id, user_type, status, joined_at) values ($1, $2, $3, $4, 'ACTIVE', now())",
                    &[(&tenant, Type::UUID), (&scope_id(house.slug, login.email), Type::UUID), (&user, Type::UUID), (&login.user_type, Type::TEXT)],
                )
                .await?;
            let role = roles.get(login.role).ok_or_else(|| super::line(format!("there is no role {}", login.role)))?;
            scope
                .rows_once(
                    "insert into user_roles (tenant_id, id, user_id, role_tenant_id, role_id) values ($1, $2, $3, $4, $5)",
                    &[
                        (&tenant, Type::UUID),
                        (&scope_id(login.email, login.role), Type::UUID),
                        (&user, Type::UUID),
                        (&PLATFORM_TENANT, Type::UUID),
                        (role, Type::UUID),
                    ],
                )
                .await?;
        }
        self.clients(&mut scope, house).await?;
        self.provider(&mut scope, house).await?;
        scope.commit().await?;
        self.bar.inc(1);
        Ok(())
    }

    async fn login(&self, scope: &mut Scope, login: &Login) -> Outcome {
        let user = id_of(login.email);
        scope
            .rows_once(
                "insert into users (id, email, full_name, kind, status, email_verified_at) values ($1, $2, $3, 'HUMAN', 'ACTIVE', now()) on conflict do nothing",
                &[(&user, Type::UUID), (&login.email, Type::TEXT), (&login.name, Type::TEXT)],
            )
            .await?;
        scope
            .rows_once(
                "insert into user_auth_identities (id, user_id, kind, password_hash, password_algorithm, password_changed_at)
                 values ($1, $2, 'PASSWORD', $3, 'ARGON2ID', now()) on conflict do nothing",
                &[(&scope_id(login.email, "password"), Type::UUID), (&user, Type::UUID), (&self.hash, Type::TEXT)],
            )
            .await?;
        // Known at the clinic's identity provider by issuer and subject, never by the e-mail.
        scope
            .rows_once(
                "insert into user_auth_identities (id, user_id, kind, issuer, subject) values ($1, $2, 'OIDC', $3, $4) on conflict do nothing",
                &[(&scope_id(login.email, "oidc"), Type::UUID), (&user, Type::UUID), (&self.issuer, Type::TEXT), (&user.to_string(), Type::TEXT)],
            )
            .await?;
        Ok(())
    }

    /// A back-end integration and an app with redirects, as dev.json tells them.
    async fn clients(&self, scope: &mut Scope, house: &House) -> Outcome {
        for (name, kind, scopes, grants, redirects) in super::world::clients_of(house.slug) {
            let (client, secret) = (super::world::client_id(house.slug, name), super::world::client_secret(self.secrets, house.slug, name));
            let service = scope_id(house.slug, name);
            let email = format!("{client}@clients.invalid");
            scope
                .rows_once(
                    "insert into users (id, email, full_name, kind, status) values ($1, $2, $3, 'SERVICE', 'ACTIVE')",
                    &[(&service, Type::UUID), (&email, Type::TEXT), (&format!("{name} of {}", house.name), Type::TEXT)],
                )
                .await?;
            let secret_hash = (kind == "BACKEND").then(|| Sha256::digest(secret.as_bytes()).to_vec());
            scope
                .rows_once(
                    "insert into api_clients (tenant_id, id, client_id, name, client_type, client_secret_hash, redirect_uris, scopes, grant_types, service_user_id)
                     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                    &[(&id_of(house.slug), Type::UUID), (&scope_id(&client, "client"), Type::UUID), (&client, Type::TEXT), (&name, Type::TEXT), (&kind, Type::TEXT),
                        (&secret_hash, Type::BYTEA), (&redirects, Type::TEXT_ARRAY), (&scopes, Type::TEXT_ARRAY), (&grants, Type::TEXT_ARRAY), (&service, Type::UUID)],
                )
                .await?;
        }
        Ok(())
    }

    /// The clinic's own sign-in, at the development issuer.
    async fn provider(&self, scope: &mut Scope, house: &House) -> Outcome {
        let tenant = id_of(house.slug);
        let id = scope_id(house.slug, "identity provider");
        let sealed =
            self.kernel.keys.of(tenant).await?.seal("identity_providers", "client_secret", id, self.secrets.issuer_client.as_bytes())?;
        scope
            .rows_once(
                "insert into identity_providers (tenant_id, id, name, kind, issuer, client_id, client_secret_enc, allowed_domains)
                 values ($1, $2, 'Clinic sign-in', 'OIDC', $3, $4, $5, '{}')",
                &[
                    (&tenant, Type::UUID),
                    (&id, Type::UUID),
                    (&self.issuer, Type::TEXT),
                    (&up::ISSUER_CLIENT, Type::TEXT),
                    (&sealed, Type::BYTEA),
                ],
            )
            .await?;
        Ok(())
    }

    async fn make(&self, scope: &mut Scope, table: &'static Table, id: Uuid, body: Json) -> Outcome<Record> {
        let mut draft = Draft::create(table, body.as_object().ok_or_else(|| super::line("a demo record is an object"))?)?;
        draft.id = Some(id);
        Ok(store::insert(scope, table, &draft, &self.kernel.keys).await?)
    }

    /// A place to work, people who work there, and patients.
    async fn clinic(&self, slug: &str, place: usize) -> Outcome {
        self.bar.set_message(slug.to_owned());
        let tenant = id_of(slug);
        let mut scope = self.scope(tenant).await?;
        let site = scope_id(slug, "site");
        self.make(&mut scope, &LOCATION, site, json!({
            "name": format!("{} main office", cast::title(slug)), "address_line1": format!("{} Aspen Street", 100 + place * 20), "city": "Boulder",
            "region": "CO", "postal_code": "80301", "country": "US", "time_zone": "America/Denver", "phone": format!("+1303555010{place}"),
        })).await?;
        for chair in 1..=3 {
            let kind = if chair == 3 { "HYGIENE" } else { "GENERAL" };
            self.make(
                &mut scope,
                &OPERATORY,
                scope_id(slug, &format!("chair {chair}")),
                json!({"location_id": site, "name": format!("Chair {chair}"), "kind": kind}),
            )
            .await?;
        }
        self.make(&mut scope, &TEAM, scope_id(slug, "team"), json!({"name": "Hygiene", "kind": "HYGIENE", "location_id": site})).await?;
        for (nth, (name, title, kind, specialty)) in PROVIDERS.iter().enumerate() {
            let (first, last) = name.split_once(' ').unwrap_or((name, name));
            self.make(&mut scope, &PROVIDER, scope_id(slug, name), json!({
                "full_name": name, "first_name": first, "last_name": last, "title": title, "provider_type": kind, "specialty": specialty,
                "npi": cast::npi(place * 10 + nth),
            })).await?;
        }
        let payer = scope_id(slug, "payer");
        self.make(
            &mut scope,
            &PAYER,
            payer,
            json!({"name": "Front Range Dental Plan", "payer_identifier": "FRDP1", "kind": "COMMERCIAL", "country": "US"}),
        )
        .await?;
        scope.commit().await?;
        for (nth, _) in PATIENTS.iter().enumerate() {
            self.patient(slug, nth, payer).await?;
            self.bar.inc(1);
        }
        Ok(())
    }

    async fn patient(&self, slug: &str, nth: usize, payer: Uuid) -> Outcome {
        let tenant = id_of(slug);
        let mut scope = self.scope(tenant).await?;
        let seat = CLINICS.iter().position(|clinic| *clinic == slug).unwrap_or_default();
        let (first, last, gender) = cast::patient(seat, nth);
        let id = patient_id(slug, nth);
        self.make(
            &mut scope,
            &PATIENT,
            id,
            json!({
                "first_name": first, "last_name": last, "dob": born(seat, nth), "administrative_gender": gender, "preferred_language": "en",
                "contact_email": format!("{}.{}@mail.example", first.to_lowercase(), last.to_lowercase()),
                "phone_mobile": format!("+1720555{:04}", 1000 + seat * 100 + nth), "external_ref": format!("PMS-{seat}{nth:03}"),
            }),
        )
        .await?;
        self.make(
            &mut scope,
            &PATIENT_IDENTIFIER,
            scope_id(slug, &format!("mrn {nth}")),
            json!({
                "patient_id": id, "system": "MRN", "value": format!("{}-{nth:05}", slug.to_uppercase()), "is_primary": true,
            }),
        )
        .await?;
        self.make(&mut scope, &PATIENT_ADDRESS, scope_id(slug, &format!("address {nth}")), json!({
            "patient_id": id, "line1": format!("{} Pine Avenue", 10 + nth * 3), "city": "Boulder", "region": "CO", "postal_code": "80302", "country": "US", "is_primary": true,
        })).await?;
        if nth.is_multiple_of(2) {
            self.make(&mut scope, &PATIENT_INSURANCE_POLICY, scope_id(slug, &format!("policy {nth}")), json!({
                "patient_id": id, "payer_id": payer, "plan_name": "Family PPO", "policy_number": format!("FR{:08}", seat * 1_000 + nth), "currency": "USD",
                "annual_maximum_minor": 150_000, "deductible_minor": 5_000, "coverage_start": "2026-01-01",
            })).await?;
        }
        if nth.is_multiple_of(5) {
            let contact = scope_id(slug, &format!("contact {nth}"));
            self.make(
                &mut scope,
                &EXTERNAL_CONTACT,
                contact,
                json!({"patient_id": id, "full_name": format!("Robin {last}"), "phone": "+17205550199"}),
            )
            .await?;
            self.make(
                &mut scope,
                &PATIENT_RELATIONSHIP,
                scope_id(slug, &format!("relation {nth}")),
                json!({
                    "patient_id": id, "external_contact_id": contact, "relationship_type": "EMERGENCY_CONTACT",
                }),
            )
            .await?;
        }
        scope.commit().await?;
        Ok(())
    }

    /// A patient known to two clinics, and a mother who acts for her child.
    async fn family(&self) -> Outcome {
        for (slug, nth, login) in cast::PORTALS {
            let mut scope = self.scope(id_of(slug)).await?;
            self.login(&mut scope, login).await?;
            scope
                .rows_once(
                    "insert into patient_portal_accounts (tenant_id, id, patient_id, user_id, status, activated_at) values ($1, $2, $3, $4, 'ACTIVE', now())",
                    &[(&id_of(slug), Type::UUID), (&scope_id(slug, login.email), Type::UUID), (&patient_id(slug, *nth), Type::UUID), (&id_of(login.email), Type::UUID)],
                )
                .await?;
            scope.commit().await?;
        }
        let (slug, guardian, child) = cast::GUARDIAN;
        let mut scope = self.scope(id_of(slug)).await?;
        scope
            .rows_once(
                "insert into patient_proxies (tenant_id, id, patient_id, user_id, relationship, scopes, status, granted_by, valid_from)
                 values ($1, $2, $3, $4, 'PARENT', '{appointments,messages,plans,clinical,imaging,documents}', 'ACTIVE', 'CLINIC', $5)",
                &[
                    (&id_of(slug), Type::UUID),
                    (&scope_id(slug, "proxy"), Type::UUID),
                    (&patient_id(slug, child), Type::UUID),
                    (&id_of(guardian), Type::UUID),
                    (&Utc::now(), Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        scope.commit().await?;
        self.mandate().await
    }

    /// The regulator may read the logs and records of the DSO's clinics for a year.
    async fn mandate(&self) -> Outcome {
        for slug in ["bright-smiles", "bright-north", "bright-south"] {
            let tenant = id_of(slug);
            let mut scope = self.kernel.door.open(&Context::system(Plane::Platform, Some(tenant))).await?;
            scope
                .rows_once(
                    "insert into audit_mandates (tenant_id, id, auditor_user_id, auditor_tenant_id, legal_basis, permissions, valid_from, valid_until)
                     values ($1, $2, $3, $4, 'Inspection of electronic records (demo)', '{view_tenant,view_patient,view_audit,view_imaging,view_clinical}', now() - interval '1 hour', now() + interval '1 year')",
                    &[(&tenant, Type::UUID), (&scope_id(slug, "mandate"), Type::UUID), (&id_of(cast::INSPECTOR), Type::UUID), (&id_of("regulator"), Type::UUID)],
                )
                .await?;
            scope.commit().await?;
        }
        Ok(())
    }
}

fn scope_id(of: &str, what: &str) -> Uuid {
    id_of(&format!("{of} {what}"))
}
pub fn patient_id(slug: &str, nth: usize) -> Uuid {
    scope_id(slug, &format!("patient {nth}"))
}
pub use cast::{HOUSES as ALL_HOUSES, PORTALS as ALL_PORTALS};
