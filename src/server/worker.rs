//! Work beside the requests: expired rows are swept, retention runs are carried on, and once a day the month before is billed.
//! Several servers may do it at once; each takes what is there.

use crate::governance::retention;
use crate::kernel::Kernel;
use crate::kernel::context::{Context, Plane};
use crate::kernel::error::Result;
use crate::sql;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

const SWEEP_EVERY: Duration = Duration::from_secs(300);
/// Days that expired tokens stay for the security log to be read beside them.
const KEPT_DAYS: f64 = 7.0;

sql! {
    /// $1 days.
    SWEEP(FLOAT8) = "select sec.sweep(make_interval(days => $1::int))";
}

pub struct Worker {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Worker {
    pub fn start(kernel: Arc<Kernel>) -> Worker {
        let (stop, mut stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            let mut billed = None;
            loop {
                tokio::select! {
                    // A sender that is gone ends the worker too.
                    _ = stopped.wait_for(|stop| *stop) => return,
                    () = tokio::time::sleep(SWEEP_EVERY) => {}
                }
                match sweep(&kernel).await {
                    Ok(swept) => tracing::debug!(rows = swept, "Swept expired rows"),
                    Err(failure) => tracing::warn!(error = %failure, "Could not sweep expired rows"),
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
        Worker { stop, task }
    }

    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(failure) = self.task.await {
            tracing::error!(error = %failure, "The worker failed");
        }
    }
}

/// Rows removed.
pub async fn sweep(kernel: &Kernel) -> Result<i64> {
    let mut scope = kernel.door.open(&Context::system(Plane::Jobs, None)).await?;
    let row = scope.one(&SWEEP, &[&KEPT_DAYS]).await?;
    scope.commit().await?;
    Ok(row.try_get(0)?)
}
