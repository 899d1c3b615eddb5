//! A page of 50 with a filter and a sort, of the biggest tables, against the same SQL by pgbench: one connection each, and
//! both wait until the audit event is durable.

use crate::Size;
use crate::baseline;
use crate::house::{House, Serving};
use crate::load::{self, Load};
use crate::people::{People, provider_id};
use crate::proxy::Watch;
use crate::stand::{Limit, Stand, median};

/// PROVIDER is one of the clinic's.
const PAGES: &[(&str, &str)] = &[
    ("patients", "primary_provider_id=PROVIDER&sort=last_name"),
    ("appointments", "provider_id=PROVIDER&sort=-start_at"),
    ("encounters", "provider_id=PROVIDER&sort=-scheduled_start_at"),
    ("patient-conditions", "category=MEDICAL&sort=-onset_date"),
    ("procedures", "provider_id=PROVIDER&sort=-start_at"),
    ("chart-entries", "recorded_by_provider_id=PROVIDER&sort=-observed_at"),
    ("claims", "billing_provider_id=PROVIDER&sort=-created_at"),
    ("messages", "sender_type=USER&sort=-sent_at"),
];

pub async fn measure(stand: &mut Stand, house: &House, people: &People, server: &Serving, watch: &Watch, size: Size) {
    let clinic = &people.clinics[0];
    for (table, asked) in PAGES {
        let path = format!("/api/v1/{table}?limit=50&{}", asked.replace("PROVIDER", &provider_id(clinic.tenant)));
        let watched = watch.see(&Load::page(&watch.server, clinic, &path)).await;
        let (page, script) = (Load::page(server, clinic, &path), baseline::list(&watched));
        load::run(&page, 1, 0.5).await;
        let (mut ratios, mut last) = (Vec::new(), (0.0, 0.0));
        for _ in 0..size.rounds {
            let ours = load::run(&page, 1, size.seconds / 4.0).await.mean_ms;
            let theirs = 1_000.0 / baseline::tps(house, people, &script, 1, size.seconds / 4.0).await;
            ratios.push(ours / theirs);
            last = (ours, theirs);
        }
        stand.judge(&format!("page of 50 of {table}, {asked}, of pgbench"), median(ratios), "×", Limit::AtMost(2.0));
        stand.note(format!("{:.2} ms against {:.2} ms, {} round trips", last.0, last.1, watched.round_trips));
    }
}
