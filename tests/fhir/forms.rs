//! XML beside JSON on every endpoint: the same resource, whichever form it came in and goes out.

use super::{Client, bare, id, patient};
use crate::world;
use enamel::fhir::xml;
use poem::http::Method;
use serde_json::{Value, json};

const XML: (&str, &str) = ("content-type", "application/fhir+xml; charset=utf-8");
const WANTS_XML: (&str, &str) = ("accept", "application/fhir+xml");

impl Client {
    async fn post_xml(&self, path: &str, body: &Value) -> super::Answer {
        self.send(Method::POST, path, &[XML, WANTS_XML], xml::write(body, false).into_bytes()).await
    }
}

fn kind(answer: &super::Answer) -> &str {
    answer.headers["content-type"].to_str().unwrap()
}

#[test]
fn what_comes_as_xml_is_the_same_resource() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let sent = json!({"resourceType": "Patient", "active": true, "name": [{"family": "Ødegård & <Sønner>", "given": ["Åse"],
            "_given": [{"extension": [{"url": "http://e.test/x", "valueDecimal": 1}]}]}], "birthDate": "1990-05"});
        let sent: Value = serde_json::from_str(&sent.to_string().replace("\"valueDecimal\":1", "\"valueDecimal\":1.00")).unwrap();
        let made = clinic.post_xml("/Patient", &sent).await;
        assert_eq!((made.status.as_u16(), kind(&made)), (201, "application/fhir+xml; charset=utf-8"), "{}", made.body);
        assert_eq!(bare(&made.body), sent);
        let path = format!("/Patient/{}", id(&made.body));
        let as_json = clinic.get(&path).await;
        assert_eq!(as_json.body, made.body);
        assert!(as_json.body.to_string().contains("1.00"));
        for query in ["_format=xml", "_format=application/fhir%2Bxml&_pretty=true", "_format=text/xml"] {
            let read = clinic.get(&format!("{path}?{query}")).await;
            assert!(kind(&read).contains("xml"), "{query}");
            assert_eq!(read.body, made.body, "{query}");
        }
        let both = clinic.send(Method::GET, &path, &[("accept", "application/fhir+json;q=0.2, application/fhir+xml;q=0.9")], Vec::new());
        assert!(kind(&both.await).contains("xml"));
        let mut changed = made.body.clone();
        changed["active"] = json!(false);
        let body = xml::write(&changed, true).into_bytes();
        let put = clinic.send(Method::PUT, &path, &[XML, ("accept", "application/fhir+json")], body).await;
        assert_eq!((put.status.as_u16(), kind(&put)), (200, "application/fhir+json; charset=utf-8"), "{}", put.body);
        assert_eq!(bare(&put.body), bare(&changed));
        let found = clinic.get("/Patient?_format=xml").await;
        assert_eq!(found.body["entry"][0]["resource"], put.body);
    });
}

#[test]
fn batches_and_transactions_come_and_go_as_xml() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let entry = |family: &str| json!({"resource": patient(family), "request": {"method": "POST", "url": "Patient"}});
        for kind in ["batch", "transaction"] {
            let bundle = json!({"resourceType": "Bundle", "type": kind, "entry": [entry("One"), entry("Two")]});
            let answer = clinic.post_xml("/", &bundle).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            assert_eq!(answer.body["type"], format!("{kind}-response"));
            assert_eq!(answer.body["entry"][1]["resource"]["name"][0]["family"], "Two");
        }
        assert_eq!(clinic.ids("/Patient?family=One").await.len(), 2);
    });
}

#[test]
fn refusals_come_in_the_form_that_was_asked_for() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let post =
            async |headers: &[(&str, &str)], body: &str| clinic.send(Method::POST, "/Patient", headers, body.as_bytes().to_vec()).await;
        let wrong = "<Patient xmlns=\"http://hl7.org/fhir\"><active value=\"perhaps\"/></Patient>";
        let answer = post(&[XML, WANTS_XML], wrong).await;
        assert_eq!(answer.status, 422);
        assert!(kind(&answer).contains("xml"));
        assert_eq!(answer.body["issue"][0]["expression"][0], "Patient.active");
        let entity = "<!DOCTYPE a [<!ENTITY b \"c\">]><Patient xmlns=\"http://hl7.org/fhir\"><language value=\"&b;\"/></Patient>";
        let answer = post(&[XML], entity).await;
        assert_eq!((answer.status.as_u16(), kind(&answer)), (400, "application/fhir+json; charset=utf-8"));
        let broken = post(&[XML], "<Patient xmlns=\"http://hl7.org/fhir\"><name><family value=\"&x;\"/></name></Patient>").await;
        assert_eq!(broken.status, 400);
        assert_eq!(broken.body["issue"][0]["expression"][0], "Patient.name[0].family");
        assert_eq!(post(&[("content-type", "application/fhir+turtle")], "").await.status, 415);
        assert_eq!(clinic.get("/Patient?_format=ttl").await.status, 406);
        assert_eq!(clinic.send(Method::GET, "/Patient", &[("accept", "text/turtle")], Vec::new()).await.status, 406);
        let missing = clinic.get("/Patient/0192f0c4-0000-7000-8000-000000000001?_format=xml").await;
        assert_eq!((missing.status.as_u16(), &missing.body["issue"][0]["code"]), (404, &json!("not-found")));
        assert!(kind(&missing).contains("xml"));
        let metadata = clinic.get("/metadata?_format=xml").await;
        assert_eq!(metadata.body, clinic.get("/metadata").await.body);
    });
}
