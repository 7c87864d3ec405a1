//! What an attacker does to a block that is in order.

use alloy_consensus::proofs::calculate_transaction_root;
use alloy_primitives::{B256, Bytes};
use alloy_rlp::Decodable;
use lucid_node::{
    chain::Block,
    consensus::{
        bft::BuiltBlock,
        poot::{vrf_alpha, vrf_prove},
    },
    keys::SecretKey,
};

fn change(built: BuiltBlock, change: impl FnOnce(&mut Block)) -> Option<BuiltBlock> {
    let mut block = Block::decode(&mut &built.block[..]).ok()?;
    change(&mut block);
    let block_hash = block.header.hash_slow();
    Some(BuiltBlock { block_hash, block: Bytes::from(alloy_rlp::encode(&block)), ..built })
}

/// A rule is broken that the hash fixes, another one for each `kind`.
pub(super) fn spoil(built: BuiltBlock, kind: u64) -> Option<BuiltBlock> {
    change(built, |block| match kind % 5 {
        0 => block.header.state_root = B256::repeat_byte(1),
        // The same transaction twice: its nonce is used.
        1 => {
            block.body.transactions.extend(block.body.transactions.first().cloned());
            block.header.transactions_root = calculate_transaction_root(&block.body.transactions);
        }
        2 => block.header.gas_used += 1,
        3 => block.header.timestamp += 1,
        _ => block.header.beneficiary.0[0] ^= 1,
    })
}

/// With the VRF output and proof of another key.
pub(super) fn with_vrf_of(built: BuiltBlock, key: &SecretKey, parent_mix: B256) -> Option<BuiltBlock> {
    let (proof, output) = vrf_prove(key, &vrf_alpha(parent_mix, built.height));
    let built = change(built, |block| block.header.mix_hash = output)?;
    Some(BuiltBlock { vrf_proof: Some(proof), ..built })
}
