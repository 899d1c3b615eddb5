//! One visit of today, from the door to the bill.

use super::cast;
use super::week::{Clinic, PROCEDURES};
use crate::charting::chart_entry::CHART_ENTRY;
use crate::charting::perio_exam::PERIO_EXAM;
use crate::claims::claim::CLAIM;
use crate::claims::claim_diagnosis::CLAIM_DIAGNOSIS;
use crate::claims::claim_line::CLAIM_LINE;
use crate::claims::remittance::REMITTANCE;
use crate::claims::remittance_line::REMITTANCE_LINE;
use crate::cli::Outcome;
use crate::clinical::clinical_note::CLINICAL_NOTE;
use crate::clinical::patient_allergy::PATIENT_ALLERGY;
use crate::clinical::patient_condition::PATIENT_CONDITION;
use crate::clinical::patient_medication::PATIENT_MEDICATION;
use crate::clinical::vital_sign::VITAL_SIGN;
use crate::kernel::table::Record;
use crate::treatment::procedure::PROCEDURE;
use crate::treatment::procedure_material::PROCEDURE_MATERIAL;
use crate::treatment::treatment_plan::TREATMENT_PLAN;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// Who sits in the chair: the patient, the visit, and the tooth it is about.
struct Seat {
    nth: usize,
    patient: Uuid,
    encounter: Uuid,
    tooth: &'static str,
    now: String,
}

/// A lower or upper molar of each of today's patients.
const TEETH: [&str; 5] = ["36", "46", "16", "26", "37"];

impl Clinic {
    pub async fn visit(&mut self, nth: usize) -> Outcome {
        let start = self.at(0, 8 + nth as u32, 0)?;
        let booked = self.book(nth, 0, "EXAM", start).await?;
        for step in ["confirmAppointment", "checkInAppointment"] {
            self.desk.act(step, Some(booked), json!({})).await?;
        }
        let given = json!({"patient_id": self.patient(nth), "consent_text_id": self.consent_text, "ticked": true, "source": "IN_CLINIC"});
        self.desk.act("giveConsent", None, given).await?;
        self.desk.done().await?;
        self.dentist.act("startAppointment", Some(booked), json!({})).await?;
        let encounter = self.dentist.find("select id from encounters where appointment_id = $1", booked).await?;
        let now = crate::kernel::table::value::instant_text(chrono::Utc::now());
        let seat = Seat { nth, patient: self.patient(nth), encounter, tooth: TEETH[nth % TEETH.len()], now };
        self.history(&seat).await?;
        self.chart(&seat).await?;
        if nth.is_multiple_of(2) {
            self.probe(&seat).await?;
        }
        self.dentist.done().await?;
        if nth < 3 {
            self.look(nth, seat.tooth).await?;
        }
        self.plan(&seat).await?;
        let filling = self.fill(&seat).await?;
        self.note(&seat).await?;
        self.dentist.act("completeAppointment", Some(booked), json!({})).await?;
        self.dentist.done().await?;
        self.bill(&seat, &filling).await
    }

    async fn history(&mut self, seat: &Seat) -> Outcome {
        let (patient, encounter) = (seat.patient, seat.encounter);
        let vitals = json!({
            "patient_id": patient, "encounter_id": encounter, "measured_at": seat.now, "systolic_mmhg": 118 + seat.nth * 6,
            "diastolic_mmhg": 76 + seat.nth, "heart_rate_bpm": 64 + seat.nth * 3, "pain_score": seat.nth % 4,
        });
        self.dentist.make(&VITAL_SIGN, vitals).await?;
        let allergy = match seat.nth % 3 {
            0 => {
                json!({"patient_id": patient, "category": "DRUG", "substance": "Penicillin", "reaction": "Rash", "severity": "MODERATE", "criticality": "HIGH"})
            }
            1 => json!({"patient_id": patient, "category": "MATERIAL", "substance": "Latex", "reaction": "Itching", "severity": "MILD"}),
            _ => json!({"patient_id": patient, "category": "OTHER", "substance": "None known", "no_known_allergies": true}),
        };
        self.dentist.make(&PATIENT_ALLERGY, allergy).await?;
        if seat.nth.is_multiple_of(2) {
            let condition = json!({"patient_id": patient, "code_system": "HOUSE", "code": "H10", "display": "High blood pressure", "onset_date": "2021-04-01"});
            self.dentist.make(&PATIENT_CONDITION, condition).await?;
            let medication =
                json!({"patient_id": patient, "name": "Amlodipine", "dosage": "5 mg", "route": "oral", "frequency": "once a day"});
            self.dentist.make(&PATIENT_MEDICATION, medication).await?;
        }
        let caries = json!({
            "patient_id": patient, "code_system": "HOUSE", "code": "K02", "display": "Caries", "category": "DENTAL", "fdi_tooth": seat.tooth,
            "onset_date": self.today,
        });
        self.dentist.make(&PATIENT_CONDITION, caries).await.map(|_| ())
    }

