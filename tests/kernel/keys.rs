//! One key takes another's place while servers serve, and a key service takes the place of both.

use crate::faults::ground::{Ground, House};
use crate::faults::people::Staff;
use crate::faults::process::{Process, command, run};
use crate::world;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use enamel::kernel::Kernel;
use enamel::kernel::config::Config;
use enamel::kernel::crypto::rewrap;
use enamel::kernel::error;
use enamel::server::start;
use nix::sys::signal::Signal;
use poem::listener::TcpAcceptor;
use poem::{EndpointExt, Request, Response, Route, Server, handler, post, web::Data};
use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use uuid::Uuid;

fn key(byte: u8) -> String {
    BASE64_STANDARD.encode::<[u8; 32]>(std::array::from_fn(|at| byte.wrapping_mul(31) ^ at as u8))
}

/// The house's configuration with other lines in its secrets.
fn configured(house: &House, name: &str, envelope: Option<&str>, others: &[&str], more: &str) -> PathBuf {
    let text = std::fs::read_to_string(&house.config).unwrap();
    let was = text.lines().find(|line| line.starts_with("envelope_key")).unwrap();
    let now = envelope.map_or(was.to_owned(), |key| format!("envelope_key = \"{key}\""));
    let path = house.dir.join(name);
    std::fs::write(&path, text.replace(was, &format!("{now}\nother_envelope_keys = {}", json!(others))) + more).unwrap();
    path
}

fn envelope(house: &House) -> String {
    let text = std::fs::read_to_string(&house.config).unwrap();
    text.lines().find_map(|line| line.strip_prefix("envelope_key = ")).unwrap().trim_matches('"').to_owned()
}

async fn server(config: &Path) -> Arc<Kernel> {
    let config = Config::from_parts(&std::fs::read_to_string(config).unwrap(), []).unwrap();
    start::prepare(config).await.unwrap().kernel
}

/// A value sealed for a tenant.
struct Sealed {
    tenant: Uuid,
    row: Uuid,
    bytes: Vec<u8>,
}

impl Sealed {
    async fn by(kernel: &Kernel, tenant: Uuid) -> Sealed {
        let row = Uuid::now_v7();
        Sealed { tenant, row, bytes: kernel.keys.of(tenant).await.unwrap().seal("notes", "text", row, b"plain").unwrap() }
    }
    async fn opens(&self, kernel: &Kernel) -> bool {
        let Ok(keys) = kernel.keys.of(self.tenant).await else { return false };
        keys.open("notes", "text", self.row, &self.bytes).unwrap() == b"plain"
    }
}

async fn rewrapped_events(house: &House) -> i64 {
    let count = "select count(*) from enamel.audit_events where event_type = 'KEY_CHANGED' and metadata ->> 'reason' = 'REWRAPPED'
                    and resource_type = 'EncryptionKey'";
    house.truth().await.query_one(count, &[]).await.unwrap().get(0)
}

async fn signing_key(house: &House, config: &Path) -> Json {
    let mut process = Process::start(command(["serve", "--config", config.to_str().unwrap()]), &house.dir.join("said"));
    process.answers(&format!("{}/livez", house.admin_url), Duration::from_secs(60)).await;
    let published: Json = reqwest::get(format!("{}/oauth2/jwks", house.base_url)).await.unwrap().json().await.unwrap();
    process.signal(Signal::SIGTERM);
    assert!(process.ended(Duration::from_secs(60)).await.status.success());
    published["keys"][0]["kid"].clone()
}

