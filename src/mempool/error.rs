use crate::state::StateError;
use lucid_types::TransactionRefusal;

/// Why the pool does not take a transaction.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// It breaks a rule of the chain or of the pool.
    #[error(transparent)]
    Refused(#[from] TransactionRefusal),
    /// The state could not be read. Says nothing about the transaction.
    #[error("the state cannot be read: {0}")]
    State(#[from] StateError),
}
