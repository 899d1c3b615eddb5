//! What each may spend, on one server and on several, and that nobody's greed is another's wait.

use crate::world::operations::{create, run};
use crate::world::people::text;
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use enamel::kernel::Kernel;
use enamel::kernel::context::{Context, Plane, Rates};
use enamel::kernel::operation::Answer;
use enamel::server::limits::Limits;
use enamel::server::limits::cost::Kind;
use enamel::server::limits::exchange::Exchange;
use enamel::server::start;
use enamel::tenancy::tenant_subscription::TENANT_SUBSCRIPTION;
use futures_util::FutureExt;
use serde_json::{Value as Json, json};
use std::sync::Arc;
use uuid::Uuid;

/// What an answer says: status, `RateLimit-Policy`, what is left of each limit, `Retry-After`, body.
struct Told {
    status: u16,
    policy: String,
    left: Vec<(String, u32)>,
    retry_after: Option<u64>,
    body: Json,
}

async fn ask(world: &World, token: &str, path: &str) -> Told {
    let answer = world.http.get(format!("{}{path}", world.base_url)).bearer_auth(token).send().await.unwrap();
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let left = header("ratelimit").unwrap_or_default();
    let left = left.split(", ").filter(|item| !item.is_empty()).map(|item| {
        let mut parts = item.split(';');
        let (name, rest) = (parts.next().unwrap().trim_matches('"').to_owned(), parts.next().unwrap());
        let reset: u64 = parts.next().unwrap().strip_prefix("t=").unwrap().parse().unwrap();
        assert!((1..=62).contains(&reset), "{item}");
        (name, rest.strip_prefix("r=").unwrap().parse().unwrap())
    });
    Told {
        status: answer.status().as_u16(),
        policy: header("ratelimit-policy").unwrap_or_default(),
        left: left.collect(),
        retry_after: header("retry-after").map(|seconds| seconds.parse().unwrap()),
        body: serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default(),
    }
}

struct Program {
    id: Uuid,
    client: (String, String),
}

impl Program {
    async fn limited(clinic: &Clinic, admin: &str, limit: u32) -> Program {
        let body = json!({"name": "Limited", "client_type": "BACKEND", "scopes": ["system/*.cruds"], "rate_limit_per_minute": limit});
        let (status, made) = clinic.world.post(Some(admin), "/api-clients", body).await;
        assert_eq!(status, 201, "{made}");
        Program { id: text(&made, "id").parse().unwrap(), client: (text(&made, "client_id"), text(&made, "client_secret")) }
    }
    /// A new token: no server has an older answer about it.
    async fn token(&self, world: &World) -> String {
        let (id, secret) = &self.client;
        let form = [("grant_type", "client_credentials"), ("scope", "system/*.cruds")];
        text(&world.exchange(Some((id, secret)), &form).await.1, "access_token")
    }
}

#[test]
fn a_limit_is_told_kept_and_felt_when_it_changes() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let patient = clinic.patient("Read").await.unwrap().id;
        let admin = clinic.token("TENANT_ADMIN").await;
        let program = Program::limited(&clinic, &admin, 20).await;
        let token = program.token(world).await;
        let first = ask(world, &token, "/api/v1/patients").await;
        assert_eq!((first.status, first.policy.as_str()), (200, "\"client\";q=20;w=60"));
        assert_eq!(first.left, [("client".to_owned(), 15)], "a list costs five");
        let read = ask(world, &token, &format!("/fhir/r4/Patient/{patient}")).await;
        assert_eq!((read.status, read.left), (200, vec![("client".to_owned(), 14)]), "a read costs one");
        let lost = ask(world, &token, &format!("/api/v1/patients/{}", Uuid::now_v7())).await;
        assert_eq!((lost.status, lost.left), (404, vec![("client".to_owned(), 13)]), "what is not there too");
        for left in [8, 3] {
            assert_eq!(ask(world, &token, "/fhir/r4/Patient?_count=1").await.left[0].1, left);
        }
        let refused = ask(world, &token, "/api/v1/patients").await;
        assert_eq!((refused.status, refused.left[0].1, text(&refused.body, "code")), (429, 3, "rate.limited".to_owned()));
        assert!((1..=62).contains(&refused.retry_after.unwrap()) && text(&refused.body, "detail").contains("\"client\" of 20"));
        let outcome = ask(world, &token, "/fhir/r4/Patient").await;
        assert_eq!((outcome.status, &outcome.body["issue"][0]["code"]), (429, &json!("throttled")));
        assert!(outcome.retry_after.is_some());
        let other = ask(world, &token, &format!("/api/v1/patients/{patient}")).await;
        assert_eq!((other.status, other.left[0].1), (200, 2), "what is left can be spent");

        let path = format!("/api-clients/{}", program.id);
        let (status, changed) = world.patch(&admin, &path, 1, json!({"rate_limit_per_minute": 40})).await;
        assert_eq!(status, 200, "{changed}");
        let token = program.token(world).await;
        let more = ask(world, &token, "/api/v1/patients").await;
        assert_eq!((more.status, more.policy.as_str(), more.left[0].1), (200, "\"client\";q=40;w=60", 17));
        let export = ask(world, &token, "/fhir/r4/$export").await;
        assert_eq!(export.status, 429, "an export takes the whole of a small limit");
        // The person beside the program has limits of their own.
        assert_eq!(ask(world, &admin, "/api/v1/patients").await.status, 200);
    });
}

