//! A small chain made by hand: four validators, real signatures, real receipt tries, and proofs of a session on it.

use crate::anchoring::MerkleTree;
use alloy_consensus::{Eip658Value, Header, Receipt, ReceiptEnvelope};
use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B256, B512, Bytes, Log, keccak256};
use alloy_rlp::Encodable;
use alloy_sol_types::SolEvent;
use alloy_trie::{HashBuilder, Nibbles, proof::ProofRetainer, root::adjust_index_for_rlp};
use k256::ecdsa::{Signature, SigningKey, signature::Signer};
use lucid_types::{
    AnchorProof, Certificate, ChainSpec, CommitSignature, ConsensusKey, ExtraData, GenesisValidator, Manifest,
    PROOF_VERSION, Preset, Rules, SessionId, SetChange, Validator, ValidatorSet, blake3,
    contracts::{LUCID_ANCHORS_ADDRESS, LucidAnchors::SessionRegistered},
};
use std::collections::BTreeMap;

pub(super) const ACCOUNT: Address = Address::repeat_byte(0xac);
pub(super) const OWNER: Address = Address::repeat_byte(0x0e);
pub(super) const CHUNKS: u32 = 5;
/// Place of the event among the receipt's logs.
pub(super) const LOG_INDEX: u64 = 1;

pub(super) fn key(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 32]).unwrap()
}

fn consensus_key(seed: u8) -> ConsensusKey {
    ConsensusKey::from_bytes(key(seed).verifying_key().to_encoded_point(true).as_bytes().try_into().unwrap()).unwrap()
}

/// The validators with the secret keys `[seed; 32]` and the addresses `seed` repeated.
pub(super) fn set(seeds: &[u8]) -> ValidatorSet {
    let member = |seed: &u8| Validator { address: Address::repeat_byte(*seed), consensus_key: consensus_key(*seed) };
    ValidatorSet::new(seeds.iter().map(member).collect()).unwrap()
}

fn spec() -> ChainSpec {
    let validator = |seed| GenesisValidator {
        node: Address::repeat_byte(seed),
        operator: Address::repeat_byte(seed + 100),
        consensus_key: consensus_key(seed),
    };
    ChainSpec {
        chain_id: 58_243,
        rules: Rules::Poot,
        genesis_time: 1_704_067_200,
        slot_origin: 1_704_067_200,
        parameters: Preset::Lucid.params(),
        server: Address::repeat_byte(1),
        validators: (1..=4).map(validator).collect(),
        allocations: BTreeMap::from([(Address::repeat_byte(1), "1000000".parse().unwrap())]),
        contracts: BTreeMap::from([(LUCID_ANCHORS_ADDRESS, B256::repeat_byte(0xcc))]),
    }
}

pub(super) fn rlp(header: &Header) -> Bytes {
    let mut out = vec![];
    header.encode(&mut out);
    out.into()
}

pub(super) fn genesis() -> Header {
    let hash = spec().hash();
    Header { extra_data: hash.0.into(), mix_hash: hash, timestamp: 1_704_067_200, ..Header::default() }
}

pub(super) fn genesis_hash() -> B256 {
    keccak256(rlp(&genesis()))
}

/// What the validators with these seeds sign for a block with this header.
pub(super) fn certificate(header: &[u8], height: u64, seeds: &[u8]) -> Certificate {
    let mut certificate = Certificate { height, round: 2, block_hash: keccak256(header), signatures: vec![] };
    let message = certificate.vote(genesis_hash()).sign_bytes();
    for seed in seeds {
        let signature: Signature = key(*seed).sign(&message);
        let signature = B512::from_slice(&signature.to_bytes());
        certificate.signatures.push(CommitSignature { address: Address::repeat_byte(*seed), signature });
    }
    certificate
}

/// A block after which the validators `next` vote, made final by `signers`.
pub(super) fn set_change(height: u64, next: &[u8], signers: &[u8]) -> SetChange {
    let next_set = set(next);
    let header = Header { number: height, extra_data: ExtraData::new(2, &next_set).encode(), ..Header::default() };
    let header = rlp(&header);
    SetChange { certificate: certificate(&header, height, signers), header, next_set }
}

