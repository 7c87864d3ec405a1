//! Input made to hurt: whatever it is, the answer is a verdict.

use super::{
    super::{receipt::receipt_at, *},
    fixture::{ACCOUNT, Draft, certificate, genesis_hash, rlp, set_change},
};
use alloy_consensus::Header;
use alloy_primitives::{Bytes, keccak256};
use alloy_rlp::Encodable;
use alloy_trie::{
    Nibbles,
    nodes::{ExtensionNode, LeafNode, RlpNode},
};
use lucid_types::{AnchorProof, ChunkPath, MAX_CHUNKS};
use proptest::prelude::*;
use std::sync::LazyLock;

static PROOF: LazyLock<AnchorProof> = LazyLock::new(|| Draft::with_set_changes().proof());
static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| serde_json::to_vec(&*PROOF).unwrap());

#[test]
fn amounts_are_bounded_before_work_is_done() {
    let refused = |change: fn(&mut AnchorProof)| {
        let mut proof = Draft::default().proof();
        change(&mut proof);
        let error = check(&proof, genesis_hash()).unwrap_err();
        assert!(matches!(error, ProofError::TooMuch { .. }), "{error}");
    };
    refused(|p| p.set_changes = vec![set_change(1, &[1], &[]); MAX_SET_CHANGES + 1]);
    refused(|p| p.header = vec![0; MAX_HEADER_BYTES + 1].into());
    refused(|p| p.genesis_header = vec![0; MAX_HEADER_BYTES + 1].into());
    refused(|p| {
        p.set_changes = vec![set_change(1, &[1], &[])];
        p.set_changes[0].header = vec![0; MAX_HEADER_BYTES + 1].into();
    });
    refused(|p| p.receipt_path = vec![Bytes::new(); MAX_RECEIPT_PATH_NODES + 1]);
    refused(|p| p.receipt_path = vec![vec![0; MAX_RECEIPT_NODE_BYTES + 1].into()]);
    refused(|p| {
        let path = |index| ChunkPath { index, leaf: B256::ZERO, siblings: vec![] };
        p.chunks = (0..=MAX_CHUNKS).map(path).collect();
    });
    let mut proof = Draft::default().proof();
    proof.chunks[0].siblings = vec![B256::ZERO; 1_000_000];
    assert!(matches!(check(&proof, genesis_hash()), Err(ProofError::ChunkPath(_))));
}

/// A path of nodes, the last first named by the one before it; returns the root and the path from it.
fn chain_of(keys: &[Nibbles], value: Vec<u8>) -> (B256, Vec<Bytes>) {
    let (last, above) = keys.split_last().unwrap();
    let mut bytes = vec![];
    LeafNode::new(*last, value).encode(&mut bytes);
    let mut path = vec![Bytes::from(bytes)];
    for key in above.iter().rev() {
        let child = RlpNode::word_rlp(&keccak256(&path[path.len() - 1]));
        let mut bytes = vec![];
        ExtensionNode::new(*key, child).encode(&mut bytes);
        path.push(bytes.into());
    }
    path.reverse();
    (keccak256(&path[0]), path)
}

#[test]
fn extension_nodes_longer_than_any_key_are_refused() {
    let long = Nibbles::unpack([8; 32]);
    let (root, path) = chain_of(&[long, long, long], vec![1; 40]);
    assert_eq!(receipt_at(root, 0x0808, &path), Err(ReceiptPathError::LeadsElsewhere { node: 1 }));
    // An extension without a key is no progress, but its bytes are hashed once and the path is bounded.
    let key = Nibbles::unpack([0x80]);
    let (root, path) = chain_of(&[Nibbles::new(), Nibbles::new(), key], vec![1; 40]);
    assert_eq!(receipt_at(root, 0, &path), Ok(vec![1; 40]));
    let (root, path) = chain_of(&[key, key], vec![1; 40]);
    assert_eq!(receipt_at(root, 0, &path), Err(ReceiptPathError::LeadsElsewhere { node: 2 }));
}

