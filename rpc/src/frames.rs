//! Messages in frames (RFC 6455). Of what a client sends no more is held than one message of bounded size, and of a
//! large one only what came before its turn.

use crate::{
    limits::{LARGE_REQUEST_BYTES, MAX_REQUEST_BODY_BYTES, PING_TIMEOUT_MS},
    links::{Large, Link, Links},
};
use soketto::{
    Parsing,
    base::{Codec, Header, OpCode},
};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, BufWriter},
    task::yield_now,
    time::timeout,
};

/// Bytes that are read, or written, at a time.
const BUFFER_BYTES: usize = 16 * 1024;

/// The longest head of a frame.
const MAX_HEADER_BYTES: usize = 14;

/// What came from a client.
#[derive(Debug)]
pub(crate) enum Received {
    /// A message, with the turn that it has where it is large.
    Message(Vec<u8>, Option<Large>),
    /// A message beyond [`MAX_REQUEST_BODY_BYTES`], of which nothing was kept.
    TooLarge,
    /// A question whether the node is there, to be answered with the same bytes.
    Ping(Vec<u8>),
    /// The client says goodbye.
    Close,
}

/// Why nothing more is read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    /// The connection ended, or the client was silent for too long.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A frame breaks the rules of the protocol.
    #[error("{0}")]
    Protocol(String),
}

impl From<soketto::base::Error> for Ended {
    fn from(error: soketto::base::Error) -> Self {
        Self::Protocol(error.to_string())
    }
}

/// The message that is coming in.
#[derive(Debug, Default)]
struct Partial {
    bytes: Vec<u8>,
    large: Option<Large>,
    too_large: bool,
}

/// Reads what a client sends.
#[derive(Debug)]
pub(crate) struct FrameReader<R> {
    input: BufReader<R>,
    codec: Codec,
    links: Arc<Links>,
    link: Arc<Link>,
    partial: Option<Partial>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(crate) fn new(input: R, links: Arc<Links>, link: Arc<Link>) -> Self {
        let mut codec = Codec::new();
        // Longer ones are skipped here, and do not end the connection.
        codec.set_max_data_size(usize::MAX);
        Self { input: BufReader::with_capacity(BUFFER_BYTES, input), codec, links, link, partial: None }
    }

    /// The next message or control frame. Not to be called again where it was cancelled.
    pub(crate) async fn next(&mut self) -> Result<Received, Ended> {
        loop {
            let header = self.header().await?;
            // However many small frames one read brought, others have their turn between two.
            yield_now().await;
            match (header.opcode(), &self.partial) {
                (OpCode::Ping, _) => return Ok(Received::Ping(self.control(&header).await?)),
                (OpCode::Pong, _) => drop(self.control(&header).await?),
                (OpCode::Close, _) => return Ok(Received::Close),
                (OpCode::Text | OpCode::Binary, None) | (OpCode::Continue, Some(_)) => {
                    let partial = self.partial.take().unwrap_or_default();
                    let partial = self.payload(&header, partial).await?;
                    if !header.is_fin() {
                        self.partial = Some(partial);
                    } else if partial.too_large {
                        return Ok(Received::TooLarge);
                    } else {
                        return Ok(Received::Message(partial.bytes, partial.large));
                    }
                }
                (opcode, _) => return Err(Ended::Protocol(format!("a frame of kind {opcode} out of turn"))),
            }
        }
    }

    async fn header(&mut self) -> Result<Header, Ended> {
        let mut head = [0; MAX_HEADER_BYTES];
        let mut length = 0;
        let header = loop {
            match self.codec.decode_header(&head[..length])? {
                Parsing::Done { value, .. } => break value,
                Parsing::NeedMore(more) => {
                    self.exactly(&mut head[length..length + more]).await?;
                    length += more;
                }
            }
        };
        match header.is_masked() {
            true => Ok(header),
            false => Err(Ended::Protocol("a client's frame is not masked".to_owned())),
        }
    }

    /// What a control frame carries, which is little.
    async fn control(&mut self, header: &Header) -> Result<Vec<u8>, Ended> {
        let mut bytes = vec![0; header.payload_len()];
        self.exactly(&mut bytes).await?;
        Codec::apply_mask(header, &mut bytes);
        Ok(bytes)
    }

    /// Adds what a frame carries to its message.
    async fn payload(&mut self, header: &Header, mut partial: Partial) -> Result<Partial, Ended> {
        let start = partial.bytes.len();
        if header.payload_len() > MAX_REQUEST_BODY_BYTES as usize - start {
            partial = Partial { too_large: true, ..Partial::default() };
        }
        let mut left = header.payload_len();
        while left > 0 {
            let came = self.come().await?;
            let bytes = &came[..came.len().min(left)];
            let taken = bytes.len();
            if !partial.too_large {
                partial.bytes.extend_from_slice(bytes);
            }
            self.input.consume(taken);
            left -= taken;
            if partial.bytes.len() >= LARGE_REQUEST_BYTES && partial.large.is_none() {
                partial.large = Some(self.links.large_turn(&self.link).await);
            }
        }
        if let Some(bytes) = partial.bytes.get_mut(start..) {
            Codec::apply_mask(header, bytes);
        }
        Ok(partial)
    }

    async fn exactly(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < bytes.len() {
            let came = self.come().await?;
            let taken = came.len().min(bytes.len() - filled);
            bytes[filled..filled + taken].copy_from_slice(&came[..taken]);
            self.input.consume(taken);
            filled += taken;
        }
        Ok(())
    }

    /// Bytes that came, at least one.
    async fn come(&mut self) -> io::Result<&[u8]> {
        let silent = Duration::from_millis(PING_TIMEOUT_MS);
        let bytes = timeout(silent, self.input.fill_buf()).await??;
        if bytes.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) }
    }
}

/// Writes to a client, each frame to its end.
#[derive(Debug)]
pub(crate) struct FrameWriter<W> {
    output: BufWriter<W>,
    codec: Codec,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    pub(crate) fn new(output: W) -> Self {
        Self { output: BufWriter::with_capacity(BUFFER_BYTES, output), codec: Codec::new() }
    }

    /// Writes a frame that nothing belongs to but itself.
    pub(crate) async fn write(&mut self, opcode: OpCode, payload: &[u8]) -> io::Result<()> {
        let mut header = Header::new(opcode);
        header.set_payload_len(payload.len());
        self.output.write_all(self.codec.encode_header(&header)).await?;
        self.output.write_all(payload).await?;
        self.output.flush().await
    }
}
