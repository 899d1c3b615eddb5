//! Clients that work on while their server dies under them, and write down what it acknowledged.

use super::Dice;
use super::people::Staff;
use reqwest::{Response, StatusCode};
use serde_json::{Value as Json, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// What a client was told.
#[derive(Default)]
pub struct Told {
    pub made: Vec<Made>,
    pub changed: Vec<Changed>,
    /// Request and patient.
    pub read: Vec<(Uuid, Uuid)>,
    /// Requests of lists.
    pub listed: Vec<Uuid>,
    /// Idempotency keys whose answer was never seen.
    pub open_keys: Vec<String>,
    /// How often an answer did not come.
    pub lost: usize,
}

impl Told {
    fn answered(&self) -> usize {
        self.made.len() + self.changed.len() + self.read.len() + self.listed.len()
    }
}

pub struct Made {
    pub id: Uuid,
    pub last_name: String,
    pub key: String,
    /// The request that did it; the one that was answered may only have repeated the answer.
    pub request: Option<Uuid>,
}

pub struct Changed {
    pub id: Uuid,
    pub version: i64,
    pub middle_name: String,
    pub request: Uuid,
}

pub struct Load {
    told: Arc<Mutex<Told>>,
    stop: Arc<AtomicBool>,
    clients: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    pub fn start(staff: &Staff, clients: u64, seed: u64) -> Load {
        let (told, stop) = (Arc::<Mutex<Told>>::default(), Arc::<AtomicBool>::default());
        let clients = (1..=clients).map(|number| {
            let mut staff = staff.clone();
            staff.http = reqwest::Client::new();
            let dice = Dice::new(seed.wrapping_mul(number * 2 + 1));
            let client = Client { staff, told: told.clone(), stop: stop.clone(), dice, mine: Vec::new() };
            tokio::spawn(client.run())
        });
        Load { clients: clients.collect(), told, stop }
    }
    /// Waits until the server has answered this many more requests.
    pub async fn is_answered(&self, more: u64, within: Duration) {
        let answered = || self.told.lock().unwrap().answered();
        let (began, goal) = (Instant::now(), answered() + usize::try_from(more).unwrap());
        while answered() < goal {
            assert!(began.elapsed() < within, "the server answers nobody");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    /// The clients come to the end of what they do: every key that was sent gets its answer.
    pub async fn end(self) -> Told {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.unwrap();
        }
        std::mem::take(&mut self.told.lock().unwrap())
    }
}

/// A key that has no answer after this never gets one, however slow the machine and however often the server dies.
const PATIENCE: Duration = Duration::from_secs(240);

struct Client {
    staff: Staff,
    told: Arc<Mutex<Told>>,
    stop: Arc<AtomicBool>,
    dice: Dice,
    /// Patients of this client with the version it knows.
    mine: Vec<(Uuid, i64)>,
}

/// An answer that says nothing about what happened: none at all, or 503.
fn answered(sent: reqwest::Result<Response>) -> Result<Response, String> {
    let answer = sent.map_err(|error| format!("{error:?}"))?;
    if answer.status() == StatusCode::SERVICE_UNAVAILABLE { Err("503".to_owned()) } else { Ok(answer) }
}

fn request_of(answer: &Response) -> Uuid {
    answer.headers()["x-request-id"].to_str().unwrap().parse().unwrap()
}

impl Client {
    async fn run(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            match self.dice.below(8) {
                0 | 1 => self.make().await,
                2 | 3 => self.change().await,
                4 => self.list().await,
                _ => self.read().await,
            }
        }
    }
    fn note(&self, note: impl FnOnce(&mut Told)) {
        note(&mut self.told.lock().unwrap());
    }
    async fn lost(&self) {
        self.note(|told| told.lost += 1);
        tokio::time::sleep(Duration::from_millis(4)).await;
    }

    /// Sends one key until it is answered, as a careful client does.
    async fn make(&mut self) {
        let (key, last_name) = (Uuid::new_v4().to_string(), format!("Quill-{}", Uuid::new_v4().simple()));
        let body = json!({"first_name": "Ada", "last_name": last_name});
        self.note(|told| told.open_keys.push(key.clone()));
        let (began, mut last) = (Instant::now(), String::new());
        while began.elapsed() < PATIENCE {
            let answer = match answered(self.staff.post("/patients").header("idempotency-key", &key).json(&body).send().await) {
                Ok(answer) => answer,
                Err(why) => {
                    last = why;
                    self.lost().await;
                    continue;
                }
            };
            let replayed = answer.headers().contains_key("idempotency-replayed");
            let request = request_of(&answer);
            match answer.status() {
                StatusCode::CREATED => {
                    let Ok(body) = answer.json::<Json>().await else { continue };
                    let id: Uuid = body["id"].as_str().unwrap().parse().unwrap();
                    self.mine.push((id, 1));
                    self.note(|told| {
                        told.open_keys.retain(|open| *open != key);
                        if replayed {
                            told.read.push((request, id));
                        }
                        told.made.push(Made { id, last_name, key, request: (!replayed).then_some(request) });
                    });
                    return;
                }
                // Its twin, sent to the server that died, is still being rolled back or committed.
                StatusCode::CONFLICT => {
                    last = "409".to_owned();
                    self.lost().await;
                }
                status => panic!("a create was answered {status}: {}", answer.text().await.unwrap_or_default()),
            }
        }
        panic!("a key was never answered, at last with {last}");
    }

    async fn change(&mut self) {
        let Some((id, version)) = self.pick() else { return };
        let middle_name = Uuid::new_v4().simple().to_string();
        let changing = self.staff.request(reqwest::Method::PATCH, &format!("/patients/{id}"));
        let sent = changing.header("if-match", format!("W/\"{version}\"")).json(&json!({"middle_name": middle_name})).send().await;
        let Ok(answer) = answered(sent) else {
            self.lost().await;
            self.look_again(id).await;
            return;
        };
        let (status, request) = (answer.status(), request_of(&answer));
        match status {
            StatusCode::OK => {
                self.knows(id, version + 1);
                self.note(|told| told.changed.push(Changed { id, version: version + 1, middle_name, request }));
            }
            // The change that was lost did happen, or is still happening.
            StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT => self.look_again(id).await,
            status => panic!("a change was answered {status}: {}", answer.text().await.unwrap_or_default()),
        }
    }

    async fn look_again(&mut self, id: Uuid) {
        if let Some(body) = self.get(id).await {
            self.knows(id, body["version"].as_i64().unwrap());
        }
    }
    async fn read(&mut self) {
        if let Some((id, _)) = self.pick() {
            self.get(id).await;
        }
    }
    async fn get(&mut self, id: Uuid) -> Option<Json> {
        let Ok(answer) = answered(self.staff.get(&format!("/patients/{id}")).send().await) else {
            self.lost().await;
            return None;
        };
        assert_eq!(answer.status(), StatusCode::OK, "an acknowledged patient is gone");
        let request = request_of(&answer);
        let body = answer.json().await.ok()?;
        self.note(|told| told.read.push((request, id)));
        Some(body)
    }
    async fn list(&mut self) {
        let Ok(answer) = answered(self.staff.get("/patients?limit=3&sort=-created_at").send().await) else {
            return self.lost().await;
        };
        assert_eq!(answer.status(), StatusCode::OK);
        let request = request_of(&answer);
        if answer.bytes().await.is_ok() {
            self.note(|told| told.listed.push(request));
        }
    }

    fn pick(&mut self) -> Option<(Uuid, i64)> {
        let many = self.mine.len() as u64;
        (many > 0).then(|| self.mine[usize::try_from(self.dice.below(many)).unwrap()])
    }
    fn knows(&mut self, id: Uuid, version: i64) {
        if let Some(one) = self.mine.iter_mut().find(|(known, _)| *known == id) {
            one.1 = version;
        }
    }
}
