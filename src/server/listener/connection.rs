//! One connection and our patience with it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::OwnedSemaphorePermit,
    time::{Instant, Sleep, sleep_until},
};

use super::Limits;

/// A stream that fails when its client is too slow: with the first head, with taking what is sent, or by silence.
pub(super) struct Connection<Io> {
    io: Io,
    head: Head,
    head_bytes_left: usize,
    /// Fires at the end of patience, or earlier when bytes went out since it was set; then it is set again. Moving it
    /// with every byte would cost a timer operation each.
    alarm: Pin<Box<Sleep>>,
    last_sent: Instant,
    stalled: Option<Pin<Box<Sleep>>>,
    silence_max: Duration,
    stall_max: Duration,
    /// Held so that the next connection may come when this one is gone.
    _place: OwnedSemaphorePermit,
}

impl<Io> Connection<Io> {
    pub(super) fn new(io: Io, limits: &Limits, place: OwnedSemaphorePermit) -> Self {
        let now = Instant::now();
        Self {
            io,
            head: Head::Before,
            head_bytes_left: limits.head_bytes_max,
            alarm: Box::pin(sleep_until(now + limits.head_max)),
            last_sent: now,
            stalled: None,
            silence_max: limits.silence_max,
            stall_max: limits.stall_max,
            _place: place,
        }
    }

    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.alarm.as_mut().poll(cx));
            let end = self.last_sent + self.silence_max;
            if self.head != Head::Read || end <= Instant::now() {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.alarm.as_mut().reset(end);
        }
    }

    /// Looks for the empty line that ends the first head. HTTP/2's preface has one too; what follows it is bounded by
    /// silence.
    fn watch_head(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.head == Head::Read {
            return Ok(());
        }
        for byte in bytes {
            self.head = self.head.after(*byte);
            if self.head == Head::Read {
                self.last_sent = Instant::now();
                self.alarm.as_mut().reset(self.last_sent + self.silence_max);
                return Ok(());
            }
        }
        self.head_bytes_left = self.head_bytes_left.checked_sub(bytes.len()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(())
    }

    fn watch_sent(&mut self, cx: &mut Context<'_>, sent: &Poll<io::Result<usize>>) -> io::Result<()> {
        if sent.is_ready() {
            self.last_sent = Instant::now();
        }
        self.watch_stall(cx, sent.is_ready())
    }

    fn watch_stall(&mut self, cx: &mut Context<'_>, moving: bool) -> io::Result<()> {
        if moving {
            self.stalled = None;
            return Ok(());
        }
        let stall_max = self.stall_max;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + stall_max)));
        match stalled.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

/// How much of the first head was seen. Lines may end in LF alone (RFC 9112 §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    /// Empty lines before a request count for nothing.
    Before,
    InLine,
    LineEnd,
    Read,
}

impl Head {
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Read, _) | (Self::LineEnd, b'\n') => Self::Read,
            (same @ (Self::Before | Self::LineEnd), b'\r') => same,
            (Self::Before, b'\n') => Self::Before,
            (Self::InLine, b'\n') => Self::LineEnd,
            _ => Self::InLine,
        }
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Connection<Io> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Poll::Ready(error) = this.poll_patience(cx) {
            return Poll::Ready(Err(error));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
        Poll::Ready(this.watch_head(&buf.filled()[before..]))
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Connection<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let sent = Pin::new(&mut this.io).poll_write(cx, bytes);
        this.watch_sent(cx, &sent)?;
        sent
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let sent = Pin::new(&mut this.io).poll_write_vectored(cx, slices);
        this.watch_sent(cx, &sent)?;
        sent
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let flushed = Pin::new(&mut this.io).poll_flush(cx);
        this.watch_stall(cx, flushed.is_ready())?;
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_at_its_first_empty_line() {
        let read = |text: &str| text.bytes().fold(Head::Before, Head::after) == Head::Read;
        assert!(read("GET / HTTP/1.1\r\nHost: a\r\n\r\n") && read("GET / HTTP/1.1\nHost: a\n\n"));
        assert!(read("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
        for unfinished in ["", "\r\n\r\n\r\n", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nA: b\r\n\r"] {
            assert!(!read(unfinished), "{unfinished:?}");
        }
    }
}
