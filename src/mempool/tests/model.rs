//! The pool agrees with itself under any order of events.

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Add {
        signer: u8,
        nonce: u64,
        gwei: u128,
        bytes: usize,
    },
    /// A block takes the best ones.
    Block(usize),
    Remove(usize),
    Spend(u8, u128),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (2..7u8, 0..8u64, 0..12u128, prop_oneof![Just(0usize), Just(300), Just(900)])
            .prop_map(|(signer, nonce, gwei, bytes)| Step::Add { signer, nonce, gwei, bytes }),
        1 => (0..5usize).prop_map(Step::Block),
        1 => (0..8usize).prop_map(Step::Remove),
        1 => (2..7u8, prop_oneof![Just(0), Just(GWEI * 5_000_000), Just(BALANCE)]).prop_map(|(n, b)| Step::Spend(n, b)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_pool_agrees_with_itself_whatever_happens(steps in prop::collection::vec(step(), 1..80)) {
        let limits = PoolLimits { transactions: 10, bytes: 4_000, sender_transactions: 4 };
        let mut fixture = Fixture::with_limits(limits);
        for step in steps {
            match step {
                Step::Add { signer, nonce, gwei, bytes } => {
                    let tx = Tx { gas_limit: 60_000, input: vec![0; bytes].into(), ..tip(gwei) };
                    let added = fixture.add(&tx.nonce(nonce).sign(signer));
                    if let Ok(hash) = added {
                        prop_assert!(fixture.pool.get(&hash).is_some(), "taken and not there");
                    }
                }
                Step::Block(most) => {
                    for (signer, nonce) in order(&fixture.pool.best(BASE_FEE, most)) {
                        fixture.accounts.set(signer, nonce + 1, BALANCE);
                    }
                    fixture.update();
                }
                Step::Remove(place) => {
                    let best = fixture.pool.best(0, usize::MAX);
                    if let Some(transaction) = best.get(place) {
                        fixture.pool.remove(transaction.tx_hash());
                        fixture.pool.assert_consistent();
                    }
                }
                Step::Spend(signer, balance) => {
                    let nonce = fixture.accounts.records[&account(signer)].nonce;
                    fixture.accounts.set(signer, nonce, balance);
                }
            }
            let best = fixture.best();
            let mut next: BTreeMap<_, _> =
                (2..10).map(|n| (n, fixture.accounts.records[&account(n)].nonce)).collect();
            for (signer, nonce) in &best {
                let next = next.get_mut(signer).unwrap();
                prop_assert_eq!(nonce, &*next, "a gap in {:?}", &best);
                *next += 1;
            }
            prop_assert_eq!(fixture.pool.has_ready(BASE_FEE), !best.is_empty());
            let unique: BTreeSet<_> = best.iter().collect();
            prop_assert_eq!(unique.len(), best.len());
        }
    }
}
