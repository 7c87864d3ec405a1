//! The pool against accounts of a plain map.

use super::*;
use crate::{
    evm::{MAX_INITCODE_BYTES, Transaction},
    state::{StateError, StateReader},
    testing::{BALANCE, CHAIN_ID, Form, GWEI, TestChain, Tx, account, authorize, init_code, key, spec},
};
use alloy_consensus::{
    SignableTransaction, Transaction as _, TxEnvelope, TxLegacy,
    transaction::TxHashRef,
};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, Signature, TxKind, U256, keccak256};
use lucid_storage::AccountRecord;
use lucid_types::{ChainSpec, Rules, TransactionRefusal as Refusal};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// The next block's base fee in these tests.
const BASE_FEE: u64 = GWEI as u64;

/// Nonces and balances; everybody else has nothing.
#[derive(Default)]
struct Accounts {
    records: BTreeMap<Address, AccountRecord>,
    codes: BTreeMap<B256, Bytes>,
    damaged: bool,
}

impl Accounts {
    /// Accounts 2 to 9 with money.
    fn rich() -> Self {
        let mut accounts = Self::default();
        (2..10).for_each(|n| accounts.set(n, 0, BALANCE));
        accounts
    }

    fn set(&mut self, n: u8, nonce: u64, balance: u128) {
        let record = AccountRecord {
            nonce,
            balance: U256::from(balance),
            code_hash: KECCAK256_EMPTY,
            storage_root: alloy_trie::EMPTY_ROOT_HASH,
        };
        self.records.insert(account(n), record);
    }

    fn set_code(&mut self, n: u8, code: &[u8]) {
        let hash = keccak256(code);
        self.codes.insert(hash, Bytes::copy_from_slice(code));
        self.records.get_mut(&account(n)).unwrap().code_hash = hash;
    }
}

impl StateReader for Accounts {
    fn account(&self, address: Address) -> Result<Option<AccountRecord>, StateError> {
        if self.damaged {
            return Err(StateError::BadRow { table: "t", what: "damaged" });
        }
        Ok(self.records.get(&address).copied())
    }

    fn storage(&self, _: Address, _: U256) -> Result<U256, StateError> {
        Ok(U256::ZERO)
    }

    fn code(&self, hash: B256) -> Result<Bytes, StateError> {
        Ok(self.codes[&hash].clone())
    }
}

/// A pool with its accounts.
struct Fixture {
    pool: Mempool,
    accounts: Accounts,
    spec: ChainSpec,
}

impl Fixture {
    fn new() -> Self {
        Self::with_limits(PoolLimits::default())
    }

    fn with_limits(limits: PoolLimits) -> Self {
        Self { pool: Mempool::new(limits), accounts: Accounts::rich(), spec: spec(Rules::Dev) }
    }

    fn add(&mut self, transaction: &Transaction) -> Result<B256, Refusal> {
        self.add_raw(&transaction.encoded_2718())
    }

    fn add_raw(&mut self, raw: &[u8]) -> Result<B256, Refusal> {
        let before = (self.pool.len(), self.best().len());
        let added = self.pool.add(raw, &self.spec, BASE_FEE, &self.accounts);
        self.pool.check();
        added.map_err(|error| match error {
            SubmitError::Refused(refusal) => {
                assert_eq!(before, (self.pool.len(), self.best().len()), "a refusal changed the pool");
                refusal
            }
            other => panic!("{other}"),
        })
    }

    /// Adds and names the refusal.
    fn refusal(&mut self, tx: Tx, signer: u8) -> String {
        self.add(&tx.sign(signer)).unwrap_err().to_string()
    }

    /// (account, nonce) in the order of the next block.
    fn best(&self) -> Vec<(u8, u64)> {
        order(&self.pool.best(BASE_FEE, usize::MAX))
    }

    fn update(&mut self) {
        self.pool.update(&self.accounts).unwrap();
        self.pool.check();
    }
}

fn order(transactions: &[Transaction]) -> Vec<(u8, u64)> {
    let number = |address| (1..20).find(|n| account(*n) == address).unwrap();
    transactions.iter().map(|transaction| (number(transaction.signer()), transaction.nonce())).collect()
}

