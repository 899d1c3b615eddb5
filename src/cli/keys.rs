//! `enamel keys`: one envelope key takes another's place, or a KMS theirs, while servers serve.

use super::{Outcome, line};
use crate::identity::oauth;
use crate::kernel::Kernel;
use crate::kernel::config::Config;
use crate::kernel::crypto::rewrap;
use crate::server::start;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Tenants between two lines that tell how far it is.
const TOLD_EVERY: i64 = 100;

#[derive(Subcommand)]
pub enum Keys {
    /// Wraps every data key anew that something else has wrapped than what the configuration names now
    Rewrap(At),
    /// Tells how many data keys each key has wrapped
    Show(At),
}

#[derive(Args)]
pub struct At {
    /// TOML file; environment variables ENAMEL_<TABLE>__<KEY> come on top
    #[arg(long, env = "ENAMEL_CONFIG")]
    config: Option<PathBuf>,
}

pub async fn run(keys: Keys) -> Outcome {
    let at = match &keys {
        Keys::Rewrap(at) | Keys::Show(at) => at,
    };
    let config = Config::load(at.config.as_deref())?;
    config.refuse_weak()?;
    let prepared = start::prepare(config).await?;
    let done = match &keys {
        Keys::Rewrap(_) => all(&prepared.kernel).await,
        Keys::Show(_) => show(&prepared.kernel).await,
    };
    prepared.stop().await;
    done
}

async fn all(kernel: &Kernel) -> Outcome {
    let mut sum = rewrap::Done::default();
    loop {
        let done = rewrap::some(kernel, TOLD_EVERY)
            .await
            .map_err(|failure| line(format!("{} keys of {} tenants are done, and stay done: {failure}", sum.keys, sum.tenants)))?;
        if done.tenants == 0 {
            break;
        }
        (sum.tenants, sum.keys) = (sum.tenants + done.tenants, sum.keys + done.keys);
        println!("{} keys of {} tenants.", sum.keys, sum.tenants);
    }
    let signing = oauth::reseal_signing_keys(kernel).await?;
    println!("All are wrapped by what the configuration names; {signing} signing keys were sealed anew.");
    Ok(())
}

async fn show(kernel: &Kernel) -> Outcome {
    for (by, keys) in rewrap::stand(kernel).await? {
        println!("{keys} {by}");
    }
    Ok(())
}
