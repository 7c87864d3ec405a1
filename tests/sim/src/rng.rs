//! Where all chance comes from: SplitMix64, a few lines that are the same on every machine.

/// A stream of numbers that follows from its seed.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.bits() % (high - low + 1)
    }

    /// Yes in so many of a thousand cases.
    pub fn in_thousand(&mut self, cases: u64) -> bool {
        self.bits() % 1_000 < cases
    }

    /// One of the places of a list of this length.
    pub fn place(&mut self, length: usize) -> usize {
        (self.bits() % length as u64) as usize
    }

    /// Some of the numbers below `length`, `count` of them.
    pub fn some_of(&mut self, length: usize, count: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..length).collect();
        (0..count).map(|_| all.swap_remove(self.place(all.len()))).collect()
    }
}