#[test]
fn the_envelope_key_is_replaced_while_servers_serve() {
    world::runtime().block_on(async {
        let house = Ground::get().await.house("rewrapped").await;
        let (old_key, new_key, truth) = (envelope(&house), key(7), house.truth().await);
        // First every server learns the next key; then each, one after the other, seals with it.
        let before = server(&configured(&house, "before.toml", None, &[&new_key], "")).await;
        let after_config = configured(&house, "after.toml", Some(&new_key), &[&old_key], "");
        let after = server(&after_config).await;
        let kid = signing_key(&house, &house.config).await;
        let mut sealed = Vec::new();
        for _ in 0..3 {
            sealed.push(Sealed::by(&before, Staff::new(&truth, &house.base_url).await.tenant).await);
        }
        let newest = Sealed::by(&after, Staff::new(&truth, &house.base_url).await.tenant).await;
        assert!(newest.opens(&before).await, "what a new server has wrapped opens on one that was not replaced yet");

        // It is cut off after one tenant, and goes on with the others.
        assert_eq!(rewrap::some(&after, 1).await.unwrap(), rewrap::Done { tenants: 1, keys: 2 });
        assert_eq!(rewrapped_events(&house).await, 1);
        let left = run(command(["keys", "show", "--config", after_config.to_str().unwrap()]), &house.dir.join("show")).await;
        assert!(left.status.success() && left.said.lines().count() == 2, "{}", left.said);
        let done = run(command(["keys", "rewrap", "--config", after_config.to_str().unwrap()]), &house.dir.join("rewrap")).await;
        assert!(
            done.status.success() && done.said.contains("4 keys of 2 tenants") && done.said.contains("1 signing keys"),
            "{}",
            done.said
        );
        assert_eq!(rewrapped_events(&house).await, 3);
        assert_eq!(rewrap::some(&after, 10).await.unwrap(), rewrap::Done::default());

        let alone_config = configured(&house, "alone.toml", Some(&new_key), &[], "");
        let (alone, former) = (server(&alone_config).await, server(&house.config).await);
        for sealed in sealed.iter().chain([&newest]) {
            assert!(sealed.opens(&before).await && sealed.opens(&after).await && sealed.opens(&alone).await);
            assert!(!sealed.opens(&former).await, "the key that was replaced opens nothing any more");
        }
        assert_eq!(signing_key(&house, &alone_config).await, kid);
    });
}

/// A key service as far as it is asked here: Encrypt and Decrypt of its JSON protocol.
#[derive(Default)]
struct Service {
    /// What was wrapped, with its key and context, by the name it was given out as.
    kept: Mutex<Vec<Json>>,
    asked: AtomicUsize,
    /// Answers so many times that it is not well.
    unwell: AtomicUsize,
    refuses: Mutex<bool>,
}

#[handler]
async fn speak(request: &Request, body: Vec<u8>, service: Data<&Arc<Service>>) -> Response {
    service.asked.fetch_add(1, Ordering::SeqCst);
    let header = |name: &str| request.header(name).unwrap_or_default().to_owned();
    let answer = |status: u16, body: Json| {
        Response::builder().status(status.try_into().unwrap()).content_type("application/x-amz-json-1.1").body(body.to_string())
    };
    assert!(header("authorization").contains("/eu-central-1/kms/aws4_request"), "signed for this service and region");
    if service.unwell.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
        return answer(500, json!({"__type": "KMSInternalException"}));
    }
    if *service.refuses.lock().unwrap() {
        return answer(400, json!({"__type": "AccessDeniedException", "message": "not allowed to use the key"}));
    }
    let asked: Json = serde_json::from_slice(&body).unwrap();
    let mut kept = service.kept.lock().unwrap();
    match header("x-amz-target").as_str() {
        "TrentService.Encrypt" => {
            let name = BASE64_STANDARD.encode(format!("wrapped {}", kept.len()));
            kept.push(asked.clone());
            answer(200, json!({"CiphertextBlob": name, "KeyId": asked["KeyId"]}))
        }
        "TrentService.Decrypt" => {
            let name = BASE64_STANDARD.decode(asked["CiphertextBlob"].as_str().unwrap()).unwrap();
            let at = String::from_utf8(name).ok().and_then(|name| name.strip_prefix("wrapped ")?.parse::<usize>().ok());
            match at.and_then(|at| kept.get(at)) {
                Some(held) if held["EncryptionContext"] == asked["EncryptionContext"] && held["KeyId"] == asked["KeyId"] => {
                    answer(200, json!({"Plaintext": held["Plaintext"], "KeyId": held["KeyId"]}))
                }
                _ => answer(400, json!({"__type": "InvalidCiphertextException"})),
            }
        }
        other => panic!("{other}"),
    }
}

const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/0f5c";
const SECRET: &str = "kms-secret-of-the-test-0123456789";

