use super::*;
use crate::{
    DbJobKind,
    access::{Denied as Denial, Scope},
};
use alloy_primitives::{Address, B256, U256, hex};
use lucid_storage::{AnchoringStatus, StoreError};
use lucid_types::{ManifestError, SessionId, TransactionRefusal};
use std::collections::BTreeSet;

fn seen(error: impl Into<RpcError>) -> serde_json::Value {
    serde_json::to_value(ErrorObjectOwned::from(error.into())).unwrap()
}

#[test]
fn a_revert_has_code_3_its_reason_and_its_data() {
    let data = hex!("4e487b710000000000000000000000000000000000000000000000000000000000000001");
    let error = seen(CallError::Reverted { data: data.into() });
    assert_eq!(error["code"], 3);
    assert_eq!(error["message"], "execution reverted: assert(false)");
    assert_eq!(error["data"], format!("0x{}", hex::encode(data)));
    let bare = seen(CallError::Reverted { data: b"wrong-calldatasize".into() });
    assert_eq!(bare["message"], "execution reverted");
    assert_eq!(bare["data"], "0x77726f6e672d63616c6c6461746173697a65");
}

fn refused(refusal: TransactionRefusal) -> SubmitError {
    SubmitError::Refused(refusal)
}

#[test]
fn texts_begin_as_ethereum_tools_expect() {
    let error = seen(refused(TransactionRefusal::NonceTooLow { next: 2, nonce: 1 }));
    assert_eq!(error["code"], -32000);
    assert_eq!(error["message"], "nonce too low: next nonce 2, tx nonce 1");
    assert!(error.get("data").is_none());
    let funds = TransactionRefusal::InsufficientFunds { balance: U256::from(1), cost: U256::from(3) };
    let text = "insufficient funds for gas * price + value: balance 1, tx cost 3, overshot 2";
    assert_eq!(seen(refused(funds))["message"], text);
}

#[test]
fn a_lucid_error_carries_its_number() {
    let session = SessionId::from_random([1; 16]);
    let error = seen(AnchorError::AlreadyAnchored { session_id: session, account: Address::ZERO });
    assert_eq!(error["data"]["code"], "LUCID_ERR_6006");
    assert_eq!(seen(ProofError::UnknownSession(session))["data"]["code"], "LUCID_ERR_6001");
    assert_eq!(seen(MerkleError::TooHigh { leaves: 9, height_max: 2 })["data"]["code"], "LUCID_ERR_8006");
    assert_eq!(seen(AnchorError::Submit(refused(TransactionRefusal::PoolFull)))["data"]["code"], "LUCID_ERR_5005");
}

#[test]
fn a_fault_of_the_node_is_not_told_to_clients() {
    let error = seen(NodeError::Store(StoreError::Missing("/srv/secret".into())));
    assert_eq!(error["code"], -32603);
    assert_eq!(error["message"], "internal error");
    assert!(error.get("data").is_none());
}

