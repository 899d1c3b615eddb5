//! A regulator sees a tenant's log by a mandate, while it lasts, and leaves its trace there.

use crate::world::{self, World};
use chrono::{TimeDelta, Utc};
use enamel::governance::audit_event::AUDIT_EVENT;
use enamel::governance::audit_mandate::AUDIT_MANDATE;
use enamel::governance::requests::{EXPORT, KEYS, REVOKE, Recorded, SUMMARY};
use enamel::kernel::Caller;
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::error::{self, Result};
use enamel::kernel::operation::{Answer, Call, Operation, Run, checked};
use enamel::kernel::table::{Draft, List, Record, store};
use futures_util::TryStreamExt;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// Runs an operation as its contract does.
pub async fn call(operation: &'static Operation, caller: Caller, id: Option<Uuid>, body: &Json) -> Result<Answer> {
    caller.on(operation.planes)?;
    caller.needs(operation.permission)?;
    let body = body.as_object().unwrap().clone();
    let call = Call { operation, caller: caller.clone(), id, input: checked(operation, &body)?, body, version: None };
    match operation.run {
        Run::Apart(run) => run(call).await,
        Run::Inside(run) => {
            let mut scope = caller.kernel.door.open(&caller.context).await?;
            let answer = run(&mut scope, &call).await?;
            scope.commit().await?;
            Ok(answer)
        }
    }
}

async fn user(world: &World) -> Uuid {
    let id = Uuid::now_v7();
    let truth = world.truth().await;
    truth
        .execute(
            "insert into enamel.users (id, email, full_name, status) values ($1, $2, 'Auditor', 'ACTIVE')",
            &[&id, &format!("{id}@example.org")],
        )
        .await
        .unwrap();
    id
}

fn mandate(auditor: Uuid, regulator: Option<Uuid>, days: (i64, i64), permissions: &[&str]) -> Json {
    let at = |days| (Utc::now() + TimeDelta::days(days)).to_rfc3339();
    json!({"auditor_user_id": auditor, "auditor_tenant_id": regulator, "legal_basis": "GDPR Art. 58", "permissions": permissions,
        "valid_from": at(days.0), "valid_until": at(days.1)})
}

async fn create(caller: &Caller, body: &Json) -> Result<Record> {
    let draft = Draft::create(&AUDIT_MANDATE, body.as_object().unwrap())?;
    let mut scope = caller.write(Permission::ManageGovernance).await?;
    let record = store::insert(&mut scope, &AUDIT_MANDATE, &draft, &caller.kernel.keys).await?;
    scope.commit().await?;
    Ok(record)
}

/// The events of `tenant` that a caller sees.
async fn seen(caller: &Caller, tenant: Uuid) -> usize {
    let scope = caller.read(&AUDIT_EVENT).await.unwrap();
    let (records, _) = store::list(scope, &List::new(&AUDIT_EVENT), &caller.kernel.keys).await.unwrap();
    let context = caller.reading(&AUDIT_EVENT).unwrap();
    caller.searched(&context, &AUDIT_EVENT, &records).await.unwrap();
    records.iter().filter(|record| record.tenant == tenant).count()
}

fn today() -> Json {
    let day = Utc::now().date_naive();
    json!({"from": format!("{day}T00:00:00Z"), "to": format!("{}T00:00:00Z", day.succ_opt().unwrap())})
}

async fn exported(answer: Answer) -> Vec<u8> {
    match answer {
        Answer::Bytes(parts) => parts
            .try_fold(Vec::new(), async |mut all, part| {
                all.extend_from_slice(&part);
                Ok(all)
            })
            .await
            .unwrap(),
        _ => panic!("no stream"),
    }
}

