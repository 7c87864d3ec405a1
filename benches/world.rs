//! A chain to measure on: 100,000 accounts, and blocks of transfers between them.

use alloy_consensus::{Header, Sealed, SignableTransaction, TxEip1559, TxEnvelope, transaction::Recovered};
use alloy_eips::eip4895::Withdrawals;
use alloy_primitives::{Address, TxKind, U256};
use lucid_node::{
    chain::{self, Block, Imported, RecoveredBlock},
    consensus::{Author, Proposal},
    evm::Transaction,
    keys::{NodeKeys, SecretKey},
    state::{self, Account, AccountChange},
};
use lucid_storage::{Batch, Meta, Options, Seals, Store};
use lucid_types::{Certificate, ChainSpec, ConsensusKey, GenesisValidator, Preset, Rules, blake3};

/// Accounts with a balance at genesis.
const ACCOUNTS: u64 = 100_000;

/// Transfers in a block: the most that one may hold.
pub(crate) const TRANSFERS: u64 = 1_000;

/// Accounts with a key. Each block is sent by the next thousand of them, so that no block finds the pages of the
/// one before in a processor's cache.
const SENDERS: u64 = 10 * TRANSFERS;

/// Who pays whom in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A thousand accounts pay a thousand others: with who gets the fees, 2001 accounts change.
    Pairs,
    /// A thousand accounts stand in a ring and each pays the next: 1001 accounts change.
    Ring,
}

impl Shape {
    pub(crate) const ALL: [Self; 2] = [Self::Pairs, Self::Ring];

    /// Its name in the names of benches, which stay as they are.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pairs => "transfers",
            Self::Ring => "ring",
        }
    }
}

/// A chain on disk, the keys of those who send, and the head.
pub(crate) struct World {
    pub(crate) spec: ChainSpec,
    pub(crate) store: Store,
    pub(crate) head: Sealed<Header>,
    author: Author,
    senders: Vec<SecretKey>,
    certificate: Option<Certificate>,
    _folder: tempfile::TempDir,
}

fn secret(n: u64) -> SecretKey {
    SecretKey::from_bytes(&blake3([b"key".as_slice(), &n.to_be_bytes()])).unwrap()
}

/// The address of an account that never sends.
fn stranger(n: u64) -> Address {
    Address::from_slice(&blake3([b"stranger".as_slice(), &n.to_be_bytes()])[..20])
}

impl World {
    /// A new chain at its genesis. Its state is written in one ascending run, or has `grown`: the pages of its tables
    /// are then as full as insertions at random leave them.
    pub(crate) fn new(grown: bool) -> Self {
        let keys = NodeKeys::new(secret(u64::MAX), secret(u64::MAX - 1)).unwrap();
        let senders: Vec<_> = (0..SENDERS).map(secret).collect();
        let spec = spec(&keys, &senders);
        let header = chain::genesis_header(&spec).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let meta = Meta::new(spec.to_canonical_json(), header.hash());
        let store = Store::create(folder.path().join("node.redb"), &meta, &Options::default()).unwrap();
        if grown {
            grow(&store, &spec);
        }
        let mut batch = store.begin().unwrap();
        let head = chain::write_genesis(&mut batch, &spec).unwrap();
        store.commit(batch).unwrap();
        let author = Author::new(&spec, head.hash(), &keys);
        Self { spec, store, head, author, senders, certificate: None, _folder: folder }
    }

