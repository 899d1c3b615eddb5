//! A patient as FHIR Patient. First name, phones, e-mail and the like have columns; further names, photos, contacts and
//! extensions stay as they were sent.

use super::{fhir_patient_parts as parts, patient::PATIENT};
use super::{patient_address::PATIENT_ADDRESS, patient_identifier::PATIENT_IDENTIFIER};
use crate::fhir::contact::{self, name_in_use, point};
use crate::fhir::datatype::{CodeableConcept, ContactPoint, HumanName};
use crate::fhir::find::{Find, HERE, Namespace};
use crate::fhir::mapping::{Columns, Link, Mapping, PEOPLE, Part, Taken, Whole};
use crate::fhir::primitive::is_id;
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::{Element, Node, Resource};
use crate::fhir::temporal;
use crate::kernel::error::Result;
use crate::kernel::table::store::fold;
use crate::kernel::table::{Record, Sort, Ty, form};
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value as Json, json};
use uuid::Uuid;

const BIRTH_SEX: &str = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex";
const LANGUAGES: &str = "urn:ietf:bcp:47";
const GENDERS: &str = "http://hl7.org/fhir/administrative-gender";
/// The earliest birth a column holds.
const BORN_FIRST: Option<NaiveDate> = NaiveDate::from_ymd_opt(1870, 1, 1);

const IDENTIFIED: &str =
    "exists (select from patient_identifiers i where i.tenant_id = r.tenant_id and i.patient_id = r.id and i.deleted_at is null and {})";
/// As `parts::code` has it.
const KIND: &str =
    "case when i.system = 'MRN' then 'MR' when i.system = 'INSURANCE_MEMBER' then 'MB' when i.system <> 'NATIONAL_ID' then null
    when i.system_uri = 'http://hl7.org/fhir/sid/us-ssn' then 'SS' else 'NI' end";

const IDENTIFIER: Find = Find::Blind {
    within: IDENTIFIED,
    namespace: Namespace::Column("i.system_uri"),
    table: "patient_identifiers",
    column: "value",
    kind: KIND,
};
const GIVEN: &[Find] = &[
    Find::Text { within: HERE, starts: &["r.first_name_key", "r.middle_name_key"], words: &[], exact: &["r.first_name", "r.middle_name"] },
    // Few have several middle names: any of them begins so.
    Find::Text { within: "(r.has_middle_names and ({}))", starts: &[], words: &["r.middle_name_key"], exact: &["r.middle_name"] },
];
/// The last name's column has the only name of who has one, and a word for who has none.
const FAMILY: &str = "case when r.first_name is not null or not r.name_needs_review then r.last_name end";
const NAMED_LAST: &str = "case when r.last_name <> 'Unknown' or not r.name_needs_review then r.last_name end";
const NAMED_FULL: &str = "case when r.last_name <> 'Unknown' or not r.name_needs_review then r.full_name end";
const PHONES: &[Find] = &[Find::number(HERE, "r.phone_mobile"), Find::number(HERE, "r.phone_home")];
const EMAIL: Find = Find::Plain { within: HERE, namespace: Namespace::None, value: "r.contact_email_key", stored: fold };
const LIVES: &str =
    "exists (select from patient_addresses a where a.tenant_id = r.tenant_id and a.patient_id = r.id and a.deleted_at is null and ({}))";
const CITY: &str = "a.city_key";
const STATE: &str = "kernel.fold(a.region)";
const POSTCODE: &str = "a.postal_code_key";
const COUNTRY: &str = "kernel.fold(a.country)";

static TYPE: TypeDef =
    TypeDef { profiles: &["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"], ..TypeDef::all("Patient") };

