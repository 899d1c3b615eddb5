//! Where an annotation lies: of its picture, on a frame there is, inside what there is to see.

use super::*;
use crate::world;
use crate::world::operations::{create, patch, read};
use enamel::imaging::image_annotation::IMAGE_ANNOTATION;
use enamel::imaging::imaging_object::IMAGING_OBJECT;

/// A picture of 100 by 50 pixels and three frames.
async fn picture(clinic: &Clinic) -> (Uuid, Uuid) {
    let (_, object, patient) = crate::ai::study(clinic, "INTRAORAL", "IO").await;
    let sized = "update enamel.imaging_objects set width = 100, height = 50, frame_count = 3 where id = $1";
    clinic.world.truth().await.execute(sized, &[&object]).await.unwrap();
    (object, patient)
}

fn drawn(by: Uuid, (object, patient): (Uuid, Uuid), kind: &str, geometry: Json) -> Json {
    json!({"imaging_object_id": object, "patient_id": patient, "source_type": "USER", "author_user_id": by,
           "annotation_type": kind, "geometry": geometry})
}

fn square(size: i64) -> Json {
    json!([[0, 0], [size, 0], [size, size], [0, size]])
}

#[test]
fn each_kind_has_its_form() {
    world::with(async |world| {
        let clinic = clinic(world).await;
        let (staff, of, by) = (clinic.staff(), picture(&clinic).await, clinic.member("CLINICIAN").await);
        let many: Vec<Json> = (0..3_001).map(|n| json!([n % 100, n / 250])).collect();
        let good = [
            ("BOUNDING_BOX", json!({"x": 0, "y": 0, "width": 100, "height": 50})),
            ("MASK", json!({"polygons": [square(50), [[1, 1], [2.5, 1], [1, 2], [1, 1]]]})),
            ("MEASUREMENT", json!({"points": [[0, 0], [100, 50]]})),
            ("LABEL", json!({"points": [[99.5, 0]]})),
            ("POLYLINE", json!({"points": [[1, 1], [2, 2], [1, 1]]})),
            ("POINTS", json!({"points": many[..3_000]})),
        ];
        for (kind, geometry) in good {
            create(&staff, &IMAGE_ANNOTATION, drawn(by, of, kind, geometry)).await.unwrap_or_else(|refusal| panic!("{kind}: {refusal:?}"));
        }
        let bad = [
            ("BOUNDING_BOX", json!([])),
            ("BOUNDING_BOX", json!({"x": 0, "y": 0, "width": 1})),
            ("BOUNDING_BOX", json!({"x": 0, "y": 0, "width": 1, "height": 1, "z": 1})),
            ("BOUNDING_BOX", json!({"x": 0, "y": 0, "width": "1", "height": 1})),
            ("BOUNDING_BOX", json!({"x": 0, "y": 0, "width": 0, "height": 1})),
            ("BOUNDING_BOX", json!({"x": 9, "y": 9, "width": -3, "height": 1})),
            ("BOUNDING_BOX", json!({"x": 1, "y": 0, "width": 100, "height": 1})),
            ("BOUNDING_BOX", json!({"x": 0, "y": 1, "width": 1, "height": 50})),
            ("BOUNDING_BOX", json!({"x": -1, "y": 0, "width": 5, "height": 5})),
            ("BOUNDING_BOX", json!({"x": 1e300, "y": 0, "width": 1e300, "height": 5})),
            ("MASK", json!({"points": square(9)})),
            ("MASK", json!({"polygons": []})),
            ("MASK", json!({"polygons": [square(9), 7]})),
            ("MASK", json!({"polygons": [[[0, 0], [1, 1], [0, 0], [1, 1]]]})),
            ("MASK", json!({"polygons": [[[0, 0], [1, 1], [2, 2]]]})),
            ("MASK", json!({"polygons": [square(51)]})),
            ("MEASUREMENT", json!({"points": [[1, 1]]})),
            ("MEASUREMENT", json!({"points": [[1, 1], [1, 1]]})),
            ("LABEL", json!({"points": []})),
            ("LABEL", json!({"points": [[1, 1], [2, 2]]})),
            ("LABEL", json!({"points": [[1]]})),
            ("LABEL", json!({"points": [[1, 2, 3]]})),
            ("LABEL", json!({"points": [1]})),
            ("LABEL", json!({"points": [[null, 1]]})),
            ("LABEL", json!({"points": {"x": 1}})),
            ("LABEL", json!({"points": [[1, 50.01]]})),
            ("POLYLINE", json!({"points": [[1, 1], [1, 1]]})),
            ("POINTS", json!({"points": []})),
            ("POINTS", json!({"points": many})),
        ];
        for (kind, geometry) in bad {
            let said = geometry.to_string();
            let refused = create(&staff, &IMAGE_ANNOTATION, drawn(by, of, kind, geometry)).await.err();
            let refused = refused.unwrap_or_else(|| panic!("{kind} took {}", &said[..said.len().min(80)]));
            let fault = (refused.code.status, refused.faults[0].field.as_str(), refused.faults[0].rule);
            assert_eq!(fault, (422, "geometry", "geometry"), "{kind} {}", &said[..said.len().min(80)]);
        }
    });
}

