//! The pool itself: who waits, in which order, and who has to go.
//!
//! What holds after every call: `by_hash`, `senders` and `bytes` say the same; no sender is listed without a
//! transaction; no bound of [`PoolLimits`] is passed. A refused transaction changes nothing.

use super::{
    error::SubmitError,
    validate::{self, SenderState},
};
use crate::{
    chain::Transaction,
    state::{StateError, StateReader},
};
use alloy_consensus::{Transaction as _, transaction::TxHashRef};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, U256};
use lucid_types::{ChainSpec, TransactionRefusal as Refusal};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap},
};

/// How much may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolLimits {
    /// Transactions in all.
    pub transactions: usize,
    /// Bytes of all transactions.
    pub bytes: usize,
    /// Transactions of one sender, and how far a nonce may be ahead of the sender's next.
    pub sender_transactions: usize,
}

impl Default for PoolLimits {
    /// Five full blocks, in memory that a Raspberry Pi can spare, and one block for a single sender.
    fn default() -> Self {
        Self { transactions: 5_000, bytes: 16 * 1024 * 1024, sender_transactions: 1_000 }
    }
}

/// Percentage that a replacement must pay above what it replaces.
const REPLACEMENT_PERCENT: u128 = 110;

/// The transactions that wait, by sender and nonce.
#[derive(Debug, Default)]
pub struct Mempool {
    limits: PoolLimits,
    senders: BTreeMap<Address, Sender>,
    by_hash: HashMap<B256, (Address, u64)>,
    bytes: usize,
    arrivals: u64,
}

#[derive(Debug, Default)]
struct Sender {
    /// The nonce that a block takes next.
    next: u64,
    waiting: BTreeMap<u64, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    transaction: Transaction,
    bytes: usize,
    /// Place in the order of arrival: the earlier of two that pay the same goes first.
    arrival: u64,
}

