//! P3, P5: one statement fails, whichever it is, and nothing is half done; without an audit log nothing is told.

use super::ground::Ground;
use super::people::Staff;
use crate::world;
use reqwest::StatusCode;
use serde_json::{Value as Json, json};
use tokio_postgres::Client;
use uuid::Uuid;

const TOUCHED: [&str; 5] = ["patients", "change_log", "outbox_events", "audit_events", "idempotency_keys"];

/// Raises before a statement on the table, or only at the COMMIT.
fn fault(table: &str, moment: &str) -> String {
    let trigger = match moment {
        "COMMIT" => format!(
            "create constraint trigger zz_fault after insert on enamel.{table} deferrable initially deferred for each row execute function kernel.fault()"
        ),
        on => format!("create trigger zz_fault before {on} on enamel.{table} for each row execute function kernel.fault()"),
    };
    format!(
        "create or replace function kernel.fault() returns trigger language plpgsql as $$ begin raise exception 'on demand' using errcode = 'XX000'; end $$;
         grant execute on function kernel.fault() to public; {trigger}"
    )
}

async fn rows(truth: &Client) -> Vec<i64> {
    let mut counts = Vec::new();
    for table in TOUCHED {
        counts.push(truth.query_one(&format!("select count(*) from enamel.{table}"), &[]).await.unwrap().get(0));
    }
    counts
}

#[test]
fn whichever_statement_fails_nothing_is_half_done() {
    world::runtime().block_on(async {
        let house = Ground::get().await.house("statements").await;
        let _server = house.serve().await;
        let (truth, staff) = (house.truth().await, house.staff().await);
        staff.patient("First").await;
        let moments = TOUCHED.iter().flat_map(|table| [(*table, "INSERT"), (*table, "COMMIT")]).chain([("idempotency_keys", "UPDATE")]);
        for (table, moment) in moments {
            let before = rows(&truth).await;
            let (key, body) = (Uuid::new_v4().to_string(), json!({"last_name": format!("Fault {table} {moment}")}));
            let create = || staff.post("/patients").header("idempotency-key", &key).json(&body).send();
            truth.batch_execute(&fault(table, moment)).await.unwrap();
            let failed = create().await.unwrap();
            assert!(failed.status().is_server_error(), "{moment} on {table}: {}", failed.status());
            assert!(!failed.text().await.unwrap().contains("Fault"), "the failure tells what was sent");
            assert_eq!(rows(&truth).await, before, "{moment} on {table} left something");
            truth.batch_execute(&format!("drop trigger zz_fault on enamel.{table}")).await.unwrap();

            // The key was not used up by the failure, and works once.
            for _ in 0..2 {
                assert_eq!(create().await.unwrap().status(), StatusCode::CREATED, "after {moment} on {table}");
            }
            // Audited twice: done, and told again.
            let expected: Vec<i64> = before.iter().zip([1, 1, 1, 2, 1]).map(|(before, more)| before + more).collect();
            assert_eq!(rows(&truth).await, expected, "after {moment} on {table}");
        }
    });
}

#[test]
fn a_change_that_fails_leaves_the_record_as_it_was() {
    world::runtime().block_on(async {
        let house = Ground::get().await.house("changes").await;
        let _server = house.serve().await;
        let (truth, staff) = (house.truth().await, house.staff().await);
        let made = staff.patient("Steady").await;
        let path = format!("/patients/{}", made["id"].as_str().unwrap());
        for (table, moment) in [
            ("patients", "UPDATE"),
            ("change_log", "INSERT"),
            ("outbox_events", "INSERT"),
            ("audit_events", "INSERT"),
            ("change_log", "COMMIT"),
        ] {
            let before = rows(&truth).await;
            truth.batch_execute(&fault(table, moment)).await.unwrap();
            let change = staff.request(reqwest::Method::PATCH, &path).header("if-match", "W/\"1\"").json(&json!({"last_name": "Shaken"}));
            assert!(change.send().await.unwrap().status().is_server_error(), "{moment} on {table}");
            truth.batch_execute(&format!("drop trigger zz_fault on enamel.{table}")).await.unwrap();
            assert_eq!(rows(&truth).await, before, "{moment} on {table} left something");
            let read: Json = staff.get(&path).send().await.unwrap().json().await.unwrap();
            assert_eq!(read, made, "{moment} on {table}");
        }
    });
}

#[test]
fn nothing_is_read_that_cannot_be_audited() {
    world::runtime().block_on(async {
        let house = Ground::get().await.house("unaudited").await;
        let _server = house.serve().await;
        let (truth, staff) = (house.truth().await, house.staff().await);
        let made = staff.patient("Secretive").await;
        let path = format!("/patients/{}", made["id"].as_str().unwrap());
        let readings = [path.clone(), "/patients".to_owned(), format!("/patients/{}", Uuid::now_v7())];

        truth.batch_execute("revoke execute on function sec.audit_append(jsonb) from enamel_log").await.unwrap();
        for reading in &readings {
            silent(&staff, reading).await;
        }
        truth.batch_execute("revoke execute on function sec.audit_append(jsonb) from enamel_staff").await.unwrap();
        let before = rows(&truth).await;
        let change = staff.post("/patients").json(&json!({"last_name": "Unheard"})).send().await.unwrap();
        assert_eq!(change.status(), StatusCode::SERVICE_UNAVAILABLE, "a change that cannot be audited");
        assert_eq!(rows(&truth).await, before);

        truth.batch_execute("grant execute on function sec.audit_append(jsonb) to enamel_log, enamel_staff").await.unwrap();
        let read: Json = staff.get(&path).send().await.unwrap().json().await.unwrap();
        assert_eq!(read, made);
        staff.patient("Heard").await;
    });
}

async fn silent(staff: &Staff, path: &str) {
    let answer = staff.get(path).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
    assert!(answer.headers().contains_key("retry-after"));
    let told = answer.text().await.unwrap();
    assert!(!told.contains("Secretive") && !told.contains("audit_append"), "{told}");
}