/// Pays a tip above the base fee.
fn tip(gwei: u128) -> Tx {
    Tx { max_fee: 2 * GWEI + gwei * GWEI, tip: gwei * GWEI, ..Tx::default() }
}

#[test]
fn the_best_tip_goes_first_and_of_equal_ones_the_first_to_come() {
    let mut fixture = Fixture::new();
    for (signer, gwei) in [(2, 1), (3, 5), (4, 5), (5, 2)] {
        fixture.add(&tip(gwei).sign(signer)).unwrap();
    }
    // A legacy price is fee and tip in one: 4 gwei above the base fee.
    fixture.add(&Tx { form: Form::Legacy, max_fee: 5 * GWEI, ..Tx::default() }.sign(6)).unwrap();
    fixture.add(&Tx { max_fee: 20 * GWEI, tip: 3 * GWEI, ..Tx::default() }.sign(7)).unwrap();
    assert_eq!(fixture.best(), [(3, 0), (4, 0), (6, 0), (7, 0), (5, 0), (2, 0)]);
    assert_eq!(order(&fixture.pool.best(BASE_FEE, 2)), [(3, 0), (4, 0)]);
    // At a higher base fee some caps leave less of the tip: 6 is left with 2 gwei.
    assert_eq!(order(&fixture.pool.best(3 * BASE_FEE, 9)), [(3, 0), (4, 0), (7, 0), (6, 0), (5, 0), (2, 0)]);
}

#[test]
fn a_sender_goes_in_nonce_order_whatever_he_pays() {
    let mut fixture = Fixture::new();
    for (nonce, gwei) in [(2, 9), (0, 1), (1, 8)] {
        fixture.add(&tip(gwei).nonce(nonce).sign(2)).unwrap();
    }
    fixture.add(&tip(3).sign(3)).unwrap();
    assert_eq!(fixture.best(), [(3, 0), (2, 0), (2, 1), (2, 2)]);
}

#[test]
fn nothing_behind_a_gap_or_a_low_fee_is_offered() {
    let mut fixture = Fixture::new();
    fixture.add(&tip(1).nonce(1).sign(2)).unwrap();
    assert!(!fixture.pool.has_ready(BASE_FEE));
    assert_eq!(fixture.pool.next_nonce(&account(2)), Some(0));
    // Pays just less than the base fee: it may do soon.
    fixture.add(&Tx { max_fee: GWEI * 9 / 10, tip: 0, ..Tx::default() }.sign(3)).unwrap();
    fixture.add(&tip(1).nonce(1).sign(3)).unwrap();
    assert_eq!(fixture.best(), []);
    assert!(!fixture.pool.has_ready(BASE_FEE) && fixture.pool.has_ready(BASE_FEE * 9 / 10));
    fixture.add(&tip(1).sign(2)).unwrap();
    assert_eq!(fixture.best(), [(2, 0), (2, 1)]);
    assert_eq!(fixture.pool.next_nonce(&account(2)), Some(2));
    assert_eq!(fixture.pool.next_nonce(&account(9)), None);
}

#[test]
fn a_replacement_pays_a_tenth_more_in_fee_and_in_tip() {
    let mut fixture = Fixture::new();
    let offer = |max_fee, tip| Tx { max_fee, tip, ..Tx::default() };
    let first = fixture.add(&offer(10 * GWEI, 2 * GWEI).sign(2)).unwrap();
    for (max_fee, tip) in [(11 * GWEI - 1, 9 * GWEI), (20 * GWEI, 2_200_000_000 - 1), (10 * GWEI, 3 * GWEI)] {
        assert_eq!(fixture.refusal(offer(max_fee, tip), 2), "replacement transaction underpriced");
    }
    let second = fixture.add(&offer(11 * GWEI, 2_200_000_000).sign(2)).unwrap();
    assert!(fixture.pool.get(&first).is_none());
    assert_eq!(fixture.pool.get(&second).map(TxHashRef::tx_hash), Some(&second));
    assert_eq!(fixture.pool.len(), 1);
    // A legacy price counts as both.
    let legacy = |price| Tx { form: Form::Legacy, max_fee: price, ..Tx::default() };
    assert_eq!(fixture.refusal(legacy(12 * GWEI), 2), "replacement transaction underpriced");
    fixture.add(&legacy(12_100_000_000).sign(2)).unwrap();
}

