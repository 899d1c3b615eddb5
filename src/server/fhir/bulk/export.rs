//! An export at work: its slices two at a time, each written to files of bounded size, so that memory stays flat and a
//! server that takes it over goes on behind the last file.

use super::order::Order;
use super::page::{self, Slice};
use crate::fhir::outcome::note;
use crate::kernel::Caller;
use crate::kernel::error::{Error, Result};
use crate::kernel::table::Cursor;
use crate::workflow::long_work::{self, Part, Work};
use chrono::Utc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const SLICES_AT_ONCE: usize = 2;
/// A file is closed with the page that brings it to this size.
const FILE_BYTES: usize = 8 << 20;
/// A transaction that had begun before the moment of the export is seen this much later. It lives no longer than its seal, its
/// last statement and the pause that PostgreSQL allows it behind that.
const BEGUN: Duration = Duration::from_millis(100);
const LIVES_MAX: Duration = Duration::from_secs(90);
const LOOKS_EVERY: Duration = Duration::from_millis(40);

struct Export {
    work: Arc<Work>,
    order: Order,
    caller: Caller,
    percent: AtomicI32,
}

pub async fn run(work: Arc<Work>) -> Result<()> {
    let order: Order = work.order().await?;
    let caller = order.head.by.caller(&work.kernel);
    let export = Arc::new(Export { work, order, caller, percent: AtomicI32::new(0) });
    export.settled().await?;
    export.work.clear().await?;
    let mut reached = export.work.reached().await?;
    let slices = page::slices(&export.caller, &export.order).await?;
    let (total, mut done) = (slices.len() + 1, 0);
    let mut slices = slices.into_iter();
    let mut running = JoinSet::new();
    loop {
        while running.len() < SLICES_AT_ONCE
            && let Some(slice) = slices.next()
        {
            let from = reached.remove(&slice.name);
            running.spawn(export.clone().write(slice, from));
        }
        let Some(ended) = running.join_next().await else { break };
        ended.map_err(Error::internal)??;
        done += 1;
        export.percent.store(i32::try_from(done * 100 / total).unwrap_or(0), Ordering::Relaxed);
    }
    if !reached.contains_key(NOTES) {
        export.notes().await?;
    }
    Ok(())
}

/// What was passed over, as a slice of its own.
const NOTES: &str = "notes";

impl Export {
    /// Waits until everything that began before the moment of the export has ended, so that nothing older comes later.
    async fn settled(&self) -> Result<()> {
        let age = || (Utc::now() - self.order.head.at).to_std().unwrap_or_default();
        tokio::time::sleep(BEGUN.saturating_sub(age())).await;
        let kernel = &self.work.kernel;
        let mut open = if age() > LIVES_MAX { Vec::new() } else { long_work::open_transactions(kernel).await? };
        while !open.is_empty() && age() < LIVES_MAX {
            tokio::time::sleep(LOOKS_EVERY).await;
            let now = long_work::open_transactions(kernel).await?;
            open.retain(|one| now.contains(one));
            self.goes_on().await?;
        }
        Ok(())
    }

    /// Said now and then: that it goes on, if it may, and if whoever ordered it still may have it.
    async fn goes_on(&self) -> Result<()> {
        if self.work.is_silent() {
            self.work.goes_on(self.percent.load(Ordering::Relaxed)).await?;
            self.order.head.by.stands(&self.work.kernel).await?;
        }
        Ok(())
    }

    async fn write(self: Arc<Self>, slice: Slice, from: Option<(i32, Option<String>)>) -> Result<()> {
        let (mut part, mut after) = match from {
            None => (0, None),
            Some((_, None)) => return Ok(()),
            Some((part, Some(text))) => (part + 1, Some(cursor(&text)?)),
        };
        let began = Instant::now();
        let (mut bytes, mut count) = (Vec::new(), 0);
        loop {
            let page = page::read(&self.caller, &self.order, &slice, after).await?;
            bytes.extend_from_slice(&page.lines);
            count += page.count;
            after = page.next;
            self.goes_on().await?;
            if bytes.len() >= FILE_BYTES || after.is_none() {
                let (kind, resource_type) = if slice.removed { ("DELETED", "Bundle") } else { ("OUTPUT", slice.def.name) };
                let reached = after.as_ref().map(|cursor| format!("{} {}", cursor.id, cursor.tenant));
                let file = Part { slice: &slice.name, part, kind, resource_type, count, reached };
                self.work.keep(&file, std::mem::take(&mut bytes), self.percent.load(Ordering::Relaxed)).await?;
                (part, count) = (part + 1, 0);
            }
            if after.is_none() {
                tracing::debug!(job.id = %self.work.id, slice = slice.name, took = ?began.elapsed(), "Exported a slice");
                return Ok(());
            }
        }
    }

    async fn notes(&self) -> Result<()> {
        self.order.head.by.stands(&self.work.kernel).await?;
        let lines: Vec<String> =
            self.order.passed_over.iter().map(|text| format!("{}\n", note("warning", "not-supported", text))).collect();
        let count = i64::try_from(lines.len()).map_err(Error::internal)?;
        let file = Part { slice: NOTES, part: 0, kind: "ERROR", resource_type: "OperationOutcome", count, reached: None };
        self.work.keep(&file, lines.concat().into_bytes(), 99).await
    }
}

fn cursor(text: &str) -> Result<Cursor> {
    let wrong = || Error::internal("a place that is none of ours");
    let (id, tenant) = text.split_once(' ').ok_or_else(wrong)?;
    Ok(Cursor { value: None, id: id.parse().map_err(Error::internal)?, tenant: tenant.parse().map_err(Error::internal)? })
}
