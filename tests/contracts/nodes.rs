//! LucidNodes: what genesis puts there, who may register, and what a batch of task proofs is.

use super::harness::{
    Chain, SPEC_HASH, account, consensus_key, genesis_node, proof_of_possession, registration_call, sign, uncompressed,
};
use alloy_primitives::{Address, B256, Bytes, U256, address, hex};
use k256::ecdsa::{Signature, SigningKey};
use lucid_types::contracts::{
    LUCID_NODES_ADDRESS as NODES, LucidNodes as N, REGISTRATION_DOMAIN, TASK_PROOF_BYTES, registration_digest,
};

fn info(chain: &mut Chain, node: Address) -> N::NodeInfo {
    chain.view(NODES, &N::nodeInfoCall { account: node })
}

fn compressed(key: &SigningKey) -> Bytes {
    key.verifying_key().to_encoded_point(true).as_bytes().to_vec().into()
}

#[test]
fn genesis_storage_reads_back_through_the_views() {
    // The server has number 0; then the order is the spec's, not that of addresses. Keys of both parities are among
    // them, so that both prefixes are seen.
    let order = [7_u8, 3, 9, 1, 40];
    let nodes: Vec<_> = order.iter().map(|&n| genesis_node(n)).collect();
    let mut chain = Chain::with_nodes(3, &nodes);
    assert_eq!(chain.view(NODES, &N::chainSpecHashCall {}), SPEC_HASH);
    assert_eq!(chain.view(NODES, &N::validatorsNeededCall {}), 3);
    assert_eq!(chain.view(NODES, &N::registrationsCall {}), 5);
    assert_eq!(chain.view(NODES, &N::memberCountCall {}), U256::from(5));
    let members = chain.view(NODES, &N::membersCall {});
    let expected: Vec<_> = (0_u32..)
        .zip(order)
        .map(|(number, n)| N::NodeInfo {
            node: account(n),
            standing: N::Standing::Member,
            number,
            operator: account(100 + n),
            consensusKey: compressed(&consensus_key(n)),
            pool: Address::ZERO,
            requestedPool: Address::ZERO,
            ballot: 1,
            votes: 0,
        })
        .collect();
    assert_eq!(members, expected);
    let prefixes: Vec<_> = members.iter().map(|member| member.consensusKey[0]).collect();
    assert!(prefixes.contains(&2) && prefixes.contains(&3), "{prefixes:?}");
    for (node, n) in nodes.iter().zip(order) {
        let signer = Address::from_private_key(&consensus_key(n));
        assert_eq!(chain.view(NODES, &N::nodeOfConsensusKeyCall { signer }), node.node);
    }
}

#[test]
fn constants_are_the_same_on_both_sides() {
    let mut chain = Chain::with_nodes(1, &[genesis_node(1)]);
    assert_eq!(chain.view(NODES, &N::REGISTRATION_DOMAINCall {}), REGISTRATION_DOMAIN);
    assert_eq!(chain.view(NODES, &N::TASK_PROOF_BYTESCall {}), U256::from(TASK_PROOF_BYTES));
    assert_eq!(chain.view(NODES, &N::MAX_MEMBERSCall {}), U256::from(lucid_types::MAX_VALIDATORS));
    let call = N::registrationDigestCall { account: account(2), operator: account(3) };
    assert_eq!(chain.view(NODES, &call), registration_digest(SPEC_HASH, account(2), account(3)));
}

#[test]
fn a_registration_is_a_candidate_with_the_next_number() {
    let mut chain = Chain::with_nodes(1, &[genesis_node(1), genesis_node(2)]);
    for (number, n) in [(2, 50), (3, 51)] {
        let call = registration_call(n, account(n), account(9));
        let receipt = chain.send(account(n), NODES, &call);
        let event = receipt.only_event::<N::NodeRegistered>();
        let expected = N::NodeRegistered {
            node: account(n),
            operator: account(9),
            number,
            ballot: 1,
            consensusKey: call.consensusKey,
            endpoint: call.endpoint,
        };
        assert_eq!(event, expected);
        let info = info(&mut chain, account(n));
        assert!(matches!(info.standing, N::Standing::Candidate));
        assert_eq!((info.number, info.operator, info.ballot), (number, account(9), 1));
        assert_eq!(info.consensusKey, compressed(&consensus_key(n)));
    }
    assert_eq!(chain.view(NODES, &N::memberCountCall {}), U256::from(2));
    assert_eq!(info(&mut chain, account(99)).standing as u8, N::Standing::Unknown as u8);
}

