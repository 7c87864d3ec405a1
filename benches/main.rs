//! What the program costs. `cargo bench --bench lucid [-- FILTER]` measures time; `cargo bench --bench lucid -- --cpu`
//! prints the processor time of each stage of a block, and `--cpu --grown` does so over a state that came about block by
//! block. docs/performance.md has the figures.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench fails by panicking")]

mod anchoring;
mod chain;
mod codec;
mod consensus;
mod cpu;
mod store;
mod world;

fn main() {
    // As the program does.
    let _ = lucid_kernel::share_one_heap();
    let asked = |flag: &str| std::env::args().any(|argument| argument == flag);
    if asked("--cpu") {
        cpu::report(asked("--grown"));
        return;
    }
    let mut criterion = criterion::Criterion::default().configure_from_args();
    codec::benches(&mut criterion);
    anchoring::benches(&mut criterion);
    consensus::benches(&mut criterion);
    store::benches(&mut criterion);
    chain::benches(&mut criterion);
    criterion.final_summary();
}
