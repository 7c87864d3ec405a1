//! LucidNodes: members come and go by more than two thirds of the votes of members.

use super::harness::{Chain, account, genesis_node, registration_call};
use alloy_primitives::{Address, U256};
use lucid_types::contracts::{LUCID_NODES_ADDRESS as NODES, LucidNodes as N};

/// A chain whose members are the accounts 1 to `members`.
fn chain_of(members: u8, needed: u32) -> Chain {
    Chain::with_nodes(needed, &(1..=members).map(genesis_node).collect::<Vec<_>>())
}

fn candidate(chain: &mut Chain, n: u8) -> Address {
    chain.send(account(n), NODES, &registration_call(n, account(n), account(9)));
    account(n)
}

fn info(chain: &mut Chain, node: Address) -> N::NodeInfo {
    chain.view(NODES, &N::nodeInfoCall { account: node })
}

fn members(chain: &mut Chain) -> Vec<Address> {
    let mut members: Vec<_> = chain.view(NODES, &N::membersCall {}).iter().map(|member| member.node).collect();
    members.sort();
    members
}

fn accounts(numbers: impl IntoIterator<Item = u8>) -> Vec<Address> {
    numbers.into_iter().map(account).collect()
}

/// Votes in the present ballot; says whether the vote decided.
fn admit(chain: &mut Chain, voter: u8, node: Address) -> bool {
    let ballot = info(chain, node).ballot;
    let receipt = chain.send(account(voter), NODES, &N::voteToAdmitCall { node, ballot });
    assert_eq!(receipt.events::<N::AdmissionVoted>().len(), 1);
    !receipt.events::<N::NodeAdmitted>().is_empty()
}

/// As `admit`, for a removal.
fn remove(chain: &mut Chain, voter: u8, node: Address) -> bool {
    let ballot = info(chain, node).ballot;
    let receipt = chain.send(account(voter), NODES, &N::voteToRemoveCall { node, ballot });
    assert_eq!(receipt.events::<N::RemovalVoted>().len(), 1);
    !receipt.events::<N::NodeRemoved>().is_empty()
}

#[test]
fn more_than_two_thirds_admit() {
    // Members, and the votes that are more than two thirds of them.
    for (count, enough) in [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (6, 5), (7, 5), (9, 7), (10, 7), (40, 27)] {
        let mut chain = chain_of(count, 1);
        let node = candidate(&mut chain, 200);
        for voter in 1..enough {
            assert!(!admit(&mut chain, voter, node), "{voter} of {count} decided");
        }
        assert!(admit(&mut chain, enough, node), "{enough} of {count} did not decide");
        assert_eq!(members(&mut chain), accounts((1..=count).chain([200])));
    }
}

#[test]
fn more_than_two_thirds_remove_the_members_own_vote_included() {
    for (count, enough) in [(2, 2), (3, 3), (4, 3), (7, 5), (10, 7)] {
        let mut chain = chain_of(count, 1);
        let node = account(enough);
        for voter in 1..enough {
            assert!(!remove(&mut chain, voter, node), "{voter} of {count} decided");
        }
        assert!(remove(&mut chain, enough, node), "{enough} of {count} did not decide");
        assert_eq!(members(&mut chain), accounts((1..=count).filter(|&n| n != enough)));
    }
}

#[test]
fn votes_and_decisions_have_events_that_say_how_they_stand() {
    let mut chain = chain_of(4, 1);
    let node = candidate(&mut chain, 50);
    for voter in 1..=3_u8 {
        let receipt = chain.send(account(voter), NODES, &N::voteToAdmitCall { node, ballot: 1 });
        let event = receipt.events::<N::AdmissionVoted>().pop().unwrap();
        let expected =
            N::AdmissionVoted { node, voter: account(voter), ballot: 1, votes: voter.into(), members: U256::from(4) };
        assert_eq!(event, expected);
        let admitted = receipt.events::<N::NodeAdmitted>();
        let deciding = voter == 3;
        assert_eq!(admitted.len(), usize::from(deciding));
        if deciding {
            assert_eq!(admitted[0], N::NodeAdmitted { node, members: U256::from(5) });
        }
        assert!(chain.view(NODES, &N::hasVotedCall { node, ballot: 1, voter: account(voter) }));
    }
    assert!(matches!(info(&mut chain, node).standing, N::Standing::Member));
    let last = (1..=4).map(|voter| {
        let receipt = chain.send(account(voter), NODES, &N::voteToRemoveCall { node, ballot: 2 });
        let event = receipt.events::<N::RemovalVoted>().pop().unwrap();
        assert_eq!((event.node, event.voter, event.ballot), (node, account(voter), 2));
        assert_eq!((event.votes, event.members), (voter.into(), U256::from(5)));
        receipt
    });
    let removed = last.last().unwrap().events::<N::NodeRemoved>();
    assert_eq!(removed, [N::NodeRemoved { node, members: U256::from(4) }]);
}