impl Mempool {
    /// An empty pool.
    pub fn new(limits: PoolLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Reads a signed transaction in its EIP-2718 bytes and finds out who signed it. That takes longer than all the rest
    /// and needs no pool.
    pub fn decode(raw: &[u8], spec: &ChainSpec) -> Result<Transaction, Refusal> {
        validate::decode(raw, spec)
    }

    /// Takes a transaction that [`Mempool::decode`] has read and gives its hash.
    ///
    /// `state` is that of the head and `base_fee` that of the next block.
    pub fn add(
        &mut self,
        transaction: Transaction,
        spec: &ChainSpec,
        base_fee: u64,
        state: &impl StateReader,
    ) -> Result<B256, SubmitError> {
        let hash = *transaction.tx_hash();
        if self.by_hash.contains_key(&hash) {
            return Err(Refusal::AlreadyKnown.into());
        }
        let sender = validate::check(&transaction, spec, base_fee, state)?;
        let bytes = transaction.encode_2718_len();
        self.insert(transaction, bytes, sender)?;
        Ok(hash)
    }

    /// Says whether the pool would take the transaction for what it is, and from whom: whether there is room for
    /// it, or another with its nonce, is not looked at.
    pub fn check(
        raw: &[u8],
        spec: &ChainSpec,
        base_fee: u64,
        state: &impl StateReader,
    ) -> Result<Transaction, SubmitError> {
        let transaction = validate::decode(raw, spec)?;
        validate::check(&transaction, spec, base_fee, state)?;
        Ok(transaction)
    }

    fn insert(&mut self, transaction: Transaction, bytes: usize, account: SenderState) -> Result<(), Refusal> {
        let (address, nonce) = (transaction.signer(), transaction.nonce());
        let most = self.limits.sender_transactions;
        let SenderState { next, balance } = account;
        if nonce - next >= most as u64 {
            return Err(Refusal::NonceTooHigh { next, nonce });
        }
        let sender = self.senders.get(&address);
        let old = sender.and_then(|sender| sender.waiting.get(&nonce));
        match old {
            Some(old) if !replaces(&transaction, &old.transaction) => return Err(Refusal::ReplacementUnderpriced),
            None if sender.is_some_and(|sender| sender.waiting.len() >= most) => {
                return Err(Refusal::AccountLimit(most));
            }
            _ => {}
        }
        // What waits already is promised to the blocks: only what is left pays for more.
        let promised = sender.map_or(U256::ZERO, |sender| sender.cost_of_others(nonce));
        let (balance, cost) = (balance.saturating_sub(promised), validate::cost(&transaction));
        if balance < cost {
            return Err(Refusal::InsufficientFunds { balance, cost });
        }
        let ready = nonce == sender.map_or(next, Sender::next_nonce);
        let evicted = self.room_for(&transaction, ready, bytes, old)?;
        self.remove_at(address, nonce);
        for (address, nonce) in evicted {
            self.remove_at(address, nonce);
        }
        self.arrivals += 1;
        self.bytes += bytes;
        self.by_hash.insert(*transaction.tx_hash(), (address, nonce));
        let sender = self.senders.entry(address).or_default();
        sender.next = next;
        sender.waiting.insert(nonce, Waiting { transaction, bytes, arrival: self.arrivals });
        Ok(())
    }

    /// What has to go so that the new transaction fits in place of `old`: the last ones of other senders, those behind a
    /// gap first and then those that pay least.
    ///
    /// None goes that pays as much as the new one, but for those behind a gap where the new one is `ready` for a block:
    /// what no block takes never pays, so its fee costs nobody anything and must not keep a place.
    fn room_for(
        &self,
        new: &Transaction,
        ready: bool,
        bytes: usize,
        old: Option<&Waiting>,
    ) -> Result<Vec<(Address, u64)>, Refusal> {
        let mut count = self.by_hash.len() - usize::from(old.is_some()) + 1;
        let mut total = self.bytes - old.map_or(0, |old| old.bytes) + bytes;
        let mut evicted = Vec::new();
        if count <= self.limits.transactions && total <= self.limits.bytes {
            return Ok(evicted);
        }
        // Only a sender's last can go: the others would leave a gap.
        let others = self.senders.iter().filter(|(address, _)| **address != new.signer());
        let mut tails: BinaryHeap<Reverse<Tail>> =
            others.filter_map(|(a, s)| s.tail(*a, u64::MAX)).map(Reverse).collect();
        while count > self.limits.transactions || total > self.limits.bytes {
            let weaker = |tail: &Tail| (ready && !tail.ready) || tail.max_fee < new.max_fee_per_gas();
            let Some(Reverse(tail)) = tails.pop().filter(|Reverse(tail)| weaker(tail)) else {
                return Err(Refusal::PoolFull);
            };
            let Some(sender) = self.senders.get(&tail.address) else { continue };
            count -= 1;
            total -= sender.waiting.get(&tail.nonce).map_or(0, |waiting| waiting.bytes);
            evicted.push((tail.address, tail.nonce));
            tails.extend(sender.tail(tail.address, tail.nonce).map(Reverse));
        }
        Ok(evicted)
    }

    /// Up to `most` transactions that a block could take, best price first and each sender's in nonce order.
    pub fn best(&self, base_fee: u64, most: usize) -> Vec<Transaction> {
        let mut heads: BinaryHeap<_> =
            self.senders.iter().filter_map(|(address, sender)| sender.head(*address, sender.next, base_fee)).collect();
        let mut best = Vec::new();
        while best.len() < most
            && let Some((_, _, address, nonce)) = heads.pop()
        {
            let Some(sender) = self.senders.get(&address) else { continue };
            if let Some(waiting) = sender.waiting.get(&nonce) {
                best.push(waiting.transaction.clone());
                heads.extend(sender.head(address, nonce + 1, base_fee));
            }
        }
        best
    }

    /// Whether a block could take anything at this base fee.
    pub fn has_ready(&self, base_fee: u64) -> bool {
        self.senders.iter().any(|(address, sender)| sender.head(*address, sender.next, base_fee).is_some())
    }

    /// Brings the pool to a new head: drops what its state has used up.
    pub fn update(&mut self, state: &impl StateReader) -> Result<(), StateError> {
        let addresses: Vec<Address> = self.senders.keys().copied().collect();
        for address in addresses {
            let next = state.account(address)?.map_or(0, |account| account.nonce);
            let Some(sender) = self.senders.get_mut(&address) else { continue };
            sender.next = next;
            let used: Vec<u64> = sender.waiting.range(..next).map(|(nonce, _)| *nonce).collect();
            for nonce in used {
                self.remove_at(address, nonce);
            }
        }
        Ok(())
    }

    /// Drops a transaction that no block can take.
    pub fn remove(&mut self, hash: &B256) {
        if let Some((address, nonce)) = self.by_hash.get(hash).copied() {
            self.remove_at(address, nonce);
        }
    }

    fn remove_at(&mut self, address: Address, nonce: u64) {
        let Some(sender) = self.senders.get_mut(&address) else { return };
        if let Some(old) = sender.waiting.remove(&nonce) {
            self.by_hash.remove(old.transaction.tx_hash());
            self.bytes -= old.bytes;
        }
        if sender.waiting.is_empty() {
            self.senders.remove(&address);
        }
    }

    /// A waiting transaction.
    pub fn get(&self, hash: &B256) -> Option<&Transaction> {
        let (address, nonce) = self.by_hash.get(hash)?;
        self.senders.get(address)?.waiting.get(nonce).map(|waiting| &waiting.transaction)
    }

    /// All that wait, by sender and nonce.
    pub fn transactions(&self) -> impl Iterator<Item = &Transaction> {
        self.senders.values().flat_map(|sender| sender.waiting.values().map(|waiting| &waiting.transaction))
    }

    /// The nonce after all that wait of a sender without a gap; `None` where nothing does.
    pub fn next_nonce(&self, address: &Address) -> Option<u64> {
        self.senders.get(address).map(Sender::next_nonce)
    }

    /// How many transactions a block could take one after another, and how many stand behind a missing nonce.
    pub fn status(&self) -> (u64, u64) {
        let ready: u64 = self.senders.values().map(|sender| sender.next_nonce() - sender.next).sum();
        (ready, self.by_hash.len() as u64 - ready)
    }

    /// Number of transactions that wait.
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Bytes of all that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }
}

