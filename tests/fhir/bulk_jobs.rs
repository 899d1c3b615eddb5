//! Bulk jobs on their way: called off, left behind by a server, ordered by somebody who may no longer.

use super::bulk::{chart, held, local};
use super::{Clinic, id, patient};
use crate::world::{self, World};
use poem::http::Method;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

async fn rows(world: &World, job: &str) -> i64 {
    let job: Uuid = job.rsplit('/').next().unwrap().parse().unwrap();
    world.truth().await.query_one("select count(*) from enamel.job_files where job_id = $1", &[&job]).await.unwrap().get(0)
}

#[test]
fn what_is_called_off_leaves_nothing_and_few_run_at_once() {
    world::with(async |world| {
        let clinic: Clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        chart(&fhir, "One").await;
        let done = fhir.place(fhir.kick("/$export?_type=Patient").await).await;
        let file = local(fhir.ended(&done).await.body["output"][0]["url"].as_str().unwrap());
        let open = held(world).await;
        let mut waiting = Vec::new();
        for _ in 0..3 {
            waiting.push(fhir.place(fhir.kick("/$export?_type=Patient").await).await);
        }
        let fourth = fhir.kick("/$export?_type=Patient").await;
        assert_eq!((fourth.status.as_u16(), fourth.headers.contains_key("retry-after")), (429, true));
        let under_way = fhir.get(&waiting[0]).await;
        assert_eq!((under_way.status.as_u16(), under_way.headers.contains_key("x-progress")), (202, true));
        waiting.push(done);
        for place in &waiting {
            assert_eq!(fhir.send(Method::DELETE, place, &[], Vec::new()).await.status, 202);
            let gone = fhir.get(place).await;
            assert_eq!((gone.status.as_u16(), &gone.body["resourceType"]), (404, &json!("OperationOutcome")));
            assert_eq!(fhir.send(Method::DELETE, place, &[], Vec::new()).await.status, 404);
        }
        open.batch_execute("commit").await.unwrap();
        assert_eq!(fhir.get(&file).await.status, 404);
        for place in &waiting {
            while rows(world, place).await > 0 {
                enamel::server::fhir::jobs::sweep(&world.kernel).await.unwrap();
            }
        }
    });
}

