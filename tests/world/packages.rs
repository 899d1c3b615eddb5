//! Programs of others that the tests run, from their own registries: installed below the target folder, once for a list of
//! pinned versions.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;

/// The folder of `source` with its npm packages; these files of it are there.
pub async fn npm(source: &str, files: &[&str]) -> PathBuf {
    let install = async |dir: &Path| {
        let install = ["ci", "--no-audit", "--no-fund", "--ignore-scripts"];
        done(Command::new("npm").args(install).current_dir(dir), "npm ci").await;
    };
    installed(source, files, "package-lock.json", install).await
}

/// The folder of `source` with a Python environment `venv` of its requirements.
pub async fn pip(source: &str, files: &[&str]) -> PathBuf {
    let install = async |dir: &Path| {
        done(Command::new("python3").args(["-m", "venv", "--clear", "venv"]).current_dir(dir), "python3 -m venv").await;
        let install = ["install", "--quiet", "--disable-pip-version-check", "--requirement", "requirements.txt"];
        done(Command::new(dir.join("venv/bin/pip")).args(install).current_dir(dir), "pip install").await;
    };
    installed(source, files, "requirements.txt", install).await
}

async fn done(command: &mut Command, what: &str) {
    let status = command.stdout(Stdio::null()).status().await;
    assert!(status.is_ok_and(|status| status.success()), "{what} failed; it needs its registry once");
}

/// Outside the source tree; other test runs wait meanwhile.
async fn installed(source: &str, files: &[&str], list: &str, install: impl AsyncFnOnce(&Path)) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(source);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("peers");
    let name = source.file_name().unwrap().to_str().unwrap();
    let dir = target.join(name);
    std::fs::create_dir_all(&dir).unwrap();
    let guard = std::fs::File::create(target.join(format!("{name}.lock"))).unwrap();
    let guard = tokio::task::spawn_blocking(move || guard.lock().map(|()| guard)).await.unwrap().unwrap();
    for file in files {
        std::fs::copy(source.join(file), dir.join(file)).unwrap();
    }
    let wanted = std::fs::read(source.join(list)).unwrap();
    let held = dir.join(".installed");
    if std::fs::read(&held).ok().as_ref() != Some(&wanted) {
        std::fs::copy(source.join(list), dir.join(list)).unwrap();
        install(&dir).await;
        std::fs::write(held, wanted).unwrap();
    }
    drop(guard);
    dir
}
