use super::{error::SubmitError, validate};
use crate::{
    chain::Transaction,
    state::{StateError, StateReader},
};
use alloy_consensus::{Transaction as _, transaction::TxHashRef};
use alloy_primitives::{Address, B256};
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

    /// Takes a signed transaction in its EIP-2718 bytes and gives its hash.
    ///
    /// `state` is that of the head and `base_fee` that of the next block.
    pub fn add(
        &mut self,
        raw: &[u8],
        spec: &ChainSpec,
        base_fee: u64,
        state: &impl StateReader,
    ) -> Result<B256, SubmitError> {
        let transaction = validate::decode(raw, spec)?;
        let hash = *transaction.tx_hash();
        if self.by_hash.contains_key(&hash) {
            return Err(Refusal::AlreadyKnown.into());
        }
        let next = validate::check(&transaction, spec, base_fee, state)?;
        self.insert(transaction, raw.len(), next)?;
        Ok(hash)
    }

    /// Says whether [`Mempool::add`] would take the transaction for what it is, and from whom: whether there is room for
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

    fn insert(&mut self, transaction: Transaction, bytes: usize, next: u64) -> Result<(), Refusal> {
        let (address, nonce) = (transaction.signer(), transaction.nonce());
        let most = self.limits.sender_transactions;
        if nonce - next >= most as u64 {
            return Err(Refusal::NonceTooHigh { next, nonce });
        }
        let sender = self.senders.get(&address);
        match sender.and_then(|sender| sender.waiting.get(&nonce)) {
            Some(old) if !replaces(&transaction, &old.transaction) => return Err(Refusal::ReplacementUnderpriced),
            Some(_) => self.remove_at(address, nonce),
            None if sender.is_some_and(|sender| sender.waiting.len() >= most) => {
                return Err(Refusal::AccountLimit(most));
            }
            None => self.make_room(&transaction, bytes)?,
        }
        self.arrivals += 1;
        self.bytes += bytes;
        self.by_hash.insert(*transaction.tx_hash(), (address, nonce));
        let sender = self.senders.entry(address).or_default();
        sender.next = next;
        sender.waiting.insert(nonce, Waiting { transaction, bytes, arrival: self.arrivals });
        Ok(())
    }

    /// Where the pool is full, drops the last transactions of senders that pay less than the new one.
    fn make_room(&mut self, new: &Transaction, bytes: usize) -> Result<(), Refusal> {
        while self.by_hash.len() >= self.limits.transactions || self.bytes + bytes > self.limits.bytes {
            // Only a sender's last can go: the others would leave a gap.
            let last = |(address, sender): (&Address, &Sender)| {
                let (nonce, waiting) = sender.waiting.last_key_value()?;
                Some((waiting.transaction.max_fee_per_gas(), Reverse(waiting.arrival), *address, *nonce))
            };
            match self.senders.iter().filter_map(last).min() {
                Some((fee, _, address, nonce)) if fee < new.max_fee_per_gas() && address != new.signer() => {
                    self.remove_at(address, nonce);
                }
                _ => return Err(Refusal::PoolFull),
            }
        }
        Ok(())
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

    /// The nonce after all that wait of a sender without a gap; `None` where nothing does.
    pub fn next_nonce(&self, address: &Address) -> Option<u64> {
        let sender = self.senders.get(address)?;
        let mut next = sender.next;
        while sender.waiting.contains_key(&next) {
            next += 1;
        }
        Some(next)
    }

    /// Number of transactions that wait.
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }
}

/// What orders the heads of the senders: tip, then arrival.
type Head = (u128, Reverse<u64>, Address, u64);

impl Sender {
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
