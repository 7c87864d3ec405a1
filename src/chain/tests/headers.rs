//! Headers that do not follow from their parent and content; each fault is named.

use super::*;
use alloy_consensus::{Header, Sealable, Sealed};
use alloy_eips::eip4895::Withdrawals;
use alloy_primitives::{B64, Bloom};

/// A fault in a header, and the field that the verdict has to name.
type Fault = (&'static str, fn(&mut Header));

#[test]
fn every_field_of_a_header_that_is_off_by_one_is_named() {
    let (chain, good) = chain_and_block(Rules::Poot);
    chain.judge(&good).unwrap();
    let faults: [Fault; 34] = [
        ("parentHash", |h| h.parent_hash.0[0] ^= 1),
        ("sha3Uncles", |h| h.ommers_hash.0[0] ^= 1),
        ("stateRoot", |h| h.state_root.0[31] ^= 1),
        ("transactionsRoot", |h| h.transactions_root.0[0] ^= 1),
        ("receiptsRoot", |h| h.receipts_root.0[0] ^= 1),
        ("logsBloom", |h| h.logs_bloom = Bloom::ZERO),
        ("difficulty", |h| h.difficulty = U256::ONE),
        ("number", |h| h.number += 1),
        ("number", |h| h.number -= 1),
        ("gasLimit", |h| h.gas_limit += 1),
        ("gasLimit", |h| h.gas_limit -= 1),
        ("gasUsed", |h| h.gas_used += 1),
        ("gasUsed", |h| h.gas_used -= 1),
        ("timestamp", |h| h.timestamp += 1),
        ("timestamp", |h| h.timestamp -= 1),
        ("timestamp", |h| h.timestamp -= 120),
        ("timestamp", |h| h.timestamp = 0),
        ("timestamp", |h| h.timestamp = u64::MAX),
        ("extraData", |h| h.extra_data = h.extra_data.slice(..31)),
        ("extraData", |h| h.extra_data = [h.extra_data.as_ref(), &[0]].concat().into()),
        ("extraData", |h| h.extra_data = Bytes::new()),
        ("nonce", |h| h.nonce = B64::with_last_byte(1)),
        ("baseFeePerGas", |h| *h.base_fee_per_gas.as_mut().unwrap() += 1),
        ("baseFeePerGas", |h| h.base_fee_per_gas = None),
        ("withdrawalsRoot", |h| h.withdrawals_root.as_mut().unwrap().0[0] ^= 1),
        ("withdrawalsRoot", |h| h.withdrawals_root = None),
        ("blobGasUsed", |h| h.blob_gas_used = Some(131_072)),
        ("excessBlobGas", |h| h.excess_blob_gas = None),
        ("parentBeaconBlockRoot", |h| h.parent_beacon_block_root = None),
        ("requestsHash", |h| h.requests_hash.as_mut().unwrap().0[0] ^= 1),
        ("requestsHash", |h| h.requests_hash = None),
        ("blockAccessListHash", |h| h.block_access_list_hash = Some(B256::ZERO)),
        ("slotNumber", |h| h.slot_number = Some(0)),
        // Its tips go to another account, so the state is another.
        ("stateRoot", |h| h.beneficiary.0[0] ^= 1),
    ];
    for (name, change) in faults {
        let mut block = good.clone();
        change(&mut block.header);
        assert_eq!(field(&chain, &block), name);
    }
    // The certificate's hash is in the state by EIP-4788.
    let mut block = good.clone();
    block.header.parent_beacon_block_root = Some(B256::ZERO);
    assert_eq!(field(&chain, &block), "stateRoot");
    // What only consensus can judge.
    let mut block = good;
    block.header.mix_hash.0[0] ^= 1;
    block.header.extra_data = vec![9; 32].into();
    chain.judge(&block).unwrap();
}

#[test]
fn a_block_is_imported_on_the_head_and_nowhere_else() {
    let (mut chain, good) = chain_and_block(Rules::Dev);
    let parent = chain.head.clone();
    let mut other: Header = parent.inner().clone();
    other.mix_hash.0[0] ^= 1;
    let judge = |chain: &TestChain, parent: &Sealed<Header>| {
        import(&mut chain.store.begin().unwrap(), &chain.spec, parent, &good, &Withdrawals::default()).map(|_| ())
    };
    assert!(matches!(judge(&chain, &other.seal_slow()), Err(ChainError::NotOnHead { .. })));
    chain.commit(&good);
    assert!(matches!(judge(&chain, &parent), Err(ChainError::NotOnHead { .. })), "imported twice");
}

#[test]
fn a_slot_may_be_skipped_and_must_not_be_used_twice() {
    let mut chain = TestChain::new(Rules::Poot);
    let build = |chain: &TestChain, timestamp| {
        let attributes = BlockAttributes { timestamp, ..chain.attributes() };
        let mut scratch = chain.store.begin().unwrap();
        build(&mut scratch, &chain.spec, &chain.head, &attributes, &Withdrawals::default(), [Tx::default().sign(2)])
            .unwrap()
            .block
    };
    let genesis = chain.head.timestamp;
    for timestamp in [genesis, genesis + 1, genesis + 119, genesis - 120] {
        assert_eq!(field(&chain, &build(&chain, timestamp)), "timestamp");
    }
    let block = build(&chain, genesis + 7 * 120);
    chain.commit(&block);
    assert_eq!(chain.head.timestamp, genesis + 840);
}

#[test]
fn the_base_fee_moves_by_an_eighth_at_most() {
    let parent = |gas_used, base_fee| Header {
        gas_limit: 8_000_000,
        gas_used,
        base_fee_per_gas: Some(base_fee),
        ..Header::default()
    };
    assert_eq!(next_base_fee(&parent(0, 800)), 700);
    assert_eq!(next_base_fee(&parent(4_000_000, 800)), 800);
    assert_eq!(next_base_fee(&parent(8_000_000, 800)), 900);
    assert_eq!(next_base_fee(&parent(4_000_001, 800)), 801);
    assert_eq!(next_base_fee(&parent(0, 7)), 7);
    let mut chain = TestChain::new(Rules::Dev);
    for height in 1..=3 {
        let expected = next_base_fee(&chain.head);
        chain.advance(vec![Tx::default().nonce(height - 1).sign(2)]);
        assert_eq!(chain.head.base_fee_per_gas, Some(expected));
    }
    assert!(chain.head.base_fee_per_gas < Some(700_000_000));
}
