//! Bulk exports as their clients see them.

use super::{Answer, Client, Clinic, id, patient};
use crate::world::{self, World};
use enamel::kernel::context::{Permission, Plane};
use poem::http::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

const ASYNC: (&str, &str) = ("prefer", "respond-async");

/// What an export wrote: resources by type, removals, remarks.
pub struct Taken {
    pub manifest: Value,
    pub resources: BTreeMap<String, Vec<Value>>,
    pub removed: Vec<String>,
    pub remarks: Vec<Value>,
}

impl Taken {
    pub fn ids(&self, type_name: &str) -> Vec<String> {
        let mut ids: Vec<String> = self.resources.get(type_name).into_iter().flatten().map(id).collect();
        ids.sort();
        ids
    }
    fn all_ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.resources.values().flatten().map(id).collect();
        ids.sort();
        ids
    }
}

fn local(url: &str) -> String {
    url.split_once("/fhir/r4").unwrap().1.to_owned()
}

impl Client {
    pub async fn kick(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[ASYNC], Vec::new()).await
    }
    pub async fn kick_with(&self, path: &str, parameters: Value) -> Answer {
        let body = json!({"resourceType": "Parameters", "parameter": parameters});
        self.send(Method::POST, path, &[ASYNC, super::JSON], body.to_string().into_bytes()).await
    }
    /// Asks until the job is no more under way.
    pub async fn ended(&self, place: &str) -> Answer {
        for _ in 0..6_000 {
            let answer = self.get(place).await;
            if answer.status != StatusCode::ACCEPTED {
                return answer;
            }
            assert!(answer.headers.contains_key("retry-after") && answer.headers.contains_key("x-progress"));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the job never ended");
    }
    pub async fn lines(&self, url: &str) -> Vec<Value> {
        let (status, headers, bytes) = self.raw(Method::GET, &local(url), &[], Vec::new()).await;
        assert_eq!((status, headers["content-type"].to_str().unwrap()), (StatusCode::OK, "application/fhir+ndjson"));
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
    /// All that a finished job has for us.
    async fn taken(&self, manifest: Value) -> Taken {
        let mut taken = Taken { manifest: manifest.clone(), resources: BTreeMap::new(), removed: Vec::new(), remarks: Vec::new() };
        for (key, files) in ["output", "deleted", "error"].map(|key| (key, manifest[key].as_array().unwrap())) {
            for file in files {
                let lines = self.lines(file["url"].as_str().unwrap()).await;
                assert_eq!(file["count"], lines.len());
                assert!(lines.iter().all(|line| line["resourceType"] == file["type"]), "one type a file");
                match key {
                    "output" => taken.resources.entry(file["type"].as_str().unwrap().to_owned()).or_default().extend(lines),
                    "error" => taken.remarks.extend(lines),
                    _ => taken.removed.extend(lines.iter().flat_map(|bundle| bundle["entry"].as_array().unwrap()).map(|entry| {
                        assert_eq!(entry["request"]["method"], "DELETE");
                        entry["request"]["url"].as_str().unwrap().to_owned()
                    })),
                }
            }
        }
        taken.removed.sort();
        taken
    }
    pub async fn place(&self, kicked: Answer) -> String {
        assert_eq!(kicked.status, StatusCode::ACCEPTED, "{}", kicked.body);
        local(kicked.headers["content-location"].to_str().unwrap())
    }
    async fn took(&self, kicked: Answer) -> Taken {
        let ended = self.ended(&self.place(kicked).await).await;
        assert_eq!(ended.status, StatusCode::OK, "{}", ended.body);
        self.taken(ended.body).await
    }
    pub async fn export(&self, path: &str) -> Taken {
        self.took(self.kick(path).await).await
    }
}

/// A patient with a few resources; their ids.
async fn chart(clinic: &Client, family: &str) -> (String, Vec<String>) {
    let who = id(&clinic.made(patient(family)).await);
    let subject = json!({"reference": format!("Patient/{who}")});
    let mut all = vec![who.clone()];
    for made in [
        json!({"resourceType": "Flag", "status": "active", "code": {"text": "a"}, "subject": subject}),
        json!({"resourceType": "Flag", "status": "inactive", "code": {"text": "b"}, "subject": subject}),
        json!({"resourceType": "RelatedPerson", "patient": subject, "name": [{"family": "Kin"}]}),
    ] {
        all.push(id(&clinic.made(made).await));
    }
    all.sort();
    (who, all)
}

#[test]
fn what_is_exported_is_what_single_reads_give() {
    world::with(async |world| {
        let clinic: Clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let (_, mut all) = chart(&fhir, "One").await;
        all.extend(chart(&fhir, "Two").await.1);
        chart(&world.tenant("SOLO_PRACTICE", None).await.fhir(), "Foreign").await;
        let basic = id(&fhir.made(json!({"resourceType": "Basic", "code": {"text": "of nobody"}})).await);
        let taken = fhir.export("/$export").await;
        let given = &taken.manifest;
        assert_eq!(given["requiresAccessToken"], true);
        assert!(given["request"].as_str().unwrap().ends_with("/fhir/r4/$export"));
        for made in all.iter().chain([&basic]) {
            assert!(taken.all_ids().contains(made), "{made} is missing");
        }
        for (type_name, resources) in &taken.resources {
            for resource in resources {
                let read = fhir.get(&format!("/{type_name}/{}", id(resource))).await;
                assert_eq!((read.status, &read.body), (StatusCode::OK, resource));
            }
        }
        assert_eq!(taken.ids("Patient").len(), 2);
        assert!(taken.remarks.is_empty() && taken.removed.is_empty());

        let of_patients = fhir.export("/Patient/$export").await;
        all.sort();
        assert_eq!(of_patients.all_ids(), all, "the compartments and nothing else");
    });
}

/// A transaction that stays open: exports wait for it, so what is done meanwhile is done behind their moment.
async fn held(world: &'static World) -> tokio_postgres::Client {
    let truth = world.truth().await;
    truth.batch_execute("begin; select 1").await.unwrap();
    truth
}

fn narrowed(clinic: &Clinic, scopes: &[&str]) -> Client {
    let mut caller = clinic.staff();
    caller.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect::<Vec<_>>().into();
    clinic.world.fhir(caller)
}

#[test]
fn an_export_shows_one_moment_whatever_happens_while_it_runs() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let (changed, _) = chart(&fhir, "Before").await;
        let flag = json!({"resourceType": "Flag", "status": "active", "code": {"text": "gone"}, "subject": {"reference": format!("Patient/{changed}")}});
        let gone = id(&fhir.made(flag).await);
        let before = fhir.get(&format!("/Patient/{changed}")).await.body;
        let open = held(world).await;
        let place = fhir.place(fhir.kick("/$export?_type=Patient,Flag").await).await;
        let mut after = before.clone();
        after["name"][0]["family"] = json!("After");
        assert_eq!(fhir.put(&format!("/Patient/{changed}"), &after, &[]).await.status, 200);
        assert_eq!(fhir.send(Method::DELETE, &format!("/Flag/{gone}"), &[], Vec::new()).await.status, 204);
        let late = id(&fhir.made(patient("Late")).await);
        open.batch_execute("commit").await.unwrap();
        let ended = fhir.ended(&place).await;
        assert_eq!(ended.status, 200, "{}", ended.body);
        let taken = fhir.taken(ended.body).await;
        assert_eq!(taken.resources["Patient"], [before], "as it was, and nobody who came later");
        assert!(taken.ids("Flag").contains(&gone) && !taken.all_ids().contains(&late));

        // What happened since is all that the next one has.
        let since = taken.manifest["transactionTime"].as_str().unwrap().replace('+', "%2B");
        let next = fhir.export(&format!("/$export?_type=Patient,Flag&_since={since}")).await;
        let mut expected = vec![changed.clone(), late];
        expected.sort();
        assert_eq!((next.all_ids(), &next.removed), (expected, &vec![format!("Flag/{gone}")]));
        let until = fhir.export(&format!("/Patient/$export?_until={since}")).await;
        assert!(until.ids("Patient").is_empty() && until.ids("RelatedPerson").len() == 1, "{:?}", until.resources);
    });
}

