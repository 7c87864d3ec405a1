//! How the system's allocator keeps memory.

/// Pieces of memory of this size and more come from the system each by itself and go back to it when they are freed.
/// Fixed, as it otherwise rises with the largest piece that was freed, and then large ones stay in the heap.
#[cfg(target_env = "gnu")]
const MMAP_THRESHOLD_BYTES: libc::c_int = 128 * 1024;

/// So much of the end of the heap is kept when it is free: about half of what a full block takes and gives back, which else
/// would be asked of the system anew for each. With more, a burst of work would stand in memory for good.
#[cfg(target_env = "gnu")]
const TRIM_THRESHOLD_BYTES: libc::c_int = 4 * 1024 * 1024;

/// Has all threads share one heap. Each thread else gets one of its own, and what one of them frees is of no use to the
/// others: over many blocks memory grows to several times of what is in use. To be called before threads start.
///
/// Gives whether the allocator took the settings; one that is not glibc's has none of them.
pub fn share_one_heap() -> bool {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "mallopt is a foreign function")]
    // SAFETY: the calls set numbers of the allocator, before any other thread runs. Where they fail nothing changes.
    let taken = unsafe {
        [
            libc::mallopt(libc::M_ARENA_MAX, 1),
            libc::mallopt(libc::M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES),
            libc::mallopt(libc::M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES),
        ]
    };
    #[cfg(not(target_env = "gnu"))]
    let taken = [0];
    taken.iter().all(|taken| *taken == 1)
}

#[cfg(test)]
mod tests {
    use super::share_one_heap;

    #[test]
    fn the_settings_are_taken_and_threads_allocate_as_before() {
        assert_eq!(share_one_heap(), cfg!(target_env = "gnu"));
        let made: Vec<_> = (0..4).map(|n| std::thread::spawn(move || vec![n; 300_000])).collect();
        for (n, thread) in (0..).zip(made) {
            assert_eq!(thread.join().ok().and_then(|bytes: Vec<u8>| bytes.last().copied()), Some(n));
        }
    }
}
