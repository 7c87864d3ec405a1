//! Processor time of a block's stages, as the operating system accounts it to the thread: what a busy machine or a
//! slow disk does not change. Waiting for the disk is not in it.

use crate::world::{Shape, World};
use lucid_node::{
    chain::RecoveredBlock,
    evm::{self, BlockContext},
    state::{self, LatestState},
};
use std::{
    thread,
    time::{Duration, Instant},
};

/// Blocks that are measured.
const BLOCKS: usize = 60;

/// Blocks before those: caches fill, and the store reaches its steady state.
const WARM_UP_BLOCKS: usize = 10;

/// Most processor time for trie and commit of a block together, in milliseconds.
const GOAL_MS: f64 = 45.0;

/// Processor time of this thread so far.
fn cpu_time() -> Duration {
    // The kernel brings the figure up to date when it schedules, and otherwise only at its ticks.
    thread::yield_now();
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(schedstat.split(' ').next().unwrap().parse().unwrap())
}

/// What a stage took, block by block, in milliseconds.
#[derive(Default)]
struct Stage {
    cpu: Vec<f64>,
    wall: Vec<f64>,
}

impl Stage {
    fn measure<T>(&mut self, run: impl FnOnce() -> T) -> T {
        let (cpu, wall) = (cpu_time(), Instant::now());
        let result = run();
        self.wall.push(wall.elapsed().as_secs_f64() * 1e3);
        self.cpu.push((cpu_time() - cpu).as_secs_f64() * 1e3);
        result
    }

    fn print(&self, name: &str) {
        let mut cpu = self.cpu.clone();
        cpu.sort_by(f64::total_cmp);
        let (least, most) = (cpu[0], cpu[cpu.len() - 1]);
        println!("{name:<28} {:>8.2} {least:>8.2} {most:>8.2} {:>10.2}", median(&cpu), median(&self.wall));
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

/// Runs blocks of 1000 transfers over 100,000 accounts, of each shape on a chain of its own, and prints what each stage
/// took.
pub(crate) fn report(grown: bool) {
    for shape in Shape::ALL {
        report_of(shape, grown);
    }
}

fn report_of(shape: Shape, grown: bool) {
    let mut world = World::new(grown);
    let [mut recover, mut execute, mut apply, mut import, mut commit] =
        [const { Vec::new() }; 5].map(|empty: Vec<f64>| Stage { cpu: empty.clone(), wall: empty });
    let written = |world: &World| world.store.stats().unwrap().bytes_written;
    let (mut bytes, mut accounts) = (0, 0);
    for turn in 0..WARM_UP_BLOCKS + BLOCKS {
        if turn == WARM_UP_BLOCKS {
            for stage in [&mut recover, &mut execute, &mut apply, &mut import, &mut commit] {
                *stage = Stage::default();
            }
            bytes = written(&world);
        }
        let block = world.next_block(shape);
        let block = recover.measure(|| RecoveredBlock::recover(block)).unwrap();
        {
            let mut batch = world.store.begin().unwrap();
            let context =
                BlockContext { chain_id: world.spec.chain_id, header: &block.header, mint: &block.withdrawals };
            let state = LatestState::new(&batch);
            let run = || evm::execute(&context, &block.transactions, evm::World::new(&state, &batch));
            let executed = execute.measure(run).unwrap();
            let height = block.header.number;
            accounts = executed.changes.len();
            apply.measure(|| state::apply(&mut batch, height, &executed.changes)).unwrap();
        }
        let (batch, imported) = import.measure(|| world.import(&block));
        commit.measure(|| world.store.commit(batch)).unwrap();
        world.advance(imported);
    }
    println!(
        "shape={}: {BLOCKS} blocks of 1000 transfers, {accounts} of 100,000 accounts change; milliseconds",
        shape.name()
    );
    println!("{:<28} {:>8} {:>8} {:>8} {:>10}", "stage", "CPU", "least", "most", "wall");
    recover.print("recover (calling thread)");
    execute.print("execute");
    apply.print("state::apply");
    import.print("import, all of it");
    commit.print("Store::commit");
    let both: Vec<_> = apply.cpu.iter().zip(&commit.cpu).map(|(apply, commit)| apply + commit).collect();
    let both = Stage { cpu: both, wall: apply.wall.iter().zip(&commit.wall).map(|(a, c)| a + c).collect() };
    both.print("state::apply + Store::commit");
    println!("written per block: {} KiB", (written(&world) - bytes) / BLOCKS as u64 / 1024);
    println!("file: {} KiB", world.store.stats().unwrap().file_bytes / 1024);
    let met = if median(&both.cpu) <= GOAL_MS { "met" } else { "missed" };
    println!("goal of {GOAL_MS} ms for trie and commit: {met}\n");
}
