//! The pool against accounts of a plain map.

mod bounds;
mod model;
mod order;
mod refusals;
mod saved;

use super::*;
use crate::{
    chain::{MAX_INITCODE_BYTES, Transaction},
    state::{StateError, StateReader},
    testing::{BALANCE, CHAIN_ID, Form, GWEI, TestChain, Tx, account, authorize, init_code, key, spec},
};
use alloy_consensus::{SignableTransaction, Transaction as _, TxEnvelope, TxLegacy, transaction::TxHashRef};
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
        let added = match Mempool::decode(raw, &self.spec) {
            Ok(transaction) => self.pool.add(transaction, &self.spec, BASE_FEE, &self.accounts),
            Err(refusal) => Err(refusal.into()),
        };
        self.pool.assert_consistent();
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
        self.pool.assert_consistent();
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