#[test]
fn only_members_vote_and_once() {
    let mut chain = chain_of(4, 1);
    let node = candidate(&mut chain, 50);
    let call = N::voteToAdmitCall { node, ballot: 1 };
    for outsider in [node, account(99), account(109)] {
        chain.refuses(outsider, NODES, &call, &N::NotAMember { account: outsider });
        let removal = N::voteToRemoveCall { node: account(1), ballot: 1 };
        chain.refuses(outsider, NODES, &removal, &N::NotAMember { account: outsider });
    }
    chain.send(account(1), NODES, &call);
    chain.refuses(account(1), NODES, &call, &N::AlreadyVoted { node, ballot: 1, voter: account(1) });
    assert_eq!(info(&mut chain, node).votes, 1);
    // One vote on each subject, not one in all.
    let second = candidate(&mut chain, 51);
    assert!(!admit(&mut chain, 1, second));
    assert!(!remove(&mut chain, 1, account(2)));
}

#[test]
fn a_vote_fits_where_the_node_stands() {
    let mut chain = chain_of(4, 1);
    let node = candidate(&mut chain, 50);
    let wrong = |node, standing| N::WrongStanding { node, standing };
    let removal = |node| N::voteToRemoveCall { node, ballot: 1 };
    let admission = |node| N::voteToAdmitCall { node, ballot: 1 };
    chain.refuses(account(1), NODES, &removal(node), &wrong(node, N::Standing::Candidate));
    chain.refuses(account(1), NODES, &admission(account(2)), &wrong(account(2), N::Standing::Member));
    for unknown in [account(99), Address::ZERO] {
        chain.refuses(account(1), NODES, &admission(unknown), &wrong(unknown, N::Standing::Unknown));
        chain.refuses(account(1), NODES, &removal(unknown), &wrong(unknown, N::Standing::Unknown));
    }
    chain.send(node, NODES, &N::leaveRegistryCall {});
    chain.refuses(account(1), NODES, &admission(node), &wrong(node, N::Standing::Former));
}

/// Votes for what a candidate was must not count for what it has made of itself since.
#[test]
fn a_candidate_that_registers_anew_begins_without_votes() {
    let mut chain = chain_of(4, 1);
    let node = candidate(&mut chain, 50);
    assert!(!admit(&mut chain, 1, node));
    assert!(!admit(&mut chain, 2, node));
    chain.send(node, NODES, &N::leaveRegistryCall {});
    chain.send(node, NODES, &registration_call(51, node, account(8)));
    let error = N::BallotClosed { node, ballot: 1, current: 3 };
    chain.refuses(account(3), NODES, &N::voteToAdmitCall { node, ballot: 1 }, &error);
    // The same voters again: all three are needed.
    assert!(!admit(&mut chain, 1, node));
    assert!(!admit(&mut chain, 2, node));
    assert!(admit(&mut chain, 3, node));
}

#[test]
fn a_removed_member_comes_back_without_the_votes_against_it() {
    let mut chain = chain_of(4, 1);
    for voter in 1..=3 {
        assert_eq!(remove(&mut chain, voter, account(4)), voter == 3);
    }
    // It has no vote any more.
    let error = N::NotAMember { account: account(4) };
    chain.refuses(account(4), NODES, &N::voteToRemoveCall { node: account(1), ballot: 1 }, &error);
    chain.send(account(4), NODES, &registration_call(50, account(4), account(9)));
    for voter in 1..=3 {
        assert_eq!(admit(&mut chain, voter, account(4)), voter == 3);
    }
    let back = info(&mut chain, account(4));
    assert_eq!((back.number, back.votes), (3, 0));
    assert!(!remove(&mut chain, 1, account(4)));
    assert!(!remove(&mut chain, 2, account(4)));
    assert_eq!(members(&mut chain), accounts(1..=4));
}

#[test]
fn a_member_that_left_and_came_back_has_no_second_vote() {
    let mut chain = chain_of(6, 1);
    let node = candidate(&mut chain, 50);
    assert!(!admit(&mut chain, 6, node));
    chain.send(account(6), NODES, &N::leaveRegistryCall {});
    chain.send(account(6), NODES, &registration_call(60, account(6), account(9)));
    for voter in 1..=4 {
        assert_eq!(admit(&mut chain, voter, account(6)), voter == 4);
    }
    let error = N::AlreadyVoted { node, ballot: 1, voter: account(6) };
    chain.refuses(account(6), NODES, &N::voteToAdmitCall { node, ballot: 1 }, &error);
}

