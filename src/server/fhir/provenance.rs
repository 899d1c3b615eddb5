//! Who changed what and when, as FHIR Provenance: the change log, whose policy shows nothing of tables the reader may not read.
//! It stands here because its targets are the mappings of all domains. What clients send of the type is kept beside it.

use super::other;
use super::types::forever;
use super::versions;
use crate::fhir::bind::{Bind, How, concept, moment};
use crate::fhir::definitions::Definitions;
use crate::fhir::find::Find;
use crate::fhir::mapping::{Mapping, STAFF, Whole};
use crate::fhir::registry::TypeDef;
use crate::fhir::resource::{Element, Resource};
use crate::governance::change_log_entry::CHANGE_LOG_ENTRY;
use crate::kernel::table::Record;
use crate::server::domains;
use serde_json::{Value as Json, json};
use std::sync::LazyLock;

static TYPE: TypeDef = TypeDef::all("Provenance");

/// No domain's mapping: over REST the log's rows, with all they held, stay closed to a token for Provenance.
pub fn mapping() -> &'static Mapping {
    let targets = Definitions::r4().resources().filter_map(target).collect::<Vec<_>>();
    forever(Mapping {
        among: Some(("table_name", tables)),
        render: Some(render),
        search: forever([
            ("target", Find::Any(forever(targets))),
            ("patient", Find::Points { column: "r.patient_id", to: "Patient" }),
            ("recorded", Find::Moment("r.occurred_at")),
            ("agent", AGENT),
            ("agent-type", Find::Code { expr: KIND, system: KINDS, stored: str::to_owned }),
        ]),
        ..Mapping::shown(&TYPE, &CHANGE_LOG_ENTRY, STAFF, BINDS)
    })
}

const BINDS: &[Bind] = &[
    Bind::one("recorded", moment("occurred_at")),
    Bind::one(
        "activity",
        concept(
            "action",
            "http://terminology.hl7.org/CodeSystem/v3-DataOperation",
            &[("INSERT", "CREATE"), ("UPDATE", "UPDATE"), ("DELETE", "DELETE")],
        ),
    ),
    Bind::item("reason", How::Words { column: "reason" }),
];

/// Who has a login changed it; what no login did the clinic keeps.
const KIND: &str = "case when r.user_id is null then 'custodian' else 'author' end";
const KINDS: &str = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";

/// Somebody's change is their provider's, where they are one; what no login did the clinic answers for.
const AGENT: Find = Find::Any(&[
    Find::Leads {
        rows: "(r.tenant_id, r.user_id) in (select p.tenant_id, p.user_id from providers p where p.id = $value and p.user_id is not null)",
        column: "(select p.id from providers p where p.tenant_id = r.tenant_id and p.user_id = r.user_id order by p.id limit 1)",
        to: "Practitioner",
    },
    Find::Leads {
        rows: "r.user_id is null and r.tenant_id = $value",
        column: "case when r.user_id is null then r.tenant_id end",
        to: "Organization",
    },
]);

/// The tables whose rows are resources.
fn tables() -> &'static [&'static str] {
    static TABLES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
        let mut tables: Vec<&str> = domains::resources().map(|mapping| mapping.table.name).chain(kept()).collect();
        tables.sort_unstable();
        tables.dedup();
        tables
    });
    &TABLES
}

fn kept() -> impl Iterator<Item = &'static str> {
    other::HOMES.into_iter().map(|table| table.name)
}

/// How changes of resources of one type are found.
fn target(name: &'static str) -> Option<Find> {
    let mut tables: Vec<&str> = domains::resources().filter(|mapping| mapping.of.name == name).map(|mapping| mapping.table.name).collect();
    tables.sort_unstable();
    tables.dedup();
    let homes = kept().collect::<Vec<_>>().join("', '");
    let kept = format!("r.table_name in ('{homes}') and coalesce(r.new_values, r.old_values) ->> 'resource_type' = '{name}'");
    let of = match tables.is_empty() {
        true => format!("({kept})"),
        false => format!("(r.table_name in ('{}') or {kept})", tables.join("', '")),
    };
    let (rows, column) = match name {
        // A change in a patient's chart is one of the patient's.
        "Patient" => ("(r.patient_id = $value)".to_owned(), "r.patient_id".to_owned()),
        _ => (format!("r.record_id = $value and {of}"), format!("case when {of} then r.record_id end")),
    };
    Some(Find::Leads { rows: forever(rows), column: forever(column), to: name })
}

/// The row as it was written, or as it was when it went.
fn image(entry: &Record) -> &Json {
    ["new_values", "old_values"].into_iter().map(|column| entry.get(column)).find(|image| image.is_object()).unwrap_or(&Json::Null)
}

fn types(entry: &Record) -> Vec<(&'static str, bool)> {
    let (name, image) = (entry.text("table_name").unwrap_or_default(), image(entry));
    let of_table: Vec<&'static Mapping> = domains::resources().filter(|mapping| mapping.table.name == name).collect();
    let is_row = |mapping: &&&'static Mapping| mapping.is_row(|column| image.get(column).unwrap_or(&Json::Null));
    let told = |mapping: &&'static Mapping| (mapping.of.name, versions::logged(mapping.table));
    let mut types: Vec<_> = of_table.iter().filter(is_row).map(told).collect();
    if types.is_empty() {
        types.extend(of_table.first().map(told));
    }
    let kept = image.get("resource_type").and_then(Json::as_str).filter(|_| kept().any(|home| home == name));
    types.extend(kept.and_then(|kept| Definitions::r4().resources().find(|known| *known == kept)).map(|kept| (kept, true)));
    types.dedup_by_key(|(name, _)| *name);
    types
}

fn render(whole: &Whole, out: &mut Resource) {
    let entry = &whole.root;
    let (id, version) = (entry.text("record_id").unwrap_or_default(), entry.int("record_version").unwrap_or(1));
    let patient = entry.text("patient_id");
    for (name, has_versions) in types(entry) {
        let at = if has_versions { format!("{name}/{id}/_history/{version}") } else { format!("{name}/{id}") };
        out.append("target", json!({"reference": at}));
    }
    if let Some(patient) = patient.filter(|patient| *patient != id) {
        out.append("target", json!({"reference": format!("Patient/{patient}")}));
    }
    let who = match (entry.text("provider_id"), entry.text("user_id")) {
        (Some(provider), _) => json!({"reference": format!("Practitioner/{provider}")}),
        (None, Some(user)) => json!({"identifier": {"system": "urn:ietf:rfc:3986", "value": format!("urn:uuid:{user}")}}),
        (None, None) => json!({"reference": format!("Organization/{}", entry.tenant)}),
    };
    let mut agent = Element::default();
    let kind = if entry.text("user_id").is_some() { "author" } else { "custodian" };
    agent.value("type", json!({"coding": [{"system": KINDS, "code": kind}]})).value("who", who);
    out.push_element("agent", agent);
}
