//! A tenant's people as its directory sees them: members of this tenant, by their login's id. Name and address belong to the person
//! and change here only while no other tenant knows them; whether they may come in is the tenant's alone.

use super::patch::{self, Verb};
use super::query::Query;
use super::{Directory, answer, body, id_of, member, meta, page, text, wrong};
use crate::identity::grant;
use crate::identity::mapped_roles;
use crate::identity::user_operations::{ROLES_END, TENANT_SESSIONS_END};
use crate::kernel::audit::Action;
use crate::kernel::context::Context;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::sql;
use poem::http::StatusCode;
use poem::{Request, Response};
use serde_json::{Value as Json, json};
use tokio_postgres::Row;
use uuid::Uuid;

const KIND: &str = "User";
const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

sql! {
    /// $1 tenant, $2 provider, $3 login, $4 e-mail, $5 external id, $6 how many, $7 after how many.
    USERS(UUID, UUID, UUID, TEXT, TEXT, INT8, INT8) = "
        select u.id, u.email, u.full_name, m.status, i.external_id, m.created_at, greatest(m.updated_at, u.updated_at) as modified,
               count(*) over () as total
          from user_tenants m join users u on u.id = m.user_id and u.kind = 'HUMAN'
          left join user_auth_identities i on i.user_id = u.id and i.identity_provider_id = $2 and i.kind = 'OIDC' and i.deleted_at is null
         where m.tenant_id = $1 and m.user_type <> 'PATIENT' and m.deleted_at is null
           and ($3 is null or u.id = $3) and ($4 is null or u.email_key = kernel.fold($4)) and ($5 is null or i.external_id = $5)
         order by u.id limit $6 offset $7";
    /// $1 e-mail, $2 tenant, $3 provider. Whoever has the address, and whether this directory has made them and they left since.
    TAKEN(TEXT, UUID, UUID) = "
        select u.id, exists (select from user_auth_identities i where i.user_id = u.id and i.identity_provider_id = $3 and i.deleted_at is null)
                     and not exists (select from user_tenants m where m.tenant_id = $2 and m.user_id = u.id and m.deleted_at is null) as returns
          from users u where u.email_key = kernel.fold($1)";
    USER_ADD(UUID, TEXT, TEXT) = "
        insert into users (id, email, full_name, kind, status, email_verified_at) values ($1, $2, $3, 'HUMAN', 'ACTIVE', now())";
    /// $1 id, $2 login, $3 provider, $4 issuer, $5 external id. Who they are at the provider is known when they first come.
    IDENTITY_ADD(UUID, UUID, UUID, TEXT, TEXT) = "
        insert into user_auth_identities (id, user_id, kind, identity_provider_id, issuer, subject, external_id)
        values ($1, $2, 'OIDC', $3, $4, 'scim:' || $2, $5)";
    MEMBER_ADD(UUID, UUID, UUID, TEXT, TEXT) = "
        insert into user_tenants (tenant_id, id, user_id, user_type, status, joined_at) values ($1, $2, $3, $4, $5, now())";
    /// $1 tenant, $2 login, $3 state.
    MEMBER_SET(UUID, UUID, TEXT) = "
        update user_tenants set status = $3, left_at = case when $3 = 'DISABLED' then now() end
         where tenant_id = $1 and user_id = $2 and deleted_at is null and status <> $3";
    /// $1 tenant, $2 login.
    MEMBER_END(UUID, UUID) = "
        update user_tenants set deleted_at = now(), status = 'DISABLED', left_at = coalesce(left_at, now())
         where tenant_id = $1 and user_id = $2 and deleted_at is null";
    /// $1 login, $2 e-mail, $3 name.
    PERSON_SET(UUID, TEXT, TEXT) = "update users set email = coalesce($2, email), full_name = coalesce($3, full_name) where id = $1";
    /// $1 login, $2 provider, $3 external id.
    EXTERNAL_SET(UUID, UUID, TEXT) = "
        update user_auth_identities set external_id = $3 where user_id = $1 and identity_provider_id = $2 and deleted_at is null";
    /// $1 tenant, $2 login. Whether nobody else administers the tenant.
    LAST_ADMIN(UUID, UUID) = "
        select exists (select from user_roles g join roles o on o.tenant_id = g.role_tenant_id and o.id = g.role_id and o.code = 'TENANT_ADMIN'
                        where g.tenant_id = $1 and g.user_id = $2 and g.deleted_at is null and (g.valid_until is null or g.valid_until > now()))
           and not exists (select from user_roles g join roles o on o.tenant_id = g.role_tenant_id and o.id = g.role_id and o.code = 'TENANT_ADMIN'
                             join user_tenants m on m.tenant_id = $1 and m.user_id = g.user_id and m.status = 'ACTIVE' and m.deleted_at is null
                            where g.tenant_id = $1 and g.user_id <> $2 and g.deleted_at is null
                              and (g.valid_until is null or g.valid_until > now()))";
    /// $1 login, $2 tenant.
    ELSEWHERE(UUID, UUID) = "select sec.member_elsewhere($1, $2)";
    /// $1 tenant, $2 login. The names of their teams, for rules about groups.
    TEAMS(UUID, UUID) = "
        select t.name from team_members x join teams t on t.tenant_id = x.tenant_id and t.id = x.team_id and t.deleted_at is null
         where x.tenant_id = $1 and x.user_id = $2 and x.deleted_at is null limit 200";
}

