//! A database in which every table has rows of several tenants, and the whole REST contract over it, called with callers
//! of every plane who may do everything there.

use super::bodies;
use super::walk::Route;
use crate::isolation::arena::{self, Arena, NORTH, PLATFORM, Set};
use crate::world::World;
use enamel::kernel::Caller;
use enamel::kernel::context::{Caps, Context, Plane};
use enamel::kernel::table::field::Sealing;
use enamel::server::start::{self, Prepared};
use enamel::server::{domains, rest};
use poem::endpoint::BoxEndpoint;
use poem::{Endpoint, EndpointExt, IntoEndpoint, Request, Response};
use reqwest::Method;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::OnceCell;
use tokio_postgres::Client;
use uuid::Uuid;

pub struct Stage {
    arena: Arena,
    prepared: Prepared,
    app: BoxEndpoint<'static>,
    pub truth: Client,
}

pub struct Answer {
    pub status: u16,
    pub media: String,
    pub etag: Option<String>,
    pub body: Json,
}

impl Answer {
    /// The fields a problem names.
    pub fn named(&self) -> Vec<&str> {
        self.body["errors"].as_array().into_iter().flatten().filter_map(|fault| fault["field"].as_str()).collect()
    }
}

/// Invented zones and currencies are words like others: here everybody lives in one place and pays with one money.
const AGREE: &str = "do $$ declare c record; begin
    for c in select table_name as rel, column_name as col from information_schema.columns join pg_class on relname = table_name
              where table_schema = 'enamel' and relnamespace = 'enamel'::regnamespace and relkind in ('r', 'p') and not relispartition
                and is_generated = 'NEVER' and column_name in ('currency', 'default_currency', 'time_zone') loop
        execute format('update enamel.%I set %I = %L', c.rel, c.col, case c.col when 'time_zone' then 'Europe/Berlin' else 'EUR' end);
    end loop;
    update enamel.tenants t set default_location_id = l.id from enamel.locations l where l.tenant_id = t.id;
end $$";

static SHARED: OnceCell<Stage> = OnceCell::const_new();

