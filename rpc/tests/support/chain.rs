//! A short chain in a real store. Its blocks are well-formed and no more: nobody checks roots here.

use alloy_consensus::{
    Block, EthereumTxEnvelope, Header, Receipt, ReceiptEnvelope, ReceiptWithBloom, SignableTransaction, Transaction,
    TxEip1559, TxEip2930, TxEip7702, TxEnvelope, TxLegacy, TxType, transaction::SignerRecoverable,
};
use alloy_eips::{
    Encodable2718,
    eip2930::{AccessList, AccessListItem},
    eip4895::Withdrawal,
    eip7702::Authorization,
};
use alloy_primitives::{Address, B256, B512, Bloom, Bytes, Log, Signature, TxKind, U256, address, keccak256};
use k256::ecdsa::SigningKey;
use lucid_storage::{
    AnchoringStatus, BlockRecord, BlockchainState, BlockchainStateRecord, Blocks, Current, Meta, Options, Reader,
    ReceiptRecord, Receipts, Seals, SessionAnchoringRecord, SessionAnchorings, SessionKey, SessionRecord, Sessions,
    SignedTransaction, Store, TableId, TransactionKey, TransactionRecord, Transactions,
};
use lucid_types::{
    AnchoringId, Certificate, CommitSignature, CommittedBlock, CommittedTransaction, ConsensusKey, Seal, SessionId,
    Validator, ValidatorSet,
};
use std::sync::Arc;
use tempfile::TempDir;

pub(crate) const CHAIN_ID: u64 = 31_337;
pub(crate) const SENDER_KEY: [u8; 32] = [7; 32];
pub(crate) const CONTRACT: Address = address!("0x00000000000000000000000000000000000000cc");
pub(crate) const BASE_FEE: u64 = 1_000_000_000;

pub(crate) fn sender() -> Address {
    Address::from_private_key(&SigningKey::from_slice(&SENDER_KEY).unwrap())
}

pub(crate) struct TestChain {
    pub(crate) store: Store,
    _folder: TempDir,
}

fn sign<T: SignableTransaction<Signature>>(transaction: T) -> TxEnvelope
where
    TxEnvelope: From<alloy_consensus::Signed<T>>,
{
    let key = SigningKey::from_slice(&SENDER_KEY).unwrap();
    let signature = key.sign_prehash_recoverable(transaction.signature_hash().as_slice()).unwrap();
    transaction.into_signed(Signature::from(signature)).into()
}

/// One transaction of each type that the chain takes, in nonce order.
pub(crate) fn one_of_each_type() -> Vec<TxEnvelope> {
    let access = AccessListItem { address: CONTRACT, storage_keys: vec![B256::repeat_byte(5)] };
    let key = SigningKey::from_slice(&SENDER_KEY).unwrap();
    let authorization = Authorization { chain_id: U256::from(CHAIN_ID), address: CONTRACT, nonce: 4 };
    let signed = key.sign_prehash_recoverable(authorization.signature_hash().as_slice()).unwrap();
    let legacy = TxLegacy {
        chain_id: Some(CHAIN_ID),
        nonce: 0,
        gas_price: 2_000_000_000,
        gas_limit: 100_000,
        to: TxKind::Create,
        value: U256::ZERO,
        input: Bytes::from_static(&[0x60, 0x00]),
    };
    let access_list = TxEip2930 {
        chain_id: CHAIN_ID,
        nonce: 1,
        gas_price: 2_000_000_000,
        gas_limit: 50_000,
        to: TxKind::Call(CONTRACT),
        value: U256::from(1),
        access_list: AccessList(vec![access]),
        input: Bytes::new(),
    };
    let dynamic = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce: 2,
        gas_limit: 50_000,
        max_fee_per_gas: 3_000_000_000,
        max_priority_fee_per_gas: 7,
        to: TxKind::Call(CONTRACT),
        value: U256::from(2),
        ..TxEip1559::default()
    };
    let set_code = TxEip7702 {
        chain_id: CHAIN_ID,
        nonce: 3,
        gas_limit: 60_000,
        max_fee_per_gas: 3_000_000_000,
        max_priority_fee_per_gas: 9,
        to: CONTRACT,
        authorization_list: vec![authorization.into_signed(Signature::from(signed))],
        ..TxEip7702::default()
    };
    vec![sign(legacy), sign(access_list), sign(dynamic), sign(set_code)]
}

