//! Who is told of new notifications: PostgreSQL's NOTIFY, which names ids and nothing else, heard once a server and handed
//! to the open streams. Nobody listens before the first stream.

use crate::kernel::Kernel;
use crate::kernel::context::{Context, Plane};
use crate::kernel::error::{self, Error, Result};
use crate::sql;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_postgres::Client;
use uuid::Uuid;

const CHANNEL: &str = "enamel_notifications";
/// News a slow stream may fall behind; then it is told that it missed some.
const QUEUE_MAX: usize = 1_000;
pub const STREAMS_PER_LOGIN_MAX: usize = 5;
pub const STREAMS_PER_TENANT_MAX: usize = 500;
const AGAIN_AFTER: Duration = Duration::from_secs(1);

sql! {
    /// $1 tenant, $2 notification.
    ADDRESSEE(UUID, UUID) = "select user_id from notifications where tenant_id = $1 and id = $2";
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// A notification of that tenant, for one login or for whom its audience names.
    Made { tenant: Uuid, notification: Uuid, login: Option<Uuid> },
    /// The connection was lost for a while.
    Missed,
}

pub struct Hub {
    news: broadcast::Sender<News>,
    listening: tokio::sync::Mutex<bool>,
    open: Mutex<HashMap<Uuid, usize>>,
    stop: watch::Sender<bool>,
}

/// A place among the streams of a login and its tenant.
pub struct Seat {
    hub: Arc<Hub>,
    keys: [Option<Uuid>; 2],
}

impl Hub {
    pub fn start() -> Arc<Hub> {
        let (news, _) = broadcast::channel(QUEUE_MAX);
        Arc::new(Hub { news, listening: tokio::sync::Mutex::new(false), open: Mutex::default(), stop: watch::channel(false).0 })
    }
    pub fn of(kernel: &Kernel) -> Result<Arc<Hub>> {
        kernel.services.get::<Arc<Hub>>().cloned().ok_or_else(|| Error::internal("no hub was started"))
    }
    /// Ends the streams.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
    pub fn stopped(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Refused where too many are open.
    pub fn sit(self: &Arc<Hub>, login: Option<Uuid>, tenant: Option<Uuid>) -> Result<Seat> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = [(login, STREAMS_PER_LOGIN_MAX), (tenant, STREAMS_PER_TENANT_MAX)];
        let full = |(key, most): &(Option<Uuid>, usize)| key.is_some_and(|key| open.get(&key).is_some_and(|count| count >= most));
        if wanted.iter().any(full) {
            return Err(Error::new(&error::RATE_LIMITED).detail("Too many streams are open."));
        }
        let keys = [login, tenant];
        for key in keys.into_iter().flatten() {
            *open.entry(key).or_default() += 1;
        }
        Ok(Seat { hub: self.clone(), keys })
    }

    pub async fn hear(self: &Arc<Hub>, kernel: &Arc<Kernel>) -> Result<broadcast::Receiver<News>> {
        // Nobody's stream begins before the channel is heard; who goes away meanwhile leaves it to the next.
        let mut listening = self.listening.lock().await;
        if !*listening {
            let first = kernel.door.pools.connector("jobs")?.listen(CHANNEL).await?;
            tokio::spawn(self.clone().carry(kernel.clone(), first));
            *listening = true;
        }
        Ok(self.news.subscribe())
    }

    /// Hands on what is heard, and listens again whenever the connection is lost.
    async fn carry(self: Arc<Hub>, kernel: Arc<Kernel>, first: (Client, mpsc::Receiver<String>)) {
        let (mut connection, mut stopped) = (Some(first), self.stopped());
        let work = async {
            loop {
                if let Some((_client, mut heard)) = connection.take() {
                    while let Some(said) = heard.recv().await {
                        if self.news.receiver_count() > 0
                            && let Some(ids) = read(&said)
                        {
                            let _ = self.news.send(addressed(&kernel, ids).await.unwrap_or(News::Missed));
                        }
                    }
                }
                tokio::time::sleep(AGAIN_AFTER).await;
                let again = async { kernel.door.pools.connector("jobs")?.listen(CHANNEL).await };
                connection = again.await.ok();
                if connection.is_some() {
                    let _ = self.news.send(News::Missed);
                }
            }
        };
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => {}
            () = work => {}
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.hub.open.lock().unwrap_or_else(PoisonError::into_inner);
        for key in self.keys.into_iter().flatten() {
            if let Some(count) = open.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    open.remove(&key);
                }
            }
        }
    }
}

/// `tenant notification`: whoever may speak to PostgreSQL can hear the channel, so it does not say whose it is.
fn read(said: &str) -> Option<(Uuid, Uuid)> {
    let (tenant, notification) = said.split_once(' ')?;
    Some((tenant.parse().ok()?, notification.parse().ok()?))
}

/// Asked once for all streams of this server.
async fn addressed(kernel: &Kernel, (tenant, notification): (Uuid, Uuid)) -> Result<News> {
    let scope = kernel.door.open(&Context::system(Plane::Jobs, Some(tenant))).await?;
    let answers = scope.once(&[((&ADDRESSEE).into(), vec![&tenant, &notification])]).await?;
    let login = answers.iter().flatten().next().map(|row| row.try_get(0)).transpose()?.flatten();
    Ok(News::Made { tenant, notification, login })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_has_so_many_seats_and_gets_them_back() {
        let hub = Hub::start();
        let (login, tenant) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut seats: Vec<Seat> = (0..STREAMS_PER_LOGIN_MAX).map(|_| hub.sit(Some(login), Some(tenant)).unwrap()).collect();
        assert!(hub.sit(Some(login), Some(tenant)).is_err());
        assert!(hub.sit(Some(Uuid::from_u128(3)), Some(tenant)).is_ok(), "the seat went back at once");
        seats.pop();
        assert!(hub.sit(Some(login), Some(tenant)).is_ok());
    }

    #[test]
    fn a_payload_is_ids_and_nothing_else() {
        let (tenant, notification) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(read(&format!("{tenant} {notification}")), Some((tenant, notification)));
        assert_eq!(read("hello"), None);
    }
}
