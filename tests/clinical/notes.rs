//! Notes: who may sign, what stays as it is, who reads and who finds them.

use super::{Practice, truly};
use crate::world;
use crate::world::operations::{patch, read, record, run};
use enamel::clinical::clinical_note::CLINICAL_NOTE;
use enamel::clinical::clinical_note_amendment::CLINICAL_NOTE_AMENDMENT;
use enamel::kernel::Caller;
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::error::Result;
use enamel::kernel::operation::Answer;
use enamel::kernel::table::{List, Record, store};
use serde_json::{Value as Json, json};
use uuid::Uuid;

async fn amendments(caller: &Caller) -> Vec<Record> {
    let context = caller.reading(&CLINICAL_NOTE_AMENDMENT).unwrap();
    let scope = caller.kernel.door.open(&context).await.unwrap();
    store::list(scope, &List::new(&CLINICAL_NOTE_AMENDMENT), &caller.kernel.keys).await.unwrap().0
}

async fn found(caller: &Caller, body: Json) -> Result<Vec<Uuid>> {
    match run(caller, "searchClinicalNotes", None, body).await? {
        Answer::Page(notes, _) => Ok(notes.iter().map(|note| note.id).collect()),
        _ => panic!("no page"),
    }
}

#[test]
fn a_signed_note_stays_as_it_is_and_is_amended_beside() {
    world::with(async |world| {
        let practice = Practice::open(world).await;
        let visit = practice.visit(json!({})).await;
        let note = practice.note(visit.id, "Caries on 16.", json!({})).await;
        let early = run(&practice.dentist, "amendClinicalNote", Some(note.id), json!({"reason": "x", "content": "y"})).await.err().unwrap();
        assert_eq!(early.code.code, "state.move_refused");
        let signed = record(run(&practice.dentist, "signClinicalNote", Some(note.id), json!({})).await.unwrap());
        assert_eq!((signed.text("status"), signed.uuid("signed_by")), (Some("SIGNED"), practice.dentist.context.actor));
        assert_eq!(signed.text("signature_hash").map(str::len), Some(64));
        for change in [json!({"content": "Nothing."}), json!({"visibility": "STAFF"}), json!({"title": "New"})] {
            let refused = patch(&practice.dentist, &CLINICAL_NOTE, note.id, signed.version, change).await.unwrap_err();
            assert!(refused.code.code == "record.append_only" && refused.detail.unwrap().contains("amend"));
        }
        // Not even with SQL of one's own.
        let mut scope = practice.dentist.write(Permission::EditClinical).await.unwrap();
        let forged = scope.rows_once(&format!("update clinical_notes set signature_hash = 'x' where id = '{}'", note.id), &[]).await;
        assert_eq!(forged.unwrap_err().code.status, 409);
        drop(scope);
        for turn in ["first", "second"] {
            let amended = run(&practice.dentist, "amendClinicalNote", Some(note.id), json!({"reason": "Addition", "content": turn})).await;
            let amended = record(amended.unwrap());
            assert_eq!((amended.text("status"), amended.text("content")), (Some("AMENDED"), Some("Caries on 16.")));
        }
        let mut beside = amendments(&practice.dentist).await;
        beside.sort_by_key(|amendment| amendment.int("amendment_no"));
        let told: Vec<_> = beside.iter().map(|a| (a.int("amendment_no"), a.text("content"), a.uuid("author_id"))).collect();
        assert_eq!(
            told,
            [(Some(1), Some("first"), practice.dentist.context.actor), (Some(2), Some("second"), practice.dentist.context.actor)]
        );
        let mut scope = practice.dentist.write(Permission::SignClinical).await.unwrap();
        let forged =
            scope.rows_once(&format!("update clinical_note_amendments set content = 'z' where note_id = '{}'", note.id), &[]).await;
        assert_eq!(forged.unwrap_err().code.status, 403);
    });
}

