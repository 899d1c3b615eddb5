//! A visit and its appointment, one following the other (C44).

use super::{Practice, truly};
use crate::world;
use crate::world::operations::{create, patch, read, record, run};
use enamel::clinical::encounter::ENCOUNTER;
use enamel::clinical::encounter_diagnosis::ENCOUNTER_DIAGNOSIS;
use enamel::clinical::vital_sign::VITAL_SIGN;
use enamel::kernel::context::{Permission, Plane};
use serde_json::json;
use uuid::Uuid;

const APPOINTMENT: &str = "select status from enamel.appointments where id = $1";

#[test]
fn the_appointment_follows_a_visit_from_check_in_on() {
    world::with(async |world| {
        let practice = Practice::open(world).await;
        let appointment = practice.appointment("ARRIVED", 8).await;
        let visit = practice.visit(json!({"appointment_id": appointment, "check_in_at": "2026-01-01T08:00:00Z"})).await;
        let begun = record(run(&practice.dentist, "startEncounter", Some(visit.id), json!({})).await.unwrap());
        assert_eq!(begun.text("status"), Some("IN_PROGRESS"));
        assert_eq!(truly(world, APPOINTMENT, appointment).await, "IN_PROGRESS");
        let open = practice.note(visit.id, "Fissure sealed.", json!({})).await;
        let over = record(run(&practice.dentist, "checkOutEncounter", Some(visit.id), json!({})).await.unwrap());
        assert_eq!((over.text("status"), over.get("check_out_at").is_null()), (Some("COMPLETED"), false));
        assert_eq!(over.get("unsigned_note_ids"), &json!([open.id]), "the unsigned note is named");
        assert_eq!(truly(world, APPOINTMENT, appointment).await, "COMPLETED");
        run(&practice.dentist, "signClinicalNote", Some(open.id), json!({})).await.unwrap();
        assert_eq!(read(&practice.dentist, &ENCOUNTER, visit.id).await.unwrap().get("unsigned_note_ids"), &json!([]));
        let again = run(&practice.dentist, "cancelEncounter", Some(visit.id), json!({})).await.err().unwrap();
        assert_eq!(again.code.code, "state.move_refused");
    });
}

#[test]
fn a_visit_begins_after_check_in_and_ends_after_it_began() {
    world::with(async |world| {
        let practice = Practice::open(world).await;
        let visit = practice.visit(json!({})).await;
        let refused = run(&practice.dentist, "startEncounter", Some(visit.id), json!({})).await.err().unwrap();
        assert_eq!((refused.code.code, refused.faults[0].field.as_str()), ("state.move_refused", "check_in_at"));
        let refused = run(&practice.dentist, "checkOutEncounter", Some(visit.id), json!({})).await.err().unwrap();
        assert_eq!(refused.code.code, "state.move_refused");
        // An appointment that never saw the patient arrive holds the visit back.
        let appointment = practice.appointment("CONFIRMED", 9).await;
        let early = practice.visit(json!({"appointment_id": appointment, "check_in_at": "2026-01-01T08:00:00Z"})).await;
        let refused = run(&practice.dentist, "startEncounter", Some(early.id), json!({})).await.err().unwrap();
        assert_eq!(refused.code.status, 409);
        assert_eq!(truly(world, APPOINTMENT, appointment).await, "CONFIRMED");
        // One visit an appointment.
        let body = json!({"patient_id": practice.patient, "location_id": practice.location, "provider_id": practice.provider,
            "encounter_type": "EXAM", "appointment_id": appointment});
        assert_eq!(create(&practice.dentist, &ENCOUNTER, body).await.unwrap_err().code.code, "conflict.duplicate");
    });
}

#[test]
fn before_check_in_the_visit_follows_its_appointment() {
    world::with(async |world| {
        let practice = Practice::open(world).await;
        let (_, other) = practice.colleague("Bo").await;
        let appointment = practice.appointment("SCHEDULED", 10).await;
        let visit = practice.visit(json!({"appointment_id": appointment})).await;
        let refused = patch(&practice.dentist, &ENCOUNTER, visit.id, visit.version, json!({"provider_id": other})).await.unwrap_err();
        assert!(refused.code.status == 409 && refused.detail.unwrap().contains("appointment"));
        let told = patch(&practice.dentist, &ENCOUNTER, visit.id, visit.version, json!({"chief_complaint": "It hurts."})).await.unwrap();
        assert_eq!(told.text("chief_complaint"), Some("It hurts."));
        // The desk moves the appointment; it needs no clinical permission for that.
        let desk = world.caller(Plane::Staff, practice.clinic.id, None, &[Permission::ViewSchedule, Permission::EditSchedule]);
        let mut scope = desk.write(Permission::EditSchedule).await.unwrap();
        let sql = format!(
            "update appointments set start_at = start_at + interval '1 day', end_at = end_at + interval '1 day', provider_id = '{other}' where id = '{appointment}'"
        );
        scope.rows_once(&sql, &[]).await.unwrap();
        scope.commit().await.unwrap();
        let moved = read(&practice.dentist, &ENCOUNTER, visit.id).await.unwrap();
        assert_eq!(moved.uuid("provider_id"), Some(other));
        assert!(moved.text("scheduled_start_at").unwrap().starts_with("2030-01-02"));
        // Cancelled here, it is the appointment that is cancelled.
        let cancelled = record(run(&practice.dentist, "cancelEncounter", Some(visit.id), json!({"reason": "Flu."})).await.unwrap());
        assert_eq!((cancelled.text("status"), cancelled.text("cancel_reason")), (Some("CANCELLED"), Some("Flu.")));
        assert_eq!(truly(world, APPOINTMENT, appointment).await, "CANCELLED");
    });
}