#[test]
fn an_address_keeps_its_number_and_needs_a_new_key_to_come_back() {
    let mut chain = Chain::with_nodes(1, &[genesis_node(1)]);
    let node = account(50);
    chain.send(node, NODES, &registration_call(50, node, account(9)));
    let again = registration_call(51, node, account(9));
    let error = N::WrongStanding { node, standing: N::Standing::Candidate };
    chain.refuses(node, NODES, &again, &error);
    let receipt = chain.send(node, NODES, &N::leaveRegistryCall {});
    assert_eq!(receipt.only_event::<N::NodeLeft>(), N::NodeLeft { node, wasMember: false });
    let left = info(&mut chain, node);
    assert!(matches!(left.standing, N::Standing::Former));
    assert_eq!((left.number, left.operator, left.consensusKey.len()), (1, Address::ZERO, 0));

    let used = Address::from_private_key(&consensus_key(50));
    let error = N::ConsensusKeyUsed { signer: used, node };
    chain.refuses(node, NODES, &registration_call(50, node, account(9)), &error);
    // Another node in between takes the next number, and not this one's.
    chain.send(account(60), NODES, &registration_call(60, account(60), account(9)));
    let event = chain.send(node, NODES, &again).only_event::<N::NodeRegistered>();
    assert_eq!((event.number, event.ballot), (1, 3));
    assert_eq!(chain.view(NODES, &N::registrationsCall {}), 3);
}

#[test]
fn a_key_is_used_once_ever_genesis_included() {
    let mut chain = Chain::with_nodes(1, &[genesis_node(1)]);
    let signer = Address::from_private_key(&consensus_key(1));
    let error = N::ConsensusKeyUsed { signer, node: account(1) };
    chain.refuses(account(50), NODES, &registration_call(1, account(50), account(9)), &error);
}

#[test]
fn a_consensus_key_is_no_account_key() {
    let mut chain = Chain::with_nodes(1, &[genesis_node(1)]);
    let signer = Address::from_private_key(&consensus_key(50));
    let error = N::ConsensusKeyIsAccountKey { account: signer };
    chain.refuses(signer, NODES, &registration_call(50, signer, account(9)), &error);
    chain.refuses(account(50), NODES, &registration_call(50, account(50), signer), &error);
}

#[test]
fn a_registration_is_checked_field_by_field() {
    let mut chain = Chain::with_nodes(1, &[genesis_node(1)]);
    let node = account(50);
    let good = registration_call(50, node, account(9));
    let no_operator = registration_call(50, node, Address::ZERO);
    chain.refuses(node, NODES, &no_operator, &N::ZeroValue { field: "operator".to_owned() });
    let endpoint = |length: usize| N::registerCall { endpoint: "e".repeat(length), ..good.clone() };
    chain.refuses(node, NODES, &endpoint(0), &N::ZeroValue { field: "endpoint".to_owned() });
    let error = N::EndpointTooLong { length: U256::from(257), maximum: U256::from(256) };
    chain.refuses(node, NODES, &endpoint(257), &error);
    for length in [0, 33, 63, 65] {
        let call = N::registerCall { consensusKey: vec![4; length].into(), ..good.clone() };
        chain.refuses(node, NODES, &call, &N::InvalidKeyLength { length: U256::from(length) });
    }
    chain.send(node, NODES, &endpoint(256));
}

