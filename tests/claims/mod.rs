mod course;
mod export;
mod fees;
mod remittance;

use crate::world::World;
use crate::world::operations::{create, record, run};
use crate::world::tenants::Clinic;
use enamel::claims::claim::CLAIM;
use enamel::claims::claim_diagnosis::CLAIM_DIAGNOSIS;
use enamel::claims::claim_line::CLAIM_LINE;
use enamel::directory::provider::PROVIDER;
use enamel::kernel::error::Result;
use enamel::kernel::table::Record;
use enamel::patients::patient_insurance_policy::PATIENT_INSURANCE_POLICY;
use enamel::patients::payer::PAYER;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// A clinic with an insured patient.
pub struct Office {
    pub clinic: Clinic,
    pub patient: Uuid,
    pub payer: Uuid,
    pub policy: Uuid,
    pub dentist: Uuid,
}

impl Office {
    pub async fn open(world: &'static World) -> Office {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = clinic.staff();
        let patient = clinic.patient("Insured").await.unwrap().id;
        let payer = create(&staff, &PAYER, json!({"name": "Sure Dental"})).await.unwrap().id;
        let policy =
            json!({"patient_id": patient, "payer_id": payer, "policy_number": "P-1", "currency": "EUR", "coverage_start": "2020-01-01"});
        let policy = create(&staff, &PATIENT_INSURANCE_POLICY, policy).await.unwrap().id;
        let dentist = create(&staff, &PROVIDER, json!({"full_name": "Dr. Biller", "specialty": "General"})).await.unwrap().id;
        Office { clinic, patient, payer, policy, dentist }
    }

    pub async fn claim(&self, more: Json) -> Result<Record> {
        let mut body = json!({"patient_id": self.patient, "payer_id": self.payer, "policy_id": self.policy,
            "billing_provider_id": self.dentist, "currency": "EUR"});
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        create(&self.clinic.staff(), &CLAIM, body).await
    }

    /// As the chart has it, whatever made it so.
    pub async fn procedure(&self, status: &str) -> Uuid {
        let id = Uuid::now_v7();
        let truth = self.clinic.world.truth().await;
        truth.batch_execute("set session_replication_role = replica").await.unwrap();
        truth
            .execute(
                "insert into enamel.procedures (tenant_id, id, patient_id, encounter_id, provider_id, code_system, description, currency, status)
                 values ($1, $2, $3, $4, $4, 'local', 'Filling', 'EUR', $5)",
                &[&self.clinic.id, &id, &self.patient, &self.dentist, &status],
            )
            .await
            .unwrap();
        id
    }

    pub async fn line(&self, claim: Uuid, number: i64, more: Json) -> Result<Record> {
        let mut body = json!({"claim_id": claim, "patient_id": self.patient, "line_no": number, "code_system": "local", "code": "T1234",
            "tooth_number": format!("3{number}"), "service_date": "2026-03-01", "billed_minor": 5_000, "currency": "EUR"});
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        if body["procedure_id"].is_null() && body["plan_item_id"].is_null() {
            body["procedure_id"] = json!(self.procedure("COMPLETED").await);
        }
        body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        create(&self.clinic.staff(), &CLAIM_LINE, body).await
    }

    /// A claim of two lines over 100.00, ready to be sent.
    pub async fn ready(&self) -> (Record, [Record; 2]) {
        let claim = self.claim(json!({})).await.unwrap();
        let diagnosis = json!({"claim_id": claim.id, "patient_id": self.patient, "sequence_no": 1, "code_system": "icd", "code": "K02"});
        create(&self.clinic.staff(), &CLAIM_DIAGNOSIS, diagnosis).await.unwrap();
        let lines = [
            self.line(claim.id, 1, json!({"diagnosis_pointers": [1]})).await.unwrap(),
            self.line(claim.id, 2, json!({"diagnosis_pointers": [1]})).await.unwrap(),
        ];
        (self.does(claim.id, "validateClaim", json!({})).await.unwrap(), lines)
    }

    pub async fn sent(&self) -> (Record, [Record; 2]) {
        let (claim, lines) = self.ready().await;
        (self.does(claim.id, "submitClaim", json!({})).await.unwrap(), lines)
    }

    pub async fn does(&self, id: Uuid, operation: &str, body: Json) -> Result<Record> {
        run(&self.clinic.staff(), operation, Some(id), body).await.map(record)
    }

    pub async fn count(&self, table: &str, condition: &str) -> i64 {
        crate::referrals::count(&self.clinic, table, condition).await
    }
}
