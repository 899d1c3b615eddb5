//! An application of a vendor that names no clinic, and somebody who is at home in several: they are asked where to.

use super::browser::{Browser, Page};
use super::oauth::{authorize, part, redeem, through};
use super::vendors::{App, Vendor};
use crate::world::people::{PASSWORD, Person};
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use serde_json::json;

/// The page behind the password, when `browser` goes there for the application.
async fn behind_password(world: &World, browser: &mut Browser, person: &Person, app: &App) -> Page {
    let page = browser.get(&authorize(world, &app.client, &[])).await;
    let page = browser.follow(page, "http://127.0.0.1:8976/").await;
    browser.submit(&page, &[("email", &person.email), ("password", PASSWORD)]).await
}

struct Places {
    app: App,
    here: Clinic,
    there: Clinic,
    /// What the application is there.
    record: String,
    /// A clinic of theirs that has not admitted it.
    without: Clinic,
    person: Person,
}

async fn places(world: &'static World) -> Places {
    let app = Vendor::approved(world).await.registers(json!({})).await;
    let (here, there) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
    let (without, person) = (world.tenant("SOLO_PRACTICE", None).await, here.employee("CLINICIAN").await);
    app.admitted(&here, &["user/Patient.rs"]).await;
    let record = app.admitted(&there, &["user/Patient.rs"]).await;
    for clinic in [&there, &without] {
        clinic.give_membership(&person, "CLINICIAN").await;
    }
    Places { app, here, there, record, without, person }
}

#[test]
fn whoever_is_at_home_in_several_clinics_is_asked() {
    world::with(async |world| {
        let Places { app, here, there, without, person, .. } = places(world).await;
        // Wherever they were last.
        world.sign_in(&person, Some(here.id)).await;
        for chosen in [&there, &here] {
            let mut browser = Browser::new();
            let page = behind_password(world, &mut browser, &person, &app).await;
            assert_eq!(page.status, 200, "{}", page.body);
            let offers = |clinic: &Clinic| page.body.contains(&format!("name=\"tenant\" value=\"{}\"", clinic.id));
            assert_eq!((offers(&here), offers(&there), offers(&without)), (true, true, false), "{}", page.body);
            let landed = browser.submit(&page.with_form("/signin/place"), &[("tenant", &chosen.id.to_string())]).await;
            let consent = browser.follow(landed, "http://127.0.0.1:8976/").await;
            let landed = browser.submit(&consent, &[("decision", "allow")]).await;
            let (status, made) = redeem(world, &app.client, &part(&landed, "code"), &[]).await;
            assert_eq!((status, &made["tenant"]), (200, &json!(chosen.id)), "{made}");
        }
        // Nobody is asked where the application says it.
        let named = authorize(world, &app.client, &[("audience", &there.id.to_string())]);
        let landed = through(&mut Browser::new(), &person, &named, &[("decision", "allow")]).await;
        assert_eq!(redeem(world, &app.client, &part(&landed, "code"), &[]).await.1["tenant"], json!(there.id));
    });
}

#[test]
fn whoever_can_enter_it_in_one_clinic_is_not_asked() {
    world::with(async |world| {
        let Places { app, here, there, record, without, person } = places(world).await;
        world.sign_in(&person, Some(without.id)).await;
        let admin = there.token("TENANT_ADMIN").await;
        assert_eq!(world.post(Some(&admin), &format!("/api-clients/{record}/disable"), json!({})).await.0, 200);
        let landed = through(&mut Browser::new(), &person, &authorize(world, &app.client, &[]), &[("decision", "allow")]).await;
        let (status, made) = redeem(world, &app.client, &part(&landed, "code"), &[]).await;
        assert_eq!((status, &made["tenant"]), (200, &json!(here.id)), "there, though they were elsewhere last: {made}");
    });
}

#[test]
fn the_choice_is_among_ones_own_and_for_this_browser() {
    world::with(async |world| {
        let Places { app, here, without, person, .. } = places(world).await;
        let stranger = world.tenant("SOLO_PRACTICE", None).await;
        app.admitted(&stranger, &["user/Patient.rs"]).await;
        let mut browser = Browser::new();
        let page = behind_password(world, &mut browser, &person, &app).await;
        let form = page.with_form("/signin/place");
        for (clinic, why) in [(Some(&stranger), "a clinic that is not theirs"), (None, "none")] {
            let tenant = clinic.map_or(String::new(), |clinic| clinic.id.to_string());
            let refused = browser.submit(&form, &[("tenant", &tenant)]).await;
            assert_eq!((refused.status, refused.location), (401, None), "{why}");
        }
        // The proof is for this question and this browser.
        let sealed = form.hidden_fields().into_iter().find(|(name, _)| name == "proof").unwrap().1;
        let tenant = here.id.to_string();
        let code =
            Page { body: form.body.replace("/signin/place", "/signin/code"), url: form.url.clone(), location: None, policy: None, ..form };
        assert_eq!(browser.submit(&code, &[("code", "123456"), ("tenant", &tenant)]).await.status, 403);
        let mut second = Browser::new();
        let own = behind_password(world, &mut second, &person, &app).await.with_form("/signin/place");
        assert_eq!(second.submit(&own, &[("proof", &sealed), ("tenant", &tenant)]).await.status, 403);
        assert_eq!(second.submit(&own, &[("tenant", &tenant)]).await.status, 303);
        // A clinic of theirs that has not admitted it lets them in, and not the application.
        let entered = browser.submit(&form, &[("tenant", &without.id.to_string())]).await;
        let refused = browser.follow(entered, "http://127.0.0.1:8976/").await;
        assert_eq!(refused.status, 400, "{}", refused.body);
    });
}
