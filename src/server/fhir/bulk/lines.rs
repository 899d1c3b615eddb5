//! The lines of an NDJSON file on its way from the object store: never whole in memory.

use crate::kernel::error::Result;
use crate::kernel::storage::Reading;
use bytes::{Buf, Bytes, BytesMut};

/// A resource with a document in it.
pub const LINE_BYTES_MAX: usize = 8 << 20;

pub struct Lines {
    object: Reading,
    rest: BytesMut,
    number: i64,
    /// The line that goes on is too long; its rest is passed over.
    is_skipping: bool,
    has_ended: bool,
}

/// None: a line that is too long to be read.
pub type Line = (i64, Option<Bytes>);

impl Lines {
    pub fn of(object: Reading) -> Lines {
        Lines { object, rest: BytesMut::new(), number: 0, is_skipping: false, has_ended: false }
    }

    /// The next that is not blank, with its number from 1. None at the end.
    pub async fn next(&mut self) -> Result<Option<Line>> {
        loop {
            if let Some(line) = self.cut() {
                if line.1.as_ref().is_none_or(|bytes| !bytes.trim_ascii().is_empty()) {
                    return Ok(Some(line));
                }
                continue;
            }
            if self.has_ended {
                return Ok(None);
            }
            match self.object.next().await {
                Some(chunk) => self.rest.extend_from_slice(&chunk?),
                None => self.has_ended = true,
            }
        }
    }

    fn cut(&mut self) -> Option<Line> {
        let end = self.rest.iter().position(|byte| *byte == b'\n');
        let bytes = match end {
            Some(end) => {
                let line = self.rest.split_to(end).freeze();
                self.rest.advance(1);
                line
            }
            None if self.has_ended && (self.is_skipping || !self.rest.is_empty()) => self.rest.split().freeze(),
            None => {
                if self.rest.len() > LINE_BYTES_MAX {
                    self.is_skipping = true;
                    self.rest.clear();
                }
                return None;
            }
        };
        self.number += 1;
        let was_cut = std::mem::take(&mut self.is_skipping);
        Some((self.number, Some(bytes).filter(|bytes| !was_cut && bytes.len() <= LINE_BYTES_MAX)))
    }
}
