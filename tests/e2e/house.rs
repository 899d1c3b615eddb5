//! `enamel up` in a folder of its own.

use crate::faults::process::{Process, command, free_ports};
use crate::world;
use nix::sys::signal::Signal;
use serde_json::Value as Json;
use std::path::PathBuf;
use std::time::Duration;

pub struct House {
    process: Process,
    pub dir: PathBuf,
    pub http: reqwest::Client,
    pub base_url: String,
    described: Json,
}

impl House {
    pub async fn up() -> House {
        let (dir, port) = (world::scratch("main-job"), free_ports(4));
        let up = command(["up", "--data-dir", dir.to_str().unwrap(), "--port", &port.to_string()]);
        let mut process = Process::start(up, &dir.join("said"));
        process.says("Ctrl-C stops everything", Duration::from_secs(120)).await;
        let described: Json = serde_json::from_slice(&std::fs::read(dir.join("dev.json")).unwrap()).unwrap();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        let base_url = described["base_url"].as_str().unwrap().to_owned();
        House { process, dir, http, base_url, described }
    }
    pub fn tenant(&self, slug: &str) -> &Json {
        self.described["tenants"].as_array().unwrap().iter().find(|tenant| tenant["slug"] == slug).unwrap()
    }
    pub fn issuer(&self) -> &str {
        self.described["issuer"].as_str().unwrap()
    }
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }
    pub async fn down(self) {
        self.process.signal(Signal::SIGTERM);
        let ended = self.process.ended(Duration::from_secs(30)).await;
        assert!(ended.status.success(), "{}", ended.said);
    }
}