/// As if a server had died in the middle: what it had written stands, what it had begun goes, the rest is done by the next.
#[test]
fn a_job_goes_on_behind_what_a_dead_server_wrote() {
    world::with(async |world| {
        let clinic: Clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        chart(&fhir, "One").await;
        let open = held(world).await;
        let place = fhir.place(fhir.kick("/$export?_type=Patient,Flag").await).await;
        let job: Uuid = place.rsplit('/').next().unwrap().parse().unwrap();
        let truth = world.truth().await;
        // The worker has it and waits; its attempt is taken from it.
        loop {
            let taken = "update enamel.jobs set attempts = attempts + 1, lease_until = clock_timestamp() + interval '1 hour'
                          where id = $1 and status = 'RUNNING'";
            if truth.execute(taken, &[&job]).await.unwrap() == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let files =
            [("Patient/0", true, json!({"resourceType": "Patient", "id": "written-before"})), ("Flag/0", false, json!({"half": "a file"}))];
        let mut keys = Vec::new();
        for (slice, ready, line) in files {
            let (id, key) = (Uuid::now_v7(), format!("{}/jobs/{job}/{slice}", clinic.id));
            world.kernel.storage.put(&key, "application/fhir+ndjson", format!("{line}\n").into()).await.unwrap();
            let type_name = slice.split('/').next().unwrap();
            let row = "insert into enamel.job_files (tenant_id, id, job_id, slice, part, kind, resource_type, storage_key, resource_count, byte_size, ready)
                       values ($1, $2, $3, $4, 0, 'OUTPUT', $5, $6, 1, $7, $8)";
            let size = i64::try_from(format!("{line}\n").len()).unwrap();
            truth.execute(row, &[&clinic.id, &id, &job, &slice, &type_name, &key, &size, &ready]).await.unwrap();
            keys.push(key);
        }
        // Now the server is dead: its lease has run out.
        let dead = "update enamel.jobs set lease_until = clock_timestamp() - interval '1 second' where id = $1";
        truth.execute(dead, &[&job]).await.unwrap();
        open.batch_execute("commit").await.unwrap();
        let ended = loop {
            // The world's own worker looks every ten seconds; whoever comes first has it.
            enamel::server::fhir::jobs::run(world.kernel.clone(), clinic.id, job).await.unwrap();
            let answer = fhir.get(&place).await;
            if ![202, 429].contains(&answer.status.as_u16()) {
                break answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(ended.status, 200, "{}", ended.body);
        let taken = fhir.taken(ended.body).await;
        assert_eq!(taken.ids("Patient"), ["written-before"], "what was complete is not written again");
        assert_eq!(taken.ids("Flag").len(), 2);
        assert!(world.kernel.storage.head(&keys[1]).await.is_err(), "what was half is gone");
        let started: i64 = truth
            .query_one(
                "select count(*) from enamel.audit_events where tenant_id = $1 and event_type = 'EXPORT_STARTED' and resource_id = $2",
                &[&clinic.id, &job],
            )
            .await
            .unwrap()
            .get(0);
        assert_eq!(started, 1);
    });
}

#[test]
fn whoever_may_no_longer_is_given_nothing() {
    world::with(async |world| {
        let clinic: Clinic = world.tenant("SOLO_PRACTICE", None).await;
        chart(&clinic.fhir(), "One").await;
        let (client, secret) = clinic.client("system/*.rs").await;
        let token = async || {
            let form = [("grant_type", "client_credentials"), ("scope", "system/*.rs")];
            world.exchange(Some((&client, &secret)), &form).await.1["access_token"].as_str().unwrap().to_owned()
        };
        let (first, second) = (token().await, token().await);
        let ask = async |token: &str, path: &str| {
            let request = world.http.get(format!("{}/fhir/r4{path}", world.base_url)).bearer_auth(token);
            request.header("prefer", "respond-async").send().await.unwrap()
        };
        let open = held(world).await;
        let kicked = ask(&first, "/$export?_type=Patient").await;
        assert_eq!(kicked.status(), 202);
        let place = local(kicked.headers()["content-location"].to_str().unwrap());
        let revoked = world.http.post(format!("{}/oauth2/revoke", world.base_url)).basic_auth(&client, Some(&secret));
        assert_eq!(revoked.form(&[("token", first.as_str())]).send().await.unwrap().status(), 200);
        open.batch_execute("commit").await.unwrap();
        let status = loop {
            let answer = ask(&second, &place).await;
            if ![202, 429].contains(&answer.status().as_u16()) {
                break answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(status.status(), 500);
        assert_eq!(status.json::<Value>().await.unwrap()["resourceType"], "OperationOutcome");
    });
}

/// More than a page of records, and what each patient's own log says of it.
#[test]
fn pages_follow_each_other_and_every_patient_is_told() {
    world::with(async |world| {
        let clinic: Clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let entry = |n: usize| json!({"resource": {"resourceType": "Basic", "code": {"text": format!("{n}")}}, "request": {"method": "POST", "url": "Basic"}});
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": (0..260).map(entry).collect::<Vec<_>>()});
        assert_eq!(fhir.post("/", &bundle).await.status, 200);
        let who = id(&fhir.made(patient("Told")).await);
        let taken = fhir.export("/$export?_type=Basic,Patient").await;
        let ids = taken.ids("Basic");
        assert_eq!(ids.len(), 260);
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "each once");
        let told = "select count(*) from enamel.audit_events where tenant_id = $1 and event_type = 'RECORD_SEARCHED'
                       and (patient_id::text = $2 or metadata::text like '%' || $2 || '%')";
        let told: i64 = world.truth().await.query_one(told, &[&clinic.id, &who]).await.unwrap().get(0);
        assert_eq!(told, 1);
    });
}
