//! Opaque tokens: 256 bits nobody can guess, typed so that people and scanners see what leaked, hashed at rest.
//!
//! `en_at_` + 43 random base62 characters (256.03 bits) + 6 characters of CRC-32 over all before it. The checksum
//! is no secret and proves nothing: it lets a scanner report without a false alarm, and the server refuse a typing
//! mistake without asking the database.

use std::fmt;

use aws_lc_rs::rand;
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::kernel::{Error, Result};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_CHARS: usize = 43;
const CHECKSUM_CHARS: usize = 6;
/// Bytes; one in 32 is passed over.
const RANDOM_BLOCK: usize = 64;

/// What a token is for. One kind never passes for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Access,
    Refresh,
    ClientSecret,
    Code,
    Session,
    /// A key to somebody's share of a record.
    ShareLink,
    /// What such a key has opened.
    Share,
    /// One answer to a referral, by a receiver who has no login.
    ReferralAnswer,
    /// An application's launch out of somebody's session.
    Launch,
    /// An authorization request that an application has pushed.
    Pushed,
    /// A browser that has proved a second factor.
    Device,
    /// A link in an e-mail.
    Mail,
    /// A tenant's directory (SCIM).
    Scim,
}

impl Kind {
    pub const ALL: [Self; 13] = [
        Self::Access,
        Self::Refresh,
        Self::ClientSecret,
        Self::Code,
        Self::Session,
        Self::ShareLink,
        Self::Share,
        Self::ReferralAnswer,
        Self::Launch,
        Self::Pushed,
        Self::Device,
        Self::Mail,
        Self::Scim,
    ];

    /// Stable: secret scanners know these.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Access => "en_at_",
            Self::Refresh => "en_rt_",
            Self::ClientSecret => "en_cs_",
            Self::Code => "en_ac_",
            Self::Session => "en_ss_",
            Self::ShareLink => "en_sl_",
            Self::Share => "en_sv_",
            Self::ReferralAnswer => "en_ra_",
            Self::Launch => "en_la_",
            Self::Pushed => "en_pr_",
            Self::Device => "en_dv_",
            Self::Mail => "en_ml_",
            Self::Scim => "en_sp_",
        }
    }
}

/// A token as its bearer holds it. Shown once, never stored, never printed.
pub struct Token {
    kind: Kind,
    text: SecretString,
}

impl Token {
    pub fn new(kind: Kind) -> Result<Self> {
        // Asked for a byte, the source costs as much as asked for a block.
        let (mut block, mut next) = (Zeroizing::new([0; RANDOM_BLOCK]), RANDOM_BLOCK);
        Self::of(kind, || {
            if next == RANDOM_BLOCK {
                rand::fill(&mut *block).map_err(|_| Error::internal("no randomness"))?;
                next = 0;
            }
            next += 1;
            Ok(block[next - 1])
        })
    }

    /// The one successor of `before` under a key of the server: asked again, the same token comes out, and nobody
    /// without the key can foretell it.
    pub fn successor(kind: Kind, before: &Token, key: &Hmac<Sha256>) -> Result<Self> {
        let (mut block, mut count) = (Vec::new(), 0u32);
        Self::of(kind, || {
            if block.is_empty() {
                let mut mac = key.clone();
                for part in [kind.prefix().as_bytes(), before.expose().as_bytes(), &count.to_be_bytes()] {
                    mac.update(part);
                }
                (block, count) = (mac.finalize().into_bytes().to_vec(), count + 1);
            }
            Ok(block.pop().unwrap_or_default())
        })
    }

    fn of(kind: Kind, mut random: impl FnMut() -> Result<u8>) -> Result<Self> {
        let mut text = String::with_capacity(kind.prefix().len() + RANDOM_CHARS + CHECKSUM_CHARS);
        text.push_str(kind.prefix());
        let random_end = text.len() + RANDOM_CHARS;
        while text.len() < random_end {
            let byte = random()?;
            // 248 = 4 · 62: bytes above would make some characters likelier than others.
            if byte < 248 {
                text.push(char::from(ALPHABET[usize::from(byte % 62)]));
            }
        }
        let checksum = checksum(text.as_bytes());
        text.extend(checksum.map(char::from));
        Ok(Self { kind, text: text.into() })
    }

