//! Group commit: what many callers want of the database goes there together, each waiting for its own answer.
//!
//! A lone caller goes at once, so its latency is one round; what arrives while all rounds are away goes together with the next.

use super::error::{self, Error, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Items in one batch.
    pub batch_max: usize,
    /// Items that may wait for their turn.
    pub queue_max: usize,
    /// Rounds at the same time: while one is at the database the next one's callers are served.
    pub rounds_max: usize,
    /// How long a caller waits for its answer, and a batch for its round.
    pub deadline: Duration,
}

impl Limits {
    pub fn within(deadline: Duration) -> Self {
        Self { batch_max: 256, queue_max: 4096, rounds_max: 2, deadline }
    }
}

struct Waiting<T, A> {
    item: Arc<T>,
    answer: oneshot::Sender<Result<A>>,
}

/// The door of the group.
pub struct Group<T, A> {
    queue: mpsc::Sender<Waiting<T, A>>,
    deadline: Duration,
}

impl<T, A> Clone for Group<T, A> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), deadline: self.deadline }
    }
}

/// The tasks behind the door, one for each round at the same time. They end with the last door, or when they are told to.
pub struct Writer {
    tasks: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl<T: Send + Sync + 'static, A: Send + 'static> Group<T, A> {
    /// Starts the tasks that hand batches to `sink`, which gives the answer of each item in order once it is durable. After a
    /// failure that is not [`error::UNAVAILABLE`] or [`error::DEADLINE`] the batch is tried again in halves, so that one item
    /// which the database refuses does not fail its neighbours; a sink must do a batch whole or not at all.
    pub fn start<S, F>(limits: Limits, sink: S) -> (Self, Writer)
    where
        S: Fn(Vec<Arc<T>>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Vec<A>>> + Send + 'static,
    {
        let (queue, waiting) = mpsc::channel(limits.queue_max);
        let (stop, stopped) = watch::channel(false);
        let (waiting, sink) = (Arc::new(Mutex::new(waiting)), Arc::new(sink));
        let task = |_| tokio::spawn(work(waiting.clone(), stopped.clone(), limits, sink.clone()));
        let tasks = (0..limits.rounds_max.max(1)).map(task).collect();
        (Self { queue, deadline: limits.deadline }, Writer { tasks, stop })
    }

    /// The answer about `item`, which is UNAVAILABLE whatever the reason of a failure. Done it may be nevertheless.
    pub async fn ask(&self, item: T) -> Result<A> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { item: Arc::new(item), answer };
        let asked = async {
            self.queue.send(waiting).await.map_err(|_| Error::unavailable("the group is closed"))?;
            answered.await.unwrap_or_else(|_| Err(Error::unavailable("the group's task ended")))
        };
        timeout(self.deadline, asked).await.unwrap_or_else(|_| Err(Error::unavailable("the group's answer was not there in time")))
    }
}

impl Writer {
    /// Takes nothing further, does what waits, and returns when the last is answered.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "A group's task did not end by itself");
            }
        }
    }
}

