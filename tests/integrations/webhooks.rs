//! Where events may go, and the secret they are signed with.

use crate::world;
use crate::world::operations::{create, read, record, run};
use crate::world::tenants::Clinic;
use enamel::integrations::webhook_subscription::WEBHOOK_SUBSCRIPTION;
use enamel::kernel::error::Result;
use enamel::kernel::operation::Answer;
use enamel::kernel::table::Record;
use serde_json::json;

async fn subscription(clinic: &Clinic, url: &str) -> Result<Record> {
    create(&clinic.staff(), &WEBHOOK_SUBSCRIPTION, json!({"url": url, "event_types": ["patients.update"]})).await
}

#[test]
fn events_go_to_public_addresses_only() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        for inside in [
            "http://hooks.example/x",
            "https://localhost/x",
            "https://db/x",
            "https://printer.local/x",
            "https://10.1.2.3/x",
            "https://127.0.0.1:8443/",
            "https://169.254.169.254/latest",
            "https://[::1]/x",
            "https://[fd00::1]/x",
            "https://[::ffff:10.0.0.1]/x",
            "https://user:word@hooks.example/x",
        ] {
            let refusal = subscription(&clinic, inside).await.err().unwrap_or_else(|| panic!("{inside} was taken"));
            assert_eq!((refusal.code.status, refusal.faults[0].field.as_str()), (422, "url"), "{inside}");
        }
        for outside in ["https://hooks.example/x?y=1", "https://hooks.example:8443", "https://93.184.216.34/x", "https://[2606:4700::1]/"] {
            subscription(&clinic, outside).await.unwrap_or_else(|refusal| panic!("{outside}: {refusal:?}"));
        }
        // And no more of them than the plan has.
        let truth = world.truth().await;
        let quota = "insert into enamel.tenant_quotas (tenant_id, id, max_webhook_subscriptions) values ($1, gen_random_uuid(), 5)";
        truth.execute(quota, &[&clinic.id]).await.unwrap();
        let many = futures_util::future::join_all((0..4).map(|_| subscription(&clinic, "https://hooks.example/z"))).await;
        assert_eq!(many.iter().filter(|made| made.is_ok()).count(), 1);
        assert!(many.iter().filter_map(|made| made.as_ref().err()).all(|refusal| refusal.code.code == "quota.exceeded"));
    });
}

#[test]
fn a_new_secret_is_shown_once_and_the_former_one_signs_on() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = clinic.staff();
        let hook = subscription(&clinic, "https://hooks.example/x").await.unwrap();
        let turn = async || match run(&staff, "rotateWebhookSubscriptionSecret", Some(hook.id), json!({})).await.unwrap() {
            Answer::Object(members) => members,
            _ => panic!("no object"),
        };
        let first = turn().await;
        assert!(first["previous_secret_expires_at"].is_null(), "there was none before");
        let second = turn().await;
        assert!(second["secret"].as_str().unwrap().starts_with("whsec_") && second["secret"] != first["secret"]);
        assert!(second["previous_secret_expires_at"].is_string());
        let held = read(&staff, &WEBHOOK_SUBSCRIPTION, hook.id).await.unwrap();
        assert!(!serde_json::to_string(&held.json).unwrap().contains("whsec_"));
        let truth = world.truth().await;
        let row = truth
            .query_one("select secret_enc, previous_secret_enc from enamel.webhook_subscriptions where id = $1", &[&hook.id])
            .await
            .unwrap();
        let keys = world.kernel.keys.of(clinic.id).await.unwrap();
        let open = |column, place| keys.open("webhook_subscriptions", column, hook.id, &row.get::<_, Vec<u8>>(place)).unwrap();
        assert_eq!(open("secret", 0), second["secret"].as_str().unwrap().as_bytes());
        assert_eq!(open("previous_secret", 1), first["secret"].as_str().unwrap().as_bytes());
        // Neither the change log nor the outbox has heard it.
        let log =
            "select count(*) from enamel.change_log where record_id = $1 and new_values::text ilike '%whsec%' or new_values ? 'secret_enc'";
        assert_eq!(truth.query_one(log, &[&hook.id]).await.unwrap().get::<_, i64>(0), 0);
        let other = world.tenant("SOLO_PRACTICE", None).await;
        let foreign = run(&other.staff(), "rotateWebhookSubscriptionSecret", Some(hook.id), json!({})).await.err().unwrap();
        assert_eq!(foreign.code.status, 404);
    });
}

#[test]
fn a_subscription_rests_and_goes_on() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = clinic.staff();
        let hook = subscription(&clinic, "https://hooks.example/x").await.unwrap();
        let step = async |name: &str| run(&staff, name, Some(hook.id), json!({})).await;
        assert_eq!(step("activateWebhookSubscription").await.err().unwrap().code.code, "state.move_refused");
        assert_eq!(record(step("pauseWebhookSubscription").await.unwrap()).text("status"), Some("PAUSED"));
        record(step("activateWebhookSubscription").await.unwrap());
        let truth = world.truth().await;
        let set =
            "update enamel.webhook_subscriptions set status = 'DISABLED', consecutive_failures = 9, disabled_at = now() where id = $1";
        truth.execute(set, &[&hook.id]).await.unwrap();
        let again = record(step("activateWebhookSubscription").await.unwrap());
        assert_eq!((again.text("status"), again.int("consecutive_failures"), again.text("disabled_at")), (Some("ACTIVE"), Some(0), None));
    });
}
