//! Records that have states are made and moved over FHIR by the operations that REST has: what follows a move follows here too,
//! and what REST refuses is refused.

use super::{Client, id, patient};
use crate::claims::Office;
use crate::world;
use crate::world::operations::{create, read};
use enamel::charting::perio_exam::PERIO_EXAM;
use enamel::claims::claim::CLAIM;
use enamel::clinical::patient_medication::PATIENT_MEDICATION;
use enamel::governance::consent::CONSENT;
use enamel::imaging::document::DOCUMENT;
use enamel::imaging::file::FILE;
use enamel::referrals::referral::REFERRAL;
use enamel::treatment::treatment_plan::TREATMENT_PLAN;
use enamel::workflow::task::TASK;
use serde_json::{Value as Json, json};

fn to(type_name: &str, id: impl std::fmt::Display) -> Json {
    json!({"reference": format!("{type_name}/{id}")})
}

async fn moved(fhir: &Client, resource: &Json, status: &str) -> super::Answer {
    let mut next = resource.clone();
    next["status"] = json!(status);
    fhir.put(&format!("/{}/{}", resource["resourceType"].as_str().unwrap(), id(resource)), &next, &[]).await
}

async fn to_state(fhir: &Client, resource: &Json, status: &str) -> Json {
    let answer = moved(fhir, resource, status).await;
    assert_eq!(answer.status, 200, "{status}: {}", answer.body);
    assert_eq!(answer.body["status"], status);
    answer.body
}

#[test]
fn a_task_goes_its_way_by_the_operations() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (fhir, staff) = (clinic.fhir(), clinic.staff());
        let ada = id(&fhir.made(patient("Lovelace")).await);
        let sent = json!({"resourceType": "Task", "status": "ready", "intent": "order", "description": "Call about the crown",
            "for": to("Patient", &ada), "note": [{"text": "after six"}]});
        let task = fhir.made(sent.clone()).await;
        assert_eq!(super::bare(&task)["status"], "ready");
        let row = async |task: &Json| read(&staff, &TASK, id(task).parse().unwrap()).await.unwrap();
        assert_eq!((row(&task).await.text("status"), row(&task).await.text("title")), (Some("OPEN"), Some("Call about the crown")));
        let begun = to_state(&fhir, &task, "in-progress").await;
        assert_eq!(row(&task).await.uuid("assigned_user_id"), staff.context.actor, "whoever starts a task has it");
        assert_eq!(begun["note"][0]["text"], "after six");
        let done = to_state(&fhir, &begun, "completed").await;
        assert!(row(&done).await.text("completed_at").is_some());
        let refused = moved(&fhir, &done, "cancelled").await;
        assert_eq!((refused.status.as_u16(), &refused.body["issue"][0]["expression"][0]), (409, &json!("Task.status")), "{}", refused.body);
        assert!(refused.body.to_string().contains("it can go to OPEN"), "{}", refused.body);
        // One that was begun elsewhere begins and goes on in one request.
        let running = fhir.made(json!({"status": "in-progress", "resourceType": "Task", "intent": "order", "description": "Ring", "for": to("Patient", &ada)})).await;
        assert_eq!(row(&running).await.text("status"), Some("IN_PROGRESS"));
        assert_eq!(fhir.ids(&format!("/Task?patient={ada}&status=completed")).await, [id(&done)]);
    });
}