async fn work<T, A, S, F>(waiting: Arc<Mutex<mpsc::Receiver<Waiting<T, A>>>>, mut stop: watch::Receiver<bool>, limits: Limits, sink: Arc<S>)
where
    A: Send + 'static,
    S: Fn(Vec<Arc<T>>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Vec<A>>> + Send + 'static,
{
    let mut batch = Vec::with_capacity(limits.batch_max);
    loop {
        let mut queue = waiting.lock().await;
        let taken = tokio::select! {
            biased;
            // A closed receiver still gives what was queued.
            Ok(_) = stop.wait_for(|stop| *stop), if !queue.is_closed() => {
                queue.close();
                continue;
            }
            taken = queue.recv_many(&mut batch, limits.batch_max) => taken,
        };
        if taken == 0 {
            return;
        }
        drop(queue);
        round(std::mem::take(&mut batch), limits.deadline, &*sink).await;
    }
}

async fn round<T, A, S, F>(batch: Vec<Waiting<T, A>>, deadline: Duration, sink: &S)
where
    A: Send + 'static,
    S: Fn(Vec<Arc<T>>) -> F,
    F: Future<Output = Result<Vec<A>>> + Send + 'static,
{
    let mut parts = vec![batch];
    while let Some(mut part) = parts.pop() {
        let items: Vec<Arc<T>> = part.iter().map(|waiting| waiting.item.clone()).collect();
        match within(deadline, sink(items)).await {
            Ok(answers) if answers.len() == part.len() => {
                part.into_iter().zip(answers).for_each(|(waiting, made)| answer(waiting, Ok(made)));
            }
            Err(failure) if part.len() > 1 && !is_outage(&failure) => {
                parts.push(part.split_off(part.len() / 2));
                parts.push(part);
            }
            failed => {
                let cause = failed.err().map_or_else(|| "an answer is missing".to_owned(), |failure| failure.to_string());
                part.into_iter().for_each(|waiting| answer(waiting, Err(Error::unavailable(cause.as_str()))));
            }
        }
    }
}

/// In a task of its own, so that a panic of the sink is a failure of the batch and not the end of the group.
async fn within<A, F>(deadline: Duration, work: F) -> Result<Vec<A>>
where
    A: Send + 'static,
    F: Future<Output = Result<Vec<A>>> + Send + 'static,
{
    let mut work = tokio::spawn(work);
    match timeout(deadline, &mut work).await {
        Ok(done) => done.unwrap_or_else(|_| Err(Error::unavailable("the sink panicked"))),
        Err(_) => {
            work.abort();
            Err(Error::new(&error::DEADLINE).because("the batch was not durable in time"))
        }
    }
}

fn is_outage(failure: &Error) -> bool {
    failure.code == &error::UNAVAILABLE || failure.code == &error::DEADLINE
}

fn answer<T, A>(waiting: Waiting<T, A>, result: Result<A>) {
    // The request may have gone away meanwhile; what it wanted is done all the same.
    let _ = waiting.answer.send(result);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    type Batches = Arc<Mutex<Vec<Vec<u32>>>>;

    fn limits() -> Limits {
        Limits { batch_max: 8, queue_max: 16, rounds_max: 1, deadline: Duration::from_millis(200) }
    }

    fn numbers(items: &[Arc<u32>]) -> Vec<u32> {
        items.iter().map(|item| **item).collect()
    }

    /// A sink that takes `pause` for each batch, keeps what it was given and doubles it.
    fn slow(limits: Limits, pause: Duration) -> (Group<u32, u32>, Writer, Batches) {
        let batches = Batches::default();
        let kept = batches.clone();
        let (group, writer) = Group::start(limits, move |items| {
            let kept = kept.clone();
            async move {
                tokio::time::sleep(pause).await;
                kept.lock().unwrap().push(numbers(&items));
                Ok(items.iter().map(|item| **item * 2).collect())
            }
        });
        (group, writer, batches)
    }

    async fn ask_all(group: &Group<u32, u32>, numbers: std::ops::Range<u32>) -> Vec<Result<u32>> {
        futures_util::future::join_all(numbers.map(|n| group.ask(n))).await
    }

    #[tokio::test]
    async fn the_first_goes_at_once_and_the_rest_together() {
        let (group, writer, batches) = slow(limits(), Duration::from_millis(20));
        let first = tokio::spawn({
            let group = group.clone();
            async move { group.ask(0).await }
        });
        tokio::time::sleep(Duration::from_millis(5)).await;
        let answers: Vec<u32> = ask_all(&group, 1..12).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers, (1..12).map(|n| n * 2).collect::<Vec<_>>(), "each has its own");
        first.await.unwrap().unwrap();
        let sizes: Vec<_> = batches.lock().unwrap().iter().map(Vec::len).collect();
        assert_eq!(sizes, [1, 8, 3]);
        writer.shutdown().await;
    }

    #[tokio::test]
    async fn an_answer_comes_only_when_its_batch_is_done() {
        let (group, _writer, batches) = slow(limits(), Duration::from_millis(10));
        group.ask(1).await.unwrap();
        assert_eq!(*batches.lock().unwrap(), [[1]]);
    }

    #[tokio::test]
    async fn an_outage_fails_everyone_with_unavailable_and_passes() {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let (group, _writer) = Group::start(limits(), move |items: Vec<Arc<u32>>| {
            let call = counted.fetch_add(1, Ordering::SeqCst);
            async move { if call == 0 { Err(Error::unavailable("no connection")) } else { Ok(numbers(&items)) } }
        });
        let failed = ask_all(&group, 0..4).await;
        assert!(failed.into_iter().all(|result| result.unwrap_err().code == &error::UNAVAILABLE));
        assert_eq!(calls.load(Ordering::SeqCst), 1, "an outage is not tried again in halves");
        group.ask(5).await.unwrap();
    }

    #[tokio::test]
    async fn one_refused_item_fails_alone() {
        let stored = Batches::default();
        let kept = stored.clone();
        let (group, _writer) = Group::start(limits(), move |items| {
            let items = numbers(&items);
            let refused = items.contains(&3);
            if !refused {
                kept.lock().unwrap().push(items.clone());
            }
            async move { if refused { Err(Error::internal("a constraint")) } else { Ok(items) } }
        });
        let results = ask_all(&group, 0..8).await;
        let failed: Vec<_> = (0..8).filter(|n| results[*n].is_err()).collect();
        assert_eq!(failed, [3]);
        assert_eq!(stored.lock().unwrap().concat(), [0, 1, 2, 4, 5, 6, 7]);
    }

    #[tokio::test]
    async fn a_sink_that_leaves_one_out_answers_nobody() {
        let (group, _writer) = Group::start(limits(), |items: Vec<Arc<u32>>| async move { Ok(numbers(&items[1..])) });
        assert_eq!(group.ask(1).await.unwrap_err().code, &error::UNAVAILABLE);
    }

    #[tokio::test]
    async fn a_full_queue_and_a_hanging_sink_end_at_the_deadline() {
        let (group, _writer, _) = slow(limits(), Duration::from_secs(60));
        let started = Instant::now();
        let results = ask_all(&group, 0..40).await;
        assert!(results.into_iter().all(|result| result.unwrap_err().code == &error::UNAVAILABLE));
        assert!(started.elapsed() < Duration::from_millis(600), "{:?}", started.elapsed());
    }

    #[tokio::test]
    async fn a_panic_in_the_sink_is_one_failed_batch() {
        let calls = AtomicUsize::new(0);
        let (group, _writer) = Group::start(limits(), move |items: Vec<Arc<u32>>| {
            let call = calls.fetch_add(1, Ordering::SeqCst);
            async move {
                assert!(call > 0, "the first call panics");
                Ok(numbers(&items))
            }
        });
        assert_eq!(group.ask(1).await.unwrap_err().code, &error::UNAVAILABLE);
        group.ask(2).await.unwrap();
    }

    #[tokio::test]
    async fn shutdown_does_what_waits_and_refuses_what_comes() {
        let (group, writer, batches) = slow(limits(), Duration::from_millis(10));
        let waiting = tokio::spawn({
            let group = group.clone();
            async move { ask_all(&group, 0..12).await }
        });
        tokio::time::sleep(Duration::from_millis(2)).await;
        writer.shutdown().await;
        assert!(waiting.await.unwrap().iter().all(Result::is_ok));
        assert_eq!(batches.lock().unwrap().concat().len(), 12);
        assert_eq!(group.ask(20).await.unwrap_err().code, &error::UNAVAILABLE);
    }

    #[tokio::test]
    async fn a_group_that_nobody_can_stop_goes_on() {
        let (group, writer, _) = slow(limits(), Duration::ZERO);
        drop(writer);
        assert_eq!(group.ask(1).await.unwrap(), 2);
        assert_eq!(group.ask(2).await.unwrap(), 4);
    }

    #[tokio::test]
    async fn a_second_round_goes_while_the_first_is_away() {
        let both = Arc::new(tokio::sync::Barrier::new(2));
        let limits = Limits { batch_max: 1, rounds_max: 2, deadline: Duration::from_secs(30), ..limits() };
        let (group, _writer) = Group::start(limits, move |items: Vec<Arc<u32>>| {
            let both = both.clone();
            async move {
                both.wait().await;
                Ok(numbers(&items))
            }
        });
        let first = tokio::spawn({
            let group = group.clone();
            async move { group.ask(1).await }
        });
        assert_eq!(group.ask(2).await.unwrap(), 2);
        assert_eq!(first.await.unwrap().unwrap(), 1);
    }

    #[tokio::test]
    async fn a_request_that_goes_away_leaves_what_it_wanted() {
        let (group, writer, batches) = slow(limits(), Duration::from_millis(10));
        assert!(timeout(Duration::from_millis(2), group.ask(1)).await.is_err());
        writer.shutdown().await;
        assert_eq!(*batches.lock().unwrap(), [[1]]);
    }
}
