//! Two ends over a pair of pipes, and somebody in between.

use hex_literal::hex;
use libp2p::futures::{self, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

fn identity(seed: u8) -> Keypair {
    Keypair::ed25519_from_bytes([seed; 32]).unwrap()
}

fn noise(seed: u8) -> Noise {
    Noise::new(&identity(seed), Traffic::default()).unwrap()
}

/// With these bytes, for an identity of seed 7 and a channel key of 32 times 9, nodes with `libp2p-noise` 0.47 and with this
/// code understood each other, whichever of the two dialled.
#[test]
fn the_introduction_is_one_that_other_libp2p_nodes_read() {
    let identity = identity(7);
    let signature = identity.sign(&signed_bytes(&[9; 32])).unwrap();
    let payload = Payload { identity_key: identity.public().encode_protobuf(), signature };
    assert_eq!(payload.encode(), GOLDEN_INTRODUCTION);
}

const GOLDEN_INTRODUCTION: &[u8] = &hex!(
    "0a2408011220ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446"
    "d22c12403ab0ad7ac4839b11d27ae89f0da1cb98478fac5bfd369054f8c988a715950157"
    "b4a2ddf5ca77fa29e3c97921a352ee7121913ede198056bb36fbd840435c830f"
);

/// A connected pair of sockets, as libp2p hands them on.
async fn sockets() -> (Compat, Compat) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dialled = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (Compat(dialled), Compat(listener.accept().await.unwrap().0))
}

/// A socket of tokio as one of futures.
struct Compat(TcpStream);

impl AsyncRead for Compat {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buffer: &mut [u8],
    ) -> std::task::Poll<io::Result<usize>> {
        loop {
            std::task::ready!(self.0.poll_read_ready(cx))?;
            match self.0.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return std::task::Poll::Ready(read),
            }
            let _ = &mut self;
        }
    }
}

impl AsyncWrite for Compat {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        loop {
            std::task::ready!(self.0.poll_write_ready(cx))?;
            match self.0.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return std::task::Poll::Ready(written),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

/// Two ends that have shaken hands: dialler and listener.
async fn pair() -> (Secured<Compat>, Secured<Compat>) {
    let (dialled, accepted) = sockets().await;
    let (dialler, listener) = futures::join!(noise(1).dial(dialled), noise(2).accept(accepted));
    (dialler.unwrap(), listener.unwrap())
}

#[tokio::test]
async fn each_side_knows_the_other_and_all_bytes_arrive_in_order() {
    let ((theirs, mut dialler), (mine, mut listener)) = pair().await;
    assert_eq!((theirs, mine), (identity(2).public().to_peer_id(), identity(1).public().to_peer_id()));
    let sent: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
    let mut received = vec![0; sent.len()];
    let writing = async {
        dialler.write_all(&sent).await.unwrap();
        dialler.flush().await.unwrap();
        listener_answers(&mut dialler).await
    };
    let reading = async {
        listener.read_exact(&mut received).await.unwrap();
        listener.write_all(b"done").await.unwrap();
        listener.flush().await.unwrap();
    };
    let (answer, ()) = futures::join!(writing, reading);
    assert_eq!(&answer, b"done");
    assert_eq!(received, sent);
}

async fn listener_answers(stream: &mut SecureStream<Compat>) -> [u8; 4] {
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn somebody_with_another_identitys_name_is_refused() {
    let (dialled, accepted) = sockets().await;
    let mut liar = noise(1);
    // The key of identity 3, and the signature of identity 1.
    let mut payload = Payload::decode(&liar.introduction).unwrap();
    payload.identity_key = identity(3).public().encode_protobuf();
    liar.introduction = Arc::new(payload.encode());
    let (_, listener) = futures::join!(liar.dial(dialled), noise(2).accept(accepted));
    assert!(matches!(listener, Err(NoiseError::Signature)));
}

#[tokio::test]
async fn an_introduction_that_was_recorded_elsewhere_is_refused() {
    let (dialled, accepted) = sockets().await;
    let (honest, mut liar) = (noise(1), noise(4));
    // Signed by identity 1, for the channel key that `honest` has and the liar has not.
    liar.introduction = honest.introduction.clone();
    let (_, listener) = futures::join!(liar.dial(dialled), noise(2).accept(accepted));
    assert!(matches!(listener, Err(NoiseError::Signature)));
}

#[tokio::test]
async fn a_handshake_message_of_too_many_bytes_is_refused_by_its_length() {
    let (mut dialled, accepted) = sockets().await;
    let attack = async {
        dialled.write_all(&[0xff, 0xff]).await.unwrap();
    };
    let (listener, ()) = futures::join!(noise(2).accept(accepted), attack);
    assert!(matches!(listener, Err(NoiseError::TooLong { bytes: 65_535 })));
}

#[tokio::test]
async fn a_frame_that_was_changed_on_the_way_ends_the_connection() {
    let ((_, mut dialler), (_, mut listener)) = pair().await;
    dialler.write_all(b"precious").await.unwrap();
    dialler.seal_for_test();
    *dialler.sealed_for_test().last_mut().unwrap() ^= 1;
    dialler.flush().await.unwrap();
    let error = listener.read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn a_frame_that_is_shorter_than_its_tag_ends_the_connection() {
    let ((_, dialler), (_, mut listener)) = pair().await;
    let mut io = dialler.into_io_for_test();
    io.write_all(&[0, 3, 1, 2, 3]).await.unwrap();
    assert_eq!(listener.read(&mut [0; 8]).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn a_connection_that_ends_within_a_frame_is_an_error_and_between_two_it_is_the_end() {
    let ((_, dialler), (_, mut listener)) = pair().await;
    drop(dialler);
    assert_eq!(listener.read(&mut [0; 8]).await.unwrap(), 0);

    let ((_, dialler), (_, mut listener)) = pair().await;
    let mut io = dialler.into_io_for_test();
    io.write_all(&[0, 100, 1, 2, 3]).await.unwrap();
    drop(io);
    assert_eq!(listener.read(&mut [0; 8]).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}
