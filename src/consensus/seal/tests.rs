//! Seals that verify, and what a forger would change.

use super::*;
use crate::{
    chain,
    consensus::{
        Author, Proposal,
        poot::{LeaderHistory, OrderTerms},
    },
    keys::NodeKeys,
    testing::{TestChain, Tx, key, spec as test_spec},
};
use alloy_consensus::Sealable;
use alloy_eips::eip4895::Withdrawals;
use lucid_types::{ConsensusKey, GenesisValidator};

const GENESIS: B256 = B256::repeat_byte(0x6e);

/// A chain of validators with these account keys; a consensus key has a hundred more.
struct Fixture {
    spec: ChainSpec,
    set: ValidatorSet,
    order: Order,
}

impl Fixture {
    fn new(rules: Rules, seeds: &[u8]) -> Self {
        let validators: Vec<_> = seeds
            .iter()
            .map(|seed| GenesisValidator {
                node: key(*seed).address(),
                operator: Address::repeat_byte(1),
                consensus_key: ConsensusKey::from_bytes(key(seed + 100).public_key_compressed()).unwrap(),
            })
            .collect();
        let spec =
            ChainSpec { server: validators[0].node, validators, genesis_time: 0, slot_origin: 0, ..test_spec(rules) };
        let set = spec.genesis_set().unwrap();
        let history = LeaderHistory::default();
        let order = Order::new(&OrderTerms { height: 1, epoch: 0, tally: None, history: &history, set: &set });
        Self { spec, set, order }
    }

    fn terms<'a>(&'a self, parent: &'a Header) -> SealTerms<'a> {
        let (set, next_set, order) = (&self.set, &self.set, Some(&self.order));
        SealTerms { spec: &self.spec, genesis_hash: GENESIS, parent, set, next_set, order }
    }

    fn author(&self, seed: u8) -> Author {
        Author::new(&self.spec, GENESIS, &NodeKeys::new(key(seed), key(seed + 100)).unwrap())
    }

    /// A header that `author` makes in the slot after the parent's, and its seal where he is alone.
    fn sealed(&self, author: &Author, parent: &Header, certificate: Option<&Certificate>) -> (Sealed<Header>, Seal) {
        let slots = self.spec.slots();
        let timestamp = slots.start_of(slots.slot_at(parent.timestamp).unwrap() + 1).unwrap();
        let on = Proposal { parent, parent_certificate: certificate, next_set: &self.set, timestamp, round: 0 };
        let (attributes, proof) = author.attributes(&on);
        let header = Header {
            number: parent.number + 1,
            timestamp,
            beneficiary: attributes.beneficiary,
            mix_hash: attributes.mix_hash,
            parent_beacon_block_root: Some(attributes.parent_certificate_hash),
            extra_data: attributes.extra_data.encode(),
            ..Header::default()
        }
        .seal_slow();
        let seal = author.seal_alone(&header, proof);
        (header, seal)
    }
}

#[test]
fn a_block_that_was_sealed_verifies_under_both_rules() {
    for rules in [Rules::Dev, Rules::Poot] {
        let fixture = Fixture::new(rules, &[1]);
        let (author, parent) = (fixture.author(1), Header::default());
        let (first, seal) = fixture.sealed(&author, &parent, None);
        assert_eq!(fixture.terms(&parent).verify(None, &first, &seal), Ok(()));
        assert_eq!(seal.vrf_proof.is_some(), rules == Rules::Poot);
        let (second, next) = fixture.sealed(&author, &first, Some(&seal.certificate));
        assert_eq!(fixture.terms(&first).verify(Some(&seal.certificate), &second, &next), Ok(()));
        assert_eq!(fixture.terms(&first).verify(None, &second, &next), Err(SealError::ParentCertificate));
    }
}

