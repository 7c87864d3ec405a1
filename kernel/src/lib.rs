//! Whether the kernel holds its clock for synchronised: the one question that no safe interface asks, and so the one
//! place with unsafe code.

mod clock;

pub use clock::clock_synchronised;
