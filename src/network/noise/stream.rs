//! The channel after the handshake: frames of at most 65,535 sealed bytes with their length before them.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use libp2p::futures::{AsyncRead, AsyncWrite};
use snow::TransportState;

use super::traffic::Counters;

/// Bytes of a frame's length.
const LENGTH_BYTES: usize = 2;
/// Bytes of a frame's tag, which is over everything in it.
const TAG_BYTES: usize = 16;
/// Most plain bytes that this side puts in one frame. The specification allows four times as many; a connection holds two
/// buffers of this size.
const MAX_PLAIN_BYTES: usize = 16 * 1024;

/// A connection whose bytes only the two ends can read and write.
pub(in crate::network) struct SecureStream<S> {
    io: S,
    session: TransportState,
    counters: Arc<Counters>,
    reading: Reading,
    /// What was read and nobody has fetched yet, and how much of it is gone already.
    plain: Vec<u8>,
    fetched: usize,
    /// What is to be sealed with what comes next, or at a flush.
    unsealed: Vec<u8>,
    /// Sealed bytes that are not written, and how many of them are.
    sealed: Vec<u8>,
    written: usize,
}

/// How far the next frame has come in.
enum Reading {
    /// Its length.
    Length { bytes: [u8; LENGTH_BYTES], have: usize },
    /// Its sealed bytes.
    Frame { bytes: Vec<u8>, have: usize },
}

const NOTHING_READ: Reading = Reading::Length { bytes: [0; LENGTH_BYTES], have: 0 };

impl<S> SecureStream<S> {
    pub(super) fn new(io: S, session: TransportState, counters: Arc<Counters>) -> Self {
        Self {
            io,
            session,
            counters,
            reading: NOTHING_READ,
            plain: Vec::new(),
            fetched: 0,
            unsealed: Vec::new(),
            sealed: Vec::new(),
            written: 0,
        }
    }
}

impl<S: AsyncRead + Unpin> SecureStream<S> {
    /// Reads and opens one frame; `false` at the end of the connection between two frames.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            match &mut self.reading {
                Reading::Length { bytes, have } if *have == LENGTH_BYTES => {
                    let length = usize::from(u16::from_be_bytes(*bytes));
                    if length < TAG_BYTES {
                        return Poll::Ready(Err(damaged("a frame that is too short")));
                    }
                    self.reading = Reading::Frame { bytes: vec![0; length], have: 0 };
                }
                Reading::Length { bytes, have } => {
                    let read = ready!(Pin::new(&mut self.io).poll_read(cx, &mut bytes[*have..]))?;
                    match (read, *have) {
                        (0, 0) => return Poll::Ready(Ok(false)),
                        (0, _) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                        _ => *have += read,
                    }
                    self.counters.add_received(read);
                }
                Reading::Frame { bytes, have } if *have == bytes.len() => {
                    let mut plain = vec![0; bytes.len() - TAG_BYTES];
                    let opened = self.session.read_message(bytes, &mut plain);
                    let read = opened.map_err(|_| damaged("a frame that the peer did not seal"))?;
                    plain.truncate(read);
                    (self.plain, self.fetched, self.reading) = (plain, 0, NOTHING_READ);
                    return Poll::Ready(Ok(true));
                }
                Reading::Frame { bytes, have } => {
                    let read = ready!(Pin::new(&mut self.io).poll_read(cx, &mut bytes[*have..]))?;
                    if read == 0 {
                        return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                    }
                    *have += read;
                    self.counters.add_received(read);
                }
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for SecureStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        // A frame may be empty, which is not the end.
        while self.fetched == self.plain.len() {
            if !ready!(self.poll_frame(cx))? {
                return Poll::Ready(Ok(0));
            }
        }
        let waiting = &self.plain[self.fetched..];
        let bytes = waiting.len().min(buffer.len());
        buffer[..bytes].copy_from_slice(&waiting[..bytes]);
        self.fetched += bytes;
        if self.fetched == self.plain.len() {
            // An idle connection holds no memory for what it has read.
            (self.plain, self.fetched) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(bytes))
    }
}

impl<S: AsyncWrite + Unpin> SecureStream<S> {
    /// Writes what is sealed.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.sealed.len() {
            let bytes = ready!(Pin::new(&mut self.io).poll_write(cx, &self.sealed[self.written..]))?;
            if bytes == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += bytes;
            self.counters.add_sent(bytes);
        }
        (self.sealed, self.written) = (Vec::new(), 0);
        Poll::Ready(Ok(()))
    }

    /// Seals what has gathered. Only with nothing sealed that is not written.
    fn seal(&mut self) -> io::Result<()> {
        let mut frame = vec![0; LENGTH_BYTES + self.unsealed.len() + TAG_BYTES];
        let (length, sealed) = frame.split_at_mut(LENGTH_BYTES);
        let bytes = self.session.write_message(&self.unsealed, sealed).map_err(io::Error::other)?;
        length.copy_from_slice(&(bytes as u16).to_be_bytes());
        (self.sealed, self.unsealed) = (frame, Vec::new());
        Ok(())
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for SecureStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.unsealed.len() == MAX_PLAIN_BYTES {
            ready!(self.poll_written(cx))?;
            self.seal()?;
        }
        let taken = bytes.len().min(MAX_PLAIN_BYTES - self.unsealed.len());
        self.unsealed.extend_from_slice(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_written(cx))?;
            if self.unsealed.is_empty() {
                return Pin::new(&mut self.io).poll_flush(cx);
            }
            self.seal()?;
        }
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.io).poll_close(cx)
    }
}

fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
impl<S: AsyncWrite + Unpin> SecureStream<S> {
    /// Seals what has gathered, for a test that changes it afterwards.
    pub(super) fn seal_for_test(&mut self) {
        self.seal().unwrap();
    }

    pub(super) fn sealed_for_test(&mut self) -> &mut Vec<u8> {
        &mut self.sealed
    }

    pub(super) fn into_io_for_test(self) -> S {
        self.io
    }
}
