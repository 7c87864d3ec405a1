//! The clients that people use drive the real program: what they expect of any Ethereum node holds here.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

mod cast;
mod ethers;
mod viem;
mod web3js;
mod web3py;