#[test]
fn a_visit_with_signed_or_finished_work_is_not_cancelled() {
    world::with(async |world| {
        let practice = Practice::open(world).await;
        let visit = practice.visit(json!({})).await;
        let note = practice.note(visit.id, "Seen.", json!({})).await;
        run(&practice.dentist, "signClinicalNote", Some(note.id), json!({})).await.unwrap();
        let refused = run(&practice.dentist, "cancelEncounter", Some(visit.id), json!({})).await.err().unwrap();
        assert!(refused.code.code == "state.move_refused" && refused.detail.unwrap().contains("signed note"));
        let treated = practice.visit(json!({})).await;
        world.truth().await.execute(
            "insert into enamel.procedures (tenant_id, id, patient_id, encounter_id, provider_id, code_system, description, status, currency)
             values ($1, gen_random_uuid(), $2, $3, $4, 'INTERNAL', 'A thing done', 'COMPLETED', 'EUR')",
            &[&practice.clinic.id, &practice.patient, &treated.id, &practice.provider],
        ).await.unwrap();
        let refused = run(&practice.dentist, "cancelEncounter", Some(treated.id), json!({})).await.err().unwrap();
        assert!(refused.detail.unwrap().contains("procedure"));
        // Nobody signs what was called off.
        let idle = practice.visit(json!({})).await;
        let late = practice.note(idle.id, "Not seen.", json!({})).await;
        run(&practice.dentist, "cancelEncounter", Some(idle.id), json!({})).await.unwrap();
        let refused = run(&practice.dentist, "signClinicalNote", Some(late.id), json!({})).await.err().unwrap();
        assert_eq!(refused.code.code, "state.move_refused");
    });
}

#[test]
fn what_belongs_to_a_visit_is_about_its_patient() {
    world::with(async |world| {
        let practice = Practice::open(world).await;
        let visit = practice.visit(json!({})).await;
        let other = practice.clinic.patient("Canine").await.unwrap().id;
        let vitals = |patient: Uuid| {
            json!({"patient_id": patient, "encounter_id": visit.id, "measured_at": "2026-01-01T08:00:00Z",
            "height_cm": 180.0, "weight_kg": 81.0, "systolic_mmhg": 120, "diastolic_mmhg": 80})
        };
        let refused = create(&practice.dentist, &VITAL_SIGN, vitals(other)).await.unwrap_err();
        assert_eq!((refused.code.status, refused.faults[0].field.as_str()), (422, "encounter_id"));
        assert_eq!(create(&practice.dentist, &VITAL_SIGN, vitals(practice.patient)).await.unwrap().get("bmi"), &json!(25.0));
        let mut low = vitals(practice.patient);
        low["systolic_mmhg"] = json!(70);
        assert_eq!(create(&practice.dentist, &VITAL_SIGN, low).await.unwrap_err().code.status, 422);
        // A diagnosis raises the version of its visit, and its surfaces exist on its tooth.
        let diagnosis = |tooth, surfaces: &[&str]| {
            json!({"patient_id": practice.patient, "encounter_id": visit.id, "code_system": "INTERNAL",
            "code": "T1", "fdi_tooth": tooth, "surfaces": surfaces})
        };
        create(&practice.dentist, &ENCOUNTER_DIAGNOSIS, diagnosis("16", &["M", "O"])).await.unwrap();
        assert_eq!(read(&practice.dentist, &ENCOUNTER, visit.id).await.unwrap().version, visit.version + 1);
        for (tooth, surfaces) in [("11", ["M", "O"]), ("19", ["M", "O"]), ("17", ["O", "M"])] {
            assert_eq!(
                create(&practice.dentist, &ENCOUNTER_DIAGNOSIS, diagnosis(tooth, &surfaces)).await.unwrap_err().code.status,
                422,
                "{tooth}"
            );
        }
    });
}
