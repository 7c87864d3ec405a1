//! Bytes on the wire and in the log: what they are, that they come back, and that garbage is an error.

use crate::consensus::bft::*;
use alloy_primitives::{Address, B256, B512, FixedBytes, b256, hex, keccak256};
use lucid_types::{Certificate, CommitSignature, VoteKind};
use proptest::{collection::vec, option, prelude::*};

fn hash() -> impl Strategy<Value = B256> {
    any::<[u8; 32]>().prop_map(B256::from)
}

fn signature() -> impl Strategy<Value = B512> {
    any::<[u8; 32]>().prop_map(|half| B512::from_slice(&[half, half].concat()))
}

fn cast() -> impl Strategy<Value = (VoteKind, Option<B256>)> {
    let kind = prop_oneof![Just(VoteKind::Prevote), Just(VoteKind::Precommit)];
    (kind, option::of(hash()))
}

fn said() -> impl Strategy<Value = (VoteKind, Option<B256>)> {
    let proposal = (option::of(any::<u32>()), hash());
    prop_oneof![cast(), proposal.prop_map(|(pol_round, hash)| (VoteKind::Proposal { pol_round }, Some(hash)))]
}

fn vote(said: impl Strategy<Value = (VoteKind, Option<B256>)>) -> impl Strategy<Value = SignedVote> {
    (any::<[u8; 20]>(), any::<u64>(), any::<u32>(), said, signature()).prop_map(
        |(voter, height, round, (kind, block_hash), signature)| SignedVote {
            voter: voter.into(),
            height,
            round,
            kind,
            block_hash,
            signature,
        },
    )
}

fn signatures() -> impl Strategy<Value = Vec<CommitSignature>> {
    let one = (any::<[u8; 20]>(), signature());
    vec(one.prop_map(|(address, signature)| CommitSignature { address: address.into(), signature }), 0..5)
}

fn certificate() -> impl Strategy<Value = Certificate> {
    let parts = (any::<u64>(), any::<u32>(), hash(), signatures());
    parts.prop_map(|(height, round, block_hash, signatures)| Certificate { height, round, block_hash, signatures })
}

fn polka() -> impl Strategy<Value = PolkaCertificate> {
    certificate().prop_map(|Certificate { height, round, block_hash, signatures }| PolkaCertificate {
        height,
        round,
        block_hash,
        signatures,
    })
}

fn round() -> impl Strategy<Value = RoundCertificate> {
    (any::<u64>(), any::<u32>(), any::<bool>(), vec(vote(cast()), 0..5)).prop_map(|(height, round, over, votes)| {
        let reason = if over { RoundReason::Over } else { RoundReason::Begun };
        let votes = votes.into_iter().map(|vote| SignedVote { height, round, ..vote }).collect();
        RoundCertificate { height, round, reason, votes }
    })
}

fn body() -> impl Strategy<Value = Box<Body>> {
    let proof = option::of(any::<u8>().prop_map(FixedBytes::<81>::repeat_byte));
    let parts =
        (any::<u64>(), any::<u32>(), hash(), signature(), proof, option::of(certificate()), vec(any::<u8>(), 0..300));
    parts.prop_map(|(height, round, block_hash, proposal_signature, vrf_proof, parent_certificate, block)| {
        let block = block.into();
        Box::new(Body { height, round, block_hash, proposal_signature, vrf_proof, parent_certificate, block })
    })
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        vote(said()).prop_map(Message::Vote),
        polka().prop_map(Message::Polka),
        round().prop_map(Message::Round),
        body().prop_map(Message::Body),
        (any::<u64>(), hash()).prop_map(|(height, block_hash)| Message::BodyRequest { height, block_hash }),
        (any::<u64>(), hash()).prop_map(|(height, block_hash)| Message::Head { height, block_hash }),
        any::<u64>().prop_map(|height| Message::BlockRequest { height }),
        (body(), certificate()).prop_map(|(body, certificate)| Message::Block { body, certificate }),
    ]
}

fn entry() -> impl Strategy<Value = LogEntry> {
    let step = prop_oneof![Just(TimerKind::Propose), Just(TimerKind::Prevote), Just(TimerKind::Precommit)];
    prop_oneof![
        vote(said()).prop_map(LogEntry::Vote),
        polka().prop_map(LogEntry::Polka),
        (step, any::<u32>()).prop_map(|(kind, round)| LogEntry::Elapsed { kind, round }),
        (hash(), any::<u32>(), any::<u64>(), any::<bool>())
            .prop_map(|(block_hash, round, slot, valid)| LogEntry::Judged { block_hash, round, slot, valid }),
    ]
}