/// What a body says of somebody; nothing where it is silent.
#[derive(Default)]
struct Said {
    email: Option<String>,
    name: Option<String>,
    external: Option<String>,
    active: Option<bool>,
}

impl Said {
    fn of(directory: &Directory, body: &Json) -> Result<Said> {
        let name = member(body, "name").map(Json::to_owned).unwrap_or_default();
        let parts = [text(&name, "givenName"), text(&name, "familyName")].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let whole = text(body, "displayName").or(text(&name, "formatted")).map(str::to_owned);
        let mut said = Said::default();
        said.set(directory, "username", member(body, "userName").unwrap_or(&Json::Null))?;
        said.set(directory, "displayname", &whole.or(Some(parts).filter(|parts| !parts.is_empty())).map_or(Json::Null, Json::from))?;
        said.set(directory, "externalid", member(body, "externalId").unwrap_or(&Json::Null))?;
        said.set(directory, "active", member(body, "active").unwrap_or(&Json::Null))?;
        Ok(said)
    }

    /// One attribute, in lower case; those we do not keep are passed over.
    fn set(&mut self, directory: &Directory, name: &str, value: &Json) -> Result<()> {
        if value.is_null() {
            return Ok(());
        }
        let words = || {
            let words = value.as_str().filter(|text| (1..=300).contains(&text.chars().count()) && !text.chars().any(char::is_control));
            words.map(str::to_owned).ok_or_else(|| wrong("invalidValue", "A text of 1 to 300 characters is needed."))
        };
        match name {
            "username" | r#"emails[type eq "work"].value"# => self.email = Some(directory.address(&words()?)?),
            "displayname" | "name.formatted" => self.name = Some(words()?),
            "externalid" => self.external = Some(words()?),
            "active" => self.active = Some(patch::truth(value)?),
            _ => {}
        }
        Ok(())
    }
}

impl Directory {
    /// An address of a domain that this provider answers for.
    fn address(&self, text: &str) -> Result<String> {
        let domain = text.rsplit_once('@').map(|(_, domain)| domain.to_lowercase());
        match domain.filter(|domain| text.len() <= 254 && !text.contains(char::is_whitespace) && self.domains.contains(domain)) {
            Some(_) => Ok(text.to_owned()),
            None => Err(wrong("invalidValue", "userName is an e-mail address of a domain the tenant has proved.")),
        }
    }

    async fn found(&self, scope: &mut Scope, user: Uuid) -> Result<Row> {
        let (none, limit, offset): (Option<&str>, i64, i64) = (None, 1, 0);
        let rows = scope.rows(&USERS, &[&self.tenant, &self.provider, &Some(user), &none, &none, &limit, &offset]).await?;
        rows.into_iter().next().ok_or_else(|| Error::new(&error::NOT_FOUND))
    }

    fn user(&self, row: &Row) -> Result<Json> {
        let (id, email): (Uuid, &str) = (row.try_get("id")?, row.try_get("email")?);
        let name: &str = row.try_get("full_name")?;
        let mut user = json!({
            "schemas": [SCHEMA], "id": id, "userName": email, "displayName": name, "name": {"formatted": name},
            "emails": [{"value": email, "type": "work", "primary": true}], "active": row.try_get::<_, &str>("status")? == "ACTIVE",
            "meta": meta(KIND, row.try_get("created_at")?, row.try_get("modified")?, &self.location("Users", id)),
        });
        if let Some(external) = row.try_get::<_, Option<&str>>("external_id")? {
            user["externalId"] = json!(external);
        }
        Ok(user)
    }

