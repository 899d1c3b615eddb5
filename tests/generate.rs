//! `enamel generate`: what it promises of what it loads.

use crate::audit::house::House;
use crate::world::{self, World, tenants::Clinic};
use chrono::NaiveDate;
use enamel::cli::generate::{Loaded, Plan, load};
use enamel::kernel::db::Connector;
use serde_json::Value as Json;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio_postgres::Client;

fn plan(seed: u32) -> Plan {
    Plan { tenants: 3, patients: 240, seed, day: NaiveDate::from_ymd_opt(2026, 3, 2).unwrap(), patients_only: false }
}

async fn into_world(world: &World, plan: &Plan, stop: bool) -> (Loaded, u64) {
    let admin = Connector { config: world.cluster().superuser_config("world"), tls: None };
    let (told, stop) = (AtomicU64::new(0), AtomicBool::new(stop));
    let loaded = load(&admin, &world.kernel, plan, &stop, |patients| {
        told.fetch_add(patients, Ordering::Relaxed);
    });
    (loaded.await.unwrap(), told.load(Ordering::Relaxed))
}

/// What each tenant's audit log says of its load, in the order of the tenants.
async fn events(truth: &Client, plan: &Plan) -> Vec<Json> {
    let ids: Vec<_> = (1..=plan.tenants).map(|number| plan.tenant_id(number)).collect();
    let sql = "select metadata from enamel.audit_events where tenant_id = any ($1) and event_type = 'DATA_LOADED' order by tenant_id";
    truth.query(sql, &[&ids]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn a_load_is_read_through_the_policies_and_told_once() {
    world::with(async |world| {
        let plan = plan(11);
        let (loaded, told) = into_world(world, &plan, false).await;
        let patients: u64 = plan.shares().iter().map(|share| share.patients).sum();
        assert_eq!((loaded.tenants, told), (3, patients));
        assert!(loaded.rows > 10 * patients, "{}", loaded.rows);
        let said = events(&world.truth().await, &plan).await;
        assert_eq!(said.len(), 3);
        let share = plan.shares()[1];
        let even = (share.first..share.first + share.patients).filter(|number| number % 2 == 0).count() as u64;
        assert_eq!(said[1]["rows"]["appointments"], share.patients + even);

        let clinic = Clinic { id: plan.tenant_id(2), world };
        let token = clinic.token("TENANT_ADMIN").await;
        let number = share.first.next_multiple_of(2);
        let patient = plan.patient_id(number);
        let (_, read) = world.get(Some(&token), &format!("/patients/{patient}")).await;
        assert_eq!((&read["version"], &read["created_by"]), (&1.into(), &plan.author_id(2).to_string().into()), "{read}");
        let policies = format!("/patient-insurance-policies?patient_id={patient}");
        let (_, policies) = world.get(Some(&token), &policies).await;
        assert_eq!(policies["items"][0]["policy_number"], format!("P11-{number:09}"));
        let fhir = format!("{}/fhir/r4/Coverage?patient={patient}", world.base_url);
        let found: Json = world.http.get(fhir).bearer_auth(&token).send().await.unwrap().json().await.unwrap();
        assert_eq!(found["entry"].as_array().map(Vec::len), Some(1), "{found}");
        assert_eq!(world.get(Some(&token), &format!("/patients/{}", plan.patient_id(0))).await.0, 404);

        let (again, _) = into_world(world, &plan, false).await;
        assert_eq!((again.tenants, again.rows), (3, 0));
        assert_eq!(events(&world.truth().await, &plan).await, said);
        assert_eq!(into_world(world, &self::plan(12), true).await.0.tenants, 0, "stopped before the first");
    });
}

#[test]
fn what_became_of_its_claims_adds_up() {
    world::with(async |world| {
        let plan = plan(17);
        into_world(world, &plan, false).await;
        let (truth, tenant) = (world.truth().await, plan.tenant_id(2));
        let count = async |what: &str| truth.query_one(&format!("select count(*) from {what}"), &[&tenant]).await.unwrap().get::<_, i64>(0);
        let states = "(select distinct status from enamel.claims where tenant_id = $1) s";
        assert!(count(states).await >= 5, "in most states there are");
        // Each claim stands where its last event led, by moves there are.
        let astray = "enamel.claims c where tenant_id = $1 and status <> coalesce((select e.to_status from enamel.claim_status_events e
            where e.tenant_id = c.tenant_id and e.claim_id = c.id order by e.occurred_at desc limit 1), 'DRAFT')";
        let moves = enamel::claims::claim::CLAIM.machines[0].moves.iter().map(|step| format!("('{}', '{}')", step.from, step.to));
        let leaps = format!(
            "enamel.claim_status_events where tenant_id = $1 and (from_status, to_status) not in ({})",
            moves.collect::<Vec<_>>().join(", ")
        );
        assert_eq!((count(astray).await, count(&leaps).await), (0, 0));
        let unsummed = "enamel.claims c where tenant_id = $1 and total_billed_minor <>
            (select sum(billed_minor) from enamel.claim_lines l where l.tenant_id = c.tenant_id and l.claim_id = c.id)";
        let unpaid = "enamel.claims c where tenant_id = $1 and status = 'PAID' and not exists (select from enamel.payments p
            where p.tenant_id = c.tenant_id and p.claim_id = c.id and p.amount_minor = c.total_paid_minor and p.patient_id = c.patient_id)";
        assert_eq!((count(unsummed).await, count(unpaid).await), (0, 0));
        // The database's own judgement of an advice, asked again.
        let advices = "enamel.remittances where tenant_id = $1 and status = 'POSTED' and amount_minor > 0";
        assert_eq!(count(advices).await, 3);
        let unbalanced =
            "enamel.remittances r where tenant_id = $1 and amount_minor <> (select sum(paid_minor) from enamel.remittance_lines l
            where l.tenant_id = r.tenant_id and l.remittance_id = r.id and l.claim_line_id is null)";
        let odd = "enamel.remittance_lines where tenant_id = $1 and billed_minor - paid_minor <>
            (select sum((a ->> 'amount_minor')::bigint) from jsonb_array_elements(adjustments) a)";
        assert_eq!((count(unbalanced).await, count(odd).await), (0, 0));

        let token = Clinic { id: tenant, world }.token("TENANT_ADMIN").await;
        let (_, paid) = world.get(Some(&token), "/claims?status=PAID&limit=1").await;
        let lines = format!("/remittance-lines?claim_id={}", paid["items"][0]["id"].as_str().unwrap());
        assert_eq!(world.get(Some(&token), &lines).await.1["items"].as_array().map(Vec::len), Some(2));
    });
}

