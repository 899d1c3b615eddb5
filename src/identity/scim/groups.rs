//! A tenant's teams as its directory sees them. Who is in which follows the directory, and with it the roles that the tenant's rules
//! give to groups.

use super::patch::{self, Verb};
use super::query::{self, Query};
use super::{Directory, answer, body, id_of, member, meta, page, text, wrong};
use crate::kernel::audit::Action;
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::sql;
use poem::http::StatusCode;
use poem::{Request, Response};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use tokio_postgres::Row;
use uuid::Uuid;

const KIND: &str = "Group";
const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const MEMBERS_MAX: usize = 5_000;

sql! {
    /// $1 tenant, $2 team, $3 name, $4 how many, $5 after how many.
    GROUPS(UUID, UUID, TEXT, INT8, INT8) = "
        select t.id, t.name, t.created_at, t.updated_at, count(*) over () as total,
               array(select m.user_id from team_members m where m.tenant_id = t.tenant_id and m.team_id = t.id and m.deleted_at is null
                      order by m.user_id limit 5000) as members
          from teams t where t.tenant_id = $1 and t.deleted_at is null and ($2 is null or t.id = $2) and ($3 is null or t.name = $3)
         order by t.id limit $4 offset $5";
    GROUP_ADD(UUID, UUID, TEXT) = "insert into teams (tenant_id, id, name, kind) values ($1, $2, $3, 'SCIM')";
    /// $1 tenant, $2 team, $3 name.
    RENAME(UUID, UUID, TEXT) = "update teams set name = $3 where tenant_id = $1 and id = $2 and deleted_at is null and name <> $3";
    /// $1 tenant, $2 team.
    GROUP_END(UUID, UUID) = "update teams set deleted_at = now() where tenant_id = $1 and id = $2 and deleted_at is null";
    /// $1 tenant, $2 name, $3 team.
    NAMED(UUID, TEXT, UUID) = "select from teams where tenant_id = $1 and name = $2 and id <> $3 and deleted_at is null";
    /// $1 tenant, $2 team, $3 login, $4 id. Members of the tenant only.
    JOIN(UUID, UUID, UUID, UUID) = "
        insert into team_members (tenant_id, id, team_id, user_id)
        select $1, $4, $2, m.user_id from user_tenants m
         where m.tenant_id = $1 and m.user_id = $3 and m.user_type <> 'PATIENT' and m.deleted_at is null
            on conflict do nothing";
    /// $1 tenant, $2 team, $3 logins.
    LEAVE(UUID, UUID, UUID_ARRAY) = "
        update team_members set deleted_at = now() where tenant_id = $1 and team_id = $2 and user_id = any ($3) and deleted_at is null";
}

/// A group as it is to be.
struct Wanted {
    name: String,
    members: BTreeSet<Uuid>,
}

impl Directory {
    async fn group(&self, scope: &mut Scope, id: Uuid) -> Result<Row> {
        let (name, limit, offset): (Option<&str>, i64, i64) = (None, 1, 0);
        let rows = scope.rows(&GROUPS, &[&self.tenant, &Some(id), &name, &limit, &offset]).await?;
        rows.into_iter().next().ok_or_else(|| Error::new(&error::NOT_FOUND))
    }

    fn shown(&self, row: &Row) -> Result<Json> {
        let (id, members): (Uuid, Vec<Uuid>) = (row.try_get("id")?, row.try_get("members")?);
        let members: Vec<Json> =
            members.into_iter().map(|user| json!({"value": user, "$ref": self.location("Users", user), "type": "User"})).collect();
        Ok(json!({
            "schemas": [SCHEMA], "id": id, "displayName": row.try_get::<_, &str>("name")?, "members": members,
            "meta": meta(KIND, row.try_get("created_at")?, row.try_get("updated_at")?, &self.location("Groups", id)),
        }))
    }