    /// Roles as the tenant's rules give them, by the teams somebody is in.
    pub(super) async fn roles(&self, scope: &mut Scope, user: Uuid) -> Result<()> {
        let rows = scope.rows(&TEAMS, &[&self.tenant, &user]).await?;
        let teams: Vec<String> = rows.iter().map(|row| Ok(row.try_get(0)?)).collect::<Result<_>>()?;
        let roles = mapped_roles::given(&self.mapping, &json!({"groups": teams}));
        mapped_roles::follow(scope, self.tenant, self.provider, user, &roles).await
    }

    /// Lets a member in again, or out: then roles and sessions end with it.
    async fn admit(&self, scope: &mut Scope, user: Uuid, active: bool) -> Result<()> {
        if !active {
            self.not_the_last(scope, user).await?;
        }
        let state = if active { "ACTIVE" } else { "DISABLED" };
        if scope.exec(&MEMBER_SET, &[&self.tenant, &user, &state]).await? == 0 {
            return Ok(());
        }
        match active {
            true => self.roles(scope, user).await,
            false => self.end(scope, user).await,
        }
    }

    async fn end(&self, scope: &mut Scope, user: Uuid) -> Result<()> {
        let now = scope.now();
        scope.exec(&ROLES_END, &[&user, &self.tenant, &now]).await?;
        scope.exec(&TENANT_SESSIONS_END, &[&user, &self.tenant, &now]).await?;
        Ok(())
    }

    async fn not_the_last(&self, scope: &mut Scope, user: Uuid) -> Result<()> {
        match scope.one(&LAST_ADMIN, &[&self.tenant, &user]).await?.try_get(0)? {
            true => Err(Error::new(&error::CONFLICT).detail("The tenant's last administrator stays.")),
            false => Ok(()),
        }
    }

    /// Felt at once here, and within seconds on the other servers.
    pub(super) fn felt(&self, user: Uuid) -> Result<()> {
        let tenant = self.tenant;
        grant::forget(&self.caller.kernel, |context: &Context| context.actor == Some(user) && context.tenant == Some(tenant))
    }

    async fn apply(&self, user: Uuid, said: Said) -> Result<Response> {
        let mut scope = self.scope().await?;
        let was = self.found(&mut scope, user).await?;
        let email = said.email.filter(|email| was.try_get::<_, &str>("email").is_ok_and(|old| old != email));
        let name = said.name.filter(|name| was.try_get::<_, &str>("full_name").is_ok_and(|old| old != name));
        if email.is_some() || name.is_some() {
            self.own(user).await?;
            if let Some(email) = &email
                && scope
                    .optional(&TAKEN, &[email, &self.tenant, &self.provider])
                    .await?
                    .is_some_and(|row| row.try_get::<_, Uuid>("id").ok() != Some(user))
            {
                return Err(taken());
            }
            scope.exec(&PERSON_SET, &[&user, &email, &name]).await?;
        }
        if let Some(external) = &said.external {
            scope.exec(&EXTERNAL_SET, &[&user, &self.provider, external]).await?;
        }
        if let Some(active) = said.active {
            self.admit(&mut scope, user, active).await?;
        }
        let shown = self.user(&self.found(&mut scope, user).await?)?;
        self.did(&mut scope, Action::Update, KIND, user);
        scope.commit().await?;
        self.felt(user)?;
        Ok(answer(StatusCode::OK, &shown))
    }

    /// Nobody else's: a person whom several tenants know is renamed by none of them.
    async fn own(&self, user: Uuid) -> Result<()> {
        let scope = self.caller.kernel.door.open(&grant::behind(&self.caller.context, Some(self.tenant))).await?;
        let elsewhere = scope.once(&[((&ELSEWHERE).into(), vec![&user, &self.tenant])]).await?;
        match elsewhere.iter().flatten().next().map(|row| row.try_get::<_, bool>(0)).transpose()? {
            Some(false) => Ok(()),
            _ => Err(wrong("mutability", "The person belongs to other tenants too, and no one of them decides.")),
        }
    }
}

fn taken() -> Error {
    Error::new(&error::CONFLICT).detail("The address has an account; its owner joins by an invitation.")
}

