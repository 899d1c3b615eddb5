//! One key, one effect, wherever a request changes something: what happens inside one transaction, what takes several, what
//! a patient's own login does, FHIR and its batches; and what a key holds against.

use crate::world::{self, World, people::text, tenants::Clinic};
use enamel::server::domains;
use reqwest::{Method, Response};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

struct Login {
    world: &'static World,
    token: String,
}

struct Told {
    status: u16,
    location: Option<String>,
    etag: Option<String>,
    retry_after: Option<String>,
    replayed: bool,
    body: Json,
}

impl Login {
    async fn send(&self, method: Method, path: &str, key: &str, extra: &[(&str, &str)], body: &Json) -> Told {
        let mut request = self
            .world
            .http
            .request(method, format!("{}{path}", self.world.base_url))
            .bearer_auth(&self.token)
            .header("idempotency-key", key);
        for (name, value) in extra {
            request = request.header(*name, *value);
        }
        let media = if path.starts_with("/fhir") { "application/fhir+json" } else { "application/json" };
        told(request.header("content-type", media).body(body.to_string()).send().await.unwrap()).await
    }
    async fn post(&self, path: &str, key: &str, body: &Json) -> Told {
        self.send(Method::POST, path, key, &[], body).await
    }
}

async fn told(answer: Response) -> Told {
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (location, etag, retry_after, replayed) =
        (header("location"), header("etag"), header("retry-after"), header("idempotency-replayed").is_some());
    let status = answer.status().as_u16();
    let body = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Json::Null);
    Told { status, location, etag, retry_after, replayed, body }
}

fn same(first: &Told, again: &Told) {
    assert_eq!((first.status, &first.location, &first.etag, &first.body), (again.status, &again.location, &again.etag, &again.body));
    assert_eq!((first.replayed, again.replayed), (false, true));
}

async fn admin(clinic: &Clinic) -> Login {
    Login { world: clinic.world, token: clinic.token("TENANT_ADMIN").await }
}

async fn rows(clinic: &Clinic, table: &str) -> i64 {
    let sql = format!("select count(*) from enamel.{table} where tenant_id = $1");
    clinic.world.truth().await.query_one(&sql, &[&clinic.id]).await.unwrap().get(0)
}

fn photo(patient: Uuid, bytes: &[u8]) -> Json {
    let sha256: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({"patient_id": patient, "kind": "PHOTO", "file_name": "smile.png", "file_type": "image/png", "file_size": bytes.len(), "sha256": sha256})
}

#[test]
fn what_takes_several_transactions_happens_once() {
    world::with(async |world| {
        let clinic = world.tenant("GROUP_PRACTICE", None).await;
        let staff = admin(&clinic).await;
        let patient = clinic.patient("Once").await.unwrap().id;
        let body = photo(patient, b"one picture");
        let first = staff.post("/api/v1/files", "f1", &body).await;
        assert_eq!(first.status, 201, "{}", first.body);
        assert_eq!(first.location.as_deref(), Some(format!("/api/v1/files/{}", text(&first.body["file"], "id")).as_str()));
        same(&first, &staff.post("/api/v1/files", "f1", &body).await);
        assert_eq!(rows(&clinic, "files").await, 1);
        let other = staff.post("/api/v1/files", "f1", &photo(patient, b"another picture")).await;
        assert_eq!((other.status, text(&other.body, "code").as_str()), (422, "idempotency.reused"));
        let colleague = admin(&clinic).await;
        assert_eq!(colleague.post("/api/v1/files", "f1", &body).await.status, 201, "a key is its caller's");
        assert_eq!(rows(&clinic, "files").await, 2);
        // A failure lets the key go.
        assert_eq!(staff.post("/api/v1/files", "f2", &photo(Uuid::now_v7(), b"x")).await.status, 422);
        assert_eq!(staff.post("/api/v1/files", "f2", &body).await.status, 201);
        let clear: i64 = world
            .truth()
            .await
            .query_one(
                "select count(*) from enamel.idempotency_keys where tenant_id = $1 and position('smile'::bytea in response_enc) > 0",
                &[&clinic.id],
            )
            .await
            .unwrap()
            .get(0);
        assert_eq!(clear, 0, "kept answers are sealed");
    });
}

