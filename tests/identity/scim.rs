//! A clinic's directory: its people and teams come, change and go by SCIM, in its own tenant and within seconds.

use super::browser::Browser;
use super::hostile::Hostile;
use super::tokens::ends;
use crate::world::people::text;
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use reqwest::Method;
use serde_json::{Value as Json, json};
use uuid::Uuid;

struct Directory {
    world: &'static World,
    clinic: Clinic,
    provider: String,
    domain: String,
    key: String,
}

async fn directory(world: &'static World, issuer: &str) -> Directory {
    let clinic = world.tenant("SOLO_PRACTICE", None).await;
    let domain = format!("{}.example", clinic.id.simple());
    let admin = clinic.token("TENANT_ADMIN").await;
    let rules = json!({"default": "CLINIC_STAFF", "rules": [{"claim": "groups", "value": "Dentists", "role": "CLINICIAN"}]});
    let provider = json!({"name": "Directory", "kind": "OIDC", "issuer": issuer, "client_id": "enamel", "client_secret": super::SECRET,
                          "allowed_domains": [domain], "role_mapping": rules});
    let (status, made) = world.post(Some(&admin), "/identity-providers", provider).await;
    assert_eq!(status, 201, "{made}");
    let provider = text(&made, "id");
    let prove = format!("/identity-providers/{provider}/prove-domain");
    let (_, asked) = world.post(Some(&admin), &prove, json!({"domain": domain})).await;
    world.publish(asked["record_name"].as_str().unwrap(), asked["record_value"].as_str().unwrap());
    assert_eq!(world.post(Some(&admin), &prove, json!({"domain": domain})).await.1["proven"], true);
    let (status, key) = world.post(Some(&admin), &format!("/identity-providers/{provider}/rotate-scim-token"), json!({})).await;
    assert_eq!(status, 200, "{key}");
    Directory { world, clinic, provider, domain, key: text(&key, "token") }
}

impl Directory {
    async fn ask(&self, method: Method, path: &str, body: Option<Json>) -> (u16, Json) {
        let mut request = self.world.http.request(method, format!("{}/scim/v2{path}", self.world.base_url)).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.header("content-type", "application/scim+json").body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    async fn hire(&self, name: &str) -> Json {
        let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": format!("{name}@{}", self.domain),
                          "externalId": format!("x-{name}"), "name": {"givenName": name, "familyName": "Example"}, "active": true});
        let (status, made) = self.ask(Method::POST, "/Users", Some(body)).await;
        assert_eq!(status, 201, "{made}");
        made
    }

    async fn roles(&self, user: &str) -> Vec<String> {
        let held = "select o.code from enamel.user_roles g join enamel.roles o on o.id = g.role_id
                     where g.user_id = $1::text::uuid and (g.valid_until is null or g.valid_until > now()) order by o.code";
        self.world.truth().await.query(held, &[&user]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    async fn patch(&self, path: &str, operations: Json) -> (u16, Json) {
        self.ask(Method::PATCH, path, Some(json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations})))
            .await
    }
}