    /// Makes it so, and gives whoever came or went the roles of their groups.
    async fn settle(
        &self,
        mut scope: Scope,
        id: Uuid,
        was: BTreeSet<Uuid>,
        wanted: Wanted,
        action: Action,
        status: StatusCode,
    ) -> Result<Response> {
        if scope.optional(&NAMED, &[&self.tenant, &wanted.name, &id]).await?.is_some() {
            return Err(Error::new(&error::CONFLICT).detail("Another group has this name."));
        }
        let renamed = scope.exec(&RENAME, &[&self.tenant, &id, &wanted.name]).await? > 0;
        let gone: Vec<Uuid> = was.difference(&wanted.members).copied().collect();
        let come: Vec<Uuid> = wanted.members.difference(&was).copied().collect();
        scope.exec(&LEAVE, &[&self.tenant, &id, &gone]).await?;
        for user in &come {
            let row = scope.new_id();
            if scope.exec(&JOIN, &[&self.tenant, &id, user, &row]).await? != 1 {
                return Err(wrong("invalidValue", "A member is a user of this directory."));
            }
        }
        let touched: Vec<Uuid> = if renamed { was.union(&wanted.members).copied().collect() } else { [gone, come].concat() };
        for user in &touched {
            self.roles(&mut scope, *user).await?;
        }
        let shown = self.shown(&self.group(&mut scope, id).await?)?;
        self.did(&mut scope, action, KIND, id);
        scope.commit().await?;
        touched.into_iter().try_for_each(|user| self.felt(user))?;
        Ok(answer(status, &shown))
    }
}

fn name_of(body: &Json) -> Result<Option<String>> {
    match text(body, "displayName") {
        Some(name) if (1..=300).contains(&name.chars().count()) && !name.chars().any(char::is_control) => Ok(Some(name.to_owned())),
        Some(_) => Err(wrong("invalidValue", "A name of 1 to 300 characters is needed.")),
        None => Ok(None),
    }
}

/// The ids in a list of members.
fn members_of(list: &Json) -> Result<BTreeSet<Uuid>> {
    let unread = || wrong("invalidValue", "A member is a user of this directory.");
    let entries = match list {
        Json::Null => &[][..],
        Json::Array(entries) => entries.as_slice(),
        one => std::slice::from_ref(one),
    };
    if entries.len() > MEMBERS_MAX {
        return Err(wrong("tooMany", "There are too many members."));
    }
    entries.iter().map(|entry| text(entry, "value").and_then(|id| id.parse().ok()).ok_or_else(unread)).collect()
}

pub async fn list(directory: Directory, request: Request) -> Result<Response> {
    let query = Query::read(&request)?;
    let (mut id, mut name): (Option<Uuid>, Option<String>) = (None, None);
    match query.filter {
        None => {}
        Some((attribute, value)) if attribute == "id" => id = Some(value.parse().unwrap_or_default()),
        Some((attribute, value)) if attribute == "displayname" => name = Some(value),
        Some(_) => return Err(wrong("invalidFilter", "The filter is by id or displayName.")),
    }
    let mut scope = directory.scope().await?;
    let rows = scope.rows(&GROUPS, &[&directory.tenant, &id, &name, &query.count, &(query.start - 1)]).await?;
    scope.commit().await?;
    let total = rows.first().map_or(Ok(0), |row| row.try_get("total"))?;
    let groups = rows.iter().map(|row| directory.shown(row)).collect::<Result<_>>()?;
    directory.saw(KIND, None).await?;
    Ok(answer(StatusCode::OK, &page(groups, total, query.start)))
}

pub async fn read(directory: Directory, request: Request) -> Result<Response> {
    let (id, mut scope) = (id_of(&request)?, directory.scope().await?);
    let shown = directory.shown(&directory.group(&mut scope, id).await?)?;
    scope.commit().await?;
    directory.saw(KIND, Some(id)).await?;
    Ok(answer(StatusCode::OK, &shown))
}

