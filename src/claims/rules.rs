//! What a payer takes (ASC X12N 005010X224A2, and the rules every dental payer has): pure judgement over records that were
//! read before. Every fault is named, none of the values is.

use crate::charting::surface::surfaces_of;
use crate::charting::tooth::Tooth;
use crate::kernel::error::Fault;
use crate::kernel::table::Record;
use chrono::NaiveDate;
use std::collections::BTreeSet;

/// SV3 lines of one claim, and diagnoses a line may point to.
const LINES_MAX: usize = 50;
const POINTERS_MAX: usize = 4;

/// A claim with its parts, as they were read together.
pub struct Whole {
    pub claim: Record,
    pub lines: Vec<Record>,
    pub diagnoses: Vec<Record>,
    pub policy: Option<Record>,
    /// Lines that stand in another claim to the same policy already.
    pub billed_before: Vec<i32>,
    /// What this claim replaces, when it says so.
    pub original: Option<Record>,
}

pub fn faults(whole: &Whole, today: NaiveDate) -> Vec<Fault> {
    let mut faults = Faults::default();
    header(whole, &mut faults);
    let sequence: BTreeSet<i64> = whole.diagnoses.iter().filter_map(|diagnosis| diagnosis.int("sequence_no")).collect();
    let mut seen = BTreeSet::new();
    for line in &whole.lines {
        let number = line.int("line_no").unwrap_or_default();
        place(line, number, &mut faults);
        service(whole, line, number, today, &mut faults);
        pointers(line, number, &sequence, &mut faults);
        let key = ["code_system", "code", "tooth_number", "oral_area", "surface", "service_date"].map(|name| line.get(name).to_string());
        if !seen.insert(key) {
            faults.line(number, "code", "duplicate", "Another line bills the same service.");
        }
    }
    for number in &whole.billed_before {
        faults.line(i64::from(*number), "code", "duplicate", "Another claim to this policy bills the same service.");
    }
    faults.0
}

#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, field: impl Into<String>, rule: &'static str, text: &str) {
        self.0.push(Fault { field: field.into(), rule, text: text.to_owned() });
    }
    fn line(&mut self, number: i64, field: &str, rule: &'static str, text: &str) {
        self.add(format!("lines[{number}].{field}"), rule, text);
    }
}

fn header(whole: &Whole, faults: &mut Faults) {
    let claim = &whole.claim;
    match whole.lines.len() {
        0 => faults.add("lines", "required", "A claim has at least one line."),
        n if n > LINES_MAX => faults.add("lines", "count", "A claim has at most 50 lines."),
        _ => {}
    }
    let sum: i64 = whole.lines.iter().filter_map(|line| line.int("billed_minor")).sum();
    if claim.int("total_billed_minor") != Some(sum) {
        faults.add("total_billed_minor", "sum", "It is not the sum of the lines.");
    }
    if claim.get("billing_provider_id").is_null() {
        faults.add("billing_provider_id", "required", "A payer asks who bills.");
    }
    if claim.text("frequency_code") != Some("ORIGINAL") {
        replacement(whole, faults);
    }
    let Some(policy) = &whole.policy else {
        return faults.add("policy_id", "reference", "It points to nothing the caller can see.");
    };
    if policy.text("status") != Some("ACTIVE") {
        faults.add("policy_id", "active", "The policy is not active.");
    }
    if policy.uuid("payer_id").is_some_and(|payer| Some(payer) != claim.uuid("payer_id")) {
        faults.add("payer_id", "policy", "The policy is another payer's.");
    }
    if policy.text("coverage_order") != claim.text("coverage_order") {
        faults.add("coverage_order", "policy", "The policy stands in another order.");
    }
}

/// Frequency 7 or 8 quotes the payer's own number of what it replaces (REF*F8).
fn replacement(whole: &Whole, faults: &mut Faults) {
    if whole.claim.get("payer_claim_number").is_null() {
        faults.add("payer_claim_number", "required", "A replacement quotes the payer's number of the original.");
    }
    let sent = |original: &Record| {
        !original.get("submitted_at").is_null() && original.patient == whole.claim.patient && original.id != whole.claim.id
    };
    if !whole.original.as_ref().is_some_and(sent) {
        faults.add("original_claim_id", "original", "It must be a claim of this patient that was sent.");
    }
}

