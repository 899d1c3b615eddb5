//! Every search parameter finds what it should and nothing else; pages hold every record once.

use super::{id, ids, patient};
use crate::world;
use poem::http::Method;
use serde_json::{Value, json};

/// Each of them finds this one record, or none.
async fn check(fhir: &super::Client, name: &str, own: &Value, hits: &[&str], misses: &[&str]) {
    for hit in hits {
        assert_eq!(fhir.ids(&format!("/{name}?{hit}")).await, [id(own)], "{name}?{hit}");
    }
    for miss in misses {
        let found = fhir.ids(&format!("/{name}?{miss}")).await;
        assert!(!found.contains(&id(own)), "{name}?{miss}");
    }
}

#[test]
fn patients_are_found_by_what_they_are() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        fhir.made(patient("Babbage")).await;
        let own = fhir.made(json!({"resourceType": "Patient", "active": true, "gender": "female", "birthDate": "1990-05-17", "deceasedDateTime": "2020-01-02T03:04:05Z",
            "name": [{"family": "Müller", "given": ["Zoë"]}], "identifier": [{"system": "http://hl7.org/fhir/sid/us-ssn", "value": "999-34-4887"}]})).await;
        let by_id = format!("_id={}", id(&own));
        check(
            &fhir,
            "Patient",
            &own,
            &[
                &by_id,
                "name=mull",
                "family=M%C3%BCl",
                "given=zoe",
                "family:exact=M%C3%BCller",
                "family:contains=lle",
                "gender=female",
                "identifier=http://hl7.org/fhir/sid/us-ssn%7C999-34-4887",
                "identifier=999344887",
                "birthdate=1990-05-17",
                "birthdate=ge1990&birthdate=lt1991",
                "birthdate=1990-05",
                "birthdate=sa1990-05-16",
                "birthdate=ap1990-05-17",
                "death-date=2020-01-02",
                "death-date=gt2019",
                "birthdate=1980,1990",
            ],
            &[
                "_id=x",
                "name=uller",
                "family:exact=muller",
                "given=mull",
                "gender=male",
                "gender:not=female",
                "identifier=http://other%7C999-34-4887",
                "identifier=%7C999-34-4887",
                "birthdate=1990-05-18",
                "birthdate=lt1990-05-17",
                "birthdate=eb1990-05-17",
                "birthdate=ne1990",
                "death-date=lt2020",
                "_lastUpdated=lt2020",
            ],
        )
        .await;
        assert_eq!(fhir.ids("/Patient?_lastUpdated=gt2020").await.len(), 2);
        let post = fhir
            .send(Method::POST, "/Patient/_search", &[("content-type", "application/x-www-form-urlencoded")], b"family=mull".to_vec())
            .await;
        assert_eq!(ids(&post.body), [id(&own)]);
        for bad in ["birthdate=foo", "_count=-1", "name:text=x", "birthdate:exact=1990", "_has=x", "subject.name=a"] {
            let answer = fhir.get(&format!("/Patient?{bad}")).await;
            assert_eq!((answer.status.as_u16(), &answer.body["resourceType"]), (400, &json!("OperationOutcome")), "{bad}");
        }
        assert_eq!(fhir.get("/Patient?foo=1").await.status, 200);
        let strict = fhir.send(Method::GET, "/Patient?foo=1", &[("prefer", "handling=strict")], Vec::new()).await;
        assert_eq!(strict.status, 400);
    });
}