#[test]
fn people_come_change_and_go_and_it_is_felt() {
    world::with(async |world| {
        let directory = directory(world, "https://id.example").await;
        let ana = directory.hire("ana").await;
        let (id, path) = (text(&ana, "id"), format!("/Users/{}", text(&ana, "id")));
        assert_eq!(
            (&ana["displayName"], &ana["active"], &ana["externalId"]),
            (&json!("ana Example"), &json!(true), &json!("x-ana")),
            "{ana}"
        );
        assert_eq!(directory.roles(&id).await, ["CLINIC_STAFF"]);
        let again = directory.ask(Method::POST, "/Users", Some(json!({"userName": format!("ANA@{}", directory.domain)}))).await;
        assert_eq!((again.0, &again.1["scimType"]), (409, &json!("uniqueness")), "{}", again.1);
        for odd in ["ana@elsewhere.example", "ana", ""] {
            let refused = directory.ask(Method::POST, "/Users", Some(json!({"userName": odd}))).await;
            assert_eq!((refused.0, &refused.1["scimType"]), (400, &json!("invalidValue")), "{odd}: {}", refused.1);
        }
        for (filter, total) in [
            (format!("userName eq \"Ana@{}\"", directory.domain), 1),
            ("externalId eq \"x-ana\"".to_owned(), 1),
            ("externalId eq \"x-eve\"".to_owned(), 0),
            (format!("id eq \"{id}\""), 1),
        ] {
            let (status, found) =
                directory.ask(Method::GET, &format!("/Users?{}", serde_urlencoded::to_string([("filter", &filter)]).unwrap()), None).await;
            assert_eq!((status, &found["totalResults"]), (200, &json!(total)), "{filter}: {found}");
        }
        let odd = directory.ask(Method::GET, "/Users?filter=userName%20co%20%22a%22", None).await;
        assert_eq!((odd.0, &odd.1["scimType"]), (400, &json!("invalidFilter")));

        // As one directory says it, and as another does.
        let (status, named) = directory.patch(&path, json!([{"op": "Replace", "path": "displayName", "value": "Ana López"}])).await;
        assert_eq!((status, &named["displayName"]), (200, &json!("Ana López")), "{named}");
        let user: Uuid = id.parse().unwrap();
        world.give_password(user).await;
        let signed =
            world.post(None, "/sessions/sign-in", json!({"email": ana["userName"], "password": crate::world::people::PASSWORD})).await;
        assert_eq!(signed.0, 200, "{}", signed.1);
        let token = text(&signed.1, "access_token");
        let (status, out) = directory.patch(&path, json!([{"op": "replace", "value": {"active": "False"}}])).await;
        assert_eq!((status, &out["active"]), (200, &json!(false)), "{out}");
        ends(world, &token, "/patients").await;
        assert!(directory.roles(&id).await.is_empty());
        let back = directory.ask(Method::PUT, &path, Some(json!({"userName": ana["userName"], "active": true}))).await;
        assert_eq!(
            (back.0, &back.1["active"], directory.roles(&id).await),
            (200, &json!(true), vec!["CLINIC_STAFF".to_owned()]),
            "{}",
            back.1
        );
        assert_eq!(directory.ask(Method::DELETE, &path, None).await.0, 204);
        assert_eq!(directory.ask(Method::GET, &path, None).await.0, 404);
        assert_eq!(directory.hire("ana").await["id"], json!(id), "who comes back is the same person");
        let told = "select count(*) from enamel.audit_events where tenant_id = $1 and metadata ->> 'method' = 'SCIM' and resource_id = $2";
        assert!(world.truth().await.query_one(told, &[&directory.clinic.id, &user]).await.unwrap().get::<_, i64>(0) >= 5);
    });
}

#[test]
fn a_directory_reaches_its_own_tenant_alone_and_leaves_an_administrator() {
    world::with(async |world| {
        let (directory, other) = (directory(world, "https://id.example").await, directory(world, "https://id.example").await);
        let stranger = text(&other.hire("eve").await, "id");
        for id in [stranger.clone(), Uuid::now_v7().to_string()] {
            for method in [Method::GET, Method::DELETE] {
                assert_eq!(directory.ask(method, &format!("/Users/{id}"), None).await.0, 404);
            }
            assert_eq!(directory.patch(&format!("/Users/{id}"), json!([{"op": "replace", "path": "active", "value": false}])).await.0, 404);
            let group = directory.ask(Method::POST, "/Groups", Some(json!({"displayName": "G", "members": [{"value": id}]}))).await;
            assert_eq!(group.0, 400, "{}", group.1);
        }
        // Whoever has an account elsewhere is not taken in unasked; a person of two clinics is renamed by neither.
        let known = other.clinic.employee("CLINICIAN").await;
        let truth = world.truth().await;
        let email = format!("known@{}", directory.domain);
        truth.execute("update enamel.users set email = $2 where id = $1", &[&known.id, &email]).await.unwrap();
        assert_eq!(directory.ask(Method::POST, "/Users", Some(json!({"userName": email}))).await.0, 409);
        directory.clinic.give_membership(&known, "CLINICIAN").await;
        let renamed =
            directory.patch(&format!("/Users/{}", known.id), json!([{"op": "replace", "path": "displayName", "value": "X"}])).await;
        assert_eq!((renamed.0, &renamed.1["scimType"]), (400, &json!("mutability")), "{}", renamed.1);

        let boss = directory.clinic.employee("TENANT_ADMIN").await;
        let others = "update enamel.user_roles set valid_until = now() where tenant_id = $1 and user_id <> $2";
        truth.execute(others, &[&directory.clinic.id, &boss.id]).await.unwrap();
        let out = json!([{"op": "replace", "path": "active", "value": false}]);
        assert_eq!(directory.patch(&format!("/Users/{}", boss.id), out).await.0, 409, "the last administrator stays");

        for key in ["", "en_sp_nonsense", &directory.clinic.token("TENANT_ADMIN").await] {
            let answer = world.http.get(format!("{}/scim/v2/Users", world.base_url)).bearer_auth(key).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 401);
        }
        assert_eq!(world.get(Some(&directory.key), "/patients").await.0, 401, "the key opens nothing else");
        let path = format!("/identity-providers/{}/rotate-scim-token", directory.provider);
        assert_eq!(world.post(Some(&other.clinic.token("TENANT_ADMIN").await), &path, json!({})).await.0, 404);
        assert_eq!(world.post(Some(&directory.clinic.token("CLINICIAN").await), &path, json!({})).await.0, 403);
        let admin = other.clinic.token("TENANT_ADMIN").await;
        let newer = world.post(Some(&admin), &format!("/identity-providers/{}/rotate-scim-token", other.provider), json!({})).await;
        assert_eq!((newer.0, other.ask(Method::GET, "/Users", None).await.0), (200, 401), "the key of before is void");
    });
}