pub async fn list(directory: Directory, request: Request) -> Result<Response> {
    let query = Query::read(&request)?;
    let (mut id, mut email, mut external): (Option<Uuid>, Option<String>, Option<String>) = (None, None, None);
    match query.filter {
        None => {}
        Some((name, value)) if name == "id" => id = Some(value.parse().unwrap_or_default()),
        Some((name, value)) if matches!(name.as_str(), "username" | "emails.value" | "emails") => email = Some(value),
        Some((name, value)) if name == "externalid" => external = Some(value),
        Some(_) => return Err(wrong("invalidFilter", "The filter is by id, userName, emails.value or externalId.")),
    }
    let mut scope = directory.scope().await?;
    let rows =
        scope.rows(&USERS, &[&directory.tenant, &directory.provider, &id, &email, &external, &query.count, &(query.start - 1)]).await?;
    scope.commit().await?;
    let total = rows.first().map_or(Ok(0), |row| row.try_get("total"))?;
    let users = rows.iter().map(|row| directory.user(row)).collect::<Result<_>>()?;
    directory.saw(KIND, None).await?;
    Ok(answer(StatusCode::OK, &page(users, total, query.start)))
}

pub async fn read(directory: Directory, request: Request) -> Result<Response> {
    let (user, mut scope) = (id_of(&request)?, directory.scope().await?);
    let shown = directory.user(&directory.found(&mut scope, user).await?)?;
    scope.commit().await?;
    directory.saw(KIND, Some(user)).await?;
    Ok(answer(StatusCode::OK, &shown))
}

pub async fn create(directory: Directory, mut request: Request) -> Result<Response> {
    let said = Said::of(&directory, &body(&mut request).await?)?;
    let email = said.email.ok_or_else(|| wrong("invalidValue", "userName is needed."))?;
    let mut scope = directory.scope().await?;
    let user = match scope.optional(&TAKEN, &[&email, &directory.tenant, &directory.provider]).await? {
        Some(row) if row.try_get("returns")? => row.try_get("id")?,
        Some(_) => return Err(taken()),
        None => {
            let (user, identity) = (scope.new_id(), scope.new_id());
            scope.exec(&USER_ADD, &[&user, &email, &said.name.as_deref().unwrap_or(&email)]).await?;
            scope.exec(&IDENTITY_ADD, &[&identity, &user, &directory.provider, &directory.issuer, &said.external]).await?;
            user
        }
    };
    let roles = mapped_roles::given(&directory.mapping, &json!({}));
    let kind = roles.first().map_or("FRONT_DESK", |role| role.user_type);
    let (member, state) = (scope.new_id(), if said.active == Some(false) { "DISABLED" } else { "ACTIVE" });
    scope.exec(&MEMBER_ADD, &[&directory.tenant, &member, &user, &kind, &state]).await?;
    directory.roles(&mut scope, user).await?;
    let shown = directory.user(&directory.found(&mut scope, user).await?)?;
    directory.did(&mut scope, Action::Create, KIND, user);
    scope.commit().await?;
    directory.felt(user)?;
    Ok(answer(StatusCode::CREATED, &shown))
}

pub async fn replace(directory: Directory, mut request: Request) -> Result<Response> {
    let user = id_of(&request)?;
    let said = Said::of(&directory, &body(&mut request).await?)?;
    directory.apply(user, said).await
}

pub async fn patch(directory: Directory, mut request: Request) -> Result<Response> {
    let user = id_of(&request)?;
    let mut said = Said::default();
    for change in patch::changes(&body(&mut request).await?)? {
        match (change.verb, &change.value) {
            (Verb::Remove, _) => return Err(wrong("mutability", "Nothing of a user can be left empty.")),
            (_, Json::Object(_)) if change.path.eq_ignore_ascii_case("name") => {
                said.name = Said::of(&directory, &json!({"name": change.value}))?.name.or(said.name);
            }
            _ => said.set(&directory, &change.path.to_ascii_lowercase(), &change.value)?,
        }
    }
    directory.apply(user, said).await
}

pub async fn delete(directory: Directory, request: Request) -> Result<Response> {
    let (user, mut scope) = (id_of(&request)?, directory.scope().await?);
    directory.found(&mut scope, user).await?;
    directory.not_the_last(&mut scope, user).await?;
    scope.exec(&MEMBER_END, &[&directory.tenant, &user]).await?;
    directory.end(&mut scope, user).await?;
    directory.did(&mut scope, Action::Delete, KIND, user);
    scope.commit().await?;
    directory.felt(user)?;
    Ok(StatusCode::NO_CONTENT.into())
}
