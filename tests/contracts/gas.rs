//! What the contracts cost, as a receipt shows it: intrinsic gas and the floor of EIP-7623 included. A block of
//! 8,000,000 gas holds the sessions it is meant to hold only while these bounds do.

use super::harness::{BLOCK_GAS_LIMIT, Chain, account, registration};
use alloy_primitives::{Address, B256, Bytes};
use lucid_types::contracts::{
    LUCID_ANCHORS_ADDRESS, LUCID_CHUNK_STORE_ADDRESS, LUCID_NODES_ADDRESS, LucidChunkStore as Store, LucidNodes,
    TASK_PROOF_BYTES,
};

const ALICE: Address = Address::repeat_byte(0xa1);

/// A chunk of 16 MiB less a little: four bytes of size, none zero.
const SIZE_BYTES: u64 = 0x01ff_fefd;

fn chunk(session_id: B256, index: u32) -> Store::ChunkMetadata {
    let hash = alloy_primitives::keccak256(index.to_be_bytes());
    Store::ChunkMetadata { sessionId: session_id, index, ciphertextSha256: hash, sizeBytes: SIZE_BYTES }
}

/// Bytes of a hash have no zeros to speak of, and zeros would make the calls look cheaper than they are.
fn dense(n: u8) -> B256 {
    B256::repeat_byte(n | 1)
}

#[test]
fn registering_a_session_costs_at_most_75_000() {
    let mut chain = Chain::new();
    let call = registration(7, 0x0001_0101);
    let gas = chain.send(ALICE, LUCID_ANCHORS_ADDRESS, &call).gas_used;
    println!("registerSession: {gas}");
    assert!(gas <= 75_000, "{gas}");
    // The next one of the same account is not dearer.
    let gas = chain.send(ALICE, LUCID_ANCHORS_ADDRESS, &registration(9, 0x0001_0101)).gas_used;
    assert!(gas <= 75_000, "{gas}");
}

#[test]
fn metadata_of_one_chunk_costs_at_most_55_000() {
    let mut chain = Chain::new();
    let id = chain.register_session(ALICE, 7, 1 << 20);
    let call = Store::storeChunkCall { chunk: chunk(id, 0x000f_0101) };
    let gas = chain.send(ALICE, LUCID_CHUNK_STORE_ADDRESS, &call).gas_used;
    println!("storeChunk: {gas}");
    assert!(gas <= 55_000, "{gas}");
    let gas =
        chain.send(ALICE, LUCID_CHUNK_STORE_ADDRESS, &Store::storeChunksCall { chunks: vec![chunk(id, 5)] }).gas_used;
    println!("storeChunks of one: {gas}");
    assert!(gas <= 55_000, "{gas}");
}

#[test]
fn a_chunk_in_a_batch_of_100_costs_at_most_5_500() {
    let mut chain = Chain::new();
    let id = chain.register_session(ALICE, 7, 1 << 20);
    // Indexes of three bytes over two words of the bitmap: the dearest batch of one session's neighbours.
    let first = 0x0001_01ff - 50;
    let chunks = (first..first + 100).map(|index| chunk(id, index)).collect();
    let gas = chain.send(ALICE, LUCID_CHUNK_STORE_ADDRESS, &Store::storeChunksCall { chunks }).gas_used / 100;
    println!("storeChunks of 100, each: {gas}");
    assert!(gas <= 5_500, "{gas}");
}

fn run(session_id: B256, first: u32, count: u32) -> Store::storeRunCall {
    let chunks: Vec<_> = (first..first + count).map(|index| chunk(session_id, index)).collect();
    Store::storeRunCall {
        sessionId: session_id,
        firstIndex: first,
        hashes: chunks.iter().map(|chunk| chunk.ciphertextSha256).collect(),
        sizes: chunks.iter().map(|chunk| chunk.sizeBytes).collect(),
    }
}

#[test]
fn a_chunk_in_a_run_of_100_costs_at_most_4_000() {
    let mut chain = Chain::new();
    let id = chain.register_session(ALICE, 7, 1 << 20);
    for first in [0, 0x0001_01ff - 50] {
        let gas = chain.send(ALICE, LUCID_CHUNK_STORE_ADDRESS, &run(id, first, 100)).gas_used / 100;
        println!("storeRun of 100 from {first}, each: {gas}");
        assert!(gas <= 4_000, "{gas}");
    }
}

#[test]
fn a_block_takes_8_sessions_of_200_chunks_at_least() {
    let mut chain = Chain::new();
    let mut gas = chain.send(ALICE, LUCID_ANCHORS_ADDRESS, &registration(7, 200)).gas_used;
    let id = registration(7, 200).sessionId;
    for first in [0, 100] {
        let chunks = (first..first + 100).map(|index| chunk(id, index)).collect();
        gas += chain.send(ALICE, LUCID_CHUNK_STORE_ADDRESS, &Store::storeChunksCall { chunks }).gas_used;
    }
    println!("a session of 200 chunks in batches: {gas}");
    assert!(gas * 8 <= BLOCK_GAS_LIMIT, "{gas}");
}

#[test]
fn a_task_proof_in_a_batch_of_100_costs_at_most_5_500() {
    let mut chain = Chain::new();
    // No byte is zero: the dearest that a batch can be.
    let proofs = Bytes::from(vec![0xff; 100 * TASK_PROOF_BYTES]);
    let call = LucidNodes::submitTaskProofsCall { proofs: proofs.clone() };
    let receipt = chain.send(ALICE, LUCID_NODES_ADDRESS, &call);
    println!("submitTaskProofs of 100, each: {}", receipt.gas_used / 100);
    assert!(receipt.gas_used <= 550_000, "{}", receipt.gas_used);
    let event = receipt.only_event::<LucidNodes::TaskProofsSubmitted>();
    assert_eq!(event, LucidNodes::TaskProofsSubmitted { submitter: ALICE, proofs });
}

#[test]
fn reading_a_full_member_list_fits_into_a_block() {
    // Keys need not be points here: genesis does not check them, and the cost is the same.
    let nodes: Vec<_> = (1..=100)
        .map(|n| lucid_types::contracts::GenesisNode {
            node: account(n),
            operator: account(n + 100),
            consensus_key: [dense(n).0, [n; 32]].concat().try_into().unwrap(),
        })
        .collect();
    let mut chain = Chain::with_nodes(3, &nodes);
    let receipt = chain.send(ALICE, LUCID_NODES_ADDRESS, &LucidNodes::membersCall {});
    println!("members() of 100: {}", receipt.gas_used);
    assert!(receipt.gas_used < BLOCK_GAS_LIMIT);
}