#[test]
fn every_part_of_a_seal_is_checked() {
    let fixture = Fixture::new(Rules::Poot, &[1]);
    let parent = Header::default();
    let (header, good) = fixture.sealed(&fixture.author(1), &parent, None);
    let judge = |change: &dyn Fn(&mut Seal)| {
        let mut seal = good.clone();
        change(&mut seal);
        fixture.terms(&parent).verify(None, &header, &seal).unwrap_err()
    };
    assert_eq!(judge(&|s| s.slot += 1), SealError::Field("slot"));
    assert_eq!(judge(&|s| s.round = 1), SealError::Field("round"));
    assert_eq!(judge(&|s| s.leader = Address::ZERO), SealError::Field("leader"));
    assert_eq!(judge(&|s| s.certificate.height = 9), SealError::Field("block"));
    assert_eq!(judge(&|s| s.vrf_proof = None), SealError::MixHash);
    assert_eq!(judge(&|s| s.vrf_proof.as_mut().unwrap()[80] ^= 1), SealError::MixHash);
    assert_eq!(judge(&|s| s.proposal_signature[0] ^= 1), SealError::Proposal);
    let bad = SealError::Certificate(CertificateError::BadSignature(good.leader));
    assert_eq!(judge(&|s| s.certificate.signatures[0].signature[0] ^= 1), bad);
    assert_eq!(judge(&|s| s.certificate.round = 1), bad, "a vote is for one round");
    assert!(matches!(judge(&|s| s.certificate.signatures.clear()), SealError::Certificate(_)));
}

#[test]
fn a_header_that_the_leader_could_not_have_made_is_refused_however_well_it_is_sealed() {
    let judge = |rules, change: &dyn Fn(&mut Header)| {
        let fixture = Fixture::new(rules, &[1]);
        let (author, parent) = (fixture.author(1), Header::default());
        let (good, seal) = fixture.sealed(&author, &parent, None);
        let mut header = good.into_inner();
        change(&mut header);
        let header = header.seal_slow();
        let seal = Seal { leader: header.beneficiary, ..author.seal_alone(&header, seal.vrf_proof) };
        fixture.terms(&parent).verify(None, &header, &seal)
    };
    let other_set = Fixture::new(Rules::Poot, &[2]).set;
    for rules in [Rules::Dev, Rules::Poot] {
        let of_other_set = ExtraData::new(0, &other_set).encode();
        assert_eq!(judge(rules, &|_| ()), Ok(()));
        assert_eq!(judge(rules, &|h| h.mix_hash.0[0] ^= 1), Err(SealError::MixHash));
        assert_eq!(
            judge(rules, &|h| h.parent_beacon_block_root = Some(B256::with_last_byte(1))),
            Err(SealError::ParentCertificate)
        );
        assert_eq!(judge(rules, &|h| h.parent_beacon_block_root = None), Err(SealError::ParentCertificate));
        let stranger = judge(rules, &|h| h.beneficiary = Address::ZERO).unwrap_err();
        assert!(matches!(stranger, SealError::Leader { round: 0, leader: Address::ZERO, .. }), "{stranger}");
        assert_eq!(judge(rules, &|h| h.extra_data = of_other_set.clone()), Err(SealError::NextSet));
        let short = judge(rules, &|h| h.extra_data = h.extra_data.slice(1..));
        assert_eq!(short, Err(SealError::ExtraData(ExtraDataError(31))));
    }
}

#[test]
fn a_block_is_of_whose_turn_its_round_was_and_of_nobody_else() {
    let fixture = Fixture::new(Rules::Poot, &[1, 2, 3]);
    let parent = Header::default();
    for place in 0..6 {
        let leader = fixture.order.of_round(place).leader;
        for seed in [1, 2, 3] {
            let author = fixture.author(seed);
            let on = Proposal {
                parent: &parent,
                parent_certificate: None,
                next_set: &fixture.set,
                timestamp: 120,
                round: place,
            };
            let (attributes, _) = author.attributes(&on);
            let extra_data = attributes.extra_data.encode();
            let header = Header { number: 1, beneficiary: attributes.beneficiary, extra_data, ..Header::default() };
            let judged = fixture.terms(&parent).check_header(&header);
            match author.address() == leader {
                true => assert_eq!(judged, Ok(place)),
                false => assert!(matches!(judged, Err(SealError::Leader { .. })), "{judged:?}"),
            }
            // Whose turn it was is not known any longer, and he is a validator.
            assert_eq!(SealTerms { order: None, ..fixture.terms(&parent) }.check_header(&header), Ok(place));
        }
    }
}

