//! A real proof holds, and every way to alter it is refused by name.

mod fixture;
mod hostile;

use super::*;
use crate::anchoring::MerkleError;
use alloy_primitives::{Bytes, Log, LogData};
use fixture::{ACCOUNT, CHUNKS, Draft, OWNER, genesis_hash, leaves, set, set_change};
use lucid_types::{CertificateError, ManifestError, SpecError};

/// Asserts that a proof is refused with this variant, whatever facts it carries.
macro_rules! refused {
    ($proof:expr, $($variant:tt)+) => {{
        let error = check(&$proof, genesis_hash()).unwrap_err();
        assert!(matches!(&error, $($variant)+), "{error:?}");
        assert!(error.to_string().len() > 20, "{error}");
    }};
}

fn altered(change: impl FnOnce(&mut AnchorProof)) -> AnchorProof {
    let mut proof = Draft::default().proof();
    change(&mut proof);
    proof
}

fn flip(bytes: &Bytes, byte: usize) -> Bytes {
    let mut bytes = bytes.to_vec();
    bytes[byte] ^= 1;
    bytes.into()
}

#[test]
fn a_proof_holds_and_tells_what_it_proves() {
    let proof = Draft::default().proof();
    assert!(proof.receipt_path.len() > 2, "the path has nodes of every kind: {}", proof.receipt_path.len());
    let checked = check(&proof, genesis_hash()).unwrap();
    let expected = Checked {
        genesis_hash: genesis_hash(),
        chain_id: 58_243,
        session_id: proof.manifest.session_id,
        account: ACCOUNT,
        owner: OWNER,
        started_at: 1_799_999_000,
        manifest_hash: proof.manifest.hash().unwrap(),
        merkle_root: proof.manifest.merkle_root,
        chunk_count: CHUNKS,
        block_number: 9,
        block_hash: proof.certificate.block_hash,
        block_time: 1_704_067_200 + 9 * 120,
        signers: [1, 2, 4].map(Address::repeat_byte).to_vec(),
        validators: 4,
        set_changes: 0,
        chunks: [0, 2, 4].map(|index: u32| (index, leaves()[index as usize])).into(),
    };
    assert_eq!(checked, expected);
}

#[test]
fn a_proof_holds_for_any_place_in_any_block() {
    for (transactions, index) in [(1, 0), (2, 1), (127, 0), (129, 127), (129, 128), (300, 256), (1000, 999)] {
        let proof = Draft { transactions, index, ..Draft::default() }.proof();
        assert!(check(&proof, genesis_hash()).is_ok(), "{index} of {transactions}");
    }
}

#[test]
fn a_proof_holds_across_changes_of_the_validators() {
    let checked = check(&Draft::with_set_changes().proof(), genesis_hash()).unwrap();
    assert_eq!((checked.set_changes, checked.validators), (2, 4));
    assert_eq!(checked.signers, [2, 3, 5].map(Address::repeat_byte));
}

#[test]
fn a_proof_survives_its_file() {
    let proof = Draft::with_set_changes().proof();
    assert_eq!(parse_proof(&serde_json::to_vec(&proof).unwrap()).unwrap(), proof);
    let newer = serde_json::json!({ "version": 2, "somethingNew": true }).to_string();
    assert!(matches!(parse_proof(newer.as_bytes()), Err(ProofError::Version(2))));
    assert!(matches!(parse_proof(b"{}"), Err(ProofError::Json(_))));
    assert!(matches!(parse_proof(&[b'7'; 64]), Err(ProofError::NotAnObject)));
    assert!(matches!(parse_proof(&vec![b' '; MAX_PROOF_BYTES + 1]), Err(ProofError::TooMuch { .. })));
}

#[test]
fn the_chunk_at_hand_is_held_against_the_anchored_one() {
    let checked = check(&Draft::default().proof(), genesis_hash()).unwrap();
    assert_eq!(checked.chunk_indexes().collect::<Vec<_>>(), [0, 2, 4]);
    checked.check_chunk(2, leaves()[2]).unwrap();
    let other = checked.check_chunk(2, leaves()[1]).unwrap_err();
    assert!(matches!(other, ProofError::ChunkBytes { index: 2, .. }), "{other}");
    let unproved = checked.check_chunk(1, leaves()[1]).unwrap_err();
    assert!(matches!(unproved, ProofError::ChunkNotInProof { index: 1 }), "{unproved}");
}

