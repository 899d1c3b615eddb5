//! Definitions that are read, and operations over them: `$validate` and terminology.

use super::{Client, id, ids, patient};
use crate::world;
use enamel::fhir::check::faults;
use poem::http::Method;
use serde_json::{Value, json};

const GENDER: &str = "http://hl7.org/fhir/administrative-gender";
const GENDERS: &str = "http://hl7.org/fhir/ValueSet/administrative-gender";

impl Client {
    async fn told(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert_eq!(faults(&answer.body), [], "{path}");
        answer.body
    }
}

/// A parameter of an answer.
fn out<'v>(answer: &'v Value, name: &str) -> &'v Value {
    let found = answer["parameter"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap_or(&Value::Null);
    found.as_object().and_then(|it| it.iter().find(|(key, _)| key.starts_with("value"))).map_or(&Value::Null, |(_, value)| value)
}

#[test]
fn validation_says_what_a_write_would() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let good = clinic.post("/Patient/$validate", &patient("Good")).await;
        assert_eq!((good.status.as_u16(), &good.body["issue"][0]["severity"]), (200, &json!("information")));
        let bad = json!({"resourceType": "Patient", "birthDate": "yesterday", "gender": "m"});
        let told = clinic.post("/Patient/$validate", &bad).await;
        let places: Vec<&str> = told.body["issue"].as_array().unwrap().iter().map(|it| it["expression"][0].as_str().unwrap()).collect();
        assert_eq!((told.status.as_u16(), places), (200, vec!["Patient.birthDate", "Patient.gender"]));
        assert_eq!(clinic.ids("/Patient").await.len(), 0);
        let with = |mode: &str, profile: Option<&str>, resource: Value| {
            let mut parts = vec![json!({"name": "resource", "resource": resource}), json!({"name": "mode", "valueCode": mode})];
            parts.extend(profile.map(|url| json!({"name": "profile", "valueUri": url})));
            json!({"resourceType": "Parameters", "parameter": parts})
        };
        let vitals = "http://hl7.org/fhir/StructureDefinition/vitalsigns";
        let weight = json!({"resourceType": "Observation", "status": "final", "code": {"text": "weight"}});
        let plain = clinic.post("/Observation/$validate", &with("create", None, weight.clone())).await;
        assert_eq!(plain.body["issue"][0]["severity"], "information", "{}", plain.body);
        let profiled = clinic.post("/Observation/$validate", &with("profile", Some(vitals), weight.clone())).await;
        assert_eq!(profiled.body["issue"][0]["severity"], "error", "{}", profiled.body);
        let unknown = clinic.post("/Observation/$validate", &with("profile", Some("http://nowhere.test/p"), weight.clone())).await;
        assert_eq!(unknown.body["issue"][0]["severity"], "error");
        assert_eq!(clinic.post("/Observation/$validate", &with("profile", None, weight.clone())).await.status, 400);
        assert_eq!(clinic.post("/Observation/$validate", &with("sometimes", None, weight.clone())).await.status, 400);
        assert_eq!(clinic.post("/Patient/$validate", &weight).await.body["issue"][0]["severity"], "error");
        // Of the server itself the resource says its type, and what nothing is kept of is judged too.
        let told = clinic.post("/$validate", &with("create", None, bad.clone())).await;
        assert_eq!((told.status.as_u16(), &told.body["issue"][0]["expression"][0]), (200, &json!("Patient.birthDate")));
        assert_eq!(clinic.post("/$validate", &patient("Good")).await.body["issue"][0]["severity"], "information");
        for nothing in [json!({"resourceType": "Foo"}), json!({"resourceType": "Parameters"})] {
            assert_eq!(clinic.post("/$validate", &nothing).await.status, 400, "{nothing}");
        }
        for (value, severity) in [(json!(true), "information"), (json!("true"), "error")] {
            let judged = json!({"resourceType": "Parameters", "parameter": [{"name": "x", "valueBoolean": value}]});
            for path in ["/$validate", "/Parameters/$validate"] {
                let told = clinic.post(path, &with("create", None, judged.clone())).await;
                assert_eq!((told.status.as_u16(), &told.body["issue"][0]["severity"]), (200, &json!(severity)), "{path}");
            }
        }
        assert_eq!(clinic.get("/Parameters").await.status, 405);
        assert_eq!(clinic.get("/$validate").await.status, 405);
        let made = clinic.made(patient("Here")).await;
        let path = format!("/Patient/{}/$validate", id(&made));
        assert_eq!(clinic.post(&path, &with("update", None, made.clone())).await.body["issue"][0]["severity"], "information");
        assert_eq!(clinic.post(&path, &with("update", None, patient("Other"))).await.body["issue"][0]["expression"][0], "Patient.id");
        let delete = json!({"resourceType": "Parameters", "parameter": [{"name": "mode", "valueCode": "delete"}]});
        assert_eq!(clinic.post(&path, &delete).await.status, 200);
        let other = world.tenant("SOLO_PRACTICE", None).await.fhir();
        assert_eq!(other.post(&path, &delete).await.status, 404);
        assert_eq!(clinic.get("/Patient/$validate").await.status, 405);
    });
}

