//! The load: keep-alive connections on one thread, requests written as bytes, answers read by their length. It has to
//! cost little, for server and PostgreSQL share the machine with it.

use crate::house::Serving;
use crate::people::{Clinic, patient_id};
use crate::stand::median;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[derive(Clone)]
enum What {
    Read,
    Get(String),
    /// One of the bodies; PATIENT_ID in it is a patient of the caller.
    Post(&'static str, Arc<[String]>),
    Patch,
    Put,
    /// A program's token, by its secret.
    Grant(&'static str),
}

/// What is asked, by whom, of which server.
#[derive(Clone)]
pub struct Load {
    to: SocketAddr,
    callers: Arc<[Clinic]>,
    what: What,
    /// Whose paths begin with FHIR's own, as those of another server do.
    is_elsewhere: bool,
}

pub struct Sample {
    pub rate: f64,
    pub median_ms: f64,
    pub mean_ms: f64,
    pub p99_ms: f64,
}

impl Load {
    fn of(server: &Serving, clinics: &[Clinic], what: What) -> Load {
        Load { to: server.address, callers: clinics.into(), what, is_elsewhere: false }
    }
    /// The same of another FHIR server, which has these patients.
    pub fn elsewhere(self, to: SocketAddr, clinic: &Clinic) -> Load {
        Load { to, callers: std::slice::from_ref(clinic).into(), is_elsewhere: true, ..self }
    }
    /// Patients of all these clinics, each asked for with its clinic's token.
    pub fn reads(server: &Serving, clinics: &[Clinic]) -> Load {
        Load::of(server, clinics, What::Read)
    }
    /// A page of one caller.
    pub fn page(server: &Serving, caller: &Clinic, path: &str) -> Load {
        Load::of(server, std::slice::from_ref(caller), What::Get(path.to_owned()))
    }
    pub fn creates(server: &Serving, clinics: &[Clinic]) -> Load {
        Load::posts(server, clinics, "/api/v1/patients", vec![PATIENT.to_owned()])
    }
    pub fn posts(server: &Serving, clinics: &[Clinic], path: &'static str, bodies: Vec<String>) -> Load {
        Load::of(server, clinics, What::Post(path, bodies.into()))
    }
    /// Patients replaced by FHIR, each time by another content.
    pub fn updates(server: &Serving, clinics: &[Clinic]) -> Load {
        Load::of(server, clinics, What::Put)
    }
    /// Of patients as they were loaded, or as other patches of this run left them.
    pub fn patches(server: &Serving, clinics: &[Clinic]) -> Load {
        Load::of(server, clinics, What::Patch)
    }
    /// Tokens for the programs of these clinics, all of which have that secret.
    pub fn grants(server: &Serving, clinics: &[Clinic], secret: &'static str) -> Load {
        Load::of(server, clinics, What::Grant(secret))
    }
    /// [`ROWS`] new rows in each.
    pub fn batches(server: &Serving, clinics: &[Clinic]) -> Load {
        Load::posts(server, clinics, "/api/v1/batch", vec![BATCH.clone()])
    }

    /// `connection` of many: no two of them change the same patient.
    fn request(&self, random: &mut Random, connection: u64) -> Vec<u8> {
        let caller = &self.callers[random.below(self.callers.len() as u64) as usize];
        let (method, path, head, body) = match &self.what {
            What::Read => {
                ("GET", format!("{READ}{}", patient_id(caller.first + random.below(caller.patients))), String::new(), String::new())
            }
            What::Get(path) => ("GET", path.clone(), String::new(), String::new()),
            What::Post(path, bodies) => {
                let body = bodies[random.below(bodies.len() as u64) as usize].clone();
                let patient = patient_id(caller.first + random.below(caller.patients));
                ("POST", (*path).to_owned(), String::new(), if body.len() < SHORT { body.replace("PATIENT_ID", &patient) } else { body })
            }
            What::Grant(secret) => {
                let form = format!("grant_type=client_credentials&client_id=bench-{}&client_secret={secret}", caller.tenant);
                ("POST", "/oauth2/token".to_owned(), String::new(), form)
            }
            What::Patch => {
                let (number, version) = next_version(caller, random, connection);
                let head = format!("If-Match: W/\"{version}\"\r\n");
                ("PATCH", format!("/api/v1/patients/{}", patient_id(number)), head, format!("{{\"name_prefix\":\"{version}\"}}"))
            }
            What::Put => {
                let (number, version) = next_version(caller, random, connection);
                let id = patient_id(number);
                let body = format!(
                    r#"{{"resourceType":"Patient","id":"{id}","name":[{{"family":"Neumann","given":["Nora"],"prefix":["{version}"]}}],"birthDate":"1984-05-06"}}"#
                );
                ("PUT", format!("{READ}{id}"), String::new(), body)
            }
        };
        let (by, kind) = match self.what {
            What::Grant(_) => (String::new(), "application/x-www-form-urlencoded"),
            _ => (
                format!("Authorization: Bearer {}\r\n", caller.tokens[random.below(caller.tokens.len() as u64) as usize]),
                "application/json",
            ),
        };
        let path = match path.strip_prefix(FHIR).filter(|_| self.is_elsewhere) {
            Some("") => "/",
            Some(rest) => rest,
            None => &path,
        };
        let head = if body.is_empty() { head } else { format!("{head}Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len()) };
        format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{by}Accept: */*\r\n{head}\r\n{body}", self.to).into_bytes()
    }
}

/// A patient of the connection's own, and its version.
fn next_version(caller: &Clinic, random: &mut Random, connection: u64) -> (u64, i64) {
    let number = caller.first + random.below(caller.patients / PARTS) * PARTS + connection % PARTS;
    let mut versions = VERSIONS.lock().unwrap();
    let version = versions.entry(number).or_insert(1);
    *version += 1;
    (number, *version - 1)
}

/// Bodies below it name a patient.
const SHORT: usize = 4_096;
const FHIR: &str = "/fhir/r4";
const READ: &str = "/fhir/r4/Patient/";
const PATIENT: &str = r#"{"first_name":"Nora","last_name":"Neumann","dob":"1984-05-06","phone_mobile":"+4915112345678"}"#;
/// Patients are divided among so many connections.
const PARTS: u64 = 16;
static VERSIONS: LazyLock<Mutex<HashMap<u64, i64>>> = LazyLock::new(Mutex::default);

/// Rows of a batch: patients, then an address for each.
pub const ROWS: usize = 500;
static BATCH: LazyLock<String> = LazyLock::new(|| {
    let patient = |n: usize| format!(r#"{{"method":"POST","path":"/patients","ref":"p{n}","body":{PATIENT}}}"#);
    let address = |n: usize| {
        let body = format!(r##"{{"patient_id":"#p{n}","line1":"Lane {n}","city":"Bonn","country":"DE"}}"##);
        format!(r#"{{"method":"POST","path":"/patient-addresses","body":{body}}}"#)
    };
    let steps: Vec<String> = (0..ROWS / 2).map(patient).chain((0..ROWS / 2).map(address)).collect();
    format!("{{\"operations\":[{}]}}", steps.join(","))
});

/// xorshift64*; a benchmark needs no better.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) % bound
    }
}

/// Runs `connections` of it for so long, on a thread of its own.
pub async fn run(load: &Load, connections: usize, seconds: f64) -> Sample {
    let load = load.clone();
    tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let began = Instant::now();
            let until = began + Duration::from_secs_f64(seconds);
            let connections = (0..connections).map(|seed| connection(load.clone(), seed as u64 + 1, until));
            let taken = futures_util::future::join_all(connections).await.concat();
            sample(taken, began.elapsed())
        })
    })
    .await
    .unwrap()
}

fn sample(mut taken: Vec<f64>, elapsed: Duration) -> Sample {
    taken.sort_by(f64::total_cmp);
    Sample {
        rate: taken.len() as f64 / elapsed.as_secs_f64(),
        median_ms: median(taken.iter().copied()),
        mean_ms: taken.iter().sum::<f64>() / taken.len() as f64,
        p99_ms: taken[taken.len() * 99 / 100],
    }
}

/// Milliseconds of each request until the time is over.
async fn connection(load: Load, seed: u64, until: Instant) -> Vec<f64> {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut stream = TcpStream::connect(load.to).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut taken, mut buffer) = (Vec::with_capacity(100_000), Vec::with_capacity(64 * 1024));
    while Instant::now() < until {
        let request = load.request(&mut random, seed);
        let asked = Instant::now();
        stream.write_all(&request).await.unwrap();
        answer(&mut stream, &mut buffer).await;
        taken.push(asked.elapsed().as_secs_f64() * 1_000.0);
    }
    taken
}

/// Reads one answer whole; anything but success ends the run, for a refusal would be fast.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) {
    buffer.clear();
    let mut whole = None;
    while whole.is_none_or(|whole| buffer.len() < whole) {
        assert!(stream.read_buf(buffer).await.unwrap() > 0, "the server closed a connection");
        if whole.is_none()
            && let Some(head) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n")
        {
            let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
            assert!(text.starts_with("http/1.1 20"), "{}", String::from_utf8_lossy(buffer));
            let length = text.lines().find_map(|line| line.strip_prefix("content-length:")).unwrap();
            whole = Some(head + 4 + length.trim().parse::<usize>().unwrap());
        }
    }
}

/// One read at a time, for the watcher between server and database.
pub async fn one_by_one(load: &Load, count: usize) {
    let mut random = Random(7);
    let mut stream = TcpStream::connect(load.to).await.unwrap();
    let mut buffer = Vec::new();
    for _ in 0..count {
        stream.write_all(&load.request(&mut random, 0)).await.unwrap();
        answer(&mut stream, &mut buffer).await;
    }
}
