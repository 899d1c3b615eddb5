//! Proof of work of the public form: cheap for one letter, dear for a million. Nothing is kept for it: the stamp names the
//! form and the moment, and what it hashes to is the submission's id, so that a stamp is taken once.

use crate::kernel::error::{self, Error, Result};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Leading zero bits of the hash.
pub const BITS: u32 = 16;
/// How old a stamp may be, and how far a sender's clock may run ahead.
const VALID_S: i64 = 900;
const STAMP_CHARS_MAX: usize = 100;

/// The id of a submission to that form, when the stamp `<unix seconds>.<anything>` was worked for. INVALID.
pub fn checked(slug: &str, stamp: &str, now: DateTime<Utc>) -> Result<Uuid> {
    let refused = |text: &str| Error::new(&error::INVALID).fault("proof", "proof", text);
    let made: Option<i64> = stamp.split_once('.').and_then(|(seconds, _)| seconds.parse().ok());
    let made = made.filter(|_| stamp.len() <= STAMP_CHARS_MAX).ok_or_else(|| refused("It must be seconds, a point and a nonce."))?;
    if made.abs_diff(now.timestamp()) > VALID_S.unsigned_abs() {
        return Err(refused("It is too old or of the future; make another."));
    }
    let hash: [u8; 32] = digest(slug, stamp);
    if zeros(&hash) < BITS {
        return Err(refused("Its hash has too few leading zero bits."));
    }
    let mut id = [0; 16];
    id.copy_from_slice(&hash[16..]);
    Ok(uuid::Builder::from_custom_bytes(id).into_uuid())
}

fn digest(slug: &str, stamp: &str) -> [u8; 32] {
    Sha256::digest(format!("enamel-refer\n{slug}\n{stamp}")).into()
}

fn zeros(hash: &[u8; 32]) -> u32 {
    let mut bits = 0;
    for byte in hash {
        bits += byte.leading_zeros();
        if *byte != 0 {
            break;
        }
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn work(slug: &str, now: DateTime<Utc>) -> String {
        let mut count = 0u64;
        loop {
            let stamp = format!("{}.{}.{count}", now.timestamp(), Uuid::now_v7().simple());
            if zeros(&digest(slug, &stamp)) >= BITS {
                return stamp;
            }
            count += 1;
        }
    }

    #[test]
    fn work_is_for_one_form_and_one_moment() {
        let now = Utc::now();
        let stamp = work("smith-dental", now);
        assert_eq!(checked("smith-dental", &stamp, now).unwrap(), checked("smith-dental", &stamp, now).unwrap());
        assert!(checked("jones-dental", &stamp, now).is_err());
        assert!(checked("smith-dental", &stamp, now + TimeDelta::hours(1)).is_err());
        assert!(checked("smith-dental", &stamp, now - TimeDelta::hours(1)).is_err());
        for wrong in ["", "x.y", "1.2", &format!("{}.{}", now.timestamp(), "a".repeat(200))] {
            assert!(checked("smith-dental", wrong, now).is_err(), "{wrong}");
        }
    }

    #[test]
    fn leading_zero_bits_are_counted_across_bytes() {
        let mut hash = [0; 32];
        assert_eq!(zeros(&hash), 256);
        hash[2] = 0b0001_0000;
        assert_eq!(zeros(&hash), 19);
    }
}
