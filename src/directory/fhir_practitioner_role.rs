//! Where a provider works, with the provider's specialty, as FHIR PractitionerRole. A role of nobody we know, or at no place of
//! ours, is none of these rows.

use super::fhir_practitioner::UNKNOWN;
use super::{provider::PROVIDER, provider_location::PROVIDER_LOCATION};
use crate::fhir::datatype::{CodeableConcept, Coding, Period};
use crate::fhir::find::{Find, Namespace, TENANT};
use crate::fhir::mapping::{Columns, Link, Mapping, PEOPLE, Part, Taken, Whole};
use crate::fhir::reference::Literal;
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::{Element, Node, Resource};
use crate::kernel::error::Result;
use chrono::NaiveDate;
use serde_json::json;
use uuid::Uuid;

const TAXONOMY: &str = "http://nucc.org/provider-taxonomy";

static TYPE: TypeDef =
    TypeDef { profiles: &["http://hl7.org/fhir/us/core/StructureDefinition/us-core-practitionerrole"], ..TypeDef::all("PractitionerRole") };

pub static MAPPING: Mapping = Mapping {
    parts: &[Part { table: &PROVIDER, link: Link::Parent("provider_id"), planes: PEOPLE, alike: &[] }],
    render: Some(render),
    take: Some(take),
    creates: true,
    search: &[
        ("practitioner", Find::Points { column: "r.provider_id", to: "Practitioner" }),
        (
            "specialty",
            Find::numbered(
                "exists (select from providers p where p.tenant_id = r.tenant_id and p.id = r.provider_id and {})",
                Namespace::Always(TAXONOMY),
                "p.specialty_code",
            ),
        ),
        ("organization", TENANT),
        ("date", Find::Days { from: "r.valid_from", until: "r.valid_until" }),
        ("location", Find::Points { column: "r.location_id", to: "Location" }),
    ],
    sorts: &[],
    ..Mapping::new(&TYPE, &PROVIDER_LOCATION, PEOPLE)
};

fn render(whole: &Whole, out: &mut Resource) {
    let role = &whole.root;
    let day = |column| role.text(column).and_then(|text| text.parse::<NaiveDate>().ok());
    let period = Period::of_days(day("valid_from"), day("valid_until"));
    if period != Period::default() {
        out.put("period", &period);
    }
    if let Some(provider) = role.uuid("provider_id") {
        out.reference("practitioner", "Practitioner", provider);
    }
    out.reference("organization", "Organization", role.tenant);
    if let Some(provider) = whole.part(0).first() {
        let coding = provider.text("specialty_code").map(|code| Coding::new(TAXONOMY, code));
        let text = provider.text("specialty").filter(|text| *text != UNKNOWN).map(String::from);
        let concept = CodeableConcept { coding: coding.into_iter().collect(), text };
        if concept != CodeableConcept::default() {
            out.push("specialty", &concept);
        }
    }
    if let Some(site) = role.uuid("location_id") {
        let mut reference = Element::default();
        reference.string("reference", format!("Location/{site}").as_str());
        out.push_element("location", reference);
    }
}

fn take(resource: &Resource, base: &str, taken: &mut Taken) -> Result<()> {
    let root = resource.root();
    let practitioner = root.node("practitioner")?.map_or(Ok(None), |node| ours(&node, "Practitioner", base))?;
    let site = root.nodes("location")?.first().map_or(Ok(None), |node| ours(node, "Location", base))?;
    let columns = &mut taken.root;
    let place = if site.is_some() { "location[0]" } else { "location" };
    columns.set("provider_id", json!(practitioner), root.at("practitioner")).set("location_id", json!(site), root.at(place));
    let (from, until) = root.read::<Period>("period")?.map(|period| period.days()).unwrap_or_default();
    if from.zip(until).is_some_and(|(from, until)| until < from) {
        return Err(root.fault("period", "invariant", "A period does not end before it starts."));
    }
    columns.set("valid_from", from.map(|day| day.to_string()), root.at("period.start")).set(
        "valid_until",
        until.map(|day| day.to_string()),
        root.at("period.end"),
    );
    let specialties: Vec<CodeableConcept> = root.list("specialty")?;
    let provider = specialties.first().map(|concept| {
        let display = concept.coding.iter().find_map(|coding| coding.display.clone().or_else(|| coding.code.clone()));
        let mut provider = Columns::default();
        provider.set("specialty", concept.text.clone().or(display).unwrap_or_else(|| UNKNOWN.to_owned()), root.at("specialty[0]")).set(
            "specialty_code",
            concept.code_in(TAXONOMY),
            root.at("specialty[0].coding"),
        );
        vec![provider]
    });
    taken.parts = vec![provider];
    Ok(())
}

/// Whom or what of this server is named; an id that none of them can have is unknown like any other.
fn ours(node: &Node<'_>, type_name: &str, base: &str) -> Result<Option<Uuid>> {
    Ok(match node.string("reference")?.map(|text| Literal::parse(text, base)) {
        Some(Literal::Local { type_name: named, id, .. }) if named == type_name => Some(id.parse().unwrap_or_default()),
        _ => None,
    })
}