#[test]
fn a_group_is_exported_with_its_members_and_nobody_else() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let (one, of_one) = chart(&fhir, "One").await;
        let (two, of_two) = chart(&fhir, "Two").await;
        let (three, _) = chart(&fhir, "Three").await;
        let member = |who: &str, inactive: bool| json!({"entity": {"reference": format!("Patient/{who}")}, "inactive": inactive});
        let group = json!({"resourceType": "Group", "type": "person", "actual": true,
            "member": [member(&one, false), member(&two, false), member(&three, true)]});
        let group = id(&fhir.made(group).await);
        let mut both = [of_one.clone(), of_two].concat();
        both.sort();
        let path = format!("/Group/{group}/$export");
        assert_eq!(fhir.export(&path).await.all_ids(), both);
        let named = |who: &str| json!([{"name": "patient", "valueReference": {"reference": format!("Patient/{who}")}}]);
        let taken = fhir.took(fhir.kick_with(&path, named(&one)).await).await;
        assert_eq!(taken.all_ids(), of_one);
        let outside = fhir.kick_with(&path, named(&three)).await;
        let random = fhir.kick_with(&path, named(&Uuid::now_v7().to_string())).await;
        assert_eq!((outside.status, &outside.body), (random.status, &random.body));
        assert_eq!(outside.status, 400);
        let stranger = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let foreign = stranger.kick(&path).await;
        let random = stranger.kick(&format!("/Group/{}/$export", Uuid::now_v7())).await;
        assert_eq!((foreign.status, &foreign.body), (random.status, &random.body));
        assert_eq!(foreign.status, 404);
        let foreign = stranger.kick_with("/Patient/$export", named(&one)).await;
        let random = stranger.kick_with("/Patient/$export", named(&Uuid::now_v7().to_string())).await;
        assert_eq!((foreign.status, &foreign.body), (random.status, &random.body));
    });
}

