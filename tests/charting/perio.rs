//! Periodontal exams: recorded in one step, signed once, corrected by a new one, compared.

use crate::clinical::Practice;
use crate::world;
use crate::world::operations::{create, patch, read, record, run};
use enamel::charting::chart_entry::CHART_ENTRY;
use enamel::charting::perio_exam::PERIO_EXAM;
use enamel::charting::perio_measurement::PERIO_MEASUREMENT;
use enamel::charting::perio_tooth_finding::PERIO_TOOTH_FINDING;
use enamel::kernel::context::{Permission, Plane};
use enamel::kernel::error::{Error, Result};
use enamel::kernel::operation::Answer;
use enamel::kernel::table::{List, Record, store};
use serde_json::{Value as Json, json};
use uuid::Uuid;

async fn exam(practice: &Practice, at: &str) -> Record {
    let body = json!({"patient_id": practice.patient, "examiner_id": practice.provider, "examined_at": at});
    create(&practice.dentist, &PERIO_EXAM, body).await.unwrap()
}

async fn measure(practice: &Practice, exam: Uuid, sites: Json) -> Result<Record> {
    run(&practice.dentist, "recordPerioMeasurements", None, json!({"exam_id": exam, "measurements": sites})).await.map(record)
}

async fn sites(practice: &Practice, exam: Uuid) -> Vec<Record> {
    let mut list = List::new(&PERIO_MEASUREMENT);
    list.limit = 400;
    let scope = practice.dentist.read(&PERIO_MEASUREMENT).await.unwrap();
    let (all, _) = store::list(scope, &list, &practice.dentist.kernel.keys).await.unwrap();
    all.into_iter().filter(|site| site.uuid("exam_id") == Some(exam)).collect()
}

fn faults(refused: Error) -> Vec<String> {
    refused.faults.into_iter().map(|fault| fault.field).collect()
}

/// All six sites of the 28 teeth of an adult without wisdom teeth.
fn full(depth: i32, margin: i32) -> Json {
    let teeth = (1..=4).flat_map(|quadrant| (1..=7).map(move |position| format!("{quadrant}{position}")));
    let site = |tooth: String| {
        ["MB", "B", "DB", "ML", "L", "DL"]
            .map(|site| json!({"tooth_number": tooth, "site": site, "pocket_depth_mm": depth, "gingival_margin_mm": margin, "bleeding_on_probing": site == "MB"}))
    };
    teeth.flat_map(site).collect::<Vec<_>>().into()
}

#[test]
fn a_full_exam_is_recorded_in_one_step() {
    world::with(async |world| {
        let practice = Practice::open(world).await;
        let exam = exam(&practice, "2026-01-10T10:00:00Z").await;
        assert_eq!((exam.get("bop_percent"), exam.text("suggested_stage")), (&Json::Null, None));
        let recorded = measure(&practice, exam.id, full(3, 1)).await.unwrap();
        assert_eq!((recorded.get("bop_percent"), recorded.get("plaque_percent")), (&json!(16.7), &json!(0.0)));
        assert_eq!((recorded.text("suggested_stage"), recorded.text("suggested_extent")), (Some("II"), Some("GENERALISED")));
        assert_eq!(sites(&practice, exam.id).await.len(), 168);
        // A site sent again is replaced, whole.
        let again = json!([{"tooth_number": "16", "site": "MB", "pocket_depth_mm": 5, "gingival_margin_mm": -2, "plaque": true, "suppuration": true}]);
        let recorded = measure(&practice, exam.id, again).await.unwrap();
        assert_eq!((recorded.get("bop_percent"), recorded.get("plaque_percent")), (&json!(16.1), &json!(0.6)));
        let all = sites(&practice, exam.id).await;
        let site = all.iter().find(|site| site.text("tooth_number") == Some("16") && site.text("site") == Some("MB")).unwrap();
        assert_eq!((all.len(), site.int("cal_mm"), site.int("recession_mm"), site.version), (168, Some(3), Some(0), 2));
        // Not probed is not zero, and does not count.
        let recorded = measure(&practice, exam.id, json!([{"tooth_number": "16", "site": "MB", "gingival_margin_mm": 4}])).await.unwrap();
        assert_eq!(recorded.get("plaque_percent"), &json!(0.0));
        let site = read(&practice.dentist, &PERIO_MEASUREMENT, site.id).await.unwrap();
        assert_eq!((site.get("cal_mm"), site.int("recession_mm")), (&Json::Null, Some(4)));
        let universal = json!({"exam_id": exam.id, "tooth_system": "UNIVERSAL", "measurements": [{"tooth_number": "1", "site": "B", "pocket_depth_mm": 2}]});
        run(&practice.dentist, "recordPerioMeasurements", None, universal).await.unwrap();
        assert!(sites(&practice, exam.id).await.iter().any(|site| site.text("tooth_number") == Some("18")));
    });
}