#[test]
fn a_referral_is_sent_and_answered_over_fhir() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let (fhir, staff) = (clinic.fhir(), clinic.staff());
        let mut ada = patient("Lovelace");
        ada["birthDate"] = json!("1980-12-10");
        let ada = id(&fhir.made(ada).await);
        let dentist = id(&fhir.made(json!({"resourceType": "Practitioner", "name": [{"family": "Molar"}]})).await);
        let mut sent = json!({"resourceType": "ServiceRequest", "status": "draft", "intent": "order",
            "category": [{"coding": [{"system": "http://snomed.info/sct", "code": "3457005"}]}],
            "subject": to("Patient", &ada), "requester": to("Practitioner", &dentist), "performer": [to("Organization", other.id)],
            "reasonCode": [{"text": "Root canal"}], "extension": [{"url": "http://x.test/e", "valueString": "kept"}]});
        let request = fhir.made(sent.clone()).await;
        let row = async |id: &str| read(&staff, &REFERRAL, id.parse().unwrap()).await.unwrap();
        let made = row(&id(&request)).await;
        assert_eq!(
            (made.text("referral_type"), made.text("status"), made.text("patient_dob")),
            (Some("OUTGOING"), Some("DRAFT"), Some("1980-12-10"))
        );
        let active = to_state(&fhir, &request, "active").await;
        assert_eq!(active["extension"][0]["valueString"], "kept");
        let task = fhir.get(&format!("/Task/{}", id(&request))).await.body;
        assert_eq!(task["status"], "requested", "{task}");
        // It has arrived with the other clinic, which answers by the Task; what is no move is refused with those there are.
        let theirs = other.fhir();
        let arrived = theirs.get("/Task?status=requested").await.body["entry"][0]["resource"].clone();
        let refused = moved(&theirs, &arrived, "completed").await;
        assert_eq!(refused.status, 409, "{}", refused.body);
        assert!(refused.body.to_string().contains("ACCEPTED, REJECTED"), "{}", refused.body);
        let mut no = arrived.clone();
        no["status"] = json!("rejected");
        no["statusReason"] = json!({"text": "We are full"});
        let no = theirs.put(&format!("/Task/{}", id(&arrived)), &no, &[]).await;
        assert_eq!((no.status.as_u16(), &no.body["status"]), (200, &json!("rejected")), "{}", no.body);
        let ended = row(&id(&request)).await;
        assert_eq!((ended.text("status"), ended.text("rejection_reason")), (Some("REJECTED"), Some("We are full")));
        let shown = fhir.get(&format!("/ServiceRequest/{}", id(&request))).await.body;
        assert_eq!((&shown["status"], &shown["extension"][0]["valueString"]), (&json!("revoked"), &json!("kept")), "{shown}");
        let letter = fhir.get(&format!("/Composition/{}", id(&request))).await.body;
        assert_eq!(letter["section"][0]["entry"][0], to("ServiceRequest", id(&request)), "{letter}");
        // What comes from elsewhere came in; what is no referral is kept whole.
        sent["requester"] = json!({"display": "Dr. Root"});
        sent["status"] = json!("active");
        let came = fhir.made(sent.clone()).await;
        assert_eq!((row(&id(&came)).await.text("referral_type"), row(&id(&came)).await.text("status")), (Some("INCOMING"), Some("SENT")));
        sent.as_object_mut().unwrap().remove("category");
        let kept = fhir.made(sent).await;
        assert_eq!(read(&staff, &REFERRAL, id(&kept).parse().unwrap()).await.unwrap_err().code.status, 404);
    });
}

#[test]
fn a_consent_is_given_and_revoked_and_nothing_else() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let fhir = clinic.fhir();
        let ada = id(&fhir.made(patient("Lovelace")).await);
        let sent = json!({"resourceType": "Consent", "status": "active", "patient": to("Patient", &ada), "language": "en",
            "text": {"status": "additional", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>We may <b>look</b> at your pictures.</p><p>R&amp;D</p></div>"},
            "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "research"}]},
            "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
            "policyRule": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTIN"}]},
            "dateTime": "2026-03-02T09:00:00Z"});
        let consent = fhir.made(sent.clone()).await;
        assert_eq!(super::bare(&consent)["text"], sent["text"]);
        let row = async || read(&clinic.staff(), &CONSENT, id(&consent).parse().unwrap()).await.unwrap();
        assert_eq!((row().await.text("consent_type"), row().await.text("status")), (Some("RESEARCH"), Some("ACTIVE")));
        assert_eq!(
            (row().await.text("text_snapshot"), row().await.text("text_locale")),
            (Some("We may look at your pictures.\nR&D"), Some("en"))
        );
        // One that does not say to what is none of ours, and kept whole.
        let mut bare = sent;
        bare.as_object_mut().unwrap().remove("text");
        let bare = fhir.made(bare).await;
        assert_eq!(read(&clinic.staff(), &CONSENT, id(&bare).parse().unwrap()).await.unwrap_err().code.status, 404);
        let mut other = consent.clone();
        other["dateTime"] = json!("2026-03-03T09:00:00Z");
        let refused = fhir.put(&format!("/Consent/{}", id(&consent)), &other, &[]).await;
        assert_eq!(refused.status.as_u16() / 100, 4, "what was agreed to stays: {}", refused.body);
        let ended = to_state(&fhir, &consent, "inactive").await;
        assert_eq!(row().await.text("status"), Some("REVOKED"));
        assert!(row().await.text("revoked_at").is_some());
        let refused = moved(&fhir, &ended, "active").await;
        assert_eq!(refused.status, 409, "{}", refused.body);
    });
}

