//! The system's PostgreSQL programs.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kernel::embedded::line;
use crate::kernel::error::Result;

/// Where Debian and its children keep each major version.
const DEBIAN: &str = "/usr/lib/postgresql";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    folder: PathBuf,
    major: String,
}

impl Binaries {
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The programs a cluster needs: those of its own major version, or the first found for a new one.
pub(super) fn find(cluster_major: Option<&str>, data: &Path) -> Result<Binaries> {
    choose(installed(candidates()), cluster_major, data)
}

fn choose(installed: Vec<Binaries>, cluster_major: Option<&str>, data: &Path) -> Result<Binaries> {
    if installed.is_empty() {
        return Err(line("PostgreSQL is not installed: run `apt-get install postgresql`."));
    }
    let Some(major) = cluster_major else { return Ok(installed[0].clone()) };
    if let Some(binaries) = installed.iter().find(|binaries| binaries.major == major) {
        return Ok(binaries.clone());
    }
    let mut found: Vec<&str> = installed.iter().map(|binaries| binaries.major.as_str()).collect();
    found.dedup();
    let found = found.join(", ");
    Err(line(format!(
        "{} was made by PostgreSQL {major}, but {found} is installed: install {major} or take another data folder.",
        data.display()
    )))
}

fn candidates() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Ok(said) = Command::new("pg_config").arg("--bindir").output() {
        folders.push(PathBuf::from(String::from_utf8_lossy(&said.stdout).trim()));
    }
    if let Some(path) = std::env::var_os("PATH") {
        folders.extend(std::env::split_paths(&path));
    }
    let mut debian: Vec<(u32, PathBuf)> = std::fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    debian.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
    folders.extend(debian.into_iter().map(|(_, bin)| bin));
    folders
}

/// Of the candidates, those that hold a server and not only a client.
fn installed(candidates: Vec<PathBuf>) -> Vec<Binaries> {
    let mut seen = Vec::new();
    for folder in candidates {
        // Debian links /usr/bin to wrappers of its own; a real server has initdb beside it.
        let Ok(folder) = folder.canonicalize() else { continue };
        if seen.iter().any(|binaries: &Binaries| binaries.folder == folder) || !folder.join("initdb").is_file() {
            continue;
        }
        let Ok(said) = Command::new(folder.join("postgres")).arg("--version").output() else { continue };
        if let Some(major) = major(&String::from_utf8_lossy(&said.stdout)) {
            seen.push(Binaries { folder, major });
        }
    }
    seen
}

/// `postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)` → `15`
fn major(version: &str) -> Option<String> {
    let number = version.split("(PostgreSQL) ").nth(1)?;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    (!digits.is_empty()).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binaries(major: &str) -> Binaries {
        Binaries { folder: PathBuf::from(format!("/pg/{major}")), major: major.to_owned() }
    }

    #[test]
    fn a_cluster_gets_its_own_version_and_a_new_one_the_first() {
        let choose = |found: &[&str], of| choose(found.iter().map(|it| binaries(it)).collect(), of, Path::new("/data"));
        assert_eq!(choose(&["17", "15"], None).unwrap(), binaries("17"));
        assert_eq!(choose(&["17", "15"], Some("15")).unwrap(), binaries("15"));
        let none = choose(&[], None).unwrap_err().to_string();
        assert!(none.ends_with("run `apt-get install postgresql`."), "{none}");
        let other = choose(&["17", "15"], Some("14")).unwrap_err().to_string();
        assert!(other.contains("/data was made by PostgreSQL 14, but 17, 15 is installed"), "{other}");
        assert!(!other.contains('\n'));
    }

    #[test]
    fn the_version_is_read_from_what_the_server_says() {
        assert_eq!(major("postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n").as_deref(), Some("15"));
        assert_eq!(major("postgres (PostgreSQL) 18beta1\n").as_deref(), Some("18"));
        assert_eq!(major("nonsense"), None);
    }
}
