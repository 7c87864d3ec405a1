//! What a chain is and what a valid block is: genesis, building, import, fees.
//!
//! Building and importing are two separate paths. [`build()`] makes a block from what waits; [`import()`] takes any block,
//! runs it anew, and accepts it only if every field of its header follows from its parent and its content. A node
//! imports its own blocks too, so the two are held against each other in every block.
//!
//! The room judges bodies and headers, never seals: who was allowed to make a block is consensus' matter. It is
//! pure: the time of a block and what is minted in it come as arguments.

mod block;
mod build;
mod check;
mod error;
mod genesis;
mod import;
mod logs;
mod minted;
mod receipts;
mod rules;
mod sender;

#[cfg(test)]
mod tests;

pub use block::{
    Block, RecoveredBlock, decode_header, decode_transaction, read_block, read_committed, read_head, read_header,
};
pub use build::{BlockAttributes, Built, build};
pub use check::check;
pub use error::{ChainError, Invalid};
pub use genesis::{genesis_contract_hashes, genesis_header, write_genesis};
pub use import::{Imported, import};
pub use logs::{LogFilter, find_logs};
pub use minted::{MintedWork, minted_work};
pub use receipts::receipt_path;
pub use rules::{check as check_header, next_base_fee};
pub use sender::{recover_sender, recover_signer};

/// What a transaction is, what it costs before it runs, and what mints, for the rooms above that never run one.
pub use crate::evm::{MAX_INITCODE_BYTES, Mint, Transaction, intrinsic_gas};
