use crate::state::StateError;
use alloy_primitives::U256;

/// Why the pool does not take a transaction. The texts are those that Ethereum's tools look for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The bytes are no transaction.
    #[error("rlp: {0}")]
    Malformed(String),
    /// EIP-4844: nobody here keeps blobs.
    #[error("transaction type not supported: blob transactions are refused")]
    Blobs,
    /// No sender follows from the signature.
    #[error("invalid sender: the signature is not valid")]
    Signature,
    /// A legacy transaction without a chain id could be replayed from another chain.
    #[error("only replay-protected (EIP-155) transactions allowed over RPC")]
    Unprotected,
    /// Signed for another chain.
    #[error("invalid chain id for signer: have {found} want {expected}")]
    ChainId {
        /// In the transaction.
        found: u64,
        /// Of this chain.
        expected: u64,
    },
    /// More bytes than a transaction may have.
    #[error("oversized data: transaction size {found}, limit {most}")]
    TooLarge {
        /// Bytes of the transaction.
        found: usize,
        /// Allowed.
        most: usize,
    },
    /// It is in the pool, or in a block.
    #[error("already known")]
    AlreadyKnown,
    /// The sender has used this nonce.
    #[error("nonce too low: next nonce {next}, tx nonce {found}")]
    NonceTooLow {
        /// The sender's next.
        next: u64,
        /// In the transaction.
        found: u64,
    },
    /// Too far ahead of the sender's next nonce.
    #[error("nonce too high: next nonce {next}, tx nonce {found}")]
    NonceTooHigh {
        /// The sender's next.
        next: u64,
        /// In the transaction.
        found: u64,
    },
    /// The nonce has no successor (EIP-2681).
    #[error("nonce has max value")]
    NonceMax,
    /// The sender cannot pay value and the most that gas can cost.
    #[error("insufficient funds for gas * price + value: balance {balance}, tx cost {cost}")]
    InsufficientFunds {
        /// What the sender has, in wei.
        balance: U256,
        /// What the transaction may cost, in wei.
        cost: U256,
    },
    /// Less gas than the transaction needs before any code runs (with EIP-7623's floor).
    #[error("intrinsic gas too low: gas {found}, minimum needed {needed}")]
    IntrinsicGas {
        /// Gas limit of the transaction.
        found: u64,
        /// What it needs.
        needed: u64,
    },
    /// More gas than a block or a transaction (EIP-7825) may have.
    #[error("exceeds block gas limit: gas {found}, limit {most}")]
    GasLimit {
        /// Gas limit of the transaction.
        found: u64,
        /// Allowed.
        most: u64,
    },
    /// The tip is above the fee.
    #[error("max priority fee per gas higher than max fee per gas: maxPriorityFeePerGas {tip}, maxFeePerGas {fee}")]
    TipAboveFee {
        /// maxPriorityFeePerGas, in wei.
        tip: u128,
        /// maxFeePerGas, in wei.
        fee: u128,
    },
    /// The fee lies so far below the base fee that no block soon takes it.
    #[error("max fee per gas less than block base fee: maxFeePerGas {fee}, baseFee {base_fee}")]
    FeeTooLow {
        /// maxFeePerGas, in wei.
        fee: u128,
        /// Base fee of the next block, in wei.
        base_fee: u64,
    },
    /// Another transaction of the sender has the nonce, and this one does not pay 10 % more.
    #[error("replacement transaction underpriced")]
    Underpriced,
    /// The sender's account has code that is no delegation (EIP-3607).
    #[error("sender not an eoa: the account holds code")]
    SenderNotEoa,
    /// Init code is longer than EIP-3860 allows.
    #[error("max initcode size exceeded: code size {found}, limit {most}")]
    InitCode {
        /// Bytes of init code.
        found: usize,
        /// Allowed.
        most: usize,
    },
    /// EIP-7702: the list of authorizations is empty, or the transaction creates a contract.
    #[error("EIP-7702 transaction with an empty auth list")]
    EmptyAuthorizationList,
    /// Too many transactions of the sender wait.
    #[error("account limit exceeded: {0} transactions of the sender are waiting")]
    SenderFull(usize),
    /// The pool is full, and this transaction pays less than all that wait.
    #[error("txpool is full")]
    PoolFull,
    /// The state could not be read. Says nothing about the transaction.
    #[error("the state cannot be read: {0}")]
    State(#[from] StateError),
}
