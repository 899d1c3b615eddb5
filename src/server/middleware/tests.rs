use std::{
    io,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use poem::{EndpointExt, Route, endpoint::make, get, post};
use poem_openapi::{Object, OpenApi, OpenApiService, param, payload::Json};
use serde_json::Value;
use tokio::sync::Notify;

use super::*;
use crate::{
    kernel::config::Config,
    server::{bind, problem},
};

#[derive(Object)]
#[oai(deny_unknown_fields)]
struct Note {
    text: String,
    pages: u32,
}

struct Notes;

#[OpenApi]
impl Notes {
    #[oai(path = "/notes", method = "post")]
    async fn create(&self, note: Json<Note>) -> Json<usize> {
        Json(note.text.len() + note.pages as usize)
    }
    #[oai(path = "/notes/:id", method = "get")]
    async fn read(&self, id: param::Path<uuid::Uuid>, limit: param::Query<Option<u32>>) -> Json<String> {
        Json(format!("{} {:?}", id.0, limit.0))
    }
}

/// A request that changes something, as the tests of clients that go away see it.
#[derive(Default)]
struct Change {
    started: Notify,
    go_on: Notify,
    done: AtomicUsize,
}

fn outcome(error: &Error, _: uuid::Uuid) -> (&'static str, Vec<u8>) {
    ("application/fhir+json", format!("OperationOutcome {}", error.code.issue).into_bytes())
}

fn answer_with<F>(answer: impl Fn(Request) -> F + Send + Sync + 'static) -> impl Endpoint<Output = Response>
where
    F: Future<Output = poem::Result<String>> + Send,
{
    make(answer).map_to_response()
}

fn app(change: Arc<Change>) -> Route {
    let changing = answer_with(move |_| {
        let change = change.clone();
        async move {
            change.started.notify_one();
            change.go_on.notified().await;
            change.done.fetch_add(1, Ordering::SeqCst);
            Ok("changed".to_owned())
        }
    });
    let size = || answer_with(|mut request| async move { Ok(request.take_body().into_bytes().await?.len().to_string()) });
    let tenant = answer_with(|request| async move {
        request.data::<Arc<RequestTrace>>().unwrap().set_tenant(uuid::Uuid::from_u128(5));
        Ok("of a tenant".to_owned())
    });
    Route::new()
        .nest("/api/v1", OpenApiService::new(Notes, "notes", "1"))
        .at("/hello", get(answer_with(|_| async { Ok("hello".to_owned()) })))
        .at("/panic", get(answer_with(|_| async { panic!("hunter2") })))
        .at("/stale", get(answer_with(|_| async { Err(Error::new(&error::STALE).into()) })))
        .at("/slow", get(answer_with(|_| std::future::pending())))
        .at("/change", post(changing))
        .at("/size", post(size()))
        .at("/fhir/r4", post(size()))
        .at("/patients/:id", get(tenant))
}

struct Served {
    url: String,
    change: Arc<Change>,
    in_flight: InFlight,
}

async fn serve(toml: &str) -> Served {
    let config = Config::sample(&format!("[server]\nlisten = \"127.0.0.1:0\"\n{toml}")).server;
    let mut contract = Contract::new(&config);
    contract.renderers = Renderers::default().under("/fhir/r4", outcome);
    contract.allow = AllowTable::default().api::<Notes>("/api/v1").path("/hello", &[Method::GET]).path("/panic", &[Method::GET]);
    contract.bodies = contract.bodies.at(Method::POST, "/fhir/r4", config.bundle_limit_bytes);
    let change = Arc::new(Change::default());
    let guarded = guard(app(change.clone()), contract, &config);
    let in_flight = guarded.in_flight();
    let bound = bind(&config).await.unwrap();
    let address = bound.address();
    tokio::spawn(bound.serve(guarded, std::future::pending()));
    Served { url: format!("http://{address}"), change, in_flight }
}

async fn get_from(served: &Served, path: &str) -> reqwest::Response {
    reqwest::get(format!("{}{path}", served.url)).await.unwrap()
}

async fn problem(answer: reqwest::Response) -> Value {
    assert_eq!(answer.headers()["content-type"], problem::PROBLEM_JSON);
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(body["request_id"], id, "an error can be found in the log");
    body
}

#[tokio::test]
async fn every_answer_has_its_id_and_is_safe_in_a_browser() {
    let served = serve("public_url = \"https://enamel.example\"").await;
    for (path, status) in [("/hello", 200), ("/nothing", 404), ("/stale", 412)] {
        let answer = get_from(&served, path).await;
        assert_eq!(answer.status(), status);
        let header = |name: &str| answer.headers()[name].to_str().unwrap();
        assert_eq!(uuid::Uuid::parse_str(header("x-request-id")).unwrap().get_version_num(), 7);
        assert_eq!((header("x-content-type-options"), header("referrer-policy")), ("nosniff", "no-referrer"));
        assert_eq!((header("cache-control"), header("strict-transport-security")), ("no-store", "max-age=31536000"));
        assert!(header("content-security-policy").contains("frame-ancestors 'none'"));
        assert!(!answer.headers().contains_key("access-control-allow-origin") && !answer.headers().contains_key("server"));
    }
}

#[tokio::test]
async fn a_head_over_its_limit_is_431() {
    let served = serve("header_limit_bytes = 4096").await;
    let send = |length: usize| reqwest::Client::new().get(format!("{}/hello", served.url)).header("x-long", "a".repeat(length)).send();
    assert_eq!(send(3800).await.unwrap().status(), 200);
    let refused = send(4096).await.unwrap();
    assert_eq!(refused.status(), 431);
    assert_eq!(problem(refused).await["code"], "headers.too_large");
    let long = get_from(&served, &format!("/hello?{}", "a".repeat(5000))).await;
    assert_eq!(long.status(), 431);
}

#[tokio::test]
async fn a_body_over_its_limit_is_413_with_and_without_its_length() {
    let served = serve("body_limit_bytes = 1000\nbundle_limit_bytes = 5000000").await;
    let send = |path: &str, body: reqwest::Body| reqwest::Client::new().post(format!("{}{path}", served.url)).body(body).send();
    let chunked = |bytes: usize| {
        let chunks = std::iter::repeat_with(|| Ok::<_, io::Error>(vec![b'a'; 1000])).take(bytes / 1000);
        reqwest::Body::wrap_stream(futures_util::stream::iter(chunks))
    };
    assert_eq!(send("/size", vec![b'a'; 1000].into()).await.unwrap().text().await.unwrap(), "1000");
    assert_eq!(send("/size", chunked(1000)).await.unwrap().text().await.unwrap(), "1000");
    assert_eq!(send("/fhir/r4", chunked(5_000_000)).await.unwrap().text().await.unwrap(), "5000000");
    // Some MB, so that the sockets' buffers cannot hold them and the client would see a reset without draining.
    for body in [reqwest::Body::from(vec![b'a'; 20_000_000]), chunked(20_000_000), vec![b'a'; 1001].into()] {
        let refused = send("/size", body).await.unwrap();
        assert_eq!(refused.status(), 413);
        assert_eq!(problem(refused).await["code"], "body.too_large");
    }
    let note = reqwest::Client::new().post(format!("{}/api/v1/notes", served.url));
    let refused = note.header("content-type", "application/json").body(chunked(2000)).send().await.unwrap();
    assert_eq!(refused.status(), 413, "whoever reads the body");
}

#[tokio::test]
async fn a_panic_ends_its_request_and_nothing_else() {
    let served = serve("").await;
    for _ in 0..3 {
        let failed = problem(get_from(&served, "/panic").await).await;
        assert_eq!((failed["status"].as_u64(), failed.to_string().contains("hunter2")), (Some(500), false));
    }
    assert_eq!(get_from(&served, "/hello").await.text().await.unwrap(), "hello");
    assert_eq!(served.in_flight.count(), 0);
}

#[tokio::test]
async fn a_request_over_its_deadline_is_503_and_stops() {
    let served = serve("request_deadline_s = 1").await;
    let change = reqwest::Client::new().post(format!("{}/change", served.url)).send();
    let (slow, change) = tokio::join!(get_from(&served, "/slow"), change);
    for answer in [slow, change.unwrap()] {
        assert_eq!(answer.headers()["retry-after"], "1");
        assert_eq!(problem(answer).await["code"], "deadline");
    }
    served.change.go_on.notify_one();
    served.in_flight.none().await;
    assert_eq!(served.change.done.load(Ordering::SeqCst), 0, "it was stopped inside");
}

#[tokio::test]
async fn a_change_ends_though_its_client_went_away() {
    let served = serve("").await;
    let url = format!("{}/change", served.url);
    let client = tokio::spawn(async move { reqwest::Client::new().post(url).send().await });
    served.change.started.notified().await;
    client.abort();
    let _ = client.await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(served.in_flight.count(), 1);
    served.change.go_on.notify_one();
    served.in_flight.none().await;
    assert_eq!(served.change.done.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let served = serve("").await;
    let send = |method: &str, path: &str| {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        reqwest::Client::new().request(method, format!("{}{path}", served.url)).send()
    };
    for (method, path, allow) in [
        ("POST", "/hello", "GET, HEAD, OPTIONS"),
        ("BREW", "/hello", "GET, HEAD, OPTIONS"),
        ("PATCH", "/api/v1/notes", "OPTIONS, POST"),
        ("DELETE", "/api/v1/notes/7", "GET, HEAD, OPTIONS"),
        ("POST", "/stale", ""),
    ] {
        let refused = send(method, path).await.unwrap();
        assert_eq!((refused.status().as_u16(), &refused.headers()["allow"]), (405, &allow.parse().unwrap()), "{path}");
        assert_eq!(problem(refused).await["code"], "route.method");
    }
    let options = send("OPTIONS", "/api/v1/notes/7").await.unwrap();
    assert_eq!((options.status().as_u16(), &options.headers()["allow"] == "GET, HEAD, OPTIONS"), (204, true));
    assert_eq!(send("OPTIONS", "/nothing").await.unwrap().status(), 404);
    let head = send("HEAD", "/hello").await.unwrap();
    assert_ne!(head.headers().get("content-length").map(|length| length.as_bytes()), Some(&b"0"[..]), "not what GET has");
    assert_eq!((head.status().as_u16(), head.text().await.unwrap().as_str()), (200, ""));
}

#[tokio::test]
async fn no_refusal_repeats_what_was_sent() {
    let served = serve("").await;
    let post = |media_type: &'static str, body: &'static str| {
        let request = reqwest::Client::new().post(format!("{}/api/v1/notes", served.url));
        request.header("content-type", media_type).body(body).send()
    };
    let json = "application/json";
    let answers = [
        (post(json, r#"{"text":"hunter2","pages":"hunter2"}"#).await.unwrap(), "body.malformed"),
        (post(json, r#"{"text":"x","pages":1,"hunter2":1}"#).await.unwrap(), "body.malformed"),
        (post(json, r#"{"text":hunter2"#).await.unwrap(), "body.malformed"),
        (post("text/hunter2", "hunter2").await.unwrap(), "body.media_type"),
        (get_from(&served, "/api/v1/notes/hunter2").await, "not_found"),
        (get_from(&served, "/api/v1/notes/00000000-0000-0000-0000-000000000001?limit=hunter2").await, "parameter.invalid"),
        (get_from(&served, "/hunter2").await, "route.unknown"),
    ];
    for (answer, code) in answers {
        let body = problem(answer).await;
        assert_eq!(body["code"], code);
        assert!(!body.to_string().contains("hunter2"), "{body}");
    }
    let deep = reqwest::Client::new().post(format!("{}/api/v1/notes", served.url)).header("content-type", json);
    assert_eq!(deep.body("[".repeat(10_000)).send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_path_has_its_own_form_of_errors() {
    let served = serve("").await;
    let answer = get_from(&served, "/fhir/r4/Unknown").await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["content-type"] == "application/fhir+json"), (404, true));
    assert_eq!(answer.text().await.unwrap(), "OperationOutcome not-found");
}

/// On one thread, so that the log and the recorder of this test are those of its server.
#[tokio::test]
async fn logs_and_metrics_have_the_template_and_never_the_path() {
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    let _log = tracing::subscriber::set_default(subscriber);
    let recorder = crate::kernel::telemetry::recorder().unwrap();
    let _metrics = metrics::set_default_local_recorder(&recorder);

    let served = serve("").await;
    get_from(&served, "/patients/hunter2?name=hunter2").await;
    get_from(&served, "/api/v1/notes/hunter2").await;
    get_from(&served, "/hunter2").await;
    get_from(&served, "/panic").await;

    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let access: Vec<Value> = lines.filter(|line| line["target"] == "enamel::access").collect();
    let shown = |line: &Value| format!("{} {}", line["fields"]["route"].as_str().unwrap(), line["fields"]["status"]);
    let shown: Vec<String> = access.iter().map(shown).collect();
    assert_eq!(shown, ["/patients/:id 200", "/api/v1/notes/:id 404", "unmatched 404", "/panic 500"]);
    assert_eq!(access[0]["fields"]["tenant.id"], "00000000-0000-0000-0000-000000000005");
    assert!(access[0]["fields"]["duration_ms"].is_number() && access[0]["fields"]["request_id"].is_string());

    let metrics = recorder.handle().render();
    assert!(metrics.contains(r#"http_requests_total{method="GET",route="/patients/:id",status="2xx"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"http_request_duration_seconds_count{method="GET",route="unmatched"} 1"#), "{metrics}");
    assert!(metrics.contains("http_requests_in_flight 0") && !metrics.contains("hunter2"), "{metrics}");
}
