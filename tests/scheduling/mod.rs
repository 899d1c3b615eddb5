mod booking;
mod contract;
mod day;
mod online;
mod slots;
mod waiting;

use crate::world::World;
use crate::world::operations::{create, record, run};
use crate::world::tenants::Clinic;
use chrono::{DateTime, TimeDelta, Timelike, Utc};
use enamel::directory::provider::PROVIDER;
use enamel::kernel::Caller;
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::error::Result;
use enamel::kernel::table::Record;
use enamel::scheduling::appointment_type::APPOINTMENT_TYPE;
use enamel::tenancy::location::LOCATION;
use enamel::tenancy::operatory::OPERATORY;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// A clinic with one place, one chair, one dentist, one kind of visit of half an hour, and one patient.
pub struct Practice {
    pub world: &'static World,
    pub clinic: Clinic,
    pub staff: Caller,
    pub place: Uuid,
    pub chair: Uuid,
    pub dentist: Uuid,
    pub kind: Uuid,
    pub patient: Uuid,
}

impl Practice {
    pub async fn open(world: &'static World, zone: &str) -> Practice {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = clinic.staff();
        let place = create(&staff, &LOCATION, json!({"name": "Site", "country": "DE", "time_zone": zone})).await.unwrap().id;
        let chair = create(&staff, &OPERATORY, json!({"location_id": place, "name": "Chair 1"})).await.unwrap().id;
        let dentist =
            create(&staff, &PROVIDER, json!({"full_name": "Dr. Ada Ember", "specialty": "General", "accepts_online_booking": true}))
                .await
                .unwrap()
                .id;
        let kind =
            json!({"code": "CHECK", "name": "Check-up", "online_bookable": true, "requires_confirmation": false, "encounter_type": "EXAM"});
        let kind = create(&staff, &APPOINTMENT_TYPE, kind).await.unwrap().id;
        let patient = clinic.patient("Waiting").await.unwrap().id;
        Practice { world, clinic, staff, place, chair, dentist, kind, patient }
    }

    /// Whatever the clinic decides otherwise than by default.
    pub async fn decide(&self, settings: &str) {
        let truth = self.world.truth().await;
        truth
            .execute(
                "insert into enamel.tenant_settings (tenant_id, id) values ($1, $2) on conflict do nothing",
                &[&self.clinic.id, &Uuid::now_v7()],
            )
            .await
            .unwrap();
        truth.execute(&format!("update enamel.tenant_settings set {settings} where tenant_id = $1"), &[&self.clinic.id]).await.unwrap();
    }

    pub async fn hours(&self, block: Json) -> Record {
        let mut block = block;
        block["provider_id"] = json!(self.dentist);
        block["location_id"] = json!(self.place);
        create(&self.staff, &enamel::scheduling::availability_block::AVAILABILITY_BLOCK, block).await.unwrap()
    }
    /// Every day from morning to evening.
    pub async fn always_open(&self) {
        for day in 1..=7 {
            self.hours(json!({"kind": "WEEKLY", "day_of_week": day, "start_time": "00:00", "end_time": "24:00"})).await;
        }
    }

    pub fn wish(&self, start: DateTime<Utc>) -> Json {
        json!({"patient_id": self.patient, "appointment_type_id": self.kind, "provider_id": self.dentist, "location_id": self.place, "start_at": start})
    }
    pub async fn book(&self, start: DateTime<Utc>) -> Record {
        self.try_book(self.wish(start)).await.unwrap()
    }
    pub async fn try_book(&self, wish: Json) -> Result<Record> {
        run(&self.staff, "bookAppointment", None, wish).await.map(record)
    }
    pub async fn act(&self, verb: &str, id: Uuid, body: Json) -> Result<Record> {
        run(&self.staff, verb, Some(id), body).await.map(record)
    }
    pub async fn count(&self, sql: &str) -> i64 {
        self.world.truth().await.query_one(&format!("select count(*) from enamel.{sql}"), &[&self.clinic.id]).await.unwrap().get(0)
    }

    /// A patient of the clinic, and their login.
    pub async fn patient_login(&self, name: &str) -> (Uuid, Caller) {
        let patient = self.clinic.patient(name).await.unwrap().id;
        (patient, self.login_of(patient).await)
    }
    pub async fn login_of(&self, patient: Uuid) -> Caller {
        let (user, _) = self.world.patient_token(&[(self.clinic.id, patient)]).await;
        self.world.caller(Plane::Patient, self.clinic.id, Some(user), Permission::ALL)
    }
}

/// A zone in which it is about noon, so that "today" holds for the length of a test.
pub fn noon_zone() -> String {
    let ahead = 12 - i64::from(Utc::now().hour());
    match ahead {
        0 => "Etc/GMT".into(),
        // POSIX counts westward.
        ahead if ahead > 0 => format!("Etc/GMT-{ahead}"),
        ahead => format!("Etc/GMT+{}", -ahead),
    }
}

/// A quarter of an hour, some days ahead.
pub fn ahead(days: i64) -> DateTime<Utc> {
    let at = Utc::now() + TimeDelta::days(days);
    DateTime::from_timestamp(at.timestamp() / 900 * 900, 0).unwrap()
}

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Code, field and rule of a refusal.
pub fn why<T>(refused: Result<T>) -> (&'static str, String, &'static str) {
    let refusal = refused.err().expect("a refusal");
    let fault = refusal.faults.first();
    (refusal.code.code, fault.map(|fault| fault.field.clone()).unwrap_or_default(), fault.map_or("", |fault| fault.rule))
}