pub async fn create(directory: Directory, mut request: Request) -> Result<Response> {
    let body = body(&mut request).await?;
    let name = name_of(&body)?.ok_or_else(|| wrong("invalidValue", "displayName is needed."))?;
    let wanted = Wanted { name, members: members_of(member(&body, "members").unwrap_or(&Json::Null))? };
    let mut scope = directory.scope().await?;
    let id = scope.new_id();
    if scope.optional(&NAMED, &[&directory.tenant, &wanted.name, &id]).await?.is_some() {
        return Err(Error::new(&error::CONFLICT).detail("Another group has this name."));
    }
    scope.exec(&GROUP_ADD, &[&directory.tenant, &id, &wanted.name]).await?;
    directory.settle(scope, id, BTreeSet::new(), wanted, Action::Create, StatusCode::CREATED).await
}

async fn standing(directory: &Directory, id: Uuid) -> Result<(Scope, Wanted)> {
    let mut scope = directory.scope().await?;
    let row = directory.group(&mut scope, id).await?;
    let wanted = Wanted { name: row.try_get("name")?, members: row.try_get::<_, Vec<Uuid>>("members")?.into_iter().collect() };
    Ok((scope, wanted))
}

pub async fn replace(directory: Directory, mut request: Request) -> Result<Response> {
    let (id, body) = (id_of(&request)?, body(&mut request).await?);
    let (scope, was) = standing(&directory, id).await?;
    let members = members_of(member(&body, "members").unwrap_or(&Json::Null))?;
    let wanted = Wanted { name: name_of(&body)?.unwrap_or(was.name), members };
    directory.settle(scope, id, was.members, wanted, Action::Update, StatusCode::OK).await
}

pub async fn patch(directory: Directory, mut request: Request) -> Result<Response> {
    let (id, body) = (id_of(&request)?, body(&mut request).await?);
    let (scope, was) = standing(&directory, id).await?;
    let mut wanted = Wanted { name: was.name, members: was.members.clone() };
    for change in patch::changes(&body)? {
        match (change.verb, change.path.to_ascii_lowercase().as_str()) {
            (Verb::Add, "members") => wanted.members.extend(members_of(&change.value)?),
            (Verb::Replace, "members") => wanted.members = members_of(&change.value)?,
            (Verb::Remove, "members") if change.value.is_null() => wanted.members.clear(),
            (Verb::Remove, "members") => {
                let gone = members_of(&change.value)?;
                wanted.members.retain(|user| !gone.contains(user));
            }
            (Verb::Remove, path) if path.starts_with("members[") => {
                let gone = query::member_of(path).transpose()?.and_then(|id| id.parse::<Uuid>().ok());
                wanted.members.retain(|user| Some(*user) != gone);
            }
            (Verb::Add | Verb::Replace, "displayname") => {
                wanted.name = name_of(&json!({"displayName": change.value}))?.ok_or_else(|| wrong("invalidValue", "A name is needed."))?;
            }
            (Verb::Remove, _) => return Err(wrong("mutability", "Only members can be removed.")),
            _ => {}
        }
    }
    directory.settle(scope, id, was.members, wanted, Action::Update, StatusCode::OK).await
}

pub async fn delete(directory: Directory, request: Request) -> Result<Response> {
    let id = id_of(&request)?;
    let (mut scope, was) = standing(&directory, id).await?;
    let members: Vec<Uuid> = was.members.into_iter().collect();
    scope.exec(&LEAVE, &[&directory.tenant, &id, &members]).await?;
    scope.exec(&GROUP_END, &[&directory.tenant, &id]).await?;
    for user in &members {
        directory.roles(&mut scope, *user).await?;
    }
    directory.did(&mut scope, Action::Delete, KIND, id);
    scope.commit().await?;
    members.into_iter().try_for_each(|user| directory.felt(user))?;
    Ok(StatusCode::NO_CONTENT.into())
}
