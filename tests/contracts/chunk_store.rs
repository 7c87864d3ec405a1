//! LucidChunkStore: metadata is written once, by the account that registered the session, in any of three ways.

use super::harness::{Chain, account, session_id};
use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolCall;
use lucid_types::contracts::{LUCID_ANCHORS_ADDRESS, LUCID_CHUNK_STORE_ADDRESS as STORE, LucidChunkStore as S};

const ALICE: Address = Address::repeat_byte(0xa1);
const MALLORY: Address = Address::repeat_byte(0xbd);
const GIB: u64 = 1 << 30;

fn chunk(n: u8, index: u32) -> S::ChunkMetadata {
    S::ChunkMetadata { sessionId: session_id(n), index, ciphertextSha256: B256::repeat_byte(0x5a), sizeBytes: 1000 }
}

fn one(chunk: S::ChunkMetadata) -> S::storeChunkCall {
    S::storeChunkCall { chunk }
}

fn run(n: u8, first: u32, count: usize) -> S::storeRunCall {
    S::storeRunCall {
        sessionId: session_id(n),
        firstIndex: first,
        hashes: vec![B256::repeat_byte(0x5a); count],
        sizes: vec![1000; count],
    }
}

fn stored(n: u8, index: u32) -> S::ChunkStored {
    let S::ChunkMetadata { sessionId, index, ciphertextSha256, sizeBytes } = chunk(n, index);
    S::ChunkStored { sessionId, account: ALICE, index, ciphertextSha256, sizeBytes }
}

fn is_stored(chain: &mut Chain, account: Address, n: u8, index: u32) -> bool {
    chain.view(STORE, &S::isChunkStoredCall { account, sessionId: session_id(n), index })
}

#[test]
fn the_store_knows_where_the_anchors_are() {
    assert_eq!(Chain::new().view(STORE, &S::ANCHORSCall {}), LUCID_ANCHORS_ADDRESS);
}

#[test]
fn one_chunk_leaves_one_event_and_one_bit() {
    let mut chain = Chain::new();
    let id = chain.register_session(ALICE, 1, 300);
    let receipt = chain.send(ALICE, STORE, &one(chunk(1, 255)));
    assert_eq!(receipt.only_event::<S::ChunkStored>(), stored(1, 255));
    assert_eq!(receipt.logs[0].topics()[1..], [id, ALICE.into_word()]);
    assert_eq!(receipt.logs[0].address, STORE);
    for (index, expected) in [(254, false), (255, true), (256, false)] {
        assert_eq!(is_stored(&mut chain, ALICE, 1, index), expected, "index {index}");
    }
    assert!(!is_stored(&mut chain, MALLORY, 1, 255));
}

#[test]
fn a_batch_spans_sessions_and_bitmap_words() {
    let mut chain = Chain::new();
    chain.register_session(ALICE, 1, 300);
    chain.register_session(ALICE, 2, 2);
    let places = [(1, 255), (2, 0), (1, 256), (1, 0), (2, 1)];
    let chunks = places.iter().map(|&(n, index)| chunk(n, index)).collect();
    let receipt = chain.send(ALICE, STORE, &S::storeChunksCall { chunks });
    let expected: Vec<_> = places.iter().map(|&(n, index)| stored(n, index)).collect();
    assert_eq!(receipt.events::<S::ChunkStored>(), expected);
    for (n, index) in places {
        assert!(is_stored(&mut chain, ALICE, n, index));
    }
}

#[test]
fn a_batch_is_all_or_nothing() {
    let mut chain = Chain::new();
    let id = chain.register_session(ALICE, 1, 300);
    let twice = S::storeChunksCall { chunks: vec![chunk(1, 7), chunk(1, 7)] };
    chain.refuses(ALICE, STORE, &twice, &S::ChunkAlreadyWritten { sessionId: id, index: 7 });
    let foreign = S::storeChunksCall { chunks: vec![chunk(1, 7), chunk(2, 0)] };
    let error = S::UnknownSession { account: ALICE, sessionId: session_id(2) };
    chain.refuses(ALICE, STORE, &foreign, &error);
    assert!(!is_stored(&mut chain, ALICE, 1, 7));
    chain.refuses(ALICE, STORE, &S::storeChunksCall { chunks: vec![] }, &S::EmptyBatch {});
}

