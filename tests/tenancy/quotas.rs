//! Limits hold, also when many create at once.

use crate::world;
use crate::world::operations::{create, retire};
use enamel::patients::patient::PATIENT;
use enamel::tenancy::location::LOCATION;
use serde_json::json;

#[test]
fn of_twenty_at_once_exactly_as_many_as_are_allowed_come_in() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let truth = world.truth().await;
        truth
            .execute(
                "insert into enamel.tenant_quotas (tenant_id, id, max_patients, max_locations) values ($1, gen_random_uuid(), 5, 0)",
                &[&clinic.id],
            )
            .await
            .unwrap();
        let all = futures_util::future::join_all((0..20).map(|_| clinic.patient("Crowd"))).await;
        let refusals: Vec<_> = all.iter().filter_map(|made| made.as_ref().err()).collect();
        assert_eq!(refusals.len(), 15);
        assert!(refusals.iter().all(|refusal| refusal.code.code == "quota.exceeded" && refusal.faults[0].field == "max_patients"));
        // One leaves, one may come.
        let gone = all.into_iter().find_map(Result::ok).unwrap();
        retire(&clinic.staff(), &PATIENT, gone.id, 1).await.unwrap();
        clinic.patient("Next").await.unwrap();
        assert_eq!(clinic.patient("Late").await.unwrap_err().code.code, "quota.exceeded");
        let place = json!({"name": "Second", "country": "DE", "time_zone": "Europe/Berlin"});
        assert_eq!(create(&clinic.staff(), &LOCATION, place.clone()).await.unwrap_err().faults[0].field, "max_locations");
        // A soft limit is billed, not refused; and nobody else's limit is ours.
        truth.execute("update enamel.tenant_quotas set hard_limit = false where tenant_id = $1", &[&clinic.id]).await.unwrap();
        clinic.patient("Billed").await.unwrap();
        create(&clinic.staff(), &LOCATION, place).await.unwrap();
        world.tenant("SOLO_PRACTICE", None).await.patient("Free").await.unwrap();
    });
}
