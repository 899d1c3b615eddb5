//! A file of codes on its way from the object store: parsed on a thread for work of the processor, some batches ahead of
//! the reader, never whole in memory.

use super::sheet::{self, Form, Line, Unreadable};
use crate::kernel::error::{Error, Result};
use crate::kernel::storage::Reading;
use crate::kernel::table::Table;
use bytes::{Buf, Bytes};
use std::io::Read;
use tokio::sync::mpsc;

pub const BATCH: usize = 1_000;

pub struct Sheet {
    lines: mpsc::Receiver<Vec<Line>>,
    parser: Option<tokio::task::JoinHandle<Result<(), Unreadable>>>,
}

impl Sheet {
    pub fn open(form: Form, table: &'static Table, mut object: Reading) -> Sheet {
        let (bytes_in, bytes) = mpsc::channel(4);
        tokio::spawn(async move {
            while let Some(chunk) = object.next().await {
                if bytes_in.send(chunk.map_err(|error| std::io::Error::other(error.to_string()))).await.is_err() {
                    return;
                }
            }
        });
        let (lines_in, lines) = mpsc::channel(4);
        let parser = tokio::task::spawn_blocking(move || parse(form, table, Chunks { bytes, rest: Bytes::new() }, &lines_in));
        Sheet { lines, parser: Some(parser) }
    }

    /// None at the end of a file that could be read to it.
    pub async fn next(&mut self) -> Result<Result<Option<Vec<Line>>, Unreadable>> {
        if let Some(batch) = self.lines.recv().await {
            return Ok(Ok(Some(batch)));
        }
        let Some(parser) = self.parser.take() else { return Ok(Ok(None)) };
        Ok(parser.await.map_err(Error::internal)?.map(|()| None))
    }
}

fn parse(form: Form, table: &'static Table, from: Chunks, lines: &mpsc::Sender<Vec<Line>>) -> Result<(), Unreadable> {
    let (mut batch, mut count) = (Vec::with_capacity(BATCH), 0);
    sheet::read(form, table, from, &mut |line| {
        count += 1;
        batch.push(line);
        count <= sheet::CODES_MAX && (batch.len() < BATCH || lines.blocking_send(std::mem::take(&mut batch)).is_ok())
    })?;
    if count > sheet::CODES_MAX {
        return Err("It has more than 500000 codes.");
    }
    // A receiver that is gone wants no more.
    let _ = lines.blocking_send(batch);
    Ok(())
}

/// The object's bytes for a parser that waits for them.
struct Chunks {
    bytes: mpsc::Receiver<std::io::Result<Bytes>>,
    rest: Bytes,
}

impl Read for Chunks {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        while self.rest.is_empty() {
            match self.bytes.blocking_recv() {
                Some(chunk) => self.rest = chunk?,
                None => return Ok(0),
            }
        }
        let size = into.len().min(self.rest.len());
        self.rest.copy_to_slice(&mut into[..size]);
        Ok(size)
    }
}
