//! Task proofs that count nothing, each for another reason.

use super::chain::RealChain;
use crate::rng::Rng;
use alloy_primitives::{B256, B512};
use lucid_node::{consensus::poot::TaskProof, keys::SecretKey};
use lucid_storage::TaskValue;

/// How far beside the block's slot a proof lies that counts no more, or not yet.
const FAR_SLOTS: u64 = 1_000;

/// A record that looks like a proof of work done in `slot`, made by the node with `key`.
pub(super) fn forged(rng: &mut Rng, chain: &RealChain, key: &SecretKey, slot: u64) -> Vec<u8> {
    let work = TaskValue::Relay { bytes_transferred: 1 << 20, sessions_relayed: 7 };
    let sign = |slot, value| TaskProof::sign(key, chain.genesis_hash, slot, value, 1);
    let proof = match rng.between(0, 6) {
        // Nobody signed it.
        0 => TaskProof { signature: B512::left_padding_from(&rng.bits().to_be_bytes()), ..sign(slot, work) },
        // Signed for something else.
        1 => TaskProof {
            value: TaskValue::Relay { bytes_transferred: 2 << 20, sessions_relayed: 8 },
            ..sign(slot, work)
        },
        // For another chain.
        2 => TaskProof::sign(key, B256::repeat_byte(1), slot, work, 1),
        // More than can be.
        3 => sign(slot, TaskValue::Relay { bytes_transferred: u64::MAX, sessions_relayed: 1_000 }),
        4 => sign(slot, TaskValue::Storage { chunks_stored: 1, size_bytes: 1 << 40 }),
        // Of a time to come, and of one that is over.
        5 => sign(slot + FAR_SLOTS, work),
        _ => sign(slot.saturating_sub(FAR_SLOTS), TaskValue::Uptime { uptime_seconds: u64::MAX }),
    };
    proof.encode().to_vec()
}
