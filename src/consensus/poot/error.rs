use lucid_storage::StoreError;
use lucid_types::ValidatorSetError;

/// Why what follows from final blocks cannot be read or written. None of it is a verdict on a block.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PootError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row that must be there is not, or does not fit the others.
    #[error("{table}: the row of {key} is missing or is not what the chain's blocks make it")]
    Damaged {
        /// The table.
        table: &'static str,
        /// Which row: a height or an epoch.
        key: u64,
    },
    /// The registry's members are no validator set.
    #[error("the registry's members are no validator set: {0}")]
    Members(ValidatorSetError),
}

impl PootError {
    /// The store's own error, where it is one.
    pub const fn of_store(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            Self::Damaged { .. } | Self::Members(_) => None,
        }
    }

    /// Whether the store is not what was written to it.
    pub fn is_damage(&self) -> bool {
        self.of_store().is_none_or(StoreError::is_damage)
    }
}
