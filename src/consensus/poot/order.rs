//! The order of leaders for a height: who proposes in its first round, and who after whom is silent.
//!
//! First the entities of the epoch's tally that have not led for a while, best first; then those that led of late, the one
//! that rested longest first; then the validators that serve no entity, in a rotation of their own. Who is in the order is a
//! validator of the height, so the work decides who leads and never what is final.

use super::{
    credits::{after_misses, live_score},
    tally::tie_hash,
};
use alloy_primitives::Address;
use lucid_storage::{EpochRecord, RankedEntity, ScheduleReason, ScheduleResult, ScheduleRole};
use lucid_types::ValidatorSet;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// Entities after the first that a schedule names.
const FALLBACKS: usize = 5;

/// One entity's place in an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The entity.
    pub entity: Address,
    /// The validator that serves it, and leads.
    pub leader: Address,
    /// The group that it stands in.
    pub role: ScheduleRole,
}

/// What blocks say of leaders, as far as an order looks back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeaderHistory {
    /// How often each entity missed its turn in the epoch.
    pub misses: BTreeMap<Address, u32>,
    /// The last slot that each entity led, of those within the cooldown.
    pub led: BTreeMap<Address, u64>,
}

/// What an order is made of.
#[derive(Debug, Clone, Copy)]
pub struct OrderTerms<'a> {
    /// Height that the order is for.
    pub height: u64,
    /// Epoch of the block before, whose tally ranks.
    pub epoch: u64,
    /// That epoch; nothing before its first block.
    pub tally: Option<&'a EpochRecord>,
    /// What its blocks say of leaders.
    pub history: &'a LeaderHistory,
    /// Who votes on the height.
    pub set: &'a ValidatorSet,
}

/// Who leads a height, round by round. It has a place for every validator that serves itself or a pool, and so at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order(Vec<Place>);

impl Order {
    /// Makes the order.
    pub fn new(terms: &OrderTerms<'_>) -> Self {
        let ranked = terms.tally.map_or_else(Vec::new, |tally| rank(tally, terms));
        let (resting, rested): (Vec<_>, Vec<_>) =
            ranked.into_iter().partition(|ranked| terms.history.led.contains_key(&ranked.entity));
        let mut places = Vec::with_capacity(terms.set.members().len());
        for ranked in rested {
            let role = if places.is_empty() { ScheduleRole::Primary } else { ScheduleRole::Fallback };
            places.push(Place { entity: ranked.entity, leader: ranked.served_by, role });
        }
        // A slot has one block, so no two rested as long.
        let mut resting: Vec<_> =
            resting.into_iter().map(|ranked| (terms.history.led.get(&ranked.entity), ranked)).collect();
        resting.sort_by_key(|(led, _)| *led);
        let role = ScheduleRole::CooldownFallback;
        places.extend(resting.iter().map(|(_, ranked)| Place {
            entity: ranked.entity,
            leader: ranked.served_by,
            role,
        }));
        places.extend(tail(&places, terms));
        Self(places)
    }

    /// All places.
    pub fn places(&self) -> &[Place] {
        &self.0
    }

    /// The place whose turn a round is: after the last comes the first again.
    pub fn of_round(&self, round: u32) -> Place {
        self.0[round as usize % self.0.len()]
    }

    /// Entities whose turns were before a round, in the order of their turns, each once.
    pub fn before_round(&self, round: u32) -> impl Iterator<Item = Address> {
        self.0.iter().take(round as usize).map(|place| place.entity)
    }

    /// The first entity and the next five, as a schedule names them.
    pub fn named(&self) -> (Address, Vec<Address>) {
        let mut entities = self.0.iter().map(|place| place.entity);
        let primary = entities.next().unwrap_or_default();
        (primary, entities.take(FALLBACKS).collect())
    }

    /// What a block made in a round says of the order.
    pub fn result(&self, round: u32) -> ScheduleResult {
        let Place { entity, role, .. } = self.of_round(round);
        let reason = if round == 0 { ScheduleReason::Success } else { ScheduleReason::FallbackSuccess };
        ScheduleResult { winner: entity, reason, role }
    }
}

/// The entities that a validator of the height serves, best first, each set back by its misses.
fn rank(tally: &EpochRecord, terms: &OrderTerms<'_>) -> Vec<RankedEntity> {
    let served = tally.entities.iter().filter(|ranked| terms.set.get(&ranked.served_by).is_some());
    let mut ranked: Vec<_> = served.copied().collect();
    ranked.sort_by_cached_key(|ranked| {
        let misses = terms.history.misses.get(&ranked.entity).copied().unwrap_or_default();
        let score = after_misses(live_score(ranked.credits, ranked.uptime), misses);
        (Reverse(score), Reverse(ranked.credits), tie_hash(tally.seed, terms.epoch, ranked.entity))
    });
    ranked
}

/// The validators that serve no entity in `named`, by address, beginning at the place of the height among them.
fn tail(named: &[Place], terms: &OrderTerms<'_>) -> Vec<Place> {
    let serving: BTreeSet<_> = named.iter().map(|place| place.leader).collect();
    let left = terms.set.members().iter().map(|member| member.address).filter(|address| !serving.contains(address));
    let role = ScheduleRole::EmergencyFallback;
    let mut places: Vec<_> = left.map(|leader| Place { entity: leader, leader, role }).collect();
    if let Some(first) = terms.height.checked_rem(places.len() as u64) {
        // Below the number of places.
        places.rotate_left(first as usize);
    }
    places
}

#[cfg(test)]
mod tests;
