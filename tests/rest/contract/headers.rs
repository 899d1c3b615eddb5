//! What comes beside the body, in wrong forms: ids in paths, versions, idempotency keys, media types.

use super::bodies;
use super::stage::{self, Answer, Stage};
use super::walk::{self, Route, resolved};
use crate::isolation::arena::NORTH;
use crate::world;
use reqwest::Method;
use serde_json::Value as Json;

const VERSION: (&str, &[u8]) = ("if-match", b"W/\"1\"");
const MEDIA: (&str, &[u8]) = ("content-type", b"application/json");

/// The header as the document describes it.
fn header(route: &Route, name: &str) -> Option<&'static Json> {
    let parameters = route.operation["parameters"].as_array().into_iter().flatten().map(resolved);
    parameters.into_iter().find(|parameter| parameter["in"] == "header" && parameter["name"] == name)
}

/// A good request but for these headers.
async fn ask(stage: &Stage, route: &Route, path: &str, headers: &[(&str, &[u8])]) -> Answer {
    let body = route.body().map(|_| Json::Object(bodies::example(route, NORTH)).to_string());
    let path = if route.id() == "runBatch" { route.path } else { path };
    stage.ask(&stage.caller(route), &route.method, path, headers, body).await
}

struct Walk {
    stage: &'static Stage,
    sent: usize,
    wrong: Vec<String>,
}

impl Walk {
    async fn refused(&mut self, route: &Route, path: &str, headers: &[(&str, &[u8])], what: &str, status: u16, field: Option<&str>) {
        let answer = ask(self.stage, route, path, headers).await;
        let named = field.is_none_or(|field| answer.named().contains(&field));
        if answer.status != status || answer.media != "application/problem+json" || !named {
            self.wrong.push(format!("{} {what}: {} {} {}", route.name(), answer.status, answer.media, answer.body));
        }
        self.sent += 1;
    }

    async fn ids(&mut self, route: &Route) {
        let long = "7".repeat(300);
        for id in ["none", "%00", "0", "%22", "00000000-0000-0000-0000-00000000000", "..%2f..%2fpatients", &long] {
            let path = route.path.replace("{id}", id);
            if !path.contains('{') {
                self.refused(route, &path, &[VERSION, MEDIA], &format!("id {id}"), 404, None).await;
            }
        }
    }

    async fn versions(&mut self, route: &Route, needed: bool) {
        let path = self.stage.path(route, NORTH);
        if needed {
            self.refused(route, &path, &[MEDIA], "no If-Match", 428, None).await;
        }
        for tag in ["", "*", "1", "W/1", "\"\"", "\"one\"", "W/\"1", "\"1\", \"2\"", "\"99999999999999999999\"", "\"\u{e9}\""] {
            self.refused(route, &path, &[("if-match", tag.as_bytes()), MEDIA], &format!("If-Match {tag}"), 412, None).await;
        }
        self.refused(route, &path, &[VERSION, VERSION, MEDIA], "If-Match twice", 412, None).await;
    }

    async fn keys(&mut self, route: &Route) {
        let path = self.stage.path(route, NORTH);
        let name = "Idempotency-Key";
        let long = vec![b'k'; 256];
        for key in [&b""[..], b"  ", b"a\tb", b"\xe9t\xe9", &long] {
            let what = format!("{name} {}", key.escape_ascii());
            self.refused(route, &path, &[VERSION, MEDIA, (name, key)], &what, 400, Some(name)).await;
        }
        self.refused(route, &path, &[VERSION, MEDIA, (name, b"one"), (name, b"two")], "two keys", 400, Some(name)).await;
    }

    async fn media(&mut self, route: &Route) {
        let path = self.stage.path(route, NORTH);
        for media in ["text/plain", "application/xml", "multipart/form-data; boundary=x", "application/jsonp", ""] {
            self.refused(route, &path, &[VERSION, ("content-type", media.as_bytes())], &format!("as {media}"), 415, None).await;
        }
        self.refused(route, &path, &[VERSION], "as nothing", 415, None).await;
    }
}

#[test]
fn every_id_version_key_and_media_type_in_a_wrong_form_is_refused() {
    world::with(async |world| {
        let stage = Stage::shared(world).await;
        let before = stage.rows().await;
        let mut walk = Walk { stage, sent: 0, wrong: Vec::new() };
        for route in walk::routes() {
            if route.path.contains("{id}") {
                walk.ids(&route).await;
            }
            if let Some(version) = header(&route, "If-Match") {
                walk.versions(&route, version["required"] == true).await;
            }
            if header(&route, "Idempotency-Key").is_some() {
                walk.keys(&route).await;
            }
            if route.body().is_some() && route.method != Method::GET {
                walk.media(&route).await;
            }
        }
        walk.wrong.extend(stage::grown(&before, &stage.rows().await));
        assert!(walk.sent > 10_000, "{}", walk.sent);
        assert!(walk.wrong.is_empty(), "{} of {} wrong:\n{}", walk.wrong.len(), walk.sent, walk.wrong.join("\n"));
    });
}
