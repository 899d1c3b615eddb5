//! Changes: one patient created or patched, against pgbench sending the same statements under the same policies and triggers;
//! and the rows a second that batches bring in.

use crate::house::{House, Serving};
use crate::load::{self, Load};
use crate::people::People;
use crate::proxy::Watch;
use crate::stand::{Limit, Stand, median};
use crate::{CONNECTIONS, Size, baseline};

/// Vendors who move in at the same time.
const BATCHES: usize = 4;

pub async fn changes(stand: &mut Stand, house: &House, people: &People, server: &Serving, watch: &Watch, size: Size) {
    type Make = fn(&Serving, &[crate::people::Clinic]) -> Load;
    // A patch names the version it knows: pgbench changes other patients.
    let clinics: Vec<_> =
        people.clinics.iter().enumerate().filter(|(place, _)| place % baseline::APART != 0).map(|(_, own)| own.clone()).collect();
    let changes: [(&str, Make); 2] = [("creates", Load::creates), ("patches", Load::patches)];
    for (what, make) in changes {
        let watched = watch.see(&make(&watch.server, &people.clinics[..1])).await;
        let (load, script) = (make(server, &clinics), baseline::change(&watched));
        load::run(&load, CONNECTIONS, 2.0).await;
        let (mut ratios, mut last) = (Vec::new(), (0.0, 0.0));
        for _ in 0..size.rounds {
            people.settle().await;
            let ours = load::run(&load, CONNECTIONS, size.seconds).await.rate;
            let theirs = baseline::tps(house, people, &script, CONNECTIONS, size.seconds).await;
            ratios.push(ours / theirs);
            last = (ours, theirs);
        }
        stand.judge(&format!("{what} of a patient, of pgbench"), median(ratios), "×", Limit::AtLeast(0.4));
        stand.note(format!("{:.0}/s against {:.0}/s, {} round trips", last.0, last.1, watched.round_trips));
    }
}

pub async fn batches(stand: &mut Stand, people: &People, server: &Serving, size: Size) {
    let batches = Load::batches(server, &people.clinics);
    load::run(&batches, BATCHES, 2.0).await;
    let mut rates = Vec::new();
    for _ in 0..size.rounds {
        people.settle().await;
        rates.push(load::run(&batches, BATCHES, size.seconds).await.rate * load::ROWS as f64);
    }
    stand.judge("rows by batches of 500", median(rates), "rows/s", Limit::AtLeast(3_000.0));
}
