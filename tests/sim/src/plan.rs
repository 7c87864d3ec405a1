//! What a seed decides beforehand: how many nodes, who attacks and how, and how bad things get.

use crate::{attackers::AttackerKind, links::Weather, rng::Rng};

/// The plan of a run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Nodes.
    pub nodes: usize,
    /// Who attacks: fewer than a third.
    pub attackers: Vec<(usize, AttackerKind)>,
    /// How far each node's clock is off, in milliseconds.
    pub skews_ms: Vec<i64>,
}

/// Fewest and most nodes.
const NODES: (u64, u64) = (4, 10);

/// Most nodes that are no validators at first.
const NEWCOMERS: u64 = 3;

/// Most that a clock is off, as a share of a slot: voters let a block pass in its slot and the next.
const SKEW_SHARE: u64 = 8;

impl Plan {
    /// How many nodes a seed has; drawn first, as the chain needs it.
    pub fn draw_nodes(rng: &mut Rng) -> usize {
        rng.between(NODES.0, NODES.1) as usize
    }

    /// How many of so many nodes are validators from the beginning, where others may come later.
    pub fn draw_founders(rng: &mut Rng, nodes: usize) -> usize {
        let newcomers = rng.between(0, NEWCOMERS) as usize;
        nodes.saturating_sub(newcomers).max(NODES.0 as usize)
    }

    /// The rest of the plan. With `only`, there are as many attackers among the founders as there can be, all of that kind.
    pub fn draw(rng: &mut Rng, (nodes, founders): (usize, usize), slot_ms: u64, only: Option<AttackerKind>) -> Self {
        let most = (founders - 1) / 3;
        let count = if only.is_some() { most } else { rng.between(0, most as u64) as usize };
        let who = rng.some_of(founders, count);
        let kind = |rng: &mut Rng| only.unwrap_or(AttackerKind::ALL[rng.place(AttackerKind::ALL.len())]);
        let attackers = who.into_iter().map(|i| (i, kind(rng))).collect();
        let most_skew = slot_ms / SKEW_SHARE;
        let skew = |rng: &mut Rng| rng.between(0, 2 * most_skew) as i64 - most_skew as i64;
        let skews_ms = (0..nodes).map(|_| skew(rng)).collect();
        Self { nodes, attackers, skews_ms }
    }

    /// Bad weather.
    pub(crate) fn draw_weather(rng: &mut Rng) -> Weather {
        let most = rng.between(50, 3_000);
        Weather { lost: rng.between(0, 300), doubled: rng.between(0, 200), delay_ms: (1, most) }
    }
}