/// Tooth, area and surfaces: a tooth or an area, surfaces of a tooth, each that tooth has, none twice.
fn place(line: &Record, number: i64, faults: &mut Faults) {
    let surfaces: Vec<&str> = line.texts("surface").collect();
    match (line.text("tooth_number"), line.text("oral_area")) {
        (Some(_), Some(_)) => faults.line(number, "oral_area", "one_of", "A line names a tooth or an area."),
        (Some(tooth), None) if !surfaces.iter().all(|surface| on_claim(tooth, surface)) => {
            faults.line(number, "surface", "tooth", "The tooth has no such surface.");
        }
        (None, _) if !surfaces.is_empty() => faults.line(number, "tooth_number", "required", "Surfaces are of a tooth."),
        _ => {}
    }
    if surfaces.iter().collect::<BTreeSet<_>>().len() != surfaces.len() {
        faults.line(number, "surface", "duplicate", "A surface stands once.");
    }
}

/// What is charted of gingival thirds and roots (`F5`, `R`) is never sent.
fn on_claim(fdi: &str, surface: &str) -> bool {
    surface.len() == 1 && surface != "R" && Tooth::from_fdi(fdi).is_some_and(|tooth| surfaces_of(tooth).contains(&surface))
}

fn service(whole: &Whole, line: &Record, number: i64, today: NaiveDate, faults: &mut Faults) {
    let planned = whole.claim.text("use") != Some("CLAIM");
    let (needed, text) =
        if planned { ("plan_item_id", "It is about what is planned.") } else { ("procedure_id", "A bill is for what was done.") };
    if line.get(needed).is_null() {
        faults.line(number, needed, "required", text);
    }
    let day = |record: &Record, name: &str| record.text(name).and_then(|text| text.parse::<NaiveDate>().ok());
    let served = day(line, "service_date");
    if served.is_none() != (whole.claim.text("use") == Some("PREDETERMINATION")) {
        faults.line(number, "service_date", "required", "A pre-determination has none, everything else has one.");
    }
    if let Some(served) = served {
        if served > today && !planned {
            faults.line(number, "service_date", "range", "It lies in the future.");
        }
        let covered = whole.policy.as_ref().is_none_or(|policy| {
            day(policy, "coverage_start").is_none_or(|start| start <= served) && day(policy, "coverage_end").is_none_or(|end| served <= end)
        });
        if !covered {
            faults.line(number, "service_date", "coverage", "The policy does not cover that day.");
        }
    }
    if line.text("prosthesis") == Some("REPLACEMENT") && line.get("prior_placement_date").is_null() {
        faults.line(number, "prior_placement_date", "required", "A replacement names the day of the first.");
    }
    if line.text("currency") != whole.claim.text("currency") {
        faults.line(number, "currency", "currency", "It is not the claim's currency.");
    }
}

