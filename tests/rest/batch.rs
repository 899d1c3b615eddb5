//! `POST /batch`: whole or not at all, or each for itself; names between steps; and what it refuses.

use crate::world::people::text;
use crate::world::{self};
use serde_json::{Value as Json, json};
use uuid::Uuid;

fn at<'a>(answer: &'a Json, place: usize, name: &str) -> &'a Json {
    &answer["results"][place][name]
}

#[test]
fn a_family_moves_in_with_one_request() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let token = clinic.token("TENANT_ADMIN").await;
        let steps = json!({"operations": [
            {"method": "POST", "path": "/patients", "body": {"first_name": "Ada", "last_name": "Quill"}, "ref": "mother"},
            {"method": "POST", "path": "/api/v1/patients", "body": {"first_name": "Ben", "last_name": "Quill"}, "ref": "child"},
            {"method": "POST", "path": "/patient-relationships", "body":
                {"patient_id": "#child", "related_patient_id": "#mother", "relationship_type": "PARENT"}},
            {"method": "PATCH", "path": "/patients/#child", "if_match": 1, "body": {"last_name": "Quillon"}},
            {"method": "POST", "path": "/patients/#mother/deactivate"},
        ]});
        let (code, made) = world.post(Some(&token), "/batch", steps).await;
        assert_eq!(code, 200, "{made}");
        let states: Vec<_> = (0..5).map(|place| at(&made, place, "status").as_i64().unwrap()).collect();
        assert_eq!(states, [201, 201, 201, 200, 200]);
        assert_eq!((at(&made, 3, "version"), &at(&made, 3, "body")["last_name"]), (&json!(2), &json!("Quillon")));
        let (_, mother) = world.get(Some(&token), &format!("/patients/{}", text(&made["results"][0], "id"))).await;
        assert_eq!(mother["status"], "INACTIVE");
        let (_, facts) = world.get(Some(&token), &format!("/patient-relationships?patient_id={}", text(&made["results"][1], "id"))).await;
        assert_eq!(facts["items"][0]["related_patient_id"], made["results"][0]["id"]);
    });
}

#[test]
fn a_step_may_speak_the_words_of_a_projection() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let token = clinic.token("TENANT_ADMIN").await;
        let people = "/projections/clinic-scheduling/patients";
        let steps = json!({"operations": [
            {"method": "POST", "path": people, "body": {"name": "Ada Quill", "isActive": true}, "ref": "ada"},
            {"method": "PATCH", "path": format!("{people}/#ada"), "if_match": 1, "body": {"phone": "+4930123456", "isActive": false}},
            {"method": "POST", "path": "/patient-addresses", "body": {"patient_id": "#ada", "line1": "Main Street 1"}},
        ]});
        let (code, made) = world.post(Some(&token), "/batch", steps).await;
        assert_eq!((code, at(&made, 0, "status"), at(&made, 1, "status")), (200, &json!(201), &json!(200)), "{made}");
        assert_eq!((&at(&made, 1, "body")["name"], &at(&made, 1, "body")["isActive"]), (&json!("Ada Quill"), &json!(false)));
        assert_eq!(at(&made, 0, "id"), &at(&made, 1, "body")["_id"]);

        let wrong = json!({"operations": [{"method": "POST", "path": people, "body": {"phone": "030", "shoeSize": 43, "isActive": "no"}}]});
        let (code, refused) = world.post(Some(&token), "/batch", wrong).await;
        let mut named: Vec<&str> = refused["errors"].as_array().unwrap().iter().filter_map(|fault| fault["field"].as_str()).collect();
        named.sort_unstable();
        let places = ["isActive", "name", "phone", "shoeSize"].map(|name| format!("operations[0].body.{name}"));
        assert_eq!((code, named), (422, places.iter().map(String::as_str).collect()), "{refused}");
    });
}

