//! Whether the kernel holds its clock for synchronised.

use std::{io, mem, path::Path};

/// What systemd-timesyncd makes when it has set the clock, in a folder that is empty after a boot
/// (systemd-timesyncd.service(8)).
const TIMESYNCD_MARK: &str = "/run/systemd/timesync/synchronized";

/// Whether the clock is synchronised: as the kernel says (adjtimex(2), read only), whom time services tell it. A service
/// manager that keeps a program from setting the clock (`ProtectClock=`) keeps it from asking too; then systemd-timesyncd's
/// own mark counts.
///
/// # Errors
/// What the system says where it gives no answer.
pub fn clock_synchronised() -> io::Result<bool> {
    match ask_kernel() {
        Err(refused) if refused.kind() == io::ErrorKind::PermissionDenied => Path::new(TIMESYNCD_MARK).try_exists(),
        answer => answer,
    }
}

fn ask_kernel() -> io::Result<bool> {
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
