//! `enamel audit`: a tenant's log as a package, and the proof that a package is whole.

use super::{Outcome, line};
use crate::governance::cli::{audit_export, audit_verify};
use crate::kernel::config::Config;
use crate::server::start;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use uuid::Uuid;

#[derive(Subcommand)]
pub enum Audit {
    /// Writes a tenant's events of full hours, with digests, seals and paths, as one package
    Export(Export),
    /// Proves offline that a package is whole, or names the first bad place
    Verify(Verify),
}

#[derive(Args)]
pub struct Export {
    /// TOML file; environment variables ENAMEL_<TABLE>__<KEY> come on top
    #[arg(long, env = "ENAMEL_CONFIG")]
    config: Option<PathBuf>,
    /// Whose log
    #[arg(long)]
    tenant: Uuid,
    /// A full hour, like 2026-11-20T08:00:00Z
    #[arg(long)]
    from: DateTime<Utc>,
    /// A full hour; not included
    #[arg(long)]
    to: DateTime<Utc>,
    /// The package; it must not exist yet
    #[arg(short)]
    out: PathBuf,
}

#[derive(Args)]
pub struct Verify {
    package: PathBuf,
    /// An Ed25519 public key you believe, base64; get it on another way than the package
    #[arg(long = "key", required = true)]
    keys: Vec<String>,
    /// One JSON object instead of sentences
    #[arg(long)]
    json: bool,
}

pub async fn run(audit: Audit) -> Outcome<ExitCode> {
    match audit {
        Audit::Export(export) => write(export).await,
        Audit::Verify(verify) => {
            let (code, text) = audit_verify(&verify.package, &verify.keys, verify.json);
            println!("{}", text.trim_end());
            Ok(ExitCode::from(code))
        }
    }
}

async fn write(asked: Export) -> Outcome<ExitCode> {
    let config = Config::load(asked.config.as_deref())?;
    config.refuse_weak()?;
    let prepared = start::prepare(config).await?;
    let written = audit_export(&prepared.kernel, asked.tenant, asked.from, asked.to, &asked.out).await;
    prepared.stop().await;
    let size = written.map_err(|error| line(format!("{}: {error}", asked.out.display())))?;
    println!("{} has {size} bytes.", asked.out.display());
    Ok(ExitCode::SUCCESS)
}
