//! Blocks with real calls of the contracts, made by the schedule, and the rows that they leave.

use super::*;
use crate::{
    chain::{BlockAttributes, MintedWork},
    consensus::poot::{
        Minting, ProofTerms, TaskProof, TaskProofFault, check_task_proof, next_schedule, set_after, validator_set_at,
    },
    keys::SecretKey,
    testing::{CHAIN_ID, TestChain, Tx, account, key},
};
use alloy_primitives::{B512, Bytes, U256};
use alloy_sol_types::SolCall;
use lucid_storage::{
    BlockchainState, Candidates, Current, Members, ScheduleReason, ScheduleRole, TaskProofKey, TaskProofType,
    TaskProofs, TaskValue,
};
use lucid_types::{
    CommitSignature, ConsensusKey, GenesisValidator, Preset,
    contracts::{LUCID_ANCHORS_ADDRESS, LUCID_NODES_ADDRESS, LucidAnchors, LucidNodes, registration_digest},
};

/// Nodes 1 to 4 are the genesis validators; the operator of node n has account n + 4.
const VALIDATORS: u8 = 4;

/// Four slots are a span of proofs, sixteen an epoch, and seven epochs the window.
fn spec() -> ChainSpec {
    let validator = |n: u8| GenesisValidator {
        node: account(n),
        operator: account(n + 4),
        consensus_key: ConsensusKey::from_bytes(consensus_key(n).public_key_compressed()).unwrap(),
    };
    ChainSpec {
        chain_id: CHAIN_ID,
        parameters: Params { validators_needed: 3, cooldown_slots: 2, ..Preset::Dev.params() },
        validators: (1..=VALIDATORS).map(validator).collect(),
        ..crate::testing::spec(Rules::Poot)
    }
}

fn consensus_key(n: u8) -> SecretKey {
    key(n + 100)
}

/// A chain whose blocks are made by the schedule, one in each slot.
struct PootChain {
    chain: TestChain,
    genesis_hash: B256,
    certificate: Option<Certificate>,
    nonces: BTreeMap<u8, u64>,
}

impl PootChain {
    fn new() -> Self {
        let chain = TestChain::with_spec(spec());
        let mut batch = chain.store.begin().unwrap();
        write_genesis(&mut batch, &chain.spec).unwrap();
        chain.store.commit(batch).unwrap();
        Self { genesis_hash: chain.head.hash(), chain, certificate: None, nonces: BTreeMap::new() }
    }

    fn schedule(&self) -> Schedule {
        next_schedule(&self.chain.store.snapshot().unwrap(), &self.chain.spec).unwrap()
    }

    fn head_slot(&self) -> u64 {
        self.chain.spec.slots().slot_at(self.chain.head.timestamp).unwrap()
    }

    /// A block of these transactions in `slot`, made in `round`, whose certificate the validators `signers` sign.
    fn block(&mut self, slot: u64, round: u32, signers: &[u8], transactions: Vec<(u8, Tx)>) -> CommittedBlock {
        let schedule = self.schedule();
        let snapshot = self.chain.store.snapshot().unwrap();
        let next = set_after(&snapshot, &self.chain.spec, &schedule, slot).unwrap();
        let attributes = BlockAttributes {
            timestamp: self.chain.spec.slots().start_of(slot).unwrap(),
            beneficiary: schedule.order.of_round(round).leader,
            mix_hash: B256::left_padding_from(&slot.to_be_bytes()),
            parent_certificate_hash: self.certificate.as_ref().map_or(B256::ZERO, Certificate::hash),
            extra_data: ExtraData::new(round, &next),
        };
        let mut signed = Vec::new();
        for (signer, tx) in transactions {
            let nonce = self.nonces.entry(signer).or_default();
            signed.push(tx.nonce(*nonce).sign(signer));
            *nonce += 1;
        }
        let spec = self.chain.spec.clone();
        let chain = &mut self.chain;
        let count = signed.len();
        let mint = Minting::read(&snapshot, &spec, attributes.beneficiary, slot).unwrap();
        let mut scratch = chain.store.begin().unwrap();
        let built = crate::chain::build(&mut scratch, &spec, &chain.head, &attributes, &mint, signed).unwrap();
        drop(scratch);
        assert_eq!((built.block.transactions.len(), built.rejected), (count, Vec::new()));
        let mut batch = chain.store.begin().unwrap();
        let imported = crate::chain::import(&mut batch, &spec, &chain.head, &built.block, &mint).unwrap();
        let block = FinalBlock {
            genesis_hash: self.genesis_hash,
            block: &imported.event,
            parent: &chain.head,
            parent_certificate: self.certificate.as_ref(),
        };
        write_final_block(&mut batch, &spec, &schedule, &block).unwrap();
        chain.store.commit(batch).unwrap();
        assert_eq!(validator_set_at(&chain.store.snapshot().unwrap(), imported.header.number + 1).unwrap(), next);
        assert!(imported.event.transactions.iter().all(|transaction| transaction.success));
        let sign = |n: &u8| CommitSignature { address: account(*n), signature: B512::ZERO };
        let mut signatures: Vec<_> = signers.iter().map(sign).collect();
        signatures.sort_by_key(|vote| vote.address);
        let (height, block_hash) = (imported.header.number, imported.header.hash());
        self.certificate = Some(Certificate { height, round, block_hash, signatures });
        chain.head = imported.header;
        imported.event
    }

