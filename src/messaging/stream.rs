//! `GET /notifications/stream`: server-sent events of the caller's own new notifications. An event says that there is one and
//! of what kind; its text is read like any other record, under policies and audited.

use super::hub::{Hub, News, Seat};
use super::notification::NOTIFICATION;
use crate::kernel::Caller;
use crate::kernel::context::{Context, Permission, Plane};
use crate::kernel::error::Result;
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::value::instant_text;
use crate::sql;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::{StreamExt, unfold};
use serde_json::json;
use std::time::Duration;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;
use uuid::Uuid;

/// Proxies between us and the client end what is silent for long.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// Whether the session is still in force is asked so often: an end is felt within five seconds.
const CHECK_EVERY: Duration = Duration::from_secs(3);
/// What a login may see is settled when a stream begins, so none lasts longer; clients open the next by themselves.
const LASTS_AT_MOST: Duration = Duration::from_secs(900);

sql! {
    /// $1 session, $2 tenant it works in.
    IN_FORCE(UUID, UUID) = "select sec.session_in_force($1, $2)";
    /// $1 notification: when it is the caller's own.
    OWN(UUID) = "select type, priority, created_at from sec.own_notification($1)";
}

pub static STREAM: Operation = Operation {
    id: "getNotificationsStream",
    method: Method::Get,
    path: "/notifications/stream",
    tag: NOTIFICATION.tag,
    doc: "Server-sent events of the caller's new notifications: id, type and priority; `missed` where some were lost, then list them",
    takes: &[],
    gives: Gives::Bytes("text/event-stream"),
    planes: &[Plane::Staff, Plane::Patient],
    permission: Permission::Own,
    run: Run::Apart(|call| Box::pin(open(call))),
};

struct Stream {
    caller: Caller,
    news: broadcast::Receiver<News>,
    stopped: watch::Receiver<bool>,
    until: Instant,
    beat: Instant,
    check: Instant,
    first: Option<Bytes>,
    _seat: Seat,
}

async fn open(call: Call) -> Result<Answer> {
    let caller = call.caller;
    let hub = Hub::of(&caller.kernel)?;
    let seat = hub.sit(caller.context.actor, caller.context.tenant)?;
    let news = hub.hear(&caller.kernel).await?;
    let now = Instant::now();
    let stream = Stream {
        caller,
        news,
        stopped: hub.stopped(),
        until: now + LASTS_AT_MOST,
        beat: now + HEARTBEAT_EVERY,
        check: now + CHECK_EVERY,
        first: Some(Bytes::from_static(b": open\n\n")),
        _seat: seat,
    };
    Ok(Answer::Bytes(unfold(stream, async |mut stream| stream.next().await.map(|part| (Ok(part), stream))).boxed()))
}

impl Stream {
    /// The next part; none when the stream ends.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            tokio::select! {
                () = ended(&mut self.stopped) => return None,
                () = tokio::time::sleep_until(self.until) => return None,
                () = tokio::time::sleep_until(self.check) => {
                    self.check = Instant::now() + CHECK_EVERY;
                    if !in_force(&self.caller).await.unwrap_or(false) {
                        return None;
                    }
                }
                () = tokio::time::sleep_until(self.beat) => {
                    self.beat = Instant::now() + HEARTBEAT_EVERY;
                    return Some(Bytes::from_static(b": \n\n"));
                }
                heard = self.news.recv() => match heard {
                    Ok(News::Made { tenant, notification, login }) if concerns(&self.caller.context, tenant, login) => {
                        if let Ok(Some(event)) = event(&self.caller, notification).await {
                            return Some(event);
                        }
                    }
                    Ok(News::Made { .. }) => {}
                    Ok(News::Missed) | Err(broadcast::error::RecvError::Lagged(_)) => {
                        return Some(Bytes::from_static(b"event: missed\ndata: {}\n\n"));
                    }
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        }
    }
}

/// A server that is gone ends its streams too.
async fn ended(stopped: &mut watch::Receiver<bool>) {
    drop(stopped.wait_for(|stop| *stop).await);
}

/// Whether it may be the caller's, by its ids alone: most news are somebody else's.
fn concerns(context: &Context, tenant: Uuid, login: Option<Uuid>) -> bool {
    match login {
        Some(login) => context.actor == Some(login) && context.tenant.is_none_or(|own| own == tenant),
        None => context.plane == Plane::Staff && context.tenant == Some(tenant),
    }
}

/// What cannot be told is not believed: a stream whose session cannot be asked about ends.
async fn in_force(caller: &Caller) -> Result<bool> {
    let Some(session) = caller.context.session else { return Ok(false) };
    let scope = caller.kernel.door.open(&Context::system(Plane::Auth, None)).await?;
    let answers = scope.once(&[((&IN_FORCE).into(), vec![&session, &caller.context.tenant])]).await?;
    Ok(answers.iter().flatten().next().map(|row| row.try_get(0)).transpose()?.unwrap_or(false))
}

async fn event(caller: &Caller, id: Uuid) -> Result<Option<Bytes>> {
    let answers = caller.kernel.door.open(&caller.context).await?.once(&[((&OWN).into(), vec![&id])]).await?;
    let Some(row) = answers.iter().flatten().next() else { return Ok(None) };
    let (kind, priority, at): (String, String, DateTime<Utc>) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let data = json!({"id": id, "type": kind, "priority": priority, "created_at": instant_text(at)});
    Ok(Some(Bytes::from(format!("id: {id}\nevent: notification\ndata: {data}\n\n"))))
}
