//! Seals that verify, and what a forger would change.

use super::*;
use crate::{
    chain,
    testing::{TestChain, Tx, key},
};
use alloy_consensus::Sealable;
use lucid_types::{ConsensusKey, GenesisValidator, Params, Preset};
use std::collections::BTreeMap;

const GENESIS: B256 = B256::repeat_byte(0x6e);

fn spec(rules: Rules, seeds: &[u8]) -> ChainSpec {
    let validators: Vec<_> = seeds
        .iter()
        .map(|seed| GenesisValidator {
            node: key(*seed).address(),
            operator: Address::repeat_byte(1),
            consensus_key: ConsensusKey::from_bytes(key(seed + 100).public_key_compressed()).unwrap(),
        })
        .collect();
    let preset = if rules == Rules::Dev { Preset::Dev } else { Preset::Lucid };
    let parameters = Params { validators_needed: 1, ..preset.params() };
    ChainSpec {
        chain_id: 1,
        rules,
        genesis_time: 0,
        slot_origin: 0,
        parameters,
        server: validators[0].node,
        validators,
        allocations: BTreeMap::new(),
        contracts: BTreeMap::new(),
    }
}

fn solo(rules: Rules) -> Solo {
    let spec = spec(rules, &[1]);
    let chain = SoloChain::new(&spec, GENESIS, spec.genesis_set().unwrap()).unwrap();
    Solo::new(chain, &NodeKeys::new(key(1), key(101)).unwrap()).unwrap()
}

/// A header made from the attributes of `solo`, and its seal.
fn sealed(solo: &Solo, parent: &Header, certificate: Option<&Certificate>) -> (Sealed<Header>, Seal) {
    let timestamp = solo.chain.slots.start_of(solo.chain.slots.slot_at(parent.timestamp).unwrap() + 1).unwrap();
    let (attributes, proof) = solo.attributes(parent, certificate, timestamp);
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
    let seal = solo.seal(&header, proof);
    (header, seal)
}

#[test]
fn a_block_that_was_sealed_verifies_under_both_rules() {
    for rules in [Rules::Dev, Rules::Poot] {
        let solo = solo(rules);
        let parent = Header::default();
        let (first, seal) = sealed(&solo, &parent, None);
        assert_eq!(solo.chain.verify(&parent, None, &first, &seal), Ok(()));
        assert_eq!(seal.vrf_proof.is_some(), rules == Rules::Poot);
        let (second, next) = sealed(&solo, &first, Some(&seal.certificate));
        assert_eq!(solo.chain.verify(&first, Some(&seal.certificate), &second, &next), Ok(()));
        assert_eq!(solo.chain.verify(&first, None, &second, &next), Err(SealError::ParentCertificate));
    }
}

#[test]
fn every_part_of_a_seal_is_checked() {
    let solo = solo(Rules::Poot);
    let parent = Header::default();
    let (header, good) = sealed(&solo, &parent, None);
    let judge = |change: &dyn Fn(&mut Seal)| {
        let mut seal = good.clone();
        change(&mut seal);
        solo.chain.verify(&parent, None, &header, &seal).unwrap_err()
    };
    assert_eq!(judge(&|s| s.slot += 1), SealError::Field("slot"));
    assert_eq!(judge(&|s| s.round = 1), SealError::Field("round"));
    assert_eq!(judge(&|s| s.leader = Address::ZERO), SealError::Field("leader"));
    assert_eq!(judge(&|s| s.certificate.height = 9), SealError::Field("block"));
    assert_eq!(judge(&|s| s.certificate.round = 1), SealError::Field("deciding round"));
    assert_eq!(judge(&|s| s.vrf_proof = None), SealError::MixHash);
    assert_eq!(judge(&|s| s.vrf_proof.as_mut().unwrap()[80] ^= 1), SealError::MixHash);
    assert_eq!(judge(&|s| s.proposal_signature[0] ^= 1), SealError::Proposal);
    let forged = judge(&|s| s.certificate.signatures[0].signature[0] ^= 1);
    assert_eq!(forged, SealError::Certificate(CertificateError::BadSignature(good.leader)));
}