    /// A block in the slot after the head's.
    fn next(&mut self, transactions: Vec<(u8, Tx)>) -> CommittedBlock {
        let transactions = if transactions.is_empty() { vec![(8, Tx::default())] } else { transactions };
        self.block(self.head_slot() + 1, 0, &[1, 2, 3], transactions)
    }

    /// A proof of node `n`.
    fn proof(&self, n: u8, slot: u64, value: TaskValue) -> TaskProof {
        TaskProof::sign(&consensus_key(n), self.genesis_hash, slot, value, 0)
    }

    fn counted(&self) -> Vec<(TaskProofKey, TaskValue, Option<Address>)> {
        let snapshot = self.chain.store.snapshot().unwrap();
        let rows = snapshot.range::<TaskProofs>(Bound::Unbounded, Bound::Unbounded, Direction::Forward).unwrap();
        rows.map(|row| row.map(|(key, row)| (key, row.value, row.pool_id)).unwrap()).collect()
    }

    fn work(&self, height: u64) -> BlockWorkRecord {
        self.chain.store.snapshot().unwrap().get::<BlockWork>(&height).unwrap().unwrap()
    }

    fn members(&self) -> Vec<Address> {
        let members = MemberList::read(&self.chain.store.snapshot().unwrap()).unwrap();
        members.iter().map(|(node, _)| *node).collect()
    }

    fn tally(&self, epoch: u64) -> Vec<(Address, WorkTallyRecord)> {
        let snapshot = self.chain.store.snapshot().unwrap();
        let rows = snapshot.range_prefix::<WorkTally>(&epoch, Direction::Forward).unwrap();
        rows.map(|row| row.map(|(key, row)| (key.entity_id, row)).unwrap()).collect()
    }
}

fn batch_of(proofs: &[TaskProof]) -> Tx {
    let proofs: Bytes = proofs.iter().flat_map(TaskProof::encode).collect();
    nodes(&LucidNodes::submitTaskProofsCall { proofs })
}

fn nodes(call: &impl SolCall) -> Tx {
    Tx::call(LUCID_NODES_ADDRESS, call.abi_encode())
}

fn relay(sessions_relayed: u32) -> TaskValue {
    TaskValue::Relay { bytes_transferred: 0, sessions_relayed }
}

const fn up(uptime_seconds: u64) -> TaskValue {
    TaskValue::Uptime { uptime_seconds }
}

fn sorted(mut addresses: Vec<Address>) -> Vec<Address> {
    addresses.sort();
    addresses
}

/// A registration of `node` for the operator `operator`, with its consensus key.
fn registration(spec: &ChainSpec, node: u8, operator: u8) -> Tx {
    let digest = registration_digest(spec.hash(), account(node), account(operator));
    let signature = consensus_key(node).sign_prehash_recoverable(digest).as_bytes();
    nodes(&LucidNodes::registerCall {
        operator: account(operator),
        consensusKey: consensus_key(node).public_key_uncompressed().into(),
        endpoint: "/ip4/10.0.0.5/tcp/4001".to_owned(),
        signature: signature.into(),
    })
}

