//! Questions and answers of peers that are none of consensus, as RLP: what decided blocks are made of, and what waits.
//!
//! A question is a list, so its first byte is at least 0xc0, where a message of consensus has its version.

use crate::chain::Block;
use alloy_consensus::{BlockBody, Header, TxEnvelope, proofs::ordered_trie_root_encoded};
use alloy_primitives::{Address, B256, B512, Bytes};
use alloy_rlp::{RlpDecodable, RlpEncodable};
use lucid_types::{Certificate, CommitSignature, VrfProof};

/// Headers that are asked for at once.
pub(super) const MAX_HEADERS: u64 = 256;

/// Bodies that are asked for at once.
pub(super) const MAX_BODIES: u64 = 64;

/// Bytes from which an answer takes no more headers or bodies; it has one at least. Small, so that a slow line shows
/// progress and many peers can be answered in little memory.
pub(super) const ANSWER_BYTES: usize = 1 << 20;

/// Bytes of transactions in one answer at most, and how many they are.
pub(super) const WAITING_BYTES: usize = 1 << 20;
/// See [`WAITING_BYTES`]: as many as a full block of the production chain has.
pub(super) const MAX_WAITING: usize = 1_000;

/// First byte of a list in RLP.
const LIST: u8 = 0xc0;

/// What a node may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::node) enum Question {
    /// Headers of decided blocks, with what makes them final, from a height on.
    Headers { from: u64, count: u64 },
    /// Bodies of decided blocks, from a height on.
    Bodies { from: u64, count: u64 },
    /// The transactions that wait.
    Waiting,
}

const HEADERS: u8 = 1;
const BODIES: u8 = 2;
const WAITING: u8 = 3;

/// Kind, first height, number.
#[derive(RlpEncodable, RlpDecodable)]
struct RawQuestion {
    kind: u8,
    from: u64,
    count: u64,
}

/// Whether these bytes are one of these questions, or nonsense that looks like one; else they are of consensus.
pub(in crate::node) fn is_question(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| *first >= LIST)
}

impl Question {
    /// The bytes.
    pub(in crate::node) fn encode(self) -> Vec<u8> {
        let (kind, from, count) = match self {
            Self::Headers { from, count } => (HEADERS, from, count),
            Self::Bodies { from, count } => (BODIES, from, count),
            Self::Waiting => (WAITING, 0, 0),
        };
        alloy_rlp::encode(RawQuestion { kind, from, count })
    }

    /// Reads what [`Self::encode`] wrote; `None` where it is no such question.
    pub(in crate::node) fn decode(bytes: &[u8]) -> Option<Self> {
        let RawQuestion { kind, from, count } = alloy_rlp::decode_exact(bytes).ok()?;
        match kind {
            HEADERS => Some(Self::Headers { from, count }),
            BODIES => Some(Self::Bodies { from, count }),
            WAITING if (from, count) == (0, 0) => Some(Self::Waiting),
            _ => None,
        }
    }
}

/// Headers in a row.
#[derive(Debug, Clone, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub(super) struct Headers {
    /// Height of the last block of who answers.
    pub(super) head: u64,
    /// The certificate that the first header commits to; without votes where that is block 1.
    pub(super) parent: Votes,
    /// The headers.
    pub(super) headers: Vec<SealedHeader>,
}

/// The precommits of a certificate. Its height and block are known to who asked.
#[derive(Debug, Clone, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub(super) struct Votes {
    round: u32,
    votes: Vec<OneVote>,
}

#[derive(Debug, Clone, PartialEq, Eq, RlpEncodable, RlpDecodable)]
struct OneVote {
    voter: Address,
    signature: B512,
}

/// A header with what makes it final.
#[derive(Debug, Clone, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub(super) struct SealedHeader {
    pub(super) header: Header,
    /// The leader's VRF proof; empty where the chain has none.
    vrf_proof: Bytes,
    pub(super) proposal_signature: B512,
    pub(super) certificate: Votes,
    /// Who votes on the height after, in the set's canonical bytes; empty where those of this height do.
    pub(super) next_set: Bytes,
}

