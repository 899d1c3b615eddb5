//! Work beside the requests: letters are delivered, applications hear of sign-outs, search values follow their records, expired
//! rows are swept, uploads that never ended are closed and their objects removed, exports whose server died are ended, proven
//! domains are looked up again, plans that were presented are kept as documents, audit anchors are copied out of the database,
//! retention runs are carried on, and once a day the month before is billed. Several servers may do it at once; each takes what
//! is there, and a bounded part of it.

use crate::ai::deidentify;
use crate::governance::unfinished::tell_aborted;
use crate::governance::{anchor_copies, retention};
use crate::identity::oauth::backchannel;
use crate::identity::{delivery, domain_checks};
use crate::imaging::sweep::abandoned_uploads;
use crate::kernel::Kernel;
use crate::kernel::bell::Bell;
use crate::kernel::context::{Context, Plane};
use crate::kernel::error::Result;
use crate::reference::load;
use crate::server::fhir::{jobs, stale};
use crate::server::record_copy;
use crate::sql;
use crate::treatment::plan_document;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};
use uuid::Uuid;

const SWEEP_EVERY: Duration = Duration::from_secs(300);
const LOOKS_EVERY: Duration = Duration::from_secs(10);
/// Days that expired tokens stay for the security log to be read beside them.
const KEPT_DAYS: f64 = 7.0;
/// Days that a person's sessions stay after their end, for them to see where they were signed in.
const PEOPLE_KEPT_DAYS: f64 = 90.0;
/// Sessions that go in one transaction, and transactions in one round.
const SESSIONS_MAX: i64 = 5_000;
const SESSION_BATCHES_MAX: usize = 100;
/// How long an announced upload may take to be completed; its links can be renewed as often as needed until then.
const UPLOAD_OPEN_FOR: TimeDelta = TimeDelta::hours(24);
/// Jobs of hours that one server works on at once.
const BULK_JOBS_MAX: usize = 2;
/// Tenants whose uploads one round looks at.
const TENANTS_MAX: i64 = 200;

sql! {
    /// $1 days.
    SWEEP(FLOAT8) = "select sec.sweep(make_interval(days => $1::int))";
    /// $1 days of programs, $2 of people, $3 how many.
    SWEEP_SESSIONS(FLOAT8, FLOAT8, INT8) = "select sec.sweep_sessions(make_interval(days => $1::int), make_interval(days => $2::int), $3)";
    /// $1 oldest moment that stays, $2 how many.
    TENANTS_TO_SWEEP(TIMESTAMPTZ, INT8) = "select sec.tenants_to_sweep($1, $2)";
}

pub struct Worker {
    stop: watch::Sender<bool>,
    tasks: [JoinHandle<()>; 7],
}

impl Worker {
    pub fn start(kernel: Arc<Kernel>) -> Worker {
        let (stop, mut stopped) = watch::channel(false);
        let bell = Bell::of(&kernel);
        let (imports, copied, left, written) = (kernel.clone(), kernel.clone(), kernel.clone(), kernel.clone());
        let ordered = tokio::spawn(on_the_bell(bell.ordered, stopped.clone(), async move || imports_and_research(&imports).await));
        let copies = tokio::spawn(on_the_bell(bell.copies, stopped.clone(), async move || copies(&copied).await));
        let logouts = tokio::spawn(on_the_bell(bell.logouts, stopped.clone(), async move || logouts(&left).await));
        let letters = tokio::spawn(on_the_bell(bell.letters, stopped.clone(), async move || letters(&written).await));
        let bulk = tokio::spawn(bulk(kernel.clone(), stopped.clone()));
        // A search does not wait for this one, so nobody rings.
        let searched = kernel.clone();
        let values = tokio::spawn(on_the_bell(Arc::default(), stopped.clone(), async move || search_values(&searched).await));
        let rounds = tokio::spawn(async move {
            let mut billed = None;
            loop {
                let round = async {
                    tokio::time::sleep(SWEEP_EVERY).await;
                    round(&kernel, Utc::now()).await;
                };
                tokio::select! {
                    // A sender that is gone ends the worker too. What a round had begun is rolled back or begun again.
                    _ = stopped.wait_for(|stop| *stop) => return,
                    () = round => {}
                }
                match retention::carry_on(&kernel).await {
                    Ok(runs) => tracing::debug!(runs, "Carried retention on"),
                    Err(failure) => tracing::warn!(error = %failure, "Could not carry retention on"),
                }
                let now = chrono::Utc::now();
                if billed != Some(now.date_naive()) {
                    match crate::billing::run::month_before(&kernel, now).await {
                        Ok(()) => billed = Some(now.date_naive()),
                        Err(failure) => tracing::warn!(error = %failure, "Could not bill the month before"),
                    }
                }
            }
        });
        Worker { stop, tasks: [ordered, copies, logouts, letters, bulk, values, rounds] }
    }

