//! The PDF of a plan, read back by another program.

use super::{Desk, items, why};
use crate::world;
use crate::world::operations::{create, patch, read, run};
use enamel::directory::provider::PROVIDER;
use enamel::imaging::document::DOCUMENT;
use enamel::imaging::file::FILE;
use enamel::kernel::Caller;
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::hex::hex;
use enamel::kernel::operation::Answer;
use enamel::kernel::table::Record;
use enamel::patients::patient::PATIENT;
use enamel::treatment::plan_document::{keep, keep_presented};
use enamel::treatment::treatment_plan::TREATMENT_PLAN;
use enamel::treatment::treatment_plan_revision::TREATMENT_PLAN_REVISION;
use futures_util::TryStreamExt;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::process::Command;
use uuid::Uuid;

async fn drawn(caller: &Caller, revision: Uuid) -> Vec<u8> {
    let Ok(Answer::Bytes(parts)) = run(caller, "getTreatmentPlanRevisionDocument", Some(revision), json!({})).await else {
        panic!("no document")
    };
    parts.try_collect::<Vec<_>>().await.unwrap().concat()
}

/// As poppler reads it.
fn told(pdf: &[u8]) -> String {
    let path = world::scratch("plan.pdf").with_file_name(format!("{}.pdf", Uuid::now_v7()));
    std::fs::write(&path, pdf).unwrap();
    let read = Command::new("pdftotext").arg("-layout").arg(&path).arg("-").output().expect("poppler-utils is installed");
    let faults = String::from_utf8_lossy(&read.stderr).into_owned();
    assert!(read.status.success() && faults.is_empty(), "{faults}");
    String::from_utf8(read.stdout).unwrap()
}

async fn revision(desk: &Desk, plan: Uuid) -> Record {
    let Ok(Answer::Page(revisions, _)) = run(&desk.staff, "listRevisionsOfTreatmentPlan", Some(plan), json!({})).await else { panic!() };
    revisions.into_iter().next().unwrap()
}

/// A long plan, presented, of somebody whose name is not ASCII.
async fn presented(desk: &Desk) -> Record {
    let patient = read(&desk.staff, &PATIENT, desk.patient).await.unwrap();
    let name = json!({"first_name": "Žofia Ελένη", "last_name": "Łukaszewska-Дмитриева", "dob": "1984-02-29"});
    patch(&desk.staff, &PATIENT, patient.id, patient.version, name).await.unwrap();
    let dentist = json!({"full_name": "Dr. Ngọc Ánh Trần", "provider_type": "DENTIST", "specialty": "Dentistry"});
    let dentist = create(&desk.staff, &PROVIDER, dentist).await.unwrap();
    let fillings = (0..40).map(
        |place| json!({"name": format!("Filling number {place}"), "tooth_number": "36", "surface": ["O"], "estimated_fee_minor": 1_000}),
    );
    let crown = json!({"name": "Crown of zirconia, with a core build-up beneath it and everything that has to be said about it",
        "tooth_number": "16", "estimated_fee_minor": 123_456, "estimated_insurance_minor": 50_000, "phase": 2});
    let details: Vec<_> = std::iter::once(crown).chain(fillings).collect();
    let body = json!({"patient_id": desk.patient, "currency": "EUR", "title": "Filling, then a crown", "provider_id": dentist.id,
        "notes": "Please take your tablets as agreed.", "treatment_details": details});
    let plan = create(&desk.staff, &TREATMENT_PLAN, body).await.unwrap();
    crate::world::operations::record(run(&desk.staff, "presentTreatmentPlan", Some(plan.id), json!({})).await.unwrap())
}

#[test]
fn a_revision_is_a_document_that_says_what_was_offered_and_answered() {
    world::with(async |world| {
        let desk = Desk::open(world).await;
        let plan = presented(&desk).await;
        let revision = revision(&desk, plan.id).await;
        let pdf = drawn(&desk.staff, revision.id).await;
        assert_eq!(drawn(&desk.portal, revision.id).await, pdf, "the same for everybody, at any time");
        let text = told(&pdf);
        for said in [
            "Treatment plan",
            "Filling, then a crown",
            "Žofia Ελένη",
            "Łukaszewska-Дмитриева",
            "29 February 1984",
            "Dr. Ngọc Ánh Trần",
            "Phase 1",
            "Phase 2",
            "Crown of zirconia",
            "Filling number 39",
            "36 O",
            "1,234.56",
            "500.00",
            "1,634.56 EUR",
            "1,134.56 EUR",
            "Please take your tablets as agreed.",
            "Date and signature of the patient",
            "Page 2 of",
            &revision.text("content_hash").unwrap()[..32],
        ] {
            assert!(text.contains(said), "{said} is missing:\n{text}");
        }
        assert!(!text.contains("Accepted"));
        let rows = items(&plan);
        let body = json!({"revision_no": 1, "item_ids": rows[..2]});
        run(&desk.portal, "acceptTreatmentPlan", Some(plan.id), body).await.unwrap();
        let text = told(&drawn(&desk.portal, revision.id).await);
        assert_eq!(text.matches("in the patient portal").count(), 2);
        assert!(text.contains("Accepted in part, as marked above, on "), "{text}");
    });
}

#[test]
fn a_presented_revision_is_kept_as_its_document_once() {
    world::with(async |world| {
        let desk = Desk::open(world).await;
        let plan = presented(&desk).await;
        let shown = revision(&desk, plan.id).await;
        let pdf = drawn(&desk.staff, shown.id).await;
        let both = [keep(&world.kernel, desk.clinic.id, shown.id), keep(&world.kernel, desk.clinic.id, shown.id)];
        let made = futures_util::future::join_all(both).await.into_iter().filter(|made| *made.as_ref().unwrap()).count();
        // The worker of the running server may have been there first.
        assert!(made <= 1);
        keep_presented(&world.kernel).await.unwrap();
        let kept = read(&desk.portal, &TREATMENT_PLAN_REVISION, shown.id).await.unwrap();
        let document = read(&desk.portal, &DOCUMENT, kept.uuid("document_id").unwrap()).await.unwrap();
        assert_eq!((document.text("status"), document.text("hash")), (Some("FINAL"), Some(hex(&Sha256::digest(&pdf)).as_str())));
        let file = read(&desk.staff, &FILE, document.uuid("file_id").unwrap()).await.unwrap();
        assert_eq!((file.text("file_type"), file.uuid("patient_id")), (Some("application/pdf"), Some(desk.patient)));
        assert_eq!(desk.count(&format!("documents where tenant_id = '{}'", desk.clinic.id)).await, 1);
        assert!(!keep(&world.kernel, desk.clinic.id, shown.id).await.unwrap(), "there is one already");
    });
}

#[test]
fn who_may_not_read_a_plan_gets_no_document() {
    world::with(async |world| {
        let desk = Desk::open(world).await;
        let plan = desk.presented().await;
        let revision = revision(&desk, plan.id).await.id;
        let stranger = Desk::open(world).await;
        for caller in [&stranger.staff, &stranger.portal] {
            assert_eq!(why(run(caller, "getTreatmentPlanRevisionDocument", Some(revision), json!({})).await).0, 404);
        }
        assert_eq!(why(run(&desk.staff, "getTreatmentPlanRevisionDocument", Some(Uuid::now_v7()), json!({})).await).0, 404);
        let desk_clerk = world.caller(Plane::Staff, desk.clinic.id, None, &[Permission::ViewPatient]);
        assert_eq!(why(run(&desk_clerk, "getTreatmentPlanRevisionDocument", Some(revision), json!({})).await).0, 403);
    });
}
