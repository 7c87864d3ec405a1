//! A client's socket as the server reads and writes it. A client that reads nothing for [`WRITE_STALL_TIMEOUT_MS`] is gone.

use crate::{
    limits::WRITE_STALL_TIMEOUT_MS,
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
    sync::OwnedSemaphorePermit,
    time::{Sleep, sleep},
};

/// A connection's socket, with its place among the others. Both go when it is dropped.
pub(crate) struct Socket {
    stream: TcpStream,
    link: Arc<Link>,
    links: Arc<Links>,
    stall: Option<Pin<Box<Sleep>>>,
    _place: OwnedSemaphorePermit,
}

impl Socket {
    /// Takes a connection that was accepted.
    pub(crate) fn new(stream: TcpStream, links: Arc<Links>, place: OwnedSemaphorePermit) -> io::Result<Self> {
        // Answers are small and written whole, so waiting to fill a segment would only delay them.
        stream.set_nodelay(true)?;
        let stream = stream.into_std()?;
        let link = links.add(stream.try_clone()?);
        Ok(Self { stream: TcpStream::from_std(stream)?, link, links, stall: None, _place: place })
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Passes on what a write came to, and ends one that makes no progress for too long.
    fn written(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = written {
            self.stall = None;
            self.link.note_written(*written.as_ref().unwrap_or(&0));
            return Poll::Ready(written);
        }
        self.link.note_stalled();
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
        Pin::new(&mut self.stream).poll_read(context, buf)
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
