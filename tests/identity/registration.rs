//! Applications register themselves by their vendor's statement (RFC 7591): what is believed, and everything that must not be.

use super::backend::Key;
use super::oauth::REDIRECT;
use super::vendors::{Vendor, register};
use crate::world::{self, World};
use serde_json::{Value as Json, json};
use uuid::Uuid;

fn error((status, told): (u16, Json)) -> String {
    assert_eq!(status, 400, "{told}");
    told["error"].as_str().unwrap().to_owned()
}

#[test]
fn a_statement_of_an_approved_vendor_registers_its_application() {
    world::with(async |world| {
        let vendor = Vendor::approved(world).await;
        let statement = vendor.sign(&vendor.claims(&json!({"client_name": "Signed", "jwks_uri": null})));
        let body = json!({"client_name": "Unsigned", "redirect_uris": ["https://elsewhere.example/"], "client_uri": "https://vendor.example/",
            "software_id": "another", "something_new": true});
        let (status, made) = vendor.shows(&statement, body).await;
        assert_eq!(status, 201, "{made}");
        let wanted = json!({"client_name": "Signed", "redirect_uris": [REDIRECT], "software_id": "charts", "software_statement": statement,
            "client_uri": "https://vendor.example/", "token_endpoint_auth_method": "none", "response_types": ["code"],
            "grant_types": ["authorization_code", "refresh_token"]});
        for (name, value) in wanted.as_object().unwrap() {
            assert_eq!(&made[name], value, "{name}");
        }
        assert!(made.get("client_secret").is_none() && made.get("something_new").is_none(), "{made}");

        let client = made["client_id"].as_str().unwrap();
        let audited = "
            select count(*) from enamel.audit_events e join enamel.vendor_apps a on a.id = e.resource_id
             where a.client_id = $1 and e.event_type = 'CLIENT_REGISTERED' and e.outcome = 'SUCCESS' and e.action = $2";
        let count = async |action: &str| -> i64 { world.truth().await.query_one(audited, &[&client, &action]).await.unwrap().get(0) };
        assert_eq!((count("CREATE").await, count("UPDATE").await), (1, 0));

        // A newer statement says it anew, and the id stays.
        let (status, again) = vendor.states(json!({"software_version": "2"})).await;
        assert_eq!((status, &again["client_id"], &again["software_version"]), (201, &made["client_id"], &json!("2")));
        assert_eq!((count("CREATE").await, count("UPDATE").await), (1, 1));
        let older = chrono::Utc::now().timestamp() - 60;
        assert_eq!(error(vendor.states(json!({"iat": older})).await), "invalid_software_statement");
        let kind = json!({"token_endpoint_auth_method": "client_secret_basic"});
        assert_eq!(error(vendor.states(kind).await), "invalid_client_metadata", "what people have admitted stays of its kind");
        let (_, other) = vendor.states(json!({"software_id": "another"})).await;
        assert!(other["client_id"] != made["client_id"], "{other}");
        let stranger = Vendor::approved(world).await.states(json!({})).await;
        assert!(stranger.0 == 201 && stranger.1["client_id"] != made["client_id"], "another vendor's software of that name");
    });
}

#[test]
fn a_secret_is_told_once_and_kept_as_a_hash() {
    world::with(async |world| {
        let vendor = Vendor::approved(world).await;
        let basic = json!({"token_endpoint_auth_method": "client_secret_basic"});
        let (_, made) = vendor.states(basic.clone()).await;
        let (_, again) = vendor.states(basic).await;
        assert!(made["client_secret_expires_at"] == 0 && made["client_secret"] != again["client_secret"], "{made} {again}");
        let sql = "select to_jsonb(a)::text, a.client_secret_hash, a.previous_secret_hash from enamel.vendor_apps a where client_id = $1";
        let row = world.truth().await.query_one(sql, &[&made["client_id"].as_str().unwrap()]).await.unwrap();
        let (all, hash, before): (String, Vec<u8>, Vec<u8>) = (row.get(0), row.get(1), row.get(2));
        assert!(!all.contains(again["client_secret"].as_str().unwrap()) && hash.len() == 32 && before.len() == 32);
        // Nobody reads the hash.
        let (_, shown) = world.get(Some(&vendor.token), &format!("/vendor-apps?client_id={}", made["client_id"].as_str().unwrap())).await;
        assert!(shown["items"][0]["name"] == "Chart <app>" && !shown.to_string().contains("secret_hash"), "{shown}");
    });
}

