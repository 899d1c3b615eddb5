//! Records in the words of the requirement texts, by the texts' own examples: the same rows, rules and permissions.

use crate::scheduling::{Practice, ahead};
use crate::treatment::Desk;
use crate::world;
use crate::world::operations::{create, read};
use enamel::kernel::table::value::instant_text;
use enamel::kernel::table::{Field, Verb};
use enamel::messaging::knowledge_document::KNOWLEDGE_DOCUMENT;
use enamel::patients::patient::PATIENT;
use enamel::referrals::referral::REFERRAL;
use enamel::server::domains;
use enamel::treatment::treatment_plan::TREATMENT_PLAN;
use serde_json::json;
use uuid::Uuid;

const NETWORK: &str = "/projections/referral-network";
const CENTRE: &str = "/projections/medical-centre";
const SCHEDULING: &str = "/projections/clinic-scheduling";
const PORTAL: &str = "/projections/patient-portal";

#[test]
fn every_name_leads_to_its_table() {
    let stamps = ["id", "tenant_id", "created_at", "created_by", "updated_at", "updated_by"];
    for projection in domains::projections() {
        let (table, path) = (projection.table, projection.path);
        for name in projection.names {
            assert!(
                name.sql.is_some() || table.field(name.of).is_some_and(Field::shown) || stamps.contains(&name.of),
                "{path} {}",
                name.name
            );
            assert_eq!(projection.names.iter().filter(|other| other.name == name.name).count(), 1, "{path} {}", name.name);
        }
        assert!(projection.verbs.iter().all(|verb| table.offers(*verb) || projection.made_by.is_some()), "{path}");
        if projection.verbs.contains(&Verb::Create) && projection.made_by.is_none() {
            let given = |field: &&Field| {
                projection.names.iter().any(|name| name.of == field.name || name.split.is_some())
                    || projection.fills.iter().chain(projection.only).any(|(name, _)| *name == field.name)
            };
            let lost: Vec<&str> =
                table.fields.iter().filter(|field| field.required && field.on_create() && !given(field)).map(|f| f.name).collect();
            assert!(lost.is_empty(), "{path} cannot create without {lost:?}");
        }
    }
}

