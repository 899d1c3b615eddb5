//! Copies of the daily anchors outside the database. Who holds them can show that the log inside was not written anew: an
//! anchor is signed, holds the head of every tenant's chain and is made once.
//!
//! What is missing is put there oldest first, so the newest copy vouches for those before it; a store that cannot be
//! reached gets them in a later round. A copy that says something else than the database stays as it is and raises the alarm.

use super::ledger;
use crate::kernel::Kernel;
use crate::kernel::audit::Anchor;
use crate::kernel::context::{Context, PLATFORM_TENANT, Plane};
use crate::kernel::error::{Error, Result, UPLOAD_MISSING};
use crate::sql;
use bytes::Bytes;
use chrono::NaiveDate;
use serde_json::json;

/// Anchors of one look, and bytes no copy is longer than.
const LOOK: i64 = 100;
const COPY_BYTES_MAX: u64 = 4_096;

sql! {
    /// $1 before that day or null, $2 how many; the newest first.
    ANCHORS_BEFORE(DATE, INT8) = "
        select anchor_date, digest_root, heads_root, key_id, signature from audit_anchors
         where $1 is null or anchor_date < $1 order by anchor_date desc limit $2";
}

/// Where the copy of a day's anchor lies.
pub fn key(day: NaiveDate) -> String {
    format!("{PLATFORM_TENANT}/audit-anchors/{day}.json")
}

/// How many copies were missing and are there now.
pub async fn keep(kernel: &Kernel) -> Result<u64> {
    let missing = missing(kernel).await?;
    let mut kept = 0;
    for anchor in missing.iter().rev() {
        kernel.storage.put(&key(anchor.anchor_date), "application/json", copy(anchor)).await?;
        kept += 1;
    }
    Ok(kept)
}

/// The newest first.
async fn missing(kernel: &Kernel) -> Result<Vec<Anchor>> {
    let mut missing = Vec::new();
    let mut before: Option<NaiveDate> = None;
    loop {
        let scope = kernel.door.open(&Context::system(Plane::Jobs, None)).await?;
        let answers = scope.once(&[((&ANCHORS_BEFORE).into(), vec![&before, &LOOK])]).await?;
        let anchors = answers.iter().flatten().map(ledger::anchor).collect::<Result<Vec<_>>>()?;
        let Some(last) = anchors.last() else { return Ok(missing) };
        before = Some(last.anchor_date);
        for anchor in anchors {
            match kernel.storage.read_prefix(&key(anchor.anchor_date), COPY_BYTES_MAX).await {
                Ok(there) if there == copy(&anchor) => return Ok(missing),
                Ok(_) => {
                    metrics::counter!("audit_anchor_copies_differ_total").increment(1);
                    return Err(Error::internal(format!(
                        "the copy of the anchor of {} is not the anchor in the database",
                        anchor.anchor_date
                    )));
                }
                Err(failure) if failure.code == &UPLOAD_MISSING => missing.push(anchor),
                Err(failure) => return Err(failure),
            }
        }
    }
}

fn copy(anchor: &Anchor) -> Bytes {
    let Anchor { anchor_date, digest_root, heads_root, key_id, signature } = anchor;
    let copy = json!({
        "anchor_date": anchor_date, "digest_root": digest_root, "heads_root": heads_root, "key_id": key_id, "signature": signature,
    });
    Bytes::from(copy.to_string())
}
