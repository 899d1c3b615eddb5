//! The client and signed URLs against the embedded endpoint. Every refusal has its positive control.

use std::net::SocketAddr;

use super::*;
use crate::kernel::embedded::{Scratch, object_store::ObjectStore};
use chrono::Utc;
use secrecy::SecretString;

const BYTES: &[u8] = b"a bitewing of tooth 36";

struct World {
    store: Store,
    config: StorageConfig,
    http: reqwest::Client,
    _endpoint: ObjectStore,
    _dir: Scratch,
}

async fn world() -> World {
    let dir = Scratch::new();
    let secret = SecretString::from("a secret of the test");
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    let endpoint = ObjectStore::start(dir.path(), any, "enamel", &secret).await.unwrap();
    let config = StorageConfig {
        endpoint: endpoint.endpoint(),
        region: FIRST_REGION.to_owned(),
        bucket: "enamel-files".to_owned(),
        access_key: "enamel".to_owned(),
        secret_key: secret,
        public_endpoint: None,
    };
    let store = Store::new(&config);
    store.ensure_bucket().await.unwrap();
    World { store, config, http: reqwest::Client::new(), _endpoint: endpoint, _dir: dir }
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

impl World {
    async fn presign_put(&self, key: &str) -> Presigned {
        self.store.presign_put(key, "image/png", BYTES.len() as u64, &sha256_hex(BYTES), 900).await.unwrap()
    }
    async fn send(&self, request: &Presigned, body: &'static [u8]) -> u16 {
        self.answer(request, body).await.status().as_u16()
    }
    async fn answer(&self, request: &Presigned, body: &'static [u8]) -> reqwest::Response {
        let mut sending = self.http.request(request.method.parse().unwrap(), &request.url);
        for (name, value) in &request.headers {
            sending = sending.header(name, value);
        }
        sending.body(body).send().await.unwrap()
    }
    async fn is_missing(&self, key: &str) -> bool {
        self.store.head(key).await.is_err_and(|error| *error.code == UPLOAD_MISSING)
    }
}

impl Presigned {
    fn with_header(&self, name: &str, value: Option<&str>) -> Self {
        let mut changed = self.clone();
        changed.headers.retain(|(header, _)| header != name);
        changed.headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        changed
    }
    fn with_url(&self, from: &str, to: &str) -> Self {
        assert!(self.url.contains(from), "{} has no {from}", self.url);
        Self { url: self.url.replacen(from, to, 1), ..self.clone() }
    }
}

#[tokio::test]
async fn a_signed_upload_takes_exactly_what_was_announced() {
    let world = world().await;
    let put = world.presign_put("t/p/n/one").await;
    let mut signed: Vec<&str> = put.headers.iter().map(|(name, _)| name.as_str()).collect();
    signed.sort_unstable();
    assert_eq!(signed, ["content-length", "content-type", "if-none-match", "x-amz-checksum-sha256"]);
    for name in &signed {
        let query = put.url.split("X-Amz-SignedHeaders=").nth(1).unwrap().split('&').next().unwrap();
        assert!(query.contains(name), "{name} is not signed: {query}");
    }

    let other_sum = STANDARD.encode(Sha256::digest(b"other bytes"));
    let tampered = [
        ("key", put.with_url("/one", "/two")),
        ("bucket", put.with_url("enamel-files", "enamel-other")),
        ("expiry", put.with_url("X-Amz-Expires=900", "X-Amz-Expires=901")),
        ("type", put.with_header("content-type", Some("text/html"))),
        ("checksum", put.with_header("x-amz-checksum-sha256", Some(&other_sum))),
        ("no checksum", put.with_header("x-amz-checksum-sha256", None)),
        ("no condition", put.with_header("if-none-match", None)),
        ("own metadata", put.with_header("x-amz-meta-note", Some("unsigned"))),
        ("a copy instead", put.with_header("x-amz-copy-source", Some("enamel-files/t/p/n/else"))),
    ];
    for (what, request) in tampered {
        assert_eq!(world.send(&request, BYTES).await, 403, "{what}");
    }
    let longer = put.with_header("content-length", Some("23"));
    assert_eq!(world.send(&longer, b"a bitewing of tooth 36!").await, 403, "length");
    assert!(world.is_missing("t/p/n/one").await && world.is_missing("t/p/n/two").await);

    assert_eq!(world.send(&put, b"a bitewing of tooth 37").await, 400, "other bytes of the same length");
    assert!(world.is_missing("t/p/n/one").await);

    assert_eq!(world.send(&put, BYTES).await, 200);
    assert_eq!(world.send(&put, BYTES).await, 412, "the same URL again");
    let verified = world.store.verify("t/p/n/one").await.unwrap();
    assert_eq!((verified.size, verified.sha256_hex), (BYTES.len() as u64, sha256_hex(BYTES)));
    assert_eq!(verified.first_bytes, BYTES);
    assert_eq!(world.store.head("t/p/n/one").await.unwrap().media_type.as_deref(), Some("image/png"));
}

#[tokio::test]
async fn a_signed_download_is_pinned() {
    let world = world().await;
    world.store.put("t/p/n/one", "text/html", Bytes::from_static(BYTES)).await.unwrap();
    world.store.put("t/p/n/two", "text/html", Bytes::from_static(BYTES)).await.unwrap();
    let get = world.store.presign_get("t/p/n/one", "image/png", "Röntgen.png", 100_000).await.unwrap();
    assert!(get.url.contains("X-Amz-Expires=300&"), "never longer than five minutes: {}", get.url);
    assert!(!format!("{get:?}").contains("http"), "the URL is no matter for logs");

    let answer = world.answer(&get, b"").await;
    assert_eq!(answer.status(), 200);
    let header = |name: &str| answer.headers().get(name).unwrap().to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "image/png");
    assert_eq!(header("cache-control"), "private, no-store");
    assert_eq!(header("content-disposition"), r#"attachment; filename="R_ntgen.png"; filename*=UTF-8''R%C3%B6ntgen.png"#);
    assert_eq!(answer.bytes().await.unwrap(), BYTES);

    let tampered = [
        ("key", get.with_url("/one", "/two")),
        ("type", get.with_url("image%2Fpng", "text%2Fhtml")),
        ("disposition", get.with_url("attachment", "inline")),
        ("expiry", get.with_url("X-Amz-Expires=300", "X-Amz-Expires=301")),
        ("method", Presigned { method: "HEAD", ..get.clone() }),
        ("deletion", Presigned { method: "DELETE", ..get.clone() }),
    ];
    for (what, request) in tampered {
        assert_eq!(world.send(&request, b"").await, 403, "{what}");
    }

    // However slow the machine: never refused before its time, and refused at last. Times in a URL are whole seconds.
    let brief = world.store.presign_get("t/p/n/one", "image/png", "a.png", 3).await.unwrap();
    while world.send(&brief, b"").await == 200 {
        assert!(Utc::now() < brief.expires_at + Duration::from_secs(60), "it never expires");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(world.send(&brief, b"").await, 403, "expired");
    assert!(Utc::now() + Duration::from_secs(1) >= brief.expires_at, "refused before its time");
}

#[tokio::test]
async fn only_the_configured_key_pair_comes_in() {
    let world = world().await;
    world.store.put("t/p/n/one", "image/png", Bytes::from_static(BYTES)).await.unwrap();
    let strangers = [
        StorageConfig { secret_key: SecretString::from("a guess"), ..world.config.clone() },
        StorageConfig { access_key: "someone".to_owned(), ..world.config.clone() },
    ];
    for stranger in strangers {
        let stranger = Store::new(&stranger);
        assert_eq!(stranger.ready().await.unwrap_err().code.code, "unavailable");
        assert!(stranger.read("t/p/n/one").await.is_err());
        assert!(stranger.put("t/p/n/two", "image/png", Bytes::from_static(BYTES)).await.is_err());
        let put = stranger.presign_put("t/p/n/two", "image/png", 22, &sha256_hex(BYTES), 900).await.unwrap();
        assert_eq!(world.send(&put, BYTES).await, 403);
    }
    let anonymous = format!("{}/enamel-files/t/p/n/one", world.config.endpoint);
    for method in ["GET", "HEAD", "PUT", "DELETE"] {
        let answer = world.http.request(method.parse().unwrap(), &anonymous).body("x").send().await.unwrap();
        assert_eq!(answer.status(), 403, "{method}");
    }
    assert!(world.is_missing("t/p/n/two").await);
    assert_eq!(world.store.verify("t/p/n/one").await.unwrap().sha256_hex, sha256_hex(BYTES));
    world.store.ready().await.unwrap();
}

#[tokio::test]
async fn what_is_not_there_is_said_to_be_missing() {
    let world = world().await;
    assert!(world.is_missing("t/p/n/none").await);
    assert_eq!(world.store.verify("t/p/n/none").await.unwrap_err().code.code, "file.missing");
    assert_eq!(world.store.read_prefix("t/p/n/none", 4).await.unwrap_err().code.code, "file.missing");
    world.store.delete("t/p/n/none").await.unwrap();
    let gone = StorageConfig { bucket: "no-such-bucket".to_owned(), ..world.config.clone() };
    assert_eq!(Store::new(&gone).read("t/p/n/none").await.unwrap_err().code.code, "unavailable");
    assert_eq!(Store::new(&gone).ready().await.unwrap_err().code.code, "unavailable");

    world.store.put("t/p/n/one", "image/png", Bytes::from_static(BYTES)).await.unwrap();
    world.store.put("t/p/n/empty", "image/png", Bytes::new()).await.unwrap();
    assert_eq!(world.store.read_prefix("t/p/n/one", 10).await.unwrap(), BYTES[..10]);
    assert_eq!(world.store.read_prefix("t/p/n/one", 1000).await.unwrap(), BYTES);
    assert_eq!(world.store.read_prefix("t/p/n/empty", 10).await.unwrap(), b""[..]);
    assert_eq!(world.store.verify("t/p/n/empty").await.unwrap().sha256_hex, sha256_hex(b""));
    world.store.delete("t/p/n/one").await.unwrap();
    assert!(world.is_missing("t/p/n/one").await);
    world.store.ensure_bucket().await.unwrap();
}

#[tokio::test]
async fn a_store_that_is_gone_is_unavailable_and_tells_nothing() {
    let config = StorageConfig { endpoint: "http://127.0.0.1:1".to_owned(), ..world().await.config.clone() };
    assert!(!format!("{config:?}").contains("a secret of the test"));
    let error = Store::new(&config).head("t/p/n/one").await.unwrap_err();
    assert_eq!((error.code.code, error.detail), ("unavailable", None));
}

#[test]
fn signed_urls_carry_the_public_endpoint() {
    let config = StorageConfig {
        endpoint: "http://127.0.0.1:9000".to_owned(),
        public_endpoint: Some("https://files.example.org".to_owned()),
        region: FIRST_REGION.to_owned(),
        bucket: "files".to_owned(),
        access_key: "a".to_owned(),
        secret_key: SecretString::from("b"),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let get = runtime.block_on(Store::new(&config).presign_get("k", "image/png", "a.png", 60)).unwrap();
    assert!(get.url.starts_with("https://files.example.org/files/k?"), "{}", get.url);
}

#[test]
fn keys_lead_with_the_tenant() {
    let (tenant, patient, file) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
    assert_eq!(object_key(tenant, Some(patient), None, file), format!("{tenant}/{patient}/none/{file}"));
}

#[tokio::test]
async fn what_is_written_in_parts_is_there_at_its_end_and_not_before() {
    let world = world().await;
    let bytes: Vec<u8> = (0..20_000_003u32).map(|place| place.to_le_bytes()[usize::from(place % 3 == 0)]).collect();
    let mut writing = world.store.write("t/p/n/long", "application/x-ndjson");
    for piece in bytes.chunks(3_000_001) {
        writing.push(piece).await.unwrap();
    }
    assert!(world.is_missing("t/p/n/long").await);
    assert_eq!(writing.end().await.unwrap(), Sum { size: bytes.len() as u64, sha256_hex: sha256_hex(&bytes) });
    let verified = world.store.verify("t/p/n/long").await.unwrap();
    assert_eq!((verified.size, verified.sha256_hex), (bytes.len() as u64, sha256_hex(&bytes)));

    for (key, pieces) in [("t/p/n/empty", 0), ("t/p/n/short", 2)] {
        let mut writing = world.store.write(key, "text/plain");
        for _ in 0..pieces {
            writing.push(BYTES).await.unwrap();
        }
        assert_eq!(writing.end().await.unwrap().size, world.store.head(key).await.unwrap().size);
    }

    let mut writing = world.store.write("t/p/n/gone", "text/plain");
    writing.push(&bytes).await.unwrap();
    writing.abandon().await.unwrap();
    assert!(world.is_missing("t/p/n/gone").await);
}