#[test]
fn what_is_no_statement_registers_nothing() {
    world::with(async |world| {
        let vendor = Vendor::approved(world).await;
        let now = chrono::Utc::now().timestamp();
        let without = register(world, &json!({"client_name": "By hand", "redirect_uris": [REDIRECT]})).await;
        assert!(without.1["error_description"].as_str().unwrap().contains("administrator"), "{without:?}");
        assert_eq!(error(without), "unapproved_software_statement");
        assert_eq!(error(register(world, &json!({"software_statement": 1})).await), "unapproved_software_statement");
        assert_eq!(error(register(world, &json!([])).await), "invalid_request");

        let invalid = "invalid_software_statement";
        for (changes, expected) in [
            (json!({"iss": "https://nobody.vendor.example"}), "unapproved_software_statement"),
            (json!({"iss": null}), invalid),
            (json!({"exp": now - 1}), invalid),
            (json!({"iat": now + 600, "exp": now + 900}), invalid),
            (json!({"iat": now - 200_000}), invalid),
            (json!({"jti": null}), invalid),
            (json!({"aud": "https://other.example"}), invalid),
            (json!({"redirect_uris": ["http://app.example/"]}), "invalid_redirect_uri"),
            (json!({"redirect_uris": null}), "invalid_redirect_uri"),
            (json!({"client_name": null}), "invalid_client_metadata"),
            (json!({"software_id": null}), "invalid_client_metadata"),
            (json!({"token_endpoint_auth_method": "private_key_jwt"}), "invalid_client_metadata"),
        ] {
            assert_eq!(error(vendor.states(changes.clone()).await), expected, "{changes}");
        }

        let claims = vendor.claims(&json!({}));
        let good = vendor.sign(&claims);
        let (said, signature) = good.rsplit_once('.').unwrap();
        let other = vendor.sign(&vendor.claims(&json!({"client_name": "Other"})));
        let swapped = format!("{}.{signature}", other.rsplit_once('.').unwrap().0);
        let head = json!({"alg": "ES384", "typ": "JWT", "kid": "one"});
        let forged = Key::ec().sign(&head, &claims);
        let unnamed = vendor.key.sign(&json!({"alg": "ES384", "kid": "two"}), &claims);
        let elsewhere = vendor.key.sign(&json!({"alg": "ES384", "kid": "one", "jku": "https://evil.example/jwks"}), &claims);
        let none = vendor.key.sign(&json!({"alg": "none", "kid": "one"}), &claims);
        for wrong in [forged, swapped, unnamed, elsewhere, none, format!("{said}."), "nonsense".to_owned()] {
            assert_eq!(error(vendor.shows(&wrong, json!({})).await), invalid, "{wrong}");
        }
        assert_eq!(vendor.shows(&good, json!({})).await.0, 201, "none of these has used it up");
        assert_eq!(error(vendor.shows(&good, json!({})).await), invalid, "it is good once");
        refusals_are_told(world).await;
    });
}

async fn refusals_are_told(world: &World) {
    let sql = "select count(*) from enamel.audit_events where event_type = 'LOGIN_FAILED' and api_client_id is null and outcome = 'DENIED'";
    assert!(world.truth().await.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) > 0);
}

#[test]
fn a_suspended_vendor_is_believed_no_more() {
    world::with(async |world| {
        let vendor = Vendor::approved(world).await;
        assert_eq!(vendor.states(json!({})).await.0, 201);
        vendor.moves("suspend").await;
        assert_eq!(error(vendor.states(json!({})).await), "unapproved_software_statement");
        vendor.moves("reinstate").await;
        let app = vendor.registers(json!({})).await;
        let path = format!("/vendor-apps/{}", app.id);
        assert_eq!(world.post(Some(&vendor.token), &format!("{path}/suspend"), json!({"reason": "It leaks."})).await.0, 200);
        assert_eq!(error(vendor.states(json!({})).await), "unapproved_software_statement", "the one application");
        assert_eq!(vendor.states(json!({"software_id": "another"})).await.0, 201);
        assert_eq!(world.post(Some(&vendor.token), &format!("{path}/reinstate"), json!({})).await.0, 200);
        assert_eq!(vendor.states(json!({})).await.0, 201);
        let told = "
            select count(*) from enamel.audit_events
             where event_type = 'CONFIG_CHANGED' and resource_id = $1 and outcome = 'SUCCESS' and metadata->>'operation' = $2";
        let truth = world.truth().await;
        for (id, operation) in [(&vendor.id, "suspendAppVendor"), (&vendor.id, "reinstateAppVendor"), (&app.id, "suspendVendorApp")] {
            let id: Uuid = id.parse().unwrap();
            let rows: i64 = truth.query_one(told, &[&id, &operation]).await.unwrap().get(0);
            assert_eq!(rows, 1, "{operation}");
        }
    });
}

#[test]
fn vendors_are_the_platforms_to_approve() {
    world::with(async |world| {
        let vendor = Vendor::approved(world).await;
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (admin, nurse) = (clinic.token("TENANT_ADMIN").await, clinic.token("CLINICIAN").await);
        let key = json!({"keys": [Key::ec().public("two")]});
        let body = json!({"name": "Own", "issuer": "https://own.vendor.example", "jwks": key});
        assert_eq!(world.post(Some(&admin), "/app-vendors", body).await.0, 403);
        let path = format!("/app-vendors/{}", vendor.id);
        assert_eq!(world.post(Some(&admin), &format!("{path}/suspend"), json!({"reason": "x"})).await.0, 403);
        assert_eq!((world.get(Some(&admin), &path).await.0, world.get(Some(&nurse), &path).await.0), (200, 403));

        let own = Some(vendor.token.as_str());
        for wrong in [
            json!({}),
            json!({"jwks": {"keys": []}}),
            json!({"jwks_uri": "http://vendor.example/"}),
            json!({"jwks": key, "jwks_uri": "https://vendor.example/"}),
        ] {
            let mut body = json!({"name": "Vendor", "issuer": "https://wrong.vendor.example"});
            body.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
            assert_eq!(world.post(own, "/app-vendors", body).await.0, 422, "{wrong}");
            assert_eq!(world.post(own, &format!("{path}/set-keys"), wrong.clone()).await.0, 422, "{wrong}");
        }
        let twin = json!({"name": "Twin", "issuer": vendor.issuer, "jwks": key});
        assert_eq!(world.post(own, "/app-vendors", twin).await.0, 409, "one vendor says of itself that it is that one");
        assert_eq!(vendor.states(json!({})).await.0, 201);
        assert_eq!(world.post(own, &format!("{path}/set-keys"), json!({"jwks": key})).await.0, 200);
        assert_eq!(error(vendor.states(json!({})).await), "invalid_software_statement", "its old key signs nothing");
    });
}
