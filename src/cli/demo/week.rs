//! A week of the demo world's clinics, from today on: who comes, what was done, what was said and what was paid.

use super::cast::{self, CLINICS, PATIENTS};
use super::hand::Hand;
use super::{id_of, patient_id, scope_id};
use crate::ai::ai_model::AI_MODEL;
use crate::ai::ai_model_deployment::AI_MODEL_DEPLOYMENT;
use crate::ai::ai_model_version::AI_MODEL_VERSION;
use crate::cli::{Outcome, line};
use crate::governance::consent_text::CONSENT_TEXT;
use crate::kernel::Kernel;
use crate::kernel::context::PLATFORM_TENANT;
use crate::reference::code_system::CODE_SYSTEM;
use crate::reference::material_reference::MATERIAL_REFERENCE;
use crate::reference::procedure_catalog_entry::PROCEDURE_CATALOG_ENTRY;
use crate::scheduling::appointment_type::APPOINTMENT_TYPE;
use crate::scheduling::availability_block::AVAILABILITY_BLOCK;
use crate::scheduling::recall::RECALL;
use crate::scheduling::recall_type::RECALL_TYPE;
use crate::tenancy::tenant_feature::TENANT_FEATURE;
use chrono::{DateTime, Days, NaiveDate, TimeDelta, TimeZone, Utc};
use indicatif::ProgressBar;
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

const ZONE: chrono_tz::Tz = chrono_tz::America::Denver;
pub const DAYS: u64 = 7;
/// Patients who come today and have been seen when the world is made.
pub const SEEN_TODAY: usize = 5;
/// Steps of the progress bar a clinic takes.
pub const STEPS: usize = SEEN_TODAY + DAYS as usize + 2;

/// Code, words, category, rule for the tooth, minutes, fee. Invented: no code set's.
pub const PROCEDURES: &[(&str, &str, &str, &str, i64, i64)] = &[
    ("T1010", "Examination with findings", "DIAGNOSTIC", "NONE", 30, 8_500),
    ("T1110", "Cleaning of all teeth", "PREVENTIVE", "NONE", 60, 12_000),
    ("T2330", "Composite filling, one surface", "RESTORATIVE", "TOOTH", 45, 18_500),
    ("T2740", "Ceramic crown", "RESTORATIVE", "TOOTH", 90, 125_000),
    ("T3310", "Root canal treatment", "ENDODONTICS", "TOOTH", 90, 95_000),
];

/// A clinic of the week and those who work there.
pub struct Clinic {
    pub slug: &'static str,
    pub seat: usize,
    pub tenant: Uuid,
    pub admin: Hand,
    pub dentist: Hand,
    pub desk: Hand,
    pub today: NaiveDate,
    pub consent_text: Uuid,
    pub model_version: Uuid,
}

