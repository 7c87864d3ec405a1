//! LucidNodes: a node is in a pool when both have said so on chain.

use super::harness::{Chain, account, genesis_node, registration_call};
use alloy_primitives::Address;
use lucid_types::contracts::{LUCID_NODES_ADDRESS as NODES, LucidNodes as N};

const POOL: Address = Address::repeat_byte(0xb0);
const OTHER: Address = Address::repeat_byte(0xb1);

fn pool_of(chain: &mut Chain, n: u8) -> (Address, Address) {
    let info = chain.view(NODES, &N::nodeInfoCall { account: account(n) });
    (info.pool, info.requestedPool)
}

fn three() -> Chain {
    Chain::with_nodes(1, &[genesis_node(1), genesis_node(2), genesis_node(3)])
}

#[test]
fn a_node_asks_a_pool_accepts_and_the_node_leaves() {
    let mut chain = three();
    let node = account(1);
    let receipt = chain.send(node, NODES, &N::joinPoolCall { pool: POOL });
    assert_eq!(receipt.only_event::<N::PoolRequested>(), N::PoolRequested { node, pool: POOL });
    assert_eq!(pool_of(&mut chain, 1), (Address::ZERO, POOL));
    assert!(!chain.view(NODES, &N::isPoolCall { account: POOL }));

    let receipt = chain.send(POOL, NODES, &N::acceptIntoPoolCall { node });
    assert_eq!(receipt.only_event::<N::PoolJoined>(), N::PoolJoined { node, pool: POOL });
    assert_eq!(pool_of(&mut chain, 1), (POOL, Address::ZERO));
    assert!(chain.view(NODES, &N::isPoolCall { account: POOL }));
    chain.refuses(node, NODES, &N::joinPoolCall { pool: OTHER }, &N::AlreadyInPool { node, pool: POOL });

    let receipt = chain.send(node, NODES, &N::leavePoolCall {});
    assert_eq!(receipt.only_event::<N::PoolLeft>(), N::PoolLeft { node, pool: POOL, wasMember: true });
    assert_eq!(pool_of(&mut chain, 1), (Address::ZERO, Address::ZERO));
    chain.refuses(node, NODES, &N::leavePoolCall {}, &N::NotInPool { node });
}

#[test]
fn a_pool_takes_no_node_that_has_not_asked_it() {
    let mut chain = three();
    let node = account(1);
    let accept = N::acceptIntoPoolCall { node };
    chain.refuses(POOL, NODES, &accept, &N::PoolNotRequested { node, requested: Address::ZERO });
    chain.send(node, NODES, &N::joinPoolCall { pool: POOL });
    chain.refuses(OTHER, NODES, &accept, &N::PoolNotRequested { node, requested: POOL });
    // What was asked last counts, and what was taken back counts no more.
    chain.send(node, NODES, &N::joinPoolCall { pool: OTHER });
    chain.refuses(POOL, NODES, &accept, &N::PoolNotRequested { node, requested: OTHER });
    let receipt = chain.send(node, NODES, &N::leavePoolCall {});
    assert_eq!(receipt.only_event::<N::PoolLeft>(), N::PoolLeft { node, pool: OTHER, wasMember: false });
    chain.refuses(OTHER, NODES, &accept, &N::PoolNotRequested { node, requested: Address::ZERO });
    // One acceptance takes one node in, once.
    chain.send(node, NODES, &N::joinPoolCall { pool: POOL });
    chain.send(POOL, NODES, &accept);
    chain.refuses(POOL, NODES, &accept, &N::PoolNotRequested { node, requested: Address::ZERO });
}

/// Credits are summed under the account of a node or of a pool: one that was both would be counted as either.
#[test]
fn an_account_is_a_node_or_a_pool() {
    let mut chain = three();
    let join = |pool| N::joinPoolCall { pool };
    for node in [account(1), account(2)] {
        chain.refuses(account(1), NODES, &join(node), &N::AccountIsNode { account: node });
    }
    // A node that left stays one.
    chain.send(account(3), NODES, &N::leaveRegistryCall {});
    chain.refuses(account(1), NODES, &join(account(3)), &N::AccountIsNode { account: account(3) });
    // A pool becomes no node, even after its last member has left.
    chain.send(account(1), NODES, &join(POOL));
    chain.send(POOL, NODES, &N::acceptIntoPoolCall { node: account(1) });
    chain.send(account(1), NODES, &N::leavePoolCall {});
    chain.refuses(POOL, NODES, &registration_call(50, POOL, account(9)), &N::AccountIsPool { account: POOL });
    // An account that registered after it was asked cannot accept.
    chain.send(account(1), NODES, &join(OTHER));
    chain.send(OTHER, NODES, &registration_call(51, OTHER, account(9)));
    let accept = N::acceptIntoPoolCall { node: account(1) };
    chain.refuses(OTHER, NODES, &accept, &N::AccountIsNode { account: OTHER });
}

#[test]
fn only_registered_nodes_have_a_pool() {
    let mut chain = three();
    let join = N::joinPoolCall { pool: POOL };
    let stranger = account(99);
    let error = N::WrongStanding { node: stranger, standing: N::Standing::Unknown };
    chain.refuses(stranger, NODES, &join, &error);
    chain.refuses(stranger, NODES, &N::leavePoolCall {}, &N::NotInPool { node: stranger });
    let zero = N::ZeroValue { field: "pool".to_owned() };
    chain.refuses(account(1), NODES, &N::joinPoolCall { pool: Address::ZERO }, &zero);
    // A candidate has one, and loses it when it withdraws.
    let node = account(50);
    chain.send(node, NODES, &registration_call(50, node, account(9)));
    chain.send(node, NODES, &join);
    chain.send(POOL, NODES, &N::acceptIntoPoolCall { node });
    chain.send(node, NODES, &N::leaveRegistryCall {});
    assert_eq!(pool_of(&mut chain, 50), (Address::ZERO, Address::ZERO));
    let error = N::WrongStanding { node, standing: N::Standing::Former };
    chain.refuses(node, NODES, &join, &error);
}

#[test]
fn a_request_does_not_outlive_the_registration() {
    let mut chain = three();
    chain.send(account(1), NODES, &N::joinPoolCall { pool: POOL });
    chain.send(account(1), NODES, &N::leaveRegistryCall {});
    let error = N::PoolNotRequested { node: account(1), requested: Address::ZERO };
    chain.refuses(POOL, NODES, &N::acceptIntoPoolCall { node: account(1) }, &error);
}
