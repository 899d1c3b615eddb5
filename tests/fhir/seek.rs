//! Orders by any parameters, modifiers wherever the value lies, value sets and hierarchies, units and places.

use super::{Client, id, next, patient};
use crate::world;
use serde_json::{Value, json};

async fn check(fhir: &Client, name: &str, own: &str, hits: &[&str], misses: &[&str]) {
    for (questions, is_hit) in [(hits, true), (misses, false)] {
        for question in questions {
            let found = fhir.ids(&format!("/{name}?{question}")).await;
            assert_eq!(found.iter().any(|id| id == own), is_hit, "{name}?{question}");
        }
    }
}

#[test]
fn an_order_has_several_keys_and_pages_that_hold() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let rows = [
            ("Bell", Some("1990-01-01"), "female"),
            ("Abel", Some("1980-01-01"), "male"),
            ("Bell", None, "female"),
            ("Abel", None, "female"),
            ("Cole", Some("1990-01-01"), "male"),
        ];
        let mut made = Vec::new();
        for (family, born, gender) in rows {
            let mut one = patient(family);
            one["gender"] = json!(gender);
            if let Some(born) = born {
                one["birthDate"] = json!(born);
            }
            made.push(id(&fhir.made(one).await));
        }
        let told = |order: &[usize]| order.iter().map(|at| made[*at].clone()).collect::<Vec<_>>();
        for (sort, order) in [
            ("family,birthdate", vec![1, 3, 0, 2, 4]),
            ("family,-birthdate", vec![1, 3, 0, 2, 4]),
            ("-family,birthdate", vec![4, 0, 2, 1, 3]),
            ("birthdate,-family", vec![1, 4, 0, 2, 3]),
            ("gender,-birthdate,family", vec![0, 3, 2, 4, 1]),
            ("-gender,_id", vec![1, 4, 0, 2, 3]),
            ("birthdate,_lastUpdated", vec![1, 0, 4, 2, 3]),
            ("name,-_id", vec![3, 1, 2, 0, 4]),
        ] {
            assert_eq!(fhir.ids(&format!("/Patient?_sort={sort}")).await, told(&order), "{sort}");
            for count in 1..4 {
                assert_eq!(fhir.paged(&format!("/Patient?_sort={sort}&_count={count}")).await, told(&order), "{sort} by {count}");
            }
        }
        let nine = "family,given,birthdate,gender,active,_id,_lastUpdated,name,deceased";
        assert_eq!(fhir.get(&format!("/Patient?_sort={nine}")).await.status, 400);
    });
}

#[test]
fn an_order_goes_over_several_tables_and_rows_beside_them() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let subject = format!("Patient/{}", id(&fhir.made(patient("Doe")).await));
        let mut made = Vec::new();
        for (code, value, date) in
            [("b", 3.5, "2024-01-03"), ("a", 12.0, "2024-01-01"), ("a", 2.0, "2024-01-02"), ("b", 12.0, "2024-01-03")]
        {
            let one = json!({"resourceType": "Observation", "status": "final", "subject": {"reference": subject}, "effectiveDateTime": date,
                "code": {"coding": [{"system": "urn:x", "code": code}]}, "valueQuantity": {"value": value, "unit": "mm"}});
            made.push(id(&fhir.made(one).await));
        }
        let told = |order: &[usize]| order.iter().map(|at| made[*at].clone()).collect::<Vec<_>>();
        for (sort, order) in [
            ("code,-value-quantity", vec![1, 2, 3, 0]),
            ("value-quantity,code", vec![2, 0, 1, 3]),
            ("-date,-value-quantity", vec![3, 0, 2, 1]),
            ("value-quantity", vec![2, 0, 1, 3]),
        ] {
            assert_eq!(fhir.ids(&format!("/Observation?_sort={sort}")).await, told(&order), "{sort}");
            assert_eq!(fhir.paged(&format!("/Observation?_sort={sort}&_count=1")).await, told(&order), "{sort}");
        }
    });
}

