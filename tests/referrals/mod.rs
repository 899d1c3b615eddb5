mod by_link;
mod exchange;
mod form;
mod life;
mod links;

use crate::world::operations::create;
use crate::world::tenants::Clinic;
use enamel::directory::contact::CONTACT;
use enamel::kernel::table::Record;
use enamel::referrals::referral::REFERRAL;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// A draft to somebody, with more fields or others.
pub async fn draft(clinic: &Clinic, more: Json) -> Record {
    let mut body = json!({"referral_type": "OUTGOING", "patient_name": "Ana Silva", "patient_dob": "1980-02-29",
        "reason": "Lesion at 36", "fdi_teeth": ["36"]});
    body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    create(&clinic.staff(), &REFERRAL, body).await.unwrap()
}

pub async fn contact(clinic: &Clinic) -> Record {
    let body = json!({"name": "Dr. Root", "specialty": "Endodontics", "phone": "1", "email": "root@endo.example", "address": "Street 1"});
    create(&clinic.staff(), &CONTACT, body).await.unwrap()
}

/// How many rows of a table of that tenant are like that, as they really are.
pub async fn count(clinic: &Clinic, table: &str, condition: &str) -> i64 {
    let sql = format!("select count(*) from enamel.{table} where tenant_id = $1 and ({condition})");
    clinic.world.truth().await.query_one(&sql, &[&clinic.id]).await.unwrap().get(0)
}

/// The other side's row of an exchange.
pub async fn arrived(clinic: &Clinic, exchange: Uuid) -> Uuid {
    let sql = "select id from enamel.referrals where tenant_id = $1 and exchange_id = $2";
    clinic.world.truth().await.query_one(sql, &[&clinic.id, &exchange]).await.unwrap().get(0)
}