pub static MAPPING: Mapping = Mapping {
    parts: &[
        Part { table: &PATIENT_IDENTIFIER, link: Link::Child("patient_id"), planes: PEOPLE, alike: &["system", "system_uri"] },
        Part { table: &PATIENT_ADDRESS, link: Link::Child("patient_id"), planes: PEOPLE, alike: &["use", "kind"] },
    ],
    render: Some(render),
    take: Some(take),
    creates: true,
    search: &[
        (
            "name",
            Find::Text {
                within: HERE,
                starts: &["r.last_name_key", "r.first_name_key", "r.middle_name_key"],
                words: &[],
                exact: &[NAMED_LAST, "r.first_name", "r.middle_name", NAMED_FULL],
            },
        ),
        ("family", Find::Text { within: HERE, starts: &["r.last_name_key"], words: &[], exact: &[FAMILY] }),
        ("given", Find::Any(GIVEN)),
        ("identifier", IDENTIFIER),
        ("birthdate", Find::Day("r.dob")),
        ("death-date", Find::Moment("r.deceased_at")),
        ("gender", Find::Code { expr: "r.administrative_gender", system: GENDERS, stored: str::to_uppercase }),
        ("active", Find::Flag("r.is_active")),
        ("deceased", Find::Flag("(r.status = 'DECEASED')")),
        ("telecom", Find::Any(&[Find::Any(PHONES), EMAIL])),
        ("phone", Find::Any(PHONES)),
        ("email", EMAIL),
        (
            "address",
            Find::Text {
                within: LIVES,
                starts: &["kernel.fold(a.line1)", "kernel.fold(a.line2)", CITY, STATE, POSTCODE, COUNTRY],
                words: &[],
                exact: &["a.line1", "a.line2", "a.city", "a.region", "a.postal_code", "a.country"],
            },
        ),
        ("address-use", Find::number(LIVES, "lower(a.use)")),
        ("address-city", Find::Text { within: LIVES, starts: &[CITY], words: &[], exact: &["a.city"] }),
        ("address-state", Find::Text { within: LIVES, starts: &[STATE], words: &[], exact: &["a.region"] }),
        ("address-postalcode", Find::Text { within: LIVES, starts: &[POSTCODE], words: &[], exact: &["a.postal_code"] }),
        ("address-country", Find::Text { within: LIVES, starts: &[COUNTRY], words: &[], exact: &["a.country"] }),
        ("language", Find::Code { expr: "r.preferred_language", system: LANGUAGES, stored: str::to_owned }),
        ("general-practitioner", Find::Points { column: "r.primary_provider_id", to: "Practitioner" }),
    ],
    sorts: &[
        Sort { name: "family", column: "last_name_key", ty: Ty::Text, nullable: false },
        Sort { name: "birthdate", column: "dob", ty: Ty::Date, nullable: true },
    ],
    ..Mapping::new(&TYPE, &PATIENT, PEOPLE)
};

fn render(whole: &Whole, out: &mut Resource) {
    let patient = &whole.root;
    if let Some(code) = birth_sex(patient.text("sex_at_birth")) {
        out.extension(BIRTH_SEX, "valueCode", code);
    }
    parts::identifiers(whole.part(0), out);
    let dead = patient.text("status") == Some("DECEASED");
    if !dead {
        out.boolean("active", patient.flag("is_active"));
    }
    if patient.text("last_name") != Some(NAMELESS) || !patient.flag("name_needs_review") {
        out.push("name", &name(patient));
    }
    for (use_, column) in [("mobile", "phone_mobile"), ("home", "phone_home")] {
        if let Some(number) = patient.text(column) {
            out.push(
                "telecom",
                &ContactPoint {
                    system: Some("phone".into()),
                    value: Some(number.into()),
                    use_: Some(use_.into()),
                    ..ContactPoint::default()
                },
            );
        }
    }
    if let Some(address) = patient.text("contact_email") {
        out.push("telecom", &ContactPoint { system: Some("email".into()), value: Some(address.into()), ..ContactPoint::default() });
    }
    out.code("gender", patient.text("administrative_gender").map(str::to_lowercase).as_deref()).string("birthDate", patient.text("dob"));
    match patient.text("deceased_at").and_then(|text| text.parse::<DateTime<Utc>>().ok()) {
        Some(at) if dead => {
            out.instant("deceasedDateTime", at);
        }
        _ if dead => {
            out.boolean("deceasedBoolean", true);
        }
        _ => {}
    }
    parts::addresses(whole.part(1), out);
    if let Some(language) = patient.text("preferred_language") {
        let mut communication = Element::default();
        communication.put("language", &CodeableConcept::of(LANGUAGES, language)).boolean("preferred", true);
        out.push_element("communication", communication);
    }
    if let Some(provider) = patient.uuid("primary_provider_id") {
        let mut reference = Element::default();
        reference.string("reference", format!("Practitioner/{provider}").as_str());
        out.push_element("generalPractitioner", reference);
    }
}

fn birth_sex(word: Option<&str>) -> Option<&'static str> {
    Some(match word? {
        "MALE" => "M",
        "FEMALE" => "F",
        "UNKNOWN" => "UNK",
        _ => return None,
    })
}

/// A single name of unknown place stands in the last name's column until a person looked at it.
fn name(patient: &Record) -> HumanName {
    let text = |column| patient.text(column).map(String::from);
    let one = |column| text(column).into_iter().collect::<Vec<_>>();
    if patient.flag("name_needs_review") && patient.text("first_name").is_none() {
        return HumanName { given: one("last_name"), prefix: one("name_prefix"), suffix: one("name_suffix"), ..HumanName::default() };
    }
    let middle = patient.text("middle_name").unwrap_or_default().split_whitespace().map(String::from);
    let given = text("first_name").into_iter().chain(middle).collect();
    HumanName { family: text("last_name"), given, prefix: one("name_prefix"), suffix: one("name_suffix"), ..HumanName::default() }
}

