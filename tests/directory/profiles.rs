//! What a clinic shows of itself, to whom, and since when.

use crate::imaging::{PNG, complete, uploaded};
use crate::world::operations::{create, patch, read, record, run};
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use enamel::directory::clinic_certification::CLINIC_CERTIFICATION;
use enamel::directory::clinic_image::CLINIC_IMAGE;
use enamel::directory::clinic_package::CLINIC_PACKAGE;
use enamel::directory::clinic_profile::CLINIC_PROFILE;
use enamel::directory::clinic_treatment::CLINIC_TREATMENT;
use enamel::kernel::Caller;
use enamel::kernel::context::{PLATFORM_TENANT, Permission, Plane};
use enamel::tenancy::location::LOCATION;
use serde_json::json;
use uuid::Uuid;

/// A clinic with a draft that could be shown.
async fn draft(world: &'static World) -> (Clinic, Uuid) {
    let clinic = world.tenant("SOLO_PRACTICE", None).await;
    let staff = clinic.staff();
    create(&staff, &LOCATION, json!({"name": "Site", "country": "DE", "city": "Ulm", "time_zone": "Europe/Berlin"})).await.unwrap();
    create(&staff, &CLINIC_TREATMENT, json!({"name": "Zahnreinigung", "currency": "EUR", "price_from_minor": 9000})).await.unwrap();
    let profile = json!({"headline": "Gentle", "contact_email": "desk@clinic.example", "contact_phone": "+49731123"});
    let profile = create(&staff, &CLINIC_PROFILE, profile).await.unwrap().id;
    (clinic, profile)
}

async fn patient_of(clinic: &Clinic) -> (Uuid, Caller) {
    let patient = clinic.patient("Reader").await.unwrap().id;
    let login = clinic.world.patient_login(&[(clinic.id, patient)]).await;
    (patient, clinic.world.caller(Plane::Patient, clinic.id, Some(login), Permission::ALL))
}

#[test]
fn a_profile_is_shown_when_it_is_whole_and_found_no_more_when_it_is_hidden() {
    world::with(async |world| {
        let bare = world.tenant("SOLO_PRACTICE", None).await;
        let empty = create(&bare.staff(), &CLINIC_PROFILE, json!({})).await.unwrap().id;
        let why = async || {
            let refusal = run(&bare.staff(), "publishClinicProfile", Some(empty), json!({})).await.err().unwrap();
            (refusal.code.status, refusal.faults[0].field.clone(), refusal.faults[0].rule)
        };
        assert_eq!(why().await, (409, "location".into(), "complete"));
        create(&bare.staff(), &LOCATION, json!({"name": "Site", "country": "DE", "time_zone": "Europe/Berlin"})).await.unwrap();
        assert_eq!(why().await, (409, "treatment".into(), "complete"));

        let (clinic, profile) = draft(world).await;
        let (_, reader) = patient_of(&clinic).await;
        assert_eq!(read(&reader, &CLINIC_PROFILE, profile).await.err().unwrap().code.status, 404);
        assert_eq!(
            run(&clinic.staff(), "hideClinicProfile", Some(profile), json!({})).await.err().unwrap().code.code,
            "state.move_refused"
        );
        let shown = record(run(&clinic.staff(), "publishClinicProfile", Some(profile), json!({})).await.unwrap());
        assert!(shown.text("status") == Some("PUBLISHED") && shown.text("published_at").is_some());
        assert_eq!(read(&reader, &CLINIC_PROFILE, profile).await.unwrap().text("headline"), Some("Gentle"));
        run(&clinic.staff(), "hideClinicProfile", Some(profile), json!({})).await.unwrap();
        assert_eq!(read(&reader, &CLINIC_PROFILE, profile).await.err().unwrap().code.status, 404);
        let weak = world.caller(Plane::Staff, clinic.id, None, &[Permission::ViewTenant]);
        assert_eq!(run(&weak, "publishClinicProfile", Some(profile), json!({})).await.err().unwrap().code.status, 403);
        assert_eq!(run(&bare.staff(), "publishClinicProfile", Some(profile), json!({})).await.err().unwrap().code.status, 404);
        // Past the contract: a row cannot begin shown.
        let staff = world.tenant("SOLO_PRACTICE", None).await.staff();
        let mut scope = staff.kernel.door.open(&staff.context).await.unwrap();
        let sql = format!(
            "insert into clinic_profiles (tenant_id, id, status) values ('{}', gen_random_uuid(), 'PUBLISHED')",
            staff.context.tenant.unwrap()
        );
        assert_eq!(scope.rows_once(&sql, &[]).await.err().unwrap().code.status, 409);
    });
}

