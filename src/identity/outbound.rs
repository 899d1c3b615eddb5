//! Requests to places that somebody else named: a tenant's identity provider, its keys, later webhooks.
//!
//! Such an address is an attacker's way into our own network (SSRF). So: https only, few ports, the name resolved
//! once and every address checked before the connection is made to exactly that address, no redirects, no proxy
//! from the environment, five seconds and 512 kB in all. What the other side said is never echoed to the caller.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url, redirect};

use crate::kernel::config::Network;
use crate::kernel::{Error, Result};

/// Where requests may go and how much may come back.
#[derive(Debug, Clone)]
pub struct Policy {
    /// For an identity provider inside the operator's own network: addresses of these are taken.
    pub private_networks: Vec<Network>,
    /// For `enamel up` and tests: loopback is taken, on any port, and by plain http.
    pub loopback: bool,
    pub ports: Vec<u16>,
    pub timeout: Duration,
    pub body_bytes_max: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            private_networks: Vec::new(),
            loopback: false,
            ports: vec![443, 8443],
            timeout: Duration::from_secs(5),
            body_bytes_max: 512 * 1024,
        }
    }
}

impl Policy {
    pub fn with_loopback() -> Self {
        Self { loopback: true, ..Self::default() }
    }

    fn takes_address(&self, address: IpAddr) -> bool {
        is_global(address)
            || (self.loopback && address.is_loopback())
            || (is_private(address) && self.private_networks.iter().any(|network| network.contains(address)))
    }

    /// What can be told from the address alone; names are checked again when they are resolved.
    fn check_url(&self, url: &Url) -> Result<(), OutboundError> {
        let host = url.host_str().ok_or(OutboundError::Refused("no host"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OutboundError::Refused("credentials in the address"));
        }
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        if literal.is_some_and(|address| !self.takes_address(address)) {
            return Err(OutboundError::Refused("the address is not a public one"));
        }
        let here = host == "localhost" || literal.is_some_and(|address| address.is_loopback());
        if self.loopback && here && matches!(url.scheme(), "http" | "https") {
            return Ok(());
        }
        if url.scheme() != "https" {
            return Err(OutboundError::Refused("only https is taken"));
        }
        let port = url.port_or_known_default();
        if !port.is_some_and(|port| self.ports.contains(&port)) {
            return Err(OutboundError::Refused("the port is not taken"));
        }
        Ok(())
    }
}

/// Why nothing came back. Holds no word of the other side's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboundError {
    Refused(&'static str),
    Redirect,
    TooLarge,
    Timeout,
    Unreachable,
}

impl fmt::Display for OutboundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => write!(f, "request not sent: {why}"),
            Self::Redirect => f.write_str("the other side redirects"),
            Self::TooLarge => f.write_str("the answer is too large"),
            Self::Timeout => f.write_str("no whole answer in time"),
            Self::Unreachable => f.write_str("the other side cannot be reached"),
        }
    }
}

impl std::error::Error for OutboundError {}

impl From<OutboundError> for Error {
    fn from(error: OutboundError) -> Self {
        Error::unavailable(error)
    }
}

/// The guarded client. One for the process; clones share its connections.
#[derive(Clone)]
pub struct Outbound {
    client: Client,
    policy: Arc<Policy>,
}

/// The protocol library sends through here, and only through here.
impl<'c> openidconnect::AsyncHttpClient<'c> for Outbound {
    type Error = OutboundError;
    type Future = BoxFuture<'c, Result<http::Response<Vec<u8>>, OutboundError>>;

    fn call(&'c self, request: http::Request<Vec<u8>>) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl Outbound {
    pub fn new(policy: Policy) -> Result<Self> {
        let policy = Arc::new(policy);
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .timeout(policy.timeout)
            .dns_resolver(GuardedResolver(policy.clone()))
            .build()
            .map_err(Error::internal)?;
        Ok(Self { client, policy })
    }

    /// Sends `request` and reads the whole answer. Any status but a redirect is the caller's to judge.
    pub async fn send(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, OutboundError> {
        let request = reqwest::Request::try_from(request).map_err(|_| OutboundError::Refused("not a URL"))?;
        self.policy.check_url(request.url())?;
        let mut answer = self.client.execute(request).await.map_err(|error| failure(&error))?;
        if answer.status().is_redirection() {
            return Err(OutboundError::Redirect);
        }
        let announced = answer.content_length().unwrap_or(0);
        if announced > self.policy.body_bytes_max as u64 {
            return Err(OutboundError::TooLarge);
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| failure(&error))? {
            self.take(&mut body, &chunk)?;
        }
        let mut whole = http::Response::new(body);
        *whole.status_mut() = answer.status();
        *whole.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(whole)
    }

    /// Whether a browser may be sent to an address of this scheme.
    pub fn takes_scheme(&self, scheme: &str) -> bool {
        scheme == "https" || (self.policy.loopback && scheme == "http")
    }

    fn take(&self, body: &mut Vec<u8>, chunk: &Bytes) -> Result<(), OutboundError> {
        if body.len() + chunk.len() > self.policy.body_bytes_max {
            return Err(OutboundError::TooLarge);
        }
        body.extend_from_slice(chunk);
        Ok(())
    }
}

fn failure(error: &reqwest::Error) -> OutboundError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(refused) = inner.downcast_ref::<OutboundError>() {
            return *refused;
        }
        cause = inner.source();
    }
    if error.is_timeout() { OutboundError::Timeout } else { OutboundError::Unreachable }
}

