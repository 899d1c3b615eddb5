//! How often somebody may try to prove who they are, counted before anything is looked up, so that the answer is the same
//! for accounts that exist and accounts that do not.

use crate::kernel::error::{self, Error, Result};
use crate::kernel::table::store::fold;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use sha2::{Digest, Sha256};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

const ACCOUNT_BURST: NonZeroU32 = NonZeroU32::new(30).unwrap();
const ACCOUNT_PER_MINUTE: NonZeroU32 = NonZeroU32::new(30).unwrap();
const ADDRESS_BURST: NonZeroU32 = NonZeroU32::new(600).unwrap();
const ADDRESS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(600).unwrap();
const VENDOR_PER_MINUTE: NonZeroU32 = NonZeroU32::new(30).unwrap();
const REGISTRATIONS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(200).unwrap();
const LETTERS_BURST: NonZeroU32 = NonZeroU32::new(5).unwrap();
const LETTER_EVERY: Duration = Duration::from_secs(180);
/// Beyond so many keys, those that could be full again are let go.
const KEYS_MAX: usize = 50_000;

pub struct Throttle {
    accounts: DefaultKeyedRateLimiter<[u8; 32]>,
    addresses: DefaultKeyedRateLimiter<Option<IpAddr>>,
}

impl Default for Throttle {
    fn default() -> Throttle {
        Throttle::new(Quota::per_minute(ACCOUNT_PER_MINUTE).allow_burst(ACCOUNT_BURST))
    }
}

impl Throttle {
    /// For letters to one mailbox.
    pub fn of_letters() -> Throttle {
        Throttle::new(Quota::with_period(LETTER_EVERY).map_or(Quota::per_hour(LETTERS_BURST), |quota| quota.allow_burst(LETTERS_BURST)))
    }

    /// For registrations of applications: what a vendor has signed, and what an address shows.
    pub fn of_registrations() -> Throttle {
        let (vendor, address) = (Quota::per_minute(VENDOR_PER_MINUTE), Quota::per_minute(REGISTRATIONS_PER_MINUTE));
        Throttle { accounts: RateLimiter::keyed(vendor), addresses: RateLimiter::keyed(address) }
    }

    /// With a limit of one's own for each account and address.
    pub fn new(account: Quota) -> Throttle {
        Throttle {
            accounts: RateLimiter::keyed(account),
            addresses: RateLimiter::keyed(Quota::per_minute(ADDRESS_PER_MINUTE).allow_burst(ADDRESS_BURST)),
        }
    }

    /// One more from that address, whatever it is about. RATE_LIMITED.
    pub fn admit_address(&self, address: Option<IpAddr>) -> Result<()> {
        self.tidy();
        let refused = self.addresses.check_key(&address.map(network)).err();
        refused.map_or(Ok(()), |until| Err(limited(until.wait_time_from(DefaultClock::default().now()))))
    }

    /// One more try at `account` (an e-mail, a client id) from `address`. RATE_LIMITED.
    pub fn admit(&self, account: &str, address: Option<IpAddr>) -> Result<()> {
        self.tidy();
        let address = address.map(network);
        let key = Sha256::digest(format!("{}\n{address:?}", fold(account)));
        let checks = [self.addresses.check_key(&address), self.accounts.check_key(&key.into())];
        let wait =
            checks.into_iter().filter_map(|check| check.err()).map(|until| until.wait_time_from(DefaultClock::default().now())).max();
        wait.map_or(Ok(()), |wait| Err(limited(wait)))
    }

    /// One more letter to that mailbox, or registration by that vendor, whoever asks from wherever. RATE_LIMITED.
    pub fn admit_anywhere(&self, account: &str) -> Result<()> {
        self.tidy();
        let refused = self.accounts.check_key(&Sha256::digest(fold(account)).into()).err();
        refused.map_or(Ok(()), |until| Err(limited(until.wait_time_from(DefaultClock::default().now()))))
    }

    fn tidy(&self) {
        if self.accounts.len() > KEYS_MAX {
            self.accounts.retain_recent();
        }
        if self.addresses.len() > KEYS_MAX {
            self.addresses.retain_recent();
        }
    }
}

fn limited(wait: Duration) -> Error {
    let mut refusal = Error::new(&error::RATE_LIMITED);
    refusal.retry_after_s = Some(u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1));
    refusal
}

/// Whoever has one IPv6 address has all of its /64.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & !u128::from(u64::MAX))),
        four => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_one_address() {
        let throttle = Throttle::default();
        let from = |text: String| Some(text.parse().unwrap());
        let admitted = (0..60).filter(|n| throttle.admit("ana@clinic.example", from(format!("2001:db8:1:2::{n:x}"))).is_ok()).count();
        assert_eq!(admitted, 30);
        assert!(throttle.admit("ana@clinic.example", from("2001:db8:1:3::1".to_owned())).is_ok());
        let mapped = (0..60).filter(|_| throttle.admit("ben@clinic.example", from("::ffff:203.0.113.7".to_owned())).is_ok()).count();
        assert_eq!((mapped, throttle.admit("ben@clinic.example", from("203.0.113.7".to_owned())).is_ok()), (30, false));
        assert!(throttle.admit("ben@clinic.example", from("203.0.113.8".to_owned())).is_ok());
    }

    #[test]
    fn one_account_is_tried_so_often_and_its_neighbour_still() {
        let throttle = Throttle::default();
        let here = Some(IpAddr::from([203, 0, 113, 7]));
        let admitted = (0..60).filter(|_| throttle.admit("Ana@clinic.example", here).is_ok()).count();
        assert_eq!(admitted, 30);
        let refusal = throttle.admit("ana@CLINIC.example", here).unwrap_err();
        assert_eq!((refusal.code, refusal.retry_after_s), (&error::RATE_LIMITED, Some(2)));
        assert!(throttle.admit("ben@clinic.example", here).is_ok());
        assert!(throttle.admit("ana@clinic.example", Some(IpAddr::from([203, 0, 113, 8]))).is_ok());
    }
}