#[test]
fn every_fault_of_every_site_is_named_and_nothing_is_kept() {
    world::with(async |world| {
        let practice = Practice::open(world).await;
        let exam = exam(&practice, "2026-01-10T10:00:00Z").await;
        let sent = json!([
            {"tooth_number": "16", "site": "B", "pocket_depth_mm": 3, "furcation_involvement": 2, "furcation_scale": "HAMP"},
            {"tooth_number": "11", "site": "B", "furcation_involvement": 1, "furcation_scale": "HAMP"},
            {"tooth_number": "19", "site": "B"},
            {"tooth_number": "16", "site": "B"},
            {"tooth_number": "17", "site": "X", "wrong": 1},
            {"tooth_number": "15", "site": "B", "patient_id": practice.patient},
        ]);
        let mut named = faults(measure(&practice, exam.id, sent).await.unwrap_err());
        named.sort();
        assert_eq!(
            named,
            [
                "measurements[1].furcation_involvement",
                "measurements[2].tooth_number",
                "measurements[3].site",
                "measurements[4].site",
                "measurements[4].wrong",
                "measurements[5].patient_id",
            ]
        );
        assert!(sites(&practice, exam.id).await.is_empty());
        assert_eq!(faults(measure(&practice, exam.id, json!([])).await.unwrap_err()), ["measurements"]);
        assert_eq!(faults(measure(&practice, Uuid::now_v7(), full(1, 0)).await.unwrap_err()), ["exam_id"]);
        // The database holds the same for who writes one by one.
        let single = async |more: Json| {
            let mut body = json!({"exam_id": exam.id, "patient_id": practice.patient, "tooth_number": "46", "site": "B"});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            create(&practice.dentist, &PERIO_MEASUREMENT, body).await.map_err(|refused| faults(refused).remove(0))
        };
        for (wrong, field) in [
            (json!({"tooth_number": "49"}), "tooth_number"),
            (json!({"pocket_depth_mm": 21}), "pocket_depth_mm"),
            (json!({"gingival_margin_mm": -11}), "gingival_margin_mm"),
            (json!({"site": "MB", "furcation_involvement": 1, "furcation_scale": "HAMP"}), "furcation_involvement"),
            (json!({"furcation_involvement": 1}), "furcation_scale"),
            (json!({"furcation_involvement": 4, "furcation_scale": "HAMP"}), "furcation_scale"),
            (json!({"tooth_number": "16", "site": "L", "mucogingival_junction_mm": 4}), "mucogingival_junction_mm"),
            (json!({"patient_id": practice.clinic.patient("Other").await.unwrap().id}), "exam_id"),
        ] {
            assert_eq!(single(wrong.clone()).await.err().as_deref(), Some(field), "{wrong}");
        }
        single(json!({"furcation_involvement": 4, "furcation_scale": "GLICKMAN"})).await.unwrap();
        let body = json!({"patient_id": practice.patient, "examiner_id": practice.provider, "examined_at": "2026-01-10T10:00:00Z", "site_scheme": "FOUR"});
        assert_eq!(faults(create(&practice.dentist, &PERIO_EXAM, body).await.unwrap_err()), ["site_scheme"]);
    });
}

