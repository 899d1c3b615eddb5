//! A site of a tenant as FHIR Location.

use super::location::LOCATION;
use crate::fhir::contact::{country, email, lines, phone, point};
use crate::fhir::datatype::{Address, CodeableConcept, ContactPoint, Identifier};
use crate::fhir::find::{Find, HERE, Namespace, TENANT};
use crate::fhir::mapping::{Complete, Mapping, PEOPLE, Taken, Whole};
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::{Element, Resource};
use crate::kernel::error::Result;
use crate::kernel::table::form;
use crate::sql;
use serde_json::Value as Json;
use tokio_postgres::Row;

pub const NPI: &str = "http://hl7.org/fhir/sid/us-npi";
pub const STATUSES: &str = "http://hl7.org/fhir/location-status";
const STATES: crate::fhir::bind::Words = &[("ACTIVE", "active"), ("SUSPENDED", "suspended"), ("CLOSED", "inactive")];
pub const PLACES: &str = "http://terminology.hl7.org/CodeSystem/location-physical-type";

pub static TYPE: TypeDef =
    TypeDef { profiles: &["http://hl7.org/fhir/us/core/StructureDefinition/us-core-location"], ..TypeDef::all("Location") };

/// Street and contact are for staff alone, so no caller is told by a search what a read would not show.
const PLACE: &[&str] = &["kernel.fold(concat_ws(' ', r.city, r.region, r.postal_code, r.country))"];

pub static MAPPING: Mapping = Mapping {
    render: Some(render),
    take: Some(take),
    creates: true,
    complete: Some(Complete { query: &SITE_DEFAULTS, asks: |_| Vec::new(), fill }),
    search: &[
        ("name", Find::Text { within: HERE, starts: &["r.name_key"], words: &[], exact: &["r.name"] }),
        ("address", Find::Text { within: HERE, starts: &[], words: PLACE, exact: &["r.city", "r.region", "r.postal_code", "r.country"] }),
        ("address-city", Find::Text { within: HERE, starts: &["kernel.fold(r.city)"], words: &[], exact: &["r.city"] }),
        ("address-state", Find::Text { within: HERE, starts: &["kernel.fold(r.region)"], words: &[], exact: &["r.region"] }),
        ("address-postalcode", Find::Text { within: HERE, starts: &["kernel.fold(r.postal_code)"], words: &[], exact: &["r.postal_code"] }),
        ("address-country", Find::Text { within: HERE, starts: &["kernel.fold(r.country)"], words: &[], exact: &["r.country"] }),
        ("partof", Find::Never),
        ("identifier", Find::numbered(HERE, Namespace::Always(NPI), "r.npi")),
        ("status", Find::Words { column: "r.status", system: STATUSES, words: STATES }),
        ("organization", TENANT),
        ("near", Find::Place { latitude: "r.latitude", longitude: "r.longitude" }),
    ],
    sorts: &[],
    ..Mapping::new(&TYPE, &LOCATION, PEOPLE)
};

fn render(whole: &Whole, out: &mut Resource) {
    let site = &whole.root;
    let text = |column| site.json.get(column).and_then(Json::as_str).map(String::from);
    if let Some(npi) = text("npi") {
        out.push("identifier", &Identifier { system: Some(NPI.into()), value: Some(npi), ..Identifier::default() });
    }
    let status = STATES.iter().find(|(word, _)| site.text("status") == Some(word)).map_or("active", |(_, code)| *code);
    out.code("status", status).string("name", site.text("name"));
    for (system, column) in [("phone", "phone"), ("email", "email")] {
        if let Some(value) = text(column) {
            out.push("telecom", &ContactPoint { system: Some(system.into()), value: Some(value), ..ContactPoint::default() });
        }
    }
    let address = Address {
        line: text("address_line1").into_iter().chain(text("address_line2")).collect(),
        city: text("city"),
        state: text("region"),
        postal_code: text("postal_code"),
        country: text("country"),
        ..Address::default()
    };
    out.put("address", &address);
    let place = match site.text("kind") {
        Some("MOBILE") => "ve",
        Some("VIRTUAL") => "vi",
        _ => "si",
    };
    out.put("physicalType", &CodeableConcept::of(PLACES, place));
    if let (Json::Number(latitude), Json::Number(longitude)) = (site.get("latitude"), site.get("longitude")) {
        let mut position = Element::default();
        position.value("longitude", Json::Number(longitude.clone())).value("latitude", Json::Number(latitude.clone()));
        out.value("position", Json::Object(position.into_map()));
    }
    out.reference("managingOrganization", "Organization", site.tenant);
}

fn take(resource: &Resource, _base: &str, taken: &mut Taken) -> Result<()> {
    let root = resource.root();
    let address: Address = root.read("address")?.unwrap_or_default();
    let (line1, line2) = lines(&address);
    let points: Vec<ContactPoint> = root.list("telecom")?;
    let identifiers: Vec<Identifier> = root.list("identifier")?;
    let npi = identifiers
        .iter()
        .filter(|known| known.system.as_deref() == Some(NPI))
        .find_map(|known| known.value.clone().filter(|npi| form::is_npi(npi)));
    let kind: Option<CodeableConcept> = root.read("physicalType")?;
    let kind = match kind.as_ref().and_then(|kind| kind.code_in(PLACES)) {
        Some("ve") => "MOBILE",
        Some("vi") => "VIRTUAL",
        _ => "CLINIC",
    };
    let status = match root.code("status")? {
        Some("suspended") => "SUSPENDED",
        Some("inactive") => "CLOSED",
        _ => "ACTIVE",
    };
    let number = |key: &str| -> Result<Json> {
        let position = root.node("position")?;
        Ok(position.and_then(|position| position.number(key)).unwrap_or(Json::Null))
    };
    let columns = &mut taken.root;
    columns
        .set("name", root.string("name")?, root.at("name"))
        .set("kind", kind, root.at("physicalType"))
        .set("status", status, root.at("status"))
        .set("npi", npi, root.at("identifier"))
        .set("address_line1", line1, root.at("address.line"))
        .set("address_line2", line2, root.at("address.line"))
        .set("city", address.city.clone(), root.at("address.city"))
        .set("region", address.state.clone(), root.at("address.state"))
        .set("postal_code", address.postal_code.clone(), root.at("address.postalCode"))
        .set("phone", point(&points, "phone", &[], phone), root.at("telecom"))
        .set("email", point(&points, "email", &[], email), root.at("telecom"))
        .set("latitude", number("latitude")?, root.at("position.latitude"))
        .set("longitude", number("longitude")?, root.at("position.longitude"));
    if let Some(country) = country(&address) {
        columns.set("country", country, root.at("address.country"));
    }
    Ok(())
}

sql! {
    /// $1 tenant.
    SITE_DEFAULTS(UUID) = "select left(jurisdiction, 2), time_zone from tenants where id = $1";
}

/// FHIR says no time zone and need not say a country: the tenant's are meant.
fn fill(row: &Row, taken: &mut Taken) -> Result<()> {
    let (country, time_zone): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    if taken.root.get("country").is_none() {
        taken.root.set("country", country, "Location.address.country".into());
    }
    taken.root.set("time_zone", time_zone, "Location".into());
    Ok(())
}
