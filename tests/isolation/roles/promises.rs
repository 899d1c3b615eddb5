//! What the requirements say of roles in words, whatever the golden file says.

use super::{Matrix, PEOPLE, Who};
use std::collections::BTreeMap;
use tokio_postgres::Client;

/// What a table's comment says of its rows, and whether a plane may read whose they are.
struct Nature {
    phi: bool,
    patient: bool,
    /// The same for patients.
    to_patients: bool,
}

async fn natures(truth: &Client) -> BTreeMap<String, Nature> {
    let sql = "select c.relname::text, coalesce(obj_description(c.oid), '') like '%Sensitivity: phi%',
                      exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'patient_id'
                                 and has_column_privilege('enamel_staff', c.oid, a.attnum, 'select')),
                      exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'patient_id'
                                 and has_column_privilege('enamel_patient', c.oid, a.attnum, 'select'))
                 from pg_class c where c.relnamespace = 'enamel'::regnamespace and c.relkind in ('r', 'p')";
    let rows = truth.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), Nature { phi: row.get(1), patient: row.get(2), to_patients: row.get(3) })).collect()
}

/// What the front desk and auditors do not read: what is written about a patient's health. (`fhir_extras` are sealed, and opened
/// beside the record they belong to.)
const CLINICAL: &[&str] = &[
    "encounters",
    "encounter_diagnoses",
    "clinical_notes",
    "clinical_note_amendments",
    "vital_signs",
    "patient_conditions",
    "patient_medications",
    "patient_allergies",
    "patient_social_history",
    "medical_records",
    "medical_record_files",
    "chart_entries",
    "tooth_chart_snapshots",
    "perio_exams",
    "perio_tooth_findings",
    "perio_measurements",
    "documents",
    "received_documents",
    "imaging_studies",
    "imaging_series",
    "imaging_objects",
    "image_annotations",
    "files",
    "ai_predictions",
    "ai_ground_truth",
    "ai_review_events",
    "ai_outcome_links",
    "fhir_resources",
    "kept_resources",
    "clinical_search_values",
];
/// More that an auditor's mandate never shows.
const TOLD: &[&str] =
    &["treatment_plans", "treatment_plan_items", "procedures", "referrals", "referral_files", "messages", "conversations"];

/// Of the tables about patients, what a payer's analyst works with.
fn is_of_claims(table: &str) -> bool {
    ["claim", "remittance", "eligibility_checks", "fee_schedule"].iter().any(|start| table.starts_with(start))
}

pub async fn broken(matrix: &Matrix, truth: &Client) -> Vec<String> {
    let natures = natures(truth).await;
    let mut broken = Vec::new();
    for (table, rights) in matrix {
        let nature = &natures[table];
        let reads = |column: &str| rights[column].some('R');
        let changes = |column: &str| ['C', 'U', 'D'].into_iter().any(|command| rights[column].all(command));
        let mut must_not = |sentence: &str, wrong: bool| {
            if wrong {
                broken.push(format!("{sentence}: {table}"));
            }
        };
        let clinical = CLINICAL.contains(&table.as_str());
        must_not("the front desk reads clinical content", clinical && reads("desk"));
        must_not("an auditor reads clinical content", (clinical || TOLD.contains(&table.as_str())) && reads("auditor"));
        must_not("an auditor changes something", changes("auditor"));
        must_not(
            "a data scientist reads something identified",
            (nature.phi || nature.patient) && rights["science"].all('R') && table != "research_dataset_members",
        );
        must_not("a data scientist changes a record", changes("science") && nature.phi);
        must_not(
            "a payer's analyst reads more than claims",
            (nature.phi || nature.patient) && rights["payer"].all('R') && !is_of_claims(table),
        );
        must_not("a payer's analyst changes a record", changes("payer") && nature.phi);
        must_not("a developer reads patient data", nature.patient && rights["developer"].all('R'));
        must_not("the platform's administrator reads clinical content", clinical && reads("platform"));
        must_not("somebody without a permission reads everybody's rows", rights["program"].all('R'));
        for person in PEOPLE.iter().filter(|person| matches!(person.who, Who::Proxy(_) | Who::Patient)) {
            must_not("a patient sees another's row", nature.to_patients && rights[person.column].all('R'));
            must_not("a patient changes another's row", changes(person.column));
            // What the patient cannot see themselves, nobody sees for them.
            must_not("a proxy sees more than the patient", reads(person.column) && !reads("patient"));
        }
    }
    broken
}
