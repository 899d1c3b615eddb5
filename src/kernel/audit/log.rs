//! Group commit: many requests' events in one insert, each request waiting until its own is durable.
//!
//! A lone event goes at once, so its latency is one commit; what arrives during a commit goes together with the next.
//! Callers that were answered together come back together: after a batch of several the next one waits for as many, but
//! at most for a part of what a commit takes. Without that, callers fall into two halves that take turns, each waiting
//! for the other's commit.

use super::event::{AuditEvent, PreparedEvent};
use crate::kernel::{Error, Result, error};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{timeout, timeout_at};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Events in one insert.
    pub batch_events_max: usize,
    /// Events that may wait for their turn.
    pub queue_events_max: usize,
    /// How long a request waits for its event to be durable, and a batch for its commit.
    pub deadline: Duration,
}

impl Limits {
    pub fn within(deadline: Duration) -> Self {
        Self { batch_events_max: 256, queue_events_max: 4096, deadline }
    }
}

/// A group is waited for by at most this part of the last commit's time, and never longer than that.
const PAUSE_PART: u32 = 2;
const PAUSE_MAX: Duration = Duration::from_millis(2);

struct Waiting {
    event: Arc<PreparedEvent>,
    durable: oneshot::Sender<Result<()>>,
}

/// The door of every audited request. Cheap to clone.
#[derive(Clone)]
pub struct AuditLog {
    queue: mpsc::Sender<Waiting>,
    deadline: Duration,
}

/// The task behind the door.
pub struct AuditWriter {
    task: JoinHandle<()>,
    stop: Arc<Notify>,
}

impl AuditLog {
    /// Starts the task that hands batches to `sink`, which answers once they are durable. After a failure that is not
    /// [`error::UNAVAILABLE`] or [`error::DEADLINE`] the batch is tried again in halves, so that one event which the
    /// database refuses does not fail its neighbours; a sink must store a batch whole or not at all.
    pub fn start<S, F>(limits: Limits, sink: S) -> (Self, AuditWriter)
    where
        S: Fn(Vec<Arc<PreparedEvent>>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let (queue, waiting) = mpsc::channel(limits.queue_events_max);
        let stop = Arc::new(Notify::new());
        let task = tokio::spawn(write_batches(waiting, stop.clone(), limits, sink));
        (Self { queue, deadline: limits.deadline }, AuditWriter { task, stop })
    }

    /// Returns when the event is durable. A request that gets an error must not answer with what it read; the event
    /// may nevertheless be stored, since saying too much is the safe side.
    pub async fn record(&self, event: AuditEvent) -> Result<()> {
        self.record_prepared(PreparedEvent::salted(event)?).await
    }

    pub async fn record_prepared(&self, event: PreparedEvent) -> Result<()> {
        let (durable, answer) = oneshot::channel();
        let waiting = Waiting { event: Arc::new(event), durable };
        let recorded = async {
            self.queue.send(waiting).await.map_err(|_| Error::unavailable("the audit log is closed"))?;
            answer.await.unwrap_or_else(|_| Err(Error::unavailable("the audit writer ended")))
        };
        let late = |_| Err(Error::unavailable("the audit event was not durable in time"));
        timeout(self.deadline, recorded).await.unwrap_or_else(late)
    }
}

impl AuditWriter {
    /// Takes no further events, writes those that wait, and returns when the last is answered.
    pub async fn shutdown(self) {
        self.stop.notify_one();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the audit writer did not end by itself");
        }
    }
}

