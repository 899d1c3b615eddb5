//! What a client says to PostgreSQL, as far as the watcher needs it (protocol 3.0, "Message Formats").

use std::collections::HashMap;

/// One statement as it was executed.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    pub text: String,
    /// What it was prepared for (pg_type's oids).
    pub types: Vec<u32>,
    /// As they went over the wire; none: NULL.
    pub params: Vec<Option<Vec<u8>>>,
}

/// One connection's client side, read as it flows by.
#[derive(Default)]
pub struct Client {
    pending: Vec<u8>,
    started: bool,
    pub user: String,
    prepared: HashMap<String, (String, Vec<u32>)>,
}

pub enum Said {
    Statement(Statement),
    /// The end of a message group: the server will answer ReadyForQuery.
    Sync,
    Other,
}

impl Client {
    /// The messages that `bytes` complete.
    pub fn hear(&mut self, bytes: &[u8]) -> Vec<Said> {
        self.pending.extend_from_slice(bytes);
        let mut said = Vec::new();
        loop {
            let tag = usize::from(self.started);
            let Some(length) = self.pending.get(tag..tag + 4) else { return said };
            let end = tag + u32::from_be_bytes(length.try_into().unwrap()) as usize;
            if self.pending.len() < end {
                return said;
            }
            let message: Vec<u8> = self.pending.drain(..end).collect();
            if self.started {
                said.extend(self.message(message[0], &mut Reader(&message[5..])));
            } else {
                self.startup(&mut Reader(&message[8..]));
            }
        }
    }

    fn startup(&mut self, body: &mut Reader<'_>) {
        self.started = true;
        while !body.0.is_empty() {
            let (name, value) = (body.text(), body.text());
            if name == "user" {
                self.user = value;
            }
        }
    }

    fn message(&mut self, tag: u8, body: &mut Reader<'_>) -> Vec<Said> {
        match tag {
            b'P' => {
                let (name, text) = (body.text(), body.text());
                let types = (0..body.count()).map(|_| body.number()).collect();
                self.prepared.insert(name, (text, types));
                vec![Said::Other]
            }
            b'B' => {
                let (_portal, name) = (body.text(), body.text());
                (0..body.count()).for_each(|_| body.skip(2));
                let params = (0..body.count()).map(|_| body.value()).collect();
                let (text, types) = self.prepared.get(&name).cloned().unwrap_or_default();
                vec![Said::Statement(Statement { text, types, params })]
            }
            b'Q' => vec![Said::Statement(Statement { text: body.text(), types: Vec::new(), params: Vec::new() }), Said::Sync],
            b'S' => vec![Said::Sync],
            _ => vec![Said::Other],
        }
    }
}

struct Reader<'m>(&'m [u8]);

impl Reader<'_> {
    fn skip(&mut self, bytes: usize) {
        self.0 = &self.0[bytes.min(self.0.len())..];
    }
    fn text(&mut self) -> String {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        let text = String::from_utf8_lossy(&self.0[..end]).into_owned();
        self.skip(end + 1);
        text
    }
    fn count(&mut self) -> usize {
        let count = usize::from(u16::from_be_bytes([self.0[0], self.0[1]]));
        self.skip(2);
        count
    }
    fn number(&mut self) -> u32 {
        let number = u32::from_be_bytes(self.0[..4].try_into().unwrap());
        self.skip(4);
        number
    }
    fn value(&mut self) -> Option<Vec<u8>> {
        let length = usize::try_from(self.number().cast_signed()).ok()?;
        let value = self.0[..length].to_vec();
        self.skip(length);
        Some(value)
    }
}

/// The elements of an array in its binary form, and their type (array_send: dimensions, flags, type, then length and bound
/// of each dimension).
pub fn elements(array: &[u8]) -> (u32, Vec<Option<Vec<u8>>>) {
    let mut body = Reader(array);
    let (dimensions, _flags, kind) = (body.number(), body.number(), body.number());
    let count = if dimensions == 0 { 0 } else { body.number() };
    body.skip(if dimensions == 0 { 0 } else { 4 });
    (kind, (0..count).map(|_| body.value()).collect())
}

/// ReadyForQuery messages in what a server sent; `pending` keeps the cut-off rest.
pub fn ready(pending: &mut Vec<u8>, bytes: &[u8]) -> usize {
    pending.extend_from_slice(bytes);
    let (mut at, mut count) = (0, 0);
    while let Some(length) = pending.get(at + 1..at + 5) {
        let end = at + 1 + u32::from_be_bytes(length.try_into().unwrap()) as usize;
        if pending.len() < end {
            break;
        }
        count += usize::from(pending[at] == b'Z');
        at = end;
    }
    pending.drain(..at);
    count
}