proptest! {
    #[test]
    fn a_message_comes_back_and_no_part_of_it_is_one(message in message(), cut in any::<prop::sample::Index>()) {
        let bytes = message.encode();
        prop_assert_eq!(Message::decode(&bytes), Ok(message));
        prop_assert!(Message::decode(&bytes[..cut.index(bytes.len())]).is_err());
        let longer = [bytes.as_slice(), &[0]].concat();
        prop_assert_eq!(Message::decode(&longer), Err(WireError::Trailing(1)));
    }

    #[test]
    fn a_garbled_message_is_another_message_or_an_error(
        message in message(), at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let mut bytes = message.encode();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(read) = Message::decode(&bytes) {
            prop_assert_eq!(read.encode(), bytes);
        }
    }

    #[test]
    fn garbage_is_never_more_than_an_error(bytes in vec(any::<u8>(), 0..400), kind in 0..12_u8) {
        let bytes = [&[WIRE_VERSION, kind], bytes.as_slice()].concat();
        if let Ok(read) = Message::decode(&bytes) {
            prop_assert_eq!(read.encode(), bytes.clone());
        }
        if let Ok(read) = LogEntry::decode(&bytes) {
            prop_assert_eq!(read.encode(), bytes);
        }
    }

    #[test]
    fn an_entry_comes_back_and_no_part_of_it_is_one(entry in entry(), cut in any::<prop::sample::Index>()) {
        let bytes = entry.encode();
        prop_assert_eq!(LogEntry::decode(&bytes), Ok(entry));
        prop_assert!(LogEntry::decode(&bytes[..cut.index(bytes.len())]).is_err());
    }

    #[test]
    fn evidence_comes_back(first in vote(said()), second in vote(said()), cut in any::<prop::sample::Index>()) {
        let evidence = Evidence { first, second };
        let bytes = evidence.encode();
        prop_assert_eq!(Evidence::decode(&bytes), Ok(evidence));
        prop_assert!(Evidence::decode(&bytes[..cut.index(bytes.len())]).is_err());
    }
}

const VOTE: SignedVote = SignedVote {
    voter: Address::repeat_byte(0xaa),
    height: 7,
    round: 2,
    kind: VoteKind::Prevote,
    block_hash: None,
    signature: B512::repeat_byte(0xcc),
};

fn samples() -> Vec<Vec<u8>> {
    let block_hash = B256::repeat_byte(0xbb);
    let signatures = vec![CommitSignature { address: VOTE.voter, signature: VOTE.signature }];
    let certificate = Certificate { height: 7, round: 2, block_hash, signatures: signatures.clone() };
    let polka = PolkaCertificate { height: 7, round: 2, block_hash, signatures };
    let proposal = VoteKind::Proposal { pol_round: Some(1) };
    let votes = vec![SignedVote { kind: VoteKind::Precommit, block_hash: Some(block_hash), ..VOTE }];
    let body = Box::new(Body {
        height: 7,
        round: 2,
        block_hash,
        proposal_signature: VOTE.signature,
        vrf_proof: Some(FixedBytes::repeat_byte(0xdd)),
        parent_certificate: Some(certificate.clone()),
        block: vec![1, 2, 3].into(),
    });
    let messages = [
        Message::Vote(VOTE),
        Message::Vote(SignedVote { kind: proposal, block_hash: Some(block_hash), ..VOTE }),
        Message::Polka(polka.clone()),
        Message::Round(RoundCertificate { height: 7, round: 2, reason: RoundReason::Over, votes }),
        Message::Body(body.clone()),
        Message::BodyRequest { height: 7, block_hash },
        Message::Head { height: 7, block_hash },
        Message::BlockRequest { height: 7 },
        Message::Block { body, certificate },
    ];
    let entries = [
        LogEntry::Vote(VOTE),
        LogEntry::Judged { block_hash, round: 2, slot: 9, valid: true },
        LogEntry::Elapsed { kind: TimerKind::Precommit, round: 2 },
        LogEntry::Polka(polka),
    ];
    let evidence = Evidence { first: VOTE, second: SignedVote { block_hash: Some(block_hash), ..VOTE } };
    let messages = messages.iter().map(Message::encode);
    messages.chain(entries.iter().map(LogEntry::encode)).chain([evidence.encode()]).collect()
}

/// Nodes of one chain must read each other, and a node its log of before an update: a change here is a new version.
#[test]
fn the_bytes_are_these() {
    let vote = format!("0101{}{}00{}{}", "0000000000000007", "00000002", "aa".repeat(20), "cc".repeat(64));
    let samples = samples();
    assert_eq!(hex::encode(&samples[0]), vote);
    let lengths: Vec<usize> = samples.iter().map(Vec::len).collect();
    assert_eq!(lengths, LENGTHS);
    assert_eq!(keccak256(samples.concat()), GOLDEN);
}

const LENGTHS: [usize; 14] = [99, 138, 134, 137, 332, 42, 42, 10, 464, 99, 47, 7, 134, 229];
const GOLDEN: B256 = b256!("6a023ec260465657fed8a1c6cdc27653f055d243f4cb7205d4bd4ae3e2336c29");

#[test]
fn a_length_is_not_believed() {
    let mut body = samples()[4].clone();
    let at = body.len() - 3 - 4;
    for claimed in [4_u32, 1 << 20, u32::MAX] {
        body[at..at + 4].copy_from_slice(&claimed.to_be_bytes());
        assert!(Message::decode(&body).is_err(), "{claimed}");
    }
    let mut polka = samples()[2].clone();
    let at = polka.len() - 84 - 4;
    for claimed in [2_u32, 101, u32::MAX] {
        polka[at..at + 4].copy_from_slice(&claimed.to_be_bytes());
        assert!(Message::decode(&polka).is_err(), "{claimed}");
    }
    assert_eq!(Message::decode(&vec![0; MAX_MESSAGE_BYTES + 1]), Err(WireError::TooLarge(MAX_MESSAGE_BYTES + 1)));
}

#[test]
fn another_version_is_refused() {
    for sample in samples() {
        let newer = [&[2], &sample[1..]].concat();
        assert_eq!(Message::decode(&newer), Err(WireError::Version(2)));
        assert_eq!(LogEntry::decode(&newer), Err(WireError::Version(2)));
        assert_eq!(Evidence::decode(&newer), Err(WireError::Version(2)));
    }
}
