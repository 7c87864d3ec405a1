//! A client's socket as the server reads and writes it: neither may make the node hold more than a little.

use crate::{
    limits::{LARGE_REQUEST_TURN_MS, WRITE_STALL_TIMEOUT_MS},
    links::{Link, Links},
};
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::{AcquireError, OwnedSemaphorePermit},
    time::{Sleep, sleep},
};

type Turn = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>;

/// A connection's socket, with its place among the others. Both go when it is dropped.
///
/// While as many calls run as may, or the client does not read, nothing more is read from it: what it sends waits on
/// its own side. A client that reads nothing for [`WRITE_STALL_TIMEOUT_MS`] is gone.
pub(crate) struct Socket {
    stream: TcpStream,
    link: Arc<Link>,
    links: Arc<Links>,
    stall: Option<Pin<Box<Sleep>>>,
    /// The wait for a turn to take in a large request, and how long it has lasted.
    turn: Option<(Turn, Pin<Box<Sleep>>)>,
    /// Whether those who handle what was read go first, before more is.
    rests: bool,
    _place: OwnedSemaphorePermit,
}

impl Socket {
    /// Takes a connection that was accepted.
    pub(crate) fn new(stream: TcpStream, links: Arc<Links>, place: OwnedSemaphorePermit) -> io::Result<Self> {
        // Answers are small and written whole, so waiting to fill a segment would only delay them.
        stream.set_nodelay(true)?;
        let stream = stream.into_std()?;
        let link = links.add(stream.try_clone()?);
        Ok(Self {
            stream: TcpStream::from_std(stream)?,
            link,
            links,
            stall: None,
            turn: None,
            rests: false,
            _place: place,
        })
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Waits for the turn of a large request.
    fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let patience = || Box::pin(sleep(Duration::from_millis(LARGE_REQUEST_TURN_MS)));
        let links = &self.links;
        let (turn, waited) =
            self.turn.get_or_insert_with(|| (Box::pin(Arc::clone(links.large()).acquire_owned()), patience()));
        if let Poll::Ready(turn) = turn.as_mut().poll(context) {
            self.turn = None;
            // The turns are never closed.
            if let Ok(turn) = turn {
                self.link.take_turn(turn);
            }
            return Poll::Ready(());
        }
        while waited.as_mut().poll(context).is_ready() {
            links.give_up_large();
            *waited = patience();
        }
        Poll::Pending
    }

    /// Passes on what a write came to, and ends one that makes no progress for too long.
    fn written(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = written {
            self.stall = None;
            self.link.note_written(*written.as_ref().unwrap_or(&0));
            self.link.set_stalled(false);
            return Poll::Ready(written);
        }
        self.link.set_stalled(true);
        let timeout = || Box::pin(sleep(Duration::from_millis(WRITE_STALL_TIMEOUT_MS)));
        ready!(self.stall.get_or_insert_with(timeout).as_mut().poll(context));
        tracing::debug!("a client does not read what it asked for; its connection is closed");
        self.link.close();
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.links.remove(&self.link);
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.link.must_wait(context) {
            return Poll::Pending;
        }
        if std::mem::take(&mut self.rests) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.link.needs_turn() {
            ready!(self.poll_turn(context));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buf))?;
        // Each message on a WebSocket becomes a task. Those of one read begin before the next, or they would pile up
        // before they are counted.
        self.rests = self.link.note_read(buf.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