#[test]
fn headers_that_are_none_are_refused_even_when_they_are_signed() {
    for bytes in
        [vec![], vec![0x80], vec![0xc0], vec![0xff; 9], PROOF.header[1..].to_vec(), [&PROOF.header[..], &[0]].concat()]
    {
        let mut proof = Draft::default().proof();
        proof.certificate = certificate(&bytes, 9, &[1, 2, 3]);
        proof.header = bytes.clone().into();
        let error = check(&proof, genesis_hash()).unwrap_err();
        assert!(matches!(error, ProofError::HeaderEncoding { .. }), "{error}");
        proof.genesis_header = bytes.into();
        let error = check(&proof, keccak256(&proof.genesis_header)).unwrap_err();
        assert!(matches!(error, ProofError::GenesisEncoding(_)), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any other file is refused, or it is another way to write the same proof.
    #[test]
    fn no_byte_of_the_file_goes_unchecked(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut file = FILE.clone();
        let place = place.index(file.len());
        file[place] = if byte.is_ascii_graphic() { byte } else { b'0' + byte % 10 };
        if let Ok(proof) = parse_proof(&file) && proof != *PROOF {
            prop_assert!(check(&proof, genesis_hash()).is_err(), "byte {} changed to {}", place, file[place]);
        }
    }

    #[test]
    fn a_flipped_bit_is_refused_by_its_own_name(
        part in 0..9usize,
        byte in any::<prop::sample::Index>(),
        bit in 0..8u8,
    ) {
        let mut proof = PROOF.clone();
        let flip = |bytes: &mut [u8]| bytes[byte.index(bytes.len())] ^= 1 << bit;
        let flip_bytes = |bytes: &mut Bytes| {
            let mut copy = bytes.to_vec();
            flip(&mut copy);
            *bytes = copy.into();
        };
        let last = proof.receipt_path.len() - 1;
        match part {
            0 => flip(proof.chunks[1].leaf.as_mut_slice()),
            1 => flip(proof.chunks[1].siblings[byte.index(3)].as_mut_slice()),
            2 => flip_bytes(&mut proof.receipt_path[last]),
            3 => flip_bytes(&mut proof.receipt_path[byte.index(last)]),
            4 => flip_bytes(&mut proof.header),
            5 => flip(proof.certificate.signatures[1].signature.as_mut_slice()),
            6 => flip_bytes(&mut proof.set_changes[0].header),
            7 => flip(proof.set_changes[1].certificate.signatures[0].signature.as_mut_slice()),
            _ => flip_bytes(&mut proof.genesis_header),
        }
        let error = check(&proof, genesis_hash()).unwrap_err();
        let named = matches!(
            (part, &error),
            (0 | 1, ProofError::ChunkPath(_))
                | (2, ProofError::ReceiptAltered { .. })
                | (3, ProofError::ReceiptPath { .. })
                | (4, ProofError::HeaderHash { part: ProofPart::AnchorBlock, .. })
                | (5, ProofError::Certificate { part: ProofPart::AnchorBlock, .. })
                | (6, ProofError::HeaderHash { part: ProofPart::SetChange(1), .. })
                | (7, ProofError::Certificate { part: ProofPart::SetChange(2), .. })
                | (8, ProofError::GenesisHash { .. })
        );
        prop_assert!(named, "part {}: {:?}", part, error);
    }

    #[test]
    fn nodes_of_any_bytes_are_refused_or_walked(
        nodes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..4),
        index in any::<u64>(),
    ) {
        let path: Vec<Bytes> = nodes.into_iter().map(Bytes::from).collect();
        let root = path.first().map_or(B256::ZERO, keccak256);
        prop_assert!(receipt_at(root, index, &path).is_err());
    }

    /// Bytes near to a node reach further into the decoder than random ones.
    #[test]
    fn nodes_near_to_real_ones_lead_to_the_receipt_or_nowhere(
        byte in any::<prop::sample::Index>(),
        value in any::<u8>(),
    ) {
        let index = PROOF.transaction_index;
        let real = receipt_at(keccak256(&PROOF.receipt_path[0]), index, &PROOF.receipt_path).unwrap();
        let mut path = PROOF.receipt_path.clone();
        let mut root = path[0].to_vec();
        root[byte.index(path[0].len())] = value;
        path[0] = root.into();
        let walked = receipt_at(keccak256(&path[0]), index, &path);
        prop_assert!(walked.is_err() || walked == Ok(real));
    }

    #[test]
    fn receipts_of_any_kind_get_a_verdict_even_when_they_are_final(
        byte in any::<prop::sample::Index>(),
        value in any::<u8>(),
    ) {
        let mut proof = Draft { transactions: 1, index: 0, ..Draft::default() }.proof();
        let mut leaf = proof.receipt_path[0].to_vec();
        let place = byte.index(leaf.len());
        leaf[place] = value;
        let header: Header = alloy_rlp::decode_exact(&proof.header).unwrap();
        proof.header = rlp(&Header { receipts_root: keccak256(&leaf), ..header });
        proof.certificate = certificate(&proof.header, 9, &[1, 2, 3]);
        proof.receipt_path[0] = leaf.into();
        if let Ok(checked) = check(&proof, genesis_hash()) {
            prop_assert_eq!((checked.merkle_root, checked.account), (proof.manifest.merkle_root, ACCOUNT));
        }
    }

    #[test]
    fn signed_bytes_of_any_kind_are_refused(place in any::<prop::sample::Index>(), value in any::<u8>()) {
        let mut header = PROOF.header.to_vec();
        let place = place.index(header.len());
        header[place] = value;
        let mut proof = Draft::default().proof();
        proof.certificate = certificate(&header, 9, &[1, 2, 3]);
        proof.header = header.into();
        // Some changes leave a header with the same number and receipts root, and then it really was signed.
        let _verdict = check(&proof, genesis_hash());
    }
}