#[test]
fn a_mandate_opens_a_log_until_it_ends() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let regulator = world.tenant("REGULATOR", None).await;
        let auditor = user(world).await;
        let caller = world.caller(Plane::Audit, regulator.id, Some(auditor), &[Permission::ViewAudit]);
        clinic.patient("Ångström").await.unwrap();
        other.patient("Baker").await.unwrap();
        assert_eq!(seen(&caller, clinic.id).await, 0);

        // Not yet valid, and over.
        let early = create(&clinic.staff(), &mandate(auditor, Some(regulator.id), (1, 2), &["view_audit"])).await.unwrap();
        assert_eq!(seen(&caller, clinic.id).await, 0);
        call(&REVOKE, clinic.staff(), Some(early.id), &json!({})).await.unwrap();
        let late = create(&clinic.staff(), &mandate(auditor, None, (-2, -1), &["view_audit"])).await.unwrap();
        assert_eq!(seen(&caller, clinic.id).await, 0);
        call(&REVOKE, clinic.staff(), Some(late.id), &json!({})).await.unwrap();
        // For other things than the log.
        let narrow = create(&clinic.staff(), &mandate(auditor, None, (-1, 1), &["view_tenant"])).await.unwrap();
        assert_eq!(seen(&caller, clinic.id).await, 0);
        call(&REVOKE, clinic.staff(), Some(narrow.id), &json!({})).await.unwrap();

        let held = create(&clinic.staff(), &mandate(auditor, Some(regulator.id), (-1, 1), &["view_audit"])).await.unwrap();
        assert!(seen(&caller, clinic.id).await > 0);
        assert_eq!(seen(&caller, other.id).await, 0);
        let trace = "select count(*) from enamel.audit_events where tenant_id = $1 and user_id = $2 and plane = 'AUDIT' and purpose_of_use = 'AUDIT'";
        let traces: i64 = world.truth().await.query_one(trace, &[&clinic.id, &auditor]).await.unwrap().get(0);
        assert!(traces > 0, "the tenant sees that its log was read");

        call(&REVOKE, clinic.staff(), Some(held.id), &json!({})).await.unwrap();
        assert_eq!(seen(&caller, clinic.id).await, 0, "from the next statement on");
        let again = call(&REVOKE, clinic.staff(), Some(held.id), &json!({})).await.err().unwrap();
        assert_eq!(again.code, &error::MOVE_REFUSED);
    });
}

#[test]
fn mandates_lend_reading_only_and_come_from_the_tenant() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let auditor = user(world).await;
        let refusal = async |caller: Caller, body: Json| create(&caller, &body).await.unwrap_err();
        for permissions in [vec!["edit_patient"], vec!["view_nothing"], vec![]] {
            let refused = refusal(clinic.staff(), mandate(auditor, None, (-1, 1), &permissions)).await;
            assert_eq!((refused.code, refused.faults[0].field.as_str()), (&error::INVALID, "permissions"));
        }
        let not_regulator = refusal(clinic.staff(), mandate(auditor, Some(clinic.id), (-1, 1), &["view_audit"])).await;
        assert_eq!((not_regulator.code, not_regulator.faults[0].field.as_str()), (&error::REFERENCE_UNKNOWN, "auditor_tenant_id"));
        let unknown = refusal(clinic.staff(), mandate(Uuid::now_v7(), None, (-1, 1), &["view_audit"])).await;
        assert_eq!((unknown.code, unknown.faults[0].field.as_str()), (&error::REFERENCE_UNKNOWN, "auditor_user_id"));
        let dentist = world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewAudit]);
        assert_eq!(refusal(dentist, mandate(auditor, None, (-1, 1), &["view_audit"])).await.code, &error::FORBIDDEN);
        let itself = world.caller(Plane::Audit, clinic.id, Some(auditor), Permission::ALL);
        assert_eq!(refusal(itself, mandate(auditor, None, (-1, 1), &["view_audit"])).await.code, &error::FORBIDDEN);
        let platform = world.caller(Plane::Platform, clinic.id, None, &[]);
        create(&platform, &mandate(auditor, None, (-1, 1), &["view_audit"])).await.unwrap();
    });
}

#[test]
fn packages_go_to_the_tenant_and_its_regulator_and_to_nobody_else() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let auditor = user(world).await;
        let caller = world.caller(Plane::Audit, clinic.id, Some(auditor), &[Permission::ViewAudit]);
        let with = |tenant: Uuid| {
            let mut body = today();
            body["tenant_id"] = json!(tenant);
            body
        };
        clinic.patient("Ångström").await.unwrap();
        for (caller, tenant) in
            [(&caller, clinic.id), (&caller, Uuid::now_v7()), (&clinic.staff(), other.id), (&clinic.staff(), Uuid::now_v7())]
        {
            let refused = call(&EXPORT, caller.clone(), None, &with(tenant)).await.err().unwrap();
            assert_eq!((refused.code, refused.detail, refused.faults.len()), (&error::NOT_FOUND, None, 0));
        }
        let odd = json!({"from": "2026-11-20T00:30:00Z", "to": "2026-11-20T00:00:00Z"});
        assert_eq!(call(&EXPORT, clinic.staff(), None, &odd).await.err().unwrap().code, &error::INVALID);
        let blind = world.caller(Plane::Staff, clinic.id, None, &[]);
        assert_eq!(call(&EXPORT, blind, None, &today()).await.err().unwrap().code, &error::FORBIDDEN);

        create(&clinic.staff(), &mandate(auditor, None, (-1, 1), &["view_audit"])).await.unwrap();
        let Answer::Object(keys) = call(&KEYS, caller.clone(), None, &json!({})).await.unwrap() else { panic!("no keys") };
        let keys: Vec<&str> = ["sealing_key", "anchoring_key", "export_key"].map(|name| keys[name].as_str().unwrap()).to_vec();
        let keys = enamel::kernel::audit::PinnedKeys::from_base64(keys).unwrap();
        for caller in [&caller, &clinic.staff()] {
            let package = exported(call(&EXPORT, caller.clone(), None, &with(clinic.id)).await.unwrap()).await;
            assert!(enamel::kernel::audit::verify(&package[..], &keys).is_good());
        }
        let told = world
            .truth()
            .await
            .query(
                "select event_type, user_id, metadata ->> 'events' from enamel.audit_events
            where tenant_id = $1 and event_type like 'EXPORT%' order by occurred_at, id",
                &[&clinic.id],
            )
            .await
            .unwrap();
        let told: Vec<(String, Option<Uuid>, bool)> =
            told.iter().map(|row| (row.get(0), row.get(1), row.get::<_, Option<&str>>(2).is_some())).collect();
        let of = |who| [("EXPORT_STARTED".to_owned(), who, false), ("EXPORT_COMPLETED".to_owned(), who, true)];
        assert_eq!(told, [of(Some(auditor)), of(None)].concat());

        let Answer::Object(summary) = call(&SUMMARY, caller.clone(), None, &today()).await.unwrap() else { panic!("no summary") };
        let of_day = summary["days"].as_object().unwrap().values().next().unwrap();
        assert_eq!((&of_day["PATIENT_CREATED"], &of_day["EXPORT_COMPLETED"]), (&json!(1), &json!(2)));
    });
}

