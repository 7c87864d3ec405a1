//! How many pools the C library's allocator keeps.

/// Has malloc keep at most `arenas` pools of memory (mallopt(3), `M_ARENA_MAX`). Its own bound is eight for each core, and
/// what is free in one serves no thread of another: a node with a few dozen short-lived threads would hold many times
/// what it uses. Says whether it was taken; other C libraries have no such pools.
pub fn limit_malloc_arenas(arenas: u8) -> bool {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: it sets a number inside the allocator, which is made for being called from any thread.
        #[expect(unsafe_code, reason = "mallopt is a foreign function")]
        let taken = unsafe { libc::mallopt(libc::M_ARENA_MAX, arenas.into()) };
        taken == 1
    }
    #[cfg(not(target_env = "gnu"))]
    {
        let _ = arenas;
        false
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_allocator_takes_the_bound_where_it_has_one() {
        assert_eq!(super::limit_malloc_arenas(2), cfg!(target_env = "gnu"));
    }
}
