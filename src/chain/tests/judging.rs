//! What makes a block invalid, and that each fault is named.

use super::*;
use crate::testing::{CHAIN_ID, Form, key};
use alloy_consensus::{
    Header, Sealed, SignableTransaction, Signed, TxEip4844, TxEnvelope, transaction::Recovered,
};
use alloy_eips::eip4895::{Withdrawal, Withdrawals};
use alloy_primitives::{B64, Bloom, Signature};
use lucid_storage::{Blocks, Reader};

/// A chain and a valid block on top of it, with a transfer and a log.
fn chain_and_block(rules: Rules) -> (TestChain, RecoveredBlock) {
    let mut chain = TestChain::new(rules);
    chain.advance(vec![Tx::create(LOG).sign(8)]);
    let log = Tx::call(account(8).create(0), words(1, 2)).sign(3);
    let block = chain.build([Tx::default().sign(2), log]).block;
    (chain, block)
}

fn invalid(chain: &TestChain, block: &RecoveredBlock) -> Invalid {
    match chain.judge(block) {
        Err(ChainError::Invalid(invalid)) => invalid,
        other => panic!("{other:?}"),
    }
}

/// The field that the verdict names.
fn field(chain: &TestChain, block: &RecoveredBlock) -> &'static str {
    match invalid(chain, block) {
        Invalid::Field { field, found, expected } => {
            assert_ne!(found, expected);
            field
        }
        Invalid::Timestamp { .. } => "timestamp",
        Invalid::ExtraData(_) => "extraData",
        other => panic!("{other}"),
    }
}