    async fn chart(&mut self, seat: &Seat) -> Outcome {
        let provider = self.provider(0);
        for (axis, tooth, more) in [
            ("PRESENCE", "18", json!({"presence": "EXTRACTED", "missing_reason": "EXTRACTED"})),
            ("PRESENCE", "48", json!({"presence": "UNERUPTED"})),
            (
                "WORK",
                "15",
                json!({"work_layer": "EXISTING", "restoration_kind": "FILLING", "surfaces": ["M", "O"], "material_code": "COMPOSITE"}),
            ),
            ("WORK", "24", json!({"work_layer": "EXISTING_OTHER", "restoration_kind": "CROWN", "material_code": "CERAMIC"})),
            (
                "FINDING",
                seat.tooth,
                json!({"finding_code_system": "HOUSE", "finding_code": "K02", "finding_display": "Caries", "caries_depth": "DENTIN", "icdas": 4, "surfaces": ["O"]}),
            ),
        ] {
            let mut entry = json!({
                "patient_id": seat.patient, "encounter_id": seat.encounter, "axis": axis, "tooth_system": "FDI", "fdi_tooth": tooth,
                "observed_at": seat.now, "recorded_by_provider_id": provider,
            });
            merge(&mut entry, more);
            self.dentist.make(&CHART_ENTRY, entry).await?;
        }
        Ok(())
    }

    /// Six sites at 28 teeth.
    async fn probe(&mut self, seat: &Seat) -> Outcome {
        let exam =
            json!({"patient_id": seat.patient, "encounter_id": seat.encounter, "examiner_id": self.provider(0), "examined_at": seat.now});
        let exam = self.dentist.make(&PERIO_EXAM, exam).await?.id;
        let mut sites = Vec::new();
        for (quadrant, position) in (1..=4).flat_map(|quadrant| (1..=7).map(move |position| (quadrant, position))) {
            for (place, site) in ["MB", "B", "DB", "ML", "L", "DL"].iter().enumerate() {
                let deep = (quadrant * 7 + position * 3 + place + seat.nth).is_multiple_of(11);
                let depth = if deep { 5 } else { 2 + (position + place) % 2 };
                sites.push(json!({
                    "tooth_number": format!("{quadrant}{position}"), "site": site, "pocket_depth_mm": depth,
                    "gingival_margin_mm": usize::from(deep), "bleeding_on_probing": deep, "plaque": (position + place).is_multiple_of(5),
                }));
            }
        }
        self.dentist.act("recordPerioMeasurements", None, json!({"exam_id": exam, "measurements": sites})).await?;
        self.dentist.act("signPerioExam", Some(exam), json!({})).await.map(|_| ())
    }

    /// What is to be done; most say yes at once, the first thinks about it at home.
    async fn plan(&mut self, seat: &Seat) -> Outcome {
        let (_, filling, .., fee) = PROCEDURES[2];
        let (_, crown, .., dear) = PROCEDURES[3];
        let details = json!([
            {"name": filling, "tooth_number": seat.tooth, "surface": ["O"], "cdt_code": "T2330", "code_system": "HOUSE",
                "estimated_fee_minor": fee, "estimated_insurance_minor": fee * 8 / 10},
            {"name": crown, "tooth_number": "24", "cdt_code": "T2740", "code_system": "HOUSE", "phase": 2,
                "estimated_fee_minor": dear, "estimated_insurance_minor": dear / 2},
        ]);
        let plan = json!({
            "id": self.id(&format!("plan {}", seat.nth)), "patient_id": seat.patient, "title": "Filling, then a crown", "currency": "USD",
            "provider_id": self.provider(0), "location_id": self.id("site"), "treatment_details": details,
        });
        let plan = self.dentist.make(&TREATMENT_PLAN, plan).await?.id;
        let shown = self.dentist.record("presentTreatmentPlan", Some(plan), json!({})).await?;
        if seat.nth > 0 {
            let yes = json!({"revision_no": shown.int("revision_no"), "method": "IN_CLINIC"});
            self.dentist.act("acceptTreatmentPlan", Some(plan), yes).await?;
        }
        Ok(())
    }

    async fn fill(&mut self, seat: &Seat) -> Outcome<Record> {
        let (code, words, .., fee) = PROCEDURES[2];
        let procedure = json!({
            "patient_id": seat.patient, "encounter_id": seat.encounter, "provider_id": self.provider(0), "catalog_id": self.id(code),
            "code_system": "HOUSE", "cdt_code": code, "code_version": "2026", "description": words, "tooth_number": seat.tooth, "tooth_system": "FDI",
            "surface": ["O"], "fee_minor": fee, "currency": "USD", "anesthesia": "Infiltration", "start_at": seat.now,
        });
        let procedure = self.dentist.make(&PROCEDURE, procedure).await?;
        let material = json!({
            "procedure_id": procedure.id, "patient_id": seat.patient, "material_id": self.id("composite"), "lot_number": format!("L-{:03}", seat.nth + 17),
            "shade": "A2", "quantity": 1, "unit": "capsule",
        });
        self.dentist.make(&PROCEDURE_MATERIAL, material).await?;
        self.dentist.act("startProcedure", Some(procedure.id), json!({})).await?;
        self.dentist.record("completeProcedure", Some(procedure.id), json!({})).await
    }