async fn service() -> (Arc<Service>, String) {
    let service = Arc::new(Service::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let app = Route::new().at("/", post(speak)).with(poem::middleware::AddData::new(service.clone()));
    tokio::spawn(Server::new_with_acceptor(TcpAcceptor::from_tokio(listener).unwrap()).run(app));
    let table = format!(
        "[secrets.kms]\nkey = \"{KEY}\"\nregion = \"eu-central-1\"\nendpoint = \"{endpoint}\"\naccess_key = \"enamel\"\nsecret_key = \"{SECRET}\"\n"
    );
    (service, table)
}

#[test]
fn a_key_service_takes_over_and_is_asked_once_a_key() {
    world::runtime().block_on(async {
        let house = Ground::get().await.house("kms").await;
        let truth = house.truth().await;
        let first = server(&house.config).await;
        let old = Sealed::by(&first, Staff::new(&truth, &house.base_url).await.tenant).await;
        let (service, table) = service().await;
        let config = configured(&house, "kms.toml", None, &[], &table);
        let kernel = server(&config).await;
        assert!(old.opens(&kernel).await, "what the envelope key wrapped still opens");
        assert_eq!(service.asked.load(Ordering::SeqCst), 0);
        let new = Sealed::by(&kernel, Staff::new(&truth, &house.base_url).await.tenant).await;
        for _ in 0..3 {
            assert!(new.opens(&kernel).await);
        }
        assert_eq!(service.asked.load(Ordering::SeqCst), 4, "two keys are wrapped, and opened once");

        assert_eq!(rewrap::some(&kernel, 10).await.unwrap(), rewrap::Done { tenants: 1, keys: 2 });
        let fresh = server(&config).await;
        assert!(old.opens(&fresh).await);
        let stand = rewrap::stand(&kernel).await.unwrap();
        assert_eq!(stand, [(format!("kms:{KEY}"), 4)]);
        let kept = service.kept.lock().unwrap().clone();
        assert!(kept.iter().all(|kept| kept["EncryptionContext"]["enamel:tenant"].is_string() && kept["KeyId"] == KEY));
    });
}

#[test]
fn a_key_service_that_is_unwell_or_refuses_is_told_as_such_and_gives_nobody_anothers_key() {
    world::runtime().block_on(async {
        let house = Ground::get().await.house("kms_unwell").await;
        let truth = house.truth().await;
        let (service, table) = service().await;
        let config = configured(&house, "kms.toml", None, &[], &table);
        let first = server(&config).await;
        service.unwell.store(2, Ordering::SeqCst);
        let (one, other) = (
            Sealed::by(&first, Staff::new(&truth, &house.base_url).await.tenant).await,
            Sealed::by(&first, Staff::new(&truth, &house.base_url).await.tenant).await,
        );
        *service.refuses.lock().unwrap() = true;
        let second = server(&config).await;
        let refused = second.keys.of(one.tenant).await.err().unwrap();
        assert_eq!(refused.code, &error::UNAVAILABLE);
        let said = format!("{refused} {refused:?}");
        assert!(said.contains("AccessDeniedException") && !said.contains(SECRET), "{said}");
        let plain: Vec<String> = service.kept.lock().unwrap().iter().map(|kept| kept["Plaintext"].as_str().unwrap().to_owned()).collect();
        assert!(plain.iter().all(|plain| !said.contains(plain)));
        *service.refuses.lock().unwrap() = false;
        assert!(one.opens(&second).await, "nothing is remembered of the refusal");

        // Somebody who may change the database gives one tenant the other's keys.
        let swap = "update enamel.encryption_keys k set wrapped_key = o.wrapped_key from enamel.encryption_keys o
                     where k.tenant_id = $1 and o.tenant_id = $2 and o.purpose = k.purpose";
        let mut client = house.truth().await;
        let change = client.transaction().await.unwrap();
        change.batch_execute("set local session_replication_role = replica").await.unwrap();
        assert_eq!(change.execute(swap, &[&one.tenant, &other.tenant]).await.unwrap(), 2);
        change.commit().await.unwrap();
        let third = server(&config).await;
        assert!(!one.opens(&third).await && other.opens(&third).await);
    });
}