#[test]
fn another_chain_or_another_version_is_refused() {
    let error = check(&Draft::default().proof(), B256::repeat_byte(1)).unwrap_err();
    assert!(matches!(error, ProofError::GenesisHash { .. }), "{error}");
    refused!(altered(|p| p.genesis_header = flip(&p.genesis_header, 40)), ProofError::GenesisHash { .. });
    refused!(altered(|p| p.version = 0), ProofError::Version(0));
}

#[test]
fn another_spec_than_that_of_genesis_is_refused() {
    refused!(altered(|p| p.chain_spec.chain_id += 1), ProofError::SpecHash { .. });
    let stranger = altered(|p| p.chain_spec.validators[3].node = Address::repeat_byte(9));
    refused!(stranger, ProofError::SpecHash { .. });
    let no_server = altered(|p| p.chain_spec.server = Address::repeat_byte(9));
    refused!(no_server, ProofError::Spec(SpecError::ServerNotAValidator(_)));
    refused!(altered(|p| p.chain_spec.chain_id = u64::MAX), ProofError::Spec(SpecError::Number(_)));

    let mut proof = Draft::default().proof();
    let genesis = alloy_consensus::Header { mix_hash: B256::ZERO, ..fixture::genesis() };
    proof.genesis_header = fixture::rlp(&genesis);
    let error = check(&proof, genesis.hash_slow()).unwrap_err();
    assert!(matches!(error, ProofError::GenesisMixHash { .. }), "{error}");
}

#[test]
fn no_number_of_the_spec_can_pass_what_json_carries() {
    let proof = serde_json::to_value(Draft::default().proof()).unwrap();
    let parameters = proof["chainSpec"]["parameters"].as_object().unwrap().clone();
    assert!(parameters.len() > 10, "{parameters:?}");
    for (rules, name) in ["poot", "dev"].into_iter().flat_map(|rules| parameters.keys().map(move |name| (rules, name)))
    {
        for value in [1 << 53, u64::MAX] {
            let mut altered = proof.clone();
            altered["chainSpec"]["rules"] = rules.into();
            altered["chainSpec"]["parameters"][name] = value.into();
            // The one parameter of 32 bits is refused when the file is read.
            let Ok(altered) = serde_json::from_value::<AnchorProof>(altered) else { continue };
            let error = check(&altered, genesis_hash()).unwrap_err();
            assert!(matches!(error, ProofError::Spec(_)), "{rules} {name} {value}: {error}");
        }
    }
}

#[test]
fn an_altered_header_or_certificate_is_refused() {
    const BLOCK: ProofPart = ProofPart::AnchorBlock;
    refused!(altered(|p| p.header = flip(&p.header, 100)), ProofError::HeaderHash { part: BLOCK, .. });
    let bad = altered(|p| p.certificate.signatures[1].signature[5] ^= 1);
    refused!(bad, ProofError::Certificate { part: BLOCK, source: CertificateError::BadSignature(_) });
    let few = altered(|p| p.certificate.signatures.truncate(2));
    refused!(few, ProofError::Certificate { part: BLOCK, source: CertificateError::TooFewVotes { .. } });
    refused!(altered(|p| p.certificate.round = 0), ProofError::Certificate { part: BLOCK, .. });
    let height = altered(|p| p.certificate.height = 8);
    refused!(height, ProofError::CertificateHeight { part: BLOCK, certified: 8, height: 9 });
    let stranger = Draft { signers: vec![1, 2, 5], ..Draft::default() }.proof();
    refused!(stranger, ProofError::Certificate { source: CertificateError::NotAMember(_), .. });
}

