//! The VRF that a leader draws with and that every node checks.

use criterion::Criterion;
use lucid_node::{
    consensus::poot::{vrf_alpha, vrf_prove, vrf_verify},
    keys::SecretKey,
};

pub(crate) fn benches(criterion: &mut Criterion) {
    let key = SecretKey::from_bytes(&[7; 32]).unwrap();
    let public_key = key.public_key_compressed();
    let alpha = vrf_alpha([9; 32].into(), 70_000);
    let (proof, _) = vrf_prove(&key, &alpha);
    let mut group = criterion.benchmark_group("consensus::vrf");
    group.bench_function("prove", |bencher| bencher.iter(|| vrf_prove(&key, &alpha)));
    group.bench_function("verify", |bencher| bencher.iter(|| vrf_verify(&public_key, &proof, &alpha).unwrap()));
    group.finish();
}
