//! A claim from its first line to the payer's last word.

use super::Office;
use crate::world;
use crate::world::operations::{create, patch, read, retire, run};
use enamel::claims::claim::CLAIM;
use enamel::claims::claim_attachment::CLAIM_ATTACHMENT;
use enamel::claims::claim_diagnosis::CLAIM_DIAGNOSIS;
use enamel::claims::claim_line::CLAIM_LINE;
use enamel::kernel::context::{Permission, Plane};
use serde_json::json;

#[test]
fn a_claim_is_checked_sent_and_its_life_is_told() {
    world::with(async |world| {
        let office = Office::open(world).await;
        let (ready, _) = office.ready().await;
        let number = ready.text("claim_number").unwrap();
        assert!(number.len() <= 20 && number.starts_with('C'), "{number}");
        assert_eq!((ready.text("status"), ready.int("total_billed_minor")), (Some("READY"), Some(10_000)));
        let sent = office.does(ready.id, "submitClaim", json!({})).await.unwrap();
        assert_eq!((sent.text("status"), sent.get("submitted_at").is_null()), (Some("SUBMITTED"), false));
        let told = format!("category = 'PAYER' and recipient_name = 'Sure Dental' and resource_id = '{}' and not is_accountable", sent.id);
        assert_eq!(office.count("disclosures", &told).await, 1);
        let body = json!({"status": "ACCEPTED", "reference": "PAYER-77", "message": "in process"});
        let accepted = office.does(sent.id, "recordClaimStatus", body).await.unwrap();
        assert_eq!((accepted.text("status"), accepted.text("payer_claim_number")), (Some("ACCEPTED"), Some("PAYER-77")));
        let body = json!({"status": "PAID", "paid_minor": 8_000, "allowed_minor": 9_000, "patient_responsibility_minor": 1_000, "source": "PORTAL"});
        let paid = office.does(sent.id, "recordClaimStatus", body).await.unwrap();
        assert_eq!(
            (paid.int("total_paid_minor"), paid.get("paid_at").is_null(), paid.get("adjudicated_at").is_null()),
            (Some(8_000), false, false)
        );
        let moves =
            "to_status = 'READY' and from_status = 'DRAFT' or to_status = 'SUBMITTED' or to_status = 'ACCEPTED' and message = 'in process'
            or to_status = 'PAID' and source = 'PORTAL' and amount_minor = 8000 and currency = 'EUR'";
        assert_eq!((office.count("claim_status_events", moves).await, office.count("claim_status_events", "true").await), (4, 4));
        let refused = office.does(sent.id, "recordClaimStatus", json!({"status": "PENDED"})).await.unwrap_err();
        assert_eq!(refused.code.code, "state.move_refused");
        assert_eq!(office.does(sent.id, "voidClaim", json!({"reason": "x"})).await.unwrap_err().code.code, "state.move_refused");
        // The patient sees their claim and what became of it.
        let login = world.patient_login(&[(office.clinic.id, office.patient)]).await;
        let person = world.caller(Plane::Patient, office.clinic.id, Some(login), Permission::ALL);
        assert_eq!(read(&person, &CLAIM, sent.id).await.unwrap().text("status"), Some("PAID"));
        let other = office.clinic.patient("Other").await.unwrap();
        let login = world.patient_login(&[(office.clinic.id, other.id)]).await;
        let person = world.caller(Plane::Patient, office.clinic.id, Some(login), Permission::ALL);
        assert_eq!(read(&person, &CLAIM, sent.id).await.unwrap_err().code.status, 404);
    });
}

#[test]
fn every_fault_of_a_draft_is_named_and_it_stays_a_draft() {
    world::with(async |world| {
        let office = Office::open(world).await;
        let claim = office.claim(json!({"billing_provider_id": null})).await.unwrap();
        office.line(claim.id, 1, json!({"surface": ["I"], "tooth_number": "36", "diagnosis_pointers": [3]})).await.unwrap();
        office.line(claim.id, 2, json!({"tooth_number": "36", "oral_area": "30"})).await.unwrap();
        let refused = office.does(claim.id, "validateClaim", json!({})).await.unwrap_err();
        let faults: Vec<_> = refused.faults.iter().map(|fault| (fault.field.as_str(), fault.rule)).collect();
        let wanted = [
            ("billing_provider_id", "required"),
            ("lines[1].surface", "tooth"),
            ("lines[1].diagnosis_pointers", "reference"),
            ("lines[2].oral_area", "one_of"),
        ];
        assert_eq!((refused.code.status, faults.as_slice()), (422, wanted.as_slice()));
        assert_eq!(read(&office.clinic.staff(), &CLAIM, claim.id).await.unwrap().text("status"), Some("DRAFT"));
        let weak = world.caller(Plane::Staff, office.clinic.id, None, &[Permission::ViewClaims]);
        assert_eq!(run(&weak, "validateClaim", Some(claim.id), json!({})).await.err().unwrap().code.status, 403);
        assert_eq!(office.does(claim.id, "submitClaim", json!({})).await.unwrap_err().code.code, "state.move_refused");
    });
}