fn take(resource: &Resource, base: &str, taken: &mut Taken) -> Result<()> {
    let root = resource.root();
    let columns = &mut taken.root;
    take_name(&root, columns)?;
    take_life(&root, columns)?;
    let points: Vec<ContactPoint> = root.list("telecom")?;
    let telecom = root.at("telecom");
    columns
        .set("phone_mobile", point(&points, "phone", &["mobile"], contact::phone), telecom.clone())
        .set("phone_home", point(&points, "phone", &["home", ""], contact::phone), telecom.clone())
        .set("contact_email", point(&points, "email", &[], contact::email), telecom)
        .set("preferred_language", language(&root)?, root.at("communication"));
    let sex = match root
        .extension(BIRTH_SEX)?
        .map(|node| node.code("valueCode").map(|code| code.unwrap_or_default().to_owned()))
        .transpose()?
        .as_deref()
    {
        Some("M") => Some("MALE"),
        Some("F") => Some("FEMALE"),
        Some("UNK") => Some("UNKNOWN"),
        _ => None,
    };
    columns.set("sex_at_birth", sex, root.at("extension"));
    columns.set("primary_provider_id", practitioner(&root, base)?, root.at("generalPractitioner"));
    let rows = vec![Some(parts::take_identifiers(&root)?), Some(parts::take_addresses(&root)?)];
    taken.parts = rows;
    Ok(())
}

/// The family name of a patient whom nobody could name.
const NAMELESS: &str = "Unknown";

fn take_name(root: &Node<'_>, columns: &mut Columns) -> Result<()> {
    let (name, path) = name_in_use(root)?.unwrap_or_else(|| (HumanName::default(), root.at("name")));
    let joined = |words: &[String]| (!words.is_empty()).then(|| words.join(" "));
    let single = name.family.is_none();
    let only = || joined(&name.given).or_else(|| name.text.clone());
    // A newborn or an unconscious one has no name yet; somebody looks at such records.
    let last = name.family.clone().or_else(only).unwrap_or_else(|| NAMELESS.to_owned());
    let (first, middle) = match name.given.split_first() {
        Some((first, rest)) if !single => (Some(first.clone()), joined(rest)),
        _ => (None, None),
    };
    let at = |element: &str| format!("{path}.{element}");
    columns
        .set("last_name", last, at("family"))
        .set("first_name", first, at("given"))
        .set("middle_name", middle, at("given"))
        .set("name_prefix", joined(&name.prefix), at("prefix"))
        .set("name_suffix", joined(&name.suffix), at("suffix"))
        .set("name_needs_review", single, path);
    Ok(())
}

/// Gender, birth and death. A date that is not known to the day has no column.
fn take_life(root: &Node<'_>, columns: &mut Columns) -> Result<()> {
    let born = root.date("birthDate")?.and_then(|date| date.whole());
    if born.is_some_and(|day| Some(day) < BORN_FIRST || day > Utc::now().date_naive() + chrono::Days::new(1)) {
        return Err(root.fault("birthDate", "range", "A birth lies between 1870 and today."));
    }
    let died = match root.string("deceasedDateTime")? {
        None => None,
        Some(text) => {
            let at = temporal::date_time(text).map(|interval| interval.start);
            let at = at.filter(|at| *at <= Utc::now() + chrono::Days::new(1) && Some(at.date_naive()) >= BORN_FIRST);
            Some(at.ok_or_else(|| root.fault("deceased", "range", "A death lies between 1870 and today."))?)
        }
    };
    let dead = died.is_some() || root.boolean("deceasedBoolean")? == Some(true);
    let active = root.boolean("active")?.unwrap_or(true);
    let status = if dead {
        "DECEASED"
    } else if active {
        "ACTIVE"
    } else {
        "INACTIVE"
    };
    columns
        .set("administrative_gender", root.code("gender")?.map(str::to_uppercase), root.at("gender"))
        .set("dob", born.map(|day| day.to_string()), root.at("birthDate"))
        .set("deceased_at", died.map(crate::kernel::table::value::instant_text), root.at("deceased"))
        .set("status", status, root.at(if dead { "deceased" } else { "active" }));
    Ok(())
}

fn language(root: &Node<'_>) -> Result<Option<String>> {
    let mut found = None;
    for node in root.nodes("communication")? {
        let concept: CodeableConcept = node.need("language")?;
        let code = concept.coding.iter().filter_map(|coding| coding.code.clone()).find(|code| form::is_language(code));
        if node.boolean("preferred")? == Some(true) {
            return Ok(code);
        }
        found = found.or(code);
    }
    Ok(found)
}

/// The first practitioner of ours; other general practitioners stay as they were sent.
fn practitioner(root: &Node<'_>, base: &str) -> Result<Json> {
    use crate::fhir::reference::Literal;
    for node in root.nodes("generalPractitioner")? {
        let Some(text) = node.string("reference")? else { continue };
        if let Literal::Local { type_name: "Practitioner", id, .. } = Literal::parse(text, base)
            && is_id(id)
            && let Ok(id) = id.parse::<Uuid>()
        {
            return Ok(json!(id));
        }
    }
    Ok(Json::Null)
}