/// A session of `size` bytes in one chunk, registered and stored by an account.
fn session(signer: u8, id: u8, size: u64) -> Vec<(u8, Tx)> {
    let session_id = B256::right_padding_from(&[id, 1, 1, 1, 1, 1, 0x4c, 1, 0x9b, 1, 1, 1, 1, 1, 1, 1]);
    let register = LucidAnchors::registerSessionCall {
        sessionId: session_id,
        manifestHash: B256::repeat_byte(5),
        startedAt: 1_700_000_000,
        owner: account(9),
        merkleRoot: B256::repeat_byte(id),
        chunkCount: 1,
    };
    let (hashes, sizes) = (vec![B256::repeat_byte(id)], vec![size]);
    let store = LucidChunkStore::storeRunCall { sessionId: session_id, firstIndex: 0, hashes, sizes };
    let call = |to, input: Vec<u8>| (signer, Tx { gas_limit: 200_000, ..Tx::call(to, input) });
    vec![call(LUCID_ANCHORS_ADDRESS, register.abi_encode()), call(LUCID_CHUNK_STORE_ADDRESS, store.abi_encode())]
}

#[test]
fn proofs_that_break_a_rule_count_nothing_and_cost_the_block_nothing() {
    let mut chain = PootChain::new();
    for _ in 0..8 {
        chain.next(vec![]);
    }
    let slot = chain.head_slot() + 1;
    let good = chain.proof(1, slot - 1, relay(3));
    let forged = TaskProof { value: relay(4), ..chain.proof(2, slot, relay(3)) };
    let stranger = TaskProof::sign(&key(77), chain.genesis_hash, slot, relay(1), 0);
    let proofs = [
        chain.proof(1, slot + 1, relay(1)),
        forged,
        stranger,
        chain.proof(1, slot, relay(1_001)),
        chain.proof(1, slot, TaskValue::Storage { chunks_stored: 1, size_bytes: 0 }),
        chain.proof(1, slot, up(5)),
        good,
        // The first of its slot, node and type counts, whatever a later one says.
        chain.proof(1, slot - 1, relay(9)),
        chain.proof(2, slot - 1, relay(9)),
    ];
    let mut batch = proofs.iter().flat_map(TaskProof::encode).collect::<Vec<_>>();
    batch[0] = 3;
    let call = nodes(&LucidNodes::submitTaskProofsCall { proofs: batch.into() });
    chain.next(vec![(8, call)]);
    let key = |node| TaskProofKey { slot: slot - 1, node_id: account(node), kind: TaskProofType::RelayBandwidth };
    let mut expected = vec![(key(1), relay(3), None), (key(2), relay(9), None)];
    expected.sort_by_key(|(key, ..)| key.node_id);
    assert_eq!(chain.counted(), expected);
    // Once more, in another block: repeated.
    chain.next(vec![(8, batch_of(&[good]))]);
    assert_eq!(chain.counted(), expected);
    let work: Vec<_> = chain.work(9).work.iter().map(|work| (work.node, work.sessions_relayed)).collect();
    assert_eq!(
        work,
        expected
            .iter()
            .map(|(key, ..)| (key.node_id, if *key.node_id == *account(1) { 3 } else { 9 }))
            .collect::<Vec<_>>()
    );
    assert!(chain.work(10).work.is_empty());
}

#[test]
fn of_beacons_the_first_in_each_span_counts() {
    let mut chain = PootChain::new();
    while chain.head_slot() < 10 {
        chain.next(vec![]);
    }
    // The last slot of a span.
    let slot = chain.head_slot() + 1;
    let batch = [
        chain.proof(1, slot - 1, up(4)),
        chain.proof(1, slot, up(3)),
        chain.proof(1, slot - 3, up(2)),
        chain.proof(1, slot - 4, up(1)),
    ];
    chain.next(vec![(8, batch_of(&batch))]);
    let work = chain.work(chain.chain.head.number).work;
    let counted: Vec<_> = chain.counted().into_iter().map(|(key, ..)| key.slot).collect();
    assert_eq!(counted, [slot - 4, slot - 1]);
    assert_eq!((work[0].beacons, work[0].uptime_seconds), (2, 5));
    let snapshot = chain.chain.store.snapshot().unwrap();
    let terms = ProofTerms { spec: &chain.chain.spec, genesis_hash: chain.genesis_hash, slot: slot + 1 };
    let judged = |proof| check_task_proof(&snapshot, &terms, &proof).unwrap();
    let repeated = TaskProofFault::RepeatedBeacon { first: slot - 3, last: slot };
    assert_eq!(judged(chain.proof(1, slot, up(3))), Err(repeated));
    assert_eq!(judged(chain.proof(1, slot + 1, up(3))), Ok(account(1)), "in the next span");
    assert_eq!(judged(chain.proof(2, slot, up(3))), Ok(account(2)));
}