#[test]
fn the_same_seed_makes_the_same_content_and_every_foreign_key_holds() {
    world::with(async |world| {
        let plan = plan(13);
        into_world(world, &plan, false).await;
        let house = House::new(world, "loaded").await;
        let admin = Connector { config: world.cluster().superuser_config("loaded"), tls: None };
        load(&admin, &house.kernel, &plan, &AtomicBool::new(false), |_| {}).await.unwrap();
        let truth = &house.truth;
        let said = events(truth, &plan).await;
        assert_eq!(said, events(&world.truth().await, &plan).await);
        // Added anew, a constraint is checked for every row.
        let sql = "select format('alter table %s drop constraint %I, add constraint %I %s', conrelid::regclass, conname, conname, pg_get_constraintdef(oid))
                     from pg_constraint where contype in ('f', 'c') and connamespace = 'enamel'::regnamespace and conparentid = 0
                      and conrelid = any (array(select ('enamel.' || t)::regclass from unnest($1::text[]) t))";
        let tables: Vec<&str> = said[0]["rows"].as_object().unwrap().keys().map(String::as_str).collect();
        let constraints = truth.query(sql, &[&tables]).await.unwrap();
        assert!(constraints.len() > 100, "{}", constraints.len());
        for row in constraints {
            truth.batch_execute(row.get(0)).await.unwrap();
        }
    });
}