impl Clinic {
    async fn open(kernel: &Arc<Kernel>, seat: usize, model_version: Uuid) -> Outcome<Clinic> {
        let slug = CLINICS[seat];
        let tenant = id_of(slug);
        let person = |name: &str, role: &'static str| {
            let email = format!("{name}@{slug}.example");
            async move { Hand::of(kernel, tenant, &email, role).await }
        };
        // Oak Street has no front desk; its owner sits there.
        let desk = if slug == "oak-street" { person("admin", "TENANT_ADMIN").await? } else { person("desk", "CLINIC_STAFF").await? };
        Ok(Clinic {
            slug,
            seat,
            tenant,
            admin: person("admin", "TENANT_ADMIN").await?,
            dentist: person("dentist", "CLINICIAN").await?,
            desk,
            today: Utc::now().with_timezone(&ZONE).date_naive(),
            consent_text: scope_id(slug, "consent text"),
            model_version,
        })
    }

    pub fn id(&self, what: &str) -> Uuid {
        scope_id(self.slug, what)
    }
    pub fn patient(&self, nth: usize) -> Uuid {
        patient_id(self.slug, nth)
    }
    pub fn provider(&self, nth: usize) -> Uuid {
        self.id(cast::PROVIDERS[nth].0)
    }
    /// That wall-clock time of the clinic, some days from today.
    pub fn at(&self, days: u64, hour: u32, minute: u32) -> Outcome<DateTime<Utc>> {
        let day = self.today.checked_add_days(Days::new(days)).and_then(|day| day.and_hms_opt(hour, minute, 0));
        let local = day.and_then(|day| ZONE.from_local_datetime(&day).earliest());
        Ok(local.ok_or_else(|| line("the clinic's clock skips that time"))?.to_utc())
    }

    /// What the clinic offers and how it works.
    async fn house(&mut self) -> Outcome {
        let system =
            json!({"id": self.id("codes"), "code": "HOUSE", "name": "House codes", "uri": "urn:demo:house", "system_version": "2026"});
        self.admin.make(&CODE_SYSTEM, system).await?;
        for (code, words, category, tooth, minutes, fee) in PROCEDURES {
            let entry = json!({
                "id": self.id(code), "code_system": "HOUSE", "code": code, "code_version": "2026", "description": words, "is_custom": true,
                "category": category, "tooth_rule": tooth, "surface_rule": if *code == "T2330" { "REQUIRED" } else { "NONE" }, "default_duration_minutes": minutes, "default_fee_minor": fee, "currency": "USD",
            });
            self.admin.make(&PROCEDURE_CATALOG_ENTRY, entry).await?;
        }
        let composite =
            json!({"id": self.id("composite"), "name": "Nano composite A2", "category": "COMPOSITE", "manufacturer": "Demo Dental"});
        self.admin.make(&MATERIAL_REFERENCE, composite).await?;
        for (code, name, minutes, kind, online) in [
            ("EXAM", "Check-up", 30, "EXAM", true),
            ("HYGIENE", "Hygiene", 60, "HYGIENE", true),
            ("TREAT", "Treatment", 60, "CONSULTATION", false),
            ("EMERGENCY", "Emergency", 30, "EMERGENCY", false),
        ] {
            let kind = json!({
                "id": self.id(code), "code": code, "name": name, "duration_minutes": minutes, "encounter_type": kind, "online_bookable": online,
            });
            self.admin.make(&APPOINTMENT_TYPE, kind).await?;
        }
        let recall =
            json!({"id": self.id("recall"), "name": "Half-year check-up", "interval_months": 6, "appointment_type_id": self.id("EXAM")});
        self.admin.make(&RECALL_TYPE, recall).await?;
        let words = json!({
            "id": self.consent_text, "code": "TREATMENT", "version_no": 1, "body": "I agree that my pictures are analysed by software as well.",
            "consent_types": ["AI_ANALYSIS", "RESEARCH"], "effective_from": "2026-01-01T00:00:00Z",
        });
        self.admin.make(&CONSENT_TEXT, words).await?;
        self.admin.done().await?;
        let mut platform = Hand::platform(&self.admin.caller.kernel, self.tenant);
        platform.make(&TENANT_FEATURE, json!({"id": self.id("ai"), "feature_code": "AI_DIAGNOSTICS", "source": "PLAN"})).await?;
        platform.done().await
    }

    /// Working hours, and everybody's appointments of the week.
    async fn calendar(&mut self, bar: &ProgressBar) -> Outcome {
        for provider in 0..cast::PROVIDERS.len() {
            for day in 1..=7 {
                let hours = json!({
                    "provider_id": self.provider(provider), "location_id": self.id("site"), "kind": "WEEKLY", "day_of_week": day,
                    "start_time": "08:00", "end_time": "17:00",
                });
                self.desk.make(&AVAILABILITY_BLOCK, hours).await?;
            }
        }
        for nth in SEEN_TODAY..PATIENTS.len() {
            let due = self.today + TimeDelta::days(nth as i64 * 3 - 20);
            self.desk.make(&RECALL, json!({"patient_id": self.patient(nth), "recall_type_id": self.id("recall"), "due_on": due})).await?;
        }
        self.desk.done().await?;
        for day in 1..DAYS {
            for slot in 0..6 {
                let nth = (day as usize * 6 + slot * 5 + self.seat) % PATIENTS.len();
                let (provider, kind) = [(0, "EXAM"), (1, "TREAT"), (2, "HYGIENE")][slot % 3];
                let booked = self.book(nth, provider, kind, self.at(day, 9 + slot as u32 / 3 * 4, 0)?).await?;
                if day < 3 {
                    self.desk.act("confirmAppointment", Some(booked), json!({})).await?;
                }
            }
            self.desk.done().await?;
            bar.inc(1);
        }
        // Somebody called off, and somebody hurts.
        let lost = self.book(7, 0, "EXAM", self.at(2, 16, 0)?).await?;
        self.desk.act("cancelAppointment", Some(lost), json!({"reason": "has a cold"})).await?;
        self.book(11, 0, "EMERGENCY", self.at(1, 8, 0)?).await?;
        self.desk.done().await?;
        bar.inc(1);
        Ok(())
    }

    pub async fn book(&mut self, nth: usize, provider: usize, kind: &str, start: DateTime<Utc>) -> Outcome<Uuid> {
        let wish = json!({
            "patient_id": self.patient(nth), "appointment_type_id": self.id(kind), "provider_id": self.provider(provider),
            "location_id": self.id("site"), "operatory_id": self.id(&format!("chair {}", provider + 1)), "start_at": start,
        });
        Ok(self.desk.record("bookAppointment", None, wish).await?.id)
    }
}