impl Votes {
    /// The votes of a certificate; none where there is no certificate.
    pub(super) fn of(certificate: Option<&Certificate>) -> Self {
        let Some(certificate) = certificate else { return Self { round: 0, votes: Vec::new() } };
        let votes = certificate.signatures.iter();
        let votes = votes.map(|vote| OneVote { voter: vote.address, signature: vote.signature }).collect();
        Self { round: certificate.round, votes }
    }

    /// The certificate of a block; `None` where there are no votes.
    pub(super) fn certificate(self, height: u64, block_hash: B256) -> Option<Certificate> {
        let Self { round, votes } = self;
        let signatures =
            votes.into_iter().map(|OneVote { voter: address, signature }| CommitSignature { address, signature });
        let signatures: Vec<_> = signatures.collect();
        (!signatures.is_empty()).then_some(Certificate { height, round, block_hash, signatures })
    }
}

#[cfg(test)]
impl Votes {
    /// Spoils a signature.
    pub(super) fn forge(&mut self) {
        self.votes[0].signature.0[5] ^= 1;
    }

    /// Takes votes away.
    pub(super) fn take_away(&mut self, count: usize) {
        self.votes.truncate(self.votes.len() - count);
    }
}

impl SealedHeader {
    pub(super) fn new(
        header: Header,
        vrf_proof: Option<VrfProof>,
        proposal_signature: B512,
        certificate: &Certificate,
        next_set: Option<Vec<u8>>,
    ) -> Self {
        let vrf_proof = vrf_proof.map(|proof| proof.to_vec()).unwrap_or_default().into();
        let (certificate, next_set) = (Votes::of(Some(certificate)), next_set.unwrap_or_default().into());
        Self { header, vrf_proof, proposal_signature, certificate, next_set }
    }

    /// The VRF proof; the error is one of another length.
    pub(super) fn vrf_proof(&self) -> Result<Option<VrfProof>, ()> {
        if self.vrf_proof.is_empty() {
            return Ok(None);
        }
        VrfProof::try_from(self.vrf_proof.as_ref()).map(Some).map_err(|_| ())
    }
}

impl Headers {
    pub(super) fn encode(&self) -> Vec<u8> {
        alloy_rlp::encode(self)
    }

    /// Reads an answer of at most `most` headers.
    pub(super) fn decode(bytes: &[u8], most: u64) -> Option<Self> {
        let answer: Self = alloy_rlp::decode_exact(bytes).ok()?;
        (answer.headers.len() as u64 <= most).then_some(answer)
    }
}

/// The transactions and withdrawals of a block.
pub(super) type Body = BlockBody<TxEnvelope>;

/// Bodies in a row, as an answer has them.
pub(super) fn encode_bodies(blocks: &[Block]) -> Vec<u8> {
    let bodies: Vec<_> = blocks.iter().map(|block| &block.body).collect();
    let mut out = Vec::new();
    alloy_rlp::encode_list::<_, Body>(&bodies, &mut out);
    out
}

/// The bodies of an answer of at most `most`, each in its RLP.
pub(super) fn split_bodies(bytes: &[u8], most: usize) -> Option<Vec<&[u8]>> {
    let mut rest = bytes;
    let bodies = take_list(&mut rest, most)?;
    rest.is_empty().then_some(bodies)
}

/// Takes a list of at most `most` items off the front of some bytes: the RLP of each.
fn take_list<'a>(bytes: &mut &'a [u8], most: usize) -> Option<Vec<&'a [u8]>> {
    let mut list = alloy_rlp::Header::decode_bytes(bytes, true).ok()?;
    let mut items = Vec::new();
    while !list.is_empty() {
        // Counted before it is kept: an item may have one byte, and what it is kept as has sixteen.
        if items.len() == most {
            return None;
        }
        let item = list;
        let header = alloy_rlp::Header::decode(&mut list).ok()?;
        list = list.get(header.payload_length..)?;
        items.push(item.get(..item.len() - list.len())?);
    }
    Some(items)
}

