//! `make bench`: the server's speed and memory against stated limits, as ratios measured in one run on this machine.
//!
//! ```text
//! BENCH_PATIENTS   patients (default 300 000, over 1 000 tenants with what belongs to them; once more alone over 10)
//! BENCH_SECONDS    length of one measurement (default 5)
//! BENCH_ROUNDS     how often the sides of a ratio take turns (default 3); the median counts
//! BENCH_QUICK      20 000 patients, 2 seconds, 1 round, where nothing else is said
//! BENCH_ONLY       some of up, reads, lists, pages, tenants, changes, batches, fhir, cost, identity, bulk, with commas between (default: all)
//! BENCH_PEER       host:port of another FHIR server on this machine, with its path empty, without authentication and without
//!                  data of ours: it is given the same records and asked the same
//! ```
//! With its defaults it takes less than a quarter of an hour on two cores; with the million patients of the limits, half
//! an hour. A limit that is missed is said, not hidden: the run ends with the list of all and with success, for a busy machine
//! is no broken build.
mod baseline;
mod bulk;
mod cost;
mod fhir;
mod house;
mod identity;
mod load;
mod pages;
mod peer;
mod people;
mod proxy;
mod stand;
mod up;
mod wire;
mod writes;

use house::{House, Serving};
use load::{Load, Sample};
use people::People;
use proxy::Watch;
use stand::Stand;
use std::time::Duration;

/// Keep-alive connections of the load.
const CONNECTIONS: usize = 16;

#[derive(Clone, Copy)]
struct Size {
    patients: u64,
    seconds: f64,
    rounds: usize,
}

/// Whether somebody asked for this part.
fn wanted(part: &str) -> bool {
    std::env::var("BENCH_ONLY").map_or(true, |only| only.split(',').any(|name| name == part))
}

fn from_env<T: std::str::FromStr>(name: &str, or: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(or)
}

fn main() {
    let quick = std::env::var_os("BENCH_QUICK").is_some();
    let (patients, seconds, rounds) = if quick { (20_000, 2.0, 1) } else { (300_000, 5.0, 3) };
    let size = Size {
        patients: from_env("BENCH_PATIENTS", patients),
        seconds: from_env("BENCH_SECONDS", seconds),
        rounds: from_env("BENCH_ROUNDS", rounds),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run(size)).end();
}

async fn run(size: Size) -> Stand {
    let mut stand = Stand::start();
    let house = House::start().await;
    stand.note(format!("loading {} patients of 1000 tenants with what belongs to them, and as many of 10 alone …", size.patients));
    let many = People::make(&house, "thousand", 1_000, size.patients, false).await;
    let (rows, seconds) = (many.rows, many.loading.as_secs_f64());
    stand.note(format!("{rows} rows in {seconds:.0} s, {:.0} rows/s", rows as f64 / seconds));
    let of_a_million = seconds / 60.0 * 1e6 / size.patients as f64;
    stand.judge("load of a million patients with ten rows each", of_a_million, "min", stand::Limit::AtMost(15.0));
    let watch = Watch::start(&house).await;
    let watched = watch.see(&Load::reads(&watch.server, &many.clinics[..1])).await;
    stand.judge("round trips to the database for one read", watched.round_trips, "round trips", stand::Limit::AtMost(1.0));
    stand.note(format!("besides, the audit log took {:.2} round trips a read on its own connection", watched.log_round_trips));
    baseline::ready(&many, &watched).await;

    let server = Serving::start(&house, "thousand").await;
    stand.judge("start of the server on existing data", server.started.as_secs_f64(), "s", stand::Limit::Below(3.0));
    tokio::time::sleep(Duration::from_secs(2)).await;
    stand.judge("idle RSS of the server", server.rss_mib(), "MiB", stand::Limit::Below(80.0));

    if wanted("reads") {
        reads(&mut stand, &house, &many, &server, &watched, size).await;
    }
    if wanted("lists") {
        lists(&mut stand, &many, &server, size).await;
    }
    if wanted("pages") {
        pages::measure(&mut stand, &house, &many, &server, &watch, size).await;
    }
    stand.judge("RSS of the server under load", server.peak_rss_mib(), "MiB", stand::Limit::Below(250.0));
    if wanted("tenants") {
        tenants(&mut stand, &house, &many, &server, size).await;
    }
    if wanted("changes") {
        writes::changes(&mut stand, &house, &many, &server, &watch, size).await;
    }
    if wanted("batches") {
        writes::batches(&mut stand, &many, &server, size).await;
    }
    if wanted("fhir") {
        fhir::measure(&mut stand, &house, &many, &server, &watch, size).await;
    }
    if wanted("identity") {
        identity::measure(&mut stand, &house, &many, &server, &watch, size).await;
    }
    watch.stop().await;
    server.stop().await;
    if wanted("cost") {
        let cost = cost::measure(&house, &many, size).await;
        stand.judge("row-level security and sealing, per request", cost.extra_us, "µs", stand::Limit::AtMost(60.0));
        stand.note(format!(
            "one connection, one request at a time: {:.0} µs under policies, {:.0} µs without",
            cost.sealed_us, cost.open_us
        ));
    }
    if wanted("bulk") {
        bulk::measure(&mut stand, &house, size.patients).await;
    }
    if wanted("up") {
        let (first, second) = up::starts(&house).await;
        stand.judge("start of `enamel up` on existing data", second.as_secs_f64(), "s", stand::Limit::Below(3.0));
        stand.note(format!("{:.0} s the first time, when it makes its world", first.as_secs_f64()));
    }
    house.stop().await;
    stand
}

