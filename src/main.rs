//! The one binary. `enamel up` brings a whole world; `enamel serve` is production.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = enamel::cli::Arguments::parse();
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
    match runtime.block_on(enamel::cli::run(arguments)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("enamel: {error}");
            ExitCode::FAILURE
        }
    }
}