#[test]
fn the_same_bytes_twice_are_already_known() {
    let mut fixture = Fixture::new();
    let transaction = Tx::default().sign(2);
    fixture.add(&transaction).unwrap();
    assert_eq!(fixture.add(&transaction), Err(Refusal::AlreadyKnown));
    assert_eq!(Refusal::AlreadyKnown.to_string(), "already known");
}

#[test]
fn refusals_have_geths_words() {
    let mut fixture = Fixture::new();
    fixture.accounts.set(9, 5, BALANCE);
    let tx = Tx::default;
    let price = 3 * GWEI * 21_000;
    for (signer, tx, text) in [
        (9, tx().nonce(4), "nonce too low: next nonce 5, tx nonce 4".to_owned()),
        (9, tx().nonce(1_005), "nonce too high: next nonce 5, tx nonce 1005".to_owned()),
        (9, tx().nonce(u64::MAX), "nonce has max value".to_owned()),
        (
            15,
            tx(),
            format!("insufficient funds for gas * price + value: balance 0, tx cost {0}, overshot {0}", price + 1),
        ),
        (2, Tx { gas_limit: 20_999, ..tx() }, "intrinsic gas too low: gas 20999, minimum needed 21000".to_owned()),
        // The floor of EIP-7623: 10 for each of 4 tokens of 1,000 bytes.
        (
            2,
            Tx { gas_limit: 50_000, input: vec![1; 1_000].into(), ..tx() },
            "intrinsic gas too low: gas 50000, minimum needed 61000".to_owned(),
        ),
        (2, Tx { gas_limit: 30_000_001, ..tx() }, "exceeds block gas limit".to_owned()),
        (
            2,
            Tx { gas_limit: 16_777_217, ..tx() },
            "transaction gas limit too high (cap: 16777216, tx: 16777217)".to_owned(),
        ),
        (
            2,
            Tx { max_fee: GWEI * 7 / 8 - 1, tip: 0, ..tx() },
            "max fee per gas less than block base fee: maxFeePerGas: 874999999, baseFee: 1000000000".to_owned(),
        ),
        (
            2,
            Tx { tip: 4 * GWEI, ..tx() },
            "max priority fee per gas higher than max fee per gas: maxPriorityFeePerGas: 4000000000, \
             maxFeePerGas: 3000000000"
                .to_owned(),
        ),
        (
            2,
            Tx { gas_limit: 5_000_000, ..Tx::create(&[0; MAX_INITCODE_BYTES]) },
            format!("max initcode size exceeded: code size {}, limit 49152", MAX_INITCODE_BYTES + 10),
        ),
        (2, Tx { form: Form::SetCode(vec![]), ..tx() }, "EIP-7702 transaction with empty auth list".to_owned()),
        (
            2,
            Tx { gas_limit: 6_000_000, ..Tx::call(account(3), vec![0; MAX_TRANSACTION_BYTES]) },
            format!("oversized data: transaction size {}, limit 131072", MAX_TRANSACTION_BYTES + 117),
        ),
    ] {
        assert_eq!(fixture.refusal(tx, signer), text);
    }
    assert!(fixture.pool.is_empty());
}

