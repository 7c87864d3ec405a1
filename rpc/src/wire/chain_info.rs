use crate::api::ChainInfo;
use alloy_primitives::{Address, B256};
use lucid_types::{ChainSpec, Rules};
use serde::{Deserialize, Serialize};

/// The answer of `lucid_chainInfo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainInfoDocument {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Hash of the genesis header: what a proof is checked against.
    pub genesis_hash: B256,
    /// BLAKE3 of the canonical chain spec, as the genesis header carries it.
    pub chain_spec_hash: B256,
    /// By which rules blocks are made and judged.
    pub rules: Rules,
    /// Name and version of the program.
    pub client_version: String,
    /// Address of the node's account.
    pub node_address: Address,
    /// The last block.
    pub head: HeadDocument,
    /// Why the node makes no blocks at this moment; absent where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealing_stop: Option<String>,
    /// Start of slot 0, in Unix seconds.
    pub slot_origin: u64,
    /// Length of a slot, in seconds.
    pub slot_duration_secs: u64,
    /// The whole chain spec.
    pub chain_spec: ChainSpec,
}

/// The last block, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadDocument {
    /// Its height.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// Start of its slot, in Unix seconds.
    pub timestamp: u64,
}

impl ChainInfoDocument {
    /// Puts together what the node is and where its chain stands.
    pub(crate) fn new(info: ChainInfo, head: HeadDocument, sealing_stop: Option<String>) -> Self {
        let spec = info.spec;
        let slots = spec.slots();
        Self {
            chain_id: spec.chain_id,
            genesis_hash: info.genesis_hash,
            chain_spec_hash: spec.hash(),
            rules: spec.rules,
            client_version: info.client_version,
            node_address: info.node_address,
            head,
            sealing_stop,
            slot_origin: slots.origin,
            slot_duration_secs: slots.duration_secs,
            chain_spec: spec.as_ref().clone(),
        }
    }
}
