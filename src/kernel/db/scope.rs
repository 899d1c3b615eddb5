//! The one door to SQL: a transaction on the caller's plane whose sealed context is set before anything else runs.
//!
//! A simple read is one round trip ([`Scope::once`]): BEGIN, context, statements and COMMIT leave in one pipeline.
//! A write keeps its transaction open until [`Scope::commit`]; a scope that is dropped before is rolled back by closing
//! its connection, whatever the reason. Pipelines hold prepared statements only: a text query would first prepare and
//! then execute after the COMMIT, outside the context.

use super::Sql;
use super::pool::{Connection, Connector, Pools};
use crate::kernel::audit::{Action, AuditEvent};
use crate::kernel::context::{Context, Sealer};
use crate::kernel::error::{self, Error, Result};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{join, join_all};
use std::borrow::Cow;
use std::sync::Arc;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, Statement};
use uuid::Uuid;

pub type Param<'a> = &'a (dyn ToSql + Sync);

/// How long a sealed context is believed, seconds. Longer than any request may take, shorter than anyone can use it.
const SEAL_VALID_S: i64 = 60;
/// Session state never exists by our doing; what a hostile statement left on the connection is wiped with the same trip.
const BEGIN: &str = "close all; unlisten *; reset all; begin";
/// A read has one snapshot for all its statements: a record and its parts never come from two moments. What says its
/// isolation is the first thing in its message.
const BEGIN_READ: &str = "begin isolation level repeatable read; close all; unlisten *; reset all";

/// How a transaction begins: its context is set by the same message. A seal is hex digits, words, numbers and ids; nothing in
/// it ends a literal.
fn beginning(begin: &str, sealed: &str) -> String {
    debug_assert!(sealed.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".|-_".contains(&byte)));
    format!("{begin}; set local app.ctx = '{sealed}'")
}

/// A statement of ours, or a generated one made of our own column names.
#[derive(Clone)]
pub struct Query {
    pub text: Cow<'static, str>,
    pub types: Cow<'static, [Type]>,
}

impl From<&'static Sql> for Query {
    fn from(sql: &'static Sql) -> Query {
        Query { text: Cow::Borrowed(sql.text), types: Cow::Borrowed(sql.types) }
    }
}

/// What a scope needs from the running server.
pub struct Door {
    pub pools: Pools,
    pub sealer: Sealer,
}

pub struct Scope {
    conn: Option<Connection>,
    connector: Connector,
    sealed: String,
    context: Context,
    began: bool,
    now: DateTime<Utc>,
    events: Vec<AuditEvent>,
}

/// A statement of [`Scope::pipeline`].
pub struct Shaped<'a> {
    pub text: &'a str,
    pub params: Vec<(Param<'a>, Type)>,
}

/// Where [`Scope::undo`] goes back to.
pub struct Mark {
    events: usize,
}

impl Door {
    /// A scope for this context. Nothing is sent before the first statement.
    pub async fn open(&self, context: &Context) -> Result<Scope> {
        self.open_from(context.plane.word(), context).await
    }

    /// A scope on a connection of that pool, whose role must be the context's plane. For work that a request waits for
    /// while it holds a connection itself: it may not wait in the queue of the request's own pool.
    pub async fn open_from(&self, pool: &'static str, context: &Context) -> Result<Scope> {
        let conn = self.pools.take(pool).await?;
        let now = Utc::now();
        let sealed = self.sealer.seal(context, conn.pid, now + TimeDelta::seconds(SEAL_VALID_S));
        let connector = self.pools.connector(context.plane.word())?.clone();
        Ok(Scope { conn: Some(conn), connector, sealed, context: context.clone(), began: false, now, events: Vec::new() })
    }
}