#[test]
fn a_claim_is_written_checked_and_sent() {
    world::with(async |world| {
        let office = Office::open(world).await;
        let fhir = office.clinic.fhir();
        let done = office.procedure("COMPLETED").await;
        let concept = |system: &str, code: &str| json!({"coding": [{"system": system, "code": code}]});
        let mut sent = json!({"resourceType": "Claim", "status": "draft", "use": "claim", "created": "2026-03-02",
            "type": concept("http://terminology.hl7.org/CodeSystem/claim-type", "oral"),
            "priority": concept("http://terminology.hl7.org/CodeSystem/processpriority", "normal"),
            "patient": to("Patient", office.patient), "provider": to("Practitioner", office.dentist),
            "insurance": [{"sequence": 1, "focal": true, "coverage": to("Coverage", office.policy)}],
            "diagnosis": [{"sequence": 1, "diagnosisCodeableConcept": concept("http://hl7.org/fhir/sid/icd-10", "K02")}],
            "procedure": [{"sequence": 1, "procedureReference": to("Procedure", done)}],
            "item": [{"sequence": 1, "diagnosisSequence": [1], "procedureSequence": [1], "productOrService": concept("urn:x", "T1234"),
                "servicedDate": "2026-03-01", "bodySite": concept("urn:iso:std:iso:3950", "36"),
                "net": {"value": 50.00, "currency": "EUR"}}]});
        let claim = fhir.made(sent.clone()).await;
        assert_eq!(claim["item"][0]["net"]["value"], json!(50.00));
        let row = async || read(&office.clinic.staff(), &CLAIM, id(&claim).parse().unwrap()).await.unwrap();
        let made = row().await;
        assert_eq!(
            (made.text("status"), made.int("total_billed_minor"), made.uuid("payer_id")),
            (Some("DRAFT"), Some(5_000), Some(office.payer))
        );
        let mut dearer = claim.clone();
        dearer["item"][0]["net"]["value"] = json!(60);
        let dearer = fhir.put(&format!("/Claim/{}", id(&claim)), &dearer, &[]).await;
        assert_eq!(dearer.status, 200, "{}", dearer.body);
        assert_eq!(row().await.int("total_billed_minor"), Some(6_000));
        let active = to_state(&fhir, &dearer.body, "active").await;
        assert_eq!(row().await.text("status"), Some("SUBMITTED"));
        let events = office.count("claim_status_events", &format!("claim_id = '{}'", id(&claim))).await;
        assert!(events >= 2, "each move is an event: {events}");
        let refused = moved(&fhir, &active, "draft").await;
        assert_eq!(refused.status, 409, "{}", refused.body);
        // What the payers' rules refuse is refused here in their words: nothing is sent half.
        sent["status"] = json!("active");
        sent["item"][0]["servicedDate"] = json!("2019-03-01");
        let refused = fhir.post("/Claim", &sent).await;
        assert_eq!(refused.status, 422, "{}", refused.body);
        // A claim about nothing that was done here is another's: kept whole.
        sent["item"][0].as_object_mut().unwrap().remove("procedureSequence");
        let kept = fhir.made(sent).await;
        assert_eq!(read(&office.clinic.staff(), &CLAIM, id(&kept).parse().unwrap()).await.unwrap_err().code.status, 404);
    });
}

