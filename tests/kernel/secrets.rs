//! What must never be told: planted in every place a caller or an operator can reach, and looked for in all that a server says.

use crate::faults::ground::Ground;
use crate::faults::process::{Process, command, run};
use crate::world;
use enamel::identity::token::{Kind, Token};
use nix::sys::signal::Signal;
use poem::listener::TcpAcceptor;
use poem::{EndpointExt, Response, Route, Server, handler, post, web::Data};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Spans = Arc<Mutex<Vec<u8>>>;

#[handler]
async fn collect(body: Vec<u8>, spans: Data<&Spans>) -> Response {
    spans.lock().unwrap().extend(body);
    Response::builder().content_type("application/x-protobuf").finish()
}

async fn collector() -> (Spans, String) {
    let spans = Spans::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let app = Route::new().at("/v1/traces", post(collect)).with(poem::middleware::AddData::new(spans.clone()));
    tokio::spawn(Server::new_with_acceptor(TcpAcceptor::from_tokio(listener).unwrap()).run(app));
    (spans, endpoint)
}

/// A word nobody else says, by the place it is planted in.
fn canary(place: &str) -> String {
    format!("canary-{place}-9d1f")
}

const PLACES: [&str; 12] =
    ["password", "newpassword", "bearer", "clientsecret", "basic", "cookie", "name", "query", "field", "dpop", "path", "assertion"];

/// Requests with a canary in each place; the texts of those that were refused.
async fn plant(base: &str, token: &str) -> Vec<String> {
    let http = reqwest::Client::new();
    let (api, fhir) = (format!("{base}/api/v1"), format!("{base}/fhir/r4"));
    let sign_in = json!({"email": "nobody@people.example", "password": canary("password")});
    let person = json!({"first_name": canary("name"), "last_name": canary("name"), "date_of_birth": canary("field")});
    let made = json!({"first_name": canary("name"), "last_name": canary("name")});
    let named = json!({"resourceType": "Patient", "name": [{"family": canary("name")}], "gender": canary("field")});
    let grant = [("grant_type", "client_credentials"), ("client_id", "unknown"), ("client_secret", &canary("clientsecret"))];
    let asserted = [("grant_type", "client_credentials"), ("client_assertion", &canary("assertion"))];
    let reset = json!({"token": canary("bearer"), "password": canary("newpassword")});
    let requests = [
        http.post(format!("{api}/sessions/sign-in")).json(&sign_in),
        http.post(format!("{api}/sessions/sign-in")).body(format!("{{\"password\": \"{}\"", canary("password"))),
        http.get(format!("{api}/patients")).bearer_auth(canary("bearer")),
        http.get(format!("{api}/patients")).header("authorization", format!("DPoP {}", canary("bearer"))).header("dpop", canary("dpop")),
        http.post(format!("{base}/oauth2/token")).form(&grant),
        http.post(format!("{base}/oauth2/token")).form(&asserted),
        http.post(format!("{base}/oauth2/token")).basic_auth("unknown", Some(canary("basic"))).form(&grant[..1]),
        http.get(format!("{base}/signin")).header("cookie", format!("__Host-session={}; session={}", canary("cookie"), canary("cookie"))),
        http.post(format!("{api}/users/reset-password")).json(&reset),
        http.post(format!("{api}/patients")).bearer_auth(token).json(&person),
        http.post(format!("{api}/patients")).bearer_auth(token).json(&made),
        http.get(format!("{api}/patients?last_name={}", canary("query"))).bearer_auth(token),
        http.get(format!("{api}/patients/{}", canary("path"))).bearer_auth(token),
        http.get(format!("{fhir}/Patient?family={}", canary("query"))).bearer_auth(token),
        http.get(format!("{fhir}/Patient?birthdate={}", canary("query"))).bearer_auth(token),
        http.get(format!("{fhir}/{}/1", canary("path"))).bearer_auth(token),
        http.post(format!("{fhir}/Patient")).bearer_auth(token).header("content-type", "application/fhir+json").body(named.to_string()),
    ];
    let mut refused = Vec::new();
    for request in requests {
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let headers = format!("{:?}", answer.headers());
        let text = answer.text().await.unwrap();
        if !status.is_success() {
            refused.push(format!("{status} {headers} {text}"));
        }
    }
    refused
}

