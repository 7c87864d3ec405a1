//! The pool as rows of a store.

use super::*;
use crate::{mempool::SavedPool, state::LatestState};
use lucid_storage::{Reader, TableId};

#[test]
fn rows_follow_the_pool_and_give_it_back() {
    let chain = TestChain::new(Rules::Poot);
    let state = chain.store.snapshot().unwrap();
    let state = LatestState::new(&state);
    let mut pool = Mempool::new(PoolLimits::default());
    let raw = |signer, nonce| Tx::default().nonce(nonce).sign(signer).encoded_2718();
    let add = |pool: &mut Mempool, raw: &[u8]| {
        pool.add(Mempool::decode(raw, &chain.spec).unwrap(), &chain.spec, BASE_FEE, &state).unwrap()
    };
    let hashes = [add(&mut pool, &raw(1, 0)), add(&mut pool, &raw(1, 1)), add(&mut pool, &raw(2, 0))];

    let mut saved = SavedPool::default();
    let save = |saved: &mut SavedPool, pool: &Mempool| {
        let changes = saved.changes(pool);
        let mut batch = chain.store.begin().unwrap();
        changes.write(&mut batch);
        chain.store.commit(batch).unwrap();
        saved.committed(changes);
    };
    save(&mut saved, &pool);
    assert!(saved.changes(&pool).is_empty(), "nothing is written twice");
    pool.remove(&hashes[2]);
    save(&mut saved, &pool);
    assert_eq!(chain.store.snapshot().unwrap().raw_get(TableId::Mempool, hashes[2].as_slice()).unwrap(), None);

    let (loaded, raws) = SavedPool::load(&chain.store.snapshot().unwrap()).unwrap();
    let mut again = Mempool::new(PoolLimits::default());
    for raw in &raws {
        add(&mut again, raw);
    }
    assert_eq!(again.len(), 2);
    assert!(loaded.changes(&again).is_empty());
    let used = loaded.used([&hashes[0], &hashes[2]]);
    let mut batch = chain.store.begin().unwrap();
    used.write(&mut batch);
    chain.store.commit(batch).unwrap();
    let (_, left) = SavedPool::load(&chain.store.snapshot().unwrap()).unwrap();
    assert_eq!(left, [raw(1, 1)], "what a block has taken has no row; the rest has");
}
