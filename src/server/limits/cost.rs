//! What a request costs, from its method and path alone: it is asked before anything of the request is read.

use crate::kernel::config::LimitCosts;
use crate::server::app::API;
use crate::server::fhir;
use poem::http::Method;
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Read,
    Write,
    Search,
    Export,
}

impl Kind {
    pub fn units(self, costs: &LimitCosts) -> u32 {
        match self {
            Kind::Read => costs.read,
            Kind::Write => costs.write,
            Kind::Search => costs.search,
            Kind::Export => costs.export,
        }
    }
}

pub fn kind(method: &Method, path: &str) -> Kind {
    let under = |root: &str| path.strip_prefix(root).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    match (under(fhir::PATH), under(API)) {
        (Some(rest), _) => of_fhir(reads, &segments(rest)),
        (_, Some(rest)) => of_rest(reads, &segments(rest)),
        _ if reads => Kind::Read,
        _ => Kind::Write,
    }
}

fn segments(path: &str) -> Vec<&str> {
    path.split('/').filter(|segment| !segment.is_empty()).collect()
}

fn of_fhir(reads: bool, segments: &[&str]) -> Kind {
    match segments {
        [.., "$export" | "$import" | "$everything"] => Kind::Export,
        [.., "_search" | "_history"] => Kind::Search,
        [.., last] if last.starts_with('$') => Kind::Search,
        // What follows an export is asked for again and again: its state, its files.
        ["metadata" | ".well-known", ..] | [_, _] | [_, _, "_history", _] if reads => Kind::Read,
        [first, ..] if reads && first.starts_with('$') => Kind::Read,
        _ if reads => Kind::Search,
        _ => Kind::Write,
    }
}

fn of_rest(reads: bool, segments: &[&str]) -> Kind {
    let carries = |segment: &str| ["export", "import"].iter().any(|word| segment == *word || segment.starts_with(&format!("{word}-")));
    match segments {
        [.., last] if carries(last) && !(reads && segments.len() == 1) => Kind::Export,
        [.., "search"] => Kind::Search,
        [.., last] if reads && last.parse::<Uuid>().is_ok() => Kind::Read,
        _ if reads => Kind::Search,
        _ => Kind::Write,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_costs_more_than_a_read_and_an_export_more_than_a_search() {
        let id = "0197a2f4-0000-7000-8000-000000000001";
        let cases = [
            ("GET", format!("/fhir/r4/Patient/{id}"), Kind::Read),
            ("GET", format!("/fhir/r4/Patient/{id}/_history/3"), Kind::Read),
            ("GET", "/fhir/r4/metadata".into(), Kind::Read),
            ("GET", format!("/fhir/r4/Patient/{id}/_history"), Kind::Search),
            ("GET", format!("/fhir/r4/Patient/{id}/Observation"), Kind::Search),
            ("GET", "/fhir/r4/Patient".into(), Kind::Search),
            ("GET", "/fhir/r4".into(), Kind::Search),
            ("POST", "/fhir/r4/Patient/_search".into(), Kind::Search),
            ("GET", "/fhir/r4/ValueSet/$expand".into(), Kind::Search),
            ("POST", "/fhir/r4".into(), Kind::Write),
            ("PUT", format!("/fhir/r4/Patient/{id}"), Kind::Write),
            ("GET", "/fhir/r4/$export".into(), Kind::Export),
            ("GET", format!("/fhir/r4/Patient/{id}/$everything"), Kind::Export),
            ("POST", "/fhir/r4/Group/1/$export".into(), Kind::Export),
            ("GET", format!("/api/v1/patients/{id}"), Kind::Read),
            ("GET", "/api/v1/patients".into(), Kind::Search),
            ("GET", format!("/api/v1/patients/{id}/history"), Kind::Search),
            ("POST", "/api/v1/patients/search".into(), Kind::Search),
            ("POST", "/api/v1/patients".into(), Kind::Write),
            ("POST", "/api/v1/batch".into(), Kind::Write),
            ("GET", format!("/api/v1/patients/{id}/export"), Kind::Export),
            ("POST", "/api/v1/export-jobs".into(), Kind::Export),
            ("GET", "/api/v1/export-jobs".into(), Kind::Search),
            ("POST", format!("/api/v1/claims/{id}/export-837d"), Kind::Export),
            ("POST", format!("/api/v1/code-systems/{id}/import"), Kind::Export),
            ("GET", "/signin".into(), Kind::Read),
            ("POST", "/oauth2/token".into(), Kind::Write),
            ("GET", "/fhir/r45/Patient".into(), Kind::Read),
        ];
        for (method, path, wanted) in cases {
            assert_eq!(kind(&method.parse().unwrap(), &path), wanted, "{method} {path}");
        }
        let costs = crate::kernel::config::Config::sample("").limits.costs;
        let units = [Kind::Read, Kind::Search, Kind::Export].map(|kind| kind.units(&costs));
        assert!(units.is_sorted_by(|less, more| less < more), "{units:?}");
    }
}
