//! The one door to SQL: a transaction on the caller's plane whose sealed context is set before anything else runs.
//!
//! A simple read is one round trip ([`Scope::once`]): BEGIN, context, statements and COMMIT leave in one pipeline.
//! A write keeps its transaction open until [`Scope::commit`]; a scope that is dropped before is rolled back by closing
//! its connection, whatever the reason. Pipelines hold prepared statements only: a text query would first prepare and
//! then execute after the COMMIT, outside the context.

use super::Query;
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

const AS_USUAL: &str = "set local random_page_cost to default; set local plan_cache_mode to default";

const MARK: Query = Query::new(Cow::Borrowed("savepoint mark"), Cow::Borrowed(&[]));
const RELEASE: Query = Query::new(Cow::Borrowed("release savepoint mark"), Cow::Borrowed(&[]));
const NOTHING: Query = Query::new(Cow::Borrowed("select"), Cow::Borrowed(&[]));
const AUDIT: Query = Query::new(Cow::Borrowed("select sec.audit_append($1)"), Cow::Borrowed(&[Type::JSONB]));

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
    posted: Vec<Posted>,
    now: DateTime<Utc>,
    events: Vec<AuditEvent>,
}

/// A statement whose answer nobody waits for, with what it is given.
struct Posted {
    statement: Statement,
    params: Vec<Box<dyn ToSql + Sync + Send>>,
    /// It is the savepoint of [`Scope::mark`].
    marks: bool,
}

/// What must stand on the wire before the next statement.
struct Ahead {
    begin: Option<String>,
    posted: Vec<Posted>,
}

impl Ahead {
    async fn go(&self, client: &Client) -> Result<(), tokio_postgres::Error> {
        let begin = async {
            match &self.begin {
                Some(begin) => client.batch_execute(begin).await,
                None => Ok(()),
            }
        };
        let posted = self.posted.iter().map(async |posted| {
            let params: Vec<Param<'_>> = posted.params.iter().map(|value| &**value as Param<'_>).collect();
            client.execute(&posted.statement, &params).await
        });
        // Polled in order, and that is the order on the wire.
        let (begun, posted) = join(begin, join_all(posted)).await;
        begun?;
        posted.into_iter().try_for_each(|posted| posted.map(drop))
    }
}

/// A statement of [`Scope::pipeline`].
pub struct Shaped<'a> {
    pub text: &'a str,
    pub params: Vec<(Param<'a>, Type)>,
}