#[test]
fn damage_has_a_code_of_its_own_and_does_not_say_where() {
    let path = std::path::PathBuf::from("/srv/secret");
    let damaged = || StoreError::Damaged { path: path.clone(), what: "a page".to_owned() };
    for error in [
        RpcError::from(NodeError::Store(damaged())),
        NodeError::Corrupt("seal").into(),
        QueryError::Store(damaged()).into(),
        StateError::Node(damaged().into()).into(),
        SubmitError::Node(damaged().into()).into(),
        CallError::State(NodeError::Store(damaged()).into()).into(),
        AnchorError::Node(damaged().into()).into(),
        AnchorError::Submit(SubmitError::Node(damaged().into())).into(),
        ProofError::Node(damaged().into()).into(),
        PayoutError::Node(damaged().into()).into(),
        TaskProofError::Node(damaged().into()).into(),
        DbJobError::Node(damaged().into()).into(),
    ] {
        let error = seen(error);
        assert_eq!((&error["code"], &error["data"]["code"]), (&(-32012).into(), &"LUCID_ERR_3002".into()));
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    // A disk that fails is no damage.
    let failed = StoreError::Engine("no answer".into());
    assert_eq!(seen(NodeError::Store(failed))["code"], -32603);
}

fn stopping() -> NodeError {
    NodeError::Stopping
}

fn session() -> SessionId {
    SessionId::from_random([1; 16])
}

/// The place of an error in the table. A new variant does not compile until it has one, and is not walked until it
/// stands among the rows.
fn place(error: &RpcError) -> usize {
    use RpcError::*;
    match error {
        InvalidParams(_) => 0,
        InvalidRequest(_) => 1,
        UnknownBlock(_) => 2,
        LimitExceeded(_) => 3,
        Busy => 4,
        UnknownMethod(_) => 5,
        NotificationsUnsupported => 6,
        SubscriptionInBatch => 7,
        UnknownSubscription { .. } => 8,
        FilterNotFound => 9,
        Denied(Denial::TokenMissing(_)) => 10,
        Denied(Denial::TokenUnknown) => 11,
        Denied(Denial::Scope { .. }) => 12,
        Node(NodeError::Full(_)) => 66,
        Node(error) if error.is_damage() => 71,
        Node(_) => 13,
        State(StateError::NotKept { .. }) => 14,
        State(StateError::NoTries { .. }) => 15,
        State(StateError::Node(_)) => 16,
        Submit(SubmitError::Refused(_)) => 17,
        Submit(SubmitError::Node(_)) => 18,
        Call(CallError::Reverted { .. }) => 19,
        Call(CallError::OutOfGas { .. }) => 20,
        Call(CallError::GasRequiredExceedsAllowance { .. }) => 21,
        Call(CallError::Halted { .. }) => 22,
        Call(CallError::Refused(_)) => 23,
        Call(CallError::InsufficientFunds { .. }) => 24,
        Call(CallError::Invalid(_)) => 25,
        Call(CallError::TimedOut { .. }) => 26,
        Call(CallError::State(_)) => 27,
        Anchor(AnchorError::Manifest(_)) => 28,
        Anchor(AnchorError::RootMismatch { .. }) => 29,
        Anchor(AnchorError::AlreadyAnchored { .. }) => 30,
        Anchor(AnchorError::RootAlreadyAnchored { .. }) => 31,
        Anchor(AnchorError::InsufficientFunds { .. }) => 32,
        Anchor(AnchorError::Unknown(_)) => 33,
        Anchor(AnchorError::SeveralAccounts { .. }) => 34,
        Anchor(AnchorError::NotEnded { .. }) => 35,
        Anchor(AnchorError::NotTheNodes { .. }) => 36,
        Anchor(AnchorError::Transaction { .. }) => 37,
        Anchor(AnchorError::Submit(SubmitError::Refused(_))) => 38,
        Anchor(AnchorError::Submit(SubmitError::Node(_))) => 39,
        Anchor(AnchorError::TooMany(_)) => 40,
        Anchor(AnchorError::Node(_)) => 41,
        Proof(ProofError::UnknownSession(_)) => 42,
        Proof(ProofError::SeveralAccounts { .. }) => 43,
        Proof(ProofError::NotFinal(_)) => 44,
        Proof(ProofError::NoSuchChunk { .. }) => 45,
        Proof(ProofError::NotKept(_)) => 46,
        Proof(ProofError::Node(_)) => 47,
        Merkle(MerkleError::Empty) => 48,
        Merkle(MerkleError::TooHigh { .. }) => 49,
        Merkle(MerkleError::NoSuchLeaf { .. }) => 50,
        DbJob(DbJobError::Busy(_)) => 51,
        DbJob(DbJobError::Node(_)) => 52,
        Anchor(AnchorError::DiskFull) => 53,
        Submit(SubmitError::DiskFull) => 54,
        Anchor(AnchorError::Submit(SubmitError::DiskFull)) => 55,
        Query(QueryError::Store(error)) if error.is_damage() => 70,
        Query(QueryError::Store(_)) => 56,
        Query(QueryError::NotIndexed { .. }) => 57,
        Query(QueryError::TooManyResults) => 58,
        Query(_) => 59,
        Payout(PayoutError::Altered { .. }) => 60,
        Payout(PayoutError::Node(NodeError::Full(_))) => 61,
        Payout(PayoutError::Node(_)) => 62,
        Anchor(AnchorError::StoreFull(_)) => 63,
        Submit(SubmitError::StoreFull(_)) => 64,
        Anchor(AnchorError::Submit(SubmitError::StoreFull(_))) => 65,
        TaskProof(TaskProofError::CountsNothing(_)) => 67,
        TaskProof(TaskProofError::Full(_)) => 68,
        TaskProof(TaskProofError::Node(_)) => 69,
    }
}

fn not_indexed() -> QueryError {
    QueryError::NotIndexed { collection: "chunks", asked: "one by size_bytes".into(), indexes: "session_id+idx".into() }
}

/// Every error, with the code and the number of `data.code` that a client sees.
fn rows() -> Vec<(RpcError, i32, Option<u16>)> {
    use RpcError::*;
    vec![
        (InvalidParams("wrong".into()), -32602, None),
        (InvalidRequest("wrong".into()), -32602, Some(1001)),
        (UnknownBlock("header not found"), -32000, None),
        (LimitExceeded("too many".into()), -32005, None),
        (Busy, -32005, Some(3001)),
        (RpcError::unknown_method("eth_mine"), -32601, None),
        (NotificationsUnsupported, -32601, None),
        (SubscriptionInBatch, -32600, None),
        (RpcError::unknown_subscription("eth", "weather"), -32601, None),
        (FilterNotFound, -32000, None),
        (Denied(Denial::TokenMissing(Scope::Read)), -32000, Some(2001)),
        (Denied(Denial::TokenUnknown), -32000, Some(2001)),
        (Denied(Denial::Scope { needed: Scope::Admin, held: Scope::Read }), -32000, Some(2004)),
        (Node(stopping()), -32603, None),
        (State(StateError::NotKept { block: 1, oldest: 2 }), -32000, None),
        (State(StateError::NoTries { block: 1, head: 2 }), -32000, None),
        (State(stopping().into()), -32603, None),
        (Submit(refused(TransactionRefusal::AlreadyKnown)), -32000, None),
        (Submit(stopping().into()), -32603, None),
        (Call(CallError::Reverted { data: Bytes::new() }), 3, None),
        (Call(CallError::OutOfGas { gas_limit: 1 }), -32000, None),
        (Call(CallError::GasRequiredExceedsAllowance { allowance: 1 }), -32000, None),
        (Call(CallError::Halted { reason: "invalid opcode".into() }), -32000, None),
        (Call(CallError::Refused(TransactionRefusal::InvalidSender)), -32000, None),
        (
            Call(CallError::InsufficientFunds { address: Address::ZERO, balance: U256::ZERO, cost: U256::ONE }),
            -32000,
            None,
        ),
        (Call(CallError::Invalid("wrong".into())), -32000, None),
        (Call(CallError::TimedOut { timeout_ms: 1 }), -32000, None),
        (Call(CallError::State(StateError::NotKept { block: 1, oldest: 2 })), -32000, None),
        (Anchor(AnchorError::Manifest(ManifestError::ChunkCount(0))), -32602, Some(6004)),
        (Anchor(AnchorError::RootMismatch { manifest: B256::ZERO, leaves: B256::ZERO }), -32602, Some(6004)),
        (Anchor(AnchorError::AlreadyAnchored { session_id: session(), account: Address::ZERO }), -32000, Some(6006)),
        (
            Anchor(AnchorError::RootAlreadyAnchored {
                merkle_root: B256::ZERO,
                session_id: session(),
                account: Address::ZERO,
            }),
            -32000,
            Some(6006),
        ),
        (
            Anchor(AnchorError::InsufficientFunds { account: Address::ZERO, balance: U256::ZERO, cost: U256::ONE }),
            -32000,
            Some(5004),
        ),
        (Anchor(AnchorError::Unknown(session())), -32000, Some(6001)),
        (Anchor(AnchorError::SeveralAccounts { session_id: session(), accounts: Vec::new() }), -32602, Some(1001)),
        (Anchor(AnchorError::NotEnded { session_id: session(), status: AnchoringStatus::Pending }), -32000, Some(6002)),
        (Anchor(AnchorError::NotTheNodes { session_id: session(), account: Address::ZERO }), -32000, Some(6002)),
        (Anchor(AnchorError::Transaction { index: 0, fault: "wrong".into() }), -32602, Some(6002)),
        (Anchor(AnchorError::Submit(refused(TransactionRefusal::PoolFull))), -32000, Some(5005)),
        (Anchor(AnchorError::Submit(stopping().into())), -32603, None),
        (Anchor(AnchorError::TooMany(9)), -32000, Some(6005)),
        (Anchor(AnchorError::DiskFull), -32000, Some(6005)),
        (Submit(SubmitError::DiskFull), -32000, Some(6005)),
        (Anchor(AnchorError::Submit(SubmitError::DiskFull)), -32000, Some(6005)),
        (Anchor(AnchorError::StoreFull("full".into())), -32000, Some(6005)),
        (Submit(SubmitError::StoreFull("full".into())), -32000, Some(6005)),
        (Anchor(AnchorError::Submit(SubmitError::StoreFull("full".into()))), -32000, Some(6005)),
        (Anchor(AnchorError::Node(stopping())), -32603, None),
        (Proof(ProofError::UnknownSession(session())), -32000, Some(6001)),
        (Proof(ProofError::SeveralAccounts { session_id: session(), accounts: Vec::new() }), -32602, Some(1001)),
        (Proof(ProofError::NotFinal(session())), -32000, Some(6001)),
        (Proof(ProofError::NoSuchChunk { index: 3, chunk_count: 3 }), -32602, Some(1001)),
        (Proof(ProofError::NotKept(session())), -32000, Some(8001)),
        (Proof(ProofError::Node(stopping())), -32603, None),
        (Merkle(MerkleError::Empty), -32602, Some(8004)),
        (Merkle(MerkleError::TooHigh { leaves: 9, height_max: 2 }), -32602, Some(8006)),
        (Merkle(MerkleError::NoSuchLeaf { index: 9, leaves: 2 }), -32602, Some(1001)),
        (DbJobError::Busy(DbJobKind::Verify).into(), -32005, Some(3001)),
        (DbJobError::Node(stopping()).into(), -32603, None),
        (Query(StoreError::Stopped.into()), -32603, None),
        (Query(StoreError::DanglingEntry { index: "blocks.by_hash" }.into()), -32012, Some(3002)),
        (Node(NodeError::Corrupt("seal")), -32012, Some(3002)),
        (Query(not_indexed()), -32005, Some(1001)),
        (Query(QueryError::TooManyResults), -32005, Some(1001)),
        (Query(QueryError::Limit(0)), -32602, Some(1001)),
        (PayoutError::Altered { id: "p-1".into(), field: "usdt_amount" }.into(), -32000, Some(1001)),
        (PayoutError::Node(NodeError::Full("full".into())).into(), -32000, Some(6005)),
        (Node(NodeError::Full("full".into())), -32000, Some(6005)),
        (PayoutError::Node(stopping()).into(), -32603, None),
        (TaskProofError::CountsNothing("late".into()).into(), -32000, Some(1001)),
        (TaskProofError::Full(9).into(), -32005, Some(3001)),
        (TaskProofError::Node(stopping()).into(), -32603, None),
    ]
}

#[test]
fn the_table_is_walked_from_end_to_end() {
    let rows = rows();
    let places: BTreeSet<_> = rows.iter().map(|(error, _, _)| place(error)).collect();
    assert_eq!(places, (0..rows.len()).collect());
    for (error, code, number) in rows {
        let (text, seen) = (error.to_string(), seen(error));
        assert_eq!(seen["code"], code, "{text}");
        let lucid = number.map(|number| format!("LUCID_ERR_{number}"));
        match code {
            // The data are what the contract gave.
            REVERT_CODE => assert_eq!(seen["data"], "0x"),
            _ => assert_eq!(seen["data"]["code"].as_str(), lucid.as_deref(), "{text}"),
        }
        // A fault of the node is its own affair, and any other has a text of its own.
        assert_eq!(seen["message"] == "internal error", code == INTERNAL_ERROR_CODE, "{text}");
    }
}

#[test]
fn a_name_is_repeated_only_as_far_as_a_name_goes() {
    let long = "é".repeat(1_000_000);
    let message = seen(RpcError::unknown_method(&long))["message"].to_string();
    assert!(message.len() < 250, "{}", message.len());
}

#[test]
fn the_documentation_names_every_code() {
    let page = crate::documented::page();
    for (error, code, number) in rows() {
        assert!(page.contains(&format!("| {code} |")) || page.contains(&format!("| {code}, ")), "{error}: {code}");
        assert!(number.is_none_or(|number| page.contains(&format!("| `LUCID_ERR_{number}` |"))), "{error}: {number:?}");
    }
    for refusal in [
        TransactionRefusal::InvalidSender,
        TransactionRefusal::ReplacementUnderpriced,
        TransactionRefusal::PoolFull,
        TransactionRefusal::NonceMax,
    ] {
        let number = refusal_number(&refusal);
        assert!(page.contains(&format!("| `LUCID_ERR_{number}` |")), "{refusal}: {number}");
    }
}
