//! The one binary. `enamel up` brings a whole world; `enamel serve` is production.

/// A page of records is thousands of small allocations, of all threads at once.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    enamel::cli::main()
}
