//! Accounts and storage slots under one Merkle-Patricia root: reading them now and some blocks back, changing
//! them, proving them.
//!
//! Rule of the room: it knows no block, no transaction and no clock. It turns [`StateChanges`] into rows of a batch,
//! and rows of a snapshot or batch into values. It commits nothing, and imports no other room.
//!
//! What holds after every [`apply()`]:
//! - The tries hold exactly the rows' accounts and slots, and the root that is returned is theirs. Accounts carry
//!   the root of their storage trie; a slot of zero has no row and no leaf.
//! - The state's rows are those of the head. Every older state, down to [`HISTORY_BLOCKS`] back, is the latest one
//!   with the undo log's rows of later blocks laid over it.
//! - An account lies once: its leaf in the account trie has no row and is made from the account's.
//! - Code lies under its hash and is never deleted.
//! - The same changes over the same state write the same rows: nothing depends on a map's order.
//! - Damaged rows are errors, never panics and never other values in silence where the row no longer decodes.
//!
//! An error in the midst of [`apply()`] leaves a batch half written. It must be dropped, not committed.

mod account_trie;
mod apply;
mod changes;
mod check;
mod error;
mod history;
mod prove;
mod reader;
mod rows;
mod trie;
mod undo;

#[cfg(test)]
mod tests;

pub use apply::apply;
pub use changes::{Account, AccountChange, StateChanges};
pub use check::check;
pub use error::StateError;
pub use history::HistoricalState;
pub use prove::{AccountProof, SlotProof, prove};
pub use reader::{LatestState, StateReader};
pub use trie::TrieError;
pub use undo::{HISTORY_BLOCKS, HISTORY_BYTES, prune_undo};