#[test]
fn what_is_no_transaction_of_this_chain_is_refused() {
    let mut fixture = Fixture::new();
    let raw = Tx::default().sign(2).encoded_2718();
    assert!(matches!(fixture.add_raw(&[]), Err(Refusal::Malformed(_))));
    assert!(matches!(fixture.add_raw(&raw[..raw.len() - 1]), Err(Refusal::Malformed(_))));
    assert!(matches!(fixture.add_raw(&[&raw[..], &[0]].concat()), Err(Refusal::Malformed(_))));
    assert_eq!(fixture.add_raw(&[3, 1, 2]).unwrap_err().to_string(), "transaction type not supported");
    assert!(fixture.add_raw(&[0x7f, 0xc0]).is_err());

    fixture.spec.chain_id = 1;
    let error = fixture.add_raw(&raw).unwrap_err();
    assert_eq!(error.to_string(), format!("invalid chain id for signer: have {CHAIN_ID} want 1"));
    fixture.spec.chain_id = CHAIN_ID;

    let Tx { to, nonce, value, gas_limit, max_fee, input, .. } = Tx::default();
    let unprotected = TxLegacy { chain_id: None, nonce, gas_price: max_fee, gas_limit, to, value, input };
    let signature = key(2).sign_prehash_recoverable(unprotected.signature_hash());
    let error = fixture.add_raw(&TxEnvelope::from(unprotected.into_signed(signature)).encoded_2718()).unwrap_err();
    assert_eq!(error.to_string(), "only replay-protected (EIP-155) transactions allowed over RPC");

    let TxEnvelope::Eip1559(signed) = Tx::default().sign(2).into_inner() else { panic!("another form") };
    let order: U256 = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141".parse().unwrap();
    let good = *signed.signature();
    let twin = Signature::new(good.r(), order - good.s(), !good.v());
    for signature in [Signature::new(U256::ZERO, U256::ONE, false), twin] {
        let forged = TxEnvelope::from(signed.tx().clone().into_signed(signature));
        assert_eq!(fixture.add_raw(&forged.encoded_2718()).unwrap_err().to_string(), "invalid sender");
    }
}

#[test]
fn an_account_with_code_sends_nothing_and_one_with_a_delegation_does() {
    let mut fixture = Fixture::new();
    fixture.accounts.set_code(2, &[0x60, 0]);
    assert_eq!(fixture.refusal(Tx::default(), 2), format!("sender not an eoa: address {}", account(2)));
    fixture.accounts.set_code(3, &[&[0xef, 1, 0], account(4).as_slice()].concat());
    fixture.add(&Tx::default().sign(3)).unwrap();
}

#[test]
fn a_state_that_cannot_be_read_says_nothing_about_a_transaction() {
    let mut fixture = Fixture::new();
    fixture.accounts.damaged = true;
    let added = fixture.pool.add(&Tx::default().sign(2).encoded_2718(), &fixture.spec, BASE_FEE, &fixture.accounts);
    assert!(matches!(added, Err(SubmitError::State(_))));
}

#[test]
fn what_waits_already_is_money_spent() {
    let mut fixture = Fixture::new();
    let price = 3 * GWEI * 21_000 + 1;
    fixture.accounts.set(2, 0, 2 * price + 5);
    fixture.add(&Tx::default().sign(2)).unwrap();
    fixture.add(&Tx::default().nonce(1).sign(2)).unwrap();
    let text = format!(
        "insufficient funds for gas * price + value: balance 5, tx cost {price}, overshot {}",
        price - 5
    );
    assert_eq!(fixture.refusal(Tx::default().nonce(2), 2), text);
    // A replacement only has to be paid in place of what it replaces.
    let dearer = Tx { max_fee: 33 * GWEI / 10, tip: 2 * GWEI, ..Tx::default() };
    let dearer_price = 33 * GWEI / 10 * 21_000 + 1;
    fixture.accounts.set(2, 0, price + dearer_price - 1);
    assert!(fixture.refusal(dearer.clone(), 2).starts_with("insufficient funds"));
    fixture.accounts.set(2, 0, price + dearer_price);
    fixture.add(&dearer.sign(2)).unwrap();
}

#[test]
fn a_sender_has_only_so_many_places() {
    let limits = PoolLimits { sender_transactions: 3, ..PoolLimits::default() };
    let mut fixture = Fixture::with_limits(limits);
    for nonce in 0..3 {
        fixture.add(&Tx::default().nonce(nonce).sign(2)).unwrap();
    }
    assert_eq!(fixture.refusal(Tx::default().nonce(3), 2), "nonce too high: next nonce 0, tx nonce 3");
    // With the nonces on chain moved, the distance is kept and the number still counts.
    fixture.accounts.set(2, 1, BALANCE);
    let text = "account limit exceeded: 3 transactions of this account wait already";
    assert_eq!(fixture.refusal(Tx::default().nonce(3), 2), text);
    fixture.update();
    fixture.add(&Tx::default().nonce(3).sign(2)).unwrap();
    fixture.add(&Tx::default().sign(3)).unwrap();
}