/// Everything, clinic by clinic.
pub async fn week(kernel: &Arc<Kernel>, bar: &ProgressBar) -> Outcome {
    let version = finder(kernel).await?;
    let mut clinics = Vec::new();
    for (seat, slug) in CLINICS.iter().enumerate() {
        bar.set_message(format!("the week of {slug}"));
        let mut clinic = Clinic::open(kernel, seat, version).await?;
        clinic.house().await?;
        bar.inc(1);
        clinic.calendar(bar).await?;
        for nth in 0..SEEN_TODAY {
            clinic.visit(nth).await?;
            bar.inc(1);
        }
        clinic.work_to_do().await?;
        bar.inc(1);
        clinics.push(clinic);
    }
    let [north, south, oak] = &mut clinics[..] else { return Err(line("the demo world has three clinics")) };
    super::talk::refer(north, south, 3, true).await?;
    super::talk::refer(north, oak, 5, false).await?;
    super::talk::write(north, 0, cast::PORTALS[0].2.email).await?;
    super::talk::write(oak, 1, cast::PORTALS[3].2.email).await
}

/// The model that looks for caries: released, and on trial in the three clinics.
async fn finder(kernel: &Arc<Kernel>) -> Outcome<Uuid> {
    let mut platform = Hand::platform(kernel, PLATFORM_TENANT);
    let (model, version) = (id_of("caries finder"), id_of("caries finder 1.0.0"));
    let body = json!({"id": model, "name": "Caries finder", "domain": "CARIES", "vendor": "INTERNAL", "regulatory_class": "EXPERIMENTAL"});
    platform.make(&AI_MODEL, body).await?;
    let body = json!({
        "id": version, "model_id": model, "version_tag": "1.0.0", "artifact_uri": "https://models.example/caries-finder",
        "artifact_hash": "ab".repeat(32), "artifact_signature": "ZGVtbw==", "input_types": ["INTRAORAL"], "output_types": ["CARIES"],
        "performance_metrics": {"sensitivity": 0.91, "specificity": 0.88}, "validation_summary_uri": "https://models.example/summary",
        "sbom_uri": "https://models.example/sbom",
    });
    platform.make(&AI_MODEL_VERSION, body).await?;
    for step in ["validateAiModelVersion", "releaseAiModelVersion"] {
        platform.act(step, Some(version), json!({})).await?;
    }
    let clinics: Vec<Uuid> = CLINICS.iter().map(|slug| id_of(slug)).collect();
    let trial = json!({"model_id": model, "model_version_id": version, "rollout_strategy": "TENANT_GROUP", "tenant_ids": clinics});
    platform.make(&AI_MODEL_DEPLOYMENT, trial).await?;
    platform.done().await?;
    Ok(version)
}