#[test]
fn only_who_has_the_key_registers_it() {
    let mut chain = Chain::with_nodes(1, &[genesis_node(1)]);
    let (node, operator, key) = (account(50), account(9), consensus_key(50));
    let good = registration_call(50, node, operator);
    let digest = registration_digest(SPEC_HASH, node, operator);
    let error = N::InvalidProofOfPossession { signer: Address::from_private_key(&key), digest };
    let mut forgeries = vec![
        // Another key, another node's or operator's registration, another chain's, and a digest without its domain.
        proof_of_possession(&consensus_key(51), node, operator),
        proof_of_possession(&key, account(51), operator),
        proof_of_possession(&key, node, account(8)),
        sign(&key, registration_digest(B256::ZERO, node, operator)),
        sign(&key, SPEC_HASH),
        vec![0; 65],
        vec![],
        good.signature[..64].to_vec(),
        [good.signature.as_ref(), &[0]].concat(),
        high_s(&good.signature),
    ];
    // Every part of the signature matters, and v is 27 or 28.
    for byte in [0, 31, 32, 63, 64] {
        let mut signature = good.signature.to_vec();
        signature[byte] ^= 1;
        forgeries.push(signature);
    }
    let mut parity_only = good.signature.to_vec();
    parity_only[64] -= 27;
    forgeries.push(parity_only);
    for signature in forgeries {
        let call = N::registerCall { signature: signature.into(), ..good.clone() };
        chain.refuses(node, NODES, &call, &error);
    }
    // What one node has signed, another account cannot use.
    let digest = registration_digest(SPEC_HASH, account(60), operator);
    chain.refuses(account(60), NODES, &good, &N::InvalidProofOfPossession { digest, ..error });
    chain.send(node, NODES, &good);
}

/// A key of zeros has an address too, but no signature recovers to it; nor does a failed recovery pass for one.
#[test]
fn bytes_that_are_no_point_are_refused() {
    let mut chain = Chain::with_nodes(1, &[genesis_node(1)]);
    let (node, operator) = (account(50), account(9));
    let call = N::registerCall { consensusKey: vec![0; 64].into(), ..registration_call(50, node, operator) };
    let digest = registration_digest(SPEC_HASH, node, operator);
    let signer = address!("3f17f1962b36e491b30a40b2405849e597ba5fb5");
    chain.refuses(node, NODES, &call, &N::InvalidProofOfPossession { signer, digest });
}

/// The twin of a signature, which recovers to the same key.
fn high_s(signature: &[u8]) -> Vec<u8> {
    let low = Signature::from_slice(&signature[..64]).unwrap();
    let order = U256::from_be_bytes(hex!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"));
    let high = order - U256::from_be_slice(&low.s().to_bytes());
    [&signature[..32], &high.to_be_bytes::<32>(), &[signature[64] ^ 7]].concat()
}

#[test]
fn keys_are_64_bytes_without_a_prefix() {
    let key = uncompressed(&consensus_key(1));
    assert_eq!(Address::from_raw_public_key(&key), Address::from_private_key(&consensus_key(1)));
}

#[test]
fn a_batch_of_task_proofs_is_whole_records() {
    let mut chain = Chain::with_nodes(1, &[genesis_node(1)]);
    let record = U256::from(TASK_PROOF_BYTES);
    for length in [0, 1, TASK_PROOF_BYTES - 1, TASK_PROOF_BYTES + 1] {
        let call = N::submitTaskProofsCall { proofs: vec![1; length].into() };
        let error = N::InvalidProofBatch { length: U256::from(length), recordLength: record };
        chain.refuses(account(9), NODES, &call, &error);
    }
    for count in [1, 3] {
        let proofs: Bytes = (0..count * TASK_PROOF_BYTES).map(|i| i as u8).collect();
        // Anyone may carry the proofs of others.
        let receipt = chain.send(account(9), NODES, &N::submitTaskProofsCall { proofs: proofs.clone() });
        let event = receipt.only_event::<N::TaskProofsSubmitted>();
        assert_eq!(event, N::TaskProofsSubmitted { submitter: account(9), proofs });
    }
}
