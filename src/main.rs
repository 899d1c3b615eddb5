//! The one binary. `enamel up` brings a whole world; `enamel serve` is production.

fn main() -> std::process::ExitCode {
    enamel::cli::main()
}
