//! A block of 1000 transfers over 100,000 accounts, stage by stage.

use crate::world::{Shape, World};
use criterion::{BatchSize, Criterion, SamplingMode, Throughput};
use lucid_node::{
    chain::RecoveredBlock,
    evm::{self, BlockContext},
    state::{self, LatestState},
};
use std::time::{Duration, Instant};

pub(crate) fn benches(criterion: &mut Criterion) {
    for shape in Shape::ALL {
        benches_of(criterion, shape);
    }
}

fn benches_of(criterion: &mut Criterion, shape: Shape) {
    let name = |stage: &str| format!("{} n=1000 stage={stage}", shape.name());
    let mut world = World::new(false);
    let mut group = criterion.benchmark_group("chain::import");
    group.sample_size(20).sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(crate::world::TRANSFERS));
    let block = world.next_block(shape);
    let recovered = RecoveredBlock::recover(block.clone()).unwrap();
    group.bench_function(name("recover"), |bencher| {
        bencher.iter_batched(|| block.clone(), RecoveredBlock::recover, BatchSize::LargeInput);
    });
    let context =
        BlockContext { chain_id: world.spec.chain_id, header: &recovered.header, mint: &recovered.withdrawals };
    let execute = || {
        let batch = world.store.begin().unwrap();
        let state = LatestState::new(&batch);
        evm::execute(&context, &recovered.transactions, evm::World::new(&state, &batch)).unwrap()
    };
    group.bench_function(name("execute"), |bencher| bencher.iter(execute));
    let changes = execute().changes;
    let height = recovered.header.number;
    group.bench_function(name("trie"), |bencher| {
        let begin = || world.store.begin().unwrap();
        bencher.iter_batched_ref(begin, |batch| state::apply(batch, height, &changes), BatchSize::PerIteration);
    });
    group.bench_function(name("all"), |bencher| bencher.iter(|| world.import(&recovered)));
    // Each commit needs a block of its own, so the chain goes on.
    group.bench_function(name("commit"), |bencher| {
        bencher.iter_custom(|blocks| (0..blocks).map(|_| commit_next(&mut world, shape)).sum());
    });
    group.finish();
}

fn commit_next(world: &mut World, shape: Shape) -> Duration {
    let block = RecoveredBlock::recover(world.next_block(shape)).unwrap();
    let (batch, imported) = world.import(&block);
    let start = Instant::now();
    world.store.commit(batch).unwrap();
    let time = start.elapsed();
    world.advance(imported);
    time
}