#[test]
fn steps_of_a_batch_are_paid_for_before_any_is_done() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let program = Program::limited(&clinic, &clinic.token("TENANT_ADMIN").await, 20).await;
        let token = program.token(world).await;
        let entry = |n: usize| {
            let resource = json!({"resourceType": "Patient", "name": [{"family": format!("Step {n}"), "given": ["A"]}]});
            json!({"request": {"method": "POST", "url": "Patient"}, "resource": resource})
        };
        for kind in ["batch", "transaction"] {
            let bundle = json!({"resourceType": "Bundle", "type": kind, "entry": (0..10).map(entry).collect::<Vec<_>>()});
            let (status, body) = world.ask(&token, reqwest::Method::POST, "/fhir/r4", Some(&bundle)).await;
            assert_eq!((status, &body["issue"][0]["code"]), (429, &json!("throttled")), "{kind}: {body}");
        }
        let made = "select count(*) from enamel.patients where tenant_id = $1";
        assert_eq!(world.truth().await.query_one(made, &[&clinic.id]).await.unwrap().get::<_, i64>(0), 0);
        let few = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry(1), entry(2)]});
        let (status, body) = world.ask(&token, reqwest::Method::POST, "/fhir/r4", Some(&few)).await;
        assert_eq!(status, 200, "{body}");
        let steps: Vec<Json> = (0..10).map(|_| json!({"method": "GET", "path": "/patients"})).collect();
        assert_eq!(world.post(Some(&token), "/batch", json!({"operations": steps})).await.0, 429);
    });
}

#[test]
fn the_plan_of_a_tenant_limits_all_of_its_people() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let plan = Uuid::now_v7();
        let made = "insert into enamel.subscription_plans (id, code, name, currency, included_api_rate_per_minute)
                    values ($1, $1::uuid::text, 'Plan', 'EUR', 30)";
        world.truth().await.execute(made, &[&plan]).await.unwrap();
        let (staff, begun) = (clinic.staff(), json!({"plan_id": plan, "start_at": "2026-01-01T00:00:00Z"}));
        let subscription = create(&staff, &TENANT_SUBSCRIPTION, begun).await.unwrap();
        run(&staff, "changeTenantSubscriptionPlan", Some(subscription.id), json!({"plan_id": plan})).await.unwrap();
        let (one, other) = (clinic.token("CLINICIAN").await, clinic.token("CLINICIAN").await);
        let told = ask(world, &one, "/api/v1/patients").await;
        assert!(told.policy.ends_with("\"tenant\";q=30;w=60") && told.policy.starts_with("\"user\";"), "{}", told.policy);
        let left = |told: &Told| told.left.iter().find(|(name, _)| name == "tenant").unwrap().1;
        assert_eq!(left(&ask(world, &other, "/api/v1/patients").await), left(&told) - 5, "one limit for both");
        let elsewhere = world.tenant("SOLO_PRACTICE", None).await;
        let told = ask(world, &elsewhere.token("CLINICIAN").await, "/api/v1/patients").await;
        assert!(told.status == 200 && !told.policy.contains("tenant"), "{}", told.policy);
    });
}

/// Another server of the same installation.
async fn server(world: &World) -> Arc<Kernel> {
    let mut config = world.config.clone();
    config.database.pools.staff = 4;
    config.limits.exchange_ms = 20;
    start::prepare(config).await.unwrap().kernel
}

