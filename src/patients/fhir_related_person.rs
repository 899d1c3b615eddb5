//! A relation of a patient as FHIR RelatedPerson: to a contact of the clinic, or to another of its patients.

use super::external_contact::EXTERNAL_CONTACT;
use super::fhir_patient_parts::{period, take_period};
use super::patient::PATIENT;
use super::patient_relationship::PATIENT_RELATIONSHIP;
use crate::fhir::bind::Words;
use crate::fhir::contact::{address_text, as_is, email, joined, name_in_use, point};
use crate::fhir::datatype::{Address, CodeableConcept, ContactPoint, HumanName};
use crate::fhir::find::Find;
use crate::fhir::mapping::{Columns, Link, Mapping, PEOPLE, Part, Taken, Whole};
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::Resource;
use crate::kernel::error::Result;
use serde_json::json;
use uuid::Uuid;

const ROLES: &str = "http://terminology.hl7.org/CodeSystem/v3-RoleCode";
const CONTACT_ROLES: &str = "http://terminology.hl7.org/CodeSystem/v2-0131";

const PERSON: &str = "exists (select from external_contacts e where e.tenant_id = r.tenant_id and e.id = r.external_contact_id and ({}))";
const RELATED: &str = "exists (select from patients p where p.tenant_id = r.tenant_id and p.id = r.related_patient_id and ({}))";
const NAMES: &[Find] = &[
    Find::Text { within: PERSON, starts: &[], words: &["e.full_name_key"], exact: &["e.full_name"] },
    Find::Text { within: RELATED, starts: &["p.last_name_key", "p.first_name_key"], words: &[], exact: &["p.full_name"] },
];
const KINDS: &[Find] = &[
    Find::Words { column: "r.relationship_type", system: ROLES, words: KIN },
    Find::Words { column: "r.relationship_type", system: CONTACT_ROLES, words: CONTACTS },
];
const KIN: Words = &[("SPOUSE", "SPS"), ("CHILD", "CHILD"), ("GUARDIAN", "GUARD"), ("PARENT", "PRN")];
const CONTACTS: Words = &[("EMERGENCY_CONTACT", "C"), ("OTHER", "O")];
const PHONE: Find = Find::number(PERSON, "e.phone");
const EMAIL: Find = Find::number(PERSON, "e.email");

static TYPE: TypeDef =
    TypeDef { profiles: &["http://hl7.org/fhir/us/core/StructureDefinition/us-core-relatedperson"], ..TypeDef::all("RelatedPerson") };

pub static MAPPING: Mapping = Mapping {
    parts: &[
        Part { table: &EXTERNAL_CONTACT, link: Link::Parent("external_contact_id"), planes: PEOPLE, alike: &[] },
        Part { table: &PATIENT, link: Link::Parent("related_patient_id"), planes: PEOPLE, alike: &[] },
    ],
    render: Some(render),
    take: Some(take),
    creates: true,
    search: &[
        ("patient", Find::Points { column: "r.patient_id", to: "Patient" }),
        ("telecom", Find::Any(&[PHONE, EMAIL])),
        ("phone", PHONE),
        ("email", EMAIL),
        ("address", Find::Text { within: PERSON, starts: &[], words: &["kernel.fold(e.address)"], exact: &["e.address"] }),
        ("name", Find::Any(NAMES)),
        ("relationship", Find::Any(KINDS)),
    ],
    sorts: &[],
    ..Mapping::new(&TYPE, &PATIENT_RELATIONSHIP, PEOPLE)
};

fn render(whole: &Whole, out: &mut Resource) {
    let relation = &whole.root;
    if let Some(patient) = relation.uuid("patient_id") {
        out.reference("patient", "Patient", patient);
    }
    let kind = relation.text("relationship_type").unwrap_or_default();
    for (system, words) in [(ROLES, KIN), (CONTACT_ROLES, CONTACTS)] {
        if let Some((_, code)) = words.iter().find(|(word, _)| *word == kind) {
            out.push("relationship", &CodeableConcept::of(system, code));
        }
    }
    let contact = whole.part(0).first();
    let person = contact.or(whole.part(1).first());
    if let Some(name) = person.and_then(|person| person.text("full_name")) {
        out.push("name", &HumanName { text: Some(name.into()), ..HumanName::default() });
    }
    if let Some(contact) = contact {
        for (system, column) in [("phone", "phone"), ("email", "email")] {
            if let Some(value) = contact.text(column) {
                out.push("telecom", &ContactPoint { system: Some(system.into()), value: Some(value.into()), ..ContactPoint::default() });
            }
        }
        if let Some(text) = contact.text("address") {
            out.push("address", &Address { text: Some(text.into()), ..Address::default() });
        }
    }
    if let Some(period) = period(relation) {
        out.put("period", &period);
    }
}

fn take(resource: &Resource, base: &str, taken: &mut Taken) -> Result<()> {
    let root = resource.root();
    let columns = &mut taken.root;
    let patient = root.reference("patient", "Patient", base)?.and_then(|id| id.parse::<Uuid>().ok());
    let Some(patient) = patient else {
        return Err(root.fault("patient", "reference", "A reference to a Patient of this server is needed."));
    };
    let kinds: Vec<CodeableConcept> = root.list("relationship")?;
    let kind = kinds.iter().find_map(kind).unwrap_or("OTHER");
    columns.set("patient_id", json!(patient), root.at("patient")).set("relationship_type", kind, root.at("relationship"));
    take_period(columns, root.read("period")?.as_ref(), root.path(), ["valid_from", "valid_until"])?;

    let Some((name, path)) = name_in_use(&root)? else {
        return Err(root.fault("name", "required", "A related person needs a name."));
    };
    let points: Vec<ContactPoint> = root.list("telecom")?;
    let addresses: Vec<Address> = root.list("address")?;
    let mut contact = Columns::default();
    contact
        .set("full_name", joined(&name), path)
        .set("phone", point(&points, "phone", &[], as_is), root.at("telecom"))
        .set("email", point(&points, "email", &[], email), root.at("telecom"))
        .set("address", addresses.first().and_then(address_text), root.at("address[0]"));
    let mut new = contact;
    new.set("patient_id", json!(patient), root.at("patient"));
    taken.parts = vec![Some(vec![new]), None];
    Ok(())
}

fn kind(concept: &CodeableConcept) -> Option<&'static str> {
    if concept.code_in(CONTACT_ROLES) == Some("C") {
        return Some("EMERGENCY_CONTACT");
    }
    Some(match concept.code_in(ROLES)? {
        "SPS" | "HUSB" | "WIFE" | "DOMPART" => "SPOUSE",
        "CHILD" | "CHLDADOPT" | "CHLDFOST" | "DAU" | "DAUC" | "NCHILD" | "SON" | "SONC" | "STPCHLD" => "CHILD",
        "GUARD" => "GUARDIAN",
        "PRN" | "MTH" | "FTH" | "NMTH" | "NFTH" | "NPRN" | "ADOPTP" | "STPPRN" => "PARENT",
        _ => return None,
    })
}
