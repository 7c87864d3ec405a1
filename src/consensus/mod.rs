//! Who proposes, who votes, and what is final.

pub mod poot;
