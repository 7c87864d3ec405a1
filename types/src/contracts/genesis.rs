//! Addresses and code of the genesis contracts. The code is that of the committed artefacts, byte for byte.

use alloy_primitives::{Address, B256, Bytes, address, keccak256};
use serde::Deserialize;
use std::sync::LazyLock;

/// Where `LucidAnchors` is on every chain: sessions and their Merkle roots.
pub const LUCID_ANCHORS_ADDRESS: Address = address!("4c55434944000000000000000000000000000001");

/// Where `LucidChunkStore` is on every chain: metadata and status of encrypted chunks.
pub const LUCID_CHUNK_STORE_ADDRESS: Address = address!("4c55434944000000000000000000000000000002");

/// Where `LucidNodes` is on every chain: members, candidates, pools and task proofs.
pub const LUCID_NODES_ADDRESS: Address = address!("4c55434944000000000000000000000000000003");

/// A contract that genesis holds, with nonce 1 and no balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenesisContract {
    /// Name of the contract in its source.
    pub name: &'static str,
    /// Where it is.
    pub address: Address,
    /// Its runtime code, complete as it stands: no constructor runs.
    pub code: Bytes,
}

impl GenesisContract {
    /// Keccak-256 of the code, as the account and the chain spec have it.
    pub fn code_hash(&self) -> B256 {
        keccak256(&self.code)
    }

    fn from_artefact(name: &'static str, address: Address, artefact: &str) -> Self {
        /// The one field of an artefact that a chain needs; the others are for people and tools.
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Artefact {
            runtime_bytecode: Bytes,
        }
        #[expect(clippy::expect_used, reason = "the artefact is part of this program, and a test reads it")]
        let artefact: Artefact = serde_json::from_str(artefact).expect("an artefact is JSON with runtimeBytecode");
        Self { name, address, code: artefact.runtime_bytecode }
    }
}

static GENESIS_CONTRACTS: LazyLock<[GenesisContract; 3]> = LazyLock::new(|| {
    [
        GenesisContract::from_artefact(
            "LucidAnchors",
            LUCID_ANCHORS_ADDRESS,
            include_str!("../../../contracts/artefacts/LucidAnchors.json"),
        ),
        GenesisContract::from_artefact(
            "LucidChunkStore",
            LUCID_CHUNK_STORE_ADDRESS,
            include_str!("../../../contracts/artefacts/LucidChunkStore.json"),
        ),
        GenesisContract::from_artefact(
            "LucidNodes",
            LUCID_NODES_ADDRESS,
            include_str!("../../../contracts/artefacts/LucidNodes.json"),
        ),
    ]
});

/// The contracts of genesis, in the order of their addresses. `LucidNodes` also needs
/// [`lucid_nodes_genesis_storage`](super::lucid_nodes_genesis_storage); the others begin with empty storage.
pub fn genesis_contracts() -> [GenesisContract; 3] {
    GENESIS_CONTRACTS.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_spell_lucid_and_rise() {
        let contracts = genesis_contracts();
        for (contract, last) in contracts.iter().zip(1_u8..) {
            assert_eq!(&contract.address[..5], b"LUCID");
            assert_eq!(contract.address[5..19], [0; 14]);
            assert_eq!(contract.address[19], last);
        }
    }

    #[test]
    fn code_is_whole_and_within_the_size_limit_of_eip_170() {
        for contract in genesis_contracts() {
            assert!((1..=24_576).contains(&contract.code.len()), "{} has {} bytes", contract.name, contract.code.len());
        }
    }
}
