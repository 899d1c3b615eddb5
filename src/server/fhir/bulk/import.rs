//! An import at work. Its files are read twice: first for the names of all their resources, so that any line may name any
//! other; then line by line, in batches that are one transaction each. A new resource's id follows from the job and its name
//! in the file, so a server that takes the job over writes nothing twice.

use super::batch::{self, Batch, Names, Read};
use super::intake::{Input, Order};
use super::lines::{Line, Lines};
use crate::imaging::access;
use crate::kernel::Caller;
use crate::kernel::error::{self, Error, Result};
use crate::workflow::long_work::{Part, Work};
use serde::Deserialize;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const BATCHES_AT_ONCE: usize = 2;
const BATCH_LINES: usize = 250;
const BATCH_BYTES: usize = 4 << 20;
/// Resources of one import; their names are held in memory, some 40 bytes each.
const RESOURCES_MAX: usize = 2_000_000;
/// After so long, or so many bytes of what was refused, it is kept how far it is.
const KEPT_EVERY: Duration = Duration::from_secs(3);
const REFUSED_BYTES: usize = 4 << 20;

struct Import {
    work: Arc<Work>,
    order: Order,
    caller: Caller,
    names: Arc<Names>,
}

pub async fn run(work: Arc<Work>) -> Result<()> {
    let order: Order = work.order().await?;
    let caller = order.head.by.caller(&work.kernel);
    work.clear().await?;
    let mut reached = work.reached().await?;
    let mut known = Names::new(work.id, order.head.base.clone());
    let mut import = Import { work, order, caller, names: Arc::default() };
    for input in &import.order.inputs {
        import.scan(input, &mut known).await?;
    }
    import.names = Arc::new(known);
    for (place, input) in import.order.inputs.iter().enumerate() {
        let slice = slice(&input.type_name, place);
        let from = match reached.remove(&slice) {
            None => Some(Progress::default()),
            Some((_, None)) => None,
            Some((part, Some(text))) => Some(Progress::read(part + 1, &text)?),
        };
        if let Some(from) = from {
            let percent = i32::try_from(place * 100 / import.order.inputs.len()).unwrap_or(0);
            import.read(input, &slice, from, percent).await?;
        }
    }
    Ok(())
}

/// An input as a slice of the job.
pub fn slice(type_name: &str, place: usize) -> String {
    format!("{type_name}/{place}")
}

/// The head of a line.
#[derive(Deserialize)]
struct Named<'l> {
    #[serde(borrow, rename = "resourceType")]
    type_name: Cow<'l, str>,
    #[serde(borrow)]
    id: Option<Cow<'l, str>>,
}

/// How far a file is: lines read and resources made.
#[derive(Default)]
struct Progress {
    part: i32,
    line: i64,
    made: i64,
}

impl Progress {
    fn read(part: i32, text: &str) -> Result<Progress> {
        let wrong = || Error::internal("a place that is none of ours");
        let (line, made) = text.split_once(' ').ok_or_else(wrong)?;
        Ok(Progress { part, line: line.parse().map_err(Error::internal)?, made: made.parse().map_err(Error::internal)? })
    }
}

impl Import {
    async fn goes_on(&self, percent: i32) -> Result<()> {
        if self.work.is_silent() {
            self.work.goes_on(percent).await?;
            self.order.head.by.stands(&self.work.kernel).await?;
        }
        Ok(())
    }

    /// The file as its owner reads it today.
    async fn open(&self, input: &Input) -> Result<Lines> {
        let key = access::object_key(&self.caller, self.caller.tenant()?, input.file).await?;
        Ok(Lines::of(self.work.kernel.storage.read(&key).await?))
    }

    async fn scan(&self, input: &Input, known: &mut Names) -> Result<()> {
        let mut lines = self.open(input).await?;
        while let Some((_, bytes)) = lines.next().await? {
            let named = bytes.as_deref().and_then(|bytes| serde_json::from_slice::<Named<'_>>(bytes).ok());
            if let Some(Named { type_name, id: Some(id) }) = named {
                known.add(&type_name, &id);
            }
            if known.len() > RESOURCES_MAX {
                return Err(Error::new(&error::TOO_COSTLY).detail("An import makes at most 2,000,000 resources."));
            }
            self.goes_on(0).await?;
        }
        Ok(())
    }

    async fn read(&self, input: &Input, slice: &str, mut at: Progress, percent: i32) -> Result<()> {
        let mut lines = self.open(input).await?;
        let from = at.line;
        let (mut refused, mut count, mut kept) = (Vec::new(), 0, Instant::now());
        loop {
            let (batches, has_ended) = self.batches(&mut lines, input, from).await?;
            let last = batches.iter().filter_map(|batch| batch.lines.last()).map(|line| line.0).max();
            for read in self.store(batches).await? {
                match read.refusal {
                    None => at.made += 1,
                    Some(refusal) => {
                        count += 1;
                        batch::tell(&mut refused, slice, read.line, &refusal)?;
                    }
                }
            }
            at.line = last.unwrap_or(at.line);
            self.goes_on(percent).await?;
            if has_ended || kept.elapsed() >= KEPT_EVERY || refused.len() >= REFUSED_BYTES {
                let reached = Some(format!("{} {}", at.line, at.made));
                let file = Part { slice, part: at.part, kind: "ERROR", resource_type: "OperationOutcome", count, reached };
                self.work.keep(&file, std::mem::take(&mut refused), percent).await?;
                (at.part, count, kept) = (at.part + 1, 0, Instant::now());
            }
            if has_ended {
                let file = Part { slice, part: at.part, kind: "OUTPUT", resource_type: &input.type_name, count: at.made, reached: None };
                return self.work.keep(&file, Vec::new(), percent).await;
            }
        }
    }

    /// What is written next, and whether the file ends there.
    async fn batches(&self, lines: &mut Lines, input: &Input, from: i64) -> Result<(Vec<Batch>, bool)> {
        let mut batches = Vec::with_capacity(BATCHES_AT_ONCE);
        while batches.len() < BATCHES_AT_ONCE {
            let (mut some, mut size): (Vec<Line>, usize) = (Vec::new(), 0);
            while some.len() < BATCH_LINES && size < BATCH_BYTES {
                let Some(line) = lines.next().await? else { break };
                size += line.1.as_ref().map_or(0, bytes::Bytes::len);
                some.extend((line.0 > from).then_some(line));
            }
            let has_ended = some.len() < BATCH_LINES && size < BATCH_BYTES;
            batches.push(Batch { caller: self.caller.clone(), names: self.names.clone(), type_name: input.type_name.clone(), lines: some });
            if has_ended {
                return Ok((batches, true));
            }
        }
        Ok((batches, false))
    }

    /// All of them at once; what became of each line, in order.
    async fn store(&self, batches: Vec<Batch>) -> Result<Vec<Read>> {
        let mut running = JoinSet::new();
        for batch in batches {
            running.spawn(batch.store());
        }
        let mut read = Vec::new();
        while let Some(done) = running.join_next().await {
            read.extend(done.map_err(Error::internal)??);
        }
        read.sort_unstable_by_key(|read| read.line);
        Ok(read)
    }
}
