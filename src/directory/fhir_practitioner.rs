//! A provider as FHIR Practitioner.

use super::{provider::PROVIDER, provider_identifier::PROVIDER_IDENTIFIER};
use crate::fhir::contact::{joined, name_in_use};
use crate::fhir::datatype::{HumanName, Identifier, Period};
use crate::fhir::find::{Find, HERE, Namespace};
use crate::fhir::mapping::{Columns, Link, Mapping, PEOPLE, Part, STAFF, Taken, Whole};
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::Resource;
use crate::kernel::error::Result;
use crate::kernel::table::{Sort, Ty, form};
use crate::tenancy::fhir_location::NPI;

/// Stands in the specialty's column until a PractitionerRole says it.
pub const UNKNOWN: &str = "Unspecified";

static TYPE: TypeDef =
    TypeDef { profiles: &["http://hl7.org/fhir/us/core/StructureDefinition/us-core-practitioner"], ..TypeDef::all("Practitioner") };

const IDENTIFIED: &str =
    "exists (select from provider_identifiers i where i.tenant_id = r.tenant_id and i.provider_id = r.id and i.deleted_at is null and {})";
const NUMBERS: &[Find] =
    &[Find::numbered(HERE, Namespace::Always(NPI), "r.npi"), Find::numbered(IDENTIFIED, Namespace::Column("i.system"), "i.value")];

pub static MAPPING: Mapping = Mapping {
    parts: &[Part { table: &PROVIDER_IDENTIFIER, link: Link::Child("provider_id"), planes: STAFF, alike: &["system"] }],
    render: Some(render),
    take: Some(take),
    creates: true,
    presumed: &[("specialty", UNKNOWN)],
    search: &[
        (
            "name",
            Find::Text { within: HERE, starts: &[], words: &["r.full_name_key"], exact: &["r.full_name", "r.last_name", "r.first_name"] },
        ),
        ("identifier", Find::Any(NUMBERS)),
        ("active", Find::Flag("r.is_active")),
        ("family", Find::Text { within: HERE, starts: &["kernel.fold(r.last_name)"], words: &[], exact: &["r.last_name"] }),
        ("given", Find::Text { within: HERE, starts: &[], words: &["kernel.fold(r.first_name)"], exact: &["r.first_name"] }),
    ],
    sorts: &[Sort { name: "name", column: "full_name_key", ty: Ty::Text, nullable: false }],
    ..Mapping::new(&TYPE, &PROVIDER, PEOPLE)
};

fn render(whole: &Whole, out: &mut Resource) {
    let provider = &whole.root;
    let text = |column| provider.text(column).map(String::from);
    if let Some(npi) = text("npi") {
        out.push("identifier", &Identifier { system: Some(NPI.into()), value: Some(npi), ..Identifier::default() });
    }
    for row in whole.part(0) {
        let end = row.text("valid_until").and_then(|text| text.parse().ok());
        let identifier = Identifier {
            system: row.text("system").map(String::from),
            value: row.text("value").map(String::from),
            period: end.map(|end| Period::of_days(None, Some(end))),
            ..Identifier::default()
        };
        out.push("identifier", &identifier);
    }
    out.boolean("active", provider.flag("is_active"));
    let given = provider.text("first_name").unwrap_or_default().split_whitespace().map(String::from).collect();
    let prefix = text("title").into_iter().collect();
    out.push("name", &HumanName { text: text("full_name"), family: text("last_name"), given, prefix, ..HumanName::default() });
}

fn take(resource: &Resource, _base: &str, taken: &mut Taken) -> Result<()> {
    let root = resource.root();
    let Some((name, path)) = name_in_use(&root)? else {
        return Err(root.fault("name", "required", "A practitioner needs a name."));
    };
    let words = |words: &[String]| (!words.is_empty()).then(|| words.join(" "));
    let columns = &mut taken.root;
    let (mut npi, mut rows): (_, Vec<Columns>) = (None, Vec::new());
    for (place, identifier) in root.list::<Identifier>("identifier")?.into_iter().enumerate() {
        let (Some(system), Some(value)) = (identifier.system, identifier.value) else { continue };
        if system == NPI && npi.is_none() && form::is_npi(&value) {
            npi = Some(value);
            continue;
        }
        let until = identifier.period.as_ref().and_then(|period| period.days().1);
        let at = |element: &str| format!("Practitioner.identifier[{place}].{element}");
        let mut row = Columns::default();
        row.set("system", system, at("system")).set("value", value, at("value"));
        row.set("valid_until", until.map(|day| day.to_string()), at("period.end"));
        if rows.iter().all(|known| ["system", "value"].iter().any(|column| known.get(column) != row.get(column))) {
            rows.push(row);
        }
    }
    let active = root.boolean("active")?.unwrap_or(true);
    columns
        .set("full_name", joined(&name), path.clone())
        .set("last_name", name.family.clone(), format!("{path}.family"))
        .set("first_name", words(&name.given), format!("{path}.given"))
        .set("title", words(&name.prefix), format!("{path}.prefix"))
        .set("npi", npi, root.at("identifier"))
        .set("status", if active { "ACTIVE" } else { "INACTIVE" }, root.at("active"));
    taken.parts = vec![Some(rows)];
    Ok(())
}