#[test]
fn each_parameter_does_what_it_says() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let (one, _) = chart(&fhir, "One").await;
        let (two, _) = chart(&fhir, "Two").await;
        assert_eq!(fhir.get("/$export").await.status, 400, "it is asked for as a job");
        for wrong in [
            "_outputFormat=text/csv",
            "_since=soon",
            "_since=2999-01-01T00:00:00Z",
            "_until=x",
            "_type=Foo",
            "_type=Patient,Foo",
            "_typeFilter=Flag?colour=red",
            "_typeFilter=Flag",
            "_typeFilter=Flag?_count=3",
            "_elements=Patient.colour",
            "includeAssociatedData=LatestProvenanceResources",
            "colour=red",
            "patient=Patient/1",
        ] {
            let refused = fhir.kick(&format!("/$export?{wrong}")).await;
            assert_eq!((refused.status.as_u16(), &refused.body["resourceType"]), (400, &json!("OperationOutcome")), "{wrong}");
        }
        assert_eq!(fhir.kick("/Patient/$export?_type=Basic,Subscription").await.status, 400);
        assert_eq!(fhir.kick("/Observation/$export").await.status, 404);
        for format in ["application/fhir%2Bndjson", "application/fhir+ndjson", "application/ndjson", "ndjson"] {
            let place = fhir.place(fhir.kick(&format!("/$export?_type=Patient&_outputFormat={format}")).await).await;
            assert_eq!(fhir.ended(&place).await.status, 200);
        }
        let flags = fhir.export("/$export?_type=Flag&_type=RelatedPerson&_typeFilter=Flag?status=active,on-hold,Flag?status=entered-in-error").await;
        assert_eq!((flags.ids("Flag").len(), flags.ids("RelatedPerson").len(), flags.resources.len()), (2, 2, 2));
        assert!(flags.resources["Flag"].iter().all(|flag| flag["status"] == "active"));
        let cut = fhir.export("/$export?_type=Patient,Flag&_elements=Patient.id,Flag.status,Patient.birthDate").await;
        assert!(cut.resources.values().flatten().all(|one| one["meta"]["tag"][0]["code"] == "SUBSETTED"));
        assert!(cut.resources["Patient"][0].get("name").is_none() && cut.resources["Flag"][0].get("status").is_some());
        let named = json!([{"name": "patient", "valueReference": {"reference": format!("Patient/{one}")}}, {"name": "_type", "valueString": "Patient"},
            {"name": "_since", "valueInstant": "2020-01-01T00:00:00Z"}]);
        assert_eq!(fhir.took(fhir.kick_with("/Patient/$export", named.clone()).await).await.all_ids(), std::slice::from_ref(&one));
        assert_eq!(fhir.kick_with("/$export", named).await.status, 400, "a whole tenant is asked for without patients");
        let lenient = [("prefer", "respond-async, handling=lenient")];
        let kicked = fhir.send(Method::GET, "/$export?_type=Patient,Foo&colour=red", &lenient, Vec::new()).await;
        let taken = fhir.took(kicked).await;
        assert_eq!((taken.ids("Patient").len(), taken.remarks.len()), (2, 2), "{:?}", taken.remarks);
        assert!(taken.ids("Patient").contains(&two));
    });
}

