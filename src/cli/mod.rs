//! Commands. Each failure is one line and an exit code other than 0.
mod audit;
pub mod breaking;
pub mod data_schema;
mod demo;
pub mod generate;
mod import;
mod keys;
mod openapi;
mod secrets;
mod serve;
mod up;
mod world;

use clap::{Args, Parser, Subcommand};
use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

/// `(file, content)` of everything under openapi/.
pub use openapi::files as generated;

#[derive(Parser)]
#[command(name = "enamel", version, about = "The multi-tenant platform server for dentistry")]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts everything on loopback with a demo world: PostgreSQL, object store, sign-in, server
    Up(Up),
    /// Serves in production, against a PostgreSQL, an object store and identity providers of yours
    Serve(WithConfig),
    /// Brings the database to the schema of this binary (needs database.admin_url)
    Migrate(WithConfig),
    /// Loads tenants and patients in quantity, for benchmarks (needs a superuser in database.admin_url)
    Generate(generate::Generate),
    /// Exports and proves audit logs
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Loads a tenant's own licensed codes
    #[command(subcommand)]
    Import(import::Import),
    /// Replaces the key that wraps the tenants' data keys
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Writes what is generated under openapi/; refuses what would break programs written for the document there
    Openapi(Openapi),
}

#[derive(Args)]
pub struct Up {
    /// Where everything lives
    #[arg(long, default_value = ".enamel")]
    data_dir: PathBuf,
    /// Of the API; the three after it are used for probes, sign-in and the object store
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// A demo world of people alone, without their week
    #[arg(long)]
    plain: bool,
}

#[derive(Args)]
pub struct Openapi {
    /// Breaks them all the same
    #[arg(long)]
    breaking: bool,
}

#[derive(Args)]
pub struct WithConfig {
    /// TOML file; environment variables ENAMEL_<TABLE>__<KEY> come on top
    #[arg(long, env = "ENAMEL_CONFIG")]
    config: Option<PathBuf>,
}

/// A failure as one line for the terminal.
#[derive(Debug)]
pub struct Line(String);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Line {
    fn from(error: E) -> Line {
        let mut text = error.to_string().replace('\n', " ");
        if let Some(rest) = text.strip_prefix("unavailable: ").or_else(|| text.strip_prefix("internal: Something failed on our side. ")) {
            text = rest.trim_start_matches('[').trim_end_matches(']').to_owned();
        }
        Line(text)
    }
}

fn line(text: impl Into<String>) -> Line {
    Line(text.into())
}

type Outcome<T = ()> = Result<T, Line>;

/// The whole program. It is here and not in the binary, which would compile every future it awaits once more.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("enamel: another TLS provider is installed already");
        return ExitCode::FAILURE;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("enamel: cannot start threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(arguments)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("enamel: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Outcome<ExitCode> {
    match arguments.command {
        Command::Up(up) => up::up(up).await?,
        Command::Serve(at) => serve::serve(at.config.as_deref()).await?,
        Command::Migrate(at) => serve::migrate(at.config.as_deref()).await?,
        Command::Generate(asked) => generate::generate(asked).await?,
        Command::Audit(audit) => return audit::run(audit).await,
        Command::Import(import) => import::run(import).await?,
        Command::Keys(keys) => keys::run(keys).await?,
        Command::Openapi(how) => openapi::write(std::path::Path::new("openapi"), how.breaking)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Resolves at Ctrl-C or SIGTERM.
async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signals) => {
                signals.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
