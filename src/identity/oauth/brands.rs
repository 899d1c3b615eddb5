//! The clinics that wish to be found by applications: User-access Brands and Endpoints of SMART App Launch 2.2 §8, for anybody
//! to read. What stands in it a clinic has published of itself; who is not listed is not told to exist.

use super::fhir_base;
use crate::identity::service::Service;
use crate::kernel::context::{Context, PLATFORM_TENANT, Plane};
use crate::kernel::error::{Error, Result};
use crate::kernel::hex::hex;
use crate::kernel::{Caller, Kernel};
use crate::sql;
use chrono::{DateTime, SecondsFormat, Utc};
use openidconnect::url::Url;
use poem::http::{StatusCode, header};
use poem::{Request, Response};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio_postgres::Row;
use uuid::Uuid;

/// Below the server's root.
pub const PATH: &str = "/.well-known/user-access-brands.json";
/// A name that is a URL.
const URI: &str = "urn:ietf:rfc:3986";
const BELIEVED_FOR: Duration = Duration::from_secs(4);
const AGE_S: u32 = 3600;

sql! {
    LISTED() = "select * from sec.listed_brands()";
}

/// The bundle as it was a moment ago, with its tag.
#[derive(Default)]
pub struct Brands(Mutex<Option<(Instant, Arc<Published>)>>);

struct Published {
    tag: String,
    body: String,
}

/// By which applications know this server's own brand in the bundle.
pub fn identifier(kernel: &Kernel) -> Json {
    json!({"system": URI, "value": kernel.config.server.public_url.trim_end_matches('/')})
}

impl Brands {
    async fn published(&self, kernel: &Kernel) -> Result<Arc<Published>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, published)) = known.filter(|(at, _)| at.elapsed() < BELIEVED_FOR) {
            return Ok(published);
        }
        let scope = kernel.door.open(&Context::system(Plane::Auth, None)).await?;
        let answers = scope.once(&[((&LISTED).into(), vec![])]).await?;
        let brands: Vec<Brand> = answers.iter().flatten().map(Brand::read).collect::<Result<_>>()?;
        let changed = brands.iter().map(|brand| brand.changed_at).max().unwrap_or(DateTime::UNIX_EPOCH);
        let entries: Vec<Json> = brands.iter().flat_map(|brand| brand.entries(kernel)).collect();
        let body = json!({
            "resourceType": "Bundle", "type": "collection", "timestamp": changed.to_rfc3339_opts(SecondsFormat::Millis, true), "entry": entries,
        })
        .to_string();
        let tag = format!("\"{}\"", hex(&Sha256::digest(&body)[..16]));
        let published = Arc::new(Published { tag, body });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), published.clone()));
        Ok(published)
    }
}

/// What a clinic tells of itself; the platform's own row is this server.
struct Brand {
    id: Uuid,
    name: String,
    slug: String,
    aliases: Vec<String>,
    logo: Option<String>,
    website: Option<Url>,
    addresses: Option<Json>,
    changed_at: DateTime<Utc>,
}

impl Brand {
    fn read(row: &Row) -> Result<Brand> {
        let website: Option<&str> = row.try_get("website")?;
        Ok(Brand {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            slug: row.try_get("slug")?,
            aliases: row.try_get("aliases")?,
            logo: row.try_get("logo_url")?,
            website: website.and_then(|text| Url::parse(text).ok()).filter(|url| url.scheme() == "https"),
            addresses: row.try_get("addresses")?,
            changed_at: row.try_get("changed_at")?,
        })
    }

    /// The clinic and the endpoint at which it is reached: the same server for all, each signed in to by its own portal.
    fn entries(&self, kernel: &Kernel) -> [Json; 2] {
        let (own, base) = (kernel.config.server.public_url.trim_end_matches('/'), fhir_base(kernel));
        let at = |kind: &str| format!("{own}/brands/{kind}/{}", self.id);
        let is_server = self.id == PLATFORM_TENANT;
        let portal = if is_server { format!("{own}/signin") } else { format!("{own}/signin?tenant={}", self.slug) };
        let endpoint = json!({"reference": format!("Endpoint/{}", self.id), "display": self.name});
        let mut extensions = vec![json!({
            "url": "http://hl7.org/fhir/StructureDefinition/organization-portal",
            "extension": [
                {"url": "portalName", "valueString": self.name},
                {"url": "portalUrl", "valueUrl": portal},
                {"url": "portalEndpoint", "valueReference": endpoint},
            ],
        })];
        extensions.extend(self.logo.as_ref().map(|logo| {
            json!({
                "url": "http://hl7.org/fhir/StructureDefinition/organization-brand",
                "extension": [{"url": "brandLogo", "valueUrl": logo}],
            })
        }));
        let site = self.website.as_ref().map_or(portal.as_str(), |url| url.as_str());
        let mut organization = json!({
            "resourceType": "Organization", "id": self.id, "extension": extensions, "active": true, "name": self.name,
            "type": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/organization-type", "code": if is_server { "other" } else { "prov" }}]}],
            "telecom": [{"system": "url", "value": site}],
            "endpoint": [endpoint],
        });
        if is_server {
            organization["identifier"] = json!([identifier(kernel)]);
        } else if let Some(url) = self.website.as_ref().and_then(presence) {
            organization["identifier"] = json!([{"system": URI, "value": url}]);
        }
        if !self.aliases.is_empty() {
            organization["alias"] = json!(self.aliases);
        }
        if let Some(addresses) = &self.addresses {
            organization["address"] = addresses.clone();
        }
        let reached = json!({
            "resourceType": "Endpoint", "id": self.id, "status": "active", "name": self.name, "address": base,
            "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/endpoint-fhir-version", "valueCode": "4.0.1"}],
            "connectionType": {"system": "http://terminology.hl7.org/CodeSystem/endpoint-connection-type", "code": "hl7-fhir-rest"},
            "managingOrganization": {"reference": format!("Organization/{}", self.id)},
            "contact": [{"system": "url", "value": own}],
            "payloadType": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/endpoint-payload-type", "code": "none"}]}],
        });
        [json!({"fullUrl": at("Organization"), "resource": organization}), json!({"fullUrl": at("Endpoint"), "resource": reached})]
    }
}

/// Where somebody stands on the web, as brands are named: without `www.` and without a path.
fn presence(website: &Url) -> Option<String> {
    let host = website.host_str()?;
    Some(format!("https://{}", host.strip_prefix("www.").unwrap_or(host)))
}

pub async fn bundle(caller: Caller, request: Request) -> Result<Response> {
    let published = Service::of(&caller.kernel)?.brands.published(&caller.kernel).await?;
    let held = request.headers().get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let known = held.flat_map(|line| line.split(',')).any(|tag| tag.trim().trim_start_matches("W/") == published.tag);
    let response = Response::builder()
        .header(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")
        .header(header::CACHE_CONTROL, format!("public, max-age={AGE_S}"))
        .header(header::ETAG, header::HeaderValue::from_str(&published.tag).map_err(Error::internal)?);
    Ok(match known {
        true => response.status(StatusCode::NOT_MODIFIED).finish(),
        false => response.content_type("application/fhir+json").body(published.body.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brand_is_named_by_where_it_stands_on_the_web() {
        let named = |text: &str| presence(&Url::parse(text).unwrap()).unwrap();
        assert_eq!(named("https://www.oak-street.example/contact?x=1"), "https://oak-street.example");
        assert_eq!(named("https://wwwoak.example/"), "https://wwwoak.example");
    }
}