#[test]
fn a_profile_tells_offers_certificates_and_pictures_and_is_found_by_them() {
    world::with(async |world| {
        let (clinic, profile) = draft(world).await;
        let staff = clinic.staff();
        for (name, body) in [
            ("now", json!({"name": "Now", "price_minor": 100, "currency": "EUR"})),
            ("past", json!({"name": "Past", "price_minor": 100, "currency": "EUR", "valid_until": "2020-01-01"})),
            ("off", json!({"name": "Off", "price_minor": 100, "currency": "EUR", "is_active": false})),
        ] {
            create(&staff, &CLINIC_PACKAGE, body).await.unwrap_or_else(|failure| panic!("{name}: {failure}"));
        }
        create(&staff, &CLINIC_CERTIFICATION, json!({"name": "ISO", "certificate_number": "secret-1"})).await.unwrap();
        let file = uploaded(&staff, world, None, "image/png", PNG).await;
        complete(&staff, file).await.unwrap();
        let image = create(&staff, &CLINIC_IMAGE, json!({"file_id": file, "alt_text": "The house", "is_cover": true})).await.unwrap().id;
        run(&staff, "publishClinicProfile", Some(profile), json!({})).await.unwrap();

        let (patient, reader) = patient_of(&clinic).await;
        let shown = read(&reader, &CLINIC_PROFILE, profile).await.unwrap();
        assert_eq!(shown.get("treatments_offered")[0]["name"], "Zahnreinigung");
        assert_eq!(shown.get("packages_offered").as_array().unwrap().len(), 1);
        assert_eq!(
            (&shown.get("certifications")[0]["name"], &shown.get("certifications")[0]["is_verified"]),
            (&json!("ISO"), &json!(false))
        );
        assert_eq!(shown.get("image_links")[0]["link"], format!("/api/v1/clinic-images/{image}/link"));
        assert!(shown.get("reviews_rating").is_null() && shown.int("reviews_count") == Some(0));

        let token = world.session(reader.context.actor.unwrap(), None).await;
        let (status, link) = world.get(Some(&token), &format!("/clinic-images/{image}/link")).await;
        assert_eq!(status, 200, "{link}");
        let bytes = world.http.get(link["url"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(bytes.bytes().await.unwrap(), PNG);
        let (_, stranger) = world.patient_token(&[]).await;
        assert!(world.get(Some(&stranger), &format!("/clinic-images/{image}/link")).await.0 >= 400);

        for (query, found) in [("treatment=zahnr", 1), ("treatment=%C3%96l", 0), ("city=Ulm", 1), ("city=Bonn", 0), ("country=DE", 1)] {
            let (_, page) = world.get(Some(&token), &format!("/clinic-profiles?{query}")).await;
            assert_eq!(page["items"].as_array().map(Vec::len), Some(found), "{query}: {page}");
        }
        // A patient's file is no picture of the clinic.
        let private = uploaded(&staff, world, Some(patient), "image/png", PNG).await;
        let refused = create(&staff, &CLINIC_IMAGE, json!({"file_id": private})).await.err().unwrap();
        assert_eq!((refused.code.code, refused.faults[0].field.as_str()), ("reference.unknown", "file_id"));
        assert_eq!(patch(&staff, &CLINIC_IMAGE, image, 1, json!({"file_id": private})).await.err().unwrap().code.code, "reference.unknown");
    });
}

#[test]
fn contact_is_shown_to_all_or_to_those_whose_booking_is_confirmed() {
    world::with(async |world| {
        let (clinic, profile) = draft(world).await;
        run(&clinic.staff(), "publishClinicProfile", Some(profile), json!({})).await.unwrap();
        let (patient, reader) = patient_of(&clinic).await;
        let seen = async || {
            let profile = read(&reader, &CLINIC_PROFILE, profile).await.unwrap();
            assert!(!profile.json.contains_key("contact_email"), "the columns are staff's");
            (profile.flag("contact_visible"), profile.get("contact")["email"].as_str().map(str::to_owned))
        };
        let email = Some("desk@clinic.example".to_owned());
        assert_eq!(seen().await, (true, email.clone()));
        let truth = world.truth().await;
        truth
            .execute(
                "insert into enamel.tenant_settings (tenant_id, id, contact_visibility) values ($1, gen_random_uuid(), 'AFTER_BOOKING')",
                &[&clinic.id],
            )
            .await
            .unwrap();
        assert_eq!(seen().await, (false, None));
        let tenant = read(&reader, &enamel::tenancy::tenant::TENANT, clinic.id).await.unwrap();
        assert!(tenant.get("email").is_null() && tenant.get("address").is_null());
        // Somebody else's booking opens nothing; nor does one that is not confirmed.
        let other = clinic.patient("Other").await.unwrap().id;
        for (whose, status, open) in [(other, "CONFIRMED", false), (patient, "PENDING", false), (patient, "CONFIRMED", true)] {
            truth
                .execute(
                    "insert into enamel.bookings (tenant_id, id, patient_id, currency, status) values ($1, gen_random_uuid(), $2, 'EUR', $3)",
                    &[&clinic.id, &whose, &status],
                )
                .await
                .unwrap();
            assert_eq!(seen().await, (open, email.clone().filter(|_| open)), "{status}");
        }
        assert_eq!(read(&clinic.staff(), &CLINIC_PROFILE, profile).await.unwrap().text("contact_email"), email.as_deref());
    });
}

#[test]
fn the_platform_verifies_what_it_has_seen_a_document_of() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let staff = clinic.staff();
        let platform = world.caller(Plane::Platform, PLATFORM_TENANT, None, Permission::ALL);
        let certificate = create(&staff, &CLINIC_CERTIFICATION, json!({"name": "ISO"})).await.unwrap();
        let verify = async |id: Uuid| run(&platform, "verifyClinicCertification", Some(id), json!({"tenant_id": clinic.id})).await;
        let refused = verify(certificate.id).await.err().unwrap();
        assert_eq!((refused.code.status, refused.faults[0].rule), (409, "document"));
        let truth = world.truth().await;
        truth.batch_execute("set session_replication_role = replica").await.unwrap();
        truth
            .execute("update enamel.clinic_certifications set document_id = gen_random_uuid() where id = $1", &[&certificate.id])
            .await
            .unwrap();
        assert!(record(verify(certificate.id).await.unwrap()).flag("is_verified"));
        assert_eq!(verify(Uuid::now_v7()).await.err().unwrap().code.status, 404);
        assert_eq!(
            run(&staff, "verifyClinicCertification", Some(certificate.id), json!({"tenant_id": clinic.id}))
                .await
                .err()
                .unwrap()
                .code
                .status,
            403
        );
        // Changed, it is to be verified again; and a clinic cannot say so itself.
        let current = read(&staff, &CLINIC_CERTIFICATION, certificate.id).await.unwrap();
        let changed = patch(&staff, &CLINIC_CERTIFICATION, current.id, current.version, json!({"name": "ISO 9001"})).await.unwrap();
        assert!(!changed.flag("is_verified"));
        let mut scope = staff.kernel.door.open(&staff.context).await.unwrap();
        let forged = format!("update clinic_certifications set is_verified = true where id = '{}'", current.id);
        assert_eq!(scope.rows_once(&forged, &[]).await.err().unwrap().code.status, 403);
    });
}