#[test]
fn hl7s_definitions_are_read_and_searched() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await.fhir();
        for path in [
            "StructureDefinition/Patient",
            "SearchParameter/individual-birthdate",
            "OperationDefinition/ValueSet-expand",
            "CompartmentDefinition/patient",
            "CodeSystem/administrative-gender",
            "ValueSet/administrative-gender",
        ] {
            let as_json = clinic.get(&format!("/{path}")).await;
            assert_eq!(as_json.status, 200, "{path}: {}", as_json.body);
            assert_eq!(format!("{}/{}", as_json.body["resourceType"].as_str().unwrap(), id(&as_json.body)), path);
            let as_xml = clinic.send(Method::GET, &format!("/{path}"), &[("accept", "application/fhir+xml")], Vec::new()).await;
            assert_eq!(as_xml.body, as_json.body, "{path}");
        }
        for path in ["StructureDefinition/Nothing", "OperationDefinition/ConceptMap-closure", "ValueSet/nothing"] {
            assert_eq!(clinic.get(&format!("/{path}")).await.status, 404, "{path}");
        }
        for (query, found) in [
            ("StructureDefinition?url=http://hl7.org/fhir/StructureDefinition/Patient", vec!["Patient"]),
            ("StructureDefinition?type=Patient&derivation=specialization", vec!["Patient"]),
            ("StructureDefinition?name:exact=Patient,Group", vec!["Group", "Patient"]),
            ("SearchParameter?base=Patient&code=deceased", vec!["Patient-deceased"]),
            ("CompartmentDefinition?code=Patient", vec!["patient"]),
            ("OperationDefinition?code=lookup", vec!["CodeSystem-lookup"]),
            ("CodeSystem?url=http://hl7.org/fhir/administrative-gender&status=active", vec!["administrative-gender"]),
            ("CodeSystem?_id=administrative-gender", vec!["administrative-gender"]),
            ("ValueSet?url=http://nowhere.test", vec![]),
        ] {
            let mut seen = clinic.ids(&format!("/{query}")).await;
            seen.sort();
            assert_eq!(seen, found, "{query}");
        }
        assert_eq!(clinic.post("/SearchParameter", &json!({"resourceType": "SearchParameter"})).await.status, 405);
    });
}

#[test]
fn a_tenants_own_vocabulary_stands_beside_hl7s() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let own = json!({"resourceType": "CodeSystem", "url": "http://own.test/cs", "status": "active", "content": "complete",
            "concept": [{"code": "T1", "display": "One", "concept": [{"code": "T2", "display": "Two"}]}]});
        let made = clinic.made(own.clone()).await;
        assert_eq!(clinic.ids(&format!("/CodeSystem?_id={}", id(&made))).await, [id(&made)]);
        let pages = clinic.pages("/CodeSystem?_count=200&_total=accurate").await;
        let seen: Vec<String> = pages.iter().flat_map(ids).collect();
        let total = pages.iter().filter_map(|page| page["total"].as_u64()).next_back().unwrap();
        assert!(seen.contains(&id(&made)) && seen.contains(&"administrative-gender".to_owned()));
        assert_eq!(seen.len() as u64, total);
        let lookup = |id: &str, code: &str| format!("/CodeSystem/{id}/$validate-code?code={code}");
        assert_eq!(out(&clinic.told(&lookup(&id(&made), "T2")).await, "result"), true);
        assert_eq!(out(&clinic.told(&lookup(&id(&made), "T3")).await, "result"), false);
        let subsumes = clinic.told(&format!("/CodeSystem/{}/$subsumes?codeA=T1&codeB=T2", id(&made))).await;
        assert_eq!(out(&subsumes, "outcome"), "subsumes");
        let other = world.tenant("SOLO_PRACTICE", None).await.fhir();
        assert_eq!(other.get(&lookup(&id(&made), "T2")).await.status, 404);
        assert_eq!(other.ids("/CodeSystem?_count=0").await.len(), 0);
        let map = clinic
            .made(json!({"resourceType": "ConceptMap", "status": "active", "group": [{"source": "http://own.test/cs", "target": GENDER,
                "element": [{"code": "T1", "target": [{"code": "male", "equivalence": "equal"}]}]}]}))
            .await;
        let told = clinic.told(&format!("/ConceptMap/{}/$translate?system=http://own.test/cs&code=T1", id(&map))).await;
        assert_eq!(out(&told, "result"), true);
    });
}

