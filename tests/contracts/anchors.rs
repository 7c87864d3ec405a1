//! LucidAnchors: what is anchored once stays, and nobody anchors in another's name.

use super::harness::{Chain, account, registration, session_id};
use alloy_primitives::{Address, B256};
use lucid_types::contracts::{LUCID_ANCHORS_ADDRESS as ANCHORS, LucidAnchors as L};

const ALICE: Address = Address::repeat_byte(0xa1);
const MALLORY: Address = Address::repeat_byte(0xbd);

fn anchor(n: u8, index: u32) -> L::anchorChunkCall {
    L::anchorChunkCall { sessionId: session_id(n), index, chunkHash: B256::repeat_byte(0xcc) }
}

#[test]
fn a_registration_says_everything_in_its_event() {
    let mut chain = Chain::new();
    let call = registration(1, 200);
    let receipt = chain.send(ALICE, ANCHORS, &call);
    let event = receipt.only_event::<L::SessionRegistered>();
    let expected = L::SessionRegistered {
        sessionId: call.sessionId,
        merkleRoot: call.merkleRoot,
        account: ALICE,
        owner: call.owner,
        manifestHash: call.manifestHash,
        startedAt: call.startedAt,
        chunkCount: 200,
    };
    assert_eq!(event, expected);
    let topics = receipt.logs[0].topics();
    assert_eq!(topics[1..], [call.sessionId, call.merkleRoot, ALICE.into_word()]);
    assert_eq!(receipt.logs[0].address, ANCHORS);

    let session = chain.view(ANCHORS, &L::sessionCall { account: ALICE, sessionId: call.sessionId });
    assert_eq!((session.owner, session.startedAt, session.chunkCount), (call.owner, call.startedAt, 200));
    let of_root = L::sessionOfRootCall { account: ALICE, merkleRoot: call.merkleRoot };
    assert_eq!(chain.view(ANCHORS, &of_root), call.sessionId);
    assert_eq!(chain.view(ANCHORS, &L::chunkCountOfCall { account: ALICE, sessionId: call.sessionId }), 200);
}

#[test]
fn a_view_answers_zero_for_what_the_account_has_not_registered() {
    let mut chain = Chain::new();
    let id = chain.register_session(ALICE, 1, 3);
    let session = chain.view(ANCHORS, &L::sessionCall { account: MALLORY, sessionId: id });
    assert_eq!((session.owner, session.startedAt, session.chunkCount), (Address::ZERO, 0, 0));
    assert_eq!(chain.view(ANCHORS, &L::chunkCountOfCall { account: MALLORY, sessionId: id }), 0);
    let of_root = L::sessionOfRootCall { account: MALLORY, merkleRoot: registration(1, 3).merkleRoot };
    assert_eq!(chain.view(ANCHORS, &of_root), B256::ZERO);
}

#[test]
fn zero_values_are_refused_by_name() {
    let mut chain = Chain::new();
    let good = registration(1, 3);
    for (field, call) in [
        ("sessionId", L::registerSessionCall { sessionId: B256::ZERO, ..good.clone() }),
        ("manifestHash", L::registerSessionCall { manifestHash: B256::ZERO, ..good.clone() }),
        ("startedAt", L::registerSessionCall { startedAt: 0, ..good.clone() }),
        ("owner", L::registerSessionCall { owner: Address::ZERO, ..good.clone() }),
        ("merkleRoot", L::registerSessionCall { merkleRoot: B256::ZERO, ..good.clone() }),
        ("chunkCount", L::registerSessionCall { chunkCount: 0, ..good.clone() }),
    ] {
        chain.refuses(ALICE, ANCHORS, &call, &L::ZeroValue { field: field.to_owned() });
    }
    chain.send(ALICE, ANCHORS, &good);
    let call = L::anchorChunkCall { chunkHash: B256::ZERO, ..anchor(1, 0) };
    chain.refuses(ALICE, ANCHORS, &call, &L::ZeroValue { field: "chunkHash".to_owned() });
}

#[test]
fn a_session_id_ends_in_16_zero_bytes() {
    let mut chain = Chain::new();
    for byte in 16..32 {
        let mut call = registration(1, 3);
        call.sessionId[byte] = 1;
        let error = L::InvalidSessionId { sessionId: call.sessionId };
        chain.refuses(ALICE, ANCHORS, &call, &error);
    }
    // The UUID's own last byte is part of the id.
    let mut call = registration(1, 3);
    call.sessionId[..15].fill(0);
    chain.send(ALICE, ANCHORS, &call);
}