#[test]
fn a_cursor_is_for_one_caller_and_one_question() {
    world::with(async |world| {
        let (one, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        for _ in 0..3 {
            one.fhir().made(patient("Doe")).await;
        }
        for sort in ["family", "family,birthdate"] {
            let page = one.fhir().get(&format!("/Patient?_sort={sort}&_count=1&family=doe")).await.body;
            let next = next(&page).unwrap();
            assert_eq!(one.fhir().get(&next).await.status, 200);
            assert_eq!(one.fhir().get(&next.replace("_count=1", "_count=2")).await.status, 200);
            assert_eq!(one.fhir().get(&next.replace("family=doe", "family=d")).await.status, 400);
            assert_eq!(one.fhir().get(&next.replace(sort, "-family")).await.status, 400);
            assert_eq!(other.fhir().get(&next).await.status, 400);
        }
    });
}

#[test]
fn modifiers_hold_where_columns_answer() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let full = json!({"resourceType": "Patient", "active": true, "gender": "female", "birthDate": "1990-05-17", "name": [{"family": "Lovelace", "given": ["Ada"]}],
            "telecom": [{"system": "phone", "value": "555-0100", "use": "mobile"}], "address": [{"line": ["1 Main St"], "city": "Amherst"}],
            "identifier": [{"type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}, "system": "urn:mrn", "value": "A-7"}]});
        let (full, bare) = (id(&fhir.made(full).await), id(&fhir.made(patient("Bare")).await));
        for name in ["birthdate", "phone", "address", "address-city", "identifier", "general-practitioner", "death-date", "organization"] {
            let has = fhir.get(&format!("/Patient/{full}")).await.body;
            let is_there = match name {
                "phone" => has["telecom"].is_array(),
                "birthdate" => has["birthDate"].is_string(),
                "address" | "address-city" => has["address"].is_array(),
                "identifier" => has["identifier"].is_array(),
                "general-practitioner" => has["generalPractitioner"].is_array(),
                "death-date" => has["deceasedDateTime"].is_string(),
                _ => has["managingOrganization"].is_object(),
            };
            let (own, other) = (format!("{name}:missing={}", !is_there), format!("{name}:missing={is_there}"));
            check(&fhir, "Patient", &full, &[&own], &[&other]).await;
        }
        check(
            &fhir,
            "Patient",
            &bare,
            &["birthdate:missing=true", "phone:missing=true", "address:missing=true", "name:missing=false"],
            &["name:missing=true"],
        )
        .await;
        let of_type = |system: &str, code: &str, value: &str| format!("identifier:of-type={system}%7C{code}%7C{value}");
        let v2 = "http://terminology.hl7.org/CodeSystem/v2-0203";
        check(
            &fhir,
            "Patient",
            &full,
            &[&of_type(v2, "MR", "A-7"), "gender:text=fem", "gender:in=http://hl7.org/fhir/ValueSet/administrative-gender"],
            &[
                &of_type(v2, "SS", "A-7"),
                &of_type(v2, "MR", "A-8"),
                &of_type("urn:x", "MR", "A-7"),
                "gender:text=unk",
                "gender:not-in=http://hl7.org/fhir/ValueSet/administrative-gender",
            ],
        )
        .await;
        for bad in
            ["identifier:of-type=MR%7CA-7", "gender:in=urn:nowhere", "birthdate:text=x", "birthdate:missing=maybe", "gender:below=female"]
        {
            assert_eq!(fhir.get(&format!("/Patient?{bad}")).await.status, 400, "{bad}");
        }
    });
}

/// A code system with a hierarchy, and a value set of some of it.
async fn vocabulary(fhir: &Client) {
    fhir.made(json!({"resourceType": "CodeSystem", "status": "active", "content": "complete", "url": "urn:teeth", "concept": [
        {"code": "tooth", "display": "Tooth", "concept": [{"code": "molar", "display": "Molar", "concept": [{"code": "wisdom", "display": "Third molar"}]}, {"code": "canine", "display": "Canine"}]}]}))
        .await;
    fhir.made(json!({"resourceType": "ValueSet", "status": "active", "url": "http://x.test/back", "compose": {"include": [{"system": "urn:teeth", "filter": [{"property": "concept", "op": "is-a", "value": "molar"}]}]}}))
        .await;
}

#[test]
fn sets_and_hierarchies_are_asked_by_their_codes() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let fhir = clinic.fhir();
        vocabulary(&fhir).await;
        let subject = format!("Patient/{}", id(&fhir.made(patient("Doe")).await));
        let of = |code: &str| json!({"resourceType": "BodyStructure", "patient": {"reference": subject}, "location": {"coding": [{"system": "urn:teeth", "code": code}]}});
        let wisdom = id(&fhir.made(of("wisdom")).await);
        let canine = id(&fhir.made(of("canine")).await);
        let back = "http://x.test/back";
        check(
            &fhir,
            "BodyStructure",
            &wisdom,
            &[
                &format!("location:in={back}"),
                "location:below=urn:teeth%7Cmolar",
                "location:below=urn:teeth%7Ctooth",
                "location:above=urn:teeth%7Cwisdom",
            ],
            &[&format!("location:not-in={back}"), "location:above=urn:teeth%7Cmolar"],
        )
        .await;
        check(
            &fhir,
            "BodyStructure",
            &canine,
            &[&format!("location:not-in={back}"), "location:below=urn:teeth%7Ctooth"],
            &[&format!("location:in={back}"), "location:below=urn:teeth%7Cmolar"],
        )
        .await;
        let chained = fhir.ids(&format!("/Patient?_has:BodyStructure:patient:location:in={back}")).await;
        assert_eq!(chained.len(), 1);
        // Another clinic does not know the set, and is told so as of any other.
        let (foreign, random) = (
            other.fhir().get(&format!("/BodyStructure?location:in={back}")).await,
            other.fhir().get("/BodyStructure?location:in=http://x.test/none").await,
        );
        assert_eq!((foreign.status.as_u16(), &foreign.body), (400, &random.body));
        assert_eq!(fhir.get("/BodyStructure?location:below=urn:teeth%7Cnone").await.status, 400);
    });
}

