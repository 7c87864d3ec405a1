//! Transactions that wait for a block.
//!
//! The pool takes only what a block could take as the state stands or once the sender's earlier transactions are in,
//! and every bound of it has a name. It knows neither clock nor disk: the state comes as an argument.

mod error;
mod pool;
mod saved;
mod validate;

#[cfg(test)]
mod tests;

pub use error::SubmitError;
pub use pool::{Mempool, PoolLimits};
pub use saved::{PoolChanges, SavedPool};
pub use validate::MAX_TRANSACTION_BYTES;