#[test]
fn a_full_pool_makes_room_only_for_what_pays_more_than_a_last_one() {
    let mut fixture = Fixture::with_limits(PoolLimits { transactions: 4, ..PoolLimits::default() });
    for (signer, nonce, gwei) in [(2, 0, 1), (2, 1, 5), (3, 0, 2), (4, 0, 2)] {
        fixture.add(&tip(gwei).nonce(nonce).sign(signer)).unwrap();
    }
    assert_eq!(fixture.refusal(tip(2), 5), "txpool is full");
    // Of the two that pay 2 the later one goes. The cheapest of all is no sender's last.
    fixture.add(&tip(3).sign(5)).unwrap();
    assert_eq!(fixture.best(), [(5, 0), (3, 0), (2, 0), (2, 1)]);
    fixture.add(&tip(6).sign(6)).unwrap();
    fixture.add(&tip(6).sign(7)).unwrap();
    assert_eq!(fixture.best(), [(6, 0), (7, 0), (2, 0), (2, 1)]);
    fixture.add(&tip(6).sign(8)).unwrap();
    fixture.add(&tip(6).sign(9)).unwrap();
    assert_eq!(fixture.best(), [(6, 0), (7, 0), (8, 0), (9, 0)]);
    // Nobody pushes out himself; a replacement needs no room.
    assert_eq!(fixture.refusal(tip(6), 2), "txpool is full");
    fixture.add(&tip(9).sign(6)).unwrap();
    assert_eq!(fixture.pool.len(), 4);
}

#[test]
fn a_full_pool_is_full_for_its_own_last_ones_too() {
    let mut fixture = Fixture::with_limits(PoolLimits { transactions: 2, ..PoolLimits::default() });
    fixture.add(&tip(1).sign(2)).unwrap();
    fixture.add(&tip(1).nonce(1).sign(2)).unwrap();
    assert_eq!(fixture.refusal(tip(9).nonce(2), 2), "txpool is full");
}

#[test]
fn bytes_are_bounded_for_new_ones_and_for_replacements() {
    let mut fixture = Fixture::with_limits(PoolLimits { bytes: 3_000, ..PoolLimits::default() });
    let sized = |bytes, gwei| Tx { gas_limit: 200_000, input: vec![0; bytes].into(), ..tip(gwei) };
    fixture.add(&sized(1_000, 1).sign(2)).unwrap();
    fixture.add(&sized(1_000, 2).sign(3)).unwrap();
    assert_eq!(fixture.refusal(sized(1_500, 1), 4), "txpool is full");
    assert_eq!(fixture.refusal(sized(5_000, 9), 4), "txpool is full");
    assert_eq!(fixture.best(), [(3, 0), (2, 0)], "a refusal pushed others out");
    // A larger replacement pushes others out as a new one would, or is refused.
    fixture.add(&sized(2_500, 9).sign(3)).unwrap();
    assert_eq!(fixture.best(), [(3, 0)]);
    assert_eq!(fixture.refusal(sized(3_000, 20), 3), "txpool is full");
    assert_eq!(fixture.pool.len(), 1);
}

#[test]
fn a_new_head_drops_what_it_has_used_up() {
    let mut fixture = Fixture::new();
    for nonce in 0..4 {
        fixture.add(&tip(1).nonce(nonce).sign(2)).unwrap();
    }
    fixture.add(&tip(1).sign(3)).unwrap();
    fixture.accounts.set(2, 2, BALANCE);
    fixture.accounts.set(3, 1, BALANCE);
    fixture.update();
    assert_eq!(fixture.best(), [(2, 2), (2, 3)]);
    assert_eq!(fixture.pool.next_nonce(&account(2)), Some(4));
    assert_eq!(fixture.pool.next_nonce(&account(3)), None);
    fixture.accounts.damaged = true;
    assert!(fixture.pool.update(&fixture.accounts).is_err());
    fixture.pool.check();
}