#[test]
fn a_vote_counts_when_cast_and_is_measured_against_the_members_of_that_moment() {
    let mut chain = chain_of(5, 1);
    let node = candidate(&mut chain, 50);
    // Two of five, then one of the two goes: his vote was cast, and the four that are left need three.
    assert!(!admit(&mut chain, 1, node));
    assert!(!admit(&mut chain, 2, node));
    chain.send(account(1), NODES, &N::leaveRegistryCall {});
    assert!(admit(&mut chain, 3, node));
    // A member admitted this way votes at once, and is counted at once.
    let second = candidate(&mut chain, 51);
    for voter in [50, 2, 3] {
        assert!(!admit(&mut chain, voter, second));
    }
    assert!(admit(&mut chain, 4, second));
}

/// Three of five have voted, and the two who did not are gone: without a count anew nobody could ever decide.
#[test]
fn votes_that_suffice_after_members_left_are_counted_again() {
    let mut chain = chain_of(5, 1);
    let node = candidate(&mut chain, 50);
    for voter in 1..=3 {
        assert!(!admit(&mut chain, voter, node));
    }
    let call = N::voteToAdmitCall { node, ballot: 1 };
    chain.refuses(account(1), NODES, &call, &N::AlreadyVoted { node, ballot: 1, voter: account(1) });
    chain.send(account(4), NODES, &N::leaveRegistryCall {});
    let receipt = chain.send(account(1), NODES, &call);
    assert_eq!(receipt.events::<N::AdmissionVoted>()[0].votes, 3);
    assert_eq!(receipt.events::<N::NodeAdmitted>().len(), 1);
}

#[test]
fn no_member_goes_where_fewer_than_needed_would_be_left() {
    let mut chain = chain_of(4, 3);
    let receipt = chain.send(account(4), NODES, &N::leaveRegistryCall {});
    assert_eq!(receipt.only_event::<N::NodeLeft>(), N::NodeLeft { node: account(4), wasMember: true });
    let error = N::TooFewMembers { members: U256::from(3), needed: 3 };
    chain.refuses(account(1), NODES, &N::leaveRegistryCall {}, &error);
    assert!(!remove(&mut chain, 1, account(3)));
    assert!(!remove(&mut chain, 2, account(3)));
    let deciding = N::voteToRemoveCall { node: account(3), ballot: 1 };
    chain.refuses(account(3), NODES, &deciding, &error);
    assert_eq!(members(&mut chain), accounts(1..=3));
    // A candidate is nobody that the chain needs.
    let node = candidate(&mut chain, 50);
    chain.send(node, NODES, &N::leaveRegistryCall {});
    // One more member, and the same vote decides.
    let node = candidate(&mut chain, 51);
    for voter in 1..=3 {
        admit(&mut chain, voter, node);
    }
    assert!(remove(&mut chain, 3, account(3)));
}

#[test]
fn the_only_member_of_a_solo_chain_stays() {
    let mut chain = chain_of(1, 1);
    let error = N::TooFewMembers { members: U256::ONE, needed: 1 };
    chain.refuses(account(1), NODES, &N::leaveRegistryCall {}, &error);
    chain.refuses(account(1), NODES, &N::voteToRemoveCall { node: account(1), ballot: 1 }, &error);
}

#[test]
fn a_chain_has_at_most_100_members() {
    let mut chain = chain_of(100, 3);
    let node = candidate(&mut chain, 200);
    for voter in 1..=66 {
        assert!(!admit(&mut chain, voter, node));
    }
    let error = N::TooManyMembers { maximum: U256::from(100) };
    chain.refuses(account(67), NODES, &N::voteToAdmitCall { node, ballot: 1 }, &error);
    // One goes, and the vote that was refused decides.
    chain.send(account(100), NODES, &N::leaveRegistryCall {});
    assert!(admit(&mut chain, 67, node));
    assert_eq!(members(&mut chain), accounts((1..=99).chain([200])));
}

#[test]
fn the_member_list_stays_whole_when_members_go_from_any_place() {
    let mut chain = chain_of(6, 1);
    let mut left: Vec<u8> = (1..=6).collect();
    for leaver in [1, 6, 3, 2, 5] {
        chain.send(account(leaver), NODES, &N::leaveRegistryCall {});
        left.retain(|&n| n != leaver);
        assert_eq!(members(&mut chain), accounts(left.iter().copied()));
        let error = N::WrongStanding { node: account(leaver), standing: N::Standing::Former };
        chain.refuses(account(leaver), NODES, &N::leaveRegistryCall {}, &error);
    }
    let stranger = account(99);
    let error = N::WrongStanding { node: stranger, standing: N::Standing::Unknown };
    chain.refuses(stranger, NODES, &N::leaveRegistryCall {}, &error);
}