    pub async fn stop(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            if let Err(failure) = task.await {
                tracing::error!(error = %failure, "The worker failed");
            }
        }
    }
}

/// What was ordered begins at once; what was taken up again or left behind is found soon after, though nobody rang.
async fn on_the_bell(rung: Arc<Notify>, mut stopped: watch::Receiver<bool>, work: impl AsyncFn()) {
    loop {
        let round = async {
            let _ = tokio::time::timeout(LOOKS_EVERY, rung.notified()).await;
            work().await;
        };
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            () = round => {}
        }
    }
}

async fn imports_and_research(kernel: &Kernel) {
    if let Err(failure) = load::carry_on(kernel).await {
        tracing::warn!(error = %failure, "Could not look for imports of codes");
    }
    if let Err(failure) = deidentify::carry_on(kernel).await {
        tracing::warn!(error = %failure, "Could not look for research data that waits");
    }
}

async fn copies(kernel: &Arc<Kernel>) {
    if let Err(failure) = record_copy::job::carry_on(kernel).await {
        tracing::warn!(error = %failure, "Could not look for copies of records that wait");
    }
}

async fn logouts(kernel: &Arc<Kernel>) {
    if let Err(failure) = backchannel::carry_on(kernel).await {
        tracing::warn!(error = %failure, "Could not look for applications that are to hear of a sign-out");
    }
}

async fn letters(kernel: &Kernel) {
    if let Err(failure) = delivery::carry_on(kernel).await {
        tracing::warn!(error = %failure, "Could not look for letters that wait");
    }
}

async fn search_values(kernel: &Kernel) {
    if let Err(failure) = stale::carry_on(kernel).await {
        tracing::warn!(error = %failure, "Could not look for search values that are to be made anew");
    }
}

/// Jobs that may take hours, several at once. What a stopped server had begun, the next takes up where its last file ends.
async fn bulk(kernel: Arc<Kernel>, mut stopped: watch::Receiver<bool>) {
    let bell = Bell::of(&kernel);
    let mut running = JoinSet::new();
    let mut tenants = HashMap::new();
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            _ = tokio::time::timeout(LOOKS_EVERY, bell.bulk.notified()) => {}
            Some(ended) = running.join_next_with_id() => match ended {
                Ok((id, outcome)) => {
                    tenants.remove(&id);
                    if let Err(failure) = outcome {
                        tracing::warn!(error = %failure, "A job could not be ended");
                    }
                }
                Err(failure) => {
                    tenants.remove(&failure.id());
                    tracing::error!(error = %failure, "A job panicked");
                }
            },
        }
        match jobs::due(&kernel).await {
            Ok(due) => {
                for (tenant, id) in chosen(due, tenants.values().copied().collect()) {
                    let job = running.spawn(jobs::run(kernel.clone(), tenant, id));
                    tenants.insert(job.id(), tenant);
                }
            }
            Err(failure) => tracing::warn!(error = %failure, "Could not look for jobs"),
        }
        if let Err(failure) = jobs::sweep(&kernel).await {
            tracing::warn!(error = %failure, "Could not sweep the files of jobs");
        }
    }
}

/// What is begun beside what runs: a tenant leaves one place to the others, for it may hold its own for hours.
fn chosen(due: Vec<(Uuid, Uuid)>, mut busy: Vec<Uuid>) -> Vec<(Uuid, Uuid)> {
    let mut take = |(tenant, _): &(Uuid, Uuid)| {
        let held = busy.iter().filter(|other| *other == tenant).count();
        let free = busy.len() < BULK_JOBS_MAX && held < BULK_JOBS_MAX - 1;
        if free {
            busy.push(*tenant);
        }
        free
    };
    due.into_iter().filter(|job| take(job)).collect()
}