#[test]
fn referrals_go_both_ways_in_the_words_of_the_referral_network() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let token = clinic.token("TENANT_ADMIN").await;
        let contact = json!({"name": "Dr. Brian Fred M.", "specialty": "Orthodontics", "email": "brian@orthodental.example",
                             "phone": "(319) 555-0115", "status": "ACTIVE", "clinicId": clinic.id});
        let (status, contact) = world.post(Some(&token), &format!("{NETWORK}/contacts"), contact).await;
        assert_eq!((status, contact["clinicId"].as_str()), (201, Some(clinic.id.to_string().as_str())), "{contact}");

        let outgoing = json!({"referralType": "OUTGOING", "fromClinicId": clinic.id, "toContactId": contact["id"], "patientName": "John Doe",
            "patientDob": "1990-01-31", "reason": "Needs orthodontic evaluation", "urgency": "ROUTINE", "status": "SENT"});
        let (status, sent) = world.post(Some(&token), &format!("{NETWORK}/referrals"), outgoing).await;
        assert_eq!((status, sent["status"].as_str()), (201, Some("SENT")), "{sent}");
        let id: Uuid = sent["id"].as_str().unwrap().parse().unwrap();
        let stored = read(&clinic.staff(), &REFERRAL, id).await.unwrap();
        assert_eq!((stored.text("status"), stored.text("patient_name")), (Some("SENT"), Some("John Doe")));
        assert!(!stored.get("sent_at").is_null(), "the operation made the move");

        // A whole object given back with one word changed: everything else stands as it was.
        let one = format!("{NETWORK}/referrals/{id}");
        let mut whole = sent.clone();
        whole["status"] = json!("ACCEPTED");
        let (status, accepted) = world.patch(&token, &one, stored.version, whole).await;
        assert_eq!((status, accepted["status"].as_str()), (200, Some("ACCEPTED")), "{accepted}");
        let version = read(&clinic.staff(), &REFERRAL, id).await.unwrap().version;
        let (status, done) = world.patch(&token, &one, version, json!({"status": "COMPLETED"})).await;
        assert_eq!((status, done["status"].as_str()), (200, Some("COMPLETED")), "{done}");
        let (status, refused) = world.patch(&token, &one, version + 1, json!({"status": "DRAFT"})).await;
        assert_eq!((status, refused["errors"][0]["field"].as_str()), (409, Some("status")), "{refused}");

        let incoming = json!({"referralType": "INCOMING", "fromClinicId": clinic.id, "fromClinicName": "Oak Street Dental",
            "fromClinicEmail": "info@oakdental.example", "referringDentist": "Dr. Sarah Johnson", "patientName": "Jane Smith",
            "patientDob": "1985-05-05", "reason": "Wisdom tooth removal needed", "urgency": "URGENT", "status": "SENT"});
        let (status, received) = world.post(Some(&token), &format!("{NETWORK}/referrals"), incoming.clone()).await;
        assert_eq!((status, received["fromClinicId"].as_str()), (201, Some(clinic.id.to_string().as_str())), "{received}");
        let one = format!("{NETWORK}/referrals/{}", received["id"].as_str().unwrap());
        let id: Uuid = received["id"].as_str().unwrap().parse().unwrap();
        let version = read(&clinic.staff(), &REFERRAL, id).await.unwrap().version;
        let (status, rejected) = world.patch(&token, &one, version, json!({"status": "REJECTED"})).await;
        assert_eq!((status, rejected["status"].as_str(), rejected["rejectedAt"].is_string()), (200, Some("CANCELLED"), true), "{rejected}");

        // By the words of the text, not by ours.
        let found = |path: String| async move { world.get(Some(&token), &path).await };
        let (_, page) = found(format!("{NETWORK}/referrals?status=CANCELLED&referralType=INCOMING&sort=-createdAt")).await;
        assert_eq!((page["items"].as_array().map(Vec::len), page["items"][0]["id"].as_str()), (Some(1), received["id"].as_str()), "{page}");
        let token = clinic.token("TENANT_ADMIN").await;
        for (query, status) in
            [("status=REFUSED", 400), ("sender_clinic_name=x", 400), ("createdAt_from=2020-01-01T00:00:00Z&total=true", 200)]
        {
            assert_eq!(world.get(Some(&token), &format!("{NETWORK}/referrals?{query}")).await.0, status, "{query}");
        }
        // What the record would contradict is not taken.
        let mut foreign = incoming;
        foreign["fromClinicId"] = json!(Uuid::now_v7());
        let (status, refused) = world.post(Some(&token), &format!("{NETWORK}/referrals"), foreign).await;
        assert_eq!((status, refused["errors"][0]["field"].as_str()), (422, Some("fromClinicId")), "{refused}");
        let (status, refused) = world.post(Some(&token), &format!("{NETWORK}/referrals"), json!({"patientDob": "x", "shoeSize": 4})).await;
        let mut named: Vec<&str> = refused["errors"].as_array().unwrap().iter().filter_map(|fault| fault["field"].as_str()).collect();
        named.sort_unstable();
        assert_eq!((status, named), (422, vec!["patientDob", "patientName", "reason", "referralType", "shoeSize"]), "{refused}");
    });
}