#[test]
fn one_refusal_undoes_an_atomic_batch_and_only_its_own_step_in_a_loose_one() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let token = clinic.token("TENANT_ADMIN").await;
        let (first, last) = (Uuid::now_v7(), Uuid::now_v7());
        let steps = |atomic: bool| {
            json!({"atomic": atomic, "operations": [
                {"method": "POST", "path": "/patients", "body": {"id": first, "last_name": "First"}},
                {"method": "POST", "path": "/patients", "body": {"id": first, "last_name": "Twin"}},
                {"method": "POST", "path": "/patients", "body": {"last_name": "Bad", "dob": "not a day"}},
                {"method": "POST", "path": "/patients", "body": {"id": last, "last_name": "Last"}},
            ]})
        };
        let (code, refusal) = world.post(Some(&token), "/batch", steps(true)).await;
        assert_eq!((code, &refusal["errors"][0]["field"]), (409, &json!("operations[1].body.id")), "{refusal}");
        for id in [first, last] {
            assert_eq!(world.get(Some(&token), &format!("/patients/{id}")).await.0, 404, "nothing is stored");
        }
        let (code, told) = world.post(Some(&token), "/batch", steps(false)).await;
        let states: Vec<_> = (0..4).map(|place| at(&told, place, "status").as_i64().unwrap()).collect();
        assert_eq!((code, states), (200, vec![201, 409, 422, 201]), "{told}");
        assert_eq!(at(&told, 2, "body")["errors"][0]["field"], "body.dob");
        assert_eq!(world.get(Some(&token), &format!("/patients/{last}")).await.0, 200);
        // What was undone left no audit event either: one CREATE for each stored row.
        let made: i64 = world
            .truth()
            .await
            .query_one(
                "select count(*) from enamel.audit_events where tenant_id = $1 and resource_id = $2 and action = 'CREATE'",
                &[&clinic.id, &first],
            )
            .await
            .unwrap()
            .get(0);
        assert_eq!(made, 1);
    });
}

#[test]
fn a_batch_gives_no_more_power_than_its_steps() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let token = clinic.token("TENANT_ADMIN").await;
        let foreign = other.patient("Foreign").await.unwrap().id;
        let one = async |token: &str, step: Json| {
            let (code, answer) = world.post(Some(token), "/batch", json!({"operations": [step]})).await;
            (code, answer["errors"][0]["field"].as_str().unwrap_or_default().to_owned())
        };
        let patch = |id: Uuid| json!({"method": "PATCH", "path": format!("/patients/{id}"), "if_match": 1, "body": {"dob": null}});
        assert_eq!(one(&token, patch(foreign)).await, one(&token, patch(Uuid::now_v7())).await);
        assert_eq!(one(&token, patch(foreign)).await.0, 404);
        let narrow = clinic.client_token("system/Location.cruds").await;
        assert_eq!(one(&narrow, json!({"method": "POST", "path": "/patients", "body": {"last_name": "No"}})).await.0, 403);
        for (step, field) in [
            (json!({"method": "GET", "path": "/patients"}), "operations[0].method"),
            (json!({"method": "POST", "path": "/nowhere"}), "operations[0].path"),
            (json!({"method": "POST", "path": "/patients", "extra": 1}), "operations[0].extra"),
            (json!({"method": "POST", "path": "/files", "body": {}}), "operations[0].path"),
            (json!({"method": "POST", "path": "/patients", "body": {"last_name": "#nobody", "dob": "#nobody"}}), "operations[0].body.dob"),
            (json!({"path": "/patients"}), "operations[0].method"),
        ] {
            assert_eq!(one(&token, step.clone()).await, (422, field.to_owned()), "{step}");
        }
        assert_eq!(one(&token, json!({"method": "DELETE", "path": format!("/patients/{foreign}")})).await.0, 428);
        let many: Vec<Json> = (0..501).map(|_| json!({"method": "POST", "path": "/patients", "body": {"last_name": "x"}})).collect();
        assert_eq!(world.post(Some(&token), "/batch", json!({"operations": many})).await.0, 422);
        assert_eq!(world.post(Some(&token), "/batch", json!({"operations": []})).await.0, 422);
        assert_eq!(world.post(None, "/batch", json!({"operations": []})).await.0, 401);
    });
}