async fn write_batches<S, F>(mut waiting: mpsc::Receiver<Waiting>, stop: Arc<Notify>, limits: Limits, sink: S)
where
    S: Fn(Vec<Arc<PreparedEvent>>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<()>> + Send + 'static,
{
    let mut batch = Vec::with_capacity(limits.batch_events_max);
    let (mut expected, mut pause) = (1, Duration::ZERO);
    loop {
        let taken = tokio::select! {
            biased;
            // A closed receiver still gives what was queued.
            () = stop.notified(), if !waiting.is_closed() => {
                waiting.close();
                continue;
            }
            taken = waiting.recv_many(&mut batch, limits.batch_events_max) => taken,
        };
        if taken == 0 {
            return;
        }
        gather(&mut waiting, &mut batch, expected, pause).await;
        let (began, answered) = (Instant::now(), batch.len());
        write_batch(std::mem::take(&mut batch), limits.deadline, &sink).await;
        // Who was answered just now may come back, beside those who came meanwhile.
        expected = (answered + waiting.len()).min(limits.batch_events_max);
        pause = (began.elapsed() / PAUSE_PART).min(PAUSE_MAX);
    }
}

/// Waits for the others of a group, unless the batch has them already.
async fn gather(waiting: &mut mpsc::Receiver<Waiting>, batch: &mut Vec<Waiting>, expected: usize, pause: Duration) {
    let until = tokio::time::Instant::now() + pause;
    while batch.len() < expected {
        match timeout_at(until, waiting.recv_many(batch, expected - batch.len())).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return,
        }
    }
}

async fn write_batch<S, F>(batch: Vec<Waiting>, deadline: Duration, sink: &S)
where
    S: Fn(Vec<Arc<PreparedEvent>>) -> F,
    F: Future<Output = Result<()>> + Send + 'static,
{
    let mut parts = vec![batch];
    while let Some(mut part) = parts.pop() {
        let events = part.iter().map(|waiting| waiting.event.clone()).collect();
        match within(deadline, sink(events)).await {
            Ok(()) => part.into_iter().for_each(|waiting| answer(waiting, Ok(()))),
            Err(failure) if part.len() > 1 && !is_outage(&failure) => {
                parts.push(part.split_off(part.len() / 2));
                parts.push(part);
            }
            Err(failure) => {
                let cause = failure.to_string();
                part.into_iter().for_each(|waiting| answer(waiting, Err(Error::unavailable(cause.as_str()))));
            }
        }
    }
}

/// In a task of its own, so that a panic of the sink is a failure of the batch and not the end of the log.
async fn within<F>(deadline: Duration, write: F) -> Result<()>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let mut write = tokio::spawn(write);
    match timeout(deadline, &mut write).await {
        Ok(written) => written.unwrap_or_else(|_| Err(Error::unavailable("the audit sink panicked"))),
        Err(_) => {
            write.abort();
            Err(Error::new(&error::DEADLINE).because("the audit batch was not durable in time"))
        }
    }
}

fn is_outage(failure: &Error) -> bool {
    failure.code == &error::UNAVAILABLE || failure.code == &error::DEADLINE
}

