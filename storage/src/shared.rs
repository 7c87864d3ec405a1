//! Writers that wait at the same time share one commit: a sync takes as long for one row as for many.

use crate::{Batch, Store, error::StoreError};
use std::{
    collections::BTreeMap,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

/// Most writers that share one commit, so that the first of them does not wait for ever longer.
pub const MAX_SHARED_WRITERS: usize = 64;

/// Longest time that the last writer waits for those who shared the commit before: they have heard of it just now, and
/// may come again. It is at most half of what that commit took, too.
const MAX_LINGER: Duration = Duration::from_millis(5);

/// A store whose writers share commits. Nobody else may commit to it.
///
/// A writer makes its change to a batch that is open; while another one is on its way it leaves the commit to it, and
/// waits. The last one commits for all. One whose change fails takes nothing of the others with it.
pub struct SharedCommits {
    store: Store,
    state: Mutex<State>,
    ended: Condvar,
    /// A writer has come while one lingers.
    came: Condvar,
    /// Writers that are on their way to the batch.
    coming: AtomicUsize,
}

#[derive(Default)]
struct State {
    /// What is open; none where nobody waits.
    batch: Option<Batch>,
    /// Number of the commit that the batch will be.
    commit: u64,
    /// Writers whose changes are in the batch, and who wait.
    waiting: usize,
    /// Whether a writer waits for others before it commits.
    lingers: bool,
    /// How many shared the last commit, and how long it took.
    last: (usize, Duration),
    /// Commits that some of their writers have not heard of.
    outcomes: BTreeMap<u64, Outcome>,
}

struct Outcome {
    error: Option<StoreError>,
    /// Writers that have not heard of it.
    unheard: usize,
}

impl SharedCommits {
    /// Has the writers of a store share commits.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            state: Mutex::default(),
            ended: Condvar::new(),
            came: Condvar::new(),
            coming: AtomicUsize::new(0),
        }
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Makes a change, which is on disk when this returns. Reads through the batch see what others have put into it.
    ///
    /// # Errors
    ///
    /// What `change` says, of which then nothing is written; or what [`Store::commit`] says, and then nothing is written
    /// of any change in the same commit.
    pub fn write<T, E: From<StoreError>>(&self, change: impl FnOnce(&mut Batch) -> Result<T, E>) -> Result<T, E> {
        self.coming.fetch_add(1, SeqCst);
        let mut state = self.lock();
        self.coming.fetch_sub(1, SeqCst);
        let mut batch = match state.batch.take() {
            Some(batch) => batch,
            None => self.store.begin()?,
        };
        let changed = batch.attempt(change);
        state.batch = Some(batch);
        let is_in = changed.is_ok();
        let is_last = self.coming.load(SeqCst) == 0 || state.waiting + 1 >= MAX_SHARED_WRITERS;
        if state.lingers {
            self.came.notify_one();
        } else if is_last {
            if is_in {
                state = self.linger(state);
            }
            let error = self.commit(&mut state, is_in);
            return match error {
                Some(error) if is_in => Err(error.into()),
                _ => changed,
            };
        }
        if is_in {
            self.wait(state)?;
        }
        changed
    }

    /// Waits a moment for those who shared the last commit; not where nobody else did.
    fn linger<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let (shared, took) = state.last;
        state.lingers = true;
        let is_short = |state: &mut State| state.waiting + 1 < shared.min(MAX_SHARED_WRITERS);
        let (mut state, _) = self
            .came
            .wait_timeout_while(state, MAX_LINGER.min(took / 2), is_short)
            .unwrap_or_else(PoisonError::into_inner);
        state.lingers = false;
        state
    }

    /// Commits what is open. Gives the error for the writer that does it, where it has part in it.
    fn commit(&self, state: &mut State, is_in: bool) -> Option<StoreError> {
        let (batch, unheard) = (state.batch.take()?, std::mem::take(&mut state.waiting));
        if unheard == 0 && !is_in {
            return None;
        }
        let began = Instant::now();
        let error = self.store.commit(batch).err();
        state.last = (unheard + usize::from(is_in), began.elapsed());
        if unheard > 0 {
            let outcome = Outcome { error: error.as_ref().map(StoreError::shared), unheard };
            state.outcomes.insert(state.commit, outcome);
            self.ended.notify_all();
        }
        state.commit += 1;
        error
    }

    /// Waits until the batch that is open is committed.
    fn wait(&self, mut state: MutexGuard<'_, State>) -> Result<(), StoreError> {
        let commit = state.commit;
        state.waiting += 1;
        let mut state = self
            .ended
            .wait_while(state, |state| !state.outcomes.contains_key(&commit))
            .unwrap_or_else(PoisonError::into_inner);
        let Some(outcome) = state.outcomes.get_mut(&commit) else { return Ok(()) };
        outcome.unheard -= 1;
        let error = outcome.error.as_ref().map(StoreError::shared);
        if outcome.unheard == 0 {
            state.outcomes.remove(&commit);
        }
        error.map_or(Ok(()), Err)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ChainParams, Meta, Options, ParamRecord, Reader, samples::hash};
    use std::{sync::Arc, thread};

    fn shared() -> (tempfile::TempDir, Arc<SharedCommits>) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path().join("s"), &Meta::new(vec![], hash(0)), &Options::default()).unwrap();
        (folder, Arc::new(SharedCommits::new(store)))
    }

    fn put(batch: &mut Batch, key: &str) -> Result<(), StoreError> {
        batch.put::<ChainParams>(&key.to_owned(), &ParamRecord { value: key.to_owned() })
    }

    #[derive(Debug, thiserror::Error)]
    enum Refused {
        #[error("refused")]
        Refused,
        #[error(transparent)]
        Store(#[from] StoreError),
    }

    /// Sixteen writers at once, one in four of which fails after it has written: what was answered as done is there,
    /// nothing of what failed is, and at most one sync was made for eight documents.
    #[test]
    fn writers_at_the_same_time_share_commits_and_one_that_fails_takes_nothing_along() {
        const WRITERS: usize = 16;
        const WRITES: usize = 64;
        let (_folder, shared) = shared();
        let before = shared.store().stats().unwrap().syncs;
        let writer = |number: usize| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                for write in 0..WRITES {
                    let key = format!("{number}-{write}");
                    let fails = (number + write).is_multiple_of(4);
                    let written = shared.write(|batch| {
                        put(batch, &key)?;
                        if fails { Err(Refused::Refused) } else { Ok(()) }
                    });
                    assert_eq!(written.is_err(), fails);
                    let stored = shared.store().snapshot().unwrap().get::<ChainParams>(&key).unwrap();
                    assert_eq!(stored.is_none(), fails, "{key} once it is answered");
                }
            })
        };
        let writers: Vec<_> = (0..WRITERS).map(writer).collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        let documents = (WRITERS * WRITES * 3 / 4) as u64;
        let snapshot = shared.store().snapshot().unwrap();
        assert_eq!(snapshot.len(crate::TableId::ChainParams).unwrap(), documents);
        let syncs = shared.store().stats().unwrap().syncs - before;
        assert!(syncs * 8 <= documents, "{syncs} syncs for {documents} documents");
        assert!(shared.lock().outcomes.is_empty() && shared.lock().batch.is_none());
    }

    #[test]
    fn one_writer_alone_commits_at_once_and_one_that_fails_alone_writes_nothing() {
        let (_folder, shared) = shared();
        shared.write(|batch| put(batch, "a")).unwrap();
        assert_eq!(shared.store().stats().unwrap().commits, 1);
        let refused = shared.write(|batch| {
            put(batch, "b")?;
            Err::<(), _>(Refused::Refused)
        });
        assert!(matches!(refused, Err(Refused::Refused)));
        assert_eq!(shared.store().stats().unwrap().commits, 1);
        assert!(shared.store().snapshot().unwrap().get::<ChainParams>(&"b".to_owned()).unwrap().is_none());
        shared.write(|batch| put(batch, "c")).unwrap();
        assert_eq!(shared.store().stats().unwrap().commits, 2);
    }
}
