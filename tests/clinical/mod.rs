//! Visits, notes and records over the real database.
mod notes;
mod overview;
mod records;
mod visits;

use crate::world::World;
use crate::world::operations::create;
use crate::world::tenants::Clinic;
use enamel::clinical::clinical_note::CLINICAL_NOTE;
use enamel::clinical::encounter::ENCOUNTER;
use enamel::kernel::Caller;
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::table::Record;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// A clinic with a room, a dentist and a patient.
pub struct Practice {
    pub clinic: Clinic,
    pub location: Uuid,
    /// Dr. Ada, who may do everything.
    pub dentist: Caller,
    pub provider: Uuid,
    pub patient: Uuid,
}

impl Practice {
    pub async fn open(world: &'static World) -> Practice {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let location = Uuid::now_v7();
        world.truth().await.execute(
            "insert into enamel.locations (tenant_id, id, name, country, time_zone) values ($1, $2, 'Main room', 'DE', 'Europe/Berlin')",
            &[&clinic.id, &location],
        ).await.unwrap();
        let patient = clinic.patient("Molar").await.unwrap().id;
        let (dentist, provider) = clinician(&clinic, "Ada").await;
        Practice { clinic, location, dentist, provider, patient }
    }

    /// Another clinician of the same clinic and their provider row.
    pub async fn colleague(&self, name: &str) -> (Caller, Uuid) {
        clinician(&self.clinic, name).await
    }

    /// A visit that has begun, or what is said otherwise.
    pub async fn visit(&self, more: Json) -> Record {
        let mut body =
            json!({"patient_id": self.patient, "location_id": self.location, "provider_id": self.provider, "encounter_type": "EXAM"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        create(&self.dentist, &ENCOUNTER, body).await.unwrap()
    }

    pub async fn note(&self, encounter: Uuid, content: &str, more: Json) -> Record {
        let mut body = json!({"patient_id": self.patient, "encounter_id": encounter, "author_id": self.dentist.context.actor,
            "note_type": "PROGRESS", "content": content});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        create(&self.dentist, &CLINICAL_NOTE, body).await.unwrap()
    }

    /// The patient themselves, at the portal.
    pub async fn portal(&self) -> Caller {
        let login = self.clinic.world.patient_login(&[(self.clinic.id, self.patient)]).await;
        self.clinic.world.caller(Plane::Patient, self.clinic.id, Some(login), &[Permission::ViewPatient, Permission::ViewClinical])
    }

    /// An appointment in that state, starting at that hour of a day to come.
    pub async fn appointment(&self, status: &str, hour: i32) -> Uuid {
        let id = Uuid::now_v7();
        let truth = self.clinic.world.truth().await;
        // As it stands: how it came there is scheduling's.
        truth.batch_execute("set session_replication_role = replica").await.unwrap();
        truth.execute(
            "insert into enamel.appointments (tenant_id, id, patient_id, provider_id, location_id, start_at, end_at, duration_minutes, local_start, time_zone, status)
             select $1, $2, $3, $4, $5, s, s + interval '30 minutes', 30, '2030-01-01T08:00:00', 'Europe/Berlin', $6
               from (select timestamptz '2030-01-01' + make_interval(hours => $7) as s) x",
            &[&self.clinic.id, &id, &self.patient, &self.provider, &self.location, &status, &hour],
        ).await.unwrap();
        id
    }
}

async fn clinician(clinic: &Clinic, name: &str) -> (Caller, Uuid) {
    let person = clinic.world.person().await;
    clinic.give_membership(&person, "CLINICIAN").await;
    let provider = Uuid::now_v7();
    clinic
        .world
        .truth()
        .await
        .execute(
            "insert into enamel.providers (tenant_id, id, user_id, full_name, specialty) values ($1, $2, $3, $4, 'General')",
            &[&clinic.id, &provider, &person.id, &format!("Dr. {name}")],
        )
        .await
        .unwrap();
    (clinic.world.caller(Plane::Staff, clinic.id, Some(person.id), Permission::ALL), provider)
}

/// One text of one row, as it really is.
pub async fn truly(world: &World, sql: &str, id: Uuid) -> String {
    world.truth().await.query_one(sql, &[&id]).await.unwrap().get(0)
}
