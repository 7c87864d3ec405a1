use alloy_primitives::{Address, U256};

/// Why a signed transaction is not taken. The texts are geth's: Ethereum's tools match on them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransactionRefusal {
    /// Not the bytes of a signed transaction.
    #[error("transaction could not be decoded: {0}")]
    Malformed(String),
    /// A type that this chain does not have (blob transactions), or no type at all.
    #[error("transaction type not supported")]
    TypeNotSupported(u8),
    /// Signed for another chain.
    #[error("invalid chain id for signer: have {have} want {want}")]
    WrongChain {
        /// Chain id in the transaction.
        have: u64,
        /// This chain's id.
        want: u64,
    },
    /// A legacy transaction without a chain id could be replayed on another chain.
    #[error("only replay-protected (EIP-155) transactions allowed over RPC")]
    Unprotected,
    /// No account signed this.
    #[error("invalid sender")]
    InvalidSender,
    /// The account has code that is no delegation (EIP-3607).
    #[error("sender not an eoa: address {0}")]
    SenderNotEoa(Address),
    /// In the pool already.
    #[error("already known")]
    AlreadyKnown,
    /// The account has used that nonce.
    #[error("nonce too low: next nonce {next}, tx nonce {nonce}")]
    NonceTooLow {
        /// Nonce of the account.
        next: u64,
        /// Nonce in the transaction.
        nonce: u64,
    },
    /// Too far above the account's nonce to wait.
    #[error("nonce too high: next nonce {next}, tx nonce {nonce}")]
    NonceTooHigh {
        /// Nonce that the account could use.
        next: u64,
        /// Nonce in the transaction.
        nonce: u64,
    },
    /// The nonce has no successor (EIP-2681).
    #[error("nonce has max value")]
    NonceMax,
    /// The account cannot pay the most that this may cost.
    #[error("insufficient funds for gas * price + value: balance {balance}, tx cost {cost}, overshot {}", .cost.saturating_sub(*.balance))]
    InsufficientFunds {
        /// What the account has left, in wei.
        balance: U256,
        /// What the transaction may cost, in wei.
        cost: U256,
    },
    /// Less gas than the transaction takes before anything runs.
    #[error("intrinsic gas too low: gas {gas}, minimum needed {needed}")]
    IntrinsicGasTooLow {
        /// Gas limit of the transaction.
        gas: u64,
        /// Gas it takes at least.
        needed: u64,
    },
    /// More gas than a block has.
    #[error("exceeds block gas limit")]
    ExceedsBlockGasLimit,
    /// More gas than a transaction may have (EIP-7825).
    #[error("transaction gas limit too high (cap: {cap}, tx: {gas})")]
    GasLimitTooHigh {
        /// Most gas of a transaction.
        cap: u64,
        /// Gas limit of the transaction.
        gas: u64,
    },
    /// The fee cap does not reach the base fee that this pool asks for.
    #[error("max fee per gas less than block base fee: maxFeePerGas: {max_fee}, baseFee: {base_fee}")]
    FeeCapTooLow {
        /// Fee cap, in wei per gas.
        max_fee: u128,
        /// Base fee, in wei per gas.
        base_fee: u64,
    },
    /// The tip is above the fee cap.
    #[error(
        "max priority fee per gas higher than max fee per gas: maxPriorityFeePerGas: {tip}, maxFeePerGas: {max_fee}"
    )]
    TipAboveFeeCap {
        /// Tip, in wei per gas.
        tip: u128,
        /// Fee cap, in wei per gas.
        max_fee: u128,
    },
    /// Another transaction with this nonce waits, and this one does not pay enough more.
    #[error("replacement transaction underpriced")]
    ReplacementUnderpriced,
    /// More bytes than a transaction may have.
    #[error("oversized data: transaction size {size}, limit {limit}")]
    Oversized {
        /// Bytes of the transaction.
        size: usize,
        /// Most bytes.
        limit: usize,
    },
    /// Creation code above the limit of EIP-3860.
    #[error("max initcode size exceeded: code size {size}, limit {limit}")]
    InitCodeTooLarge {
        /// Bytes of the code.
        size: usize,
        /// Most bytes.
        limit: usize,
    },
    /// Set-code transaction (EIP-7702) without an authorization, or with a creation.
    #[error("EIP-7702 transaction {0}")]
    BadAuthorizationList(&'static str),
    /// The pool is full of transactions that pay more.
    #[error("txpool is full")]
    PoolFull,
    /// So many transactions of this account wait already.
    #[error("account limit exceeded: {0} transactions of this account wait already")]
    AccountLimit(usize),
}
