//! The storage that `LucidNodes` begins with. No constructor runs in genesis, so the layout that solc gives to the
//! contract's variables is written here by hand:
//!
//! | slot | variable |
//! |---|---|
//! | 0 | `bytes32 chainSpecHash` |
//! | 1 | from the low end: `uint32 validatorsNeeded`, `uint32 registrations` |
//! | 2 | length of `address[] _members`; element i at keccak256(2) + i |
//! | 3 | `mapping(address => Node) _nodes`; a node's four slots begin at keccak256(address ‖ 3) |
//! | 4 | `mapping(address => address) _nodeOfConsensusKey`, at keccak256(signer ‖ 4) |
//! | 5, 6 | votes and pools: empty at genesis |
//!
//! `Node`, from the low end of each slot: 0 `address operator`, `uint32 number`, `uint32 ballot`, `uint16 votes`,
//! `uint8 place` (index in `_members` plus one), `uint8 standing` · 1 `bytes32 keyX` · 2 `address pool`,
//! `uint8 keyPrefix` (2 or 3, as in a compressed point) · 3 `address requestedPool`.

use crate::GenesisValidator;
use alloy_primitives::{Address, B256, U256, keccak256};
use std::collections::BTreeMap;

const CHAIN_SPEC_HASH_SLOT: u64 = 0;
const COUNTS_SLOT: u64 = 1;
const MEMBERS_SLOT: u64 = 2;
const NODES_SLOT: u64 = 3;
const NODE_OF_CONSENSUS_KEY_SLOT: u64 = 4;

/// `Standing.Member` of the contract.
const STANDING_MEMBER: u8 = 2;

/// The first ballot on a member that was never a candidate. Zero is left to nodes that never registered.
const FIRST_BALLOT: u32 = 1;

/// What the signature of a registration begins with.
pub const REGISTRATION_DOMAIN: [u8; 16] = *b"lucid/node/reg/1";

/// Bytes of one task proof in `submitTaskProofs`: type (1), slot (8), two values (8 each), time stamp (8) and
/// signature (64, EIP-2098), integers big-endian.
pub const TASK_PROOF_BYTES: usize = 97;

/// A member that a chain begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GenesisNode {
    /// The node's account.
    pub node: Address,
    /// The account of the person who runs it.
    pub operator: Address,
    /// Its consensus key, uncompressed: x and then y, without the leading 0x04.
    pub consensus_key: [u8; 64],
}

impl From<&GenesisValidator> for GenesisNode {
    fn from(validator: &GenesisValidator) -> Self {
        Self {
            node: validator.node,
            operator: validator.operator,
            consensus_key: validator.consensus_key.to_uncompressed(),
        }
    }
}

/// The slots of `LucidNodes` that are not zero in genesis, in rising order of the slot.
///
/// `nodes` are the genesis validators in the order of their registration numbers: the server, which has number 0,
/// then the others as the chain spec lists them. They are at most 100, each with a node and a key of its own, as the
/// check of a chain spec makes sure.
pub fn lucid_nodes_genesis_storage(
    spec_hash: B256,
    validators_needed: u32,
    nodes: &[GenesisNode],
) -> Vec<(U256, U256)> {
    let mut slots = BTreeMap::new();
    let count = U256::from(nodes.len());
    slots.insert(U256::from(CHAIN_SPEC_HASH_SLOT), spec_hash.into());
    slots.insert(U256::from(COUNTS_SLOT), U256::from(validators_needed) | (count << 32));
    slots.insert(U256::from(MEMBERS_SLOT), count);

    let members: U256 = keccak256(B256::from(U256::from(MEMBERS_SLOT))).into();
    for (number, node) in (0_u32..).zip(nodes) {
        let account = node.node.into_word().into();
        slots.insert(members + U256::from(number), account);
        slots.insert(mapping_slot(signer_address(&node.consensus_key), NODE_OF_CONSENSUS_KEY_SLOT), account);

        let base = mapping_slot(node.node, NODES_SLOT);
        let place = U256::from(number) + U256::ONE;
        let operator: U256 = node.operator.into_word().into();
        slots.insert(
            base,
            operator
                | (U256::from(number) << 160)
                | (U256::from(FIRST_BALLOT) << 192)
                | (place << 240)
                | (U256::from(STANDING_MEMBER) << 248),
        );
        slots.insert(base + U256::ONE, U256::from_be_slice(&node.consensus_key[..32]));
        let key_prefix = 2 + (node.consensus_key[63] & 1);
        slots.insert(base + U256::from(2), U256::from(key_prefix) << 160);
    }
    slots.retain(|_, value: &mut U256| !value.is_zero());
    slots.into_iter().collect()
}