/// The read of one patient, against pgbench sending the same statements.
async fn reads(stand: &mut Stand, house: &House, many: &People, server: &Serving, watched: &proxy::Watched, size: Size) {
    let reads = Load::reads(server, &many.clinics);
    load::run(&reads, CONNECTIONS, 2.0).await;
    let (mut pipelined, mut one_by_one, mut samples, mut baseline) =
        (Vec::new(), Vec::new(), Vec::<Sample>::new(), [Vec::new(), Vec::new()]);
    for _ in 0..size.rounds {
        many.settle().await;
        let before = many.audit_batches().await;
        let sample = load::run(&reads, CONNECTIONS, size.seconds).await;
        let batch = many.events_a_batch(before).await;
        let in_one = baseline::run(house, many, watched, baseline::How::Pipelined, batch, size.seconds).await;
        let apart = baseline::run(house, many, watched, baseline::How::OneByOne, batch, size.seconds).await;
        let ahead = baseline::run(house, many, watched, baseline::How::Ahead, batch, size.seconds / 2.0).await;
        stand.note(format!(
            "{:.0} reads/s, median {:.2} ms, p99 {:.2} ms, {batch} audit events a commit; pgbench {in_one:.0}/s pipelined, {apart:.0}/s one by one, {ahead:.0}/s reading ahead",
            sample.rate, sample.median_ms, sample.p99_ms
        ));
        pipelined.push(sample.rate / in_one);
        one_by_one.push(sample.rate / apart);
        baseline[0].push(in_one);
        baseline[1].push(apart);
        samples.push(sample);
    }
    let rate = stand::median(samples.iter().map(|sample| sample.rate));
    stand.note(format!(
        "medians: {rate:.0} reads/s; pgbench {:.0}/s and {:.0}/s",
        stand::median(baseline[0].iter().copied()),
        stand::median(baseline[1].iter().copied())
    ));
    stand.judge("reads of a patient, of pgbench pipelined", stand::median(pipelined), "×", stand::Limit::AtLeast(0.3));
    stand.judge("reads of a patient, of pgbench one by one", stand::median(one_by_one), "×", stand::Limit::AtLeast(0.55));
    let spread = stand::median(samples.iter().map(|sample| sample.p99_ms / sample.median_ms));
    stand.judge("reads of a patient by FHIR", rate, "/s", stand::Limit::AtLeast(6_240.0));
    stand.judge("p99 of a read, in medians", spread, "×", stand::Limit::Below(5.0));
}

const LIST: &str = "/api/v1/patients?limit=20";

/// A DSO's page over 200 clinics, against one clinic's.
async fn lists(stand: &mut Stand, many: &People, server: &Serving, size: Size) {
    let (group, clinic) = (Load::page(server, many.tenant(many.dso), LIST), Load::page(server, many.tenant(many.of_the_dso()), LIST));
    let mut ratios = Vec::new();
    let mut last = (0.0, 0.0);
    for _ in 0..size.rounds {
        let one = load::run(&clinic, 1, size.seconds / 4.0).await;
        let all = load::run(&group, 1, size.seconds / 4.0).await;
        ratios.push(all.mean_ms / one.mean_ms);
        last = (all.mean_ms, one.mean_ms);
    }
    stand.judge("list of 20 for a DSO of 200 clinics, of one clinic's", stand::median(ratios), "×", stand::Limit::AtMost(4.0));
    stand.note(format!("{:.2} ms against {:.2} ms, one connection", last.0, last.1));
}

/// The same rows over 1 000 tenants and over 10.
async fn tenants(stand: &mut Stand, house: &House, many: &People, server: &Serving, size: Size) {
    let few = People::make(house, "ten", 10, size.patients, true).await;
    let small = Serving::start(house, "ten").await;
    let (at_many, at_few) = (Load::reads(server, &many.clinics), Load::reads(&small, &few.clinics));
    load::run(&at_few, CONNECTIONS, 2.0).await;
    let mut ratios = Vec::new();
    for _ in 0..size.rounds.max(5) {
        let few = load::run(&at_few, CONNECTIONS, size.seconds / 2.0).await;
        let many = load::run(&at_many, CONNECTIONS, size.seconds / 2.0).await;
        ratios.push(few.rate / many.rate);
    }
    stand.judge("cost of a read at 1000 tenants, of that at 10", stand::median(ratios), "×", stand::Limit::AtMost(1.1));
    small.stop().await;
}