#[test]
fn votes_for_the_same_block_on_another_chain_do_not_count() {
    // The same validators under another genesis: its header differs, and nothing else.
    let mut proof = Draft::default().proof();
    let genesis = alloy_consensus::Header { gas_limit: 1, ..fixture::genesis() };
    proof.genesis_header = fixture::rlp(&genesis);
    let error = check(&proof, genesis.hash_slow()).unwrap_err();
    let bad = matches!(error, ProofError::Certificate { source: CertificateError::BadSignature(_), .. });
    assert!(bad, "{error}");
}

#[test]
fn genesis_itself_and_blocks_out_of_order_are_refused() {
    let genesis = Draft { height: 0, ..Draft::default() }.proof();
    refused!(genesis, ProofError::HeightNotRising { part: ProofPart::AnchorBlock, height: 0, below: 0 });
    let before = Draft { height: 6, ..Draft::with_set_changes() }.proof();
    refused!(before, ProofError::HeightNotRising { part: ProofPart::AnchorBlock, height: 6, below: 6 });
    let mut draft = Draft::with_set_changes();
    draft.set_changes[1] = set_change(2, &[2, 3, 4, 5], &[1, 2, 3, 5]);
    refused!(draft.proof(), ProofError::HeightNotRising { part: ProofPart::SetChange(2), height: 2, below: 3 });
}

#[test]
fn an_altered_change_of_the_validators_is_refused() {
    let changed = |change: fn(&mut AnchorProof)| {
        let mut proof = Draft::with_set_changes().proof();
        change(&mut proof);
        proof
    };
    const FIRST: ProofPart = ProofPart::SetChange(1);
    refused!(changed(|p| p.set_changes[0].next_set = set(&[1, 2, 3, 4, 6])), ProofError::NextSet { part: FIRST });
    let header = changed(|p| p.set_changes[0].header = flip(&p.set_changes[0].header, 50));
    refused!(header, ProofError::HeaderHash { part: FIRST, .. });
    let vote = changed(|p| p.set_changes[0].certificate.signatures[0].signature[63] ^= 1);
    refused!(vote, ProofError::Certificate { part: FIRST, .. });
    // Without the first change, the fifth validator of the second is a stranger.
    let missing = changed(|p| drop(p.set_changes.remove(0)));
    refused!(missing, ProofError::Certificate { part: FIRST, source: CertificateError::NotAMember(_) });
    let unchanged = Draft { set_changes: vec![set_change(3, &[1, 2, 3, 4], &[1, 2, 3])], ..Draft::default() };
    refused!(unchanged.proof(), ProofError::SetUnchanged { part: FIRST });
    let replaced = Draft { set_changes: vec![set_change(3, &[6, 7, 8, 9], &[6, 7, 8])], ..Draft::default() };
    refused!(replaced.proof(), ProofError::Certificate { part: FIRST, source: CertificateError::NotAMember(_) });
}

#[test]
fn an_altered_receipt_or_path_to_it_is_refused() {
    let event = altered(|p| {
        let leaf = p.receipt_path.last_mut().unwrap();
        *leaf = flip(leaf, leaf.len() - 1);
    });
    refused!(event, ProofError::ReceiptAltered { .. });
    let root = altered(|p| p.receipt_path[0] = flip(&p.receipt_path[0], 20));
    refused!(root, ProofError::ReceiptPath { source: ReceiptPathError::NodeHash { node: 1, .. }, .. });
    let place = altered(|p| p.transaction_index = 0);
    refused!(place, ProofError::ReceiptPath { index: 0, source: ReceiptPathError::NodeHash { .. } });
    let outside = altered(|p| p.transaction_index = 1 << 40);
    refused!(outside, ProofError::ReceiptPath { source: ReceiptPathError::LeadsElsewhere { .. }, .. });
    let short = altered(|p| drop(p.receipt_path.pop()));
    refused!(short, ProofError::ReceiptPath { source: ReceiptPathError::Incomplete(_), .. });
    let long = altered(|p| p.receipt_path.push(Bytes::new()));
    refused!(long, ProofError::ReceiptPath { source: ReceiptPathError::Overlong { .. }, .. });
    refused!(altered(|p| p.receipt_path.clear()), ProofError::ReceiptPath { .. });
}

#[test]
fn a_transaction_that_failed_anchored_nothing() {
    refused!(Draft { success: false, ..Draft::default() }.proof(), ProofError::TransactionFailed(150));
}

