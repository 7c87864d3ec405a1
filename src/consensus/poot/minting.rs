//! What minting reads of the chain before a block: whose work counts, and how much is minted already.

use super::{error::PootError, mint::reward, registry::MemberList};
use crate::chain::{Mint, MintedWork, minted_work};
use alloy_consensus::ReceiptEnvelope;
use alloy_eips::eip4895::{Withdrawal, Withdrawals};
use alloy_primitives::{Address, U256};
use lucid_storage::{BlockWork, BlockchainState, Current, Direction, Reader};
use lucid_types::{ChainSpec, Rules};
use std::{collections::BTreeSet, ops::Bound};

/// Gwei in a LUCID: withdrawals have their amounts in Gwei (EIP-4895).
const LUCID_GWEI: u64 = 1_000_000_000;

/// What a block that one leader makes in one slot mints, by what it turns out to have in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minting {
    /// Accounts whose sessions and chunks count: operators of members, but for the leader's.
    operators: BTreeSet<Address>,
    leader: Address,
    /// The leader's registration number.
    number: u32,
    /// Members with a counted beacon in the epoch before.
    beacons: u64,
    base_mib: u64,
    /// What blocks before have minted, in wei.
    minted: U256,
    /// Withdrawals of blocks before.
    withdrawals: u64,
}

impl Minting {
    /// For a block after the head, made by `leader` in `slot`. Nothing is minted in `dev`, and for a leader who has left.
    ///
    /// # Errors
    ///
    /// A row is missing, or the store fails.
    pub fn read<R: Reader>(reader: &R, spec: &ChainSpec, leader: Address, slot: u64) -> Result<Self, PootError> {
        let members = MemberList::read(reader)?;
        let (Rules::Poot, Some(leads)) = (spec.rules, members.get(&leader)) else { return Ok(Self::nothing(leader)) };
        let missing = || PootError::Damaged { table: "blockchain_state", key: 0 };
        let head = reader.get::<BlockchainState>(&Current)?.ok_or_else(missing)?;
        let operators: BTreeSet<_> = members.iter().map(|(_, member)| member.operator).collect();
        Ok(Self {
            operators: operators.into_iter().filter(|operator| *operator != leads.operator).collect(),
            leader,
            number: leads.number,
            beacons: beacons_before(reader, spec, &members, slot)?,
            base_mib: spec.parameters.base_mb_per_session,
            minted: head.minted,
            withdrawals: head.withdrawal_count,
        })
    }

    /// Nobody's work counts.
    fn nothing(leader: Address) -> Self {
        let (operators, minted) = (BTreeSet::new(), U256::ZERO);
        Self { operators, leader, number: 0, beacons: 0, base_mib: 1, minted, withdrawals: 0 }
    }

    /// Whether what this account does in the block counts.
    pub(super) fn counts(&self, account: &Address) -> bool {
        self.operators.contains(account)
    }

    /// One withdrawal, or none.
    pub(super) fn paid_for(&self, work: MintedWork) -> Withdrawals {
        let amount = reward(work, self.beacons, self.base_mib, self.minted).saturating_mul(LUCID_GWEI);
        let withdrawal =
            Withdrawal { index: self.withdrawals, validator_index: self.number.into(), address: self.leader, amount };
        Withdrawals::new(if amount == 0 { Vec::new() } else { vec![withdrawal] })
    }
}

impl Mint for Minting {
    fn withdrawals(&self, receipts: &[ReceiptEnvelope]) -> Withdrawals {
        self.paid_for(minted_work(receipts, |account| self.counts(account)))
    }
}

/// Members with a counted beacon in blocks with slots of the epoch's length before the epoch of `slot`.
fn beacons_before<R: Reader>(reader: &R, spec: &ChainSpec, members: &MemberList, slot: u64) -> Result<u64, PootError> {
    let params = &spec.parameters;
    let end = params.epoch_start(params.epoch_of(slot));
    let first = end.saturating_sub(params.epoch_slots);
    let mut nodes = BTreeSet::new();
    for row in reader.range::<BlockWork>(Bound::Unbounded, Bound::Unbounded, Direction::Reverse)? {
        let (_, block) = row?;
        if block.slot < first {
            break;
        }
        if block.slot < end {
            let proven = block.work.iter().filter(|work| work.beacons > 0 && members.get(&work.node).is_some());
            nodes.extend(proven.map(|work| work.node));
        }
    }
    Ok(nodes.len() as u64)
}
