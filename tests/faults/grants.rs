//! Programs' tokens travel to the database together: one that cannot be written fails alone, and no token is told that a crash takes away.

use super::Dice;
use super::ground::{Ground, House};
use super::people::Staff;
use crate::world;
use crate::world::people::text;
use enamel::identity::token::{Kind, Token};
use futures_util::future::join_all;
use serde_json::{Value as Json, json};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_postgres::Client;
use uuid::Uuid;

const ROUNDS: usize = 10;

#[derive(Clone)]
struct Program {
    row: Uuid,
    tenant: Uuid,
    id: String,
    secret: String,
}

impl Program {
    async fn new(staff: &Staff) -> Program {
        let body = json!({"name": "Nightly", "client_type": "BACKEND", "scopes": ["system/Patient.rs"]});
        let made: Json = staff.post("/api-clients").json(&body).send().await.unwrap().json().await.unwrap();
        let row = text(&made, "id").parse().unwrap();
        Program { row, tenant: staff.tenant, id: text(&made, "client_id"), secret: text(&made, "client_secret") }
    }

    /// What it is told; nothing where no answer came.
    async fn asks(&self, house: &House, http: &reqwest::Client, changes: &[(&str, &str)]) -> Option<(u16, Json)> {
        let mut form = vec![("grant_type", "client_credentials"), ("client_id", &self.id), ("client_secret", &self.secret)];
        for (name, value) in changes {
            form.retain(|(known, _)| known != name);
            form.push((name, value));
        }
        let answer = http.post(format!("{}/oauth2/token", house.base_url)).form(&form).send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.json().await.ok()?))
    }
}

/// The sessions of a program, and how many of them the log tells of, in the program's own tenant and name.
async fn kept(truth: &Client, program: &Program) -> (i64, i64) {
    let sql = "
        select count(*), count(e.id) from enamel.sessions s
          left join enamel.audit_events e on e.session_id = s.id and e.event_type = 'LOGIN_SUCCESS' and e.outcome = 'SUCCESS'
               and e.tenant_id = $2 and e.api_client_id = $1 and e.user_id = s.user_id
         where s.api_client_id = $1 and s.active_tenant_id = $2";
    let row = truth.query_one(sql, &[&program.row, &program.tenant]).await.unwrap();
    (row.get(0), row.get(1))
}

#[test]
fn a_token_that_cannot_be_written_fails_alone() {
    world::runtime().block_on(async {
        let house = Ground::get().await.house("grants").await;
        let (here, there, truth) = (house.staff().await, house.staff().await, house.truth().await);
        let server = house.serve().await;
        let programs = [Program::new(&here).await, Program::new(&there).await, Program::new(&here).await];
        let poison = |timing: &str| {
            format!(
                "create or replace function public.poison() returns trigger language plpgsql as $$ begin raise check_violation; end $$;
                 create constraint trigger poison after insert on enamel.sessions {timing} for each row
                 when (new.api_client_id = '{}') execute function public.poison()",
                programs[2].row
            )
        };
        // Refused as it is written, and only as all of it is committed.
        for timing in ["not deferrable", "deferrable initially deferred"] {
            truth.batch_execute(&poison(timing)).await.unwrap();
            let ask = async |n: usize| {
                let wrong: &[(&str, &str)] = match n % 5 {
                    3 => &[("client_secret", "en_cs_wrong")],
                    4 => &[("scope", "system/Coverage.rs")],
                    _ => &[],
                };
                let program = &programs[n % 5 % 3];
                (n % 5, program.asks(&house, &here.http, wrong).await.unwrap())
            };
            let before = join_all(programs.iter().map(|program| kept(&truth, program))).await;
            let mut tokens = HashSet::new();
            for (kind, (status, told)) in join_all((0..60).map(ask)).await {
                let wanted = [200, 200, 503, 401, 400][kind];
                assert_eq!(status, wanted, "{timing}, {kind}: {told}");
                assert_eq!(told.get("access_token").is_some(), status == 200, "{told}");
                if status == 200 {
                    assert_eq!(told["tenant"], json!(programs[kind].tenant), "each has the token of its own tenant");
                    assert!(tokens.insert(text(&told, "access_token")), "and nobody another's");
                    let hash = Token::parse(Kind::Access, &text(&told, "access_token")).unwrap().hash();
                    let whose = "select api_client_id from enamel.sessions where token_hash = $1";
                    let row = truth.query_one(whose, &[&hash.as_bytes()]).await.unwrap();
                    assert_eq!(row.get::<_, Uuid>(0), programs[kind].row);
                }
            }
            let after = join_all(programs.iter().map(|program| kept(&truth, program))).await;
            let more: Vec<_> = after.iter().zip(before).map(|(after, before)| (after.0 - before.0, after.1 - before.1)).collect();
            assert_eq!(more, [(12, 12), (12, 12), (0, 0)], "{timing}: each token and its event, or neither");
            truth.batch_execute("drop trigger poison on enamel.sessions").await.unwrap();
        }
        assert_eq!(programs[2].asks(&house, &here.http, &[]).await.unwrap().0, 200, "nothing else was wrong with it");
        drop(server);
    });
}

#[test]
fn no_token_is_told_that_a_crash_takes_away() {
    world::runtime().block_on(async {
        let seed = Dice::seed();
        println!("seed {seed}");
        let house = Arc::new(Ground::get().await.house("grants_killed").await);
        let (staff, mut dice) = (house.staff().await, Dice::new(seed));
        let first = house.serve().await;
        let program = Program::new(&staff).await;
        drop(first);
        let (told, over) = (Arc::new(Mutex::new(Vec::<String>::new())), Arc::new(AtomicBool::new(false)));
        let asking: Vec<_> = (0..12)
            .map(|_| {
                let (house, program, told, over, http) = (house.clone(), program.clone(), told.clone(), over.clone(), staff.http.clone());
                tokio::spawn(async move {
                    while !over.load(Ordering::Relaxed) {
                        match program.asks(&house, &http, &[]).await {
                            Some((200, made)) => told.lock().unwrap().push(text(&made, "access_token")),
                            _ => tokio::time::sleep(Duration::from_millis(5)).await,
                        }
                    }
                })
            })
            .collect();
        for round in 1..=ROUNDS {
            let mut server = house.serve().await;
            while told.lock().unwrap().len() < round * 20 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            tokio::time::sleep(Duration::from_millis(dice.below(50))).await;
            server.kill_9().await;
        }
        over.store(true, Ordering::Relaxed);
        join_all(asking).await;
        let told = told.lock().unwrap().clone();
        let truth = house.truth().await;
        let hashes: Vec<Vec<u8>> = told.iter().map(|token| Token::parse(Kind::Access, token).unwrap().hash().as_bytes().to_vec()).collect();
        let sql = "
            select count(*) from enamel.sessions s join enamel.audit_events e on e.session_id = s.id and e.event_type = 'LOGIN_SUCCESS'
             where s.token_hash = any ($1)";
        let found: i64 = truth.query_one(sql, &[&hashes]).await.unwrap().get(0);
        assert_eq!(found, told.len() as i64, "seed {seed}");
        let (sessions, events) = kept(&truth, &program).await;
        assert!(sessions == events && sessions >= found, "seed {seed}: {sessions} sessions, {events} events");
    });
}
