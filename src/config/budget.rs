//! How much memory the node may take, and what of it goes to whom.
//!
//! On a Raspberry Pi the kernel bounds no service, so the node bounds itself: each of those who hold much at a time gets a
//! share. What the program takes anyway (code, threads, a block at work) comes first.

/// Memory that is there for whoever asks, in MiB.
const MAX_DEFAULT_MIB: u64 = 256;

/// Least budget, in MiB: the node starts and serves a light load.
pub(super) const MIN_BUDGET_MIB: u64 = 64;

/// What the program takes without any of its shares, in MiB.
const PROGRAM_MIB: u64 = 24;

/// Least and most memory for pages of the store, in MiB: with more than this, blocks were no faster.
const CACHE_MIB: (u64, u64) = (4, 26);

/// Most memory for transactions that wait, in MiB.
const MAX_POOL_MIB: u64 = 16;

/// Most memory for answers that nobody reads, in MiB, and most large requests at once.
const MAX_UNREAD_MIB: u64 = 64;
const MAX_LARGE_REQUESTS: u64 = 4;

/// What a large request takes while it is read, in MiB: it is held as text, as parameters and as bytes.
const LARGE_REQUEST_MIB: u64 = 48;

/// The shares of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// The whole, in bytes.
    pub total_bytes: u64,
    /// For pages of the store.
    pub cache_bytes: usize,
    /// For the bytes of transactions that wait.
    pub pool_bytes: usize,
    /// For answers that clients have not read.
    pub unread_answer_bytes: usize,
    /// Large requests that are taken in at once.
    pub large_requests: usize,
}

impl Budget {
    /// Shares out `budget_mib`, or, where nothing was said, a quarter of the machine's memory, at most 256 MiB.
    pub(super) fn new(budget_mib: Option<u64>, machine_bytes: Option<u64>) -> Self {
        let quarter = machine_bytes.map_or(MAX_DEFAULT_MIB, |bytes| (bytes >> 20) / 4);
        let total = budget_mib.unwrap_or(quarter.min(MAX_DEFAULT_MIB)).max(MIN_BUDGET_MIB);
        let rest = total - PROGRAM_MIB;
        let mib = |mib: u64| (mib << 20) as usize;
        Self {
            total_bytes: total << 20,
            cache_bytes: mib((rest / 8).clamp(CACHE_MIB.0, CACHE_MIB.1)),
            // Three times its bytes are held for each transaction: as it came, as it is read, and what orders it.
            pool_bytes: mib((rest / 14).clamp(1, MAX_POOL_MIB)),
            unread_answer_bytes: mib((rest / 4).clamp(1, MAX_UNREAD_MIB)),
            large_requests: (rest / LARGE_REQUEST_MIB).clamp(1, MAX_LARGE_REQUESTS) as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(budget_mib: u64) -> [usize; 4] {
        let budget = Budget::new(Some(budget_mib), None);
        let Budget { cache_bytes, pool_bytes, unread_answer_bytes, large_requests, .. } = budget;
        [cache_bytes >> 20, pool_bytes >> 20, unread_answer_bytes >> 20, large_requests]
    }

    #[test]
    fn what_is_shared_out_grows_with_the_budget_up_to_what_is_of_use() {
        assert_eq!(shares(64), [5, 2, 10, 1]);
        assert_eq!(shares(128), [13, 7, 26, 2]);
        assert_eq!(shares(256), [26, 16, 58, 4]);
        assert_eq!(shares(4096), [26, 16, 64, 4]);
    }

    #[test]
    fn a_machine_gives_a_quarter_of_its_memory_and_never_more_than_is_of_use() {
        let mib = |machine_mib: u64| Budget::new(None, Some(machine_mib << 20)).total_bytes >> 20;
        assert_eq!(mib(128), 64, "below this it would not start");
        assert_eq!(mib(512), 128);
        assert_eq!(mib(1024), 256);
        assert_eq!(mib(16 << 10), 256);
        assert_eq!(Budget::new(None, None).total_bytes >> 20, 256);
    }
}
