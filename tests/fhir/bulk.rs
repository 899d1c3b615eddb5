//! Bulk exports as their clients see them.

use super::{Answer, Client, Clinic, id, patient};
use crate::world::{self, World};
use enamel::kernel::context::{Permission, Plane};
use poem::http::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Read;
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

pub fn local(url: &str) -> String {
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
            match answer.status {
                StatusCode::ACCEPTED => assert!(answer.headers.contains_key("retry-after") && answer.headers.contains_key("x-progress")),
                // We ask too often, and are told so.
                StatusCode::TOO_MANY_REQUESTS => {
                    assert!(answer.headers.contains_key("retry-after"));
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                _ => return answer,
            }
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
    pub async fn taken(&self, manifest: Value) -> Taken {
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
pub async fn chart(clinic: &Client, family: &str) -> (String, Vec<String>) {
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
pub async fn held(world: &'static World) -> tokio_postgres::Client {
    let truth = world.truth().await;
    truth.batch_execute("begin; select 1").await.unwrap();
    truth
}

#[test]
fn files_travel_packed_to_whoever_takes_them_so() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        chart(&fhir, "One").await;
        let taken = fhir.export("/$export?_type=Flag").await;
        let url = local(taken.manifest["output"][0]["url"].as_str().unwrap());
        let (_, plain_headers, plain) = fhir.raw(Method::GET, &url, &[("accept-encoding", "gzip;q=0")], Vec::new()).await;
        assert_eq!(plain_headers["content-length"].to_str().unwrap(), plain.len().to_string());
        let (status, headers, packed) = fhir.raw(Method::GET, &url, &[("accept-encoding", "gzip, br")], Vec::new()).await;
        assert_eq!((status, headers["content-encoding"].to_str().unwrap()), (StatusCode::OK, "gzip"));
        assert!(headers.get("content-length").is_none() && headers["vary"] == "Accept-Encoding");
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, plain);
    });
}

#[test]
fn whoever_asks_too_often_is_told_to_wait() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        chart(&fhir, "One").await;
        let open = held(world).await;
        let place = fhir.place(fhir.kick("/$export?_type=Flag").await).await;
        let asked = futures_util::future::join_all((0..150).map(|_| fhir.get(&place))).await;
        let (waits, goes_on): (Vec<_>, Vec<_>) = asked.into_iter().partition(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS);
        assert!(!waits.is_empty() && goes_on.iter().all(|answer| answer.status == StatusCode::ACCEPTED));
        assert!(waits.iter().all(|answer| answer.headers.contains_key("retry-after") && answer.body["resourceType"] == "OperationOutcome"));
        open.batch_execute("commit").await.unwrap();
        assert_eq!(fhir.ended(&place).await.status, StatusCode::OK);
    });
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
        let three = &fhir.ids("/Flag").await[..3];
        let filters = format!("Flag?_id={},{},Flag?_id={}", three[0], three[1], three[2]);
        let flags = fhir.export(&format!("/$export?_type=Flag&_type=RelatedPerson&_typeFilter={filters}")).await;
        let mut expected = three.to_vec();
        expected.sort();
        assert_eq!((flags.ids("Flag"), flags.ids("RelatedPerson").len(), flags.resources.len()), (expected, 2, 2));
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