#[test]
fn an_event_that_anybody_could_have_emitted_is_refused() {
    let event = |change: fn(&mut Log)| {
        let mut event = fixture::event();
        change(&mut event);
        Draft { event, ..Draft::default() }.proof()
    };
    let forged = event(|log| log.address = Address::repeat_byte(9));
    refused!(forged, ProofError::EventAddress(address) if *address == Address::repeat_byte(9));
    refused!(altered(|p| p.log_index = 0), ProofError::EventAddress(_));
    refused!(altered(|p| p.log_index = 2), ProofError::NoSuchEvent { index: 2, logs: 2 });
    refused!(altered(|p| p.log_index = u64::MAX), ProofError::NoSuchEvent { .. });
    let data = |log: &Log, data: Vec<u8>| LogData::new_unchecked(log.data.topics().to_vec(), data.into());
    let topics: fn(&mut Log) = |log| {
        log.data = LogData::new_unchecked(log.data.topics()[..3].to_vec(), log.data.data.clone());
    };
    refused!(event(topics), ProofError::EventForm(_));
    let signature: fn(&mut Log) = |log| log.data.topics_mut_unchecked()[0] = B256::ZERO;
    refused!(event(signature), ProofError::EventForm(_));
    let mut long = fixture::event();
    long.data = data(&long, [&long.data.data[..], &[0; 32]].concat());
    refused!(Draft { event: long, ..Draft::default() }.proof(), ProofError::EventForm(_));
    // A word with a bit above the 32 of the chunk count.
    let mut wide = fixture::event();
    let mut words = wide.data.data.to_vec();
    words[4 * 32 - 5] = 1;
    wide.data = data(&wide, words);
    refused!(Draft { event: wide, ..Draft::default() }.proof(), ProofError::EventForm(_));
}

#[test]
fn what_the_event_does_not_say_is_refused() {
    let other_id = altered(|p| p.manifest.session_id = SessionId::from_random([8; 16]));
    refused!(other_id, ProofError::SessionId { .. });
    refused!(altered(|p| p.manifest.merkle_root[0] ^= 1), ProofError::MerkleRoot { .. });
    refused!(altered(|p| p.manifest.chunk_count = 6), ProofError::ChunkCount { anchored: CHUNKS, claimed: 6 });
    refused!(altered(|p| p.account = OWNER), ProofError::Account { anchored: ACCOUNT, .. });
    refused!(altered(|p| p.manifest.codec = Some("h265".into())), ProofError::ManifestHash { .. });
    refused!(altered(|p| p.manifest.total_size += 1), ProofError::ManifestHash { .. });
    refused!(altered(|p| p.manifest.created_at = 1 << 53), ProofError::Manifest(ManifestError::CreatedAt(_)));
    refused!(altered(|p| p.manifest.total_size = 1), ProofError::Manifest(_));
}

#[test]
fn an_altered_chunk_or_path_is_refused() {
    refused!(altered(|p| p.chunks[0].leaf[0] ^= 1), ProofError::ChunkPath(MerkleError::RootMismatch { index: 0, .. }));
    let sibling = altered(|p| p.chunks[1].siblings[2][31] ^= 128);
    refused!(sibling, ProofError::ChunkPath(MerkleError::RootMismatch { index: 2, .. }));
    refused!(altered(|p| p.chunks[0].index = 1), ProofError::ChunkPath(MerkleError::RootMismatch { .. }));
    let beyond = altered(|p| p.chunks[2].index = 5);
    refused!(beyond, ProofError::ChunkPath(MerkleError::IndexOutOfRange { index: 5, count: 5 }));
    let short = altered(|p| p.chunks[0].siblings.truncate(2));
    refused!(short, ProofError::ChunkPath(MerkleError::PathLength { expected: 3, found: 2, .. }));
    refused!(altered(|p| p.chunks.swap(0, 1)), ProofError::ChunkOrder { index: 0, before: 2 });
    refused!(altered(|p| p.chunks[1] = p.chunks[0].clone()), ProofError::ChunkOrder { index: 0, before: 0 });
}