#[test]
fn only_what_was_done_is_billed_and_once() {
    world::with(async |world| {
        let office = Office::open(world).await;
        let claim = office.claim(json!({})).await.unwrap();
        let planned = office.procedure("PLANNED").await;
        office.line(claim.id, 1, json!({"procedure_id": planned})).await.unwrap();
        office.does(claim.id, "validateClaim", json!({})).await.unwrap();
        let refused = office.does(claim.id, "submitClaim", json!({})).await.unwrap_err();
        assert_eq!((refused.faults[0].field.as_str(), refused.faults[0].rule), ("lines[1].procedure_id", "completed"));
        let (sent, lines) = office.sent().await;
        let again = office.claim(json!({})).await.unwrap();
        let done = lines[0].get("procedure_id").clone();
        office.line(again.id, 1, json!({"procedure_id": done, "tooth_number": "48", "service_date": "2026-03-02"})).await.unwrap();
        let refused = office.does(again.id, "validateClaim", json!({})).await.unwrap_err();
        assert_eq!((refused.faults[0].field.as_str(), refused.faults[0].rule), ("lines[1].code", "duplicate"));
        // A claim that was taken back bills nothing; a replacement quotes what it replaces.
        office.does(sent.id, "recordClaimStatus", json!({"status": "ACCEPTED", "reference": "PAYER-1"})).await.unwrap();
        let now = read(&office.clinic.staff(), &CLAIM, again.id).await.unwrap();
        let replacement = json!({"frequency_code": "REPLACEMENT"});
        let claim = patch(&office.clinic.staff(), &CLAIM, again.id, now.version, replacement).await.unwrap();
        let refused = office.does(claim.id, "validateClaim", json!({})).await.unwrap_err();
        assert_eq!(refused.faults.len(), 3, "{refused}");
        let body = json!({"original_claim_id": sent.id, "payer_claim_number": "PAYER-1"});
        patch(&office.clinic.staff(), &CLAIM, claim.id, claim.version, body).await.unwrap();
        office.does(claim.id, "validateClaim", json!({})).await.unwrap();
        office.does(claim.id, "submitClaim", json!({})).await.unwrap();
        let void = office.does(sent.id, "voidClaim", json!({"reason": "replaced"})).await.unwrap();
        assert_eq!(void.text("status"), Some("VOIDED"));
        assert_eq!(office.count("claim_status_events", "to_status = 'VOIDED' and message = 'replaced'").await, 1);
    });
}