#[test]
fn codes_are_expanded_looked_up_and_judged() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let codes = |set: &Value| -> Vec<String> {
            set["expansion"]["contains"].as_array().into_iter().flatten().map(|it| it["code"].as_str().unwrap().to_owned()).collect()
        };
        let all = clinic.told(&format!("/ValueSet/$expand?url={GENDERS}")).await;
        assert_eq!(codes(&all), ["male", "female", "other", "unknown"]);
        let paged = clinic.told("/ValueSet/administrative-gender/$expand?filter=E&offset=1&count=1").await;
        assert_eq!((codes(&paged), &paged["expansion"]["total"]), (vec!["female".to_owned()], &json!(3)));
        let given = json!({"resourceType": "Parameters", "parameter": [{"name": "valueSet", "resource": {"resourceType": "ValueSet",
            "status": "draft", "compose": {"include": [{"system": GENDER}], "exclude": [{"system": GENDER, "concept": [{"code": "male"}]}]}}}]});
        let posted = clinic.post("/ValueSet/$expand", &given).await;
        assert_eq!(codes(&posted.body), ["female", "other", "unknown"]);
        assert_eq!(clinic.get("/ValueSet/$expand?url=http://nowhere.test").await.status, 404);
        assert_eq!(clinic.get("/ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/all-languages").await.status, 422);
        assert_eq!(clinic.get("/ValueSet/$expand").await.status, 400);
        assert_eq!(clinic.get(&format!("/ValueSet/$expand?url={GENDERS}&count=many")).await.status, 400);
        let judge = async |rest: &str| clinic.told(&format!("/ValueSet/$validate-code?url={GENDERS}&{rest}")).await;
        let good = judge(&format!("system={GENDER}&code=male")).await;
        assert_eq!((out(&good, "result"), out(&good, "display")), (&json!(true), &json!("Male")));
        assert_eq!(out(&judge(&format!("system={GENDER}&code=m")).await, "result"), false);
        assert_eq!(out(&judge(&format!("system={GENDER}&code=male&display=Woman")).await, "result"), false);
        let coded = json!({"resourceType": "Parameters", "parameter": [{"name": "url", "valueUri": GENDERS},
            {"name": "codeableConcept", "valueCodeableConcept": {"coding": [{"system": "http://x.test", "code": "y"}, {"system": GENDER, "code": "other"}]}}]});
        assert_eq!(out(&clinic.post("/ValueSet/$validate-code", &coded).await.body, "result"), true);
        let told = clinic.told(&format!("/CodeSystem/$lookup?system={GENDER}&code=female")).await;
        assert_eq!(out(&told, "display"), "Female");
        assert_eq!(clinic.get(&format!("/CodeSystem/$lookup?system={GENDER}&code=x")).await.status, 404);
        assert_eq!(clinic.get("/CodeSystem/$lookup?system=http://nowhere.test&code=x").await.status, 404);
        assert_eq!(clinic.get("/CodeSystem/$lookup?code=x").await.status, 400);
        assert_eq!(out(&clinic.told(&format!("/CodeSystem/$validate-code?url={GENDER}&code=male")).await, "result"), true);
        assert_eq!(clinic.get("/Patient/$expand").await.status, 404);
        let terminology = clinic.told("/metadata?mode=terminology").await;
        assert_eq!(terminology["resourceType"], "TerminologyCapabilities");
        assert_eq!(clinic.get("/metadata?mode=sometimes").await.status, 400);
    });
}

#[test]
fn every_declared_operation_answers() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let statement = clinic.told("/metadata").await;
        let mut count = 0;
        for resource in statement["rest"][0]["resource"].as_array().unwrap() {
            for operation in resource["operation"].as_array().into_iter().flatten() {
                let url = operation["definition"].as_str().unwrap();
                if !url.starts_with("http://hl7.org/fhir/OperationDefinition/") {
                    // Of another guide: bulk.rs asks for them.
                    assert!(["export", "patient-export", "group-export"].iter().any(|name| url.ends_with(name)), "{url}");
                    continue;
                }
                let found = clinic.ids(&format!("/OperationDefinition?url={url}")).await;
                assert_eq!(found.len(), 1, "{url}");
                let path = format!("/{}/$X", resource["type"].as_str().unwrap()).replace('X', operation["name"].as_str().unwrap());
                let answer = clinic.post(&path, &json!({"resourceType": "Parameters"})).await;
                // Nothing is named, so nothing is done; what is offered for a record alone has no such path.
                let name = operation["name"].as_str().unwrap();
                let expected = if ["document", "everything", "meta", "meta-add", "meta-delete"].contains(&name) { 404 } else { 400 };
                assert_eq!(answer.status, expected, "{path}: {}", answer.body);
                count += 1;
            }
        }
        assert!(count > 100, "{count}");
        for own in ["export", "patient-export", "group-export", "import"] {
            let told = clinic.told(&format!("/OperationDefinition/enamel-{own}")).await;
            assert_eq!(faults(&told), []);
            assert_eq!(clinic.ids(&format!("/OperationDefinition?url=urn:enamel:operation:{own}")).await, [id(&told)]);
        }
    });
}

