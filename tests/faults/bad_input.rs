//! Bad input over real HTTP: a problem document that names the field, nothing stored, and the process lives on.

use super::ground::{Ground, House};
use super::people::Staff;
use super::process::Process;
use crate::world;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value as Json, json};
use tokio_postgres::Client;
use uuid::Uuid;

/// A value that no answer may repeat.
const MARK: &str = "Zanzibar";

struct Scene {
    house: House,
    server: Process,
    staff: Staff,
    stranger: Staff,
    truth: Client,
}

impl Scene {
    async fn new(name: &str) -> Scene {
        let house = Ground::get().await.house(name).await;
        let server = house.serve().await;
        let (staff, stranger, truth) = (house.staff().await, house.staff().await, house.truth().await);
        Scene { house, server, staff, stranger, truth }
    }
    /// Everything a request could have stored; refusals themselves are audited, which is no trace of the input.
    async fn stored(&self) -> Vec<i64> {
        let mut counts = Vec::new();
        for table in [
            "patients",
            "patient_addresses",
            "patient_identifiers",
            "change_log",
            "outbox_events",
            "idempotency_keys",
            "tenants",
            "users",
            "locations",
        ] {
            counts.push(self.truth.query_one(&format!("select count(*) from enamel.{table}"), &[]).await.unwrap().get(0));
        }
        counts
    }
    /// Sends it, and checks all that every refusal has in common.
    async fn refused(&self, what: &str, request: RequestBuilder, status: u16, fields: &[&str]) -> Json {
        let before = self.stored().await;
        let answer = request.send().await.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(answer.status().as_u16(), status, "{what}: {}", answer.text().await.unwrap());
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{what}");
        let text = answer.text().await.unwrap();
        assert!(!text.contains(MARK), "{what} is repeated: {text}");
        let problem: Json = serde_json::from_str(&text).unwrap();
        assert_eq!(problem["status"], status, "{what}");
        assert!(problem["type"].as_str().unwrap().starts_with("/problems/") && problem["request_id"].is_string(), "{what}: {text}");
        let mut named: Vec<&str> = problem["errors"].as_array().into_iter().flatten().filter_map(|fault| fault["field"].as_str()).collect();
        named.sort_unstable();
        let mut wanted = fields.to_vec();
        wanted.sort_unstable();
        assert_eq!(named, wanted, "{what}: {text}");
        assert_eq!(self.stored().await, before, "{what} stored something");
        problem
    }
    async fn alive(mut self) {
        self.staff.patient("Afterwards").await;
        assert!(self.server.is_running(), "{}", self.server.said());
        let said = self.server.said();
        assert!(!said.contains("panicked") && !said.contains(MARK), "{said}");
        assert!(self.house.dir.exists());
    }
    fn raw(&self, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.staff.post("/patients").header("content-type", "application/json").body(body)
    }
}