#[test]
fn no_log_trace_metric_or_refusal_repeats_a_secret_or_a_person() {
    world::runtime().block_on(async {
        let house = Ground::get().await.house("canaries").await;
        let (spans, endpoint) = collector().await;
        let text = std::fs::read_to_string(&house.config).unwrap();
        let text = text.replace("log_filter = \"warn,s3s=off\"", &format!("log_filter = \"trace\"\notlp_endpoint = \"{endpoint}\""));
        let config = house.dir.join("told.toml");
        std::fs::write(&config, &text).unwrap();
        let (serve, said) = (|| command(["serve", "--config", config.to_str().unwrap()]), house.dir.join("told"));
        let mut process = Process::start(serve(), &said);
        process.answers(&format!("{}/livez", house.admin_url), Duration::from_secs(60)).await;
        let staff = house.staff().await;
        let shown = staff.get("/sessions/me").build().unwrap();
        let token = shown.headers()["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap().to_owned();
        let mut refused = plant(&house.base_url, &token).await;
        assert!(refused.len() >= 12, "{refused:#?}");
        // What fails on our side tells its cause to the log.
        house.truth().await.batch_execute("alter table enamel.patient_identifiers rename to elsewhere").await.unwrap();
        refused.extend(plant(&house.base_url, &token).await);
        let metrics = reqwest::get(format!("{}/metrics", house.admin_url)).await.unwrap().text().await.unwrap();
        process.signal(Signal::SIGTERM);
        let ended = process.ended(Duration::from_secs(60)).await;
        let spans = String::from_utf8_lossy(&spans.lock().unwrap()).into_owned();
        assert!(
            spans.contains("enamel") && ended.said.contains("Answered") && metrics.contains("http_request"),
            "all of them say something"
        );

        let configured = text.lines().filter_map(|line| line.split_once(" = "));
        let secrets = configured.filter(|(name, _)| name.ends_with("_key") || *name == "secret").map(|(_, value)| value.trim_matches('"'));
        let secrets = secrets.filter(|value| value.len() >= 16).map(str::to_owned);
        let planted: Vec<String> = secrets.chain(PLACES.map(canary)).chain([token]).collect();
        let told = [("log", &ended.said), ("traces", &spans), ("metrics", &metrics), ("refusals", &refused.join("\n"))];
        for (place, text) in told {
            for secret in &planted {
                let line = text.lines().find(|line| line.contains(secret.as_str()));
                assert!(line.is_none(), "{place}: {secret} in {line:?}");
            }
        }
    });
}

#[test]
fn the_text_of_the_configuration_is_forgotten() {
    world::runtime().block_on(async {
        let house = Ground::get().await.house("canary_text").await;
        let text = std::fs::read_to_string(&house.config).unwrap();
        let config = house.dir.join("told.toml");
        std::fs::write(&config, format!("# {}\n{text}", canary("comment"))).unwrap();
        let mut process = Process::start(command(["serve", "--config", config.to_str().unwrap()]), &house.dir.join("told"));
        process.answers(&format!("{}/livez", house.admin_url), Duration::from_secs(60)).await;
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(&format!("{name} = \""))?.strip_suffix('"')).unwrap();
        assert!(process.remembers(value("secret")), "what it works with: the control");
        for gone in [canary("comment").as_str(), value("seal_key"), value("envelope_key"), value("audit_signing_key")] {
            assert!(!process.remembers(gone), "{gone}");
        }
        process.kill_9().await;
    });
}

#[test]
fn a_key_that_cannot_be_read_is_named_and_not_repeated() {
    world::runtime().block_on(async {
        let house = Ground::get().await.house("canary_config").await;
        let text = std::fs::read_to_string(&house.config).unwrap();
        for (line, names) in [
            ("other_envelope_keys = [\"canary-key-9d1f\"]", "secrets.other_envelope_keys"),
            ("other_envelope_keys = \"canary-key-9d1f\"", "secrets.other_envelope_keys"),
            ("kms = \"canary-key-9d1f\"", "secrets.kms"),
        ] {
            let config = house.dir.join("bad.toml");
            std::fs::write(&config, text.replace("[secrets]", &format!("[secrets]\n{line}"))).unwrap();
            let said = house.dir.join(uuid::Uuid::new_v4().to_string());
            let ended = run(command(["keys", "show", "--config", config.to_str().unwrap()]), &said).await;
            assert!(!ended.status.success() && ended.said.contains(names) && !ended.said.contains("canary"), "{}", ended.said);
        }
        // And what no caller can have seen is no token: its text says nothing about itself.
        let token = Token::new(Kind::Access).unwrap();
        assert!(!format!("{token:?}").contains(token.expose()));
    });
}
