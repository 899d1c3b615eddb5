//! The byte forms everything signed or hashed is made of: hex values, instants, length-prefixed fields.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// Bytes of a fixed length, written in lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hex<const N: usize>(pub [u8; N]);

pub type Hash = Hex<32>;
pub type Salt = Hex<16>;
pub type SignatureBytes = Hex<64>;

impl<const N: usize> Hex<N> {
    pub const ZERO: Self = Self([0; N]);

    /// Takes lower-case hex of exactly the right length, so that each value has one spelling.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 2 * N {
            return None;
        }
        let mut bytes = [0; N];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Some(Self(bytes))
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl Hash {
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        parts.iter().for_each(|part| hasher.update(part));
        Self(hasher.finalize().into())
    }
}

impl<const N: usize> TryFrom<&[u8]> for Hex<N> {
    type Error = std::array::TryFromSliceError;
    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self)
    }
}

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<const N: usize> fmt::Debug for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("not lower-case hex of the right length"))
    }
}

/// An instant in the one spelling that is hashed: UTC, microseconds, `2026-11-20T09:00:00.000000Z`.
pub fn instant_text(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

const INSTANT_LENGTH: usize = "2026-11-20T09:00:00.000000Z".len();

/// `instant_text` for serde.
pub mod instant {
    use super::*;

    pub fn serialize<S: Serializer>(at: &DateTime<Utc>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&instant_text(*at))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<DateTime<Utc>, D::Error> {
        let text = String::deserialize(from)?;
        if text.len() != INSTANT_LENGTH {
            return Err(de::Error::custom("not an instant of a four-digit year"));
        }
        let at = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.fZ").map_err(de::Error::custom)?.and_utc();
        if instant_text(at) == text { Ok(at) } else { Err(de::Error::custom("not the canonical instant")) }
    }
}

/// 64-bit transaction ids pass the 2^53 that JSON numbers carry safely, so they travel as decimal text.
pub mod decimal_text {
    use super::*;

    pub fn serialize<S: Serializer>(number: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(number)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// Canonical bytes of a structure: a prefix that names its kind and version, then each field as a big-endian 32-bit
/// length and its bytes. An absent field is the length 0xFFFFFFFF alone, so absent and empty differ.
pub struct Fields(Vec<u8>);

impl Fields {
    pub fn new(prefix: &str) -> Self {
        Self(prefix.as_bytes().to_vec())
    }

    pub fn bytes(mut self, field: &[u8]) -> Self {
        // Every field is bounded far below 4 GiB by its maker, so the length always fits.
        self.0.extend_from_slice(&(field.len() as u32).to_be_bytes());
        self.0.extend_from_slice(field);
        self
    }

    pub fn text(self, field: impl fmt::Display) -> Self {
        self.bytes(field.to_string().as_bytes())
    }

    pub fn optional(mut self, field: Option<&str>) -> Self {
        match field {
            Some(text) => self.bytes(text.as_bytes()),
            None => {
                self.0.extend_from_slice(&u32::MAX.to_be_bytes());
                self
            }
        }
    }

    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_has_one_spelling() {
        assert_eq!(Hex::<2>::parse("00ff"), Some(Hex([0, 255])));
        for wrong in ["00FF", "0ff", "00ff0", "zz00", ""] {
            assert_eq!(Hex::<2>::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn absent_and_empty_fields_differ() {
        assert_ne!(Fields::new("x").optional(None).finish(), Fields::new("x").optional(Some("")).finish());
        assert_ne!(
            Fields::new("x").text("ab").text("c").finish(),
            Fields::new("x").text("a").text("bc").finish(),
            "a length keeps neighbours apart"
        );
    }
}