#[test]
fn one_appointment_is_told_in_two_vocabularies() {
    world::with(async |world| {
        let practice = Practice::open(world, "Etc/UTC").await;
        let token = practice.clinic.token("TENANT_ADMIN").await;
        let tenant = format!("/tenants/{}", practice.clinic.id);
        let (_, clinic) = world.get(Some(&token), &tenant).await;
        let (status, _) =
            world.patch(&token, &tenant, clinic["version"].as_i64().unwrap(), json!({"default_location_id": practice.place})).await;
        assert_eq!(status, 200);

        let (start, end) = (ahead(3), ahead(3) + chrono::TimeDelta::minutes(45));
        let body = json!({"specialist_id": practice.dentist, "patient_id": practice.patient, "start_datetime": instant_text(start),
                          "end_datetime": instant_text(end), "status": "Confirmed", "appointment_type": "Check-up"});
        let (status, made) = world.post(Some(&token), &format!("{CENTRE}/appointments"), body).await;
        assert_eq!((status, made["status"].as_str(), made["appointment_type"].as_str()), (201, Some("Confirmed"), Some("CHECK")), "{made}");
        let unheard = json!({"specialist_id": practice.dentist, "patient_id": practice.patient, "start_datetime": instant_text(ahead(9)),
                             "end_datetime": instant_text(ahead(9) + chrono::TimeDelta::minutes(5)), "appointment_type": "unheard of"});
        let (status, refused) = world.post(Some(&token), &format!("{CENTRE}/appointments"), unheard).await;
        assert_eq!((status, refused["errors"][0]["field"].as_str()), (422, Some("appointment_type")), "{refused}");
        let id = made["appointment_id"].as_str().unwrap();
        let (_, other) = world.get(Some(&token), &format!("{SCHEDULING}/appointments/{id}")).await;
        assert_eq!(
            (other["status"].as_str(), other["duration"].as_i64(), other["scheduledEnd"].as_str()),
            (Some("confirmed"), Some(45), Some(instant_text(end).as_str())),
            "{other}"
        );

        let version = async || world.get(Some(&token), &format!("/appointments/{id}")).await.1["version"].as_i64().unwrap();
        let one = format!("{CENTRE}/appointments/{id}");
        // A rule of the operation behind the word is told by the text's name for the field.
        let (status, early) = world.patch(&token, &one, version().await, json!({"status": "NoShow"})).await;
        assert_eq!((status, early["errors"][0]["field"].as_str()), (409, Some("start_datetime")), "{early}");
        let truth = world.truth().await;
        let past = format!("set session_replication_role = replica; update enamel.appointments set status = 'NO_SHOW' where id = '{id}'");
        truth.batch_execute(&past).await.unwrap();
        assert_eq!(world.get(Some(&token), &one).await.1["status"], "NoShow");
        let (_, other) = world.get(Some(&token), &format!("{SCHEDULING}/appointments/{id}")).await;
        assert_eq!((other["status"].as_str(), other["reason"].as_str()), (Some("cancelled"), Some("no_show")));
        let (status, back) = world.patch(&token, &one, version().await, json!({"status": "Pending"})).await;
        assert_eq!((status, back["status"].as_str()), (200, Some("Pending")), "{back}");
        let (status, early) = world.patch(&token, &one, version().await, json!({"status": "Completed"})).await;
        assert_eq!((status, early["errors"][0]["rule"].as_str()), (409, Some("day")), "{early}");
        let (status, off) = world.patch(&token, &one, version().await, json!({"status": "Canceled"})).await;
        assert_eq!((status, off["status"].as_str()), (200, Some("Canceled")), "{off}");

        let short = json!({"providerId": practice.dentist, "patientId": practice.patient, "scheduledStart": instant_text(ahead(5)),
                           "duration": 30, "status": "scheduled", "notes": "first visit"});
        let (status, made) = world.post(Some(&token), &format!("{SCHEDULING}/appointments"), short).await;
        assert_eq!(
            (status, made["status"].as_str(), made["clinicId"].as_str()),
            (201, Some("scheduled"), Some(practice.clinic.id.to_string().as_str())),
            "{made}"
        );
        let day = instant_text(ahead(4));
        let path =
            format!("{SCHEDULING}/appointments?status=scheduled&scheduledStart_from={}&sort=scheduledStart", day.replace('+', "%2B"));
        let (_, page) = world.get(Some(&token), &path).await;
        assert_eq!(page["items"].as_array().map(Vec::len), Some(1), "{page}");

        let hours = json!({"specialist_id": practice.dentist, "day_of_week": 1, "start_time": "08:00", "end_time": "12:00"});
        let (status, block) = world.post(Some(&token), &format!("{CENTRE}/availability-blocks"), hours).await;
        assert_eq!((status, block["day_of_week"].as_i64(), block["exception_date"].is_null()), (201, Some(1), true), "{block}");
        let wrong = json!({"specialist_id": practice.dentist, "day_of_week": 8, "start_time": "08:00", "end_time": "12:00"});
        assert_eq!(world.post(Some(&token), &format!("{CENTRE}/availability-blocks"), wrong).await.0, 422);
    });
}