#[test]
fn a_node_claims_to_store_only_what_its_operator_had_stored_before() {
    let mut chain = PootChain::new();
    let first = chain.head_slot() + 1;
    // The operator of node 1 has account 5.
    let claim = |chain: &PootChain, n, slot, size_bytes| {
        chain.proof(n, slot, TaskValue::Storage { chunks_stored: 1, size_bytes })
    };
    let mut transactions = session(5, 1, 1_000);
    transactions.push((8, batch_of(&[claim(&chain, 1, first, 1_000)])));
    chain.next(transactions);
    assert!(chain.counted().is_empty(), "stored in the same block");
    let batch = [1, 2].map(|n| claim(&chain, n, first + 1, 1_000));
    chain.next(vec![(8, batch_of(&batch))]);
    let counted: Vec<_> = chain.counted().into_iter().map(|(key, ..)| key.node_id).collect();
    assert_eq!(counted, [account(1)]);
    let stored = chain.chain.store.snapshot().unwrap().get::<OperatorStorage>(&account(5)).unwrap();
    assert_eq!(stored, Some(OperatorStorageRecord { chunks: 1, bytes: 1_000 }));
}

/// Nodes prove work over an epoch, and the order of the next one is by that work.
#[test]
fn work_decides_who_leads_from_the_next_epoch_on() {
    let mut chain = PootChain::new();
    let tail = chain.schedule().order;
    assert!(tail.places().iter().all(|place| place.role == ScheduleRole::EmergencyFallback));
    let epoch_end = (chain.head_slot() / 16 + 1) * 16;
    while chain.head_slot() < epoch_end - 1 {
        let slot = chain.head_slot() + 1;
        let mut batch: Vec<_> = [(2, 50), (3, 10), (4, 70)].map(|(n, work)| chain.proof(n, slot, relay(work))).into();
        // Node 4 worked most, and was up too little.
        let beacons = if slot % 4 == 3 { vec![(2, 4), (3, 3)] } else { vec![] };
        batch.extend(beacons.iter().map(|(n, secs)| chain.proof(*n, slot, up(*secs))));
        chain.next(vec![(8, batch_of(&batch))]);
    }
    let slots = chain.chain.head.number;
    let epoch = chain.schedule().parent_slot / 16 + 1;
    assert!(chain.tally(epoch).is_empty(), "made with the first block of the epoch");
    chain.next(vec![]);
    let tally: BTreeMap<_, _> = chain.tally(epoch).into_iter().collect();
    assert_eq!(tally.keys().copied().collect::<Vec<_>>(), sorted(vec![account(2), account(3)]));
    // Certificates of the blocks but the last are committed to before the epoch begins.
    let credits = |sessions: u64| sessions * slots + 5 * (slots - 1);
    let best = tally[&account(2)];
    assert_eq!((best.credits, best.rank), (credits(50), 0));
    assert_eq!(tally[&account(3)].credits, credits(10));
    assert_eq!(best.live_score, u128::from(best.credits) * u128::from(best.uptime));
    let places = chain.schedule().order;
    let first: Vec<_> = places.places().iter().take(2).map(|place| (place.entity, place.role)).collect();
    assert_eq!(first, [(account(2), ScheduleRole::Primary), (account(3), ScheduleRole::Fallback)]);
    // It leads, and then rests for two slots.
    chain.next(vec![]);
    let row = chain.chain.store.snapshot().unwrap().get::<LeaderSchedule>(&chain.head_slot()).unwrap().unwrap();
    assert_eq!((row.primary, row.result.winner, row.result.role), (account(2), account(2), ScheduleRole::Primary));
    let after = chain.schedule().order;
    assert_eq!(after.of_round(0).entity, account(3));
    assert_eq!((after.of_round(1).entity, after.of_round(1).role), (account(2), ScheduleRole::CooldownFallback));
}