#[test]
fn the_other_types_are_found_too() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let ada = fhir.made(patient("Lovelace")).await;
        let payer = fhir
            .made(
                json!({"resourceType": "Organization", "name": "Acme Health", "address": [{"line": ["1 Main St"], "city": "Springfield"}]}),
            )
            .await;
        let site = fhir.made(json!({"resourceType": "Location", "name": "Main Site", "address": {"line": ["2 Oak Rd"], "city": "Amherst", "state": "MA", "postalCode": "01002"}})).await;
        let doctor = fhir
            .made(json!({"resourceType": "Practitioner", "name": [{"family": "Molar", "given": ["Max"]}],
            "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}, {"system": "urn:x", "value": "77"}]}))
            .await;
        let role = fhir.made(json!({"resourceType": "PractitionerRole", "practitioner": {"reference": format!("Practitioner/{}", id(&doctor))}, "location": [{"reference": format!("Location/{}", id(&site))}],
            "specialty": [{"coding": [{"system": "http://nucc.org/provider-taxonomy", "code": "1223X0400X"}], "text": "Orthodontics"}]})).await;
        let mother = fhir.made(json!({"resourceType": "RelatedPerson", "patient": {"reference": format!("Patient/{}", id(&ada))}, "name": [{"family": "Milbanke", "given": ["Annabella"]}]})).await;
        let cover = fhir.made(json!({"resourceType": "Coverage", "status": "active", "subscriberId": "S1", "beneficiary": {"reference": format!("Patient/{}", id(&ada))}, "payor": [{"reference": format!("Organization/{}", id(&payer))}]})).await;
        let of = |name: &str, to: &Value, kind: &str| format!("{name}={kind}{}", id(to));
        let random = uuid::Uuid::now_v7();
        check(
            &fhir,
            "Organization",
            &payer,
            &["name=acme", "address=spring", "address=main", &of("_id", &payer, "")],
            &["name=cme", "address=zzz"],
        )
        .await;
        assert_eq!(fhir.ids(&format!("/Organization?_id={}", clinic.id)).await, [clinic.id.to_string()]);
        check(
            &fhir,
            "Location",
            &site,
            &["name=main", "address=amh", "address-city=amherst", "address-state=ma", "address-postalcode=010"],
            &["name=oak", "address-city=x", "address-state=NY", "address-postalcode=9"],
        )
        .await;
        check(
            &fhir,
            "Practitioner",
            &doctor,
            &[
                "name=mol",
                "name=max",
                "identifier=1234567893",
                "identifier=http://hl7.org/fhir/sid/us-npi%7C1234567893",
                "identifier=urn:x%7C77",
            ],
            &["name=olar", "identifier=urn:y%7C77", "identifier=78"],
        )
        .await;
        check(
            &fhir,
            "PractitionerRole",
            &role,
            &[
                &of("practitioner", &doctor, ""),
                &of("practitioner", &doctor, "Practitioner/"),
                "specialty=1223X0400X",
                "specialty=http://nucc.org/provider-taxonomy%7C1223X0400X",
                &of("location", &site, ""),
            ],
            &[&format!("practitioner={random}"), "specialty=x", &format!("location={random}")],
        )
        .await;
        check(
            &fhir,
            "RelatedPerson",
            &mother,
            &[&of("patient", &ada, ""), "name=milb", "name=anna"],
            &[&format!("patient={random}"), "name=ilb"],
        )
        .await;
        check(
            &fhir,
            "Coverage",
            &cover,
            &[&of("patient", &ada, "Patient/"), "status=active"],
            &[&format!("patient={random}"), "status=draft"],
        )
        .await;
    });
}

#[test]
fn pages_hold_every_record_once_in_order() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        for place in 0..7 {
            let mut one = patient(&format!("P{}", place * 3 % 7));
            if place % 2 == 0 {
                one["birthDate"] = json!(format!("19{}0-01-01", 9 - place));
            }
            fhir.made(one).await;
            fhir.made(json!({"resourceType": "Organization", "name": format!("O{}", place * 5 % 7)})).await;
        }
        for (name, sort, count) in [
            ("Patient", "family", 7),
            ("Patient", "-family", 7),
            ("Patient", "birthdate", 7),
            ("Patient", "-_lastUpdated", 7),
            ("Patient", "_id", 7),
            ("Organization", "name", 8),
            ("Organization", "-name", 8),
        ] {
            let all = fhir.ids(&format!("/{name}?_sort={sort}")).await;
            assert_eq!(all.len(), count, "{name} {sort}");
            let pages = fhir.pages(&format!("/{name}?_sort={sort}&_count=2&_total=accurate")).await;
            assert!(pages.iter().all(|page| page["total"] == count && ids(page).len() <= 2), "{name} {sort}");
            assert_eq!(pages.iter().flat_map(ids).collect::<Vec<_>>(), all, "{name} {sort}");
        }
        let count = fhir.get("/Patient?_summary=count").await.body;
        assert_eq!((&count["total"], &count["entry"]), (&json!(7), &Value::Null));
        assert_eq!(fhir.get("/Patient?_cursor=abc").await.status, 400);
    });
}