    async fn note(&mut self, seat: &Seat) -> Outcome {
        let words = format!("Caries at {}, into dentine. Filled with composite under local anaesthesia. No complications.", seat.tooth);
        let note = json!({
            "patient_id": seat.patient, "encounter_id": seat.encounter, "author_id": self.dentist.actor(), "note_type": "SOAP", "title": "Visit",
            "content": words, "soap": {"subjective": "Sensitive to cold.", "objective": format!("Cavity at {}.", seat.tooth),
                "assessment": "Caries.", "plan": "Filling today, crown later."},
        });
        let note = self.dentist.make(&CLINICAL_NOTE, note).await?.id;
        // The last one of the day is still to be signed.
        if seat.nth + 1 < super::week::SEEN_TODAY {
            self.dentist.act("signClinicalNote", Some(note), json!({})).await?;
        }
        Ok(())
    }

    /// Who is insured has a claim, and the first's is paid; the others pay at the desk.
    async fn bill(&mut self, seat: &Seat, filling: &Record) -> Outcome {
        let fee = filling.int("fee_minor").unwrap_or_default();
        if !seat.nth.is_multiple_of(2) {
            let paid = json!({"patient_id": seat.patient, "amount_minor": fee, "method": "CHECK", "purpose": "BALANCE"});
            self.desk.act("recordManualPayment", None, paid).await?;
            return self.desk.done().await;
        }
        let claim = json!({
            "patient_id": seat.patient, "payer_id": self.id("payer"), "policy_id": self.id(&format!("policy {}", seat.nth)),
            "encounter_id": seat.encounter, "billing_provider_id": self.provider(0), "location_id": self.id("site"), "currency": "USD",
        });
        let claim = self.desk.make(&CLAIM, claim).await?.id;
        let about = json!({"claim_id": claim, "patient_id": seat.patient, "sequence_no": 1, "code_system": "HOUSE", "code": "K02"});
        self.desk.make(&CLAIM_DIAGNOSIS, about).await?;
        let line = json!({
            "claim_id": claim, "patient_id": seat.patient, "procedure_id": filling.id, "line_no": 1, "code_system": "HOUSE", "code": "T2330",
            "tooth_number": seat.tooth, "surface": ["O"], "service_date": self.today, "diagnosis_pointers": [1], "billed_minor": fee, "currency": "USD",
        });
        let line = self.desk.make(&CLAIM_LINE, line).await?.id;
        for step in ["validateClaim", "submitClaim"] {
            self.desk.act(step, Some(claim), json!({})).await?;
        }
        if seat.nth < 4 {
            let word = json!({"status": "ACCEPTED", "reference": format!("FRDP-{}{:04}", self.seat, seat.nth)});
            self.desk.act("recordClaimStatus", Some(claim), word).await?;
        }
        if seat.nth == 0 {
            self.paid(claim, line, fee).await?;
        }
        self.desk.done().await
    }

    /// The payer's advice: eight tenths, the rest is the patient's, who pays it at the desk.
    async fn paid(&mut self, claim: Uuid, line: Uuid, fee: i64) -> Outcome {
        let (paid, owed) = (fee * 8 / 10, fee - fee * 8 / 10);
        let advice = json!({
            "payer_id": self.id("payer"), "trace_number": format!("ADVICE-{}", self.slug), "payment_date": self.today, "payment_method": "ACH",
            "amount_minor": paid, "currency": "USD",
        });
        let advice = self.desk.make(&REMITTANCE, advice).await?.id;
        self.desk.done().await?;
        let mut payer = self.desk.server()?;
        for of in [None, Some(line)] {
            let part = json!({
                "remittance_id": advice, "claim_id": claim, "claim_line_id": of, "status_code": "1", "billed_minor": fee, "paid_minor": paid,
                "patient_responsibility_minor": owed, "adjustments": [{"group": "PR", "reason": "2", "amount_minor": owed}], "currency": "USD",
            });
            payer.make(&REMITTANCE_LINE, part).await?;
        }
        payer.done().await?;
        self.desk.act("postRemittance", Some(advice), json!({})).await?;
        let rest = json!({"patient_id": self.patient(0), "amount_minor": owed, "method": "CASH", "purpose": "COPAY", "claim_id": claim});
        self.desk.act("recordManualPayment", None, rest).await.map(|_| ())
    }
}

fn merge(into: &mut Json, more: Json) {
    if let (Json::Object(into), Json::Object(more)) = (into, more) {
        into.extend(more);
    }
}

/// As the header of a picture says who is on it.
pub fn name_of(seat: usize, nth: usize) -> (&'static str, &'static str) {
    let (given, family, _) = cast::patient(seat, nth);
    (given, family)
}
