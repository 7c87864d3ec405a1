//! Writers that wait at the same time share one commit: a sync takes as long for one row as for many.

use crate::{Batch, Snapshot, Store, error::StoreError};
use std::{
    collections::BTreeMap,
    mem,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

/// Most writers that share one commit, so that the first of them does not wait for ever longer.
pub const MAX_SHARED_WRITERS: usize = 64;

/// Longest time that the last writer waits for those who shared the commit before: they have heard of it just now, and
/// may come again. It is at most as long as that commit took, too: where they come, one is saved.
const MAX_LINGER: Duration = Duration::from_millis(5);

/// What commits have written to the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CommitCosts {
    /// Batches committed.
    pub commits: u64,
    /// Bytes written, those of commits that failed among them.
    pub bytes_written: u64,
    /// Times that the file was synced.
    pub syncs: u64,
}

/// What commits have written since the store was opened, by who made them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SharedCosts {
    /// Those of [`SharedCommits::write_now`], with what others had put into the batch by then.
    pub at_once: CommitCosts,
    /// The last of those.
    pub last_at_once: CommitCosts,
    /// Those of [`SharedCommits::write_log`], likewise.
    pub log: CommitCosts,
    /// The others.
    pub shared: CommitCosts,
}

/// Whose commit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Committer {
    AtOnce,
    Log,
    Shared,
}

/// A store whose writers share commits. Nobody else may commit to it.
///
/// A writer makes its change to a batch that is open; while another one is on its way it leaves the commit to it, and
/// waits. The last one commits for all. One whose change fails takes nothing of the others with it.
pub struct SharedCommits {
    store: Store,
    state: Mutex<State>,
    /// The store as it was told of last: what is on disk is not in it until all is done that has to come before.
    told: RwLock<Snapshot>,
    ended: Condvar,
    /// A writer has come while one lingers.
    came: Condvar,
    /// Writers that are on their way to the batch.
    coming: AtomicUsize,
    /// Locked for no longer than it takes to count, so that who looks does not wait for a commit.
    costs: Mutex<SharedCosts>,
}

#[derive(Default)]
struct State {
    /// What is open; none where nobody waits.
    batch: Option<Batch>,
    /// Number of the commit that the batch will be.
    commit: u64,
    /// Writers whose changes are in the batch, and who wait.
    waiting: usize,
    /// Whether one of them waits for others before it commits.
    lingers: bool,
    /// How many shared the last commit or came while it was under way, and how long it took.
    last: (usize, Duration),
    /// Commits that some of their writers have not heard of.
    outcomes: BTreeMap<u64, Outcome>,
    /// Something is on disk that must not be told of, so nothing is told any more.
    is_silent: bool,
}

impl SharedCosts {
    /// Counts what a commit has written.
    fn count(&mut self, committer: Committer, cost: CommitCosts) {
        let costs = match committer {
            Committer::AtOnce => &mut self.at_once,
            Committer::Log => &mut self.log,
            Committer::Shared => &mut self.shared,
        };
        costs.commits += cost.commits;
        costs.bytes_written += cost.bytes_written;
        costs.syncs += cost.syncs;
        if committer == Committer::AtOnce && cost.commits > 0 {
            self.last_at_once = cost;
        }
    }
}

impl State {
    /// The batch has come to an end, which those who wait are to hear of.
    fn end(&mut self, error: Option<StoreError>) {
        self.lingers = false;
        let unheard = mem::take(&mut self.waiting);
        if unheard > 0 {
            self.outcomes.insert(self.commit, Outcome { error, unheard });
        }
        self.commit += 1;
    }
}

struct Outcome {
    error: Option<StoreError>,
    /// Writers that have not heard of it.
    unheard: usize,
}

/// The batch while it is being changed. A change that panics may have made half of itself, so the batch goes with it.
struct Changing<'a> {
    shared: &'a SharedCommits,
    state: &'a mut State,
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.state.batch = None;
            self.state.end(Some(StoreError::Engine("a writer that shared the commit panicked".into())));
            self.shared.ended.notify_all();
        }
    }
}