#[test]
fn a_treatment_plan_is_read_and_written_in_the_words_of_the_portal() {
    world::with(async |world| {
        let desk = Desk::open(world).await;
        let token = desk.clinic.token("TENANT_ADMIN").await;
        let patient = desk.clinic.patient("Quote").await.unwrap().id;
        let body = json!({"patient_id": patient, "status": "Draft", "notes": "as discussed", "estimated_total_cost": "about 3,000 euros",
                          "treatment_details": ["Implant", {"description": "Crown", "estimated_fee_minor": 72_000}]});
        let (status, plan) = world.post(Some(&token), &format!("{PORTAL}/treatment-plans"), body).await;
        assert_eq!((status, plan["status"].as_str(), plan["created_by"].as_str()), (201, Some("Draft"), Some("Clinic")), "{plan}");
        assert_eq!(plan["notes"], "as discussed\nabout 3,000 euros");
        assert_eq!(plan["estimated_total_cost"], "720.00 EUR");
        assert_eq!(plan["treatment_details"][0]["description"], "Implant");
        let id: Uuid = plan["treatment_plan_id"].as_str().unwrap().parse().unwrap();
        let one = format!("{PORTAL}/treatment-plans/{id}");
        let version = async || read(&desk.staff, &TREATMENT_PLAN, id).await.unwrap().version;

        let (status, refused) = world.patch(&token, &one, version().await, json!({"estimated_total_cost": "999"})).await;
        assert_eq!((status, refused["errors"][0]["field"].as_str()), (422, Some("estimated_total_cost")), "{refused}");
        let (status, refused) = world.patch(&token, &one, version().await, json!({"status": "In Treatment"})).await;
        assert_eq!((status, refused["errors"][0]["field"].as_str()), (409, Some("status")), "{refused}");
        let (status, shown) = world.patch(&token, &one, version().await, json!({"status": "Finalised"})).await;
        assert_eq!((status, shown["status"].as_str(), shown["outcome"].is_null()), (200, Some("Finalised"), true), "{shown}");

        let (_, person) = world.get(Some(&token), &format!("{PORTAL}/patients/{patient}")).await;
        assert_eq!(
            (person["portal_status"].as_str(), person["treatment_plan_id"].as_str()),
            (Some("Active"), Some(id.to_string().as_str()))
        );
        // Patients are found by what has become of their plans, in the text's words and in ours.
        let people = async |path: &str| {
            let (status, page) = world.get(Some(&token), path).await;
            assert_eq!(status, 200, "{path}: {page}");
            page["items"].as_array().unwrap().iter().filter_map(|person| person["id"].as_str().map(str::to_owned)).collect::<Vec<_>>()
        };
        let stand = async |state: &str| {
            let sql =
                format!("set session_replication_role = replica; update enamel.treatment_plans set status = '{state}' where id = '{id}'");
            world.truth().await.batch_execute(&sql).await.unwrap();
        };
        let idle = desk.clinic.patient("Idle").await.unwrap().id.to_string();
        for (state, own, word) in
            [("PRESENTED", "ACTIVE", "Active"), ("ACCEPTED", "IN_PROGRESS", "In%20Progress"), ("COMPLETED", "COMPLETED", "Completed")]
        {
            stand(state).await;
            for path in [format!("/patients?portal_status={own}"), format!("{PORTAL}/patients?portal_status={word}")] {
                let found = people(&path).await;
                assert!(found.contains(&patient.to_string()) && found.contains(&idle) == (own == "ACTIVE"), "{path}: {found:?}");
            }
        }
        assert_eq!(world.get(Some(&token), "/patients?portal_status=Active").await.0, 400);
        stand("DECLINED").await;
        let (_, declined) = world.get(Some(&token), &one).await;
        assert_eq!((declined["status"].as_str(), declined["outcome"].as_str()), (Some("Finalised"), Some("declined")), "{declined}");

        // A plan that was called off has no word in this text, so it is not there.
        let (_, other) = world.post(Some(&token), &format!("{PORTAL}/treatment-plans"), json!({"patient_id": patient})).await;
        let other: Uuid = other["treatment_plan_id"].as_str().unwrap().parse().unwrap();
        assert_eq!(world.post(Some(&token), &format!("/treatment-plans/{other}/cancel"), json!({"reason": "x"})).await.0, 200);
        assert_eq!(world.get(Some(&token), &format!("{PORTAL}/treatment-plans/{other}")).await.0, 404);
        let (_, page) = world.get(Some(&token), &format!("{PORTAL}/treatment-plans?patient_id={patient}&total=true")).await;
        assert_eq!((page["items"].as_array().map(Vec::len), page["total"].as_i64()), (Some(1), Some(1)), "{page}");

        // The patient's own words over the patient's own policies.
        let (_, own) = world.patient_token(&[(desk.clinic.id, patient)]).await;
        assert_eq!(world.get(Some(&own), &one).await.1["status"], "Finalised");
        let stranger = world.tenant("SOLO_PRACTICE", None).await.token("TENANT_ADMIN").await;
        assert_eq!(world.get(Some(&stranger), &one).await.0, 404);
    });
}

