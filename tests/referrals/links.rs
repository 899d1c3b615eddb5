//! A form's address is its own in the whole system, for ever.

use crate::world;
use crate::world::operations::{create, patch, record, run};
use enamel::referrals::referral_link::REFERRAL_LINK;
use enamel::tenancy::location::LOCATION;
use serde_json::json;
use uuid::Uuid;

async fn named(world: &'static world::World, name: &str) -> world::tenants::Clinic {
    let clinic = world.tenant("SOLO_PRACTICE", None).await;
    world.truth().await.execute("update enamel.tenants set name = $2 where id = $1", &[&clinic.id, &name]).await.unwrap();
    clinic
}

#[test]
fn a_form_is_named_after_its_clinic_and_namesakes_are_numbered() {
    world::with(async |world| {
        let word = Uuid::now_v7().simple().to_string()[20..].to_owned();
        let name = format!("Zähne & Straße Ł {word}");
        let mut slugs = Vec::new();
        for _ in 0..3 {
            let clinic = named(world, &name).await;
            let link = create(&clinic.staff(), &REFERRAL_LINK, json!({})).await.unwrap();
            assert_eq!(link.text("public_url"), Some(format!("/refer/{}", link.text("slug").unwrap()).as_str()));
            slugs.push(link.text("slug").unwrap().to_owned());
        }
        let base = format!("zahne-strasse-l-{word}");
        assert_eq!(slugs, [base.clone(), format!("{base}-2"), format!("{base}-3")]);
        let clinic = named(world, "Зъболекар").await;
        let link = create(&clinic.staff(), &REFERRAL_LINK, json!({})).await.unwrap();
        assert!(link.text("slug").unwrap().starts_with("zbolekar"), "{:?}", link.text("slug"));
        let clinic = named(world, "Admin").await;
        let link = create(&clinic.staff(), &REFERRAL_LINK, json!({})).await.unwrap();
        assert!(link.text("slug").unwrap().starts_with("clinic-admin"));
        // A place has a form of its own; one place, one form.
        let place = json!({"name": format!("West {word}"), "country": "DE", "time_zone": "Europe/Berlin"});
        let place = create(&clinic.staff(), &LOCATION, place).await.unwrap();
        let link = create(&clinic.staff(), &REFERRAL_LINK, json!({"location_id": place.id})).await.unwrap();
        assert_eq!(link.text("slug"), Some(format!("west-{word}").as_str()));
        let again = create(&clinic.staff(), &REFERRAL_LINK, json!({"location_id": place.id})).await.unwrap_err();
        assert_eq!(again.code.code, "conflict.duplicate");
    });
}

#[test]
fn an_address_that_was_left_leads_to_its_form_and_to_no_other() {
    world::with(async |world| {
        let (ours, theirs) = (named(world, "Ours").await, named(world, "Theirs").await);
        let (old, new) = (format!("old-{}", Uuid::now_v7().simple()), format!("new-{}", Uuid::now_v7().simple()));
        let link = create(&ours.staff(), &REFERRAL_LINK, json!({"slug": old})).await.unwrap();
        let link = record(run(&ours.staff(), "regenerateReferralLink", Some(link.id), json!({"slug": new})).await.unwrap());
        assert_eq!(link.text("slug"), Some(new.as_str()));
        for taken in [&old, &new] {
            let refused = create(&theirs.staff(), &REFERRAL_LINK, json!({"slug": taken})).await.unwrap_err();
            assert_eq!((refused.code.code, refused.faults[0].field.as_str()), ("conflict.duplicate", "slug"));
            let (status, form) = world.get(None, &format!("/refer/{taken}")).await;
            assert_eq!((status, form["slug"].as_str(), form["clinic_name"].as_str()), (200, Some(new.as_str()), Some("Ours")), "{form}");
        }
        // Its own old address may be taken up again, and a name can be made anew.
        let link = record(run(&ours.staff(), "regenerateReferralLink", Some(link.id), json!({"slug": old})).await.unwrap());
        assert_eq!(link.text("slug"), Some(old.as_str()));
        let link = record(run(&ours.staff(), "regenerateReferralLink", Some(link.id), json!({})).await.unwrap());
        assert!(link.text("slug").unwrap().starts_with("ours"));
        for reserved in ["admin", "api"] {
            let refused = run(&ours.staff(), "regenerateReferralLink", Some(link.id), json!({"slug": reserved})).await.err().unwrap();
            assert_eq!((refused.code.status, refused.faults[0].field.as_str()), (422, "slug"));
        }
        assert_eq!(
            patch(&ours.staff(), &REFERRAL_LINK, link.id, link.version, json!({"slug": "other-name"})).await.unwrap_err().code.status,
            422
        );
        // Switched off, it answers like one that never was.
        patch(&ours.staff(), &REFERRAL_LINK, link.id, link.version, json!({"status": "INACTIVE"})).await.unwrap();
        let (off, never) = (world.get(None, &format!("/refer/{old}")).await, world.get(None, "/refer/never-was").await);
        assert_eq!((off.0, off.1["code"].clone()), (404, never.1["code"].clone()));
    });
}

#[test]
fn of_many_who_take_one_name_at_once_each_gets_its_own() {
    world::with(async |world| {
        let word = format!("crowd-{}", &Uuid::now_v7().simple().to_string()[20..]);
        let mut clinics = Vec::new();
        for _ in 0..6 {
            clinics.push(named(world, &word).await.staff());
        }
        let made = futures_util::future::join_all(clinics.iter().map(|staff| create(staff, &REFERRAL_LINK, json!({})))).await;
        let mut slugs: Vec<String> = made.into_iter().map(|link| link.unwrap().text("slug").unwrap().to_owned()).collect();
        slugs.sort();
        slugs.dedup();
        assert_eq!(slugs.len(), 6, "{slugs:?}");
    });
}