/// Creates that follow each other travel together; what they say of each other holds as if each had waited.
#[test]
fn a_run_of_creates_answers_like_its_steps_one_by_one() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let token = clinic.token("TENANT_ADMIN").await;
        let steps = |bad: usize| -> Vec<Json> {
            let pair = |n: usize| {
                let parent = if n == bad { json!({"last_name": "Run", "external_ref": "first"}) } else { json!({"last_name": "Run"}) };
                let child = json!({"patient_id": format!("#p{n}"), "line1": "Lane 1", "city": "Town", "country": "DE"});
                [
                    json!({"method": "POST", "path": "/patients", "body": parent, "ref": format!("p{n}")}),
                    json!({"method": "POST", "path": "/patient-addresses", "body": child}),
                ]
            };
            let first = json!({"method": "POST", "path": "/patients", "body": {"last_name": "Run", "external_ref": "first"}});
            std::iter::once(first).chain((0..200).flat_map(pair)).collect()
        };
        let states = |told: &Json| -> Vec<i64> {
            told["results"].as_array().unwrap().iter().map(|result| result["status"].as_i64().unwrap()).collect()
        };
        let (code, refusal) = world.post(Some(&token), "/batch", json!({"operations": steps(150)})).await;
        assert_eq!((code, &refusal["errors"][0]["field"]), (409, &json!("operations[301].body.external_ref")), "{refusal}");
        let (code, told) = world.post(Some(&token), "/batch", json!({"atomic": false, "operations": steps(150)})).await;
        assert_eq!(code, 200);
        let mut expected = vec![201; 401];
        // Its address names a row that never was.
        (expected[301], expected[302]) = (409, 422);
        assert_eq!(states(&told), expected);
        assert_eq!(told["results"][304]["body"]["patient_id"], told["results"][303]["id"]);
        let stored: i64 = world
            .truth()
            .await
            .query_one("select count(*) from enamel.patient_addresses where tenant_id = $1", &[&clinic.id])
            .await
            .unwrap()
            .get(0);
        assert_eq!(stored, 199);
    });
}

#[test]
fn a_step_may_point_to_a_shared_row_of_the_same_run() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let token = clinic.token("TENANT_ADMIN").await;
        let policy = |rank: &str| {
            json!({"method": "POST", "path": "/patient-insurance-policies",
                "body": {"patient_id": "#p", "payer_id": "#payer", "policy_number": rank, "coverage_order": rank, "currency": "EUR"}})
        };
        let steps = json!({"operations": [
            {"method": "POST", "path": "/patients", "body": {"last_name": "Insured"}, "ref": "p"},
            {"method": "POST", "path": "/payers", "body": {"name": "Mutual"}, "ref": "payer"},
            policy("PRIMARY"), policy("SECONDARY"),
        ]});
        let (code, made) = world.post(Some(&token), "/batch", steps).await;
        assert_eq!(code, 200, "{made}");
        assert_eq!(at(&made, 3, "body")["payer_id"], made["results"][1]["id"]);
        assert_eq!(at(&made, 3, "body")["payer_tenant_id"], json!(clinic.id));
    });
}

/// Neighbours of one table share a statement; a refusal among them is still the answer of its step alone.
#[test]
fn neighbours_of_one_table_are_answered_in_their_order() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let token = clinic.token("TENANT_ADMIN").await;
        let steps = |twin: &str| -> Vec<Json> {
            let patient = |n: usize| {
                let number = if n == 40 { twin.to_owned() } else { format!("N{n}") };
                json!({"method": "POST", "path": "/patients", "body": {"last_name": format!("Row {n}"), "external_ref": number}})
            };
            (0..60).map(patient).collect()
        };
        let (code, refusal) = world.post(Some(&token), "/batch", json!({"operations": steps("N5")})).await;
        assert_eq!((code, &refusal["errors"][0]["field"]), (409, &json!("operations[40].body.external_ref")), "{refusal}");
        let (code, told) = world.post(Some(&token), "/batch", json!({"atomic": false, "operations": steps("N5")})).await;
        let names: Vec<&Json> = (0..60).map(|place| &told["results"][place]["body"]["last_name"]).collect();
        assert_eq!((code, at(&told, 40, "status"), names[40]), (200, &json!(409), &Json::Null));
        assert!((0..60).filter(|n| *n != 40).all(|n| names[n] == &json!(format!("Row {n}")) && at(&told, n, "version") == 1), "{told}");
        let again: Vec<Json> = steps("N40").into_iter().skip(40).take(1).collect();
        assert_eq!(world.post(Some(&token), "/batch", json!({"operations": again})).await.0, 200);
        // What comes later is not there yet.
        let (kept, merged) = (Uuid::now_v7(), Uuid::now_v7());
        let pair = json!({"operations": [
            {"method": "POST", "path": "/locations", "body": {"id": kept, "name": "A", "country": "DE", "time_zone": "Europe/Berlin"}},
            {"method": "POST", "path": "/operatories", "body": {"name": "1", "location_id": merged}},
            {"method": "POST", "path": "/locations", "body": {"id": merged, "name": "B", "country": "DE", "time_zone": "Europe/Berlin"}},
        ]});
        let (code, refusal) = world.post(Some(&token), "/batch", pair).await;
        assert_eq!((code, &refusal["errors"][0]["field"]), (422, &json!("operations[1].body.location_id")), "{refusal}");
    });
}
