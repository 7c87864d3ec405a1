use alloy_consensus::TxEnvelope;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rpc_types_eth::{TransactionRequest, state::StateOverride};
use lucid_types::ChainSpec;
use std::{sync::Arc, time::Instant};

/// What the chain and the node are. It does not change while the node runs.
#[derive(Debug, Clone)]
pub struct ChainInfo {
    /// Hash of the genesis header.
    pub genesis_hash: B256,
    /// The chain spec: chain id, parameters, slots, genesis validators.
    pub spec: Arc<ChainSpec>,
    /// Name and version of the program, as `web3_clientVersion` answers: `lucid-node/v0.1.0/linux-aarch64`.
    pub client_version: String,
    /// Address of the node's account.
    pub node_address: Address,
}

/// How far a node that catches up has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncProgress {
    /// Height at which it began.
    pub starting_block: u64,
    /// Height that it has.
    pub current_block: u64,
    /// Highest height that it knows of.
    pub highest_block: u64,
}

/// An account's balance and nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccountInfo {
    /// Balance, in wei.
    pub balance: U256,
    /// Nonce: transactions sent, or contracts made.
    pub nonce: u64,
}

/// An account with what proves it against a state root (EIP-1186), or proves that there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountProof {
    /// Balance and nonce; zeros where there is no account.
    pub account: AccountInfo,
    /// keccak-256 of its code; that of nothing where it has none.
    pub code_hash: B256,
    /// Root of its storage trie; that of the empty trie where it has none.
    pub storage_root: B256,
    /// RLP of the nodes of the state trie, from the root on.
    pub nodes: Vec<Bytes>,
    /// The slots that were asked for, in that order.
    pub slots: Vec<SlotProof>,
}

/// A storage slot with what proves it against its account's storage root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotProof {
    /// Its value.
    pub value: U256,
    /// RLP of the nodes of the storage trie, from the root on.
    pub nodes: Vec<Bytes>,
}

/// A transaction that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingTransaction {
    /// The signed transaction.
    pub transaction: TxEnvelope,
    /// Who signed it.
    pub sender: Address,
}

/// How many transactions wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PoolStatus {
    /// Those that a block could take.
    pub pending: u64,
    /// Those behind a missing nonce.
    pub queued: u64,
}

/// A call to execute without a trace on the chain.
#[derive(Debug, Clone)]
pub struct CallRequest {
    /// The call as the client wrote it. A field that is absent has the value that geth gives it.
    pub transaction: TransactionRequest,
    /// Height of the block over whose state it runs.
    pub block: u64,
    /// Accounts that differ from the state for this call.
    pub overrides: StateOverride,
    /// Most gas the execution may take, whatever the call says.
    pub gas_cap: u64,
    /// When the execution has to stop; the error then is [`CallError::TimedOut`](super::CallError::TimedOut).
    pub deadline: Instant,
}

/// Which logs are looked for. Values in one list are alternatives; an empty list matches everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogQuery {
    /// First height.
    pub from_block: u64,
    /// Last height, included.
    pub to_block: u64,
    /// Contracts, in order, each once.
    pub addresses: Vec<Address>,
    /// Topics by position, in order, each once.
    pub topics: [Vec<B256>; 4],
}