/// One of several statements in a pipeline.
async fn answer(
    client: &Client,
    statement: &Statement,
    (query, params): &(Query, Vec<Param<'_>>),
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let Some(planning) = query.planning else { return client.query(statement, params).await };
    // Polled in order, and that is the order on the wire.
    let planned = join(client.batch_execute(planning), client.query(statement, params));
    let ((begun, rows), ended) = join(planned, client.batch_execute(AS_USUAL)).await;
    begun?;
    let rows = rows?;
    ended.map(|()| rows)
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
        let conn = self.pools.take_for(pool, context.tenant).await?;
        let now = Utc::now();
        let sealed = self.sealer.seal(context, conn.pid, now + TimeDelta::seconds(SEAL_VALID_S));
        let connector = self.pools.connector(context.plane.word())?.clone();
        Ok(Scope {
            conn: Some(conn),
            connector,
            sealed,
            context: context.clone(),
            began: false,
            posted: Vec::new(),
            now,
            events: Vec::new(),
        })
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
        let reads = join_all(statements.iter().zip(queries).map(|(statement, query)| answer(&conn.client, statement, query)));
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
        let (client, ahead) = self.ready()?;
        let (gone, rows) = join(ahead.go(client), client.query(statement, params)).await;
        gone?;
        Ok(rows?)
    }

    /// All of them in one round trip: the answer of each, in order.
    pub async fn gather(&mut self, queries: &[(Query, Vec<Param<'_>>)]) -> Result<Vec<Vec<Row>>> {
        let mut statements = Vec::with_capacity(queries.len());
        for (query, _) in queries {
            statements.push(self.prepare(query).await?);
        }
        let (client, ahead) = self.ready()?;
        // Polled in order, and that is the order on the wire.
        let answers = join_all(statements.iter().zip(queries).map(|(statement, query)| answer(client, statement, query)));
        let (gone, answers) = join(ahead.go(client), answers).await;
        gone?;
        Ok(answers.into_iter().collect::<Result<Vec<_>, _>>()?)
    }

    /// Runs a statement whose answer nobody needs: it travels with the next one, at the latest with the COMMIT, and is
    /// refused there.
    pub async fn post(&mut self, query: impl Into<Query>, params: Vec<Box<dyn ToSql + Sync + Send>>) -> Result<()> {
        let statement = self.prepare(&query.into()).await?;
        self.posted.push(Posted { statement, params, marks: false });
        Ok(())
    }

    /// The connection, and what goes ahead of the next statement on it.
    fn ready(&mut self) -> Result<(&Client, Ahead)> {
        let begin = (!std::mem::replace(&mut self.began, true)).then(|| beginning(BEGIN, &self.sealed));
        let posted = std::mem::take(&mut self.posted);
        let conn = self.conn()?;
        conn.mark_dirty(true);
        Ok((&conn.client, Ahead { begin, posted }))
    }

    /// The transaction is open, and what was posted has been done.
    async fn begin(&mut self) -> Result<()> {
        if !self.began || !self.posted.is_empty() {
            let (client, ahead) = self.ready()?;
            ahead.go(client).await?;
        }
        Ok(())
    }

    /// Like [`Self::rows`] for statements whose shape differs from call to call: parsed each time, never kept.
    pub async fn rows_once(&mut self, text: &str, params: &[(Param<'_>, Type)]) -> Result<Vec<Row>> {
        let (client, ahead) = self.ready()?;
        let (gone, rows) = join(ahead.go(client), client.query_typed(text, params)).await;
        gone?;
        Ok(rows?)
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
        let conn = self.conn()?;
        let mut statements = Vec::with_capacity(steps.len());
        for step in steps {
            let types: Vec<Type> = step.params.iter().map(|(_, ty)| ty.clone()).collect();
            statements.push((conn.shape(step.text, &types).await?, step.params.iter().map(|(value, _)| *value).collect::<Vec<_>>()));
        }
        let (client, ahead) = self.ready()?;
        // Polled in order, and that is the order on the wire.
        let answers = join_all(statements.iter().map(|(statement, params)| step(client, statement, params, marked)));
        let (gone, answers) = join(ahead.go(client), answers).await;
        gone?;
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
        let statement = self.prepare(&query.into()).await?;
        let (client, ahead) = self.ready()?;
        let (gone, touched) = join(ahead.go(client), client.execute(&statement, params)).await;
        gone?;
        Ok(touched?)
    }

    /// A place in the transaction to come back to, by [`Self::undo`], or to leave behind, by [`Self::keep`].
    pub async fn mark(&mut self) -> Result<Mark> {
        let statement = self.prepare(&MARK).await?;
        self.posted.push(Posted { statement, params: Vec::new(), marks: true });
        Ok(Mark { events: self.events.len() })
    }
    /// What was done since the mark is undone, also after a statement that failed; the transaction goes on.
    pub async fn undo(&mut self, mark: Mark) -> Result<()> {
        self.events.truncate(mark.events);
        match self.posted.iter().rposition(|posted| posted.marks) {
            // Nothing has left since.
            Some(place) => self.posted.truncate(place),
            None => {
                self.posted.clear();
                self.conn()?.client.batch_execute("rollback to savepoint mark; release savepoint mark").await?;
            }
        }
        Ok(())
    }
    pub async fn keep(&mut self, _mark: Mark) -> Result<()> {
        // A refusal of what was posted since belongs to it.
        self.begin().await?;
        self.post(RELEASE, Vec::new()).await
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
        if !self.began && self.events.is_empty() && self.posted.is_empty() {
            self.leave();
            return Ok(());
        }
        let events = crate::kernel::audit_store::rows(&self.events)?;
        // Without events, a statement that does nothing: it proves that the transaction still stands.
        let (last, params): (Query, Vec<Param<'_>>) = if self.events.is_empty() { (NOTHING, Vec::new()) } else { (AUDIT, vec![&events]) };
        let statement = self.prepare(&last).await?;
        let (client, ahead) = self.ready()?;
        let ((gone, told), ended) = join(join(ahead.go(client), client.query(&statement, &params)), client.batch_execute("commit")).await;
        gone?;
        // Without its audit rows the change is rolled back and never told: the answer is 503, whatever the reason.
        told.map_err(|failure| if params.is_empty() { Error::from(failure) } else { Error::unavailable(failure) })?;
        ended?;
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
        conn.close();
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Door")
    }
}

/// Shared by everything that serves requests.
pub type SharedDoor = Arc<Door>;