/// Resolves once; the connection goes to what was checked here and nowhere else, so that a name which changes
/// between check and use (DNS rebinding) gains nothing.
struct GuardedResolver(Arc<Policy>);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // One bad address among good ones is no accident: refuse the name.
            if found.is_empty() || !found.iter().all(|address| policy.takes_address(address.ip())) {
                return Err(OutboundError::Refused("the name leads to an address that is not public").into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Globally reachable, by the IANA special-purpose registries (RFC 6890 and successors).
fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_global_v4(v4),
        IpAddr::V6(v6) => is_global_v6(v6),
    }
}

fn is_global_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0                                        // this network
        || a >= 224                                 // multicast, reserved, broadcast
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()                  // and with it the clouds' metadata at 169.254.169.254
        || address.is_documentation()
        || (a == 100 && (64..128).contains(&b))     // carrier-grade NAT
        || (a == 192 && b == 0 && c == 0)           // protocol assignments
        || (a == 192 && b == 88 && c == 99)         // 6to4 relays
        || (a == 198 && (18..20).contains(&b))) // benchmarks
}

/// Only 2000::/3 is handed out. That leaves out mapped, NAT64, unique local, link-local and multicast addresses.
fn is_global_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    (0x2000..0x4000).contains(&a)
        && !(a == 0x2001 && b < 0x0200)             // Teredo, ORCHID, benchmarks
        && !(a == 0x2001 && b == 0x0db8)            // documentation
        && a != 0x2002                              // 6to4: carries any IPv4 address
        && !(a == 0x3fff && b < 0x1000) // documentation
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private(),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn get(policy: Policy, url: &str) -> Result<http::Response<Vec<u8>>, OutboundError> {
        let request = http::Request::get(url).body(vec![]).unwrap();
        Outbound::new(policy).unwrap().send(request).await
    }

    /// A peer that says `answer` to one request, byte for byte, and then nothing more.
    async fn peer(answer: Vec<u8>, hangs: bool) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(&answer).await;
            if hangs {
                std::future::pending::<()>().await;
            }
        });
        url
    }

    fn quick() -> Policy {
        Policy { timeout: Duration::from_millis(300), ..Policy::with_loopback() }
    }

    #[test]
    fn only_globally_reachable_addresses_are_public() {
        for address in ["8.8.8.8", "100.63.255.255", "172.32.0.1", "192.0.1.1", "2606:4700::1111", "2a00:1450::1"] {
            assert!(is_global(address.parse().unwrap()), "{address}");
        }
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::a00:1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:a00:1::",
            "3fff::1",
            "100::1",
        ] {
            assert!(!is_global(address.parse().unwrap()), "{address}");
        }
    }

    #[tokio::test]
    async fn nothing_is_sent_into_our_own_network() {
        for url in [
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://localhost/",
            "https://10.0.0.1/",
            "https://0x7f000001/",
            "https://2130706433/",
            "https://127.1/",
            "https://169.254.169.254/latest/meta-data",
            "https://[::ffff:7f00:1]/",
        ] {
            let refused = get(Policy::default(), url).await.unwrap_err();
            assert!(matches!(refused, OutboundError::Refused(_)), "{url}: {refused:?}");
        }
        let inside = Policy { private_networks: vec!["10.0.0.0/8".parse().unwrap()], ..Policy::default() };
        assert!(inside.takes_address("10.0.0.1".parse().unwrap()));
        for address in ["127.0.0.1", "169.254.169.254", "::1"] {
            assert!(!inside.takes_address(address.parse().unwrap()), "{address}");
        }
    }

    #[tokio::test]
    async fn only_https_on_known_ports_without_credentials_is_sent() {
        for url in ["http://8.8.8.8/", "https://8.8.8.8:22/", "https://user:word@8.8.8.8/", "ftp://8.8.8.8/"] {
            for policy in [Policy::default(), Policy::with_loopback()] {
                let refused = get(policy, url).await.unwrap_err();
                assert!(matches!(refused, OutboundError::Refused(_)), "{url}: {refused:?}");
            }
        }
    }

    #[tokio::test]
    async fn an_answer_comes_back_whole() {
        let url = peer(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nx-a: b\r\n\r\nno".to_vec(), false).await;
        let answer = get(quick(), &url).await.unwrap();
        assert_eq!((answer.status().as_u16(), &answer.headers()["x-a"], &answer.body()[..]), (404, &"b".parse().unwrap(), &b"no"[..]));
    }

    #[tokio::test]
    async fn redirects_floods_and_silence_end_the_request() {
        let redirect = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_vec();
        assert_eq!(get(quick(), &peer(redirect, false).await).await.unwrap_err(), OutboundError::Redirect);

        let announced = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n".to_vec();
        assert_eq!(get(quick(), &peer(announced, true).await).await.unwrap_err(), OutboundError::TooLarge);

        let mut endless = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        (0..600).for_each(|_| endless.extend([b"400\r\n".to_vec(), vec![b'x'; 1024], b"\r\n".to_vec()].concat()));
        assert_eq!(get(quick(), &peer(endless, true).await).await.unwrap_err(), OutboundError::TooLarge);

        let begin = std::time::Instant::now();
        assert_eq!(get(quick(), &peer(vec![], true).await).await.unwrap_err(), OutboundError::Timeout);
        let half = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec();
        assert_eq!(get(quick(), &peer(half, true).await).await.unwrap_err(), OutboundError::Timeout);
        assert!(begin.elapsed() < Duration::from_secs(2));
        assert_eq!(get(quick(), "http://127.0.0.1:1/").await.unwrap_err(), OutboundError::Unreachable);
    }
}