#[test]
fn patients_and_their_family_have_the_texts_names() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let token = clinic.token("TENANT_ADMIN").await;
        let body = json!({"name": "Ada Lovelace Quill", "email": "ada@quill.example", "phone": "+4930123456", "dateOfBirth": "1990-02-03", "isActive": true});
        let (status, made) = world.post(Some(&token), &format!("{SCHEDULING}/patients"), body).await;
        assert_eq!((status, made["name"].as_str(), made["isActive"].as_bool()), (201, Some("Ada Lovelace Quill"), Some(true)), "{made}");
        let id: Uuid = made["_id"].as_str().unwrap().parse().unwrap();
        let stored = read(&clinic.staff(), &PATIENT, id).await.unwrap();
        assert_eq!((stored.text("last_name"), stored.flag("name_needs_review")), (Some("Ada Lovelace Quill"), true));
        let version = async || read(&clinic.staff(), &PATIENT, id).await.unwrap().version;

        let one = format!("{SCHEDULING}/patients/{id}");
        let (status, left) = world.patch(&token, &one, version().await, json!({"isActive": false})).await;
        assert_eq!((status, left["isActive"].as_bool()), (200, Some(false)), "{left}");
        let (_, page) = world.get(Some(&token), &format!("{SCHEDULING}/patients?isActive=false&email=ada@quill.example")).await;
        assert_eq!(page["items"][0]["_id"], json!(id), "{page}");
        let (status, refused) = world.patch(&token, &one, version().await, json!({"phone": "030 1"})).await;
        assert_eq!((status, refused["errors"][0]["field"].as_str()), (422, Some("phone")), "{refused}");

        // A column there is a relation here, and ends with it.
        let centre = format!("{CENTRE}/patients/{id}");
        for (name, shown) in
            [(json!("Robin Quill"), json!("Robin Quill")), (json!("Robin Q."), json!("Robin Q.")), (json!(null), json!(null))]
        {
            let (status, named) = world.patch(&token, &centre, version().await, json!({"emergency_contact_name": name})).await;
            assert_eq!(
                (status, &named["emergency_contact_name"], named["date_of_birth"].as_str()),
                (200, &shown, Some("1990-02-03")),
                "{named}"
            );
            assert_eq!(world.get(Some(&token), &format!("/patients/{id}")).await.1["emergency_contact_name"], shown);
        }

        let child = clinic.patient("Child").await.unwrap().id;
        let (login, _) = world.patient_token(&[(clinic.id, id)]).await;
        let member = json!({"user_id": login, "patient_id": child, "relationship": "Parent", "related_patient_id": id});
        let (status, family) = world.post(Some(&token), &format!("{CENTRE}/family-members"), member).await;
        assert_eq!(
            (status, family["relationship"].as_str(), family["related_patient_id"].as_str()),
            (201, Some("Parent"), Some(id.to_string().as_str())),
            "{family}"
        );
        let (_, page) = world.get(Some(&token), &format!("{CENTRE}/family-members?patient_id={child}")).await;
        assert_eq!(page["items"][0]["family_member_id"], family["family_member_id"], "{page}");
    });
}

#[test]
fn a_projection_asks_for_the_permission_of_its_table_and_keeps_its_kind() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (admin, analyst) = (clinic.token("TENANT_ADMIN").await, clinic.token("PAYER_ANALYST").await);
        for path in [format!("{CENTRE}/patients"), format!("{CENTRE}/medical-records"), format!("{PORTAL}/treatment-plans")] {
            assert_eq!((world.get(Some(&admin), &path).await.0, world.get(Some(&analyst), &path).await.0), (200, 403), "{path}");
        }
        let (status, users) = world.get(Some(&admin), &format!("{CENTRE}/users")).await;
        assert_eq!((status, users["items"].as_array().unwrap().iter().any(|user| user["role"] == "Admin")), (200, true), "{users}");
        let (_, users) = world.get(Some(&admin), &format!("{NETWORK}/users")).await;
        assert_eq!(users["items"][0]["clinicId"], json!(clinic.id), "{users}");

        let protocol = create(&clinic.staff(), &KNOWLEDGE_DOCUMENT, json!({"kind": "PROTOCOL", "title": "Ours"})).await.unwrap().id;
        let material = json!({"title": "Brushing", "content_url": "https://example.org/brush", "material_type": "VIDEO"});
        let (status, material) = world.post(Some(&admin), &format!("{CENTRE}/educational-materials"), material).await;
        assert_eq!(status, 201, "{material}");
        assert_eq!(world.get(Some(&admin), &format!("{CENTRE}/educational-materials/{protocol}")).await.0, 404);
        let (_, page) = world.get(Some(&admin), &format!("{CENTRE}/educational-materials")).await;
        let titles: Vec<&str> = page["items"].as_array().unwrap().iter().filter_map(|item| item["title"].as_str()).collect();
        assert!(titles.contains(&"Brushing") && !titles.contains(&"Ours"), "{titles:?}");
    });
}
