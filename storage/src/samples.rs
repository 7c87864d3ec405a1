//! One sample of each record, every field set to something that shows in the bytes.

use crate::{
    codec::{self, Record, Stored},
    collection::Collection,
    records::*,
};
use alloy_primitives::{Address, B256, B512, FixedBytes, U256};
use lucid_types::{AnchoringId, Certificate, CommitSignature, ConsensusKey, Seal, SessionId};

pub(crate) trait Sample {
    fn sample() -> Self;
}

/// Stored bytes of the sample, which must decode to it again.
pub(crate) fn stored_sample_of<C, R>() -> Vec<u8>
where
    C: Collection<Record = R>,
    R: Record + Sample + PartialEq + std::fmt::Debug,
{
    let stored = Stored { record: R::sample(), origin: C::DEF.origin, sequence: 0x0102_0304_0506_0708 };
    let value = codec::encode(&stored.record, stored.origin, stored.sequence).unwrap();
    assert_eq!(codec::decode(&value), Ok(stored));
    value
}

pub(crate) fn address(byte: u8) -> Address {
    Address::repeat_byte(byte)
}

pub(crate) fn hash(byte: u8) -> B256 {
    B256::repeat_byte(byte)
}

pub(crate) fn session(byte: u8) -> SessionId {
    SessionId::from_bytes([byte.max(1); 16]).unwrap()
}

pub(crate) fn anchoring(byte: u8) -> AnchoringId {
    AnchoringId::from_bytes([byte.max(1); 16]).unwrap()
}

impl Sample for SessionRecord {
    fn sample() -> Self {
        Self {
            owner_addr: address(1),
            started_at: 1_767_225_600,
            ended_at: Some(1_767_229_200),
            manifest_hash: hash(2),
            merkle_root: hash(3),
            chunk_count: 200,
            anchor_txid: Some(hash(4)),
            block_number: Some(70_000),
            gas_used: Some(71_600),
            status: AnchoringStatus::Confirmed,
        }
    }
}

impl Sample for ChunkRecord {
    fn sample() -> Self {
        Self {
            local_path: Some("/srv/recordings/7/chunk-00017.enc".into()),
            ciphertext_sha256: hash(5),
            size_bytes: 16 << 20,
            status: ChunkStatus::Stored,
        }
    }
}

impl Sample for TaskProofRecord {
    fn sample() -> Self {
        Self {
            pool_id: Some(address(6)),
            value: TaskValue::Relay { bytes_transferred: 5 << 20, sessions_relayed: 3 },
            sig: B512::repeat_byte(7),
            ts: 1_767_225_601,
        }
    }
}

impl Sample for WorkTallyRecord {
    fn sample() -> Self {
        Self { credits: 1234, uptime: 987_654, live_score: 1234 * 987_654, rank: 2 }
    }
}

impl Sample for LeaderScheduleRecord {
    fn sample() -> Self {
        let (reason, role) = (ScheduleReason::FallbackSuccess, ScheduleRole::CooldownFallback);
        Self {
            primary: address(8),
            fallbacks: vec![address(9), address(10)],
            result: ScheduleResult { winner: address(9), reason, role },
        }
    }
}

impl Sample for PayoutRecord {
    fn sample() -> Self {
        Self {
            session_id: session(11),
            to_addr: "TRecipient".into(),
            usdt_amount: 12_500_000,
            router: "v0".into(),
            reason: "relay".into(),
            txid: Some("ab12".into()),
            status: "pending".into(),
            created_at: 1_767_225_602,
            kyc_hash: Some(hash(12)),
            compliance_sig: Some("sig".into()),
        }
    }
}

impl Sample for BlockRecord {
    fn sample() -> Self {
        Self {
            hash: hash(13),
            timestamp: 1_767_225_600,
            validator: address(14),
            size_bytes: 700,
            transaction_count: 2,
            header: vec![0xf9, 0x02, 0x5c],
            withdrawals: vec![0xc0],
        }
    }
}

impl Sample for TransactionRecord {
    fn sample() -> Self {
        Self { hash: hash(15), sender: address(16), nonce: 300, raw: vec![0x02, 0xf8, 0x71] }
    }
}

impl Sample for ReceiptRecord {
    fn sample() -> Self {
        Self { raw: vec![0x02, 0xf9, 0x01], gas_used: 21_000, first_log_index: 4, contract_address: Some(address(17)) }
    }
}