#[test]
fn a_document_comes_with_its_bytes() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (fhir, staff) = (clinic.fhir(), clinic.staff());
        let ada = id(&fhir.made(patient("Lovelace")).await);
        // "%PDF-1.4 test"
        let pdf = "JVBERi0xLjQgdGVzdA==";
        let sent = |data: &str| {
            json!({"resourceType": "DocumentReference", "status": "current", "docStatus": "final", "type": {"text": "Letter"},
                "subject": to("Patient", &ada), "content": [{"attachment": {"contentType": "application/pdf", "data": data, "title": "To Dr. Root"}}]})
        };
        let made = fhir.made(sent(pdf)).await;
        let attachment = &made["content"][0]["attachment"];
        assert!(attachment.get("data").is_none(), "{made}");
        let document = read(&staff, &DOCUMENT, id(&made).parse().unwrap()).await.unwrap();
        assert_eq!((document.text("status"), document.text("title")), (Some("FINAL"), Some("To Dr. Root")));
        let file = document.uuid("file_id").unwrap();
        assert_eq!(attachment["url"], format!("Binary/{file}"));
        let row = read(&staff, &FILE, file).await.unwrap();
        assert_eq!((row.text("status"), row.int("file_size"), row.patient), (Some("READY"), Some(13), ada.parse().ok()));
        let bytes = fhir.send(poem::http::Method::GET, &format!("/Binary/{file}"), &[("accept", "application/pdf")], Vec::new()).await;
        assert_eq!(bytes.status, 302);
        let wrong = to_state(&fhir, &made, "entered-in-error").await;
        assert_eq!(read(&staff, &DOCUMENT, id(&wrong).parse().unwrap()).await.unwrap().text("status"), Some("ENTERED_IN_ERROR"));
        // Bytes that are something else are refused, and so is what nobody may bring in this way.
        let refused = fhir.post("/DocumentReference", &sent("bm8gcGRm")).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.body["issue"][0]["expression"][0]),
            (422, &json!("DocumentReference.content[0].attachment.data"))
        );
        let large = fhir.post("/DocumentReference", &sent(&"A".repeat(8 << 20))).await;
        assert_eq!(large.status.as_u16() / 100, 4);
        let binary =
            json!({"resourceType": "Binary", "contentType": "application/pdf", "securityContext": to("Patient", &ada), "data": pdf});
        let binary = fhir.made(binary).await;
        let row = read(&staff, &FILE, id(&binary).parse().unwrap()).await.unwrap();
        assert_eq!((row.text("status"), row.patient), (Some("READY"), ada.parse().ok()));
        let by_url = fhir
            .made(json!({"resourceType": "DocumentReference", "status": "current", "type": {"text": "Letter"},
            "subject": to("Patient", &ada), "content": [{"attachment": {"url": format!("Binary/{}", id(&binary))}}]}))
            .await;
        assert_eq!(read(&staff, &DOCUMENT, id(&by_url).parse().unwrap()).await.unwrap().uuid("file_id"), id(&binary).parse().ok());
    });
}

