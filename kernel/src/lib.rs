//! What is asked of the kernel and of the C library and that no safe interface asks: whether the clock is synchronised,
//! and how many pools malloc may keep. It is the one place with unsafe code.

mod clock;
mod memory;

pub use clock::clock_synchronised;
pub use memory::limit_malloc_arenas;
