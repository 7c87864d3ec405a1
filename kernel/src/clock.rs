//! Whether the kernel holds its clock for synchronised.

use std::{io, mem};

/// Whether the kernel says that its clock is synchronised (adjtimex(2), read only). Time services tell it so.
///
/// # Errors
/// What the system says where it gives no answer, as in a container that may not ask.
pub fn clock_synchronised() -> io::Result<bool> {
    #[expect(unsafe_code, reason = "adjtimex is a foreign function")]
    let state = {
        // SAFETY: a C struct of integers, for which zeros are valid; with `modes` zero nothing is set.
        let mut timex: libc::timex = unsafe { mem::zeroed() };
        // SAFETY: the pointer is to a live `timex`, which the call fills and does not keep.
        unsafe { libc::adjtimex(&raw mut timex) }
    };
    match state {
        -1 => Err(io::Error::last_os_error()),
        state => Ok(state != libc::TIME_ERROR),
    }
}

#[cfg(test)]
mod tests {
    use super::clock_synchronised;

    /// Which answer it is depends on the machine; that it is the same twice says that nothing was set.
    #[test]
    fn asking_changes_nothing() {
        let answers = [clock_synchronised(), clock_synchronised()].map(|answer| answer.map_err(|error| error.kind()));
        assert_eq!(answers[0], answers[1]);
    }
}