#[test]
fn a_key_under_way_says_when_to_come_back_and_a_dead_one_lapses() {
    world::with(async |world| {
        let clinic = world.tenant("GROUP_PRACTICE", None).await;
        let staff = admin(&clinic).await;
        let body = photo(clinic.patient("Crash").await.unwrap().id, b"one picture");
        // What a server leaves that dies between its first transaction and its answer.
        assert_eq!(staff.post("/api/v1/files", "dead", &body).await.status, 201);
        let truth = world.truth().await;
        let left = async |expires: &str| {
            let sql = format!(
                "update enamel.idempotency_keys set state = 'IN_FLIGHT', response_enc = null, status_code = null, expires_at = {expires}
                  where tenant_id = $1"
            );
            assert_eq!(truth.execute(&sql, &[&clinic.id]).await.unwrap(), 1);
        };
        left("now() + interval '1 minute'").await;
        let early = staff.post("/api/v1/files", "dead", &body).await;
        assert_eq!((early.status, text(&early.body, "code").as_str()), (409, "idempotency.in_flight"));
        assert_eq!(early.retry_after.as_deref(), Some("1"));
        left("now()").await;
        let second = staff.post("/api/v1/files", "dead", &body).await;
        assert_eq!((second.status, second.replayed), (201, false));
        same(&second, &staff.post("/api/v1/files", "dead", &body).await);

        let twins = futures_util::future::join_all((0..4).map(|_| staff.post("/api/v1/files", "twins", &body))).await;
        assert!(twins.iter().all(|twin| twin.status == 201 || twin.status == 409 && twin.retry_after.is_some()));
        assert_eq!(twins.iter().filter(|twin| twin.status == 201 && !twin.replayed).count(), 1);
        assert_eq!(rows(&clinic, "files").await, 3, "the dead one's, the second run's and one of the twins'");
    });
}

#[test]
fn a_secret_is_shown_once_and_kept_nowhere() {
    world::with(async |world| {
        let clinic = world.tenant("GROUP_PRACTICE", None).await;
        let staff = admin(&clinic).await;
        let body = json!({"name": "Lab", "client_type": "BACKEND", "scopes": ["system/Patient.rs"]});
        let made = staff.post("/api/v1/api-clients", "c1", &body).await;
        assert_eq!((made.status, made.replayed), (201, false));
        assert!(made.location.is_some_and(|path| path == format!("/api/v1/api-clients/{}", text(&made.body, "id"))));
        let again = staff.post("/api/v1/api-clients", "c1", &body).await;
        assert_eq!((again.status, text(&again.body, "code").as_str()), (409, "idempotency.shown_once"));
        assert_eq!(rows(&clinic, "api_clients").await, 1);
        let kept = world
            .truth()
            .await
            .query("select state from enamel.idempotency_keys where tenant_id = $1 and response_enc is null", &[&clinic.id])
            .await
            .unwrap();
        assert_eq!(kept.iter().map(|row| row.get::<_, &str>(0)).collect::<Vec<_>>(), ["DONE"]);
    });
}