#[test]
fn a_run_writes_every_chunk_between_its_ends_and_no_other() {
    // Around the ends of a word of the bitmap, within one, over a whole one, and over several.
    for (first, count) in [(0, 1), (255, 1), (255, 2), (256, 256), (250, 520), (3, 252), (0, 900)] {
        let mut chain = Chain::new();
        chain.register_session(ALICE, 1, 1000);
        let receipt = chain.send(ALICE, STORE, &run(1, first, count as usize));
        let expected: Vec<_> = (first..first + count).map(|index| stored(1, index)).collect();
        assert_eq!(receipt.events::<S::ChunkStored>(), expected);
        let near = (first.saturating_sub(2)..first + 2).chain(first + count - 1..first + count + 2);
        for index in near {
            let inside = (first..first + count).contains(&index);
            assert_eq!(is_stored(&mut chain, ALICE, 1, index), inside, "run {first} + {count}, index {index}");
        }
    }
}

#[test]
fn a_run_that_meets_a_written_chunk_names_the_first() {
    for written in [0, 100, 255, 256, 511, 599] {
        let mut chain = Chain::new();
        let id = chain.register_session(ALICE, 1, 1000);
        chain.send(ALICE, STORE, &one(chunk(1, written)));
        let error = S::ChunkAlreadyWritten { sessionId: id, index: written };
        chain.refuses(ALICE, STORE, &run(1, 0, 600), &error);
        chain.refuses(ALICE, STORE, &one(chunk(1, written)), &error);
        assert!(!is_stored(&mut chain, ALICE, 1, 1), "a refused run wrote");
    }
}

#[test]
fn writes_to_one_word_do_not_undo_each_other() {
    let mut chain = Chain::new();
    chain.register_session(ALICE, 1, 256);
    chain.send(ALICE, STORE, &one(chunk(1, 200)));
    chain.send(ALICE, STORE, &run(1, 10, 20));
    chain.send(ALICE, STORE, &run(1, 30, 5));
    chain.send(ALICE, STORE, &one(chunk(1, 0)));
    for index in 0..256 {
        let expected = index == 0 || (10..35).contains(&index) || index == 200;
        assert_eq!(is_stored(&mut chain, ALICE, 1, index), expected, "index {index}");
    }
}

#[test]
fn a_run_has_a_size_for_each_hash() {
    let mut chain = Chain::new();
    chain.register_session(ALICE, 1, 10);
    chain.refuses(ALICE, STORE, &run(1, 0, 0), &S::EmptyBatch {});
    for (hashes, sizes) in [(2, 1), (1, 2), (1, 0)] {
        let call = S::storeRunCall { sizes: vec![1; sizes], ..run(1, 0, hashes) };
        let error = S::LengthMismatch { hashes: U256::from(hashes), sizes: U256::from(sizes) };
        chain.refuses(ALICE, STORE, &call, &error);
    }
}

#[test]
fn an_index_is_below_the_chunk_count() {
    let mut chain = Chain::new();
    let id = chain.register_session(ALICE, 1, 10);
    let out = |index: u64| S::ChunkIndexOutOfRange { sessionId: id, index: U256::from(index), chunkCount: 10 };
    for index in [10, 256, u32::MAX] {
        chain.refuses(ALICE, STORE, &one(chunk(1, index)), &out(index.into()));
        chain.refuses(ALICE, STORE, &S::storeChunksCall { chunks: vec![chunk(1, index)] }, &out(index.into()));
        chain.refuses(ALICE, STORE, &run(1, index, 1), &out(index.into()));
        let update = S::updateChunkStatusCall { sessionId: id, index, status: S::ChunkStatus::Verified };
        chain.refuses(ALICE, STORE, &update, &out(index.into()));
    }
    // A run names the first chunk of its own that does not fit, and does not wrap around.
    chain.refuses(ALICE, STORE, &run(1, 8, 5), &out(10));
    chain.refuses(ALICE, STORE, &run(1, u32::MAX, 12), &out(u32::MAX.into()));
    chain.send(ALICE, STORE, &run(1, 0, 10));
}