/// A regulator who reads slowly, and a clinic that ends the mandate meanwhile.
#[test]
fn a_mandate_that_ends_takes_the_running_export_with_it() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let auditor = user(world).await;
        let caller = world.caller(Plane::Audit, clinic.id, Some(auditor), &[Permission::ViewAudit]);
        let held = create(&clinic.staff(), &mandate(auditor, None, (-1, 1), &["view_audit"])).await.unwrap();
        // More than waits between the exporter and its receiver.
        for _ in 0..16 {
            let events = (0..500).map(|_| world.kernel.audit.record(super::house::event(clinic.id)));
            futures_util::future::try_join_all(events).await.unwrap();
        }
        let truth = world.truth().await;
        let unsealed = "select count(*) from enamel.audit_events where tenant_id = $1
             and transaction_id >= coalesce((select max(to_transaction) from enamel.audit_seals), '')";
        for _ in 0..400 {
            if truth.query_one(unsealed, &[&clinic.id]).await.unwrap().get::<_, i64>(0) == 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        let mut asked = today();
        asked["tenant_id"] = json!(clinic.id);
        let Answer::Bytes(mut parts) = call(&EXPORT, caller, None, &asked).await.unwrap() else { panic!("no stream") };
        assert!(parts.try_next().await.unwrap().is_some(), "it runs");
        call(&REVOKE, clinic.staff(), Some(held.id), &json!({})).await.unwrap();
        let ended = "select outcome from enamel.audit_events where tenant_id = $1 and event_type = 'EXPORT_COMPLETED'";
        let mut outcome = None;
        for _ in 0..100 {
            outcome = truth.query_opt(ended, &[&clinic.id]).await.unwrap().map(|row| row.get::<_, String>(0));
            if outcome.is_some() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(outcome.as_deref(), Some("DENIED"), "while the receiver still waits");
        assert!(parts.try_collect::<Vec<_>>().await.is_err(), "a package that is broken off is no package");
    });
}

/// What a server that died leaves is told once, by whichever server comes first; what still runs is left alone.
#[test]
fn exports_of_a_dead_server_are_told_aborted() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let day = Utc::now().date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
        let range = enamel::governance::requests::hours(clinic.id, day, day + TimeDelta::hours(24)).unwrap();
        let begin = || Recorded::start(world.kernel.clone(), clinic.staff().context, range);
        let (dead, alive) = (begin().await.unwrap(), begin().await.unwrap());
        let truth = world.truth().await;
        let told = async || {
            let sql = "select count(*) filter (where outcome = 'ABORTED' and user_id is null), count(*) from enamel.audit_events
                where tenant_id = $1 and event_type = 'EXPORT_COMPLETED'";
            let row = truth.query_one(sql, &[&clinic.id]).await.unwrap();
            (row.get::<_, i64>(0), row.get::<_, i64>(1))
        };
        let round = || enamel::server::worker::round(&world.kernel, Utc::now());
        round().await;
        assert_eq!(told().await, (0, 0), "both run");
        drop(dead);
        for _ in 0..100 {
            tokio::join!(round(), round());
            if told().await != (0, 0) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert_eq!(told().await, (1, 1));
        let (sink, mut parts) = tokio::sync::mpsc::channel(64);
        alive.run(&sink).await;
        drop(sink);
        while parts.recv().await.is_some() {}
        round().await;
        assert_eq!(told().await, (1, 2));
    });
}
