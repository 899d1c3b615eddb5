//! A DICOM file's header becomes study, series and object, once, under the right patient or nobody's.

use super::*;
use crate::world;
use crate::world::operations::create;
use enamel::imaging::image_annotation::IMAGE_ANNOTATION;
use enamel::imaging::imaging_object::IMAGING_OBJECT;
use enamel::imaging::imaging_series::IMAGING_SERIES;
use enamel::imaging::imaging_study::IMAGING_STUDY;
use enamel::kernel::table::{Draft, List, Table, store};
use std::process::Command;

const DICOM: &str = "application/dicom";

async fn rows(caller: &Caller, table: &'static Table) -> Vec<Record> {
    let scope = caller.read(table).await.unwrap();
    store::list(scope, &List::new(table), &caller.kernel.keys).await.unwrap().0
}

/// The patient CT_small.dcm names.
async fn sample_patient(clinic: &Clinic) -> Uuid {
    clinic.patient("CompressedSamples").await.map(|patient| patient.id).unwrap()
}

/// Same length, other pixels.
fn repainted(mut bytes: Vec<u8>) -> Vec<u8> {
    let last = bytes.len() - 1;
    bytes[last] ^= 0x55;
    bytes
}

fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
}

/// What dcmtk reads at that place.
fn dcmdump(name: &str, tag: &str) -> String {
    let out = Command::new("dcmdump").args(["+L", "-Un", "+P", tag]).arg(fixture_path(name)).output().expect("dcmtk is installed");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    text.split('[').nth(1).and_then(|rest| rest.split(']').next()).unwrap_or_default().trim().to_owned()
}

async fn first_name(world: &World, patient: Uuid, name: &str) {
    world.truth().await.execute("update enamel.patients set first_name = $2 where id = $1", &[&patient, &name]).await.unwrap();
}

#[test]
fn a_header_makes_study_series_and_object_as_dcmtk_reads_them() {
    world::with(async |world| {
        let clinic = clinic(world).await;
        let staff = clinic.staff();
        let patient = sample_patient(&clinic).await;
        first_name(world, patient, "CT1").await;
        let bytes = fixture("CT_small.dcm");
        let id = uploaded(&staff, world, Some(patient), DICOM, &bytes).await;
        let file = complete(&staff, id).await.unwrap();
        assert_eq!((file.text("status"), file.text("scan_result")), (Some("READY"), Some("VERIFIED")));

        let [study] = rows(&staff, &IMAGING_STUDY).await.try_into().unwrap();
        let [series] = rows(&staff, &IMAGING_SERIES).await.try_into().unwrap();
        let [object] = rows(&staff, &IMAGING_OBJECT).await.try_into().unwrap();
        assert_eq!(study.text("study_uid").unwrap(), dcmdump("CT_small.dcm", "0020,000d"));
        assert_eq!(series.text("series_uid").unwrap(), dcmdump("CT_small.dcm", "0020,000e"));
        assert_eq!(object.text("sop_instance_uid").unwrap(), dcmdump("CT_small.dcm", "0008,0018"));
        assert_eq!(
            (study.text("status"), study.text("modality"), study.text("modality_code")),
            (Some("AVAILABLE"), Some("CT"), Some("CT"))
        );
        assert_eq!((study.int("series_count"), study.int("object_count"), series.int("object_count")), (Some(1), Some(1), Some(1)));
        assert_eq!((object.int("width"), object.int("height"), object.uuid("file_id")), (Some(128), Some(128), Some(id)));
        assert_eq!((object.text("hash").unwrap(), object.int("byte_size")), (sha256(&bytes).as_str(), Some(bytes.len() as i64)));
        // 1997-04-30 11:29:36, and the file says -0500.
        assert_eq!(study.text("acquisition_datetime"), Some("1997-04-30T16:29:36.000000Z"));
        assert!(rows(&super::clinic(world).await.staff(), &IMAGING_STUDY).await.is_empty());
    });
}

#[test]
fn a_ct_is_a_cone_beam_only_where_something_says_so() {
    let bytes = fixture("CT_small.dcm");
    let of = |bytes: &[u8]| {
        let header = enamel::dicom::read(bytes, bytes.len() as u64).unwrap();
        enamel::dicom::word_of(&header)
    };
    // A GE HiSpeed that turned around a chest, helically.
    assert_eq!(of(&bytes), ("CT", true));
    assert_eq!(of(&replaced(&bytes, "RHAPSODE", "CBCT 3D ")), ("CBCT", true));
    let dental = replaced(&bytes, "GE MEDICAL SYSTEMS", "Planmeca          ");
    assert_eq!(of(&dental), ("CT", true), "how it was scanned weighs more than who made the scanner");
    assert_eq!(of(&replaced(&dental, "HELICAL MODE", "            ")), ("CBCT", true));
    assert_eq!(of(&replaced(&bytes, "HELICAL MODE", "            ")), ("CT", true), "nothing says cone beam");
    assert_eq!(of(&fixture("MR_small.dcm")), ("OTHER", true));
}