fn somebody(tenant: Uuid, limit: u32) -> Context {
    let mut context = Context::system(Plane::Staff, Some(tenant));
    context.actor = Some(Uuid::now_v7());
    context.rates = Rates { tenant: Some(limit), ..Rates::default() };
    context
}

#[test]
fn two_servers_keep_one_limit_within_a_tenth() {
    world::with(async |world| {
        let (one, two) = (server(world).await, server(world).await);
        let exchanges = [Exchange::start(one.clone()).await.unwrap(), Exchange::start(two.clone()).await.unwrap()];
        let context = somebody(Uuid::now_v7(), 200);
        // Each knows of the other, as after their first second together.
        for kernel in [&one, &two] {
            while Limits::of(kernel).unwrap().peers() == 0 {
                tokio::task::yield_now().await;
            }
        }
        let all = |kernel: Arc<Kernel>| {
            let context = context.clone();
            async move {
                let (limits, mut admitted) = (Limits::of(&kernel).unwrap().clone(), 0);
                for _ in 0..300 {
                    admitted += u32::from(limits.admit(&context, Kind::Read).await.is_ok());
                    tokio::task::yield_now().await;
                }
                admitted
            }
        };
        let (first, second) = tokio::join!(tokio::spawn(all(one.clone())), tokio::spawn(all(two.clone())));
        let (first, second) = (first.unwrap(), second.unwrap());
        assert!((180..=222).contains(&(first + second)), "{first} and {second}");
        // And what both have spent, each has heard of.
        for kernel in [&one, &two] {
            assert!(Limits::of(kernel).unwrap().admit(&context, Kind::Search).await.is_err());
        }
        for exchange in exchanges {
            exchange.stop().await;
        }
    });
}

#[test]
fn a_call_is_counted_once_however_often_it_is_told() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let tenant = clinic.id;
        let quota = "insert into enamel.tenant_quotas (tenant_id, id, api_rate_limit_per_minute) values ($1, $1, 1000000)";
        world.truth().await.execute(quota, &[&tenant]).await.unwrap();
        let (kernel, other, context) = (server(world).await, server(world).await, somebody(tenant, 1_000_000));
        let (here, there) = (Uuid::new_v4(), Uuid::new_v4());
        let counted = async || {
            let sum = "select coalesce(sum(quantity), 0) from enamel.usage_events where tenant_id = $1 and meter_code = 'API_CALLS'";
            world.truth().await.query_one(sum, &[&tenant]).await.unwrap().get::<_, f64>(0)
        };
        let call = async |kernel: &Kernel, times: usize| {
            for _ in 0..times {
                Limits::of(kernel).unwrap().admit(&context, Kind::Write).await.unwrap();
            }
        };
        call(&kernel, 5).await;
        for _ in 0..2 {
            Limits::of(&kernel).unwrap().round(&kernel, here, true).await.unwrap();
            assert_eq!(counted().await, 5.0);
        }
        call(&kernel, 2).await;
        call(&other, 2).await;
        Limits::of(&other).unwrap().round(&other, there, true).await.unwrap();
        Limits::of(&kernel).unwrap().round(&kernel, here, true).await.unwrap();
        assert_eq!(counted().await, 9.0, "one call each, whatever it costs");
        let Answer::Object(usage) = run(&clinic.staff(), "getTenantQuotaUsage", Some(tenant), json!({})).await.unwrap() else {
            panic!("no object")
        };
        let limits = usage["limits"].as_array().unwrap();
        let used = limits.iter().find(|line| line["limit"] == "api_rate_limit_per_minute").unwrap();
        assert_eq!((&used["most"], &used["used"]), (&json!(1_000_000), &json!(18)), "two units each");
    });
}

#[test]
fn a_tenant_that_holds_its_share_of_the_pool_does_not_hold_up_another() {
    world::with(async |world| {
        let kernel = server(world).await;
        let (greedy, other) = (somebody(Uuid::now_v7(), 1), somebody(Uuid::now_v7(), 1));
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(kernel.door.open(&greedy).await.unwrap());
        }
        let mut fourth = Box::pin(kernel.door.open(&greedy));
        assert!(fourth.as_mut().now_or_never().is_none(), "three of four are all it may hold");
        let passes = kernel.door.open(&other).await.unwrap();
        let mut waits = Box::pin(kernel.door.open(&other));
        assert!(waits.as_mut().now_or_never().is_none());
        held.pop();
        // Both wait and one place is free: turns go in the order in which they began to wait.
        drop(fourth.await.unwrap());
        drop(waits.await.unwrap());
        drop((passes, held));
    });
}
