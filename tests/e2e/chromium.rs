//! A real browser, told what to do over WebDriver: Debian's chromium behind its chromedriver, no window.

use crate::world;
use futures_util::FutureExt;
use serde_json::{Value as Json, json};
use std::panic::AssertUnwindSafe;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

pub const TAB: &str = "\u{e004}";
pub const ENTER: &str = "\u{e007}";

/// A page that does not come is one that is missing.
const WAIT_MS: u32 = 20_000;

pub struct Chromium {
    http: reqwest::Client,
    session: String,
    _driver: Child,
}

/// Tells the story in a browser of its own, which ends with it, however it ends.
pub async fn told(story: impl AsyncFnOnce(&Chromium)) {
    let browser = Chromium::start().await;
    let outcome = AssertUnwindSafe(story(&browser)).catch_unwind().await;
    browser.http.delete(&browser.session).send().await.unwrap();
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

impl Chromium {
    async fn start() -> Chromium {
        let mut command = Command::new("chromedriver");
        command.args(["--port=0"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut driver = command.spawn().expect("chromium-driver is installed");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next_line().await.unwrap().expect("chromedriver starts");
            if let Some((_, port)) = line.split_once("successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        let profile = format!("--user-data-dir={}", world::scratch("chromium").display());
        let arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", &profile];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"}}}});
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let root = format!("http://127.0.0.1:{port}/session");
        let made: Json = http.post(&root).json(&wanted).send().await.unwrap().json().await.unwrap();
        let id = made["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("{made}"));
        Chromium { http, session: format!("{root}/{id}"), _driver: driver }
    }

    async fn say(&self, path: &str, body: Json) -> Json {
        let mut answer: Json = self.http.post(format!("{}/{path}", self.session)).json(&body).send().await.unwrap().json().await.unwrap();
        assert!(answer["value"]["error"].is_null(), "{path}: {answer}");
        answer["value"].take()
    }

    async fn ask(&self, path: &str) -> Json {
        let mut answer: Json = self.http.get(format!("{}/{path}", self.session)).send().await.unwrap().json().await.unwrap();
        assert!(answer["value"]["error"].is_null(), "{path}: {answer}");
        answer["value"].take()
    }

    pub async fn open(&self, url: &str) {
        self.say("url", json!({"url": url})).await;
    }

    /// Waits until the page has it.
    pub async fn shows(&self, xpath: &str) {
        self.say("timeouts", json!({"implicit": WAIT_MS})).await;
        self.say("element", json!({"using": "xpath", "value": xpath})).await;
        self.say("timeouts", json!({"implicit": 0})).await;
    }

    pub async fn url(&self) -> String {
        self.ask("url").await.as_str().unwrap().to_owned()
    }

    /// Keys of the keyboard, to whatever has the focus.
    pub async fn press(&self, keys: &str) {
        let strokes: Vec<Json> =
            keys.chars().flat_map(|key| ["keyDown", "keyUp"].map(|stroke| json!({"type": stroke, "value": key}))).collect();
        self.say("actions", json!({"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]})).await;
    }

    /// What JavaScript says of the page, which needs no leave of the page's policy.
    pub async fn judge(&self, expression: &str) -> Json {
        self.say("execute/sync", json!({"script": format!("return {expression}"), "args": []})).await
    }

    /// What a script with a promise comes to: its text ends by calling `done`.
    pub async fn run(&self, script: &str, args: Json) -> Json {
        let script = format!("const done = arguments[arguments.length - 1]; {script}");
        self.say("execute/async", json!({"script": script, "args": args})).await
    }

    /// From now on there is a device that keeps passkeys and knows its person; its id.
    pub async fn authenticator(&self) -> String {
        let device = json!({"protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true, "isUserVerified": true});
        self.say("webauthn/authenticator", device).await.as_str().unwrap().to_owned()
    }

    pub async fn click(&self, xpath: &str) {
        let found = self.say("element", json!({"using": "xpath", "value": xpath})).await;
        let id = found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned();
        self.say(&format!("element/{id}/click"), json!({})).await;
    }

    /// Role and name, as assistive technology hears them, of everything that fits the selector.
    pub async fn heard(&self, selector: &str) -> Vec<(String, String)> {
        let found = self.say("elements", json!({"using": "css selector", "value": selector})).await;
        let mut out = Vec::new();
        for element in found.as_array().unwrap() {
            let id = element.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned();
            let text = |value: Json| value.as_str().unwrap_or_default().to_owned();
            let role = text(self.ask(&format!("element/{id}/computedrole")).await);
            out.push((role, text(self.ask(&format!("element/{id}/computedlabel")).await)));
        }
        out
    }

    /// What the console has said since it was asked last: broken policies, failed loads, errors of scripts.
    pub async fn console(&self) -> Vec<String> {
        let said = self.say("se/log", json!({"type": "browser"})).await;
        said.as_array().unwrap().iter().map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }
}