#[test]
fn bodies_that_are_no_good_are_refused_whole() {
    world::runtime().block_on(async {
        let scene = Scene::new("bad_bodies").await;
        let deep = |open: &str, close: &str| format!("{{\"last_name\":{}1{}}}", open.repeat(10_000), close.repeat(10_000));
        let malformed: Vec<(&str, Vec<u8>, &[&str])> = vec![
            ("no JSON", format!("{{last_name: {MARK}}}").into_bytes(), &[""]),
            ("half a JSON", format!("{{\"last_name\": \"{MARK}").into_bytes(), &["last_name"]),
            ("something behind it", format!("{{\"last_name\":\"{MARK}\"}} x").into_bytes(), &[""]),
            ("a key twice", format!("{{\"last_name\":\"{MARK}\",\"last_name\":\"B\"}}").into_bytes(), &["last_name"]),
            ("NUL escaped", format!("{{\"last_name\":\"{MARK}\\u0000\"}}").into_bytes(), &["last_name"]),
            ("NUL raw", format!("{{\"last_name\":\"{MARK}\0\"}}").into_bytes(), &["last_name"]),
            ("half a surrogate", format!("{{\"last_name\":\"{MARK}\\ud800\"}}").into_bytes(), &["last_name"]),
            ("bad UTF-8", [b"{\"last_name\":\"".as_slice(), b"\xc3\x28\xff\"}"].concat(), &["last_name"]),
            ("deep arrays", deep("[", "]").into_bytes(), &[]),
            ("deep objects", deep("{\"a\":", "}").into_bytes(), &[]),
        ];
        for (what, body, fields) in malformed {
            if fields.is_empty() {
                let answer = scene.raw(body).send().await.unwrap();
                assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{what}");
                let problem: Json = answer.json().await.unwrap();
                assert_eq!(problem["errors"][0]["rule"], "depth", "{what}");
                assert!(problem["errors"][0]["field"].as_str().unwrap().starts_with("last_name"), "{what}");
                continue;
            }
            scene.refused(what, scene.raw(body), 400, fields).await;
        }
        for (what, body) in [("an array", "[]"), ("a text", "\"Zanzibar\""), ("nothing", ""), ("null", "null")] {
            let answer = scene.raw(body).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{what}");
        }
        let huge = json!({"last_name": MARK.repeat(200_000)}).to_string();
        scene.refused("over the limit", scene.raw(huge.clone()), 413, &[]).await;
        let chunks = futures_util::stream::iter(
            huge.into_bytes().chunks(4_096).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>(),
        );
        scene.refused("over the limit without a length", scene.raw(reqwest::Body::wrap_stream(chunks)), 413, &[]).await;
        let head = scene.raw("{}").header("x-long", MARK.repeat(2_500));
        scene.refused("a head over the limit", head, 431, &[]).await;
        for media in ["text/plain", "application/xml", "application/x-www-form-urlencoded"] {
            let request = scene.staff.post("/patients").header("content-type", media).body(json!({"last_name": MARK}).to_string());
            scene.refused(media, request, 415, &[]).await;
        }
        scene.alive().await;
    });
}

#[test]
fn fields_that_break_rules_are_all_named() {
    world::runtime().block_on(async {
        let scene = Scene::new("bad_fields").await;
        let made = scene.stranger.patient("Foreign").await;
        let foreign = made["id"].as_str().unwrap();
        let cases: Vec<(&str, Json, &[&str])> = vec![
            ("wrong types", json!({"last_name": 7, "dob": true, "middle_name": [MARK], "needs_identity_check": "yes", "primary_location_id": {"a": MARK}}),
                &["last_name", "dob", "middle_name", "needs_identity_check", "primary_location_id"]),
            ("unknown fields", json!({"last_name": "A", "shoe_size": MARK, "__proto__": {}, "tenant": MARK}), &["shoe_size", "__proto__", "tenant"]),
            ("what the server decides", json!({"last_name": "A", "tenant_id": Uuid::now_v7(), "version": 9, "full_name": MARK, "status": "DECEASED"}),
                &["tenant_id", "version", "full_name", "status"]),
            ("no such day", json!({"last_name": "A", "dob": "2023-02-29"}), &["dob"]),
            ("no day at all", json!({"last_name": "A", "dob": "0000-00-00"}), &["dob"]),
            ("a day before all days", json!({"last_name": "A", "dob": "-4800-01-01"}), &["dob"]),
            ("a day behind all days", json!({"last_name": "A", "dob": "99999-01-01"}), &["dob"]),
            ("a time behind all times", json!({"last_name": "A", "deceased_at": "9999-12-31T23:59:59-23:59"}), &["deceased_at"]),
            ("a time without a zone", json!({"last_name": "A", "deceased_at": "2020-01-01T00:00:00"}), &["deceased_at"]),
            ("a word of no list", json!({"last_name": "A", "administrative_gender": MARK}), &["administrative_gender"]),
            ("no e-mail", json!({"last_name": "A", "contact_email": MARK}), &["contact_email"]),
            ("too long", json!({"last_name": MARK.repeat(2_000)}), &["last_name"]),
            ("blank", json!({"last_name": "   "}), &["last_name"]),
            ("missing", json!({"first_name": MARK}), &["last_name"]),
            ("an unknown reference", json!({"last_name": "A", "merged_into_id": Uuid::now_v7()}), &["merged_into_id"]),
            ("a foreign reference", json!({"last_name": "A", "merged_into_id": foreign}), &["merged_into_id"]),
        ];
        for (what, body, fields) in cases {
            scene.refused(what, scene.staff.post("/patients").json(&body), 422, fields).await;
        }
        scene.alive().await;
    });
}