/// Receipts root and the path to the receipt at `index`.
pub(super) fn receipt_trie(receipts: &[Vec<u8>], index: usize) -> (B256, Vec<Bytes>) {
    let key = |index: usize| Nibbles::unpack(alloy_rlp::encode_fixed_size(&index));
    let mut trie = HashBuilder::default().with_proof_retainer(ProofRetainer::new(vec![key(index)]));
    for place in 0..receipts.len() {
        let place = adjust_index_for_rlp(place, receipts.len());
        trie.add_leaf(key(place), &receipts[place]);
    }
    let root = trie.root();
    (root, trie.take_proof_nodes().into_nodes_sorted().into_iter().map(|(_, node)| node).collect())
}

pub(super) fn leaves() -> Vec<B256> {
    (0..CHUNKS).map(|index| blake3([b"chunk", &index.to_be_bytes()])).collect()
}

pub(super) fn manifest() -> Manifest {
    Manifest {
        session_id: SessionId::from_random([9; 16]),
        chunk_count: CHUNKS,
        total_size: 5_000,
        merkle_root: MerkleTree::new(leaves()).unwrap().root(),
        created_at: 1_800_000_000,
        participants: Some(vec![Bytes::from_static(&[2, 3])]),
        codec: Some("h264".into()),
        recorder_version: None,
        device_fingerprint: None,
        policy_hash: None,
        observers: None,
    }
}

pub(super) fn event() -> Log {
    let manifest = manifest();
    let event = SessionRegistered {
        sessionId: manifest.session_id.to_word(),
        merkleRoot: manifest.merkle_root,
        account: ACCOUNT,
        owner: OWNER,
        manifestHash: manifest.hash().unwrap(),
        startedAt: 1_799_999_000,
        chunkCount: CHUNKS,
    };
    Log { address: LUCID_ANCHORS_ADDRESS, data: event.encode_log_data() }
}

/// Everything of a proof that a test may want to be different, before it is hashed and signed.
pub(super) struct Draft {
    pub(super) height: u64,
    pub(super) success: bool,
    pub(super) event: Log,
    /// Transactions in the anchor's block, and the place of the anchor among them.
    pub(super) transactions: usize,
    pub(super) index: usize,
    pub(super) set_changes: Vec<SetChange>,
    pub(super) signers: Vec<u8>,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            height: 9,
            success: true,
            event: event(),
            transactions: 200,
            index: 150,
            set_changes: vec![],
            signers: vec![1, 2, 4],
        }
    }
}

impl Draft {
    /// Two changes of the validators: 5 comes after block 3, and 1 goes after block 6.
    pub(super) fn with_set_changes() -> Self {
        let set_changes =
            vec![set_change(3, &[1, 2, 3, 4, 5], &[1, 2, 3]), set_change(6, &[2, 3, 4, 5], &[1, 2, 3, 5])];
        Self { set_changes, signers: vec![2, 3, 5], ..Self::default() }
    }

    /// Puts the block together, has it signed, and proves the session and three of its chunks.
    pub(super) fn proof(self) -> AnchorProof {
        let receipt = |index: usize| {
            let mut logs = vec![Log::new_unchecked(Address::repeat_byte(7), vec![B256::ZERO], Bytes::new())];
            let anchor = index == self.index;
            logs.extend(anchor.then(|| self.event.clone()));
            let status = Eip658Value::Eip658(!anchor || self.success);
            let receipt = Receipt { status, cumulative_gas_used: 21_000 * (index as u64 + 1), logs };
            ReceiptEnvelope::Eip1559(receipt.into()).encoded_2718()
        };
        let receipts: Vec<_> = (0..self.transactions).map(receipt).collect();
        let (receipts_root, receipt_path) = receipt_trie(&receipts, self.index);
        let header = Header {
            number: self.height,
            receipts_root,
            timestamp: 1_704_067_200 + 120 * self.height,
            extra_data: ExtraData::new(2, &set(&[2, 3])).encode(),
            ..Header::default()
        };
        let header = rlp(&header);
        let tree = MerkleTree::new(leaves()).unwrap();
        AnchorProof {
            version: PROOF_VERSION,
            chain_spec: spec(),
            genesis_header: rlp(&genesis()),
            set_changes: self.set_changes,
            certificate: certificate(&header, self.height, &self.signers),
            header,
            transaction_index: self.index as u64,
            receipt_path,
            log_index: LOG_INDEX,
            account: ACCOUNT,
            manifest: manifest(),
            chunks: [0, 2, 4].map(|index| tree.path(index).unwrap()).to_vec(),
        }
    }
}