#[test]
fn a_block_of_a_later_round_says_who_missed_and_why_it_leads() {
    let mut chain = PootChain::new();
    chain.next(vec![]);
    let order = chain.schedule().order;
    let slot = chain.head_slot() + 1;
    chain.block(slot, 2, &[1, 2, 4], vec![(8, Tx::default())]);
    let work = chain.work(2);
    assert_eq!(work.missed, [order.of_round(0).entity, order.of_round(1).entity]);
    assert_eq!((work.led, work.slot), (order.of_round(2).entity, slot));
    assert_eq!(work.signers, sorted([1, 2, 3].map(account).to_vec()), "of the certificate of block 1");
    let row = chain.chain.store.snapshot().unwrap().get::<LeaderSchedule>(&slot).unwrap().unwrap();
    assert_eq!(
        (row.result.reason, row.result.role),
        (ScheduleReason::FallbackSuccess, ScheduleRole::EmergencyFallback)
    );
    assert_eq!((row.primary, row.fallbacks.len()), (order.of_round(0).entity, 3));
}

#[test]
fn who_is_admitted_votes_from_the_block_after_the_first_of_the_next_epoch() {
    let mut chain = PootChain::new();
    let spec = chain.chain.spec.clone();
    chain.next(vec![]);
    // Node 8 for itself: its operator has account 7.
    chain.next(vec![(8, registration(&spec, 8, 7))]);
    let snapshot = chain.chain.store.snapshot().unwrap();
    let candidate = snapshot.get::<Candidates>(&account(8)).unwrap().unwrap();
    assert_eq!((candidate.number, candidate.operator, candidate.pool), (4, account(7), None));
    assert_eq!(candidate.consensus_key.as_bytes(), &consensus_key(8).public_key_compressed());
    drop(snapshot);
    let admit = |voter: u8| (voter, nodes(&LucidNodes::voteToAdmitCall { node: account(8), ballot: 1 }));
    chain.next([1, 2, 3].map(admit).into());
    assert_eq!(chain.members(), sorted([1, 2, 3, 4, 8].map(account).to_vec()));
    assert_eq!(chain.chain.store.snapshot().unwrap().get::<Candidates>(&account(8)).unwrap(), None);
    let four = chain.schedule().set;
    while chain.head_slot() % 16 != 15 {
        chain.next(vec![]);
        assert_eq!(chain.schedule().set, four, "the epoch keeps its set");
    }
    assert_eq!(chain.schedule().set, four, "the first block of the epoch is voted on by the old set");
    chain.next(vec![]);
    assert_eq!(chain.schedule().set.members().len(), 5);
    // A proof of a slot before counts for nobody who was not in the set then.
    let slot = chain.head_slot() + 1;
    let batch = [chain.proof(8, slot - 1, relay(1)), chain.proof(8, slot, relay(1))];
    chain.next(vec![(1, batch_of(&batch))]);
    assert_eq!(chain.counted().iter().map(|(key, ..)| key.slot).collect::<Vec<_>>(), [slot]);
    // It leaves, and votes until the epoch after.
    chain.next(vec![(8, nodes(&LucidNodes::leaveRegistryCall {}))]);
    assert_eq!(chain.members().len(), 4);
    assert_eq!(chain.schedule().set.members().len(), 5);
    while !chain.head_slot().is_multiple_of(16) {
        chain.next(vec![(1, Tx::default())]);
    }
    assert_eq!(chain.schedule().set, four);
}

#[test]
fn a_pool_that_accepted_a_node_has_its_work() {
    let mut chain = PootChain::new();
    let pool = account(6);
    let join = |n| (n, nodes(&LucidNodes::joinPoolCall { pool }));
    let accept = |n| (6, nodes(&LucidNodes::acceptIntoPoolCall { node: account(n) }));
    chain.next(vec![join(1), join(2), accept(1), accept(2)]);
    let slot = chain.head_slot() + 1;
    let proofs: Vec<_> = [1, 2, 3]
        .into_iter()
        .flat_map(|n| [chain.proof(n, slot, relay(10 * u32::from(n))), chain.proof(n, slot, up(4))])
        .collect();
    chain.next(vec![(8, batch_of(&proofs))]);
    let pools: BTreeMap<_, _> = chain.counted().into_iter().map(|(key, _, pool)| (key.node_id, pool)).collect();
    assert_eq!(pools, [(account(1), Some(pool)), (account(2), Some(pool)), (account(3), None)].into());
    // It goes before the epoch ends: the tally reads who is in a pool then.
    chain.next(vec![(1, nodes(&LucidNodes::leavePoolCall {}))]);
    while !chain.head_slot().is_multiple_of(16) {
        chain.next(vec![]);
    }
    let epoch = chain.head_slot() / 16;
    let record = chain.chain.store.snapshot().unwrap().get::<Epochs>(&epoch).unwrap().unwrap();
    let served: BTreeMap<_, _> = record.entities.iter().map(|ranked| (ranked.entity, ranked.served_by)).collect();
    assert_eq!(served.get(&pool), Some(&account(2)));
    assert!(!served.contains_key(&account(2)));
}

