//! Blocks and the state behind them. Headers, transactions and receipts are kept as their standard bytes, so
//! that no library's own form of them is ever stored.

use crate::{
    codec::{self, Record},
    schema::fields,
};
use alloy_primitives::{Address, B256, U256};
use serde::{Deserialize, Serialize};

/// A block, by its height.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockRecord {
    /// keccak256 of the header.
    pub hash: B256,
    /// When the block's slot starts, in Unix seconds.
    pub timestamp: u64,
    /// The leader who made it: the header's beneficiary.
    pub validator: Address,
    /// Size of the block in RLP.
    pub size_bytes: u64,
    /// Number of its transactions.
    pub transaction_count: u32,
    /// RLP of the header.
    #[serde(with = "codec::bytes")]
    pub header: Vec<u8>,
    /// RLP of the list of withdrawals.
    #[serde(with = "codec::bytes")]
    pub withdrawals: Vec<u8>,
}

/// A transaction, by its block and place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionRecord {
    /// keccak256 of `raw`.
    pub hash: B256,
    /// Who signed it.
    pub sender: Address,
    /// The sender's nonce.
    pub nonce: u64,
    /// The signed transaction (EIP-2718).
    #[serde(with = "codec::bytes")]
    pub raw: Vec<u8>,
}

/// A receipt, by its transaction's block and place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptRecord {
    /// The receipt with its bloom (EIP-2718), as the receipts root commits to it.
    #[serde(with = "codec::bytes")]
    pub raw: Vec<u8>,
    /// Gas that this transaction alone used.
    pub gas_used: u64,
    /// Place in the block of its first log; of the next log where it has none.
    pub first_log_index: u64,
    /// Address of the contract that it created.
    pub contract_address: Option<Address>,
}

/// An account, by its address, as the state trie has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRecord {
    /// Transactions sent, or contracts created.
    pub nonce: u64,
    /// Balance in wei.
    #[serde(with = "codec::amount")]
    pub balance: U256,
    /// keccak256 of its code.
    #[serde(with = "code_hash")]
    pub code_hash: B256,
    /// Root of its storage trie.
    #[serde(with = "storage_root")]
    pub storage_root: B256,
}

/// Head of the chain and the sums that go with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockchainStateRecord {
    /// Height of the newest block.
    pub height: u64,
    /// Its hash.
    pub hash: B256,
    /// State root after it.
    pub state_root: B256,
    /// Its timestamp, in Unix seconds.
    pub timestamp: u64,
    /// All that was ever minted, in wei.
    #[serde(with = "codec::amount")]
    pub minted: U256,
    /// Withdrawals on the chain so far: the index of the next one.
    pub withdrawal_count: u64,
    /// Transactions on the chain so far.
    pub transaction_count: u64,
}

impl Record for BlockRecord {
    const VERSION: u8 = 1;
}

impl Record for TransactionRecord {
    const VERSION: u8 = 1;
}

impl Record for ReceiptRecord {
    const VERSION: u8 = 1;
}

impl Record for AccountRecord {
    const VERSION: u8 = 1;
}

impl Record for BlockchainStateRecord {
    const VERSION: u8 = 1;
}

impl Record for lucid_types::Seal {
    const VERSION: u8 = 1;
}

/// A module for `#[serde(with)]` that writes one usual hash as no bytes at all: nearly every account has no code
/// and no storage.
macro_rules! usual_hash {
    ($name:ident, $usual:expr) => {
        mod $name {
            use crate::codec::bytes;
            use alloy_primitives::{B256, b256};
            use serde::{Deserializer, Serializer, de::Error};

            const USUAL: B256 = $usual;

            pub(super) fn serialize<S: Serializer>(hash: &B256, serializer: S) -> Result<S::Ok, S::Error> {
                bytes::serialize(if *hash == USUAL { &[] } else { hash.as_slice() }, serializer)
            }

            pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<B256, D::Error> {
                let bytes = bytes::deserialize(deserializer)?;
                if bytes.is_empty() { Ok(USUAL) } else { B256::try_from(&bytes[..]).map_err(D::Error::custom) }
            }
        }
    };
}

// keccak256 of nothing.
usual_hash!(code_hash, b256!("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"));
// Root of the empty trie: keccak256 of the RLP of the empty string.
usual_hash!(storage_root, b256!("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"));

fields! {
    BlockRecord { hash, timestamp: Date, validator, size_bytes, transaction_count, header, withdrawals }
    TransactionRecord { hash, sender, nonce, raw }
    ReceiptRecord { raw, gas_used, first_log_index, contract_address }
    AccountRecord { nonce, balance, code_hash, storage_root }
    BlockchainStateRecord {
        height, hash, state_root, timestamp: Date, minted, withdrawal_count, transaction_count,
    }
}