#[test]
fn one_sop_instance_is_one_object() {
    world::with(async |world| {
        let clinic = clinic(world).await;
        let staff = clinic.staff();
        let patient = sample_patient(&clinic).await;
        let bytes = fixture("CT_small.dcm");
        for _ in 0..2 {
            let id = uploaded(&staff, world, Some(patient), DICOM, &bytes).await;
            assert_eq!(complete(&staff, id).await.unwrap().text("status"), Some("READY"));
        }
        let other = repainted(bytes.clone());
        let id = uploaded(&staff, world, Some(patient), DICOM, &other).await;
        for _ in 0..2 {
            assert_eq!(refusal(complete(&staff, id).await), "conflict");
        }
        let second = clinic.patient("Other").await.unwrap().id;
        let stranger = uploaded(&staff, world, Some(second), DICOM, &bytes).await;
        assert_eq!(refusal(complete(&staff, stranger).await), "conflict");
        let quarantined =
            "select count(*) from enamel.files where tenant_id = $1 and status = 'QUARANTINED' and scan_result = 'SOP_UID_TAKEN'";
        assert_eq!(count(world, quarantined, clinic.id).await, 2);
        assert_eq!(rows(&staff, &IMAGING_OBJECT).await.len(), 1);
        // Another image of the series joins it; another clinic has its own.
        let next = replaced(
            &replaced(&bytes, "1.1.1.1.1.20040119072730", "1.1.1.1.2.20040119072730"),
            "1.1.1.1.1.20040119072730",
            "1.1.1.1.2.20040119072730",
        );
        let id = uploaded(&staff, world, Some(patient), DICOM, &next).await;
        complete(&staff, id).await.unwrap();
        let [study] = rows(&staff, &IMAGING_STUDY).await.try_into().unwrap();
        assert_eq!((study.int("series_count"), study.int("object_count")), (Some(1), Some(2)));
        let elsewhere = super::clinic(world).await;
        let same = sample_patient(&elsewhere).await;
        let id = uploaded(&elsewhere.staff(), world, Some(same), DICOM, &bytes).await;
        assert_eq!(complete(&elsewhere.staff(), id).await.unwrap().text("status"), Some("READY"));
    });
}

#[test]
fn images_of_one_study_may_arrive_at_once() {
    world::with(async |world| {
        let clinic = clinic(world).await;
        let patient = sample_patient(&clinic).await;
        let bytes = fixture("CT_small.dcm");
        let mut waiting = Vec::new();
        for n in 2..8 {
            let to = format!("1.1.1.1.{n}.20040119072730");
            let next = replaced(&replaced(&bytes, "1.1.1.1.1.20040119072730", &to), "1.1.1.1.1.20040119072730", &to);
            waiting.push(uploaded(&clinic.staff(), world, Some(patient), DICOM, &next).await);
        }
        let staff = clinic.staff();
        let done = futures_util::future::join_all(waiting.into_iter().map(|id| complete(&staff, id))).await;
        assert!(done.iter().all(Result::is_ok), "{done:?}");
        let [study] = rows(&staff, &IMAGING_STUDY).await.try_into().unwrap();
        assert_eq!((study.int("series_count"), study.int("object_count")), (Some(1), Some(6)));
    });
}