#[test]
fn a_patient_is_matched_among_ones_own_alone() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await.fhir(), world.tenant("SOLO_PRACTICE", None).await.fhir());
        let person = |family: &str, born: &str, number: &str| {
            json!({"resourceType": "Patient", "birthDate": born, "gender": "female", "name": [{"family": family, "given": ["Zoë"]}],
                "telecom": [{"system": "phone", "value": "555-0100"}], "identifier": [{"system": "urn:x", "value": number}]})
        };
        let sure = id(&clinic.made(person("Müller", "1990-05-17", "1")).await);
        let likely = id(&clinic.made(person("Mueller", "1990-05-17", "2")).await);
        clinic.made(person("Meier", "1950-01-01", "3")).await;
        other.made(person("Müller", "1990-05-17", "1")).await;
        let ask = |patient: &Value, more: Value| {
            let mut parts = vec![json!({"name": "resource", "resource": patient})];
            parts.extend(more.as_array().unwrap().iter().cloned());
            json!({"resourceType": "Parameters", "parameter": parts})
        };
        let given = person("muller", "1990-05-17", "1");
        let all = clinic.post("/Patient/$match", &ask(&given, json!([]))).await;
        assert_eq!(all.status, 200, "{}", all.body);
        assert_eq!(faults(&all.body), []);
        assert_eq!(ids(&all.body), [sure.clone(), likely], "{}", all.body);
        let search = |place: usize| &all.body["entry"][place]["search"];
        assert_eq!(search(0)["extension"][0]["valueCode"], "certain");
        assert!(search(0)["score"].as_f64() > search(1)["score"].as_f64());
        let certain = clinic.post("/Patient/$match", &ask(&given, json!([{"name": "onlyCertainMatches", "valueBoolean": true}]))).await;
        assert_eq!(ids(&certain.body), std::slice::from_ref(&sure));
        let one = clinic.post("/Patient/$match", &ask(&given, json!([{"name": "count", "valueInteger": 1}]))).await;
        assert_eq!(ids(&one.body), [sure]);
        let nobody = clinic.post("/Patient/$match", &ask(&person("Nobody", "2001-01-01", "9"), json!([]))).await;
        assert_eq!((nobody.status.as_u16(), &nobody.body["total"]), (200, &json!(0)));
        let bare = json!({"resourceType": "Patient", "gender": "female"});
        assert_eq!(clinic.post("/Patient/$match", &ask(&bare, json!([]))).await.status, 400);
    });
}

#[test]
fn labels_are_read_added_and_removed() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await.fhir(), world.tenant("SOLO_PRACTICE", None).await.fhir());
        let made = clinic.made(patient("Doe")).await;
        let path = format!("/Patient/{}", id(&made));
        let labels = json!({"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"tag": [{"system": "urn:t", "code": "red"}]}}]});
        let added = clinic.post(&format!("{path}/$meta-add"), &labels).await;
        assert_eq!(added.status, 200, "{}", added.body);
        assert_eq!((&out(&added.body, "return")["tag"][0]["code"], &out(&added.body, "return")["versionId"]), (&json!("red"), &json!("2")));
        assert_eq!(out(&clinic.told(&format!("{path}/$meta")).await, "return")["tag"][0]["code"], "red");
        assert_eq!(clinic.ids("/Patient?_tag=urn:t%7Cred").await, [id(&made)]);
        let removed = clinic.post(&format!("{path}/$meta-delete"), &labels).await;
        assert_eq!((removed.status.as_u16(), out(&removed.body, "return").get("tag")), (200, None));
        assert_eq!(clinic.ids("/Patient?_tag=urn:t%7Cred").await, [""; 0]);
        for name in ["$meta-add", "$meta-delete"] {
            let random = format!("/Patient/{}/{name}", uuid::Uuid::now_v7());
            let (foreign, random) = (other.post(&format!("{path}/{name}"), &labels).await, other.post(&random, &labels).await);
            assert_eq!((foreign.status.as_u16(), &foreign.body), (404, &random.body));
        }
    });
}