#[test]
fn a_filter_joins_what_parameters_ask() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let born = |family: &str, born: &str| json!({"resourceType": "Patient", "birthDate": born, "gender": "female", "name": [{"family": family, "given": ["Ada"]}]});
        let (one, two) = (id(&fhir.made(born("Lovelace", "1990-01-01")).await), id(&fhir.made(born("Byron", "1980-01-01")).await));
        let list = fhir.made(json!({"resourceType": "List", "status": "current", "mode": "working", "entry": [{"item": {"reference": format!("Patient/{one}")}}]})).await;
        for (filter, hits) in [
            ("family eq lovelace", vec![&one]),
            ("family eq love", vec![]),
            ("family co lace", vec![&one]),
            ("family ew ron", vec![&two]),
            ("family ne byron", vec![&one]),
            ("birthdate ge 1985 and gender eq female", vec![&one]),
            ("birthdate lt 1985 or family sw love", vec![&one, &two]),
            ("not (birthdate po 1980-01)", vec![&one]),
            ("gender pr true and not (given ne ada)", vec![&one, &two]),
            ("gender in http://hl7.org/fhir/ValueSet/administrative-gender and family eq \"byron\"", vec![&two]),
        ] {
            let found = fhir.ids(&format!("/Patient?_filter={}", filter.replace(' ', "%20").replace('"', "%22"))).await;
            assert_eq!(found.iter().collect::<Vec<_>>(), hits, "{filter}");
        }
        for bad in ["family", "family%20xx%20a", "(family%20eq%20a", "nothing%20eq%20a"] {
            assert_eq!(fhir.get(&format!("/Patient?_filter={bad}")).await.status, 400, "{bad}");
        }
        assert_eq!(fhir.ids(&format!("/Patient?_list={}", id(&list))).await, [one]);
        assert_eq!(fhir.ids(&format!("/Patient?_list={}", uuid::Uuid::now_v7())).await, [""; 0]);
    });
}

#[test]
fn amounts_are_found_in_any_unit_that_converts() {
    world::with(async |world| {
        let fhir = world.tenant("SOLO_PRACTICE", None).await.fhir();
        let ucum = "http://unitsofmeasure.org";
        let of = |value: Value, unit: &str| json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "valueQuantity": {"value": value, "unit": unit, "system": ucum, "code": unit}});
        let dose = id(&fhir.made(of(json!(5.4), "g")).await);
        let asked = |value: &str, unit: &str| format!("value-quantity={value}%7C{ucum}%7C{unit}");
        let (milligrams, less) = (asked("5400", "mg"), asked("lt5400", "mg"));
        check(
            &fhir,
            "Observation",
            &dose,
            &[
                &milligrams,
                &asked("0.0054", "kg"),
                &asked("ge5400", "mg"),
                &asked("le5400", "mg"),
                &asked("gt5399", "mg"),
                "value-quantity=5.4",
            ],
            &[&less, &asked("gt5400", "mg"), &asked("5.4", "mg"), &asked("5.4", "m"), "value-quantity=0.0054", "value-quantity=5400"],
        )
        .await;
        let warm = id(&fhir.made(of(json!(37.0), "Cel")).await);
        check(&fhir, "Observation", &warm, &[&asked("98.6", "[degF]"), &asked("gt300", "K")], &[&asked("97", "[degF]")]).await;
        let site = |name: &str, latitude: f64, longitude: f64| json!({"resourceType": "Location", "name": name, "position": {"latitude": latitude, "longitude": longitude}});
        let (ann, _) = (id(&fhir.made(site("Ann Arbor", 42.28, -83.74)).await), fhir.made(site("Boston", 42.36, -71.06)).await);
        for (near, is_hit) in [
            ("42.33%7C-83.05%7C60%7Ckm", true),
            ("42.33%7C-83.05%7C50%7Ckm", false),
            ("42.28%7C-83.74", true),
            ("42.33%7C-83.05%7C40%7C%5Bmi_i%5D", true),
        ] {
            assert_eq!(fhir.ids(&format!("/Location?near={near}")).await.contains(&ann), is_hit, "{near}");
        }
        assert_eq!(fhir.get("/Location?near=100%7C0").await.status, 400);
    });
}