/// Somebody passes a block on with a proof of his own: that says nothing against the block.
#[test]
fn what_travels_beside_a_block_must_be_its_authors() {
    let fixture = Fixture::new(Rules::Poot, &[1, 2, 3]);
    let parent = Header::default();
    let seed = (1..=3).find(|seed| key(*seed).address() == fixture.order.of_round(0).leader).unwrap();
    let author = fixture.author(seed);
    let (header, good) = fixture.sealed(&author, &parent, None);
    let terms = fixture.terms(&parent);
    let proof = good.vrf_proof.as_ref();
    assert_eq!(terms.check_author(&header, proof, &good.proposal_signature), Ok(()));
    let (_, other) = fixture.sealed(&fixture.author(seed % 3 + 1), &parent, None);
    assert_eq!(
        terms.check_author(&header, other.vrf_proof.as_ref(), &good.proposal_signature),
        Err(SealError::MixHash)
    );
    assert_eq!(terms.check_author(&header, proof, &other.proposal_signature), Err(SealError::Proposal));
    // His signature of another round, or as a re-proposal, is not the one that belongs here.
    let later = author.sign_proposal(1, 1, header.hash());
    assert_eq!(terms.check_author(&header, proof, &later), Err(SealError::Proposal));
}

#[test]
fn a_proof_on_a_chain_without_a_vrf_is_refused() {
    let fixture = Fixture::new(Rules::Dev, &[1]);
    let parent = Header::default();
    let (header, mut seal) = fixture.sealed(&fixture.author(1), &parent, None);
    seal.vrf_proof = Some([0; 81].into());
    assert_eq!(fixture.terms(&parent).verify(None, &header, &seal), Err(SealError::MixHash));
}

#[test]
fn only_who_is_the_whole_set_is_alone() {
    let schedule = |fixture: Fixture| {
        let (set, order) = (fixture.set, fixture.order);
        crate::consensus::poot::Schedule { height: 1, parent_slot: 0, set, order }
    };
    let one = Fixture::new(Rules::Poot, &[1]);
    let (author, stranger) = (one.author(1), one.author(2));
    let other_key = Author::new(&one.spec, GENESIS, &NodeKeys::new(key(1), key(7)).unwrap());
    let alone = schedule(one);
    assert!(author.is_alone(&alone));
    assert!(!stranger.is_alone(&alone) && !other_key.is_alone(&alone));
    assert!(!author.is_alone(&schedule(Fixture::new(Rules::Poot, &[1, 2]))));
}

#[test]
fn a_chain_of_sealed_blocks_is_built_imported_and_verified() {
    for rules in [Rules::Dev, Rules::Poot] {
        let mut test = TestChain::new(rules);
        let genesis_hash = test.head.hash();
        let (spec, set) = (test.spec.clone(), test.validators.clone());
        let author = Author::new(&spec, genesis_hash, &NodeKeys::new(key(1), key(101)).unwrap());
        let mut certificate: Option<Certificate> = None;
        for nonce in 0..3 {
            let parent = test.head.clone();
            let timestamp = test.attributes().timestamp;
            let parent_certificate = certificate.as_ref();
            let on = Proposal { parent: &parent, parent_certificate, next_set: &set, timestamp, round: 0 };
            let (attributes, proof) = author.attributes(&on);
            let mut scratch = test.store.begin().unwrap();
            let (candidates, mint) = ([Tx::default().nonce(nonce).sign(2)], Withdrawals::default());
            let built = chain::build(&mut scratch, &spec, &parent, &attributes, &mint, candidates).unwrap();
            let header = test.commit(&built.block).header;
            let seal = author.seal_alone(&header, proof);
            let terms =
                SealTerms { spec: &spec, genesis_hash, parent: &parent, set: &set, next_set: &set, order: None };
            assert_eq!(terms.verify(parent_certificate, &header, &seal), Ok(()));
            assert_eq!(seal.slot, spec.slots().slot_at(timestamp).unwrap());
            certificate = Some(seal.certificate);
        }
    }
}
