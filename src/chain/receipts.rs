use super::error::ChainError;
use alloy_primitives::Bytes;
use alloy_trie::{HashBuilder, Nibbles, proof::ProofRetainer};
use lucid_storage::{Direction, Reader, Receipts};

/// The Merkle-Patricia path from the receipts root of the block at `height` to the receipt at `index`, root node first;
/// `None` where the block has no such receipt.
///
/// The trie is built anew from the stored receipts: a block has at most a thousand, and paths are seldom asked for.
pub fn receipt_path(reader: &impl Reader, height: u64, index: u64) -> Result<Option<Vec<Bytes>>, ChainError> {
    let mut leaves = Vec::new();
    for row in reader.range_prefix::<Receipts>(&height, Direction::Forward)? {
        let (key, record) = row?;
        leaves.push((leaf_key(u64::from(key.index)), record.raw));
    }
    if index >= leaves.len() as u64 {
        return Ok(None);
    }
    // RLP does not keep the order of numbers (0 is 0x80), and the builder takes its leaves in order.
    leaves.sort_unstable();
    let mut builder = HashBuilder::default().with_proof_retainer(ProofRetainer::new(vec![leaf_key(index)]));
    for (key, value) in leaves {
        builder.add_leaf(key, &value);
    }
    builder.root();
    Ok(Some(builder.take_proof_nodes().into_nodes_sorted().into_iter().map(|(_, node)| node).collect()))
}

/// Where a receipt lies in the trie: under the RLP of its index.
fn leaf_key(index: u64) -> Nibbles {
    Nibbles::unpack(alloy_rlp::encode(index))
}