#[test]
fn a_session_has_at_most_two_to_the_20_chunks() {
    let mut chain = Chain::new();
    let error = L::TooManyChunks { chunkCount: (1 << 20) + 1, maximum: 1 << 20 };
    chain.refuses(ALICE, ANCHORS, &registration(1, (1 << 20) + 1), &error);
    chain.refuses(
        ALICE,
        ANCHORS,
        &registration(1, u32::MAX),
        &L::TooManyChunks { chunkCount: u32::MAX, maximum: 1 << 20 },
    );
    chain.send(ALICE, ANCHORS, &registration(1, 1 << 20));
    chain.send(ALICE, ANCHORS, &anchor(1, (1 << 20) - 1));
}

#[test]
fn ids_and_roots_are_single_use_per_account() {
    let mut chain = Chain::new();
    let first = registration(1, 3);
    chain.send(ALICE, ANCHORS, &first);
    let same_id = L::registerSessionCall { merkleRoot: B256::repeat_byte(9), ..first.clone() };
    let error = L::SessionAlreadyRegistered { account: ALICE, sessionId: first.sessionId };
    chain.refuses(ALICE, ANCHORS, &same_id, &error);
    chain.refuses(ALICE, ANCHORS, &first, &error);
    let same_root = L::registerSessionCall { sessionId: session_id(2), ..first.clone() };
    let error =
        L::MerkleRootAlreadyRegistered { account: ALICE, merkleRoot: first.merkleRoot, sessionId: first.sessionId };
    chain.refuses(ALICE, ANCHORS, &same_root, &error);
    // A refused registration has used nothing up.
    chain.send(ALICE, ANCHORS, &registration(2, 3));
}

#[test]
fn copying_a_session_from_the_pool_takes_nothing_from_its_owner() {
    let mut chain = Chain::new();
    let call = registration(1, 3);
    chain.send(MALLORY, ANCHORS, &call);
    chain.send(MALLORY, ANCHORS, &anchor(1, 0));
    let receipt = chain.send(ALICE, ANCHORS, &call);
    assert_eq!(receipt.only_event::<L::SessionRegistered>().account, ALICE);
    // Neither account's chunks are the other's.
    let anchored = |account| L::isChunkAnchoredCall { account, sessionId: session_id(1), index: 0 };
    assert!(chain.view(ANCHORS, &anchored(MALLORY)));
    assert!(!chain.view(ANCHORS, &anchored(ALICE)));
    chain.send(ALICE, ANCHORS, &anchor(1, 0));
}

#[test]
fn only_the_registering_account_anchors_chunks() {
    let mut chain = Chain::new();
    let id = chain.register_session(ALICE, 1, 3);
    let error = L::UnknownSession { account: MALLORY, sessionId: id };
    chain.refuses(MALLORY, ANCHORS, &anchor(1, 0), &error);
    // The owner whom the registration names is not the account that made it.
    let owner = account(0x0e);
    chain.refuses(owner, ANCHORS, &anchor(1, 0), &L::UnknownSession { account: owner, sessionId: id });
    let receipt = chain.send(ALICE, ANCHORS, &anchor(1, 2));
    let event = receipt.only_event::<L::ChunkAnchored>();
    let expected = L::ChunkAnchored { sessionId: id, account: ALICE, index: 2, chunkHash: B256::repeat_byte(0xcc) };
    assert_eq!(event, expected);
    assert_eq!(receipt.logs[0].topics()[1..], [id, ALICE.into_word()]);
}

#[test]
fn chunks_are_written_once_on_both_sides_of_a_bitmap_word() {
    let mut chain = Chain::new();
    let id = chain.register_session(ALICE, 1, 257);
    for index in [255, 256, 0] {
        chain.send(ALICE, ANCHORS, &anchor(1, index));
        chain.refuses(ALICE, ANCHORS, &anchor(1, index), &L::ChunkAlreadyWritten { sessionId: id, index });
    }
    for (index, expected) in [(0, true), (1, false), (254, false), (255, true), (256, true), (257, false)] {
        let call = L::isChunkAnchoredCall { account: ALICE, sessionId: id, index };
        assert_eq!(chain.view(ANCHORS, &call), expected, "index {index}");
    }
}

#[test]
fn a_chunks_index_is_below_the_count() {
    let mut chain = Chain::new();
    let id = chain.register_session(ALICE, 1, 3);
    for index in [3, 256, u32::MAX] {
        let error = L::ChunkIndexOutOfRange { sessionId: id, index: index.try_into().unwrap(), chunkCount: 3 };
        chain.refuses(ALICE, ANCHORS, &anchor(1, index), &error);
    }
}