#[test]
fn every_field_of_a_header_that_is_off_by_one_is_named() {
    let (chain, good) = chain_and_block(Rules::Poot);
    chain.judge(&good).unwrap();
    let changes: [(&str, fn(&mut Header)); 34] = [
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
    for (name, change) in changes {
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
fn another_parent_is_refused() {
    let (chain, good) = chain_and_block(Rules::Dev);
    let mut other: Header = chain.head.inner().clone();
    other.mix_hash.0[0] ^= 1;
    let parent: Sealed<Header> = alloy_consensus::Sealable::seal_slow(other);
    let error = import(&mut chain.store.begin().unwrap(), &chain.spec, &parent, &good).unwrap_err();
    assert!(matches!(error, ChainError::Invalid(Invalid::Field { field: "parentHash", .. })), "{error}");
}

#[test]
fn a_slot_may_be_skipped_and_must_not_be_used_twice() {
    let mut chain = TestChain::new(Rules::Poot);
    let build = |chain: &TestChain, timestamp| {
        let attributes = BlockAttributes { timestamp, ..chain.attributes() };
        let mut scratch = chain.store.begin().unwrap();
        build(&mut scratch, &chain.spec, &chain.head, &attributes, [Tx::default().sign(2)]).unwrap().block
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
fn a_block_without_transactions_is_for_developers_only() {
    let chain = TestChain::new(Rules::Poot);
    assert_eq!(invalid(&chain, &chain.build([]).block), Invalid::Empty);
    let mut chain = TestChain::new(Rules::Dev);
    chain.advance(vec![]);
    assert_eq!(chain.head.number, 1);
}

#[test]
fn withdrawals_are_a_list_and_the_list_is_empty() {
    let (chain, good) = chain_and_block(Rules::Poot);
    let mut missing = good.clone().into_block();
    missing.body.withdrawals = None;
    let error = RecoveredBlock::recover(missing).unwrap_err();
    assert!(matches!(error, Invalid::Field { field: "withdrawals", .. }), "{error}");

    let minted: Withdrawals =
        vec![Withdrawal { index: 0, validator_index: 0, address: account(1), amount: 1_000_000_000 }].into();
    let mut smuggled = good;
    smuggled.withdrawals = minted.clone();
    assert_eq!(field(&chain, &smuggled), "withdrawals");
    let attributes = BlockAttributes { withdrawals: minted, ..chain.attributes() };
    let mut scratch = chain.store.begin().unwrap();
    let built = build(&mut scratch, &chain.spec, &chain.head, &attributes, [Tx::default().sign(2)]).unwrap();
    assert_eq!(field(&chain, &built.block), "withdrawals");
}

#[test]
fn ommers_are_refused() {
    let (_, good) = chain_and_block(Rules::Dev);
    let mut block = good.into_block();
    block.body.ommers.push(Header::default());
    assert!(matches!(RecoveredBlock::recover(block), Err(Invalid::Field { field: "ommers", .. })));
}

#[test]
fn blob_transactions_are_refused_and_never_built_in() {
    let (chain, mut block) = chain_and_block(Rules::Dev);
    let blobs = TxEip4844 {
        chain_id: CHAIN_ID,
        nonce: 0,
        gas_limit: 100_000,
        max_fee_per_gas: 3 * GWEI,
        max_priority_fee_per_gas: GWEI,
        to: account(3),
        blob_versioned_hashes: vec![B256::with_last_byte(1)],
        max_fee_per_blob_gas: GWEI,
        ..TxEip4844::default()
    };
    let signature = key(2).sign_prehash_recoverable(blobs.signature_hash());
    let transaction = Recovered::new_unchecked(TxEnvelope::from(blobs.into_signed(signature)), account(2));
    let hash = *transaction.tx_hash();
    let built = chain.build([transaction.clone()]);
    assert!(built.block.transactions.is_empty());
    assert_eq!(built.rejected[0].hash, hash);
    block.transactions[0] = transaction;
    assert_eq!(invalid(&chain, &block), Invalid::Blobs(hash));
    assert_eq!(RecoveredBlock::recover(block.into_block()).unwrap_err(), Invalid::Blobs(hash));
}

#[test]
fn a_signature_that_is_none_or_has_a_high_s_is_refused() {
    // The order of secp256k1.
    const ORDER: &str = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    let (_, good) = chain_and_block(Rules::Dev);
    let block = good.into_block();
    RecoveredBlock::recover(block.clone()).unwrap();
    let TxEnvelope::Eip1559(signed) = block.body.transactions[0].clone() else { panic!("another form") };
    let twin = {
        let signature = signed.signature();
        Signature::new(signature.r(), ORDER.parse::<U256>().unwrap() - signature.s(), !signature.v())
    };
    for signature in [Signature::new(U256::ZERO, U256::ONE, false), twin] {
        let forged = TxEnvelope::from(signed.tx().clone().into_signed(signature));
        let hash = *forged.tx_hash();
        let mut block = block.clone();
        block.body.transactions[0] = forged;
        assert_eq!(RecoveredBlock::recover(block).unwrap_err(), Invalid::Signature(hash));
    }
}

#[test]
fn a_transaction_that_cannot_run_is_named() {
    let (chain, good) = chain_and_block(Rules::Dev);
    let other_nonce = Tx::default().nonce(7).sign(2);
    let mut block = good;
    block.transactions[0] = other_nonce.clone();
    block.header.transactions_root = alloy_consensus::proofs::calculate_transaction_root(&block.transactions);
    let error = invalid(&chain, &block);
    assert!(matches!(&error, Invalid::Transaction { hash, .. } if hash == other_nonce.tx_hash()), "{error}");
}

#[test]
fn transactions_in_another_order_are_another_block() {
    let (chain, mut block) = chain_and_block(Rules::Dev);
    block.transactions.swap(0, 1);
    assert_eq!(field(&chain, &block), "transactionsRoot");
}

#[test]
fn numbers_and_sizes_have_their_limits() {
    let (chain, block) = chain_and_block(Rules::Dev);
    let judge = |change: fn(&mut lucid_types::Params)| {
        let mut spec = chain.spec.clone();
        change(&mut spec.parameters);
        import(&mut chain.store.begin().unwrap(), &spec, &chain.head, &block).map(|_| ()).map_err(|error| match error {
            ChainError::Invalid(invalid) => invalid,
            other => panic!("{other}"),
        })
    };
    assert_eq!(judge(|p| p.block_transactions_max = 2), Ok(()));
    assert_eq!(judge(|p| p.block_transactions_max = 1), Err(Invalid::TooManyTransactions { found: 2, most: 1 }));
    let size = block.size_bytes();
    assert_eq!(judge(|p| p.block_bytes_max = 1_000), Ok(()));
    assert_eq!(judge(|p| p.block_bytes_max = 800), Err(Invalid::TooLarge { found: size, most: 800 }));
}

#[test]
fn an_import_that_is_dropped_leaves_nothing() {
    let (mut chain, good) = chain_and_block(Rules::Dev);
    let before = chain.store.snapshot().unwrap();
    chain.judge(&good).unwrap();
    let mut bad = good.clone();
    bad.header.state_root.0[0] ^= 1;
    chain.judge(&bad).unwrap_err();
    let after = chain.store.snapshot().unwrap();
    assert_eq!(before.sequence().unwrap(), after.sequence().unwrap());
    assert!(after.get::<Blocks>(&good.header.number).unwrap().is_none());
    assert_eq!(LatestState::new(&after).root().unwrap(), chain.head.state_root);
    chain.commit(&good);
}

#[test]
fn a_legacy_transaction_without_a_chain_id_is_valid_in_a_block() {
    // The pool refuses it, but Ethereum's rules for blocks do not.
    let chain = TestChain::new(Rules::Dev);
    let Tx { to, nonce, value, gas_limit, max_fee, input, .. } = Tx { form: Form::Legacy, ..Tx::default() };
    let tx = alloy_consensus::TxLegacy { chain_id: None, nonce, gas_price: max_fee, gas_limit, to, value, input };
    let signature = key(2).sign_prehash_recoverable(tx.signature_hash());
    let signed: Signed<_> = tx.into_signed(signature);
    let built = chain.build([Recovered::new_unchecked(signed.into(), account(2))]);
    assert_eq!(built.block.transactions.len(), 1);
    chain.judge(&built.block).unwrap();
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
