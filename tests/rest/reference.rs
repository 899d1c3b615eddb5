//! The reference pages: every record and operation is there, can be found, and nothing comes from elsewhere.

use super::contract::walk;
use crate::world::{self, World};
use std::collections::BTreeSet;

async fn page(world: &World, path: &str) -> String {
    let answer = world.http.get(format!("{}{path}", world.base_url)).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200, "{path}");
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert!(header("content-type").starts_with("text/html"), "{path}");
    let policy = header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("style-src 'self'") && !policy.contains("unsafe"), "{policy}");
    let html = answer.text().await.unwrap();
    for from_elsewhere in ["<script", "<style", "style=\"", "src=", "href=\"http", "href=\"//", "@import", "url("] {
        assert!(!html.contains(from_elsewhere), "{path} has {from_elsewhere}");
    }
    html
}

fn links(html: &str) -> BTreeSet<String> {
    let links = html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    links.filter(|link| link.starts_with("/api/v1/docs/")).map(str::to_owned).collect()
}

#[test]
fn the_reference_shows_every_operation_and_loads_nothing_from_elsewhere() {
    world::with(async |world| {
        let contents = page(world, "/api/v1/docs").await;
        let chapters = links(&contents);
        assert!(chapters.len() > 190, "{}", chapters.len());
        let mut shown = BTreeSet::new();
        for chapter in &chapters {
            let html = page(world, chapter).await;
            shown.extend(html.split("<h3 id=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned));
        }
        let documented: BTreeSet<String> = walk::routes().map(|route| route.id().to_owned()).collect();
        assert_eq!(shown, documented);
        let appointment = page(world, "/api/v1/docs/appointments").await;
        for told in [
            "<code>start_at</code>",
            "States of <code>status</code>",
            "<td>CONFIRMED</td>",
            "POST /api/v1/appointments/{id}/check-in",
            "edit_schedule",
        ] {
            assert!(appointment.contains(told), "{told}");
        }
        let served: serde_json::Value =
            world.http.get(format!("{}/api/v1/openapi.json", world.base_url)).send().await.unwrap().json().await.unwrap();
        assert!(served == *walk::document());
        let missing = world.http.get(format!("{}/api/v1/docs/shoes", world.base_url)).send().await.unwrap();
        assert_eq!(missing.status().as_u16(), 404);
    });
}

#[test]
fn the_reference_is_searched_by_words_and_repeats_them_harmlessly() {
    world::with(async |world| {
        let found = page(world, "/api/v1/docs?q=fdi_tooth").await;
        assert!(links(&found).contains("/api/v1/docs/chart-entries") && !links(&found).contains("/api/v1/docs/patients"));
        let operation = page(world, "/api/v1/docs?q=check-in+appointment").await;
        assert!(operation.contains("<code>checkInAppointment</code>"), "{operation}");
        let nothing = page(world, "/api/v1/docs?q=%22%3E%3Cscript%3Ezebra").await;
        assert!(links(&nothing).is_empty() && nothing.contains("Nothing has these words."));
    });
}