#[test]
fn a_lesser_token_exports_less_and_anothers_job_is_none() {
    world::with(async |world| {
        let clinic: Clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        chart(&fhir, "One").await;
        let narrow = narrowed(&clinic, &["system/Patient.rs"]);
        let taken = narrow.export("/$export").await;
        assert_eq!(taken.resources.keys().collect::<Vec<_>>(), ["Patient"]);
        assert_eq!(narrow.kick("/$export?_type=Flag").await.status, 403);
        let file = local(taken.manifest["output"][0]["url"].as_str().unwrap());
        let other_type = narrowed(&clinic, &["system/Flag.rs"]);
        assert_eq!(other_type.get(&file).await.status, 403, "a token without the type fetches none of it");

        let place = fhir.place(fhir.kick("/$export?_type=Patient").await).await;
        let ended = fhir.ended(&place).await.body;
        let file = local(ended["output"][0]["url"].as_str().unwrap());
        let colleague = world.fhir(world.caller(Plane::Staff, clinic.id, Some(Uuid::now_v7()), Permission::ALL));
        let stranger = world.tenant("SOLO_PRACTICE", None).await.fhir();
        for other in [&colleague, &stranger] {
            let random = other.get(&format!("/$job/{}", Uuid::now_v7())).await;
            for path in [&place, &file] {
                let foreign = other.get(path).await;
                assert_eq!((foreign.status, &foreign.body), (random.status, &random.body), "{path}");
            }
            assert_eq!(random.status, 404);
            assert_eq!(other.send(Method::DELETE, &place, &[], Vec::new()).await.status, 404);
        }
        assert_eq!(fhir.get(&place).await.status, 200, "and it stands");

        // A person needs the permission for it; a patient has none of it; nobody is refused before they are known.
        let doctor = world.fhir(world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewPatient, Permission::ViewClinical]));
        assert_eq!(doctor.kick("/$export").await.status, 403);
        let ada = clinic.patient("Lovelace").await.unwrap();
        assert_eq!(world.portal(&[(clinic.id, ada.id)]).await.kick("/Patient/$export").await.status, 403);
        let nobody = world.http.get(format!("{}/fhir/r4/$export", world.base_url)).header("prefer", "respond-async").send().await.unwrap();
        assert_eq!(nobody.status().as_u16(), 401);
    });
}

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
            let taken = "update enamel.jobs set attempts = attempts + 1, lease_until = clock_timestamp() - interval '1 second'
                          where id = $1 and status = 'RUNNING'";
            if truth.execute(taken, &[&job]).await.unwrap() == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let files = [("Patient/0", true, json!({"resourceType": "Patient", "id": "written-before"})), ("Flag/0", false, json!({"half": "a file"}))];
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
        open.batch_execute("commit").await.unwrap();
        let kernel: Arc<_> = world.kernel.clone();
        let ended = loop {
            // The world's own worker looks every ten seconds; whoever comes first has it.
            enamel::server::fhir::jobs::run(kernel.clone(), clinic.id, job).await.unwrap();
            let answer = fhir.get(&place).await;
            if answer.status != 202 {
                break answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(ended.status, 200, "{}", ended.body);
        let taken = fhir.taken(ended.body).await;
        assert_eq!(taken.ids("Patient"), ["written-before"], "what was complete is not written again");
        assert_eq!(taken.ids("Flag").len(), 2);
        assert!(world.kernel.storage.head(&keys[1]).await.is_err(), "what was half is gone");
        let started: i64 = truth.query_one("select count(*) from enamel.audit_events where tenant_id = $1 and event_type = 'EXPORT_STARTED' and resource_id = $2", &[&clinic.id, &job]).await.unwrap().get(0);
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
            if answer.status() != 202 {
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

#[test]
fn what_is_declared_is_a_job() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let statement = fhir.get("/metadata").await.body;
        let rest = &statement["rest"][0];
        let of = |name: &str| rest["resource"].as_array().unwrap().iter().find(|it| it["type"] == name).unwrap()["operation"].clone();
        let guide = "http://hl7.org/fhir/uv/bulkdata/";
        assert_eq!(statement["instantiates"][0], format!("{guide}CapabilityStatement/bulk-data"));
        for (operations, definition, path) in [
            (rest["operation"].clone(), "export", "/$export".to_owned()),
            (of("Patient"), "patient-export", "/Patient/$export".to_owned()),
            (of("Group"), "group-export", format!("/Group/{}/$export", Uuid::now_v7())),
        ] {
            let url = format!("{guide}OperationDefinition/{definition}");
            assert!(operations.as_array().unwrap().iter().any(|it| it["name"] == "export" && it["definition"] == url));
            assert_eq!(fhir.get(&path).await.status, 400, "{path}");
            assert_eq!(fhir.post(&path, &json!({"resourceType": "Parameters"})).await.status, 400, "{path}");
            let wrong = fhir.send(Method::DELETE, &path, &[], Vec::new()).await;
            assert_eq!((wrong.status.as_u16(), &wrong.headers["allow"]), (405, &"GET, HEAD, OPTIONS, POST".parse().unwrap()), "{path}");
        }
        assert!(rest["operation"].as_array().unwrap().iter().any(|it| it["name"] == "import"));
        assert_eq!(fhir.get("/$import").await.status, 405);
    });
}
