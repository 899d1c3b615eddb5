//! Passwords that are known from breaches, by files the operator may load: a folder with one file for each first five hexadecimal
//! digits of a SHA-1, holding the other thirty-five and a count a line, as "Have I Been Pwned" gives them out. Only one small file is
//! read for a password, and nothing of it leaves the server.

use crate::kernel::error::{self, Error, Result};
use crate::kernel::hex::hex;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use std::io::ErrorKind;
use std::path::Path;

/// INVALID for a password that is in the list; a prefix without a file has none.
pub async fn refuse(folder: Option<&Path>, password: &str) -> Result<()> {
    let Some(folder) = folder else { return Ok(()) };
    let hash = hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes()).as_ref()).to_uppercase();
    let (prefix, rest) = hash.split_at(5);
    let known = match tokio::fs::read_to_string(folder.join(format!("{prefix}.txt"))).await {
        Ok(lines) => lines.lines().any(|line| line.split(':').next().is_some_and(|suffix| suffix.eq_ignore_ascii_case(rest))),
        Err(failure) if failure.kind() == ErrorKind::NotFound => false,
        Err(failure) => return Err(Error::internal(failure)),
    };
    match known {
        false => Ok(()),
        true => Err(Error::new(&error::INVALID).fault("password", "breached", "is not one that is known from breaches")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_of_the_list_is_refused() {
        let folder = std::env::temp_dir().join(format!("enamel-breached-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        // SHA-1 of "password": 5BAA6 1E4C9B93F3F0682250B6CF8331B7EE68FD8.
        std::fs::write(
            folder.join("5BAA6.txt"),
            "003D68EB55068C33ACE09247EE4C639306B:3\r\n1E4C9B93F3F0682250B6CF8331B7EE68FD8:9659365\r\n",
        )
        .unwrap();
        let rule = |refused: Result<()>| refused.err().map(|refusal| refusal.faults[0].rule);
        assert_eq!(rule(refuse(Some(&folder), "password").await), Some("breached"));
        assert_eq!(rule(refuse(Some(&folder), "three blue molars on a shelf").await), None);
        assert_eq!(rule(refuse(None, "password").await), None);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
