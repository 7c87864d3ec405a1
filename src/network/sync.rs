//! Requests and responses on the wire: four bytes of length, and so many bytes. The node gives both their meaning.

use std::io;

use libp2p::{
    StreamProtocol,
    futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    request_response::Codec,
};

use super::{
    limits::{MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES},
    topic::chain_prefix,
};

/// Bytes that are made room for before any has come. A length is only a word of somebody; the rest grows with what comes.
const FIRST_BYTES: usize = 4 * 1024;

/// The protocol of a chain.
pub(super) fn protocol(genesis: &[u8; 32]) -> Result<StreamProtocol, libp2p::swarm::InvalidProtocol> {
    StreamProtocol::try_from_owned(format!("{}/sync/1", chain_prefix(genesis)))
}

/// Reads and writes them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SyncCodec;

impl Codec for SyncCodec {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io, MAX_REQUEST_BYTES).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io, MAX_RESPONSE_BYTES).await
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, request: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &request).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, response: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &response).await
    }
}

/// Reads what has at most `most` bytes. A length above that ends it before anything is kept.
async fn read<T: AsyncRead + Unpin>(io: &mut T, most: usize) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    io.read_exact(&mut length).await?;
    let length = u32::from_be_bytes(length) as usize;
    if length > most {
        let error = format!("{length} bytes are announced, more than {most}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, error));
    }
    let mut bytes = Vec::with_capacity(length.min(FIRST_BYTES));
    io.take(length as u64).read_to_end(&mut bytes).await?;
    if bytes.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

async fn write<T: AsyncWrite + Unpin>(io: &mut T, bytes: &[u8]) -> io::Result<()> {
    // Whoever is given more than fits was let through by a check that failed.
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    io.write_all(&length.to_be_bytes()).await?;
    io.write_all(bytes).await?;
    io.close().await
}

#[cfg(test)]
mod tests {
    use libp2p::futures::{executor::block_on, io::Cursor};
    use proptest::prelude::*;

    use super::*;

    fn read_all(bytes: &[u8], most: usize) -> io::Result<Vec<u8>> {
        block_on(read(&mut Cursor::new(bytes), most))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(bytes in proptest::collection::vec(any::<u8>(), 0..9_000)) {
            let mut wire = Cursor::new(Vec::new());
            block_on(write(&mut wire, &bytes)).unwrap();
            prop_assert_eq!(read_all(wire.get_ref(), 9_000).unwrap(), bytes);
        }

        #[test]
        fn what_is_cut_off_is_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..100), keep in 0..104usize) {
            let mut wire = Cursor::new(Vec::new());
            block_on(write(&mut wire, &bytes)).unwrap();
            let wire = wire.into_inner();
            prop_assume!(keep < wire.len());
            prop_assert!(read_all(&wire[..keep], 100).is_err());
        }
    }

    #[test]
    fn a_length_that_is_too_large_is_refused_before_a_byte_is_read() {
        let wire = [&u32::MAX.to_be_bytes()[..], &[0; 64]].concat();
        let mut io = Cursor::new(&wire[..]);
        let error = block_on(read(&mut io, MAX_RESPONSE_BYTES)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(io.position(), 4);
        let wire = ((MAX_REQUEST_BYTES + 1) as u32).to_be_bytes();
        assert_eq!(read_all(&wire, MAX_REQUEST_BYTES).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    /// An attacker announces the largest response on each stream and sends nothing of it.
    #[test]
    fn an_announced_length_takes_no_memory_until_its_bytes_come() {
        use std::{pin::pin, task::Context};
        struct Announces(Cursor<Vec<u8>>);
        impl AsyncRead for Announces {
            fn poll_read(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &mut [u8],
            ) -> std::task::Poll<io::Result<usize>> {
                assert!(buffer.len() <= FIRST_BYTES, "room for {} bytes", buffer.len());
                match self.0.position() {
                    4 => std::task::Poll::Pending,
                    _ => std::pin::Pin::new(&mut self.0).poll_read(cx, buffer),
                }
            }
        }
        let mut io = Announces(Cursor::new((MAX_RESPONSE_BYTES as u32).to_be_bytes().to_vec()));
        let mut reading = pin!(read(&mut io, MAX_RESPONSE_BYTES));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(std::future::Future::poll(reading.as_mut(), &mut cx).is_pending());
    }
}