#[test]
fn a_patient_s_own_login_has_keys_too() {
    world::with(async |world| {
        let (here, there) = (world.tenant("GROUP_PRACTICE", None).await, world.tenant("GROUP_PRACTICE", None).await);
        let (patient, elsewhere) = (here.patient("Own").await.unwrap().id, there.patient("Own").await.unwrap().id);
        let (user, _) = world.patient_token(&[(here.id, patient), (there.id, elsewhere)]).await;
        // By session in one of the clinics, and in none.
        for (session, chart) in [(Some(there.id), elsewhere), (Some(here.id), patient), (None, elsewhere)] {
            let login = Login { world, token: world.session(user, session).await };
            let (file, key) = (photo(chart, b"my own picture"), format!("own {session:?}"));
            let first = login.post("/api/v1/files", &key, &file).await;
            assert_eq!(first.status, 201, "{}", first.body);
            same(&first, &login.post("/api/v1/files", &key, &file).await);
            assert_eq!(login.post("/api/v1/files", &key, &photo(chart, b"other")).await.status, 422);
        }
        assert_eq!((rows(&there, "files").await, rows(&here, "files").await), (2, 1));

        let login = Login { world, token: world.session(user, Some(here.id)).await };
        let street = |name: &str| json!({"patient_id": patient, "line1": name, "city": "Bonn", "country": "DE"});
        let first = login.post("/api/v1/patient-addresses", "a1", &street("Own Lane 1")).await;
        assert_eq!(first.status, 201, "{}", first.body);
        same(&first, &login.post("/api/v1/patient-addresses", "a1", &street("Own Lane 1")).await);
        assert_eq!(login.post("/api/v1/patient-addresses", "a1", &street("Other Lane 1")).await.status, 422);
        assert_eq!(rows(&here, "patient_addresses").await, 1);

        // With a session in no clinic the key is looked for in all of them.
        let (login, phone) = (Login { world, token: world.session(user, None).await }, json!({"phone_mobile": "+49228123456"}));
        let one = format!("/api/v1/patients/{patient}");
        let version: i64 =
            world.truth().await.query_one("select version from enamel.patients where id = $1", &[&patient]).await.unwrap().get(0);
        let etag = format!("W/\"{version}\"");
        let first = login.send(Method::PATCH, &one, "p1", &[("if-match", &etag)], &phone).await;
        assert_eq!(first.status, 200, "{}", first.body);
        same(&first, &login.send(Method::PATCH, &one, "p1", &[("if-match", &etag)], &phone).await);
    });
}

#[test]
fn changing_and_retiring_have_keys_too() {
    world::with(async |world| {
        let clinic = world.tenant("GROUP_PRACTICE", None).await;
        let staff = admin(&clinic).await;
        let one = format!("/api/v1/patients/{}", clinic.patient("Changed").await.unwrap().id);
        let (first, second) = ([("if-match", "W/\"1\"")], [("if-match", "W/\"2\"")]);
        let body = json!({"first_name": "New"});
        let done = staff.send(Method::PATCH, &one, "p", &first, &body).await;
        assert_eq!((done.status, done.etag.as_deref()), (200, Some("W/\"2\"")));
        same(&done, &staff.send(Method::PATCH, &one, "p", &first, &body).await);
        assert_eq!(staff.send(Method::PATCH, &one, "p", &first, &json!({"first_name": "Newer"})).await.status, 422);
        let gone = staff.send(Method::DELETE, &one, "d", &second, &Json::Null).await;
        assert_eq!(gone.status, 204);
        same(&gone, &staff.send(Method::DELETE, &one, "d", &second, &Json::Null).await);
    });
}

#[test]
fn fhir_has_keys_too() {
    world::with(async |world| {
        let clinic = world.tenant("GROUP_PRACTICE", None).await;
        let login = Login { world, token: clinic.client_token("system/*.cruds").await };
        let patient = |family: &str| json!({"resourceType": "Patient", "name": [{"family": family}]});
        let made = login.post("/fhir/r4/Patient", "k", &patient("Keyed")).await;
        assert_eq!((made.status, made.location.is_some(), made.etag.is_some()), (201, true, true), "{}", made.body);
        same(&made, &login.post("/fhir/r4/Patient", "k", &patient("Keyed")).await);
        let other = login.post("/fhir/r4/Patient", "k", &patient("Other")).await;
        assert_eq!((other.status, &other.body["resourceType"]), (422, &json!("OperationOutcome")));
        assert_eq!(rows(&clinic, "patients").await, 1);

        let id = text(&made.body, "id");
        let mut changed = made.body.clone();
        changed["gender"] = json!("female");
        let put = async || login.send(Method::PUT, &format!("/fhir/r4/Patient/{id}"), "k", &[], &changed).await;
        let first = put().await;
        assert_eq!((first.status, first.etag.as_deref()), (200, Some("W/\"2\"")), "{}", first.body);
        same(&first, &put().await);
        let gone = async || login.send(Method::DELETE, &format!("/fhir/r4/Patient/{id}"), "k", &[], &Json::Null).await;
        let first = gone().await;
        assert_eq!(first.status, 204);
        same(&first, &gone().await);
    });
}

