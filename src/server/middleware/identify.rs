//! Which request this is and where it comes from. What a client says about that is believed from trusted proxies only.

use std::{net::IpAddr, sync::Arc};

use opentelemetry::{
    Context,
    propagation::{Extractor, TextMapPropagator},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use poem::{Request, http::HeaderMap};
use uuid::Uuid;

use super::headers::REQUEST_ID;
use crate::kernel::{certificate::Certificate, config::Network, telemetry::RequestTrace};

/// What one request says about its way here.
pub(super) struct Origin<'r> {
    peer: Option<IpAddr>,
    headers: &'r HeaderMap,
    trusted: &'r [Network],
}

impl<'r> Origin<'r> {
    pub(super) fn of(request: &'r Request, trusted: &'r [Network]) -> Self {
        let peer = request.remote_addr().as_socket_addr().map(|address| address.ip().to_canonical());
        Self { peer, headers: request.headers(), trusted }
    }

    pub(super) fn trace(&self) -> RequestTrace {
        let given = self.believed().then(|| self.get(REQUEST_ID.as_str())).flatten();
        let id = given.and_then(|id| Uuid::try_parse(id).ok()).unwrap_or_else(Uuid::now_v7);
        RequestTrace::new(id, self.client())
    }

    /// The span this request continues, when a trusted proxy started one.
    pub(super) fn parent(&self) -> Option<Context> {
        let continued = self.believed() && self.headers.contains_key("traceparent");
        continued.then(|| TraceContextPropagator::new().extract(self))
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }

    fn believed(&self) -> bool {
        self.peer.is_some_and(|peer| self.trusts(peer))
    }

    /// The nearest address of X-Forwarded-For that is none of our proxies. Each proxy appends the peer it saw, so
    /// everything left of the first stranger is hearsay.
    fn client(&self) -> Option<IpAddr> {
        let mut nearest = self.peer?;
        let lines = self.headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok());
        let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
        for hop in hops.into_iter().rev() {
            if !self.trusts(nearest) {
                break;
            }
            let Ok(address) = hop.parse::<IpAddr>() else { break };
            nearest = address.to_canonical();
        }
        Some(nearest)
    }
}

/// Behind a trusted proxy the client's certificate is the one that the proxy names; the proxy's own is nobody's.
pub(super) fn take_certificate(request: &mut Request, trusted: &[Network]) {
    let origin = Origin::of(request, trusted);
    if !origin.believed() {
        return;
    }
    match Certificate::of_proxy(origin.headers) {
        Some(named) => drop(request.extensions_mut().insert(named)),
        None => drop(request.extensions_mut().remove::<Arc<Certificate>>()),
    }
}

impl Extractor for Origin<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.headers.get(key).and_then(|value| value.to_str().ok())
    }
    fn keys(&self) -> Vec<&str> {
        self.headers.keys().map(|name| name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderName;

    use super::*;

    fn trusted() -> Vec<Network> {
        vec!["10.0.0.0/8".parse().unwrap()]
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn trace(peer: &str, lines: &[(&'static str, &str)]) -> RequestTrace {
        Origin { peer: peer.parse().ok(), headers: &headers(lines), trusted: &trusted() }.trace()
    }

    #[test]
    fn only_a_trusted_proxy_names_request_and_client() {
        let id = Uuid::from_u128(99);
        let id_text = id.to_string();
        let lines = [("x-request-id", id_text.as_str()), ("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.0.0.2")];

        let proxied = trace("10.0.0.1", &lines);
        assert_eq!((proxied.id, proxied.client), (id, "203.0.113.9".parse().ok()));
        let direct = trace("198.51.100.7", &lines);
        assert_eq!(direct.client, "198.51.100.7".parse().ok());
        assert_ne!(direct.id, id);
        assert_eq!(direct.id.get_version_num(), 7);
        let forged = trace("10.0.0.1", &[("x-request-id", "no uuid"), ("x-forwarded-for", "what")]);
        assert_eq!((forged.id.get_version_num(), forged.client), (7, "10.0.0.1".parse().ok()));
    }

    #[test]
    fn a_trace_is_continued_for_a_trusted_proxy_only() {
        use opentelemetry::trace::TraceContextExt;
        let headers = headers(&[("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]);
        let trusted = trusted();
        let parent = |peer: &str| Origin { peer: peer.parse().ok(), headers: &headers, trusted: &trusted }.parent();
        let continued = parent("10.0.0.1").unwrap();
        assert_eq!(continued.span().span_context().trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert!(parent("198.51.100.7").is_none());
    }
}
