//! The handshake: three messages, after which each side knows the other's identity and both share the keys of the channel.

use std::{future::Future, io, pin::Pin, sync::Arc};

use libp2p::{
    PeerId,
    core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo},
    futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    identity::{Keypair, PublicKey},
};
use snow::{Builder, HandshakeState};
use zeroize::Zeroizing;

use super::{payload::Payload, stream::SecureStream, traffic::Traffic};
use crate::network::limits::MAX_HANDSHAKE_MESSAGE_BYTES;

/// The cryptography that libp2p fixes.
const PARAMETERS: &str = "Noise_XX_25519_ChaChaPoly_SHA256";

/// What an identity signs before the channel's public key, so that the signature means nothing elsewhere.
const SIGNATURE_DOMAIN: &[u8] = b"noise-libp2p-static-key:";

/// Why a channel was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(in crate::network) enum NoiseError {
    /// The connection broke, or closed in the midst of it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The bytes do not belong to this handshake.
    #[error("handshake: {0}")]
    Noise(#[from] snow::Error),
    /// A message announces more bytes than any has.
    #[error("a handshake message of {bytes} bytes, more than {MAX_HANDSHAKE_MESSAGE_BYTES}")]
    TooLong { bytes: usize },
    /// What the other side says of itself cannot be read.
    #[error("the other side's identity cannot be read")]
    Identity,
    /// The other side's identity did not sign this channel's key.
    #[error("the other side does not have the key of the identity that it names")]
    Signature,
    /// This side's key does not sign.
    #[error("this node's identity cannot sign: {0}")]
    Signing(#[from] libp2p::identity::SigningError),
}

/// How a node opens channels: by its identity, and with a key for channels that is new with each start.
#[derive(Clone)]
pub(in crate::network) struct Noise {
    channel_secret: Arc<Zeroizing<Vec<u8>>>,
    introduction: Arc<Vec<u8>>,
    traffic: Traffic,
}

impl Noise {
    /// Makes the key for channels and signs it.
    ///
    /// # Errors
    /// [`NoiseError::Noise`] where the system gives no randomness; [`NoiseError::Signing`].
    pub(in crate::network) fn new(identity: &Keypair, traffic: Traffic) -> Result<Self, NoiseError> {
        let channel = builder()?.generate_keypair()?;
        let secret = Zeroizing::new(channel.private);
        let signature = identity.sign(&signed_bytes(&channel.public))?;
        let payload = Payload { identity_key: identity.public().encode_protobuf(), signature };
        Ok(Self { channel_secret: Arc::new(secret), introduction: Arc::new(payload.encode()), traffic })
    }

    async fn dial<S: AsyncRead + AsyncWrite + Unpin>(self, mut io: S) -> Result<Secured<S>, NoiseError> {
        let mut state = builder()?.local_private_key(&self.channel_secret)?.build_initiator()?;
        send(&mut io, &mut state, &[]).await?;
        let theirs = receive(&mut io, &mut state).await?;
        send(&mut io, &mut state, &self.introduction).await?;
        self.finish(io, state, &theirs)
    }

    async fn accept<S: AsyncRead + AsyncWrite + Unpin>(self, mut io: S) -> Result<Secured<S>, NoiseError> {
        let mut state = builder()?.local_private_key(&self.channel_secret)?.build_responder()?;
        receive(&mut io, &mut state).await?;
        send(&mut io, &mut state, &self.introduction).await?;
        let theirs = receive(&mut io, &mut state).await?;
        self.finish(io, state, &theirs)
    }

    /// Holds the other side's identity against the channel's key.
    fn finish<S>(self, io: S, state: HandshakeState, theirs: &[u8]) -> Result<Secured<S>, NoiseError> {
        let payload = Payload::decode(theirs).ok_or(NoiseError::Identity)?;
        let identity = PublicKey::try_decode_protobuf(&payload.identity_key).map_err(|_| NoiseError::Identity)?;
        let channel_key = state.get_remote_static().ok_or(NoiseError::Signature)?;
        if !identity.verify(&signed_bytes(channel_key), &payload.signature) {
            return Err(NoiseError::Signature);
        }
        let peer = identity.to_peer_id();
        let counters = self.traffic.counters(peer);
        Ok((peer, SecureStream::new(io, state.into_transport_mode()?, counters)))
    }
}

/// A peer that has shown who it is, and the channel to it.
type Secured<S> = (PeerId, SecureStream<S>);

fn builder() -> Result<Builder<'static>, snow::Error> {
    Ok(Builder::new(PARAMETERS.parse()?))
}

fn signed_bytes(channel_key: &[u8]) -> Vec<u8> {
    [SIGNATURE_DOMAIN, channel_key].concat()
}

/// Sends one message, with its length before it.
async fn send<S: AsyncWrite + Unpin>(io: &mut S, state: &mut HandshakeState, payload: &[u8]) -> Result<(), NoiseError> {
    let mut message = vec![0; 2 + MAX_HANDSHAKE_MESSAGE_BYTES];
    let (length, sealed) = message.split_at_mut(2);
    let bytes = state.write_message(payload, sealed)?;
    length.copy_from_slice(&(bytes as u16).to_be_bytes());
    io.write_all(&message[..2 + bytes]).await?;
    Ok(io.flush().await?)
}

/// Reads one message; its length is looked at before anything is kept for it.
async fn receive<S: AsyncRead + Unpin>(io: &mut S, state: &mut HandshakeState) -> Result<Vec<u8>, NoiseError> {
    let mut length = [0; 2];
    io.read_exact(&mut length).await?;
    let bytes = usize::from(u16::from_be_bytes(length));
    if bytes > MAX_HANDSHAKE_MESSAGE_BYTES {
        return Err(NoiseError::TooLong { bytes });
    }
    let mut message = vec![0; bytes];
    io.read_exact(&mut message).await?;
    let mut payload = vec![0; bytes];
    let read = state.read_message(&message, &mut payload)?;
    payload.truncate(read);
    Ok(payload)
}

impl UpgradeInfo for Noise {
    type Info = &'static str;
    type InfoIter = [&'static str; 1];

    fn protocol_info(&self) -> Self::InfoIter {
        ["/noise"]
    }
}

/// What libp2p waits for.
type Upgrading<S> = Pin<Box<dyn Future<Output = Result<Secured<S>, NoiseError>> + Send>>;

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> InboundConnectionUpgrade<S> for Noise {
    type Output = Secured<S>;
    type Error = NoiseError;
    type Future = Upgrading<S>;

    fn upgrade_inbound(self, io: S, _: Self::Info) -> Self::Future {
        Box::pin(self.accept(io))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> OutboundConnectionUpgrade<S> for Noise {
    type Output = Secured<S>;
    type Error = NoiseError;
    type Future = Upgrading<S>;

    fn upgrade_outbound(self, io: S, _: Self::Info) -> Self::Future {
        Box::pin(self.dial(io))
    }
}

#[cfg(test)]
mod tests;