#[test]
fn what_is_not_there_is_not_probed() {
    world::with(async |world| {
        let practice = Practice::open(world).await;
        let exam = exam(&practice, "2026-01-10T10:00:00Z").await;
        let finding = async |more: Json| {
            let mut body = json!({"exam_id": exam.id, "patient_id": practice.patient});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            create(&practice.dentist, &PERIO_TOOTH_FINDING, body).await
        };
        let one = |tooth: &str| json!([{"tooth_number": tooth, "site": "B", "pocket_depth_mm": 3}]);
        finding(json!({"fdi_tooth": "36", "is_missing": true})).await.unwrap();
        assert_eq!(faults(measure(&practice, exam.id, one("36")).await.unwrap_err()), ["measurements[0].tooth_number"]);
        let body = json!({"exam_id": exam.id, "patient_id": practice.patient, "tooth_number": "36", "site": "B"});
        assert_eq!(faults(create(&practice.dentist, &PERIO_MEASUREMENT, body).await.unwrap_err()), ["tooth_number"]);
        // The chart knows teeth that have not come yet; an implant stands where a tooth was.
        for (tooth, presence) in [("48", "UNERUPTED"), ("46", "EXTRACTED")] {
            let entry = json!({"patient_id": practice.patient, "axis": "PRESENCE", "tooth_system": "FDI", "fdi_tooth": tooth, "presence": presence,
                "observed_at": "2025-01-01T10:00:00Z"});
            create(&practice.dentist, &CHART_ENTRY, entry).await.unwrap();
            assert_eq!(faults(measure(&practice, exam.id, one(tooth)).await.unwrap_err()), ["measurements[0].tooth_number"], "{tooth}");
        }
        finding(json!({"fdi_tooth": "46", "is_implant": true, "mobility_grade": 1})).await.unwrap();
        measure(&practice, exam.id, one("46")).await.unwrap();
        assert_eq!(sites(&practice, exam.id).await[0].int("mobility_grade"), Some(1));
        let furcated = json!([{"tooth_number": "46", "site": "B", "furcation_involvement": 1, "furcation_scale": "HAMP"}]);
        assert_eq!(faults(measure(&practice, exam.id, furcated).await.unwrap_err()), ["furcation_involvement"], "an implant has none");
        // And the other way round: a tooth that was measured is not missing.
        measure(&practice, exam.id, one("16")).await.unwrap();
        assert_eq!(faults(finding(json!({"fdi_tooth": "16", "is_missing": true})).await.unwrap_err()), ["is_missing"]);
        assert_eq!(faults(finding(json!({"fdi_tooth": "1X"})).await.unwrap_err()), ["fdi_tooth"]);
    });
}

/// One measures a tooth while another says it is missing: one of them is told.
#[test]
fn a_tooth_is_not_measured_and_missing_at_once() {
    world::with(async |world| {
        let practice = Practice::open(world).await;
        let exam = exam(&practice, "2026-01-10T10:00:00Z").await;
        let job = world.caller(Plane::Jobs, practice.clinic.id, None, &[]);
        let values = format!("('{}', gen_random_uuid(), '{}', '{}', '16'", practice.clinic.id, exam.id, practice.patient);
        let measured =
            format!("insert into perio_measurements (tenant_id, id, exam_id, patient_id, tooth_number, site) values {values}, 'B')");
        let missing =
            format!("insert into perio_tooth_findings (tenant_id, id, exam_id, patient_id, fdi_tooth, is_missing) values {values}, true)");
        let mut first = practice.dentist.write(Permission::EditClinical).await.unwrap();
        let mut second = job.write(Permission::Own).await.unwrap();
        first.rows_once(&measured, &[]).await.unwrap();
        let (late, ended) = futures_util::future::join(second.rows_once(&missing, &[]), async {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            first.commit().await
        })
        .await;
        ended.unwrap();
        assert_eq!(faults(late.unwrap_err()), ["is_missing"]);
    });
}