#[cfg(test)]
impl Mempool {
    /// Checks what holds after every call.
    pub(super) fn assert_consistent(&self) {
        let waiting = self.senders.iter().flat_map(|(address, sender)| {
            assert!(!sender.waiting.is_empty() && sender.waiting.len() <= self.limits.sender_transactions);
            sender.waiting.iter().map(|(nonce, waiting)| (*address, *nonce, waiting))
        });
        let (mut count, mut bytes) = (0, 0);
        for (address, nonce, waiting) in waiting {
            assert_eq!(self.by_hash.get(waiting.transaction.tx_hash()), Some(&(address, nonce)));
            assert_eq!((waiting.transaction.signer(), waiting.transaction.nonce()), (address, nonce));
            (count, bytes) = (count + 1, bytes + waiting.bytes);
        }
        assert_eq!((self.by_hash.len(), self.bytes), (count, bytes));
        assert!(count <= self.limits.transactions && bytes <= self.limits.bytes);
    }
}

/// What orders the heads of the senders: tip, then arrival.
type Head = (u128, Reverse<u64>, Address, u64);

/// What orders the last transactions of the senders: those behind a gap, then fee, then the latest arrival first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Tail {
    /// Whether no nonce before it is missing.
    ready: bool,
    max_fee: u128,
    arrival: Reverse<u64>,
    address: Address,
    nonce: u64,
}

impl Sender {
    /// The nonce after all that wait without a gap.
    fn next_nonce(&self) -> u64 {
        let run = self.waiting.range(self.next..).zip(self.next..);
        self.next + run.take_while(|((nonce, _), next)| *nonce == next).count() as u64
    }

    /// The last transaction with a nonce below `before`.
    fn tail(&self, address: Address, before: u64) -> Option<Tail> {
        let (nonce, waiting) = self.waiting.range(..before).next_back()?;
        let (ready, max_fee) = (*nonce < self.next_nonce(), waiting.transaction.max_fee_per_gas());
        Some(Tail { ready, max_fee, arrival: Reverse(waiting.arrival), address, nonce: *nonce })
    }

    /// The most that all but the transaction with this nonce can take from the sender, in wei.
    fn cost_of_others(&self, nonce: u64) -> U256 {
        let others = self.waiting.iter().filter(|(other, _)| **other != nonce);
        others.fold(U256::ZERO, |sum, (_, waiting)| sum.saturating_add(validate::cost(&waiting.transaction)))
    }

    /// The transaction with this nonce, if it is there and pays the base fee.
    fn head(&self, address: Address, nonce: u64, base_fee: u64) -> Option<Head> {
        let waiting = self.waiting.get(&nonce)?;
        let tip = waiting.transaction.effective_tip_per_gas(base_fee)?;
        Some((tip, Reverse(waiting.arrival), address, nonce))
    }
}

/// Whether a transaction pays enough more, in fee and in tip, to take another's place.
fn replaces(new: &Transaction, old: &Transaction) -> bool {
    let enough = |new: u128, old: u128| new.saturating_mul(100) >= old.saturating_mul(REPLACEMENT_PERCENT);
    let tip =
        |transaction: &Transaction| transaction.max_priority_fee_per_gas().unwrap_or(transaction.max_fee_per_gas());
    enough(new.max_fee_per_gas(), old.max_fee_per_gas()) && enough(tip(new), tip(old))
}