/// Everything that is due, each part whatever became of the others.
pub async fn round(kernel: &Kernel, now: DateTime<Utc>) {
    match sweep(kernel).await {
        Ok(swept) => tracing::debug!(rows = swept, "Swept expired rows"),
        Err(failure) => tracing::warn!(error = %failure, "Could not sweep expired rows"),
    }
    if let Err(failure) = uploads(kernel, now).await {
        tracing::warn!(error = %failure, "Could not sweep abandoned uploads");
    }
    match tell_aborted(kernel).await {
        Ok(0) => {}
        Ok(exports) => tracing::info!(exports, "Told the end of audit exports whose server died"),
        Err(failure) => tracing::warn!(error = %failure, "Could not look for audit exports whose server died"),
    }
    match plan_document::keep_presented(kernel).await {
        Ok(kept) => tracing::debug!(kept, "Kept documents of plans"),
        Err(failure) => tracing::warn!(error = %failure, "Could not look for plans whose document is to be kept"),
    }
    if let Err(failure) = domain_checks::carry_on(kernel).await {
        tracing::warn!(error = %failure, "Could not look for proven domains that are due");
    }
    match anchor_copies::keep(kernel).await {
        Ok(0) => {}
        Ok(anchors) => tracing::info!(anchors, "Copied audit anchors to the object store"),
        Err(failure) => tracing::error!(error = %failure, "Audit anchors were not copied to the object store"),
    }
}

async fn uploads(kernel: &Kernel, now: DateTime<Utc>) -> Result<()> {
    let before = now - UPLOAD_OPEN_FOR;
    let scope = kernel.door.open(&Context::system(Plane::Jobs, None)).await?;
    let answers = scope.once(&[((&TENANTS_TO_SWEEP).into(), vec![&before, &TENANTS_MAX])]).await?;
    for row in answers.iter().flatten() {
        let tenant: Uuid = row.try_get(0)?;
        match abandoned_uploads(kernel, tenant, before).await {
            Ok(swept) => tracing::info!(tenant.id = %tenant, closed = swept.closed, removed = swept.removed, "Swept abandoned uploads"),
            Err(failure) => tracing::warn!(tenant.id = %tenant, error = %failure, "Could not sweep the uploads of a tenant"),
        }
    }
    Ok(())
}

/// Rows removed.
pub async fn sweep(kernel: &Kernel) -> Result<i64> {
    let mut scope = kernel.door.open(&Context::system(Plane::Jobs, None)).await?;
    let row = scope.one(&SWEEP, &[&KEPT_DAYS]).await?;
    scope.commit().await?;
    let mut swept: i64 = row.try_get(0)?;
    for _ in 0..SESSION_BATCHES_MAX {
        let mut scope = kernel.door.open(&Context::system(Plane::Jobs, None)).await?;
        let row = scope.one(&SWEEP_SESSIONS, &[&KEPT_DAYS, &PEOPLE_KEPT_DAYS, &SESSIONS_MAX]).await?;
        scope.commit().await?;
        let batch: i64 = row.try_get(0)?;
        swept += batch;
        if batch < SESSIONS_MAX {
            break;
        }
    }
    Ok(swept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_with_many_jobs_leaves_a_place_to_another() {
        let job = |tenant: u128, id: u128| (Uuid::from_u128(tenant), Uuid::from_u128(id));
        let greedy: Vec<_> = (0..5).map(|id| job(1, id)).collect();
        assert_eq!(chosen(greedy.clone(), vec![]), [job(1, 0)]);
        assert_eq!(chosen(greedy.clone(), vec![Uuid::from_u128(1)]), []);
        let both = [greedy, vec![job(2, 9)]].concat();
        assert_eq!(chosen(both.clone(), vec![Uuid::from_u128(1)]), [job(2, 9)]);
        assert_eq!(chosen(both, vec![Uuid::from_u128(3)]), [job(1, 0)]);
    }
}