#[test]
fn a_nonce_that_an_authorization_used_is_used() {
    let mut chain = TestChain::new(Rules::Dev);
    let mut fixture = Fixture::new();
    for nonce in 0..3 {
        fixture.add(&tip(1).nonce(nonce).sign(3)).unwrap();
    }
    let set = Form::SetCode(vec![authorize(3, 0, Address::repeat_byte(1))]);
    chain.advance(vec![Tx { form: set, ..Tx::call(account(4), []) }.sign(2)]);
    let snapshot = chain.store.snapshot().unwrap();
    fixture.pool.update(&crate::state::LatestState::new(&snapshot)).unwrap();
    fixture.pool.check();
    assert_eq!(fixture.best(), [(3, 1), (3, 2)]);
}

#[test]
fn what_is_removed_leaves_a_gap() {
    let mut fixture = Fixture::new();
    let hashes = [0, 1, 2].map(|nonce| fixture.add(&tip(1).nonce(nonce).sign(2)).unwrap());
    fixture.pool.remove(&hashes[1]);
    fixture.pool.remove(&B256::ZERO);
    fixture.pool.check();
    assert_eq!(fixture.best(), [(2, 0)]);
    assert_eq!(fixture.pool.next_nonce(&account(2)), Some(1));
    fixture.add(&tip(1).nonce(1).sign(2)).unwrap();
    assert_eq!(fixture.best().len(), 3);
}

#[test]
fn creations_and_calls_wait_alike() {
    let mut fixture = Fixture::new();
    let create = Tx { to: TxKind::Create, input: init_code(&[0]), gas_limit: 100_000, ..Tx::default() };
    fixture.add(&create.sign(2)).unwrap();
    assert_eq!(fixture.best(), [(2, 0)]);
}

#[derive(Debug, Clone)]
enum Step {
    Add { signer: u8, nonce: u64, gwei: u128, bytes: usize },
    /// A block takes the best ones.
    Block(usize),
    Remove(usize),
    Spend(u8, u128),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (2..7u8, 0..8u64, 0..12u128, prop_oneof![Just(0usize), Just(300), Just(900)])
            .prop_map(|(signer, nonce, gwei, bytes)| Step::Add { signer, nonce, gwei, bytes }),
        1 => (0..5usize).prop_map(Step::Block),
        1 => (0..8usize).prop_map(Step::Remove),
        1 => (2..7u8, prop_oneof![Just(0), Just(GWEI * 5_000_000), Just(BALANCE)]).prop_map(|(n, b)| Step::Spend(n, b)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_pool_agrees_with_itself_whatever_happens(steps in prop::collection::vec(step(), 1..80)) {
        let limits = PoolLimits { transactions: 10, bytes: 4_000, sender_transactions: 4 };
        let mut fixture = Fixture::with_limits(limits);
        for step in steps {
            match step {
                Step::Add { signer, nonce, gwei, bytes } => {
                    let tx = Tx { gas_limit: 60_000, input: vec![0; bytes].into(), ..tip(gwei) };
                    let added = fixture.add(&tx.nonce(nonce).sign(signer));
                    if let Ok(hash) = added {
                        prop_assert!(fixture.pool.get(&hash).is_some(), "taken and not there");
                    }
                }
                Step::Block(most) => {
                    for (signer, nonce) in order(&fixture.pool.best(BASE_FEE, most)) {
                        fixture.accounts.set(signer, nonce + 1, BALANCE);
                    }
                    fixture.update();
                }
                Step::Remove(place) => {
                    let best = fixture.pool.best(0, usize::MAX);
                    if let Some(transaction) = best.get(place) {
                        fixture.pool.remove(transaction.tx_hash());
                        fixture.pool.check();
                    }
                }
                Step::Spend(signer, balance) => {
                    let nonce = fixture.accounts.records[&account(signer)].nonce;
                    fixture.accounts.set(signer, nonce, balance);
                }
            }
            let best = fixture.best();
            let mut next: BTreeMap<_, _> =
                (2..10).map(|n| (n, fixture.accounts.records[&account(n)].nonce)).collect();
            for (signer, nonce) in &best {
                let next = next.get_mut(signer).unwrap();
                prop_assert_eq!(nonce, &*next, "a gap in {:?}", &best);
                *next += 1;
            }
            prop_assert_eq!(fixture.pool.has_ready(BASE_FEE), !best.is_empty());
            let unique: BTreeSet<_> = best.iter().collect();
            prop_assert_eq!(unique.len(), best.len());
        }
    }
}
