//! Every mapping, held against its table and against R4: records of all states are rendered as sound resources.

use crate::fhir::bind::{Bind, How};
use crate::fhir::check;
use crate::fhir::mapping::{Mapping, Whole};
use crate::kernel::table::{Field, Record, Table, Ty, Width};
use crate::server::domains;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

const COMMON: &[&str] = &["id", "created_at", "updated_at"];
const AT: &str = "2026-03-02T09:00:00.000000Z";

/// The `turn`-th word of each list; of what may be missing nothing, when only `needed` is said.
fn value(field: &Field, turn: usize, needed: bool) -> Json {
    if needed && !field.required && !field.defaulted {
        return Json::Null;
    }
    match field.ty {
        Ty::Uuid => json!(Uuid::from_u128(7)),
        Ty::Enum(words) => json!(words[turn % words.len()]),
        Ty::Bool => json!(turn.is_multiple_of(2)),
        Ty::Int | Ty::BigInt => json!(3),
        Ty::Double => json!(36.5),
        Ty::Date => json!("2026-03-02"),
        Ty::Time => json!("08:00:00"),
        Ty::Instant => json!(AT),
        Ty::TextArray => json!(["16"]),
        Ty::UuidArray | Ty::IntArray => json!([]),
        Ty::Json => json!({}),
        Ty::Text if field.name.ends_with("_uid") => json!("1.2.3"),
        Ty::Text if field.name == "file_type" => json!("image/png"),
        Ty::Text if field.name == "currency" => json!("EUR"),
        Ty::Text if field.name.ends_with("code_system") => json!("SNOMED"),
        _ => json!("x"),
    }
}

fn record(table: &'static Table, turn: usize, needed: bool) -> Record {
    let id = Uuid::from_u128(8);
    let fields = table.fields.iter().filter(|field| field.shown()).map(|field| (field.name.to_owned(), value(field, turn, needed)));
    let mut json: Map<String, Json> = fields.collect();
    json.extend([("id".to_owned(), json!(id)), ("created_at".to_owned(), json!(AT)), ("updated_at".to_owned(), json!(AT))]);
    Record { table, id, tenant: Uuid::from_u128(9), version: 1, patient: None, width: Width::Lean, json }
}

fn whole(mapping: &Mapping, turn: usize, needed: bool) -> Whole {
    let parts = mapping.parts.iter().map(|part| vec![record(part.table, turn, needed)]).collect();
    Whole { root: record(mapping.table, turn, needed), parts }
}

fn each(binds: &'static [Bind], to: &mut dyn FnMut(&'static Bind)) {
    for bind in binds {
        to(bind);
        if let How::Within(inner) | How::All(inner) = bind.how {
            each(inner, to);
        }
    }
}

#[test]
fn a_bind_names_a_column_of_its_table() {
    let mut wrong = Vec::new();
    for mapping in domains::resources() {
        each(mapping.binds, &mut |bind| {
            let known = |column: &str| COMMON.contains(&column) || mapping.table.field(column).is_some();
            if bind.how.column().is_some_and(|column| !known(column)) {
                wrong.push(format!("{} {}: {:?}", mapping.of.name, mapping.table.name, bind.how));
            }
            let (How::Code { column, words } | How::Concept { column, words, .. } | How::Coding { column, words, .. }) = bind.how else {
                return;
            };
            let Some(Ty::Enum(all)) = mapping.table.field(column).map(|field| field.ty) else { return };
            let strange = words.iter().filter(|(word, _)| !all.contains(word)).map(|(word, _)| *word);
            wrong.extend(strange.map(|word| format!("{}.{column} is never {word}", mapping.table.name)));
        });
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_what_columns_speak_of_has_parts() {
    let silent = domains::resources().filter(|mapping| !mapping.speaks() && !mapping.parts.is_empty());
    assert!(silent.map(|mapping| mapping.table.name).next().is_none());
}

#[test]
fn a_record_of_any_state_is_a_sound_resource() {
    let mut wrong = Vec::new();
    for mapping in domains::resources().filter(|mapping| !mapping.binds.is_empty()) {
        for (turn, needed) in (0..12).flat_map(|turn| [(turn, false), (turn, true)]) {
            let whole = whole(mapping, turn, needed);
            if !mapping.is_of(&whole.root) {
                continue;
            }
            let resource = mapping.rendered(&whole).into_value();
            for fault in check::faults(&resource) {
                wrong.push(format!("{} of {}: {} {}", mapping.of.name, mapping.table.name, fault.field, fault.text));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Where a resource can name but one patient, the column answers for it, and no value is kept beside it.
#[test]
fn whom_a_record_is_about_its_column_tells_alone() {
    use super::{indexed, types};
    let told = |type_name: &str, table: &str, parameter: &str| {
        let mapping = types::sources(type_name).unwrap().iter().find(|mapping| mapping.table.name == table).unwrap();
        mapping.find(parameter).and_then(indexed::of).and_then(|index| index.told)
    };
    for (type_name, parameter) in [("Observation", "patient"), ("Observation", "subject"), ("Condition", "patient"), ("Goal", "subject")] {
        assert_eq!(told(type_name, "kept_resources", parameter), Some("Patient"), "{type_name}.{parameter}");
    }
    assert_eq!(told("Observation", "kept_resources", "performer"), None, "another reference");
    // Several of them, of which the column has the first.
    for (type_name, parameter) in [("Appointment", "patient"), ("Appointment", "actor"), ("Account", "subject"), ("Person", "patient")] {
        assert_eq!(told(type_name, "kept_resources", parameter), None, "{type_name}.{parameter}");
    }
    assert_eq!(told("Coverage", "patient_insurance_policies", "beneficiary"), Some("Patient"));
}
