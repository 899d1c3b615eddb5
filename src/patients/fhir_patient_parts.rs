//! Identifiers and addresses of a patient, which are rows of their own.

use crate::fhir::contact::{country, lines};
use crate::fhir::datatype::{Address, CodeableConcept, Identifier, Period};
use crate::fhir::mapping::Columns;
use crate::fhir::resource::{Element, Node, Resource};
use crate::kernel::error::Result;
use crate::kernel::table::Record;
use chrono::NaiveDate;
use serde_json::Value as Json;

const TYPES: &str = "http://terminology.hl7.org/CodeSystem/v2-0203";
const SSN: &str = "http://hl7.org/fhir/sid/us-ssn";
/// How much of a long value lists may show.
const SHOWN: usize = 4;

/// Which kind of identifier we take it for: by its type, then by its system.
fn system(identifier: &Identifier) -> &'static str {
    let of_type = identifier.type_.as_ref().and_then(|of| of.code_in(TYPES));
    match (of_type, identifier.system.as_deref()) {
        (Some("MR"), _) => "MRN",
        (Some("SS" | "SB" | "NI" | "NNxxx"), _) | (_, Some(SSN)) => "NATIONAL_ID",
        (Some("MB" | "MC"), _) => "INSURANCE_MEMBER",
        _ => "INTERNAL",
    }
}

fn code(system: Option<&str>, uri: Option<&str>) -> Option<&'static str> {
    match system? {
        "MRN" => Some("MR"),
        "NATIONAL_ID" if uri == Some(SSN) => Some("SS"),
        "NATIONAL_ID" => Some("NI"),
        "INSURANCE_MEMBER" => Some("MB"),
        _ => None,
    }
}

pub fn period(record: &Record) -> Option<Period> {
    let day = |column| record.text(column).and_then(|text| text.parse::<NaiveDate>().ok());
    let period = Period::of_days(day("valid_from"), day("valid_until"));
    (period != Period::default()).then_some(period)
}

/// Sets both ends, refusing a period that ends before it starts.
pub fn take_period(columns: &mut Columns, period: Option<&Period>, path: &str, ends: [&'static str; 2]) -> Result<()> {
    let (from, until) = period.map(Period::days).unwrap_or_default();
    if period.is_some_and(|period| !period.is_ordered()) || from.zip(until).is_some_and(|(from, until)| until < from) {
        use crate::kernel::error::{Error, INVALID};
        return Err(Error::new(&INVALID).fault(format!("{path}.period"), "invariant", "A period does not end before it starts."));
    }
    columns.set(ends[0], from.map(|day| day.to_string()), format!("{path}.period.start"));
    columns.set(ends[1], until.map(|day| day.to_string()), format!("{path}.period.end"));
    Ok(())
}

pub fn identifiers(rows: &[Record], out: &mut Resource) {
    for row in rows {
        let uri = row.text("system_uri");
        let mut element = Element::default();
        if let Some(code) = code(row.text("system"), uri) {
            element.put("type", &CodeableConcept::of(TYPES, code));
        }
        element.string("system", uri).string("value", row.text("value"));
        if let Some(period) = period(row) {
            element.put("period", &period);
        }
        if let Some(issuer) = row.text("issuer") {
            let mut assigner = Element::default();
            assigner.string("display", issuer);
            element.value("assigner", Json::Object(assigner.into_map()));
        }
        out.push_element("identifier", element);
    }
}

/// Each identifier once; one without a value has no row.
pub fn take_identifiers(root: &Node<'_>) -> Result<Vec<Columns>> {
    let mut rows: Vec<Columns> = Vec::new();
    let given: Vec<Identifier> = root.list("identifier")?;
    for ((place, identifier), node) in given.iter().enumerate().zip(root.nodes("identifier")?) {
        let Some(value) = &identifier.value else { continue };
        let path = format!("{}.identifier[{place}]", root.path());
        let issuer = node.node("assigner")?.map(|assigner| assigner.string("display")).transpose()?.flatten();
        let shown = (value.chars().count() > SHOWN + 2).then(|| value.chars().skip(value.chars().count() - SHOWN).collect::<String>());
        let mut row = Columns::default();
        row.set("system", system(identifier), format!("{path}.system"))
            .set("system_uri", identifier.system.clone(), format!("{path}.system"))
            .set("value", value.clone(), format!("{path}.value"))
            .set("value_last4", shown, format!("{path}.value"))
            .set("issuer", issuer, format!("{path}.assigner.display"));
        take_period(&mut row, identifier.period.as_ref(), &path, ["valid_from", "valid_until"])?;
        let key = |row: &Columns| (row.get("system").cloned(), row.get("system_uri").cloned(), row.get("value").cloned());
        if rows.iter().all(|known| key(known) != key(&row)) {
            rows.push(row);
        }
    }
    Ok(rows)
}

pub fn addresses(rows: &[Record], out: &mut Resource) {
    for row in rows {
        let text = |column| row.text(column).map(String::from);
        let address = Address {
            use_: row.text("use").map(str::to_lowercase),
            type_: match row.text("kind") {
                Some("PHYSICAL") => Some("physical".into()),
                Some("MAILING") => Some("postal".into()),
                _ => None,
            },
            line: text("line1").into_iter().chain(text("line2")).collect(),
            city: text("city"),
            state: text("region"),
            postal_code: text("postal_code"),
            country: text("country"),
            period: period(row),
            ..Address::default()
        };
        out.push("address", &address);
    }
}

/// An address without a line has no row.
pub fn take_addresses(root: &Node<'_>) -> Result<Vec<Columns>> {
    let mut rows = Vec::new();
    for (place, address) in root.list::<Address>("address")?.iter().enumerate() {
        let (first, second) = lines(address);
        let Some(first) = first.or_else(|| address.text.clone()) else { continue };
        let path = format!("{}.address[{place}]", root.path());
        let at = |element: &str| format!("{path}.{element}");
        let kind = match address.type_.as_deref() {
            Some("physical") => "PHYSICAL",
            Some("postal") => "MAILING",
            _ => "BOTH",
        };
        let use_ = match address.use_.as_deref() {
            Some("work") => "WORK",
            Some("temp") => "TEMP",
            Some("old") => "OLD",
            _ => "HOME",
        };
        let mut row = Columns::default();
        row.set("line1", first, at("line"))
            .set("line2", second, at("line"))
            .set("use", use_, at("use"))
            .set("kind", kind, at("type"))
            .set("city", address.city.clone(), at("city"))
            .set("region", address.state.clone(), at("state"))
            .set("postal_code", address.postal_code.clone(), at("postalCode"))
            .set("country", country(address), at("country"));
        take_period(&mut row, address.period.as_ref(), &path, ["valid_from", "valid_until"])?;
        rows.push(row);
    }
    Ok(rows)
}