#[test]
fn plans_prescriptions_exams_and_equipment_are_records_too() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (fhir, staff) = (clinic.fhir(), clinic.staff());
        let ada = id(&fhir.made(patient("Lovelace")).await);
        let dentist = id(&fhir.made(json!({"resourceType": "Practitioner", "name": [{"family": "Molar"}]})).await);
        let place = id(&fhir.made(json!({"resourceType": "Location", "name": "Main"})).await);
        let plan = fhir
            .made(json!({"resourceType": "CarePlan", "status": "draft", "intent": "plan", "title": "Crown on 16",
            "category": [{"coding": [{"system": "urn:enamel:care-plan", "code": "treatment-plan"}]}],
            "subject": to("Patient", &ada), "author": to("Practitioner", &dentist)}))
            .await;
        let row = read(&staff, &TREATMENT_PLAN, id(&plan).parse().unwrap()).await.unwrap();
        assert_eq!(
            (row.text("status"), row.text("title"), row.text("created_by_party")),
            (Some("DRAFT"), Some("Crown on 16"), Some("CLINIC"))
        );
        let refused = moved(&fhir, &plan, "completed").await;
        assert_eq!(refused.status, 409, "{}", refused.body);
        let ended = to_state(&fhir, &plan, "revoked").await;
        assert_eq!(read(&staff, &TREATMENT_PLAN, id(&ended).parse().unwrap()).await.unwrap().text("status"), Some("CANCELLED"));
        let drug = json!({"resourceType": "MedicationRequest", "status": "active", "intent": "order", "subject": to("Patient", &ada),
            "requester": to("Practitioner", &dentist), "medicationCodeableConcept": {"text": "Amoxicillin"}, "authoredOn": "2026-03-02"});
        let drug = fhir.made(drug).await;
        let row = read(&staff, &PATIENT_MEDICATION, id(&drug).parse().unwrap()).await.unwrap();
        assert_eq!((row.text("name"), row.flag("is_prescribed_here")), (Some("Amoxicillin"), true));
        to_state(&fhir, &drug, "stopped").await;
        let exam = json!({"resourceType": "DiagnosticReport", "status": "preliminary", "subject": to("Patient", &ada),
            "code": {"coding": [{"system": "http://loinc.org", "code": "62598-8"}]}, "effectiveDateTime": "2026-03-02T09:00:00Z",
            "performer": [to("Practitioner", &dentist)]});
        let exam = fhir.made(exam).await;
        to_state(&fhir, &exam, "final").await;
        let row = read(&staff, &PERIO_EXAM, id(&exam).parse().unwrap()).await.unwrap();
        assert_eq!((row.text("status"), row.text("signed_at").is_some()), (Some("SIGNED"), true));
        let refused = moved(&fhir, &fhir.get(&format!("/DiagnosticReport/{}", id(&exam))).await.body, "preliminary").await;
        assert_eq!(refused.status, 409, "{}", refused.body);
        let chair = json!({"resourceType": "Device", "status": "active", "deviceName": [{"name": "Sensor 1", "type": "user-friendly-name"}],
            "serialNumber": "S-1", "location": to("Location", &place)});
        let chair = fhir.made(chair).await;
        to_state(&fhir, &chair, "inactive").await;
        assert_eq!(
            read(&staff, &enamel::imaging::device::DEVICE, id(&chair).parse().unwrap()).await.unwrap().text("status"),
            Some("MAINTENANCE")
        );
        let implant = json!({"resourceType": "Device", "patient": to("Patient", &ada), "type": {"text": "Implant"}});
        let implant = fhir.made(implant).await;
        assert_eq!(fhir.ids(&format!("/Device?patient={ada}")).await, [id(&implant)]);
    });
}

#[test]
fn who_may_not_move_a_record_moves_it_neither_way() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let other = world.tenant("SOLO_PRACTICE", None).await;
        let ada = clinic.patient("Lovelace").await.unwrap();
        let task = create(&clinic.staff(), &TASK, json!({"title": "Ring", "patient_id": ada.id})).await.unwrap();
        let shown = clinic.fhir().get(&format!("/Task/{}", task.id)).await.body;
        let foreign = moved(&other.fhir(), &shown, "completed").await;
        let mut random = shown.clone();
        random["id"] = json!(uuid::Uuid::now_v7());
        let unknown = moved(&other.fhir(), &random, "completed").await;
        assert_eq!((foreign.status, foreign.body), (unknown.status, unknown.body));
        let mut narrow = clinic.fhir();
        narrow.caller.scopes = ["system/Task.rs".to_owned()].into();
        assert_eq!(moved(&narrow, &shown, "completed").await.status, 403);
        assert_eq!(read(&clinic.staff(), &TASK, task.id).await.unwrap().text("status"), Some("OPEN"));
    });
}
