//! `serve` and `migrate`: the production entry. Development secrets are refused.

use super::{Outcome, asked_to_stop, line};
use crate::kernel::config::Config;
use crate::kernel::telemetry;
use crate::server::start::{self, Server};
use secrecy::ExposeSecret;
use std::path::Path;

pub async fn serve(config: Option<&Path>) -> Outcome {
    let config = Config::load(config)?;
    config.refuse_weak()?;
    let telemetry = telemetry::init(&config.telemetry).map_err(|error| line(error.to_string()))?;
    let server = Server::start(config, telemetry.metrics()).await?;
    tracing::info!(address = %server.address, admin = %server.admin_address, "Serving");
    asked_to_stop().await;
    server.stop().await;
    telemetry.flush().await;
    Ok(())
}

pub async fn migrate(config: Option<&Path>) -> Outcome {
    let config = Config::load(config)?;
    let url = config.database.admin_url.as_ref().ok_or_else(|| line("database.admin_url is needed to migrate"))?;
    let admin = url.expose_secret().parse().map_err(|_| line("database.admin_url cannot be read"))?;
    let ran = start::migrate_as(admin, &config).await?;
    println!("{ran} migrations ran; policies are in place.");
    Ok(())
}