#[test]
fn a_header_that_the_leader_could_not_have_made_is_refused_however_well_it_is_sealed() {
    let judge = |rules, change: &dyn Fn(&mut Header)| {
        let solo = solo(rules);
        let parent = Header::default();
        let (good, seal) = sealed(&solo, &parent, None);
        let mut header = good.into_inner();
        change(&mut header);
        let header = header.seal_slow();
        let seal = solo.seal(&header, seal.vrf_proof);
        solo.chain.verify(&parent, None, &header, &seal)
    };
    let other_set = spec(Rules::Poot, &[2]).genesis_set().unwrap();
    for rules in [Rules::Dev, Rules::Poot] {
        let next_set = ExtraData::new(ROUND, &solo(rules).chain.set);
        let of_round_1 = ExtraData { round: 1, ..next_set }.encode();
        let of_other_set = ExtraData::new(ROUND, &other_set).encode();
        assert_eq!(judge(rules, &|_| ()), Ok(()));
        assert_eq!(judge(rules, &|h| h.mix_hash.0[0] ^= 1), Err(SealError::MixHash));
        assert_eq!(
            judge(rules, &|h| h.parent_beacon_block_root = Some(B256::with_last_byte(1))),
            Err(SealError::ParentCertificate)
        );
        assert_eq!(judge(rules, &|h| h.parent_beacon_block_root = None), Err(SealError::ParentCertificate));
        assert_eq!(judge(rules, &|h| h.beneficiary = Address::ZERO), Err(SealError::Field("leader")));
        assert_eq!(judge(rules, &|h| h.extra_data = of_round_1.clone()), Err(SealError::Field("round")));
        assert_eq!(judge(rules, &|h| h.extra_data = of_other_set.clone()), Err(SealError::Field("next validator set")));
        let short = judge(rules, &|h| h.extra_data = h.extra_data.slice(1..));
        assert_eq!(short, Err(SealError::ExtraData(ExtraDataError(31))));
    }
}

#[test]
fn a_proof_on_a_chain_without_a_vrf_is_refused() {
    let solo = solo(Rules::Dev);
    let parent = Header::default();
    let (header, mut seal) = sealed(&solo, &parent, None);
    seal.vrf_proof = Some([0; 81].into());
    assert_eq!(solo.chain.verify(&parent, None, &header, &seal), Err(SealError::MixHash));
}

#[test]
fn a_chain_of_sealed_blocks_is_built_imported_and_verified() {
    for rules in [Rules::Dev, Rules::Poot] {
        let mut test = TestChain::new(rules);
        let chain = SoloChain::new(&test.spec, test.head.hash(), test.validators.clone()).unwrap();
        let solo = Solo::new(chain, &NodeKeys::new(key(1), key(101)).unwrap()).unwrap();
        let mut certificate: Option<Certificate> = None;
        for nonce in 0..3 {
            let parent = test.head.clone();
            let timestamp = test.attributes().timestamp;
            let (attributes, proof) = solo.attributes(&parent, certificate.as_ref(), timestamp);
            let mut scratch = test.store.begin().unwrap();
            let candidates = [Tx::default().nonce(nonce).sign(2)];
            let built = chain::build(&mut scratch, &test.spec, &parent, &attributes, candidates).unwrap();
            let header = test.commit(&built.block).header;
            let seal = solo.seal(&header, proof);
            assert_eq!(solo.chain().verify(&parent, certificate.as_ref(), &header, &seal), Ok(()));
            assert_eq!(seal.slot, test.spec.slots().slot_at(timestamp).unwrap());
            certificate = Some(seal.certificate);
        }
    }
}

#[test]
fn a_node_that_is_not_the_only_validator_does_not_seal() {
    let both = spec(Rules::Poot, &[1, 2]);
    let error = SoloChain::new(&both, GENESIS, both.genesis_set().unwrap()).unwrap_err();
    assert_eq!(error, SoloError::NotAlone(2));
    let spec = spec(Rules::Poot, &[1]);
    let chain = SoloChain::new(&spec, GENESIS, spec.genesis_set().unwrap()).unwrap();
    let stranger = Solo::new(chain.clone(), &NodeKeys::new(key(5), key(101)).unwrap()).unwrap_err();
    assert!(matches!(stranger, SoloError::OtherValidator { .. }));
    let other_key = Solo::new(chain, &NodeKeys::new(key(1), key(7)).unwrap()).unwrap_err();
    assert_eq!(other_key, SoloError::OtherKey(key(1).address()));
}