    /// `None` unless `text` has the form of this kind and its checksum holds.
    pub fn parse(kind: Kind, text: &str) -> Option<Self> {
        let rest = text.strip_prefix(kind.prefix())?;
        let formed = rest.len() == RANDOM_CHARS + CHECKSUM_CHARS && rest.bytes().all(|b| b.is_ascii_alphanumeric());
        let (signed, sum) = formed.then(|| text.split_at(text.len() - CHECKSUM_CHARS))?;
        (checksum(signed.as_bytes()) == sum.as_bytes()).then(|| Self { kind, text: text.into() })
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// For the one answer that hands it to its bearer.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// What is stored and looked up. A fast hash is enough above 112 bits of randomness (ASVS 6.5.2).
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.expose().as_bytes()).into())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}***)", self.kind.prefix())
    }
}

/// SHA-256 of a token. Compares in constant time.
#[derive(Clone, Copy, Eq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// `None` for a stored value that is no SHA-256.
    pub fn from_stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As a key to find answers by; not for comparing.
    pub(super) fn key(&self) -> [u8; 32] {
        self.0
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(***)")
    }
}

/// CRC-32 in base62, six characters, most significant first.
fn checksum(text: &[u8]) -> [u8; CHECKSUM_CHARS] {
    let mut crc = flate2::Crc::new();
    crc.update(text);
    let mut rest = crc.sum() as usize;
    let mut chars = [0; CHECKSUM_CHARS];
    for char in chars.iter_mut().rev() {
        *char = ALPHABET[rest % 62];
        rest /= 62;
    }
    chars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_as_its_own_kind_only() {
        for kind in Kind::ALL {
            let token = Token::new(kind).unwrap();
            assert_eq!(token.expose().len(), 55, "en_xx_, 43, 6");
            for other in Kind::ALL {
                let read = Token::parse(other, token.expose());
                assert_eq!(read.map(|read| read.hash() == token.hash()), (kind == other).then_some(true));
            }
        }
    }

    #[test]
    fn a_changed_character_is_seen_before_the_database_is_asked() {
        let token = Token::new(Kind::Access).unwrap();
        for at in 0..token.expose().len() {
            let mut bytes = token.expose().as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'a' { b'b' } else { b'a' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(Token::parse(Kind::Access, &changed).is_none(), "character {at}");
        }
        for text in ["", "en_at_", "en_at_é", &token.expose()[..54], &format!("{}0", token.expose())] {
            assert!(Token::parse(Kind::Access, text).is_none());
        }
    }

    #[test]
    fn no_two_are_alike_and_every_character_is_used() {
        let tokens: Vec<_> = (0..200).map(|_| Token::new(Kind::Session).unwrap()).collect();
        let seen: std::collections::HashSet<_> = tokens.iter().map(Token::expose).collect();
        assert_eq!(seen.len(), tokens.len());
        let chars: std::collections::HashSet<_> = tokens.iter().flat_map(|token| token.expose()[6..49].bytes()).collect();
        assert_eq!(chars.len(), 62);
    }

    #[test]
    fn a_successor_is_the_same_each_time_and_another_for_every_key_kind_and_token() {
        use hmac::KeyInit;
        let key = |byte: u8| Hmac::<Sha256>::new_from_slice(&[byte; 32]).unwrap();
        let (one, two) = (Token::new(Kind::Refresh).unwrap(), Token::new(Kind::Refresh).unwrap());
        let next = |kind, before, byte| Token::successor(kind, before, &key(byte)).unwrap().expose().to_owned();
        let made = next(Kind::Refresh, &one, 1);
        assert_eq!(made, next(Kind::Refresh, &one, 1));
        assert!(Token::parse(Kind::Refresh, &made).is_some());
        let others = [next(Kind::Refresh, &two, 1), next(Kind::Refresh, &one, 2), next(Kind::Access, &one, 1)];
        assert!(others.iter().all(|other| other[6..] != made[6..]));
    }

    #[test]
    fn the_checksum_is_crc_32() {
        // The check value of CRC-32/ISO-HDLC over "123456789" is cbf43926.
        let value =
            checksum(b"123456789").iter().fold(0u64, |value, char| value * 62 + ALPHABET.iter().position(|c| c == char).unwrap() as u64);
        assert_eq!(value, 0xcbf4_3926);
    }

    #[test]
    fn what_is_printed_tells_nothing() {
        let token = Token::new(Kind::Refresh).unwrap();
        assert_eq!(format!("{token:?} {:?}", token.hash()), "Token(en_rt_***) TokenHash(***)");
    }

    #[test]
    fn a_hash_comes_back_from_the_database_whole_or_not_at_all() {
        let hash = Token::new(Kind::Code).unwrap().hash();
        assert_eq!(TokenHash::from_stored(hash.as_bytes()), Some(hash));
        assert!(TokenHash::from_stored(&hash.as_bytes()[..31]).is_none());
    }
}