#[test]
fn ids_versions_keys_and_parameters_that_do_not_fit() {
    world::runtime().block_on(async {
        let scene = Scene::new("bad_rest").await;
        let (made, foreign) = (scene.staff.patient("Own").await, scene.stranger.patient("Foreign").await);
        let own = format!("/patients/{}", made["id"].as_str().unwrap());
        let foreign = format!("/patients/{}", foreign["id"].as_str().unwrap());
        let patch = |path: &str| scene.staff.request(Method::PATCH, path).json(&json!({"middle_name": MARK}));

        let mut answers = Vec::new();
        for path in
            [foreign.as_str(), &format!("/patients/{}", Uuid::now_v7()), "/patients/no-uuid", "/patients/%00", "/patients/..%2f..%2fetc"]
        {
            for request in [
                scene.staff.get(path),
                patch(path).header("if-match", "W/\"1\""),
                scene.staff.request(Method::DELETE, path).header("if-match", "W/\"1\""),
            ] {
                let mut problem = scene.refused(path, request, 404, &[]).await;
                problem.as_object_mut().unwrap().remove("request_id");
                answers.push(problem);
            }
        }
        assert!(answers.iter().all(|problem| *problem == answers[0]), "a foreign id is told from an unknown one");

        scene.refused("no version", patch(&own), 428, &[]).await;
        for stale in ["W/\"2\"", "\"7\"", "W/\"0\"", "W/\"99999999999999999999\"", "*", "nonsense"] {
            scene.refused(stale, patch(&own).header("if-match", stale), 412, &[]).await;
        }
        scene.refused("no version to delete", scene.staff.request(Method::DELETE, &own), 428, &[]).await;

        let keyed = |body: Json| scene.staff.post("/patients").header("idempotency-key", "once").json(&body);
        assert_eq!(keyed(json!({"last_name": "First"})).send().await.unwrap().status(), StatusCode::CREATED);
        scene.refused("another body", keyed(json!({"last_name": MARK})), 422, &[]).await;
        let again = keyed(json!({"last_name": "First"})).send().await.unwrap();
        assert_eq!((again.status(), again.headers()["idempotency-replayed"].as_bytes()), (StatusCode::CREATED, b"true".as_slice()));
        scene
            .refused(
                "an endless key",
                scene.staff.post("/patients").header("idempotency-key", "k".repeat(300)).json(&json!({"last_name": "A"})),
                400,
                &["Idempotency-Key"],
            )
            .await;

        for (query, fields) in [
            ("shoe_size=43", vec!["shoe_size"]),
            ("limit=0", vec!["limit"]),
            ("limit=1000000", vec!["limit"]),
            ("limit=ten", vec!["limit"]),
            ("sort=shoe_size", vec!["sort"]),
            ("dob=1990-13-01&status=Zanzibar", vec!["dob", "status"]),
            ("limit=5&limit=6", vec!["limit"]),
        ] {
            scene.refused(query, scene.staff.get(&format!("/patients?{query}")), 400, &fields).await;
        }
        for query in ["cursor=Zanzibar", "q=%ff%fe", "q=%00"] {
            let answer = scene.staff.get(&format!("/patients?{query}")).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{query}: {}", answer.text().await.unwrap());
        }
        let put = scene.staff.request(Method::PUT, &own).json(&json!({})).send().await.unwrap();
        assert_eq!((put.status(), put.headers().contains_key("allow")), (StatusCode::METHOD_NOT_ALLOWED, true));
        scene.refused("no such path", scene.staff.get("/shoes"), 404, &[]).await;
        scene.alive().await;
    });
}
