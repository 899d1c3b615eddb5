//! The pages are a clinic's: its name, colour and language; and a person's own sessions on them.

use super::browser::Browser;
use crate::world::people::{PASSWORD, Person, text};
use crate::world::{self, World};
use reqwest::header;
use serde_json::json;
use uuid::Uuid;

#[test]
fn a_page_speaks_the_browsers_language_and_bears_the_clinics_name() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let brand =
            "insert into enamel.tenant_branding (tenant_id, id, display_name, primary_color) values ($1, gen_random_uuid(), $2, '#12ab9F')
                     on conflict (tenant_id) do update set display_name = excluded.display_name, primary_color = excluded.primary_color";
        world.truth().await.execute(brand, &[&clinic.id, &"Zahn <b>& Co"]).await.unwrap();
        let page = async |accepted: &str, tenant: &str| {
            let request = world.http.get(format!("{}/signin?tenant={tenant}", world.base_url)).header(header::ACCEPT_LANGUAGE, accepted);
            let answer = request.send().await.unwrap();
            assert_eq!(answer.headers()["content-security-policy"].to_str().unwrap().matches("unsafe").count(), 0);
            answer.text().await.unwrap()
        };
        let own = clinic.id.to_string();
        for (accepted, lang, word) in [("de-CH, en;q=0.5", "de", "Anmelden"), ("en", "en", "Sign in"), ("fr", "en", "Sign in")] {
            let html = page(accepted, &own).await;
            assert!(html.contains(&format!("lang=\"{lang}\"")) && html.contains(&format!("<h1>{word}</h1>")), "{accepted}: {html}");
            assert!(html.contains("Zahn &#60;b&#62;&#38; Co") && html.contains("/assets/brand/12ab9F.css"), "{html}");
        }
        let german = "insert into enamel.tenant_settings (tenant_id, id, default_language) values ($1, gen_random_uuid(), 'de')
                      on conflict (tenant_id) do update set default_language = 'de'";
        world.truth().await.execute(german, &[&clinic.id]).await.unwrap();
        assert!(page("", &own).await.contains("<h1>Anmelden</h1>"), "the clinic's language when the browser names none of ours");
        // A foreign id and a random one show the same page: ours.
        let nobody = page("en", &Uuid::now_v7().to_string()).await;
        assert!(nobody.contains("Enamel") && !nobody.contains("/assets/brand/"), "{nobody}");
        for (colour, status) in [("12ab9F.css", 200), ("12ab9.css", 404), ("12ab9f", 404), ("url(x).css", 404)] {
            let answer = world.http.get(format!("{}/assets/brand/{colour}", world.base_url)).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), status, "{colour}");
        }
        let mut browser = Browser::new();
        let first = browser.get(&format!("{}/signin?tenant={own}", world.base_url)).await;
        assert!(browser.submit(&first, &[("email", "nobody@people.example"), ("password", PASSWORD)]).await.body.contains("stimmen nicht"));
    });
}

async fn inside(world: &World, person: &Person) -> Browser {
    let mut browser = Browser::new();
    let page = browser.get(&format!("{}/signin", world.base_url)).await;
    assert_eq!(browser.submit(&page, &[("email", &person.email), ("password", PASSWORD)]).await.status, 303);
    browser
}

#[test]
fn somebody_sees_and_ends_their_own_sessions() {
    world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let (person, other) = (clinic.employee("CLINICIAN").await, clinic.employee("CLINICIAN").await);
        let security = format!("{}/signin/security", world.base_url);
        let away = Browser::new().get(&security).await;
        assert_eq!((away.status, away.location.as_deref()), (303, Some("/signin?return_to=%2Fsignin%2Fsecurity")));
        let (mut here, mut there) = (inside(world, &person).await, inside(world, &person).await);
        let foreign = text(&world.sign_in(&other, None).await, "session_id");
        let page = here.get(&security).await;
        assert_eq!((page.body.matches("/signin/security/session").count(), page.body.matches("this one").count()), (1, 1), "{}", page.body);
        let end = page.with_form("/signin/security/session");
        for id in [foreign, Uuid::now_v7().to_string()] {
            assert_eq!(here.submit(&end, &[("id", &id)]).await.status, 404);
        }
        assert_eq!(here.submit(&end, &[("csrf", "0")]).await.status, 403);
        assert_eq!(there.submit(&end, &[]).await.status, 403, "another session's form");
        assert_eq!(here.submit(&end, &[]).await.status, 303);
        assert_eq!(there.get(&security).await.status, 303, "signed out at once");
        assert_eq!(here.get(&security).await.status, 200);
        let unknown = page.with_form("/signin/security/session");
        let unknown = super::browser::Page { body: unknown.body.replace("security/session", "security/nothing"), ..unknown };
        assert_eq!(here.submit(&unknown, &[]).await.status, 404);

        // What changes factors asks for a recent sign-in; a wrong code keeps the key.
        let begun = here.submit(&page.with_form("/signin/security/authenticator"), &[]).await;
        assert!(
            begun.body.contains("<svg") && begun.policy.as_deref().is_some_and(|policy| !policy.contains("script-src")),
            "{}",
            begun.body
        );
        assert_eq!(here.submit(&begun, &[("code", "000000")]).await.status, 422);
        let long_ago = "update enamel.sessions set proved_at = now() - interval '11 minutes' where user_id = $1";
        world.truth().await.execute(long_ago, &[&person.id]).await.unwrap();
        let again = here.submit(&begun, &[("code", "000000")]).await;
        assert_eq!((again.status, again.location.as_deref()), (303, Some("/signin?return_to=%2Fsignin%2Fsecurity")));
        let (status, told) = world.post(None, "/sessions/sign-in", json!({"email": person.email, "password": PASSWORD})).await;
        assert_eq!(status, 200, "nothing was enrolled: {told}");
    });
}
