//! Programs that prove themselves by a certificate, and tokens that are worth nothing without it (RFC 8705): the server once more,
//! under TLS; and behind a proxy that ends TLS and names the certificate (RFC 9440).

use crate::world::people::text;
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use enamel::server::start::{self, Server};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// Signed by `authority.pem`, by itself, another one by itself, and one that has given itself the first one's name.
const PAIRS: [&str; 4] = ["program", "one", "two", "impostor"];

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)
}

fn pem(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap()
}

fn der(pair: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem(&format!("{pair}.pem")).as_bytes()).unwrap()
}

fn thumbprint(pair: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(der(pair)))
}

/// A client that shows the certificate of that pair.
fn client(pair: Option<&str>) -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true);
    let builder = match pair {
        Some(pair) => {
            builder.identity(reqwest::Identity::from_pem((pem(&format!("{pair}.pem")) + &pem(&format!("{pair}.key"))).as_bytes()).unwrap())
        }
        None => builder,
    };
    builder.build().unwrap()
}

struct Served {
    url: String,
    server: Server,
}

impl Served {
    async fn start(world: &World, change: impl FnOnce(&mut enamel::kernel::config::ServerConfig)) -> Served {
        let mut config = world.config.clone();
        config.server.listen = "127.0.0.1:0".parse().unwrap();
        config.server.client_ca = Some(file("authority.pem"));
        change(&mut config.server);
        let scheme = if config.server.tls_cert.is_some() { "https" } else { "http" };
        let server = Server::start(config, start::recorder().unwrap()).await.unwrap();
        Served { url: format!("{scheme}://{}", server.address), server }
    }
    async fn secure(world: &World) -> Served {
        Served::start(world, |server| {
            (server.tls_cert, server.tls_key) = (Some(file("two.pem")), Some(file("two.key")));
            server.client_certificates = true;
        })
        .await
    }