#[test]
fn a_note_is_signed_by_its_author_or_by_who_supervises() {
    world::with(async |world| {
        let practice = Practice::open(world).await;
        let (teacher, supervisor) = practice.colleague("Tess").await;
        let (stranger, _) = practice.colleague("Sam").await;
        let visit = practice.visit(json!({"encounter_type": "TEACHING", "supervising_provider_id": supervisor})).await;
        let note = practice.note(visit.id, "A student saw this.", json!({})).await;
        let sign =
            async |who: &Caller, what, id| run(who, what, Some(id), json!({})).await.map(record).map_err(|refusal| refusal.code.status);
        assert_eq!(sign(&stranger, "signClinicalNote", note.id).await.err(), Some(403));
        assert_eq!(sign(&teacher, "cosignClinicalNote", note.id).await.err(), Some(409), "not signed yet");
        sign(&practice.dentist, "signClinicalNote", note.id).await.unwrap();
        assert_eq!(sign(&practice.dentist, "signClinicalNote", note.id).await.err(), Some(409));
        assert_eq!(sign(&practice.dentist, "cosignClinicalNote", note.id).await.err(), Some(403), "not one's own");
        assert_eq!(sign(&stranger, "cosignClinicalNote", note.id).await.err(), Some(403));
        let cosigned = sign(&teacher, "cosignClinicalNote", note.id).await.unwrap();
        assert_eq!((cosigned.text("status"), cosigned.uuid("cosigned_by")), (Some("SIGNED"), teacher.context.actor));
        assert_eq!(sign(&teacher, "cosignClinicalNote", note.id).await.err(), Some(409));
        // A program without a person signs nothing; who may not sign does not.
        let second = practice.note(visit.id, "Another.", json!({})).await;
        let program = world.caller(Plane::Staff, practice.clinic.id, None, Permission::ALL);
        assert_eq!(sign(&program, "signClinicalNote", second.id).await.err(), Some(403));
        let writer = world.caller(
            Plane::Staff,
            practice.clinic.id,
            practice.dentist.context.actor,
            &[Permission::ViewClinical, Permission::EditClinical],
        );
        assert_eq!(sign(&writer, "signClinicalNote", second.id).await.err(), Some(403));
        sign(&teacher, "signClinicalNote", second.id).await.unwrap();
        // Two signatures differ by who signed.
        let hash = "select signature_hash from enamel.clinical_notes where id = $1";
        assert_ne!(truly(world, hash, note.id).await, truly(world, hash, second.id).await);
    });
}

#[test]
fn patients_read_what_is_signed_and_meant_for_them() {
    world::with(async |world| {
        let practice = Practice::open(world).await;
        let visit = practice.visit(json!({})).await;
        let draft = practice.note(visit.id, "Draft.", json!({})).await;
        let open = practice.note(visit.id, "Open.", json!({})).await;
        let inside = practice.note(visit.id, "Among us.", json!({"visibility": "STAFF"})).await;
        for note in [&open, &inside] {
            run(&practice.dentist, "signClinicalNote", Some(note.id), json!({})).await.unwrap();
            run(&practice.dentist, "amendClinicalNote", Some(note.id), json!({"reason": "More", "content": "More."})).await.unwrap();
        }
        let patient = practice.portal().await;
        assert_eq!(read(&patient, &CLINICAL_NOTE, open.id).await.unwrap().text("content"), Some("Open."));
        for hidden in [draft.id, inside.id] {
            assert_eq!(read(&patient, &CLINICAL_NOTE, hidden).await.unwrap_err().code.status, 404);
        }
        let seen: Vec<_> = amendments(&patient).await.iter().map(|amendment| amendment.uuid("note_id")).collect();
        assert_eq!(seen, [Some(open.id)]);
        assert_eq!(run(&patient, "signClinicalNote", Some(draft.id), json!({})).await.err().unwrap().code.status, 403);
        assert_eq!(found(&patient, json!({"q": "open"})).await.unwrap_err().code.status, 403);
    });
}