impl Scope {
    pub fn context(&self) -> &Context {
        &self.context
    }
    /// The tenant a single-tenant scope acts in.
    pub fn tenant(&self) -> Result<Uuid> {
        self.context.tenant.ok_or_else(Error::no_tenant)
    }
    /// The moment of the request; one for all its rows.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }
    pub fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }

    fn conn(&self) -> Result<&Connection> {
        self.conn.as_ref().ok_or_else(|| Error::internal("a scope was used after its end"))
    }

    async fn prepare(&self, query: &Query) -> Result<Statement> {
        Ok(self.conn()?.prepared(&query.text, &query.types).await?)
    }

    /// All statements in one round trip, and the scope is done. For reads: the answer of each, in order.
    pub async fn once(mut self, queries: &[(Query, Vec<Param<'_>>)]) -> Result<Vec<Vec<Row>>> {
        if self.began {
            return Err(Error::internal("a scope can read at once only when nothing ran before"));
        }
        let mut statements = Vec::with_capacity(queries.len());
        for (query, _) in queries {
            statements.push(self.prepare(query).await?);
        }
        let conn = self.conn()?;
        conn.mark_dirty(true);
        let begin = beginning(BEGIN_READ, &self.sealed);
        // Polled in order, and that is the order on the wire.
        let reads = join_all(statements.iter().zip(queries).map(|(statement, (_, params))| conn.client.query(statement, params)));
        let ((began, rows), ended) = join(join(conn.client.batch_execute(&begin), reads), conn.client.batch_execute("commit")).await;
        began?;
        let rows = rows.into_iter().collect::<Result<Vec<_>, _>>();
        ended?;
        self.leave();
        Ok(rows?)
    }

    /// Runs one statement inside the transaction, opening it first (in the same round trip) when it is not open.
    pub async fn rows(&mut self, query: impl Into<Query>, params: &[Param<'_>]) -> Result<Vec<Row>> {
        let statement = self.prepare(&query.into()).await?;
        self.run(&statement, params).await
    }

    async fn run(&mut self, statement: &Statement, params: &[Param<'_>]) -> Result<Vec<Row>> {
        if self.began {
            return Ok(self.conn()?.client.query(statement, params).await?);
        }
        self.began = true;
        let begin = beginning(BEGIN, &self.sealed);
        let conn = self.conn()?;
        conn.mark_dirty(true);
        let (began, rows) = join(conn.client.batch_execute(&begin), conn.client.query(statement, params)).await;
        began?;
        Ok(rows?)
    }

    async fn begin(&mut self) -> Result<()> {
        if !self.began {
            self.rows(Query { text: Cow::Borrowed("select"), types: Cow::Borrowed(&[]) }, &[]).await?;
        }
        Ok(())
    }

    /// Like [`Self::rows`] for statements whose shape differs from call to call: parsed each time, never kept.
    pub async fn rows_once(&mut self, text: &str, params: &[(Param<'_>, Type)]) -> Result<Vec<Row>> {
        self.begin().await?;
        Ok(self.conn()?.client.query_typed(text, params).await?)
    }

    /// Like [`Self::rows`] for statements made of our own names for the columns a draft has: prepared by a connection that
    /// meets the shape again.
    pub async fn rows_shaped(&mut self, text: &str, params: &[(Param<'_>, Type)]) -> Result<Vec<Row>> {
        let types: Vec<Type> = params.iter().map(|(_, ty)| ty.clone()).collect();
        match self.conn()?.shaped(text, &types).await? {
            Some(statement) => self.run(&statement, &params.iter().map(|(value, _)| *value).collect::<Vec<_>>()).await,
            None => self.rows_once(text, params).await,
        }
    }

    /// Many of them in one pipeline. Gives the answers up to the first that was refused, and that refusal. `marked`: each has
    /// a savepoint of its own, so that the transaction goes on behind the refused one; else it can only end.
    pub async fn pipeline(&mut self, steps: &[Shaped<'_>], marked: bool) -> Result<(Vec<Vec<Row>>, Option<Error>)> {
        self.begin().await?;
        let conn = self.conn()?;
        let mut statements = Vec::with_capacity(steps.len());
        for step in steps {
            let types: Vec<Type> = step.params.iter().map(|(_, ty)| ty.clone()).collect();
            statements.push((conn.shape(step.text, &types).await?, step.params.iter().map(|(value, _)| *value).collect::<Vec<_>>()));
        }
        // Polled in order, and that is the order on the wire.
        let answers = join_all(statements.iter().map(|(statement, params)| step(&conn.client, statement, params, marked))).await;
        let (mut rows, mut refusal) = (Vec::with_capacity(answers.len()), None);
        for answer in answers {
            match answer {
                Ok(found) => rows.push(found),
                Err(failure) => {
                    refusal = Some(Error::from(failure));
                    break;
                }
            }
        }
        if marked && refusal.is_some() {
            self.undo(Mark { events: self.events.len() }).await?;
        }
        Ok((rows, refusal))
    }

    pub async fn optional(&mut self, query: impl Into<Query>, params: &[Param<'_>]) -> Result<Option<Row>> {
        Ok(self.rows(query, params).await?.into_iter().next())
    }
    /// The row, or the answer a foreign and a random id share.
    pub async fn one(&mut self, query: impl Into<Query>, params: &[Param<'_>]) -> Result<Row> {
        self.optional(query, params).await?.ok_or_else(|| Error::new(&error::NOT_FOUND))
    }
    /// Rows touched.
    pub async fn exec(&mut self, query: impl Into<Query>, params: &[Param<'_>]) -> Result<u64> {
        self.begin().await?;
        let statement = self.prepare(&query.into()).await?;
        Ok(self.conn()?.client.execute(&statement, params).await?)
    }

    /// A place in the transaction to come back to, by [`Self::undo`], or to leave behind, by [`Self::keep`].
    pub async fn mark(&mut self) -> Result<Mark> {
        self.rows_once("savepoint mark", &[]).await?;
        Ok(Mark { events: self.events.len() })
    }
    /// What was done since the mark is undone, also after a statement that failed; the transaction goes on.
    pub async fn undo(&mut self, mark: Mark) -> Result<()> {
        self.events.truncate(mark.events);
        self.conn()?.client.batch_execute("rollback to savepoint mark; release savepoint mark").await?;
        Ok(())
    }
    pub async fn keep(&mut self, _mark: Mark) -> Result<()> {
        self.conn()?.client.batch_execute("release savepoint mark").await?;
        Ok(())
    }

    /// Remembers what happened; written in this transaction by [`Self::commit`].
    pub fn audit(&mut self, event: AuditEvent) {
        self.events.push(event);
    }

    /// Remembers a change of a record.
    pub fn did(&mut self, action: Action, record: &crate::kernel::table::Record) {
        let event = crate::kernel::audit_store::of_record(&self.context, action, record, self.now);
        self.events.push(event);
    }

    /// Ends the transaction: audit rows and COMMIT in one pipeline. An aborted transaction is an error, for its COMMIT
    /// would succeed as a ROLLBACK.
    pub async fn commit(mut self) -> Result<()> {
        if !self.began && self.events.is_empty() {
            self.leave();
            return Ok(());
        }
        self.begin().await?;
        let conn = self.conn()?;
        if self.events.is_empty() {
            // A statement that failed has returned its error already; this one proves the transaction still stands.
            let alive = self.prepare(&Query { text: Cow::Borrowed("select"), types: Cow::Borrowed(&[]) }).await?;
            let (alive, ended) = join(conn.client.query(&alive, &[]), conn.client.batch_execute("commit")).await;
            alive?;
            ended?;
        } else {
            let append =
                self.prepare(&Query { text: Cow::Borrowed("select sec.audit_append($1)"), types: Cow::Borrowed(&[Type::JSONB]) }).await?;
            let events = crate::kernel::audit_store::rows(&self.events)?;
            let params: [Param<'_>; 1] = [&events];
            let (audited, ended) = join(conn.client.query(&append, &params), conn.client.batch_execute("commit")).await;
            // Without its audit rows the change is rolled back and never told: the answer is 503, whatever the reason.
            audited.map_err(Error::unavailable)?;
            ended?;
        }
        self.leave();
        Ok(())
    }

    /// The transaction was seen to end: the connection may serve the next caller.
    fn leave(&mut self) {
        if let Some(conn) = self.conn.take() {
            conn.mark_dirty(false);
        }
    }
}

async fn step(client: &Client, statement: &Statement, params: &[Param<'_>], marked: bool) -> Result<Vec<Row>, tokio_postgres::Error> {
    if !marked {
        return client.query(statement, params).await;
    }
    let (mark, keep) = (client.batch_execute("savepoint mark"), client.batch_execute("release savepoint mark"));
    let ((marked, rows), _) = join(join(mark, client.query(statement, params)), keep).await;
    marked.and(rows)
}

impl Drop for Scope {
    fn drop(&mut self) {
        let Some(conn) = self.conn.take() else { return };
        if !conn.is_dirty() {
            return;
        }
        // Stop what still runs, then close: PostgreSQL rolls back, nobody inherits the transaction.
        let (token, connector) = (conn.client.cancel_token(), self.connector.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { connector.cancel(token).await });
        }
        drop(deadpool::managed::Object::take(conn));
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Door")
    }
}

/// Shared by everything that serves requests.
pub type SharedDoor = Arc<Door>;