    async fn grant(&self, http: &reqwest::Client, id: &str, more: &[(&str, &str)]) -> (u16, Json) {
        let form = [&[("grant_type", "client_credentials"), ("client_id", id)], more].concat();
        answer(http.post(format!("{}/oauth2/token", self.url)).form(&form)).await
    }
    async fn patients(&self, http: &reqwest::Client, token: &str) -> u16 {
        answer(http.get(format!("{}/api/v1/patients", self.url)).bearer_auth(token)).await.0
    }
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Json) {
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

/// A program that is known by what `keys` says; its id and its public id.
async fn program(clinic: &Clinic, keys: Json) -> (String, String) {
    let mut body = json!({"name": "Backend", "client_type": "BACKEND", "scopes": ["system/Patient.rs"]});
    body.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    let (status, made) = clinic.world.post(Some(&clinic.token("TENANT_ADMIN").await), "/api-clients", body).await;
    assert_eq!(status, 201, "{made}");
    assert!(made["client_secret"].is_null(), "it has no secret: {made}");
    (text(&made, "id"), text(&made, "client_id"))
}

#[test]
fn a_program_is_known_by_its_certificate_and_its_token_goes_with_it() {
    world::with(async |world| {
        let (served, clinic) = (Served::secure(world).await, world.tenant("SOLO_PRACTICE", None).await);
        let [named, own, other, impostor] = PAIRS.map(|pair| client(Some(pair)));
        let bare = client(None);
        let (by_name, by_print) = (
            program(&clinic, json!({"tls_names": ["program.clinic.example"]})).await.1,
            program(&clinic, json!({"tls_thumbprints": [thumbprint("one")]})).await.1,
        );
        for (what, http, id, print) in [("vouched for", &named, &by_name, "program"), ("registered", &own, &by_print, "one")] {
            let (status, granted) = served.grant(http, id, &[]).await;
            assert_eq!(status, 200, "{what}: {granted}");
            let token = text(&granted, "access_token");
            assert_eq!(served.patients(http, &token).await, 200, "{what}");
            for (thief, whose) in [(&bare, "nobody's"), (&other, "another's")] {
                assert_eq!(served.patients(thief, &token).await, 401, "{what}: a stolen token with {whose} certificate");
            }
            assert_eq!(world.get(Some(&token), "/patients").await.0, 401, "{what}: nor where no certificate is seen");
            assert_eq!(served.patients(http, &token).await, 200, "{what}: the thief has ended nothing");
            let asked = answer(http.post(format!("{}/oauth2/introspect", served.url)).form(&[("client_id", id), ("token", &token)])).await;
            assert_eq!((asked.0, &asked.1["cnf"]), (200, &json!({"x5t#S256": thumbprint(print)})), "{}", asked.1);
        }
        for (what, http, id) in [
            ("none", &bare, &by_name),
            ("none", &bare, &by_print),
            ("another's", &other, &by_print),
            ("another name", &own, &by_name),
            ("a name nobody has vouched for", &impostor, &by_name),
            ("registered nowhere", &named, &by_print),
        ] {
            let (status, refused) = served.grant(http, id, &[]).await;
            assert_eq!((status, &refused["error"]), (401, &json!("invalid_client")), "{what}");
        }
        assert_eq!(served.grant(&named, &by_name, &[("client_secret", "en_cs_guess")]).await.0, 401, "by nothing else");
        // A program with a secret is not made another by a certificate, and its token is anybody's who has it.
        let (id, secret) = clinic.client("system/Patient.rs").await;
        assert_eq!(served.grant(&own, &id, &[]).await.0, 401);
        let (status, granted) = served.grant(&own, &id, &[("client_secret", &secret)]).await;
        assert_eq!(status, 200, "{granted}");
        assert_eq!(served.patients(&bare, &text(&granted, "access_token")).await, 200);
        let (_, told) = answer(bare.get(format!("{}/.well-known/oauth-authorization-server", served.url))).await;
        let methods = told["token_endpoint_auth_methods_supported"].as_array().unwrap();
        assert!(methods.contains(&json!("tls_client_auth")) && methods.contains(&json!("self_signed_tls_client_auth")), "{told}");
        assert_eq!(told["tls_client_certificate_bound_access_tokens"], true);
        let (_, told) = answer(world.http.get(format!("{}/.well-known/oauth-authorization-server", world.base_url))).await;
        assert!(!told.to_string().contains("tls_client_auth") && told["tls_client_certificate_bound_access_tokens"] == false, "{told}");
        served.server.stop().await;
    });
}

#[test]
fn a_certificate_is_replaced_over_rest() {
    world::with(async |world| {
        let (served, clinic) = (Served::secure(world).await, world.tenant("SOLO_PRACTICE", None).await);
        let admin = clinic.token("TENANT_ADMIN").await;
        let (id, public) = program(&clinic, json!({"tls_thumbprints": [thumbprint("one")]})).await;
        let (old, new) = (client(Some("one")), client(Some("two")));
        let token = text(&served.grant(&old, &public, &[]).await.1, "access_token");
        let path = format!("/api-clients/{id}/set-keys");
        for (wrong, field) in [
            (json!({"tls_thumbprints": ["short"]}), "tls_thumbprints"),
            (json!({"tls_names": ["a b"]}), "tls_names"),
            (json!({"tls_thumbprints": [thumbprint("one")], "jwks_uri": "https://keys.example/jwks"}), "jwks"),
        ] {
            let (status, told) = world.post(Some(&admin), &path, wrong).await;
            assert_eq!((status, &told["errors"][0]["field"]), (422, &json!(field)), "{told}");
        }
        assert_eq!(world.post(Some(&admin), &format!("/api-clients/{id}/rotate-secret"), json!({})).await.0, 409, "it has no secret");
        let (status, told) = world.post(Some(&admin), &path, json!({"tls_thumbprints": [thumbprint("two"), thumbprint("one")]})).await;
        assert_eq!((status, told["tls_thumbprints"].as_array().map(Vec::len)), (200, Some(2)), "{told}");
        super::tokens::ends(world, &token, "/patients").await;
        for http in [&old, &new] {
            assert_eq!(served.grant(http, &public, &[]).await.0, 200, "two while it is renewed");
        }
        world.post(Some(&admin), &path, json!({"tls_thumbprints": [thumbprint("two")]})).await;
        assert_eq!((served.grant(&old, &public, &[]).await.0, served.grant(&new, &public, &[]).await.0), (401, 200));
        let public_one = json!({"name": "App", "client_type": "PUBLIC", "scopes": ["user/Patient.rs"], "redirect_uris": ["http://127.0.0.1:1/"],
                                "tls_thumbprints": [thumbprint("one")]});
        assert_eq!(world.post(Some(&admin), "/api-clients", public_one).await.0, 422, "a public program keeps no key");
        served.server.stop().await;
    });
}

#[test]
fn a_proxys_word_about_a_certificate_is_taken_where_the_operator_says_so() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (_, public) = program(&clinic, json!({"tls_thumbprints": [thumbprint("one")]})).await;
        let said = |pair: &str| format!(":{}:", BASE64_STANDARD.encode(der(pair)));
        let grant = async |served: &Served, header: Option<String>| {
            let form = [("grant_type", "client_credentials"), ("client_id", &public)];
            let mut request = client(None).post(format!("{}/oauth2/token", served.url)).form(&form);
            if let Some(header) = header {
                request = request.header("client-cert", header);
            }
            answer(request).await
        };
        let behind = Served::start(world, |server| {
            server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
            server.client_certificates_of_proxies = true;
        })
        .await;
        let (status, granted) = grant(&behind, Some(said("one"))).await;
        assert_eq!(status, 200, "{granted}");
        let token = text(&granted, "access_token");
        assert_eq!(behind.patients(&client(None), &token).await, 401);
        let with = client(None).get(format!("{}/api/v1/patients", behind.url)).bearer_auth(&token).header("client-cert", said("one"));
        assert_eq!(answer(with).await.0, 200);
        for wrong in [None, Some(said("two")), Some("nonsense".to_owned()), Some(format!("{}, {}", said("one"), said("two")))] {
            assert_eq!(grant(&behind, wrong.clone()).await.0, 401, "{wrong:?}");
        }
        behind.server.stop().await;
        for (what, proxies, taken) in [("a stranger says so", "10.0.0.0/8", true), ("nobody asked for it", "127.0.0.0/8", false)] {
            let served = Served::start(world, |server| {
                server.trusted_proxies = vec![proxies.parse().unwrap()];
                server.client_certificates_of_proxies = taken;
            })
            .await;
            assert_eq!(grant(&served, Some(said("one"))).await.0, 401, "{what}");
            served.server.stop().await;
        }
        // A proxy that shows a certificate of its own has not shown its client's.
        let both = Served::start(world, |server| {
            (server.tls_cert, server.tls_key) = (Some(file("two.pem")), Some(file("two.key")));
            server.client_certificates = true;
            server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
            server.client_certificates_of_proxies = true;
        })
        .await;
        assert_eq!(both.grant(&client(Some("one")), &public, &[]).await.0, 401);
        both.server.stop().await;
    });
}