fn pointers(line: &Record, number: i64, sequence: &BTreeSet<i64>, faults: &mut Faults) {
    let pointers: Vec<i64> = line.get("diagnosis_pointers").as_array().into_iter().flatten().filter_map(|n| n.as_i64()).collect();
    if pointers.len() > POINTERS_MAX {
        faults.line(number, "diagnosis_pointers", "count", "A line points to at most four diagnoses.");
    }
    if !pointers.iter().all(|pointer| sequence.contains(pointer)) {
        faults.line(number, "diagnosis_pointers", "reference", "The claim has no such diagnosis.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::claim::CLAIM;
    use crate::claims::claim_diagnosis::CLAIM_DIAGNOSIS;
    use crate::claims::claim_line::CLAIM_LINE;
    use crate::kernel::table::{Table, Width};
    use crate::patients::patient_insurance_policy::PATIENT_INSURANCE_POLICY;
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};
    use uuid::Uuid;

    fn record(table: &'static Table, json: Json) -> Record {
        Record {
            table,
            id: Uuid::now_v7(),
            tenant: Uuid::nil(),
            version: 1,
            patient: None,
            width: Width::Full,
            json: json.as_object().unwrap().clone(),
        }
    }

    fn line(more: Json) -> Record {
        let mut line = json!({"line_no": 1, "procedure_id": Uuid::nil().to_string(), "code_system": "local", "code": "T1234", "tooth_number": "36",
            "surface": ["O", "M"], "service_date": "2026-03-01", "diagnosis_pointers": [1], "billed_minor": 5000, "currency": "EUR"});
        line.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        record(&CLAIM_LINE, line)
    }

    fn whole(claim: Json, lines: Vec<Record>) -> Whole {
        let total: i64 = lines.iter().filter_map(|line| line.int("billed_minor")).sum();
        let mut json = json!({"use": "CLAIM", "frequency_code": "ORIGINAL", "billing_provider_id": Uuid::nil().to_string(),
            "payer_id": Uuid::nil().to_string(), "coverage_order": "PRIMARY", "currency": "EUR", "total_billed_minor": total});
        json.as_object_mut().unwrap().extend(claim.as_object().cloned().unwrap_or_default());
        let policy = json!({"status": "ACTIVE", "payer_id": Uuid::nil().to_string(), "coverage_order": "PRIMARY", "coverage_start": "2026-01-01",
            "coverage_end": "2026-12-31"});
        Whole {
            claim: record(&CLAIM, json),
            lines,
            diagnoses: vec![record(&CLAIM_DIAGNOSIS, json!({"sequence_no": 1}))],
            policy: Some(record(&PATIENT_INSURANCE_POLICY, policy)),
            billed_before: Vec::new(),
            original: None,
        }
    }

    fn found(whole: &Whole) -> Vec<(String, &'static str)> {
        faults(whole, NaiveDate::from_ymd_opt(2026, 6, 1).unwrap()).into_iter().map(|fault| (fault.field, fault.rule)).collect()
    }

    fn named(field: &str, rule: &'static str) -> Vec<(String, &'static str)> {
        vec![(field.to_owned(), rule)]
    }

    #[test]
    fn a_claim_without_fault_has_none() {
        assert_eq!(found(&whole(json!({}), vec![line(json!({}))])), vec![]);
    }

    #[test]
    fn each_rule_of_a_line_names_itself() {
        for (more, field, rule) in [
            (json!({"oral_area": "30"}), "oral_area", "one_of"),
            (json!({"surface": ["I"]}), "surface", "tooth"),
            (json!({"surface": ["M", "M"]}), "surface", "duplicate"),
            (json!({"tooth_number": null}), "tooth_number", "required"),
            (json!({"procedure_id": null}), "procedure_id", "required"),
            (json!({"service_date": null}), "service_date", "required"),
            (json!({"service_date": "2026-07-01"}), "service_date", "range"),
            (json!({"service_date": "2025-12-31"}), "service_date", "coverage"),
            (json!({"diagnosis_pointers": [2]}), "diagnosis_pointers", "reference"),
            (json!({"diagnosis_pointers": [1, 1, 1, 1, 1]}), "diagnosis_pointers", "count"),
            (json!({"prosthesis": "REPLACEMENT"}), "prior_placement_date", "required"),
            (json!({"currency": "USD"}), "currency", "currency"),
        ] {
            assert_eq!(found(&whole(json!({}), vec![line(more.clone())])), named(&format!("lines[1].{field}"), rule), "{more}");
        }
        let twice = vec![line(json!({})), line(json!({"line_no": 2}))];
        assert_eq!(found(&whole(json!({}), twice)), named("lines[2].code", "duplicate"));
    }

    #[test]
    fn each_rule_of_the_header_names_itself() {
        for (claim, field, rule) in [
            (json!({"total_billed_minor": 1}), "total_billed_minor", "sum"),
            (json!({"billing_provider_id": null}), "billing_provider_id", "required"),
            (json!({"payer_id": Uuid::max().to_string()}), "payer_id", "policy"),
            (json!({"coverage_order": "SECONDARY"}), "coverage_order", "policy"),
            (json!({"frequency_code": "REPLACEMENT", "payer_claim_number": "P1"}), "original_claim_id", "original"),
        ] {
            assert_eq!(found(&whole(claim.clone(), vec![line(json!({}))])), named(field, rule), "{claim}");
        }
        assert_eq!(found(&whole(json!({}), vec![])), named("lines", "required"));
    }

    #[test]
    fn a_pre_determination_is_about_the_plan_and_has_no_day() {
        let planned = line(json!({"procedure_id": null, "plan_item_id": Uuid::nil().to_string(), "service_date": null}));
        assert_eq!(found(&whole(json!({"use": "PREDETERMINATION"}), vec![planned])), vec![]);
        let done = found(&whole(json!({"use": "PREDETERMINATION"}), vec![line(json!({}))]));
        assert_eq!(done.len(), 2, "{done:?}");
    }

    proptest! {
        /// Whatever is on a tooth, what passes is what the tooth has.
        #[test]
        fn only_surfaces_of_the_tooth_pass(quadrant in 1..=8u8, position in 1..=8u8, surface in "[MDOIBFL]") {
            prop_assume!(quadrant <= 4 || position <= 5);
            let found = found(&whole(json!({}), vec![line(json!({"tooth_number": format!("{quadrant}{position}"), "surface": [surface.clone()]}))]));
            let front = position <= 3;
            let fits = matches!((surface.as_str(), front), ("M" | "D" | "L", _) | ("I" | "F", true) | ("O" | "B", false));
            prop_assert_eq!(found.is_empty(), fits);
        }
    }
}