#[test]
fn teams_follow_the_directory_and_roles_follow_the_teams() {
    world::with(async |world| {
        let directory = directory(world, "https://id.example").await;
        let (ana, ben) = (text(&directory.hire("ana").await, "id"), text(&directory.hire("ben").await, "id"));
        let (status, made) =
            directory.ask(Method::POST, "/Groups", Some(json!({"displayName": "Dentists", "members": [{"value": ana}]}))).await;
        assert_eq!((status, &made["members"][0]["value"]), (201, &json!(ana)), "{made}");
        let path = format!("/Groups/{}", text(&made, "id"));
        assert_eq!(
            (directory.roles(&ana).await, directory.roles(&ben).await),
            (vec!["CLINICIAN".to_owned()], vec!["CLINIC_STAFF".to_owned()])
        );
        let come = json!([{"op": "add", "path": "members", "value": [{"value": ben}]}, {"op": "remove", "path": format!("members[value eq \"{ana}\"]")}]);
        let (status, now) = directory.patch(&path, come).await;
        assert_eq!((status, &now["members"][0]["value"], now["members"].as_array().map(Vec::len)), (200, &json!(ben), Some(1)), "{now}");
        assert_eq!(
            (directory.roles(&ana).await, directory.roles(&ben).await),
            (vec!["CLINIC_STAFF".to_owned()], vec!["CLINICIAN".to_owned()])
        );
        let (_, found) = directory.ask(Method::GET, "/Groups?filter=displayName%20eq%20%22Dentists%22", None).await;
        assert_eq!(found["totalResults"], 1, "{found}");
        let twin = directory.ask(Method::POST, "/Groups", Some(json!({"displayName": "Dentists"}))).await;
        assert_eq!((twin.0, &twin.1["scimType"]), (409, &json!("uniqueness")));
        assert_eq!(directory.patch(&path, json!([{"op": "replace", "path": "displayName", "value": "Surgeons"}])).await.0, 200);
        assert_eq!(directory.roles(&ben).await, ["CLINIC_STAFF"], "no rule has the new name");
        assert_eq!(directory.ask(Method::DELETE, &path, None).await.0, 204);
        assert_eq!(directory.ask(Method::GET, &path, None).await.0, 404);
    });
}

#[test]
fn who_was_prepared_by_the_directory_comes_in_by_its_provider() {
    world::with(async |world| {
        let hostile = Hostile::start(super::SECRET).await;
        let directory = directory(world, &hostile.url).await;
        let ana = directory.hire("ana").await;
        let enter = async |claims: Json| {
            let mut browser = Browser::new();
            let begun = browser.get(&format!("{}/signin/oidc/{}?tenant={}", world.base_url, directory.provider, directory.clinic.id)).await;
            let sent = reqwest::Url::parse(&begun.location.unwrap()).unwrap();
            let part = |name: &str| sent.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
            hostile.claim("enamel", &part("nonce"), claims);
            browser.get(&format!("{}/signin/callback?code=c&state={}", world.base_url, part("state"))).await.status
        };
        assert_eq!(enter(json!({"sub": "s-1", "email": ana["userName"], "email_verified": false})).await, 401);
        assert_eq!(enter(json!({"sub": "s-1", "email": ana["userName"], "email_verified": true})).await, 303);
        assert_eq!(enter(json!({"sub": "s-1", "email": "another@elsewhere.example"})).await, 303, "known by the subject from now on");
        assert_eq!(enter(json!({"sub": "s-2", "email": ana["userName"], "email_verified": true})).await, 401, "once");
        let count = "select count(distinct user_id) from enamel.sessions where user_id = $1::text::uuid";
        assert_eq!(world.truth().await.query_one(count, &[&text(&ana, "id")]).await.unwrap().get::<_, i64>(0), 1);
    });
}