impl Sample for SessionAnchoringRecord {
    fn sample() -> Self {
        Self {
            session_id: session(18),
            account: address(19),
            owner: address(20),
            user_id: Some("alice".into()),
            status: AnchoringStatus::Processing,
            started_at: 1_767_225_600,
            manifest: br#"{"chunkCount":1}"#.to_vec(),
            manifest_hash: hash(21),
            merkle_root: hash(22),
            chunk_count: 1,
            transactions: vec![SignedTransaction { hash: hash(23), nonce: 5, raw: vec![0x02, 0xf8] }],
            attempts: 2,
            created_at: 1_767_225_603,
            updated_at: 1_767_225_604,
            last_error: Some("nonce too low".into()),
            transaction_id: Some(hash(23)),
            block_number: Some(9),
        }
    }
}

impl Sample for ConsensusEventRecord {
    fn sample() -> Self {
        Self {
            event_type: "block".into(),
            target_id: "0x0d".into(),
            round_number: 1,
            participants: vec![address(24)],
            votes: vec![EventVote { voter: address(24), approve: false, reason: Some("late".into()) }],
            threshold: 666_667,
            approval: 750_000,
            result: Some("approved".into()),
            reasons: vec!["timeout".into()],
            started_at: 1_767_225_605,
            ended_at: Some(1_767_225_606),
        }
    }
}

impl Sample for MerkleTreeRecord {
    fn sample() -> Self {
        Self {
            session_id: session(25),
            root_hash: hash(26),
            height: 1,
            leaf_count: 2,
            leaves: [[27; 32], [28; 32]].concat(),
            created_at: 1_767_225_607,
        }
    }
}

impl Sample for BlockchainStateRecord {
    fn sample() -> Self {
        Self {
            height: 70_000,
            hash: hash(29),
            state_root: hash(30),
            timestamp: 1_767_225_600,
            minted: U256::from(10).pow(U256::from(18)),
            withdrawal_count: 1,
            transaction_count: 140_000,
        }
    }
}

impl Sample for AccountRecord {
    fn sample() -> Self {
        Self { nonce: 7, balance: U256::from(1_000_000), code_hash: hash(31), storage_root: hash(32) }
    }
}

impl Sample for PeerRecord {
    fn sample() -> Self {
        Self {
            addresses: vec!["/ip4/192.0.2.1/tcp/30303".into()],
            last_seen: 1_767_225_608,
            score: -3,
            banned_until: Some(1_767_225_609),
            ban_reason: Some("sent too much".into()),
        }
    }
}

impl Sample for ParamRecord {
    fn sample() -> Self {
        Self { value: "120".into() }
    }
}

impl Sample for Seal {
    fn sample() -> Self {
        let signatures = vec![CommitSignature { address: address(33), signature: B512::repeat_byte(34) }];
        Self {
            slot: 525_600,
            round: 1,
            leader: address(33),
            vrf_proof: Some(FixedBytes::repeat_byte(35)),
            proposal_signature: B512::repeat_byte(36),
            certificate: Certificate { height: 70_000, round: 1, block_hash: hash(37), signatures },
        }
    }
}

impl Sample for RegisteredNodeRecord {
    fn sample() -> Self {
        // The generator of the curve.
        let key = hex_literal::hex!("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
        let consensus_key = ConsensusKey::from_bytes(key).unwrap();
        Self { number: 7, operator: address(38), consensus_key, pool: Some(address(39)) }
    }
}

impl Sample for OperatorStorageRecord {
    fn sample() -> Self {
        Self { chunks: 16_384, bytes: 300 << 30 }
    }
}

impl Sample for BlockWorkRecord {
    fn sample() -> Self {
        let work = ProvenWork {
            node: address(43),
            bytes_transferred: 5 << 30,
            sessions_relayed: 300,
            storage: Some(StorageClaim { slot: 525_590, chunks_stored: 16_384, size_bytes: 300 << 30 }),
            beacons: 1,
            uptime_seconds: 3_600,
        };
        Self {
            slot: 525_600,
            led: address(40),
            missed: vec![address(41)],
            signers: vec![address(42), address(43)],
            work: vec![work],
        }
    }
}

impl Sample for EpochRecord {
    fn sample() -> Self {
        let entity = RankedEntity { entity: address(45), served_by: address(46), credits: 70_000, uptime: 999_999 };
        Self { seed: hash(44), entities: vec![entity] }
    }
}

impl Sample for ExportStateRecord {
    fn sample() -> Self {
        let position = ExportPosition { collection: "chunks".into(), position: vec![0, 1, 2] };
        Self { hex: true, step: 70_000, previous_step: 9, sequence: 300, positions: vec![position] }
    }
}