impl Stage {
    /// For those who store nothing.
    pub async fn shared(world: &'static World) -> &'static Stage {
        SHARED.get_or_init(|| Stage::raise(world)).await
    }

    pub async fn raise(world: &'static World) -> Stage {
        let arena = Arena::fresh(world, "contract").await;
        let truth = arena.truth().await;
        let mut config = world.config.clone();
        config.database.url = config.database.url.replace("dbname=world", &format!("dbname={}", arena.name));
        config.database.pools.staff = 4;
        let prepared = start::prepare(config).await.unwrap();
        let app = poem::Route::new().nest("/api/v1", rest::service()).map_to_response().into_endpoint().boxed();
        let stage = Stage { arena, prepared, app, truth };
        stage.truth.batch_execute(AGREE).await.unwrap();
        stage.open_seals().await;
        stage
    }

    /// Invented ciphertexts open with nobody's key, and invented password hashes are none.
    async fn open_seals(&self) {
        self.truth.batch_execute("delete from enamel.encryption_keys; delete from enamel.user_auth_identities").await.unwrap();
        let keys = &self.prepared.kernel.keys;
        for table in domains::tables() {
            for field in table.fields.iter().filter(|field| field.sealing != Sealing::Plain) {
                let owner = if table.has_tenant() { "tenant_id" } else { "'00000000-0000-7000-8000-000000000001'::uuid" };
                let held = format!("select {owner}, id from enamel.{} where {}_enc is not null", table.name, field.name);
                let change = format!("update enamel.{} set {}_enc = $1 where id = $2 and {owner} = $3", table.name, field.name);
                for row in self.truth.query(&held, &[]).await.unwrap() {
                    let (tenant, id): (Uuid, Uuid) = (row.get(0), row.get(1));
                    let owner = if table.name == "tenants" { id } else { tenant };
                    let sealed = keys.of(owner).await.unwrap().seal(table.name, field.name, id, b"sealed").unwrap();
                    self.truth.execute(&change, &[&sealed, &id, &tenant]).await.unwrap();
                }
            }
        }
    }

    pub async fn strike(self) {
        let Stage { arena, prepared, app, truth } = self;
        drop((app, truth));
        prepared.stop().await;
        arena.drop().await;
    }

    /// Somebody on one of the planes the route is for.
    pub fn caller(&self, route: &Route) -> Caller {
        let words: Vec<&str> = route.operation["x-planes"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        let plane = match words.first() {
            None => Plane::Staff,
            Some(_) if words.contains(&"staff") => Plane::Staff,
            Some(first) => Plane::ALL.into_iter().find(|plane| plane.word() == *first).unwrap(),
        };
        let context = if plane == Plane::Auth { Context::system(plane, None) } else { arena::context(plane, NORTH) };
        self.calls(context)
    }
    /// Somebody of north with these permissions.
    pub fn holder(&self, plane: Plane, caps: Caps) -> Caller {
        self.calls(Context { caps, ..arena::own(plane) })
    }
    /// Somebody who runs the installation.
    pub fn operator(&self) -> Caller {
        self.calls(arena::context(Plane::Platform, PLATFORM))
    }
    pub fn calls(&self, context: Context) -> Caller {
        Caller { kernel: self.prepared.kernel.clone(), context, reads_subtree: false, scopes: Arc::from([]) }
    }

    /// The path with ids in it: the row of that set, where the path names a record.
    pub fn path(&self, route: &Route, of: Set) -> String {
        let table = bodies::table(route);
        let id = table.map_or_else(Uuid::now_v7, |table| of.id(table.name));
        let path = route.path.replace("{id}", &id.to_string());
        path.split('/').map(|part| if part.starts_with('{') { "none" } else { part }).collect::<Vec<_>>().join("/")
    }

    pub async fn send(&self, caller: &Caller, method: &Method, path: &str, etag: Option<&str>, body: Option<String>) -> Answer {
        let version = etag.map(|etag| ("if-match", etag.as_bytes()));
        let media = body.is_some().then_some(("content-type", &b"application/json"[..]));
        let headers: Vec<_> = version.into_iter().chain(media).collect();
        self.ask(caller, method, path, &headers, body).await
    }

    /// With these headers and no others.
    pub async fn ask(&self, caller: &Caller, method: &Method, path: &str, headers: &[(&str, &[u8])], body: Option<String>) -> Answer {
        let mut request = Request::builder().method(method.clone()).uri(path.parse().unwrap()).extension(caller.clone());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = match body {
            Some(body) => request.body(body),
            None => request.finish(),
        };
        let answer: Response = self.app.get_response(request).await;
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (status, media, etag) = (answer.status().as_u16(), header("content-type").unwrap_or_default(), header("etag"));
        let bytes = answer.into_body().into_vec().await.unwrap();
        Answer { status, media, etag, body: serde_json::from_slice(&bytes).unwrap_or(Json::Null) }
    }

    /// Rows of every table. That somebody was refused is in the audit log, which is no trace of what was sent.
    pub async fn rows(&self) -> BTreeMap<String, i64> {
        let list = "select string_agg(format('select %L, count(*) from enamel.%I', relname, relname), ' union all ')
                      from pg_class where relnamespace = 'enamel'::regnamespace and relkind in ('r', 'p') and not relispartition
                       and relname not like 'audit%' and relname <> 'encryption_keys'";
        let sql: String = self.truth.query_one(list, &[]).await.unwrap().get(0);
        self.truth.query(&sql, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
    }
}

/// What differs between two counts.
pub fn grown(before: &BTreeMap<String, i64>, after: &BTreeMap<String, i64>) -> Vec<String> {
    let changed = after.iter().filter(|(table, count)| before.get(*table) != Some(count));
    changed.map(|(table, count)| format!("{table}: {} → {count}", before[table])).collect()
}