#[test]
fn teeth_are_found_in_any_numbering() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let ada = clinic.patient("Lovelace").await.unwrap().id;
        let referral = json!({"referral_type": "OUTGOING", "patient_id": ada, "patient_name": "Ada Lovelace", "patient_dob": "1990-12-10",
            "reason": "Root canal", "fdi_teeth": ["16", "31"], "urgency": "URGENT"});
        let of_column = crate::world::operations::create(&clinic.staff(), &enamel::referrals::referral::REFERRAL, referral)
            .await
            .unwrap()
            .id
            .to_string();
        let universal = "http://terminology.hl7.org/CodeSystem/ADAUniversalToothDesignationSystem";
        let kept = json!({"resourceType": "ServiceRequest", "status": "active", "intent": "order", "subject": {"reference": format!("Patient/{ada}")},
            "code": {"coding": [{"system": "urn:codes", "code": "T1234"}]}, "bodySite": [{"coding": [{"system": universal, "code": "3"}]}]});
        let kept = id(&fhir.made(kept).await);
        let same = [format!("tooth={universal}%7C3"), "tooth=16".into(), "tooth=UR6".into(), "quadrant=UR".into(), "quadrant=10".into()];
        for question in &same {
            check(&fhir, "ServiceRequest", &of_column, &[question], &[]).await;
            check(&fhir, "ServiceRequest", &kept, &[question], &[]).await;
        }
        check(&fhir, "ServiceRequest", &of_column, &["quadrant=LL", "tooth=31"], &["tooth=26", "tooth:missing=true"]).await;
        check(
            &fhir,
            "ServiceRequest",
            &kept,
            &["code-range=T1000..T1999", "code-range=urn:codes%7CT1234..T1234"],
            &["quadrant=LL", "code-range=T2000..T2999", "code-range=urn:x%7CT1000..T1999", "tooth:not=16"],
        )
        .await;
        let depth = json!({"resourceType": "Observation", "status": "final", "code": {"text": "pocket"}, "bodySite": {"coding": [{"system": universal, "code": "A"}, {"system": "http://terminology.hl7.org/CodeSystem/FDI-surface", "code": "M"}]},
            "component": [{"code": {"coding": [{"system": "urn:enamel:chart", "code": "site"}]}, "valueString": "MB"},
                {"code": {"coding": [{"system": "urn:enamel:chart", "code": "probing-depth"}]}, "valueQuantity": {"value": 5, "unit": "mm", "system": "http://unitsofmeasure.org", "code": "mm"}}]});
        let depth = id(&fhir.made(depth).await);
        check(
            &fhir,
            "Observation",
            &depth,
            &[
                "tooth=55",
                "tooth=A",
                "quadrant=UR",
                "surface=m",
                "perio-site=MB",
                "perio-depth=ge4",
                "perio-depth=0.5%7Chttp://unitsofmeasure.org%7Ccm",
                "tooth=A&perio-depth=gt4.5",
            ],
            &["tooth=15", "surface=D", "perio-site=DB", "perio-depth=gt5"],
        )
        .await;
        for bad in ["tooth=3", "tooth=99", "quadrant=XX", "code-range=T1"] {
            assert_eq!(fhir.get(&format!("/ServiceRequest?{bad}")).await.status, 400, "{bad}");
        }
        assert_eq!(fhir.get("/SearchParameter/enamel-tooth").await.body["code"], "tooth");
        assert_eq!(fhir.ids("/SearchParameter?code=perio-depth&base=Observation").await, ["enamel-perio-depth"]);
    });
}
