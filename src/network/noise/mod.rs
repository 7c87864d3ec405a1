//! The secure channel of libp2p: Noise, pattern XX, as `/noise` of its specification, in pure Rust.
//!
//! Every byte between two nodes goes through it. Each shows that the key of this channel belongs to its identity, so that
//! nobody between them can read, change or answer for the other. libp2p's own crate for it compiles C on every
//! machine but a browser; the cryptography here is that of `snow`, and the frames are libp2p's, so that any libp2p node can
//! speak with this one.

mod handshake;
mod payload;
mod stream;
mod traffic;

pub(super) use handshake::Noise;
pub(super) use traffic::Traffic;