#[test]
fn hashes_are_not_zero_and_sizes_are_1_byte_to_1_gib() {
    let mut chain = Chain::new();
    chain.register_session(ALICE, 1, 10);
    let zero = S::ZeroValue { field: "ciphertextSha256".to_owned() };
    let no_hash = S::ChunkMetadata { ciphertextSha256: B256::ZERO, ..chunk(1, 0) };
    chain.refuses(ALICE, STORE, &one(no_hash.clone()), &zero);
    chain.refuses(ALICE, STORE, &S::storeChunksCall { chunks: vec![chunk(1, 1), no_hash] }, &zero);
    let mut no_hash = run(1, 0, 3);
    no_hash.hashes[2] = B256::ZERO;
    chain.refuses(ALICE, STORE, &no_hash, &zero);
    for size in [0, GIB + 1, u64::MAX] {
        let error = |index| S::ChunkSizeOutOfRange { index, sizeBytes: U256::from(size), maximum: GIB };
        chain.refuses(ALICE, STORE, &one(S::ChunkMetadata { sizeBytes: size, ..chunk(1, 4) }), &error(4));
        let mut call = run(1, 5, 3);
        call.sizes[2] = size;
        chain.refuses(ALICE, STORE, &call, &error(7));
    }
    chain.send(ALICE, STORE, &one(S::ChunkMetadata { sizeBytes: GIB, ..chunk(1, 0) }));
    let receipt = chain.send(ALICE, STORE, &S::storeRunCall { sizes: vec![GIB, 1], ..run(1, 1, 2) });
    let sizes: Vec<_> = receipt.events::<S::ChunkStored>().iter().map(|event| event.sizeBytes).collect();
    assert_eq!(sizes, [GIB, 1]);
}

/// A size that does not fit into 64 bits is none, even where its low 64 bits are one.
#[test]
fn a_run_reads_the_whole_word_of_a_size() {
    let mut chain = Chain::new();
    chain.register_session(ALICE, 1, 10);
    let mut data = run(1, 0, 1).abi_encode();
    let size = data.len() - 32;
    data[size + 23] = 1;
    let output = chain.reverted_raw(ALICE, STORE, data);
    let error = S::ChunkSizeOutOfRange { index: 0, sizeBytes: (U256::ONE << 64) + U256::from(1000), maximum: GIB };
    assert_eq!(output, alloy_sol_types::SolError::abi_encode(&error));
}

#[test]
fn only_the_registering_account_writes() {
    let mut chain = Chain::new();
    let id = chain.register_session(ALICE, 1, 10);
    chain.send(ALICE, STORE, &one(chunk(1, 0)));
    // The owner whom the registration names is not the account that made it.
    for stranger in [MALLORY, account(0x0e)] {
        let error = S::UnknownSession { account: stranger, sessionId: id };
        chain.refuses(stranger, STORE, &one(chunk(1, 1)), &error);
        chain.refuses(stranger, STORE, &S::storeChunksCall { chunks: vec![chunk(1, 1)] }, &error);
        chain.refuses(stranger, STORE, &run(1, 1, 2), &error);
        let update = S::updateChunkStatusCall { sessionId: id, index: 0, status: S::ChunkStatus::Corrupted };
        chain.refuses(stranger, STORE, &update, &error);
    }
}

#[test]
fn accounts_with_the_same_session_id_do_not_meet() {
    let mut chain = Chain::new();
    chain.register_session(MALLORY, 1, 2);
    chain.send(MALLORY, STORE, &run(1, 0, 2));
    chain.register_session(ALICE, 1, 10);
    let receipt = chain.send(ALICE, STORE, &run(1, 0, 10));
    assert!(receipt.events::<S::ChunkStored>().iter().all(|event| event.account == ALICE));
}

#[test]
fn a_status_is_any_of_seven_and_of_a_stored_chunk() {
    use S::ChunkStatus::{Archived, Corrupted, Missing, Pending, Replicated, Stored, Verified};
    let mut chain = Chain::new();
    let id = chain.register_session(ALICE, 1, 300);
    let update = |index, status| S::updateChunkStatusCall { sessionId: id, index, status };
    chain.refuses(ALICE, STORE, &update(256, Verified), &S::ChunkNotStored { sessionId: id, index: 256 });
    chain.send(ALICE, STORE, &one(chunk(1, 256)));
    let order = [Pending, Stored, Verified, Replicated, Missing, Corrupted, Archived];
    for (code, status) in (0_u8..).zip(order) {
        assert_eq!(status as u8, code);
        let receipt = chain.send(ALICE, STORE, &update(256, status));
        let expected = S::ChunkStatusUpdated { sessionId: id, account: ALICE, index: 256, status };
        assert_eq!(receipt.only_event::<S::ChunkStatusUpdated>(), expected);
        assert_eq!(receipt.logs[0].topics()[1..], [id, ALICE.into_word()]);
    }
    let mut eighth = update(256, Archived).abi_encode();
    *eighth.last_mut().unwrap() = 7;
    chain.reverted_raw(ALICE, STORE, eighth);
    chain.refuses(ALICE, STORE, &update(255, Verified), &S::ChunkNotStored { sessionId: id, index: 255 });
}
