//! The wire between each two nodes: it loses, delays, doubles, and so reorders; and it may be cut.

use crate::rng::Rng;

/// How bad the wire is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Weather {
    /// Messages lost, in a thousand.
    pub(crate) lost: u64,
    /// Messages that come twice, in a thousand.
    pub(crate) doubled: u64,
    /// Least and most delay, in milliseconds.
    pub(crate) delay_ms: (u64, u64),
}

impl Weather {
    /// What a network is like when nothing is wrong.
    pub(crate) const FAIR: Self = Self { lost: 0, doubled: 0, delay_ms: (5, 120) };
}

/// All links.
#[derive(Debug)]
pub(crate) struct Links {
    weather: Weather,
    /// The group of each node: only nodes of one group hear each other.
    groups: Vec<u8>,
    /// Nodes whose links take several times as long.
    slow: Vec<bool>,
    /// Nodes that hear little of what they are told, and are heard well.
    deaf: Vec<bool>,
}

/// What a deaf node misses, in a thousand: it votes without having seen what the others saw.
const DEAF_MISSES: u64 = 700;

/// The group of a node that was cut off; at most one is at a time.
const ALONE: u8 = u8::MAX;

/// How much longer a slow node's messages take.
const SLOWDOWN: u64 = 5;

impl Links {
    pub(crate) fn new(nodes: usize) -> Self {
        Self { weather: Weather::FAIR, groups: vec![0; nodes], slow: vec![false; nodes], deaf: vec![false; nodes] }
    }

    /// Everybody hears everybody.
    pub(crate) fn heal(&mut self) {
        self.weather = Weather::FAIR;
        self.groups.fill(0);
        self.slow.fill(false);
        self.deaf.fill(false);
    }

    pub(crate) fn set_weather(&mut self, weather: Weather) {
        self.weather = weather;
    }

    /// The network falls into two or three parts.
    pub(crate) fn part(&mut self, rng: &mut Rng) {
        let parts = rng.between(2, 3);
        for group in &mut self.groups {
            *group = (rng.bits() % parts) as u8;
        }
    }

    /// Nobody hears this node, and it hears nobody.
    pub(crate) fn cut_off(&mut self, node: usize) {
        self.groups[node] = ALONE;
    }

    pub(crate) fn join(&mut self) {
        self.groups.fill(0);
    }

    pub(crate) fn deafen(&mut self, node: usize) {
        self.deaf[node] = true;
    }

    pub(crate) fn slow_down(&mut self, node: usize) {
        self.slow[node] = true;
    }

    /// After how many milliseconds a message arrives: once, twice, or never.
    pub(crate) fn arrivals(&self, rng: &mut Rng, from: usize, to: usize) -> Vec<u64> {
        let mut arrivals = Vec::new();
        if self.groups[from] != self.groups[to] || rng.in_thousand(self.weather.lost) {
            return arrivals;
        }
        if self.deaf[to] && rng.in_thousand(DEAF_MISSES) {
            return arrivals;
        }
        let slow = if self.slow[from] || self.slow[to] { SLOWDOWN } else { 1 };
        let (least, most) = self.weather.delay_ms;
        let copies = 1 + u64::from(rng.in_thousand(self.weather.doubled));
        for _ in 0..copies {
            arrivals.push(rng.between(least, most) * slow);
        }
        arrivals
    }
}
