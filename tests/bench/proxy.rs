//! A watcher between the server and PostgreSQL: how many round trips a read takes, and which statements it is.

use crate::house::{House, Serving};
use crate::load::{self, Load};
use crate::stand::median;
use crate::wire::{Client, Said, Statement, ready};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// What one request was, once connections and statements are warm.
pub struct Watched {
    pub round_trips: f64,
    pub log_round_trips: f64,
    /// On the connection of the caller's plane, from BEGIN to COMMIT.
    pub read: Vec<Statement>,
    /// The audit events' statement on its own connection, where it is not in the transaction.
    pub audit: Option<Statement>,
}

#[derive(Default)]
struct Heard {
    reads: Vec<Statement>,
    audits: Vec<Statement>,
    read_trips: usize,
    log_trips: usize,
}

const WARM: usize = 40;
const WATCHED: usize = 40;

/// A server that is listened to.
pub struct Watch {
    pub server: Serving,
    heard: Arc<Mutex<Heard>>,
    listening: tokio::task::JoinHandle<()>,
}

impl Watch {
    pub async fn start(house: &House) -> Watch {
        let folder = house.dir.join("watched");
        std::fs::create_dir_all(&folder).unwrap();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let listener = UnixListener::bind(folder.join(".s.PGSQL.5432")).unwrap();
        let listening = tokio::spawn(listen(listener, house.sockets().join(".s.PGSQL.5432"), heard.clone()));
        Watch { server: Serving::through(house, "thousand", &folder).await, heard, listening }
    }

    pub async fn see(&self, load: &Load) -> Watched {
        load::one_by_one(load, WARM).await;
        let mut trips = Vec::new();
        // What others said meanwhile (a token asked again, counts exchanged) comes on top: the shortest is the request's own.
        let mut own: Option<Heard> = None;
        for _ in 0..WATCHED {
            *self.heard.lock().unwrap() = Heard::default();
            load::one_by_one(load, 1).await;
            let heard = std::mem::take(&mut *self.heard.lock().unwrap());
            trips.push((heard.read_trips as f64, heard.log_trips as f64));
            if own.as_ref().is_none_or(|own| heard.reads.len() < own.reads.len()) {
                own = Some(heard);
            }
        }
        let mut own = own.unwrap_or_default();
        Watched {
            round_trips: median(trips.iter().map(|trips| trips.0)),
            log_round_trips: median(trips.iter().map(|trips| trips.1)),
            read: own.reads,
            audit: own.audits.pop(),
        }
    }

    pub async fn stop(self) {
        self.server.stop().await;
        self.listening.abort();
    }
}

async fn listen(listener: UnixListener, to: PathBuf, heard: Arc<Mutex<Heard>>) {
    while let Ok((client, _)) = listener.accept().await {
        let server = UnixStream::connect(&to).await.unwrap();
        tokio::spawn(pass(client, server, heard.clone()));
    }
}

/// A round trip begins with the first message that is sent while no answer is outstanding.
async fn pass(client: UnixStream, server: UnixStream, heard: Arc<Mutex<Heard>>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let outstanding = Arc::new(Mutex::new((0usize, false)));
    let expected = outstanding.clone();
    let back = async move {
        let (mut buffer, mut pending) = (vec![0; 64 * 1024], Vec::new());
        while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
            let answered = ready(&mut pending, &buffer[..count]);
            {
                let mut expected = expected.lock().unwrap();
                expected.0 = expected.0.saturating_sub(answered);
                expected.1 &= expected.0 > 0;
            }
            if to_client.write_all(&buffer[..count]).await.is_err() {
                break;
            }
        }
    };
    let forth = async move {
        let (mut buffer, mut said) = (vec![0; 64 * 1024], Client::default());
        while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
            let messages = said.hear(&buffer[..count]);
            hear(&mut heard.lock().unwrap(), &said.user, messages, &mut outstanding.lock().unwrap());
            if to_server.write_all(&buffer[..count]).await.is_err() {
                break;
            }
        }
    };
    tokio::join!(back, forth);
}

fn hear(heard: &mut Heard, user: &str, messages: Vec<Said>, outstanding: &mut (usize, bool)) {
    let log = user == "enamel_log";
    for message in messages {
        if !outstanding.1 {
            outstanding.1 = true;
            *(if log { &mut heard.log_trips } else { &mut heard.read_trips }) += 1;
        }
        match message {
            Said::Statement(statement) if log => heard.audits.push(statement),
            Said::Statement(statement) => heard.reads.push(statement),
            Said::Sync => outstanding.0 += 1,
            Said::Other => {}
        }
    }
}
