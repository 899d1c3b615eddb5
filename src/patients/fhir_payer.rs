//! A payer as FHIR Organization; the other organisations of the type are tenants.

use super::payer::PAYER;
use crate::fhir::contact::{address_text, as_is, point};
use crate::fhir::datatype::{Address, CodeableConcept, ContactPoint, Identifier};
use crate::fhir::find::{Find, HERE};
use crate::fhir::mapping::{Mapping, PEOPLE, Taken, Whole};
use crate::fhir::resource::Resource;
use crate::kernel::error::Result;
use crate::kernel::table::{Sort, Ty};
use crate::tenancy::fhir_organization::{ORGANIZATION_TYPES, TYPE};

/// v2-0203 knows the number a payer has among payers.
const PAYER_NUMBER: (&str, &str) = ("http://terminology.hl7.org/CodeSystem/v2-0203", "NIIP");

pub static MAPPING: Mapping = Mapping {
    render: Some(render),
    take: Some(take),
    creates: true,
    search: &[
        ("name", Find::Text { within: HERE, starts: &["r.name_key"], words: &[], exact: &["r.name"] }),
        ("address", Find::Text { within: HERE, starts: &[], words: &["kernel.fold(r.claims_address)"], exact: &["r.claims_address"] }),
        ("identifier", Find::number(HERE, "r.payer_identifier")),
        ("active", Find::Flag("r.is_active")),
        (
            "type",
            Find::Words {
                column: "r.kind",
                system: ORGANIZATION_TYPES,
                words: &[("PUBLIC", "govt"), ("COMMERCIAL", "pay"), ("DISCOUNT_PLAN", "pay"), ("SELF_PAY", "pay")],
            },
        ),
    ],
    sorts: &[Sort { name: "name", column: "name_key", ty: Ty::Text, nullable: false }],
    ..Mapping::new(&TYPE, &PAYER, PEOPLE)
};

/// The kinds of organisation that pay.
const PAYING: &[&str] = &["pay", "ins", "govt"];

fn render(whole: &Whole, out: &mut Resource) {
    let payer = &whole.root;
    if let Some(number) = payer.text("payer_identifier") {
        let identifier = Identifier {
            type_: Some(CodeableConcept::of(PAYER_NUMBER.0, PAYER_NUMBER.1)),
            value: Some(number.into()),
            ..Identifier::default()
        };
        out.push("identifier", &identifier);
    }
    out.boolean("active", payer.flag("is_active"));
    if payer.text("kind") != Some("OTHER") {
        out.push("type", &CodeableConcept::of(ORGANIZATION_TYPES, if payer.text("kind") == Some("PUBLIC") { "govt" } else { "pay" }));
    }
    out.string("name", payer.text("name"));
    if let Some(number) = payer.text("phone") {
        out.push("telecom", &ContactPoint { system: Some("phone".into()), value: Some(number.into()), ..ContactPoint::default() });
    }
    if let Some(text) = payer.text("claims_address") {
        out.push("address", &Address { text: Some(text.into()), ..Address::default() });
    }
}

fn take(resource: &Resource, _base: &str, taken: &mut Taken) -> Result<()> {
    let root = resource.root();
    let kinds: Vec<CodeableConcept> = root.list("type")?;
    // What says that it is something else is none: a hospital, a laboratory. It is kept as it is told.
    let kind = match kinds.iter().find_map(|kind| kind.code_in(ORGANIZATION_TYPES).filter(|code| PAYING.contains(code))) {
        Some("govt") => Some("PUBLIC"),
        Some(_) => Some("COMMERCIAL"),
        None if kinds.is_empty() => Some("OTHER"),
        None => None,
    };
    let identifiers: Vec<Identifier> = root.list("identifier")?;
    let is_number = |identifier: &&Identifier| identifier.type_.as_ref().and_then(|of| of.code_in(PAYER_NUMBER.0)) == Some(PAYER_NUMBER.1);
    let number = identifiers.iter().find(is_number).and_then(|identifier| identifier.value.clone());
    let points: Vec<ContactPoint> = root.list("telecom")?;
    let addresses: Vec<Address> = root.list("address")?;
    let active = root.boolean("active")?.unwrap_or(true);
    let columns = &mut taken.root;
    columns
        .set("name", root.string("name")?, root.at("name"))
        .set("kind", kind, root.at("type"))
        .set("payer_identifier", number, root.at("identifier"))
        .set("phone", point(&points, "phone", &[], as_is), root.at("telecom"))
        .set("claims_address", addresses.first().and_then(address_text), root.at("address[0]"))
        .set("status", if active { "ACTIVE" } else { "INACTIVE" }, root.at("active"));
    Ok(())
}
