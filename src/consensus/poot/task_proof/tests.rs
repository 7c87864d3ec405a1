use super::*;
use crate::testing::key;
use alloy_primitives::{U256, hex};
use lucid_types::Preset;
use proptest::prelude::*;

const GENESIS: B256 = B256::repeat_byte(9);

fn signed(value: TaskValue) -> TaskProof {
    TaskProof::sign(&key(1), GENESIS, 1_000, value, 1_704_187_200)
}

fn value() -> impl Strategy<Value = TaskValue> {
    prop_oneof![
        (any::<u64>(), any::<u32>())
            .prop_map(|(bytes_transferred, sessions_relayed)| TaskValue::Relay { bytes_transferred, sessions_relayed }),
        (any::<u64>(), any::<u64>())
            .prop_map(|(chunks_stored, size_bytes)| TaskValue::Storage { chunks_stored, size_bytes }),
        any::<u64>().prop_map(|uptime_seconds| TaskValue::Uptime { uptime_seconds }),
    ]
}

/// Another program must be able to make them, so the bytes are fixed. RFC 6979 makes the signature the same each time.
#[test]
fn a_record_has_these_bytes() {
    let proof = signed(TaskValue::Relay { bytes_transferred: 5 << 20, sessions_relayed: 3 });
    let claim = "0100000000000003e800000000005000000000000000000003000000006593d540";
    assert_eq!(hex::encode(&proof.encode()[..33]), claim);
    let record = hex::decode(include_str!("golden.txt").trim()).unwrap();
    assert_eq!(hex::encode(proof.encode()), hex::encode(&record));
    let message = [b"lucid/task/prf/1".as_slice(), GENESIS.as_slice(), &hex::decode(claim).unwrap()].concat();
    assert_eq!(proof.digest(GENESIS).0, <[u8; 32]>::from(Sha256::digest(message)));
}

#[test]
fn who_signed_it_follows_from_it_and_from_the_chain() {
    let proof = signed(TaskValue::Uptime { uptime_seconds: 60 });
    assert_eq!(proof.signer(GENESIS), Ok(key(1).address()));
    assert_ne!(proof.signer(B256::ZERO), Ok(key(1).address()), "another chain's");
    for changed in [
        TaskProof { slot: 1_001, ..proof },
        TaskProof { value: TaskValue::Uptime { uptime_seconds: 61 }, ..proof },
        TaskProof { ts: 0, ..proof },
    ] {
        assert_ne!(changed.signer(GENESIS), Ok(key(1).address()), "{changed:?}");
    }
    let none = TaskProof { signature: B512::ZERO, ..proof };
    assert_eq!(none.signer(GENESIS), Err(TaskProofFault::Signature));
}

/// With s above half of the order there would be two records of one proof.
#[test]
fn the_twin_of_a_signature_is_refused() {
    let proof = signed(TaskValue::Uptime { uptime_seconds: 60 });
    let signature = Signature::from_erc2098(proof.signature.as_slice());
    let order: U256 = alloy_primitives::uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);
    // The compact form has no room for the highest bit of s, which the twin of a small s would need.
    let twin = Signature::new(signature.r(), order - signature.s(), !signature.v());
    if twin.s().leading_zeros() > 0 {
        let twin = TaskProof { signature: twin.as_erc2098().into(), ..proof };
        assert_eq!(twin.signer(GENESIS), Err(TaskProofFault::Signature));
    }
    assert_eq!(recover_signer(proof.digest(GENESIS), &twin), None);
}

#[test]
fn what_no_node_submits_is_no_proof() {
    let record = |change: fn(&mut [u8; TASK_PROOF_BYTES])| {
        let mut record = signed(TaskValue::Uptime { uptime_seconds: 60 }).encode();
        change(&mut record);
        TaskProof::decode(&record).unwrap_err()
    };
    for kind in [0, 3, 5, 255] {
        let mut record = signed(TaskValue::Uptime { uptime_seconds: 60 }).encode();
        record[0] = kind;
        assert_eq!(TaskProof::decode(&record), Err(TaskProofFault::Type(kind)));
    }
    assert_eq!(record(|record| record[24] = 1), TaskProofFault::SecondValue(1));
    assert_eq!(
        record(|record| {
            record[0] = 1;
            record[20] = 1;
        }),
        TaskProofFault::SecondValue(1 << 32)
    );
}

#[test]
fn a_proof_is_for_the_blocks_slot_or_up_to_60_before() {
    let proof = signed(TaskValue::Uptime { uptime_seconds: 60 });
    assert_eq!([1_000, 1_001, 1_060].map(|block| proof.check_slot(block)), [Ok(()); 3]);
    assert_eq!(proof.check_slot(999), Err(TaskProofFault::Early { slot: 1_000, block: 999 }));
    assert_eq!(proof.check_slot(1_061), Err(TaskProofFault::Late { slot: 1_000, block: 1_061 }));
}

#[test]
fn nobody_claims_more_than_can_be() {
    let params = Preset::Lucid.params();
    let stored = OperatorStorageRecord { chunks: 10, bytes: 1 << 30 };
    let check = |value| signed(value).check_value(&params, &stored);
    let too_much = |field, value, most| Err(TaskProofFault::TooMuch { field, value, most });
    let relay = |bytes_transferred, sessions_relayed| check(TaskValue::Relay { bytes_transferred, sessions_relayed });
    assert_eq!(relay(15_000_000_000, 1_000), Ok(()));
    assert_eq!(relay(15_000_000_001, 0), too_much("bytes_transferred", 15_000_000_001, 15_000_000_000));
    assert_eq!(relay(0, 1_001), too_much("sessions_relayed", 1_001, 1_000));
    let storage = |chunks_stored, size_bytes| check(TaskValue::Storage { chunks_stored, size_bytes });
    assert_eq!(storage(10, 1 << 30), Ok(()));
    assert_eq!(storage(11, 0), too_much("chunks_stored", 11, 10));
    assert_eq!(storage(0, (1 << 30) + 1), too_much("size_bytes", (1 << 30) + 1, 1 << 30));
    let uptime = |uptime_seconds| check(TaskValue::Uptime { uptime_seconds });
    assert_eq!(uptime(3_600), Ok(()));
    assert_eq!(uptime(3_601), too_much("uptime_seconds", 3_601, 3_600));
}

#[test]
fn a_batch_is_read_record_by_record() {
    let proof = signed(TaskValue::Uptime { uptime_seconds: 60 });
    let batch = [proof.encode(), proof.encode()].concat();
    let read: Vec<_> = task_proof_records(&batch).map(TaskProof::decode).collect();
    assert_eq!(read, [Ok(proof), Ok(proof)]);
}

proptest! {
    #[test]
    fn a_record_is_read_as_it_was_written(value in value(), slot: u64, ts: u64, signature: [u8; 64]) {
        let proof = TaskProof { slot, value, ts, signature: signature.into() };
        prop_assert_eq!(TaskProof::decode(&proof.encode()), Ok(proof));
    }

    #[test]
    fn any_bytes_are_a_record_or_are_refused(mut bytes in prop::collection::vec(any::<u8>(), TASK_PROOF_BYTES), kind in 0u8..6) {
        bytes[0] = kind;
        let record = task_proof_records(&bytes).next().unwrap();
        if let Ok(proof) = TaskProof::decode(record) {
            prop_assert_eq!(&proof.encode(), record);
            let _ = proof.signer(GENESIS);
        }
    }
}