/// The desk books and bills; what a clinician wrote is not for it.
#[test]
fn the_front_desk_reads_no_note() {
    world::with(async |world| {
        let practice = Practice::open(world).await;
        let visit = practice.visit(json!({})).await;
        let note = practice.note(visit.id, "Confidential finding.", json!({})).await;
        let desk = practice.clinic.token("CLINIC_STAFF").await;
        for path in ["/clinical-notes".to_owned(), format!("/clinical-notes/{}", note.id), "/clinical-note-amendments".to_owned()] {
            let (status, body) = world.get(Some(&desk), &path).await;
            assert_eq!(status, 403, "{path}");
            assert!(!body.to_string().contains("Confidential"));
        }
        let (status, _) = world.post(Some(&desk), "/clinical-notes/search", json!({"q": "confidential"})).await;
        assert_eq!(status, 403);
        // The database says the same to who goes past the contract.
        let below = world.caller(Plane::Staff, practice.clinic.id, None, &[Permission::ViewPatient, Permission::ViewSchedule]);
        let mut scope = below.kernel.door.open(&below.context).await.unwrap();
        assert!(scope.rows_once("select content from clinical_notes", &[]).await.unwrap().is_empty());
        assert!(scope.rows_once("select * from sec.search_notes('confidential', null, null, null, 10)", &[]).await.unwrap().is_empty());
        drop(scope);
        let clinician = practice.clinic.token("CLINICIAN").await;
        let (status, body) = world.get(Some(&clinician), &format!("/clinical-notes/{}", note.id)).await;
        assert_eq!((status, body["content"].as_str()), (200, Some("Confidential finding.")));
        let (status, body) = world.post(Some(&clinician), "/clinical-notes/search", json!({"q": "confid find"})).await;
        assert_eq!((status, body["items"].as_array().map(Vec::len)), (200, Some(1)), "{body}");
    });
}

#[test]
fn words_are_found_in_ones_own_clinic_only() {
    world::with(async |world| {
        let (practice, other) = (Practice::open(world).await, Practice::open(world).await);
        let visit = practice.visit(json!({})).await;
        let theirs = other.visit(json!({})).await;
        let first = practice.note(visit.id, "Gingivitis und Karies am Zahn; Fluorid empfohlen für Günther.", json!({})).await;
        let second = practice.note(visit.id, "Karies, Karies, Karies!", json!({})).await;
        other.note(theirs.id, "Karies auch hier.", json!({})).await;
        let dentist = &practice.dentist;
        assert_eq!(found(dentist, json!({"q": "karies"})).await.unwrap(), [second.id, first.id], "best first");
        assert_eq!(found(dentist, json!({"q": "GUNTHER fluor"})).await.unwrap(), [first.id], "folded, and by beginnings");
        assert!(found(dentist, json!({"q": "karies amalgam"})).await.unwrap().is_empty(), "every word");
        assert!(found(dentist, json!({"q": "' | ! & :*"})).await.is_err());
        assert_eq!(found(dentist, json!({"q": "zahn' | karies:*"})).await.unwrap(), [first.id], "no operators");
        assert_eq!(found(dentist, json!({"q": "k"})).await.unwrap_err().faults[0].field, "q");
        assert!(found(dentist, json!({"q": "karies", "patient_id": other.patient})).await.unwrap().is_empty());
        assert!(found(dentist, json!({"q": "karies", "to": "2020-01-01T00:00:00Z"})).await.unwrap().is_empty());
        assert_eq!(found(dentist, json!({"q": "karies", "limit": 1})).await.unwrap().len(), 1);
        run(dentist, "markClinicalNoteInError", Some(second.id), json!({"reason": "Wrong patient"})).await.unwrap();
        assert_eq!(found(dentist, json!({"q": "karies"})).await.unwrap(), [first.id]);
        assert_eq!(read(dentist, &CLINICAL_NOTE, second.id).await.unwrap().text("status"), Some("ENTERED_IN_ERROR"), "kept");
        let refused = run(dentist, "markClinicalNoteInError", Some(first.id), json!({})).await.err().unwrap();
        assert_eq!(refused.faults[0].field, "reason");
    });
}