#[test]
fn a_header_that_names_somebody_else_waits_for_a_person() {
    world::with(async |world| {
        let clinic = clinic(world).await;
        let staff = clinic.staff();
        let chosen = clinic.patient("Baker").await.unwrap().id;
        let right = sample_patient(&clinic).await;
        let (by_chosen, by_right) = (login(world, &clinic, chosen).await, login(world, &clinic, right).await);
        let bytes = fixture("CT_small.dcm");
        let id = uploaded(&staff, world, Some(chosen), DICOM, &bytes).await;
        let file = complete(&staff, id).await.unwrap();
        assert_eq!((file.text("status"), file.text("scan_result")), (Some("READY"), Some("PATIENT_MISMATCH")));
        let [study] = rows(&staff, &IMAGING_STUDY).await.try_into().unwrap();
        let [object] = rows(&staff, &IMAGING_OBJECT).await.try_into().unwrap();
        assert_eq!(study.text("status"), Some("QUARANTINED"));
        assert!(object.get("conformance_warnings").as_array().unwrap().contains(&json!("PATIENT_NAME_DIFFERS")));
        let link = async |caller: &Caller| object_of(caller, id).await;
        assert_eq!(refusal(link(&by_chosen).await), "not_found", "hidden from the one it was filed under");
        assert!(link(&staff).await.is_ok(), "a person can look before deciding");

        // What somebody drew while looking is as little told as the picture.
        let drawn = json!({"imaging_object_id": object.id, "patient_id": chosen, "source_type": "USER", "author_user_id": clinic.member("CLINICIAN").await,
            "annotation_type": "LABEL", "geometry": {"points": [[3, 4]]}});
        create(&staff, &IMAGE_ANNOTATION, drawn).await.unwrap();
        for table in [&IMAGING_STUDY, &IMAGING_SERIES, &IMAGING_OBJECT, &IMAGE_ANNOTATION] {
            assert_eq!(rows(&staff, table).await.len(), 1, "staff see {}", table.name);
            for patient in [&by_chosen, &by_right] {
                assert!(rows(patient, table).await.is_empty(), "{} of a quarantined study", table.name);
            }
        }

        let foreign = super::clinic(world).await.patient("X").await.unwrap().id;
        let refused = record(&staff, "acceptImagingStudyMatch", study.id, json!({"patient_id": foreign})).await;
        assert_eq!(refusal(refused), "reference.unknown");
        let study = record(&staff, "acceptImagingStudyMatch", study.id, json!({"patient_id": right})).await.unwrap();
        assert_eq!((study.text("status"), study.patient), (Some("AVAILABLE"), Some(right)));
        for table in [&IMAGING_SERIES, &IMAGING_OBJECT, &IMAGE_ANNOTATION] {
            assert_eq!(rows(&staff, table).await[0].patient, Some(right), "{}", table.name);
        }
        assert!(link(&by_right).await.is_ok());
        for table in [&IMAGING_STUDY, &IMAGING_SERIES, &IMAGING_OBJECT, &IMAGE_ANNOTATION] {
            assert_eq!(rows(&by_right, table).await.len(), 1, "{} that was settled", table.name);
            assert!(rows(&by_chosen, table).await.is_empty(), "{} of somebody else", table.name);
        }
        assert_eq!(refusal(link(&by_chosen).await), "not_found");
        let again = record(&staff, "acceptImagingStudyMatch", study.id, json!({"patient_id": right})).await;
        assert_eq!(refusal(again), "state.move_refused");
    });
}

async fn object_of(caller: &Caller, file: Uuid) -> Result<Map<String, Json>> {
    object(caller, "createFileDownloadLink", Some(file), json!({})).await
}

#[test]
fn a_header_that_cannot_be_read_is_said_so() {
    world::with(async |world| {
        let clinic = clinic(world).await;
        let staff = clinic.staff();
        let patient = sample_patient(&clinic).await;
        let cut = fixture("CT_small.dcm")[..600].to_vec();
        let cases = [
            (fixture("meta_missing_tsyntax.dcm"), "DICOM_NO_TRANSFER_SYNTAX"),
            (cut, "DICOM_TRUNCATED"),
            (fixture("nested_priv_SQ.dcm"), "DICOM_NO_UID"),
        ];
        for (bytes, word) in cases {
            let id = uploaded(&staff, world, Some(patient), DICOM, &bytes).await;
            assert_eq!(refusal(complete(&staff, id).await), "dicom.unreadable");
            assert_eq!(refusal(complete(&staff, id).await), "dicom.unreadable");
            let row = world.truth().await.query_one("select status, scan_result from enamel.files where id = $1", &[&id]).await.unwrap();
            assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1)), ("QUARANTINED", word));
        }
        assert!(rows(&staff, &IMAGING_STUDY).await.is_empty());
    });
}

#[test]
fn an_object_made_by_hand_is_its_file() {
    world::with(async |world| {
        let clinic = clinic(world).await;
        let staff = clinic.staff();
        let patient = clinic.patient("Baker").await.unwrap().id;
        let keys = &world.kernel.keys;
        let mut scope = staff.write(Permission::EditImaging).await.unwrap();
        let study = json!({"patient_id": patient, "study_uid": "1.2.3", "modality": "PHOTO", "modality_code": "XC"});
        let study = Draft::create(&IMAGING_STUDY, study.as_object().unwrap()).unwrap();
        let study = store::insert(&mut scope, &IMAGING_STUDY, &study, keys).await.unwrap();
        scope.commit().await.unwrap();
        let make = async |file: Uuid| {
            let body = json!({"study_id": study.id, "patient_id": patient, "file_id": file, "object_type": "PNG"});
            let mut scope = staff.write(Permission::EditImaging).await?;
            let draft = Draft::create(&IMAGING_OBJECT, body.as_object().unwrap())?;
            let record = store::insert(&mut scope, &IMAGING_OBJECT, &draft, keys).await?;
            scope.commit().await.map(|()| record)
        };
        let file = uploaded(&staff, world, Some(patient), "image/png", PNG).await;
        assert_eq!(refusal(make(file).await), "reference.unknown", "PENDING");
        complete(&staff, file).await.unwrap();
        let object = make(file).await.unwrap();
        assert_eq!((object.text("hash").unwrap(), object.int("byte_size")), (sha256(PNG).as_str(), Some(PNG.len() as i64)));
    });
}