#[test]
fn what_a_block_may_mint_is_by_the_work_of_other_operators_members() {
    let mut chain = PootChain::new();
    let slot = chain.head_slot() + 1;
    let minting = |chain: &PootChain, leader, slot| {
        Minting::read(&chain.chain.store.snapshot().unwrap(), &chain.chain.spec, account(leader), slot).unwrap()
    };
    let first = minting(&chain, 1, slot);
    let work = |sessions, mib: u64| MintedWork { sessions, bytes: mib << 20 };
    assert!(!first.counts(&account(5)), "the leader's own operator");
    assert!([6, 7, 8].iter().all(|n| first.counts(&account(*n))));
    assert!(!first.counts(&account(1)), "a node is no operator");
    let outsider = minting(&chain, 8, slot);
    assert!((1..=8).all(|n| !outsider.counts(&account(n))), "no member");
    assert!(first.paid_for(work(0, 100)).is_empty());
    let amount = |minting: &Minting, sessions, mib| {
        let withdrawals = minting.paid_for(work(sessions, mib));
        assert_eq!(withdrawals.len(), 1);
        let withdrawal = withdrawals[0];
        assert_eq!((withdrawal.index, withdrawal.validator_index, withdrawal.address), (0, 0, account(1)));
        assert_eq!(withdrawal.amount % 1_000_000_000, 0);
        withdrawal.amount / 1_000_000_000
    };
    assert_eq!(amount(&first, 10, 0), 50, "no beacon counts as one");
    // Beacons of three members in this epoch make the work of the next one less dense.
    let span = slot / 4 * 4;
    let batch = [1, 2, 3].map(|n| chain.proof(n, span.max(slot), up(1)));
    chain.next(vec![(8, batch_of(&batch))]);
    while chain.head_slot() % 16 != 15 {
        chain.next(vec![]);
    }
    let next = minting(&chain, 1, chain.head_slot() + 1);
    // W = 2, N = 3: D = 2/3, gD = 7/12, gS = 1/9.
    assert_eq!((amount(&next, 2, 0), amount(&first, 2, 0)), (1 + 49 * 7 / (9 * 12), 1 + 49 / 9));
}

/// Ten sessions of another operator, in a block that really has them.
#[test]
fn a_leader_is_paid_for_sessions_that_others_had_anchored() {
    let mut chain = PootChain::new();
    let leader = chain.schedule().order.of_round(0).leader;
    let n = (1..=VALIDATORS).find(|n| account(*n) == leader).unwrap();
    let others = if n == 1 { 6 } else { 5 };
    let sessions = |signer: u8, ids: std::ops::Range<u8>| ids.flat_map(move |id| session(signer, id, 1_000)).collect();
    let before = chain.chain.balance_of(leader);
    let event = chain.next(sessions(others, 1..11));
    // The leader has the fees too, which are far below a LUCID.
    let paid = chain.chain.balance_of(leader) - before;
    let lucid = U256::from(10).pow(U256::from(18));
    assert_eq!(paid / lucid, U256::from(50), "{paid} wei in block {}", event.header.number);
    // Of his own operator they earn nothing.
    let leader = chain.schedule().order.of_round(0).leader;
    let n = (1..=VALIDATORS).find(|n| account(*n) == leader).unwrap();
    chain.next(sessions(n + 4, 20..30));
    let state = chain.chain.store.snapshot().unwrap().get::<BlockchainState>(&Current).unwrap().unwrap();
    assert_eq!((state.minted, state.withdrawal_count), (U256::from(50) * lucid, 1));
}

#[test]
fn rows_of_work_go_once_nothing_looks_at_them() {
    let mut chain = PootChain::new();
    let first = chain.head_slot() + 1;
    chain.next(vec![]);
    // Nine epochs on, the window has passed the first block.
    chain.block(first + 9 * 16, 0, &[1, 2, 3], vec![(8, Tx::default())]);
    let snapshot = chain.chain.store.snapshot().unwrap();
    assert_eq!(snapshot.get::<BlockWork>(&1).unwrap(), None);
    assert!(snapshot.get::<BlockWork>(&2).unwrap().is_some());
    assert_eq!(snapshot.get::<Members>(&account(1)).unwrap().map(|member| member.number), Some(0));
}
