//! Treatment: plans and their answers, quotes across tenants, procedures, payments.
mod answers;
mod documents;
mod money;
mod plans;
mod procedures;
mod quotes;
mod revisions;

use crate::world::operations::{create, run};
use crate::world::{World, tenants::Clinic};
use enamel::kernel::Caller;
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::error::Error;
use enamel::kernel::operation::Answer;
use enamel::kernel::table::Record;
use enamel::treatment::treatment_plan::TREATMENT_PLAN;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// A clinic with one patient who has a login.
pub struct Desk {
    pub clinic: Clinic,
    pub staff: Caller,
    pub patient: Uuid,
    pub login: Uuid,
    /// The patient at their portal.
    pub portal: Caller,
}

const PORTAL: &[Permission] = &[
    Permission::ViewPatient,
    Permission::ViewClinical,
    Permission::ViewTreatment,
    Permission::EditTreatment,
    Permission::ViewPayments,
    Permission::EditPayments,
];

impl Desk {
    pub async fn open(world: &'static World) -> Desk {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let patient = clinic.patient("Planned").await.unwrap().id;
        let login = world.patient_login(&[(clinic.id, patient)]).await;
        let portal = world.caller(Plane::Patient, clinic.id, Some(login), PORTAL);
        Desk { staff: clinic.staff(), patient, login, portal, clinic }
    }

    pub async fn settings(&self, columns: &str, values: &str) {
        let sql = format!(
            "insert into enamel.tenant_settings (tenant_id, id, {columns}) values ('{}', gen_random_uuid(), {values})",
            self.clinic.id
        );
        self.sql(&sql).await;
    }

    pub async fn sql(&self, sql: &str) {
        self.clinic.world.truth().await.batch_execute(sql).await.unwrap();
    }

    pub async fn count(&self, what: &str) -> i64 {
        let sql = format!("select count(*) from enamel.{what}");
        self.clinic.world.truth().await.query_one(&sql, &[]).await.unwrap().get(0)
    }

    /// A draft with these treatments.
    pub async fn draft(&self, details: Json) -> Record {
        let body = json!({"patient_id": self.patient, "currency": "EUR", "treatment_details": details});
        create(&self.staff, &TREATMENT_PLAN, body).await.unwrap()
    }

    /// Two treatments, presented.
    pub async fn presented(&self) -> Record {
        let plan = self
            .draft(json!([
                {"name": "Crown", "tooth_number": "16", "estimated_fee_minor": 60_000},
                {"name": "Filling", "tooth_number": "26", "estimated_fee_minor": 12_001}]))
            .await;
        crate::world::operations::record(run(&self.staff, "presentTreatmentPlan", Some(plan.id), json!({})).await.unwrap())
    }
}

/// The ids of a plan's items, in their order.
pub fn items(plan: &Record) -> Vec<Uuid> {
    plan.get("treatment_details").as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().parse().unwrap()).collect()
}

/// Each item's state.
pub fn states(plan: &Record) -> Vec<String> {
    plan.get("treatment_details").as_array().unwrap().iter().map(|item| item["status"].as_str().unwrap().to_owned()).collect()
}

/// Status and why: the sentence of a refused state, the field of anything else.
pub fn why(outcome: Result<Answer, Error>) -> (u16, String) {
    told(outcome.map(|_| ()))
}

pub fn told<T>(outcome: Result<T, Error>) -> (u16, String) {
    let refusal = outcome.err().expect("a refusal");
    let field = refusal.faults.first().map(|fault| fault.field.clone());
    let why = if refusal.code.status == 409 { refusal.detail.or(field) } else { field.or(refusal.detail) };
    (refusal.code.status, why.unwrap_or_default())
}
