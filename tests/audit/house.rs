//! A database of one's own in the world's cluster, sealed at times the test chooses, free to be tampered with.

use crate::world::{self, World};
use chrono::{DateTime, Utc};
use enamel::governance::export::{connection, export};
use enamel::governance::keys::AuditKeys;
use enamel::governance::sealer::Work;
use enamel::kernel::Kernel;
use enamel::kernel::audit::{self, Action, AuditEvent, Outcome, PinnedKeys, Range, Verdict};
use enamel::kernel::audit_store;
use enamel::kernel::config::Config;
use enamel::kernel::context::{Context, Plane};
use enamel::kernel::db::Connector;
use enamel::kernel::error::Result;
use enamel::server::start;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use uuid::Uuid;

pub struct House {
    pub kernel: Arc<Kernel>,
    pub work: Work,
    pub truth: tokio_postgres::Client,
    pub config: Config,
}

/// Migrations change roles, which databases share.
static MIGRATING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

impl House {
    pub async fn new(world: &World, name: &str) -> House {
        let turn = MIGRATING.lock().await;
        world::database(world.cluster(), name).await;
        let superuser = world.cluster().superuser_config(name);
        let mut config = world.config.clone();
        config.database.url = config.database.url.replace("dbname=world", &format!("dbname={name}"));
        let mut tries = 0;
        while let Err(failure) = start::migrate_as(superuser.clone(), &config).await {
            tries += 1;
            assert!(tries < 10, "{failure}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        drop(turn);
        let truth = Connector { config: superuser, tls: None }.connect().await.unwrap();
        let kernel = start::prepare(config.clone()).await.unwrap().kernel;
        House { work: Work::new(kernel.clone()).unwrap(), kernel, truth, config }
    }

    /// A kernel with pools of its own: a second server on the same database.
    pub async fn second(&self) -> Work {
        Work::new(start::prepare(self.config.clone()).await.unwrap().kernel).unwrap()
    }

    pub async fn record(&self, tenant: Uuid, count: usize) {
        let events: Vec<_> = (0..count).map(|_| self.kernel.audit.record(event(tenant))).collect();
        futures_util::future::try_join_all(events).await.unwrap();
    }

    pub async fn number(&self, sql: &str) -> i64 {
        self.truth.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Rounds until all that is committed is sealed; other tests' open transactions may hold the horizon for a while.
    pub async fn settle(&self, now: DateTime<Utc>) {
        for _ in 0..600 {
            self.work.round(now).await.unwrap();
            let unsealed = "select count(*) from enamel.audit_events
                 where transaction_id >= (select max(to_transaction) from enamel.audit_seals)";
            if self.number(unsealed).await == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the horizon stands still");
    }

    /// Tampers as one who owns the machine: no trigger sees it.
    pub async fn tamper(&self, sql: &str) {
        self.truth
            .batch_execute(&format!("begin; set local session_replication_role = replica; set local search_path = enamel; {sql}; commit"))
            .await
            .unwrap();
    }

    pub fn keys(&self) -> AuditKeys {
        AuditKeys::from_seed(&self.config.secrets.audit_signing_key).unwrap()
    }

    pub async fn package(&self, tenant_id: Uuid, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<u8>> {
        let (sink, mut parts) = mpsc::channel(2);
        let kernel = self.kernel.clone();
        let making = tokio::spawn(async move {
            let client = connection(&kernel, Uuid::now_v7()).await?;
            export(&kernel, &client, Range { tenant_id, from, to }, &sink, None).await
        });
        let mut package = Vec::new();
        while let Some(part) = parts.recv().await {
            package.extend_from_slice(&part.unwrap());
        }
        let (_, last) = making.await.unwrap()?;
        package.extend_from_slice(&last);
        Ok(package)
    }

    /// Both verifiers' one word about a package.
    pub fn verify(&self, package: &[u8]) -> Verdict {
        let public: Vec<String> = self.keys().named().iter().map(|(_, signer)| signer.public_key()).collect();
        let verdict = audit::verify(package, &PinnedKeys::from_base64(&public).unwrap());
        let file = world::scratch("package").join("package.ndjson.gz");
        std::fs::write(&file, package).unwrap();
        let mut python = Command::new("python3");
        python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/verify/verify.py"));
        public.iter().for_each(|key| {
            python.args(["--key", key]);
        });
        let said = python.arg(&file).output().unwrap();
        let text = String::from_utf8(said.stdout).unwrap();
        assert_eq!(text.lines().next(), verdict.text().lines().next(), "the verifiers disagree");
        assert_eq!(said.status.code(), Some(i32::from(!verdict.is_good())));
        verdict
    }
}

pub fn event(tenant: Uuid) -> AuditEvent {
    let mut event = audit_store::of(&Context::system(Plane::Jobs, Some(tenant)), "RECORD_READ", Action::Read, Outcome::Success, Utc::now());
    event.user_agent = Some("Prüfer \"1\"".into());
    event.ip_address = Some([192, 0, 2, 7].into());
    event.metadata = enamel::kernel::audit::Metadata::new().integer("count", 3).text("words", "ä");
    event
}