/// The root that a header has for the transactions of a body of at most `most`, without decoding them: a transaction is
/// worth many times its bytes once it is decoded.
pub(super) fn transactions_root<'a>(body: &'a [u8], most: usize) -> Option<B256> {
    let mut fields = body;
    let mut fields = alloy_rlp::Header::decode_bytes(&mut fields, true).ok()?;
    let transactions = take_list(&mut fields, most)?;
    // A typed one lies in a string, and the trie has what is in it (EIP-2718).
    let unwrapped = |item: &'a [u8]| match item.first() {
        Some(first) if *first < LIST => alloy_rlp::Header::decode_bytes(&mut &*item, false).ok(),
        _ => Some(item),
    };
    let transactions = transactions.into_iter().map(unwrapped).collect::<Option<Vec<_>>>()?;
    Some(ordered_trie_root_encoded(&transactions))
}

/// Decodes a body.
pub(super) fn decode_body(body: &[u8]) -> Option<Body> {
    alloy_rlp::decode_exact(body).ok()
}

/// Transactions as they travel, each in its EIP-2718 bytes.
pub(super) fn encode_waiting(raws: &[Bytes]) -> Vec<u8> {
    let mut out = Vec::new();
    alloy_rlp::encode_list::<_, Bytes>(raws, &mut out);
    out
}

/// Reads them.
pub(super) fn decode_waiting(bytes: &[u8]) -> Option<Vec<Bytes>> {
    let mut rest = bytes;
    let raws = take_list(&mut rest, MAX_WAITING)?;
    let raws = raws.into_iter().map(|raw| alloy_rlp::decode_exact(raw).ok()).collect();
    if rest.is_empty() { raws } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consensus::bft;
    use proptest::prelude::*;

    #[test]
    fn a_question_is_read_back_and_is_never_taken_for_a_message_of_consensus() {
        let questions = [
            Question::Headers { from: 7, count: 256 },
            Question::Bodies { from: u64::MAX, count: 1 },
            Question::Waiting,
        ];
        for question in questions {
            let bytes = question.encode();
            assert!(is_question(&bytes) && bft::Message::decode(&bytes).is_err());
            assert_eq!(Question::decode(&bytes), Some(question));
            assert_eq!(Question::decode(&bytes[..bytes.len() - 1]), None);
            assert_eq!(Question::decode(&[bytes, vec![0]].concat()), None);
        }
        let message = bft::Message::BlockRequest { height: 7 }.encode();
        assert!(!is_question(&message) && Question::decode(&message).is_none());
    }

    #[test]
    fn an_answer_that_has_more_than_was_asked_for_is_none() {
        let body = Body::default();
        let block = Block { header: Header::default(), body: Body { withdrawals: Some(Default::default()), ..body } };
        let bytes = encode_bodies(&[block.clone(), block.clone(), block]);
        assert_eq!(split_bodies(&bytes, 3).unwrap().len(), 3);
        assert_eq!(split_bodies(&bytes, 2), None);
        let raws = vec![Bytes::from_static(b"raw"); MAX_WAITING];
        assert_eq!(decode_waiting(&encode_waiting(&raws)), Some(raws.clone()));
        assert_eq!(decode_waiting(&encode_waiting(&[raws, vec![Bytes::new()]].concat())), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_reader_fall_over(bytes: Vec<u8>) {
            let _ = (Question::decode(&bytes), Headers::decode(&bytes, 9), split_bodies(&bytes, 9), decode_waiting(&bytes));
            let _ = (transactions_root(&bytes, 9), decode_body(&bytes));
        }
    }
}