#[test]
fn what_was_checked_is_what_is_sent_and_it_stays() {
    world::with(async |world| {
        let office = Office::open(world).await;
        let staff = office.clinic.staff();
        let (ready, lines) = office.ready().await;
        let frozen = "record.append_only";
        let line = read(&staff, &CLAIM_LINE, lines[0].id).await.unwrap();
        for body in [json!({"billed_minor": 1}), json!({"tooth_number": "48"})] {
            assert_eq!(patch(&staff, &CLAIM_LINE, line.id, line.version, body).await.unwrap_err().code.code, frozen);
        }
        assert_eq!(office.line(ready.id, 3, json!({})).await.unwrap_err().code.code, frozen);
        assert_eq!(retire(&staff, &CLAIM_LINE, line.id, line.version).await.unwrap_err().code.code, frozen);
        let diagnosis = json!({"claim_id": ready.id, "patient_id": office.patient, "sequence_no": 2, "code_system": "icd", "code": "K03"});
        assert_eq!(create(&staff, &CLAIM_DIAGNOSIS, diagnosis).await.unwrap_err().code.code, frozen);
        assert_eq!(
            patch(&staff, &CLAIM, ready.id, ready.version, json!({"accident_date": "2026-01-01"})).await.unwrap_err().code.code,
            frozen
        );
        // Reopened, it can be changed, and its sum follows.
        let draft = office.does(ready.id, "reopenClaim", json!({})).await.unwrap();
        assert_eq!(draft.text("status"), Some("DRAFT"));
        patch(&staff, &CLAIM_LINE, line.id, line.version, json!({"billed_minor": 7_000})).await.unwrap();
        let other = read(&staff, &CLAIM_LINE, lines[1].id).await.unwrap();
        assert_eq!(read(&staff, &CLAIM, ready.id).await.unwrap().int("total_billed_minor"), Some(12_000));
        retire(&staff, &CLAIM_LINE, other.id, other.version).await.unwrap();
        assert_eq!(read(&staff, &CLAIM, ready.id).await.unwrap().int("total_billed_minor"), Some(7_000));
        // What was sent with a claim is not taken away; an appeal adds.
        let (sent, _) = office.ready().await;
        let draft = office.does(sent.id, "reopenClaim", json!({})).await.unwrap();
        let file = crate::world::files::ready(&office.clinic).await;
        let film = json!({"claim_id": draft.id, "patient_id": office.patient, "file_id": file, "kind": "RADIOGRAPH"});
        let film = create(&staff, &CLAIM_ATTACHMENT, film).await.unwrap();
        office.does(sent.id, "validateClaim", json!({})).await.unwrap();
        office.does(sent.id, "submitClaim", json!({})).await.unwrap();
        assert_eq!(retire(&staff, &CLAIM_ATTACHMENT, film.id, film.version).await.unwrap_err().code.code, frozen);
        for status in ["ACCEPTED", "DENIED"] {
            office.does(sent.id, "recordClaimStatus", json!({"status": status})).await.unwrap();
        }
        assert_eq!(office.does(sent.id, "appealClaim", json!({})).await.unwrap_err().faults[0].field, "reason");
        let appealed = office.does(sent.id, "appealClaim", json!({"reason": "the film shows it"})).await.unwrap();
        assert_eq!(appealed.text("status"), Some("APPEALED"));
        assert_eq!(office.count("claim_status_events", "to_status = 'APPEALED' and message = 'the film shows it'").await, 1);
    });
}

#[test]
fn parts_fit_their_claim() {
    world::with(async |world| {
        let office = Office::open(world).await;
        let other = office.clinic.patient("Other").await.unwrap();
        let claim = office.claim(json!({})).await.unwrap();
        for (more, field) in [
            (json!({"patient_id": other.id}), "patient_id"),
            (json!({"currency": "USD"}), "currency"),
            (json!({"service_date": null}), "service_date"),
            (json!({"oral_area": "77"}), "oral_area"),
            (json!({"tooth_number": "99"}), "tooth_number"),
        ] {
            assert_eq!(office.line(claim.id, 1, more).await.unwrap_err().faults[0].field, field);
        }
        let both = json!({"procedure_id": office.procedure("COMPLETED").await, "plan_item_id": uuid::Uuid::now_v7()});
        assert_eq!(office.line(claim.id, 1, both).await.unwrap_err().faults[0].field, "procedure_id");
        let refused = office.claim(json!({"patient_id": other.id})).await.unwrap_err();
        assert_eq!(refused.faults[0].field, "policy_id", "another's policy");
        // Lines that come at once take turns, and their sum is right.
        let staff = office.clinic.staff();
        let mut bodies = Vec::new();
        for number in 1..=6 {
            bodies.push(json!({"claim_id": claim.id, "patient_id": office.patient, "line_no": number, "code_system": "local", "code": "T1234",
                "service_date": "2026-03-01", "billed_minor": 1_000, "currency": "EUR", "procedure_id": office.procedure("COMPLETED").await}));
        }
        let made = futures_util::future::join_all(bodies.into_iter().map(|body| create(&staff, &CLAIM_LINE, body))).await;
        assert!(made.iter().all(Result::is_ok), "{:?}", made.iter().filter_map(|made| made.as_ref().err()).next());
        assert_eq!(read(&staff, &CLAIM, claim.id).await.unwrap().int("total_billed_minor"), Some(6_000));
        // Nobody tells of a claim by SQL who may not move it, and nobody of another clinic's.
        let weak = world.caller(Plane::Staff, office.clinic.id, None, &[Permission::ViewClaims]);
        let mut scope = weak.kernel.door.open(&weak.context).await.unwrap();
        let said = scope.rows_once(&format!("select sec.claim_event('{}', null, '{{\"source\": \"STAFF\"}}')", claim.id), &[]).await;
        assert_eq!(said.unwrap_err().code.status, 403);
        drop(scope);
        let stranger = world.tenant("SOLO_PRACTICE", None).await.staff();
        let mut scope = stranger.kernel.door.open(&stranger.context).await.unwrap();
        scope.rows_once(&format!("select sec.claim_event('{}', null, '{{\"source\": \"STAFF\"}}')", claim.id), &[]).await.unwrap();
        scope.commit().await.unwrap();
        assert_eq!(office.count("claim_status_events", "true").await, 0);
    });
}