#[test]
fn an_annotation_stays_with_its_picture() {
    world::with(async |world| {
        let clinic = clinic(world).await;
        let (staff, of, by) = (clinic.staff(), picture(&clinic).await, clinic.member("CLINICIAN").await);
        let other = clinic.patient("Other").await.unwrap().id;
        let label = |of| drawn(by, of, "LABEL", json!({"points": [[60, 40]]}));
        let field = |refused: enamel::kernel::error::Error| refused.faults[0].field.clone();
        let of_another = create(&staff, &IMAGE_ANNOTATION, label((of.0, other))).await.err().unwrap();
        assert_eq!(field(of_another), "imaging_object_id", "about somebody else than the picture");
        let elsewhere = picture(&super::clinic(world).await).await;
        let foreign = create(&staff, &IMAGE_ANNOTATION, label((elsewhere.0, of.1))).await.err().unwrap();
        assert_eq!(field(foreign), "imaging_object_id", "the picture of another clinic");

        for (frame, is_there) in [(2, true), (3, false), (-1, false)] {
            let mut body = label(of);
            body["frame_index"] = json!(frame);
            let made = create(&staff, &IMAGE_ANNOTATION, body).await;
            assert_eq!(
                made.as_ref().err().map(|refused| refused.faults[0].field.as_str()),
                (!is_there).then_some("frame_index"),
                "{frame}"
            );
        }
        let made = create(&staff, &IMAGE_ANNOTATION, label(of)).await.unwrap();
        for body in [json!({"geometry": {"points": [[60, 51]]}}), json!({"annotation_type": "MASK"})] {
            assert_eq!(field(patch(&staff, &IMAGE_ANNOTATION, made.id, made.version, body).await.err().unwrap()), "geometry");
        }
        patch(&staff, &IMAGE_ANNOTATION, made.id, made.version, json!({"geometry": {"points": [[1, 2]]}})).await.unwrap();
        // The picture does not shrink under what was drawn on it.
        let object = read(&staff, &IMAGING_OBJECT, of.0).await.unwrap();
        let shrunk = patch(&staff, &IMAGING_OBJECT, of.0, object.version, json!({"height": 20})).await.err().unwrap();
        assert_eq!(field(shrunk), "height");
        patch(&staff, &IMAGING_OBJECT, of.0, object.version, json!({"is_calibrated": true})).await.unwrap();
    });
}

#[test]
fn an_annotation_is_its_callers_or_brought_in_from_elsewhere() {
    world::with(async |world| {
        let clinic = clinic(world).await;
        let (of, me, colleague) = (picture(&clinic).await, clinic.member("CLINICIAN").await, clinic.member("CLINICIAN").await);
        let held: Vec<Permission> = Permission::ALL.iter().copied().filter(|one| *one != Permission::ManageIntegrations).collect();
        let dentist = world.caller(Plane::Staff, clinic.id, Some(me), &held);
        let point = json!({"points": [[1, 1]]});
        let mut unsaid = drawn(me, of, "LABEL", point.clone());
        unsaid.as_object_mut().unwrap().remove("author_user_id");
        let mine = create(&dentist, &IMAGE_ANNOTATION, unsaid).await.unwrap();
        assert_eq!(mine.uuid("author_user_id"), Some(me));
        let forged = create(&dentist, &IMAGE_ANNOTATION, drawn(colleague, of, "LABEL", point.clone())).await.unwrap_err();
        assert_eq!((forged.code.status, forged.faults[0].field.as_str()), (422, "author_user_id"));
        let passed = patch(&dentist, &IMAGE_ANNOTATION, mine.id, mine.version, json!({"author_user_id": colleague})).await.unwrap_err();
        assert_eq!(passed.faults[0].field, "author_user_id");
        let brought = create(&clinic.staff(), &IMAGE_ANNOTATION, drawn(colleague, of, "LABEL", point)).await.unwrap();
        assert_eq!(brought.uuid("author_user_id"), Some(colleague));
        // Whose it is stays so, whoever changes the words.
        let words = patch(&dentist, &IMAGE_ANNOTATION, brought.id, brought.version, json!({"label_code": "x"})).await.unwrap();
        assert_eq!(words.uuid("author_user_id"), Some(colleague));
    });
}