impl SharedCommits {
    /// Has the writers of a store share commits.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub fn new(store: Store) -> Result<Self, StoreError> {
        Ok(Self {
            told: RwLock::new(store.snapshot()?),
            store,
            state: Mutex::default(),
            ended: Condvar::new(),
            came: Condvar::new(),
            coming: AtomicUsize::new(0),
            costs: Mutex::default(),
        })
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What commits have written since the store was opened.
    pub fn costs(&self) -> SharedCosts {
        *self.costs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store as it was told of last: with all that a writer was answered as done.
    pub fn snapshot(&self) -> Snapshot {
        self.told.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes a change, which is on disk when this returns. Reads through the batch see what others have put into it.
    ///
    /// # Errors
    ///
    /// What `change` says, of which then nothing is written; or what [`Store::commit`] says, and then nothing is written
    /// of any change in the same commit.
    pub fn write<T, E: From<StoreError>>(&self, change: impl FnOnce(&mut Batch) -> Result<T, E>) -> Result<T, E> {
        let mut state = self.enter();
        let value = self.change(&mut state, change)?;
        if state.lingers {
            self.came.notify_all();
        } else if self.is_last(&state) {
            self.linger(state)?;
            return Ok(value);
        }
        self.wait(state)?;
        Ok(value)
    }

    /// As [`SharedCommits::write`], without waiting for others, and with what has to be done between the commit and the
    /// first who reads of it. Where that fails, nothing is told from then on: what is on disk may not be known.
    ///
    /// # Errors
    ///
    /// As those of `write`, and what `before_told` says.
    pub fn write_now<T, E: From<StoreError>>(
        &self,
        change: impl FnOnce(&mut Batch) -> Result<T, E>,
        before_told: impl FnOnce(&T) -> Result<(), E>,
    ) -> Result<T, E> {
        let mut state = self.enter();
        let value = self.change(&mut state, change)?;
        self.commit(&mut state, Committer::AtOnce, || before_told(&value))?;
        Ok(value)
    }

    /// As [`SharedCommits::write`], without waiting for others, and counted apart: a log is flushed several times for each
    /// thing that comes of it.
    ///
    /// # Errors
    ///
    /// As those of `write`.
    pub fn write_log<T, E: From<StoreError>>(&self, change: impl FnOnce(&mut Batch) -> Result<T, E>) -> Result<T, E> {
        let mut state = self.enter();
        let value = self.change(&mut state, change)?;
        self.commit(&mut state, Committer::Log, || Ok::<_, E>(()))?;
        Ok(value)
    }

    /// Does something while nobody writes. What is read from then on is read from the store as it is afterwards.
    ///
    /// # Errors
    ///
    /// What `work` says; the store cannot be read.
    pub fn hold<T, E: From<StoreError>>(&self, work: impl FnOnce(&Store) -> Result<T, E>) -> Result<T, E> {
        let state = self.lock();
        let done = work(&self.store);
        self.tell(&state)?;
        done
    }

    /// The lock, for one who is going to change the batch; until he has it, others leave their commit to him.
    fn enter(&self) -> MutexGuard<'_, State> {
        self.coming.fetch_add(1, SeqCst);
        let state = self.lock();
        self.coming.fetch_sub(1, SeqCst);
        state
    }

    /// Whether nobody else is on the way who could commit.
    fn is_last(&self, state: &State) -> bool {
        self.coming.load(SeqCst) == 0 || state.waiting + 1 >= MAX_SHARED_WRITERS
    }

    /// Makes all of a change or none of it. Where it fails, and those who wait have left their commit to it, it commits
    /// for them.
    fn change<T, E: From<StoreError>>(
        &self,
        state: &mut State,
        change: impl FnOnce(&mut Batch) -> Result<T, E>,
    ) -> Result<T, E> {
        let open = Changing { shared: self, state: &mut *state };
        let changed = match &mut open.state.batch {
            Some(batch) => batch.attempt(change),
            // Alone in it, a change that fails needs not be taken back: the batch is dropped.
            empty => {
                let mut batch = self.store.begin()?;
                let changed = change(&mut batch);
                *empty = changed.is_ok().then_some(batch);
                changed
            }
        };
        drop(open);
        if changed.is_err() && state.waiting > 0 && !state.lingers && self.is_last(state) {
            // They hear how it went; whose change failed has no part in it.
            let _ = self.commit(state, Committer::Shared, || Ok::<_, StoreError>(()));
        }
        changed
    }

    /// Waits a moment for those who wrote at the time of the last commit, where others did, and commits.
    fn linger(&self, mut state: MutexGuard<'_, State>) -> Result<(), StoreError> {
        let (shared, took) = state.last;
        if shared > 1 {
            let commit = state.commit;
            state.lingers = true;
            state.waiting += 1;
            let is_short = |state: &mut State| state.commit == commit && state.waiting < shared.min(MAX_SHARED_WRITERS);
            let waited = self.came.wait_timeout_while(state, MAX_LINGER.min(took), is_short);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if state.commit != commit {
                // Somebody who does not wait has committed meanwhile.
                return Self::hear(&mut state, commit);
            }
            state.lingers = false;
            state.waiting -= 1;
        }
        self.commit(&mut state, Committer::Shared, || Ok(()))
    }

    /// Commits what is open, for one who has part in it and for those who wait.
    fn commit<E: From<StoreError>>(
        &self,
        state: &mut State,
        committer: Committer,
        before_told: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(batch) = state.batch.take() else { return Ok(()) };
        let (began, before) = (Instant::now(), self.store.stats().unwrap_or_default());
        let committed = self.store.commit(batch).map(drop);
        let after = self.store.stats().unwrap_or_default();
        let cost = CommitCosts {
            commits: after.commits.saturating_sub(before.commits),
            bytes_written: after.bytes_written.saturating_sub(before.bytes_written),
            syncs: after.syncs.saturating_sub(before.syncs),
        };
        self.costs.lock().unwrap_or_else(PoisonError::into_inner).count(committer, cost);
        // Who came meanwhile has no part in it: together they are all who write at this time.
        state.last = (state.waiting + 1 + self.coming.load(SeqCst), began.elapsed());
        let mut done = Ok(());
        if committed.is_ok() {
            done = before_told();
            state.is_silent |= done.is_err();
        }
        // After a commit that failed too: the store may have been opened again, and what was told reads from before that.
        let told = self.tell(state);
        let outcome = committed.and(told);
        state.end(outcome.as_ref().err().map(StoreError::shared));
        self.ended.notify_all();
        outcome?;
        done
    }

    fn tell(&self, state: &State) -> Result<(), StoreError> {
        if !state.is_silent {
            let snapshot = self.store.snapshot()?;
            *self.told.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
        }
        Ok(())
    }

    /// Waits until the batch that is open is committed.
    fn wait(&self, mut state: MutexGuard<'_, State>) -> Result<(), StoreError> {
        let commit = state.commit;
        state.waiting += 1;
        let is_open = |state: &mut State| state.commit == commit;
        let mut state = self.ended.wait_while(state, is_open).unwrap_or_else(PoisonError::into_inner);
        Self::hear(&mut state, commit)
    }

    /// How a commit went that one has waited for.
    fn hear(state: &mut State, commit: u64) -> Result<(), StoreError> {
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
    use std::{
        sync::{Arc, Barrier},
        thread,
    };

    fn shared() -> (tempfile::TempDir, Arc<SharedCommits>) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path().join("s"), &Meta::new(vec![], hash(0)), &Options::default()).unwrap();
        (folder, Arc::new(SharedCommits::new(store).unwrap()))
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
    /// nothing of what failed is, and one sync was made for all who came while nobody could write.
    #[test]
    fn writers_at_the_same_time_share_commits_and_one_that_fails_takes_nothing_along() {
        const WRITERS: usize = 16;
        const WRITES: usize = 64;
        let (_folder, shared) = shared();
        let before = shared.store().stats().unwrap().syncs;
        let (done, go) = (Arc::new(Barrier::new(WRITERS + 1)), Arc::new(Barrier::new(WRITERS + 1)));
        let writer = |number: usize| {
            let (shared, done, go) = (Arc::clone(&shared), Arc::clone(&done), Arc::clone(&go));
            thread::spawn(move || {
                let write = |write: usize| {
                    let key = format!("{number}-{write}");
                    let fails = (number + write).is_multiple_of(4);
                    done.wait();
                    go.wait();
                    let written = shared.write(|batch| {
                        put(batch, &key)?;
                        if fails { Err(Refused::Refused) } else { Ok(()) }
                    });
                    let stored = shared.store().snapshot().and_then(|told| told.get::<ChainParams>(&key));
                    // What is wrong is told at the end, as the others wait for this one.
                    let as_answered = written.is_err() == fails && matches!(&stored, Ok(row) if row.is_none() == fails);
                    (!as_answered).then(|| format!("{key}: {written:?}, then {stored:?}"))
                };
                (0..WRITES).filter_map(write).collect::<Vec<_>>()
            })
        };
        let writers: Vec<_> = (0..WRITERS).map(writer).collect();
        for _ in 0..WRITES {
            done.wait();
            let all_come = |_: &Store| {
                go.wait();
                while shared.coming.load(SeqCst) < WRITERS {
                    thread::yield_now();
                }
                Ok::<_, StoreError>(())
            };
            shared.hold(all_come).unwrap();
        }
        let wrong: Vec<_> = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        let documents = (WRITERS * WRITES * 3 / 4) as u64;
        let snapshot = shared.store().snapshot().unwrap();
        assert_eq!(snapshot.len(crate::TableId::ChainParams).unwrap(), documents);
        let syncs = shared.store().stats().unwrap().syncs - before;
        assert!(syncs >= WRITES as u64 && syncs * 8 <= documents, "{syncs} syncs for {documents} documents");
        assert!(shared.lock().outcomes.is_empty() && shared.lock().batch.is_none());
    }

    /// Writers that wait, one that does not, and some that panic: each hears what became of its own change, and nobody
    /// waits for ever.
    #[test]
    fn what_is_written_at_once_takes_along_what_others_wait_for_and_a_panic_only_itself() {
        const WRITERS: usize = 6;
        const WRITES: usize = 60;
        let (_folder, shared) = shared();
        let writer = |number: usize| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                for write in 0..WRITES {
                    let key = format!("{number}-{write}");
                    let change = |batch: &mut Batch| put(batch, &key);
                    let written = if number == 0 {
                        shared.write_now(change, |()| {
                            let told = shared.snapshot().get::<ChainParams>(&key).unwrap();
                            assert!(told.is_none(), "{key} is told of before it may be");
                            Ok(())
                        })
                    } else if number == 1 && write.is_multiple_of(8) {
                        let panicking = || shared.write::<(), StoreError>(|_| std::panic::resume_unwind(Box::new(())));
                        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panicking)).is_err());
                        continue;
                    } else {
                        shared.write(change)
                    };
                    let told = shared.snapshot().get::<ChainParams>(&key).unwrap();
                    assert_eq!(told.is_some(), written.is_ok(), "{key}: {written:?}");
                    if let Err(error) = written {
                        assert!(error.to_string().contains("panicked"), "{error}");
                    }
                }
            })
        };
        let writers: Vec<_> = (0..WRITERS).map(writer).collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        let state = shared.lock();
        assert!(state.outcomes.is_empty() && state.batch.is_none() && state.waiting == 0 && !state.lingers);
    }

    /// Nobody else commits, so what the commits have cost is what went to the file.
    #[test]
    fn what_each_kind_of_commit_has_written_is_counted_at_the_file() {
        let (_folder, shared) = shared();
        let before = shared.store().stats().unwrap();
        shared.write(|batch| put(batch, "a")).unwrap();
        shared.write_now(|batch| put(batch, "b"), |()| Ok(())).unwrap();
        let first = shared.costs();
        assert_eq!((first.at_once, first.at_once.commits, first.shared.commits), (first.last_at_once, 1, 1));
        shared.write_now(|batch| put(batch, "c"), |()| Ok(())).unwrap();
        for entry in ["e", "f", "g"] {
            shared.write_log(|batch| put(batch, entry)).unwrap();
        }
        let refused = shared.write(|batch| {
            put(batch, "d")?;
            Err::<(), _>(Refused::Refused)
        });
        assert!(refused.is_err());
        let (costs, after) = (shared.costs(), shared.store().stats().unwrap());
        assert_eq!((costs.at_once.commits, costs.last_at_once.commits, costs.shared), (2, 1, first.shared));
        assert!(costs.last_at_once.bytes_written > 0 && costs.last_at_once.syncs == 1, "{costs:?}");
        assert!(costs.log.commits == 3 && costs.log.syncs == 3 && costs.log.bytes_written > 0, "{costs:?}");
        let sum = |of: fn(&CommitCosts) -> u64| [costs.at_once, costs.log, costs.shared].iter().map(of).sum::<u64>();
        assert_eq!(sum(|costs| costs.bytes_written), after.bytes_written - before.bytes_written);
        assert_eq!(sum(|costs| costs.syncs), after.syncs - before.syncs);
    }

    #[test]
    fn what_may_not_be_told_of_is_never_told_of() {
        let (_folder, shared) = shared();
        let failed = shared.write_now(|batch| put(batch, "a"), |()| Err(StoreError::Engine("not signed".into())));
        assert!(failed.is_err());
        shared.write(|batch| put(batch, "b")).unwrap();
        let told = shared.snapshot();
        assert!(!told.contains::<ChainParams>(&"a".to_owned()).unwrap());
        assert!(!told.contains::<ChainParams>(&"b".to_owned()).unwrap(), "it lies above what is not told of");
        let stored = shared.store().snapshot().unwrap();
        assert!(stored.contains::<ChainParams>(&"a".to_owned()).unwrap());
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