fn answer(waiting: Waiting, result: Result<()>) {
    // The request may have gone away meanwhile; its event is stored all the same.
    let _ = waiting.durable.send(result);
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    type Batches = Arc<Mutex<Vec<Vec<uuid::Uuid>>>>;

    fn limits() -> Limits {
        Limits { batch_events_max: 8, queue_events_max: 16, deadline: Duration::from_millis(200) }
    }

    fn ids(events: &[Arc<PreparedEvent>]) -> Vec<uuid::Uuid> {
        events.iter().map(|event| event.event.id).collect()
    }

    /// A sink that takes `pause` for each batch and keeps what it was given.
    fn slow_log(limits: Limits, pause: Duration) -> (AuditLog, AuditWriter, Batches) {
        let batches = Batches::default();
        let kept = batches.clone();
        let (log, writer) = AuditLog::start(limits, move |events| {
            let kept = kept.clone();
            async move {
                tokio::time::sleep(pause).await;
                kept.lock().unwrap().push(ids(&events));
                Ok(())
            }
        });
        (log, writer, batches)
    }

    async fn record_all(log: &AuditLog, numbers: std::ops::Range<u32>) -> Vec<Result<()>> {
        let records = numbers.map(|n| log.record(sample::event(n)));
        futures_util::future::join_all(records).await
    }

    #[tokio::test]
    async fn the_first_goes_at_once_and_the_rest_together() {
        let (log, writer, batches) = slow_log(limits(), Duration::from_millis(20));
        let first = tokio::spawn({
            let log = log.clone();
            async move { log.record(sample::event(0)).await }
        });
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(record_all(&log, 1..12).await.iter().all(Result::is_ok));
        first.await.unwrap().unwrap();
        let sizes: Vec<_> = batches.lock().unwrap().iter().map(Vec::len).collect();
        assert_eq!(sizes, [1, 8, 3]);
        writer.shutdown().await;
    }

    #[tokio::test]
    async fn a_record_returns_only_when_its_batch_is_durable() {
        let (log, _writer, batches) = slow_log(limits(), Duration::from_millis(10));
        let event = sample::event(1);
        let id = event.id;
        log.record(event).await.unwrap();
        assert_eq!(*batches.lock().unwrap(), [[id]]);
    }

    #[tokio::test]
    async fn an_outage_fails_everyone_with_unavailable_and_passes() {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let (log, _writer) = AuditLog::start(limits(), move |_| {
            let call = counted.fetch_add(1, Ordering::SeqCst);
            async move { if call == 0 { Err(Error::unavailable("no connection")) } else { Ok(()) } }
        });
        let failed = record_all(&log, 0..4).await;
        assert!(failed.into_iter().all(|result| result.unwrap_err().code == &error::UNAVAILABLE));
        assert_eq!(calls.load(Ordering::SeqCst), 1, "an outage is not tried again in halves");
        log.record(sample::event(5)).await.unwrap();
    }

    #[tokio::test]
    async fn one_refused_event_fails_alone() {
        let stored = Batches::default();
        let kept = stored.clone();
        let poison = sample::event(3).id;
        let (log, _writer) = AuditLog::start(limits(), move |events| {
            let ids = ids(&events);
            let refused = ids.contains(&poison);
            if !refused {
                kept.lock().unwrap().push(ids);
            }
            async move { if refused { Err(Error::internal("a constraint")) } else { Ok(()) } }
        });
        let results = record_all(&log, 0..8).await;
        let failed: Vec<_> = (0..8).filter(|n| results[*n].is_err()).collect();
        assert_eq!(failed, [3]);
        let stored: Vec<_> = stored.lock().unwrap().concat();
        assert_eq!(stored, (0..8).filter(|n| *n != 3).map(|n| sample::event(n).id).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_full_queue_and_a_hanging_sink_end_at_the_deadline() {
        let (log, _writer, _) = slow_log(limits(), Duration::from_secs(60));
        let started = std::time::Instant::now();
        let results = record_all(&log, 0..40).await;
        assert!(results.into_iter().all(|result| result.unwrap_err().code == &error::UNAVAILABLE));
        assert!(started.elapsed() < Duration::from_millis(600), "{:?}", started.elapsed());
    }

    #[tokio::test]
    async fn a_panic_in_the_sink_is_one_failed_batch() {
        let calls = AtomicUsize::new(0);
        let (log, _writer) = AuditLog::start(limits(), move |_| {
            let call = calls.fetch_add(1, Ordering::SeqCst);
            async move {
                assert!(call > 0, "the first call panics");
                Ok(())
            }
        });
        assert_eq!(log.record(sample::event(1)).await.unwrap_err().code, &error::UNAVAILABLE);
        log.record(sample::event(2)).await.unwrap();
    }

    #[tokio::test]
    async fn shutdown_writes_what_waits_and_refuses_what_comes() {
        let (log, writer, batches) = slow_log(limits(), Duration::from_millis(10));
        let waiting = tokio::spawn({
            let log = log.clone();
            async move { record_all(&log, 0..12).await }
        });
        tokio::time::sleep(Duration::from_millis(2)).await;
        writer.shutdown().await;
        assert!(waiting.await.unwrap().iter().all(Result::is_ok));
        assert_eq!(batches.lock().unwrap().concat().len(), 12);
        assert_eq!(log.record(sample::event(20)).await.unwrap_err().code, &error::UNAVAILABLE);
    }

    #[tokio::test]
    async fn a_request_that_goes_away_leaves_its_event() {
        let (log, writer, batches) = slow_log(limits(), Duration::from_millis(10));
        let record = log.record(sample::event(1));
        assert!(timeout(Duration::from_millis(2), record).await.is_err());
        writer.shutdown().await;
        assert_eq!(*batches.lock().unwrap(), [[sample::event(1).id]]);
    }
}