    /// The next block: a thousand transfers, each from another account.
    pub(crate) fn next_block(&self, shape: Shape) -> Block {
        let turn = self.head.number;
        let first = turn * TRANSFERS % SENDERS;
        let nonce = turn * TRANSFERS / SENDERS;
        let strangers = ACCOUNTS - SENDERS;
        let transfers: Vec<_> = (0..TRANSFERS)
            .map(|n| {
                // Neighbours in number are far apart in the tables: both are keyed by hashes.
                let to = match shape {
                    Shape::Pairs => stranger((turn * TRANSFERS + n) % strangers),
                    Shape::Ring => self.senders[(first + (n + 1) % TRANSFERS) as usize].address(),
                };
                self.transfer(&self.senders[(first + n) as usize], nonce, to)
            })
            .collect();
        let timestamp = self.head.timestamp + self.spec.parameters.slot_duration_secs;
        let (attributes, _) = self.author.attributes(&Proposal {
            parent: &self.head,
            parent_certificate: self.certificate.as_ref(),
            next_set: &self.spec.genesis_set().unwrap(),
            timestamp,
            round: 0,
        });
        let mut scratch = self.store.begin().unwrap();
        let nothing = Withdrawals::default();
        let built = chain::build(&mut scratch, &self.spec, &self.head, &attributes, &nothing, transfers).unwrap();
        assert_eq!(built.block.transactions.len() as u64, TRANSFERS);
        built.block.into_block()
    }

    fn transfer(&self, from: &SecretKey, nonce: u64, to: Address) -> Transaction {
        let transaction = TxEip1559 {
            chain_id: self.spec.chain_id,
            nonce,
            gas_limit: 21_000,
            max_fee_per_gas: 1_000_000_000_000,
            max_priority_fee_per_gas: 1_000_000_000,
            to: TxKind::Call(to),
            value: U256::from(10).pow(U256::from(15)),
            ..TxEip1559::default()
        };
        let signature = from.sign_prehash_recoverable(transaction.signature_hash());
        let signed = TxEnvelope::Eip1559(transaction.into_signed(signature));
        Recovered::new_unchecked(signed, from.address())
    }

    /// Imports the block into a new batch, with its seal beside it.
    pub(crate) fn import(&self, block: &RecoveredBlock) -> (Batch, Imported) {
        let mut batch = self.store.begin().unwrap();
        let imported = chain::import(&mut batch, &self.spec, &self.head, block, &Withdrawals::default()).unwrap();
        batch.append::<Seals>(&imported.header.number, &self.author.seal_alone(&imported.header, None)).unwrap();
        (batch, imported)
    }

    /// Goes on from a block that was committed.
    pub(crate) fn advance(&mut self, imported: Imported) {
        self.certificate = Some(self.author.seal_alone(&imported.header, None).certificate);
        self.head = imported.header;
    }
}

/// Writes the accounts a thousand at a time, scattered over the tables, as a chain comes to its accounts. Genesis then
/// finds them as it wants them.
fn grow(store: &Store, spec: &ChainSpec) {
    let mut accounts: Vec<_> = spec.allocations.iter().collect();
    accounts.sort_by_key(|(address, _)| blake3([address.as_slice()]));
    for some in accounts.chunks(TRANSFERS as usize) {
        let mut batch = store.begin().unwrap();
        let change = |balance| {
            let account = Some(Account { balance, ..Account::default() });
            AccountChange { account, ..AccountChange::default() }
        };
        let changes = some.iter().map(|(address, balance)| (**address, change(**balance))).collect();
        state::apply(&mut batch, 0, &changes).unwrap();
        store.commit(batch).unwrap();
    }
}

fn spec(keys: &NodeKeys, senders: &[SecretKey]) -> ChainSpec {
    let balance = U256::from(10).pow(U256::from(22));
    let with_keys = senders.iter().map(SecretKey::address);
    let node = keys.account().address();
    let validator = GenesisValidator {
        node,
        operator: node,
        consensus_key: ConsensusKey::from_bytes(keys.consensus().public_key_compressed()).unwrap(),
    };
    ChainSpec {
        chain_id: 31_337,
        rules: Rules::Dev,
        genesis_time: 0,
        slot_origin: 0,
        parameters: Preset::Dev.params(),
        server: node,
        validators: vec![validator],
        allocations: with_keys.chain((0..ACCOUNTS - SENDERS).map(stranger)).map(|account| (account, balance)).collect(),
        contracts: chain::genesis_contract_hashes(),
    }
}