#[test]
fn a_signed_exam_is_corrected_by_a_new_one() {
    world::with(async |world| {
        let practice = Practice::open(world).await;
        let dentist = &practice.dentist;
        let exam = exam(&practice, "2026-01-10T10:00:00Z").await;
        let early = run(dentist, "correctPerioExam", Some(exam.id), json!({"reason": "x"})).await.err().unwrap();
        assert_eq!(early.code.code, "state.move_refused");
        measure(&practice, exam.id, full(2, 0)).await.unwrap();
        let signed = record(run(dentist, "signPerioExam", Some(exam.id), json!({})).await.unwrap());
        assert!(signed.text("status") == Some("SIGNED") && !signed.get("signed_at").is_null());
        assert_eq!(run(dentist, "signPerioExam", Some(exam.id), json!({})).await.err().unwrap().code.status, 409);
        // Locked: the exam, its measurements, its findings; changed, added or retired.
        let locked = |refused: Error| assert!(refused.code.code == "record.append_only" && refused.detail.unwrap().contains("correct"));
        locked(patch(dentist, &PERIO_EXAM, exam.id, signed.version, json!({"notes": "x"})).await.unwrap_err());
        locked(measure(&practice, exam.id, full(9, 0)).await.unwrap_err());
        let site = sites(&practice, exam.id).await.remove(0);
        locked(patch(dentist, &PERIO_MEASUREMENT, site.id, site.version, json!({"pocket_depth_mm": 9})).await.unwrap_err());
        locked(crate::world::operations::retire(dentist, &PERIO_MEASUREMENT, site.id, site.version).await.unwrap_err());
        let finding = json!({"exam_id": exam.id, "patient_id": practice.patient, "fdi_tooth": "16", "mobility_grade": 2});
        locked(create(dentist, &PERIO_TOOTH_FINDING, finding).await.unwrap_err());
        // The correction is a whole copy, and takes its place when it is signed.
        assert_eq!(faults(run(dentist, "correctPerioExam", Some(exam.id), json!({})).await.err().unwrap()), ["reason"]);
        let copy = record(run(dentist, "correctPerioExam", Some(exam.id), json!({"reason": "Wrong side"})).await.unwrap());
        assert_eq!(
            (copy.text("status"), copy.uuid("supersedes_id"), copy.get("bop_percent")),
            (Some("DRAFT"), Some(exam.id), signed.get("bop_percent"))
        );
        let twice = run(dentist, "correctPerioExam", Some(exam.id), json!({"reason": "Again"})).await.err().unwrap();
        assert_eq!(twice.code.status, 409);
        measure(&practice, copy.id, json!([{"tooth_number": "16", "site": "MB", "pocket_depth_mm": 6, "gingival_margin_mm": 1}]))
            .await
            .unwrap();
        assert_eq!(read(dentist, &PERIO_EXAM, exam.id).await.unwrap().text("status"), Some("SIGNED"));
        run(dentist, "signPerioExam", Some(copy.id), json!({})).await.unwrap();
        assert_eq!(read(dentist, &PERIO_EXAM, exam.id).await.unwrap().text("status"), Some("SUPERSEDED"));
        assert_eq!(sites(&practice, exam.id).await.iter().filter(|site| site.int("pocket_depth_mm") == Some(6)).count(), 0);
        assert_eq!(sites(&practice, copy.id).await.len(), 168);
    });
}

#[test]
fn exams_stand_beside_each_other() {
    world::with(async |world| {
        let practice = Practice::open(world).await;
        let mut ids = Vec::new();
        for (at, depth) in [("2024-01-10T10:00:00Z", 6), ("2025-01-10T10:00:00Z", 5), ("2026-01-10T10:00:00Z", 3)] {
            let exam = exam(&practice, at).await;
            measure(&practice, exam.id, json!([{"tooth_number": "16", "site": "MB", "pocket_depth_mm": depth, "gingival_margin_mm": 1}]))
                .await
                .unwrap();
            run(&practice.dentist, "signPerioExam", Some(exam.id), json!({})).await.unwrap();
            ids.push(exam.id);
        }
        exam(&practice, "2025-06-01T10:00:00Z").await;
        let compared = async |caller, id, query| match run(caller, "getPerioExamCompare", Some(id), query).await {
            Ok(Answer::Object(members)) => Ok(Json::Object(members)),
            Ok(_) => panic!("no object"),
            Err(refused) => Err(refused.code.status),
        };
        let all = compared(&practice.dentist, ids[2], json!({})).await.unwrap();
        let order: Vec<_> = all["exams"].as_array().unwrap().iter().map(|exam| exam["id"].clone()).collect();
        assert_eq!(json!(order), json!(ids), "oldest first, drafts of others left out");
        let site = &all["sites"][0];
        assert_eq!((&site["pocket_depth_mm"], &site["cal_mm"], &site["cal_change_mm"]), (&json!([6, 5, 3]), &json!([7, 6, 4]), &json!(-2)));
        let two = compared(&practice.dentist, ids[2], json!({"last": 2})).await.unwrap();
        assert_eq!(two["sites"][0]["pocket_depth_mm"], json!([5, 3]));
        assert_eq!(compared(&practice.dentist, ids[0], json!({})).await.unwrap()["exams"].as_array().unwrap().len(), 1);
        let patient = practice.portal().await;
        assert_eq!(compared(&patient, ids[2], json!({})).await.unwrap(), all);
        let stranger = Practice::open(world).await;
        assert_eq!(compared(&stranger.dentist, ids[2], json!({})).await.err(), Some(404));
    });
}
