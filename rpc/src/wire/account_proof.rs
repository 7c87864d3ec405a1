use crate::api::AccountProof;
use alloy_primitives::{Address, B256, U256};
use alloy_rpc_types_eth::{EIP1186AccountProofResponse, EIP1186StorageProof};
use serde::Deserialize;

/// A slot as `eth_getProof` is asked for it. A key of full length is answered in full length, a shorter one as a
/// number, as geth does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum StorageKey {
    /// All 32 bytes.
    Full(B256),
    /// Fewer.
    Number(U256),
}

impl StorageKey {
    /// The slot that it means.
    pub(crate) fn slot(self) -> B256 {
        match self {
            Self::Full(slot) => slot,
            Self::Number(number) => number.into(),
        }
    }
}

/// The answer of `eth_getProof`. `keys` are those that the proof was asked for, in that order.
pub(crate) fn account_proof(address: Address, keys: &[StorageKey], proof: AccountProof) -> EIP1186AccountProofResponse {
    let slots = keys.iter().zip(proof.slots).map(|(key, slot)| EIP1186StorageProof {
        key: match *key {
            StorageKey::Full(slot) => slot.into(),
            StorageKey::Number(number) => number.into(),
        },
        value: slot.value,
        proof: slot.nodes,
    });
    EIP1186AccountProofResponse {
        address,
        balance: proof.account.balance,
        nonce: proof.account.nonce,
        code_hash: proof.code_hash,
        storage_hash: proof.storage_root,
        storage_proof: slots.collect(),
        account_proof: proof.nodes,
    }
}