/// A transaction that is in no block.
pub(crate) fn waiting_transaction() -> TxEnvelope {
    sign(TxEip1559 { chain_id: CHAIN_ID, nonce: 4, max_fee_per_gas: 8, to: TxKind::Create, ..TxEip1559::default() })
}

fn receipt(transaction: &TxEnvelope, cumulative_gas_used: u64, logs: Vec<Log>) -> ReceiptEnvelope {
    let receipt = ReceiptWithBloom::from(Receipt { status: true.into(), cumulative_gas_used, logs });
    match transaction.tx_type() {
        TxType::Legacy => ReceiptEnvelope::Legacy(receipt),
        TxType::Eip2930 => ReceiptEnvelope::Eip2930(receipt),
        TxType::Eip1559 => ReceiptEnvelope::Eip1559(receipt),
        TxType::Eip7702 => ReceiptEnvelope::Eip7702(receipt),
        TxType::Eip4844 => panic!("no blobs here"),
    }
}

impl TestChain {
    fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let meta = Meta::new(b"{}".to_vec(), B256::ZERO);
        let store = Store::create(folder.path().join("test.redb"), &meta, &Options::default()).unwrap();
        Self { store, _folder: folder }
    }

    /// Genesis, a block with one transaction of each type, and an empty block. The transactions at 1 and 2 of the
    /// first block log two and one events.
    pub(crate) fn short() -> Self {
        let chain = Self::empty();
        chain.put_block(Self::header(0), Vec::new(), &[]);
        let log =
            |topic: u8, data: u8| Log::new_unchecked(CONTRACT, vec![B256::repeat_byte(topic)], Bytes::from(vec![data]));
        let logs = [Vec::new(), vec![log(0xa1, 1), log(0xa2, 2)], vec![log(0xa1, 3)], Vec::new()];
        let mut header = Self::header(1);
        header.gas_used = 4 * 21_000;
        header.logs_bloom = logs.iter().flatten().collect::<Bloom>();
        chain.put_block(header, one_of_each_type(), &logs);
        chain.put_block(Self::header(2), Vec::new(), &[]);
        chain
    }

    /// Genesis and a block whose one transaction logs so many events.
    pub(crate) fn with_logs(count: usize) -> Self {
        Self::with_logs_of(count, 0)
    }

    /// The same, where each event has so many bytes.
    pub(crate) fn with_logs_of(count: usize, bytes: usize) -> Self {
        let chain = Self::empty();
        chain.put_block(Self::header(0), Vec::new(), &[]);
        let log = Log::new_unchecked(CONTRACT, Vec::new(), vec![7; bytes].into());
        let header = Header { logs_bloom: [&log].into_iter().collect(), ..Self::header(1) };
        chain.put_block(header, vec![waiting_transaction()], &[vec![log; count]]);
        chain
    }

    /// Commits a block of one transaction that logs once for each topic, and gives it as listeners get it. `nonce` is
    /// that of the transaction, for no two may be the same.
    pub(crate) fn commit(&self, nonce: u64, topics: &[B256]) -> Arc<CommittedBlock> {
        let head = self.store.snapshot().unwrap().get::<BlockchainState>(&Current).unwrap().unwrap();
        let logs: Vec<_> =
            topics.iter().map(|topic| Log::new_unchecked(CONTRACT, vec![*topic], Bytes::new())).collect();
        let header = Header { logs_bloom: logs.iter().collect::<Bloom>(), ..Self::header(head.height + 1) };
        let transaction = sign(TxLegacy { chain_id: Some(CHAIN_ID), nonce, ..TxLegacy::default() });
        let committed = CommittedTransaction {
            hash: *transaction.tx_hash(),
            sender: sender(),
            nonce,
            gas_used: 21_000,
            success: true,
            logs: logs.clone(),
        };
        self.put_block(header.clone(), vec![transaction], &[logs]);
        self.put_seal(&header);
        Arc::new(CommittedBlock { hash: header.hash_slow(), header, transactions: vec![committed] })
    }

    /// Puts the seal of a block of the one validator that this chain has.
    fn put_seal(&self, header: &Header) {
        let key = SigningKey::from_slice(&SENDER_KEY).unwrap().verifying_key().to_encoded_point(true);
        let consensus_key = ConsensusKey::from_bytes(key.as_bytes().try_into().unwrap()).unwrap();
        let set = ValidatorSet::new(vec![Validator { address: sender(), consensus_key }]).unwrap();
        let vote = CommitSignature { address: sender(), signature: B512::repeat_byte(2) };
        let (height, block_hash) = (header.number, header.hash_slow());
        let certificate = Certificate { height, round: 1, block_hash, signatures: vec![vote] };
        let seal = Seal {
            slot: header.timestamp - 1_800_000_000,
            round: 0,
            leader: header.beneficiary,
            vrf_proof: None,
            proposal_signature: B512::repeat_byte(3),
            certificate,
        };
        let mut batch = self.store.begin().unwrap();
        batch.raw_put(TableId::ValidatorSets, 0u64.to_be_bytes().to_vec(), set.canonical_bytes());
        batch.append::<Seals>(&height, &seal).unwrap();
        self.store.commit(batch).unwrap();
    }

    /// Says that the chain has this height, without the blocks that would lead there.
    pub(crate) fn set_head(&self, height: u64) {
        let mut batch = self.store.begin().unwrap();
        let head = self.store.snapshot().unwrap().get::<BlockchainState>(&Current).unwrap().unwrap();
        batch.put::<BlockchainState>(&Current, &BlockchainStateRecord { height, ..head }).unwrap();
        self.store.commit(batch).unwrap();
    }

    /// Blocks of a foreign chain as they stand in a file: RLP one after the other.
    pub(crate) fn foreign(mut rlp: &[u8]) -> Self {
        let chain = Self::empty();
        while !rlp.is_empty() {
            let block: Block<TxEnvelope> = alloy_rlp::Decodable::decode(&mut rlp).unwrap();
            let withdrawals = block.body.withdrawals.clone().unwrap_or_default();
            let size_bytes = alloy_rlp::Encodable::length(&block) as u64;
            chain.put(block.header, withdrawals.into_inner(), size_bytes, block.body.transactions, None);
        }
        chain
    }

    pub(crate) fn header(number: u64) -> Header {
        Header {
            number,
            timestamp: 1_800_000_000 + number,
            gas_limit: 30_000_000,
            base_fee_per_gas: Some(BASE_FEE),
            beneficiary: Address::repeat_byte(0xbb),
            withdrawals_root: Some(B256::repeat_byte(1)),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::ZERO),
            requests_hash: Some(B256::ZERO),
            ..Header::default()
        }
    }

    fn put_block(&self, header: Header, transactions: Vec<TxEnvelope>, logs: &[Vec<Log>]) {
        let minted = Withdrawal { index: 0, validator_index: 0, address: Address::repeat_byte(0xbb), amount: 5 };
        let withdrawals = if header.number == 1 { vec![minted] } else { Vec::new() };
        self.put(header, withdrawals, 777, transactions, Some(logs));
    }

    fn put(
        &self,
        header: Header,
        withdrawals: Vec<Withdrawal>,
        size_bytes: u64,
        transactions: Vec<EthereumTxEnvelope<alloy_consensus::TxEip4844Variant>>,
        logs: Option<&[Vec<Log>]>,
    ) {
        let mut batch = self.store.begin().unwrap();
        let (height, hash) = (header.number, header.hash_slow());
        let record = BlockRecord {
            hash,
            timestamp: header.timestamp,
            validator: header.beneficiary,
            size_bytes,
            transaction_count: transactions.len() as u32,
            header: alloy_rlp::encode(&header),
            withdrawals: alloy_rlp::encode(&withdrawals),
        };
        batch.append::<Blocks>(&height, &record).unwrap();
        let mut first_log_index = 0;
        for (index, transaction) in (0u32..).zip(&transactions) {
            let key = TransactionKey { block: height, index };
            let sender = transaction.recover_signer().unwrap();
            let raw = transaction.encoded_2718();
            let record = TransactionRecord { hash: keccak256(&raw), sender, nonce: transaction.nonce(), raw };
            batch.append::<Transactions>(&key, &record).unwrap();
            let Some(logs) = logs.map(|logs| logs[index as usize].clone()) else { continue };
            let logged = logs.len() as u64;
            let record = ReceiptRecord {
                raw: receipt(transaction, 21_000 * u64::from(index + 1), logs).encoded_2718(),
                gas_used: 21_000,
                first_log_index,
                contract_address: transaction.to().is_none().then(|| sender.create(transaction.nonce())),
            };
            first_log_index += logged;
            batch.append::<Receipts>(&key, &record).unwrap();
        }
        let head = BlockchainStateRecord {
            height,
            hash,
            state_root: header.state_root,
            timestamp: header.timestamp,
            minted: U256::ZERO,
            withdrawal_count: 0,
            transaction_count: 0,
        };
        batch.put::<BlockchainState>(&Current, &head).unwrap();
        self.store.commit(batch).unwrap();
    }

    /// Puts sessions with ids from 1 on, one of each account.
    pub(crate) fn put_sessions(&self, accounts: &[(u8, Address)]) {
        let mut batch = self.store.begin().unwrap();
        for (id, account) in accounts {
            let key = SessionKey { session_id: session_id(*id), account: *account };
            let record = SessionRecord {
                owner_addr: *account,
                started_at: 1_800_000_000,
                ended_at: None,
                manifest_hash: B256::repeat_byte(*id),
                merkle_root: B256::repeat_byte(*id),
                chunk_count: 3,
                anchor_txid: None,
                block_number: None,
                gas_used: None,
                status: AnchoringStatus::Pending,
            };
            batch.put::<Sessions>(&key, &record).unwrap();
        }
        self.store.commit(batch).unwrap();
    }

    /// An anchoring of a session by an account.
    pub(crate) fn put_anchoring(
        &self,
        id: u8,
        session: u8,
        account: Address,
        created_at: u64,
        status: AnchoringStatus,
    ) {
        let job = SessionAnchoringRecord {
            session_id: session_id(session),
            account,
            owner: account,
            user_id: None,
            status,
            started_at: 1,
            manifest: b"{}".to_vec(),
            manifest_hash: B256::repeat_byte(1),
            merkle_root: B256::repeat_byte(2),
            chunk_count: 1,
            transactions: vec![SignedTransaction { hash: B256::repeat_byte(id), nonce: 0, raw: vec![2] }],
            attempts: 1,
            created_at,
            updated_at: created_at,
            last_error: Some("it failed".into()),
            transaction_id: None,
            block_number: None,
        };
        let mut batch = self.store.begin().unwrap();
        batch.put::<SessionAnchorings>(&AnchoringId::from_random([id; 16]), &job).unwrap();
        self.store.commit(batch).unwrap();
    }
}

pub(crate) fn session_id(byte: u8) -> SessionId {
    SessionId::from_random([byte; 16])
}
