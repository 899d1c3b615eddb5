//! An import at work. Its files are read twice: first for the names of all their resources, so that any line may name any
//! other; then line by line, in batches that are one transaction each. A new resource's id follows from the job and its name
//! in the file, so a server that takes the job over writes nothing twice.

use super::batch::{self, Batch, Names};
use super::intake::{Input, Order};
use super::lines::{Line, Lines};
use crate::imaging::access;
use crate::kernel::Caller;
use crate::kernel::error::{self, Error, Result};
use crate::workflow::long_work::{Part, Work};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// While the database writes one, the next is read and judged.
const BATCHES_AT_ONCE: usize = 3;
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
        let (from, mut is_read) = (at.line, false);
        let (mut refused, mut count, mut kept) = (Vec::new(), 0, Instant::now());
        let (mut running, mut stored) = (JoinSet::new(), BTreeMap::new());
        let (mut next, mut told) = (0, 0);
        loop {
            while !is_read && next - told < BATCHES_AT_ONCE {
                let batch;
                (batch, is_read) = self.batch(&mut lines, input, from).await?;
                let (place, last) = (next, batch.lines.last().map(|line| line.0));
                running.spawn(async move { (place, last, batch.store().await) });
                next += 1;
            }
            // In turn. What is behind may be stored already; a server that goes on from here finds it there.
            let (last, mut read) = loop {
                if let Some(first) = stored.remove(&told) {
                    break first;
                }
                let Some(done) = running.join_next().await else { return Err(Error::internal("a batch was lost")) };
                let (place, last, read) = done.map_err(Error::internal)?;
                stored.insert(place, (last, read?));
            };
            told += 1;
            let has_ended = is_read && told == next;
            read.sort_unstable_by_key(|read| read.line);
            for read in read {
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
    async fn batch(&self, lines: &mut Lines, input: &Input, from: i64) -> Result<(Batch, bool)> {
        let (mut some, mut size): (Vec<Line>, usize) = (Vec::new(), 0);
        let mut has_ended = false;
        while !has_ended && some.len() < BATCH_LINES && size < BATCH_BYTES {
            match lines.next().await? {
                Some(line) if line.0 > from => {
                    size += line.1.as_ref().map_or(0, bytes::Bytes::len);
                    some.push(line);
                }
                Some(_) => {}
                None => has_ended = true,
            }
        }
        Ok((Batch { caller: self.caller.clone(), names: self.names.clone(), type_name: input.type_name.clone(), lines: some }, has_ended))
    }
}
