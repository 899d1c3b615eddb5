//! `enamel generate`: tenants and patients in quantity, with what belongs to them, for benchmarks. Generated from a seed.
//!
//! It is a load and no sequence of requests. Tables are filled by set-based statements as an administrator, with triggers off
//! and everything that is no trigger on: NOT NULL, CHECK, unique and exclusion constraints, generated columns. What policies
//! and triggers would have judged: the first patients are written once as staff write them, under all of both, and taken back;
//! every foreign key and every rule about one patient is verified over the whole tenant before its transaction commits.
//! Encrypted columns are sealed with the tenant's own keys. Rows name their author and when, and one audit event a tenant
//! tells how many there are, and their hash. The change log and the outbox tell of changes, and a load is none: history
//! begins behind it. It tells nobody either: no notifications, no events of appointments, and no disclosures, for no claim
//! was really sent. Files are not generated: there would have to be bytes behind them.

mod load;
mod plan;
mod verify;

use super::{Outcome, asked_to_stop, line};
use crate::kernel::config::Config;
use crate::server::start;
use chrono::{NaiveDate, Utc};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
pub use load::{Loaded, load};
pub use plan::{Plan, Share};
use secrecy::ExposeSecret;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

#[derive(Args)]
pub struct Generate {
    /// Clinics, and from 100 on DSOs above some of them
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    tenants: u32,
    /// Patients of all of them; other tables get about ten rows for each
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    patients: u64,
    /// The same seed makes the same content
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=0x7fff_ffff))]
    seed: u32,
    /// The day that visits lie around [default: today]
    #[arg(long)]
    day: Option<NaiveDate>,
    /// Patients with an address each, and nothing about them
    #[arg(long)]
    patients_only: bool,
    /// TOML file with database.admin_url, whose role is a superuser
    #[arg(long, env = "ENAMEL_CONFIG")]
    config: Option<PathBuf>,
}

pub async fn generate(asked: Generate) -> Outcome {
    let config = Config::load(asked.config.as_deref())?;
    let url = config.database.admin_url.as_ref().ok_or_else(|| line("database.admin_url is needed to load"))?;
    let admin = url.expose_secret().parse().map_err(|_| line("database.admin_url cannot be read"))?;
    let Generate { tenants, patients, seed, patients_only, .. } = asked;
    let plan = Plan { tenants, patients, seed, day: asked.day.unwrap_or_else(|| Utc::now().date_naive()), patients_only };
    let (began, stop) = (Instant::now(), AtomicBool::new(false));
    let style = ProgressStyle::with_template("{wide_bar} {pos} of {len} patients, {eta} to go");
    let bar = ProgressBar::new(plan.shares().iter().map(|share| share.patients).sum())
        .with_style(style.map_err(|error| line(error.to_string()))?);
    let admin = start::as_admin(admin, &config)?;
    let prepared = start::prepare(config).await?;
    let loaded = {
        let mut loading = std::pin::pin!(load(&admin, &prepared.kernel, &plan, &stop, |patients| bar.inc(patients)));
        tokio::select! {
            loaded = &mut loading => loaded,
            () = asked_to_stop() => {
                stop.store(true, Ordering::Relaxed);
                loading.await
            }
        }
    };
    prepared.stop().await;
    bar.finish_and_clear();
    let loaded = loaded?;
    if loaded.tenants < plan.tenants as usize {
        return Err(line(format!("stopped; {} of {tenants} tenants are there, whole, and the same command goes on", loaded.tenants)));
    }
    println!("{} rows in {:.0} s: {patients} patients of {tenants} tenants, seed {seed}.", loaded.rows, began.elapsed().as_secs_f64());
    Ok(())
}
