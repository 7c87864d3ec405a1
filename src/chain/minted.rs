//! The work in a block that minting pays for, as its receipts tell it.

use LucidAnchors::SessionRegistered;
use LucidChunkStore::ChunkStored;
use alloy_consensus::ReceiptEnvelope;
use alloy_primitives::Address;
use alloy_sol_types::SolEvent;
use lucid_types::contracts::{LUCID_ANCHORS_ADDRESS, LUCID_CHUNK_STORE_ADDRESS, LucidAnchors, LucidChunkStore};

/// What some accounts had done in a block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MintedWork {
    /// Sessions registered in it.
    pub sessions: u64,
    /// Bytes of the chunks stored in it.
    pub bytes: u64,
}

/// The work in a block with these receipts, of the accounts that `counts`.
pub fn minted_work(receipts: &[ReceiptEnvelope], counts: impl Fn(&Address) -> bool) -> MintedWork {
    let mut work = MintedWork::default();
    for log in receipts.iter().flat_map(|receipt| receipt.logs()) {
        // The contracts emit what decodes, and nobody else logs from their addresses.
        match log.address {
            LUCID_ANCHORS_ADDRESS => {
                let registered = SessionRegistered::decode_log(log).is_ok_and(|event| counts(&event.account));
                work.sessions += u64::from(registered);
            }
            LUCID_CHUNK_STORE_ADDRESS => {
                let stored = ChunkStored::decode_log(log).ok().filter(|event| counts(&event.account));
                work.bytes = work.bytes.saturating_add(stored.map_or(0, |event| event.data.sizeBytes));
            }
            _ => {}
        }
    }
    work
}