#[test]
fn a_transaction_happens_once() {
    world::with(async |world| {
        let clinic = world.tenant("GROUP_PRACTICE", None).await;
        let login = Login { world, token: clinic.client_token("system/*.cruds").await };
        let of = |family: &str| {
            let resource = json!({"resourceType": "Patient", "name": [{"family": family}]});
            json!({"resourceType": "Bundle", "type": "transaction", "entry": [
                {"request": {"method": "POST", "url": "Patient"}, "resource": resource}]})
        };
        let first = login.post("/fhir/r4/", "t", &of("Once")).await;
        assert_eq!((first.status, &first.body["type"]), (200, &json!("transaction-response")), "{}", first.body);
        same(&first, &login.post("/fhir/r4/", "t", &of("Once")).await);
        assert_eq!(login.post("/fhir/r4/", "t", &of("Twice")).await.status, 422);
        assert_eq!(rows(&clinic, "patients").await, 1);
    });
}

#[test]
fn a_batch_that_was_cut_off_goes_on_where_it_ended() {
    world::with(async |world| {
        let clinic = world.tenant("GROUP_PRACTICE", None).await;
        let login = Login { world, token: clinic.client_token("system/*.cruds").await };
        let entry = |family: &str| {
            let resource = json!({"resourceType": "Patient", "name": [{"family": family}], "multipleBirthInteger": 2});
            json!({"request": {"method": "POST", "url": "Patient"}, "resource": resource})
        };
        let batch = |last: &str| {
            json!({"resourceType": "Bundle", "type": "batch", "entry": [
                entry("First"), {"request": {"method": "GET", "url": "Patient?family=Nobody"}}, entry(last)]})
        };
        let first = login.post("/fhir/r4/", "b", &batch("Last")).await;
        assert_eq!(first.status, 200, "{}", first.body);
        same(&first, &login.post("/fhir/r4/", "b", &batch("Last")).await);
        assert_eq!(login.post("/fhir/r4/", "b", &batch("Other")).await.status, 422);
        assert_eq!(rows(&clinic, "patients").await, 2);

        // As a server leaves it that dies after the first entry.
        let truth = world.truth().await;
        truth
            .execute(
                "delete from enamel.idempotency_keys where tenant_id = $1 and (route not like '% #%' or route like '% #2%')",
                &[&clinic.id],
            )
            .await
            .unwrap();
        let second = login.post("/fhir/r4/", "b", &batch("Last")).await;
        assert_eq!((second.status, second.replayed), (200, false));
        assert_eq!(second.body["entry"][0], first.body["entry"][0]);
        assert_ne!(second.body["entry"][2], first.body["entry"][2]);
        assert_eq!(rows(&clinic, "patients").await, 3, "the first entry was not done again");
    });
}

/// What only looks takes no key; whoever adds an operation to this list has thought about it.
#[test]
fn keys_hold_for_all_but_what_only_looks() {
    let mut free: Vec<&str> = domains::operations()
        .filter(|operation| operation.method == enamel::kernel::operation::Method::Post && !operation.keyed())
        .map(|operation| operation.id)
        .collect();
    free.sort_unstable();
    assert_eq!(
        free,
        [
            "beginPasskeySignIn",
            "createFileDownloadLink",
            "createReceivedDocumentDownloadLink",
            "exportAuditEvents",
            "findSlots",
            "matchPatients",
            "openShareLink",
            "refreshSession",
            "requestPasswordReset",
            "resetPassword",
            "respondToReferralByLink",
            "searchClinicalNotes",
            "searchMessages",
            "searchPatients",
            "signIn",
            "signInWithPasskey",
            "submitPublicReferral",
            "verifyEmail",
        ]
    );
}