/// What a consensus key signs so that its node can be registered: Keccak-256 of domain, chain-spec hash, node and
/// operator.
pub fn registration_digest(spec_hash: B256, node: Address, operator: Address) -> B256 {
    keccak256([REGISTRATION_DOMAIN.as_slice(), spec_hash.as_slice(), node.as_slice(), operator.as_slice()].concat())
}

/// The address of an uncompressed key, as `ecrecover` gives it.
fn signer_address(key: &[u8; 64]) -> Address {
    Address::from_raw_public_key(key)
}

/// Where Solidity keeps the value of `key` in the mapping at `slot`.
fn mapping_slot(key: Address, slot: u64) -> U256 {
    let mut preimage = [0; 64];
    preimage[12..32].copy_from_slice(key.as_slice());
    preimage[56..].copy_from_slice(&slot.to_be_bytes());
    keccak256(preimage).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (label, slot, offset) of every variable that genesis writes, and of the members of `Node`.
    const VARIABLES: [(&str, u64, u64); 5] = [
        ("chainSpecHash", CHAIN_SPEC_HASH_SLOT, 0),
        ("validatorsNeeded", COUNTS_SLOT, 0),
        ("registrations", COUNTS_SLOT, 4),
        ("_members", MEMBERS_SLOT, 0),
        ("_nodes", NODES_SLOT, 0),
    ];
    const NODE: [(&str, u64, u64); 10] = [
        ("operator", 0, 0),
        ("number", 0, 20),
        ("ballot", 0, 24),
        ("votes", 0, 28),
        ("place", 0, 30),
        ("standing", 0, 31),
        ("keyX", 1, 0),
        ("pool", 2, 0),
        ("keyPrefix", 2, 20),
        ("requestedPool", 3, 0),
    ];

    fn places(list: &serde_json::Value) -> Vec<(String, u64, u64)> {
        let place = |v: &serde_json::Value| {
            let slot = v["slot"].as_str().unwrap().parse().unwrap();
            (v["label"].as_str().unwrap().to_owned(), slot, v["offset"].as_u64().unwrap())
        };
        list.as_array().unwrap().iter().map(place).collect()
    }

    fn owned(list: &[(&str, u64, u64)]) -> Vec<(String, u64, u64)> {
        list.iter().map(|(label, slot, offset)| ((*label).to_owned(), *slot, *offset)).collect()
    }

    #[test]
    fn the_layout_is_the_compilers() {
        let artefact: serde_json::Value =
            serde_json::from_str(include_str!("../../../contracts/artefacts/LucidNodes.json")).unwrap();
        let layout = &artefact["storageLayout"];
        let variables = places(&layout["variables"]);
        assert_eq!(variables[..5], owned(&VARIABLES));
        assert_eq!(variables[5], ("_nodeOfConsensusKey".to_owned(), NODE_OF_CONSENSUS_KEY_SLOT, 0));
        assert_eq!(places(&layout["structs"]["struct LucidNodes.Node"]), owned(&NODE));
    }

    #[test]
    fn slots_rise_and_none_is_zero() {
        let node = |n: u8| GenesisNode {
            node: Address::repeat_byte(n),
            operator: Address::repeat_byte(n + 100),
            consensus_key: [n; 64],
        };
        let nodes: Vec<_> = (1..=100).map(node).collect();
        let slots = lucid_nodes_genesis_storage(B256::repeat_byte(9), 3, &nodes);
        // Three counts and the hash share slots 0 to 2; each node has a place, a key and three slots of its own.
        assert_eq!(slots.len(), 3 + 5 * 100);
        assert!(slots.is_sorted_by(|a, b| a.0 < b.0));
        assert!(slots.iter().all(|(_, value)| !value.is_zero()));
    }
}
