//! Whether somebody keeps the clock.

use super::{Finding, Machine, Problem, Subject, files::StoreLook};

/// The programs that set a clock over a network, where Debian has them: systemd-timesyncd, chrony, ntpsec and openntpd, and
/// linuxptp.
const TIME_SERVICES: [&str; 5] = [
    "/usr/lib/systemd/systemd-timesyncd",
    "/lib/systemd/systemd-timesyncd",
    "/usr/sbin/chronyd",
    "/usr/sbin/ntpd",
    "/usr/sbin/phc2sys",
];

/// The clock. By one that nobody keeps a node makes no blocks, unless it was told to or its chain has a clock of its own.
pub(super) fn clock(machine: &Machine, subject: &Subject, store: &StoreLook) -> Finding {
    let seals = subject.running.as_ref().is_some_and(|running| running.sealing_stop.is_none());
    let hidden = subject.running.as_ref().is_some_and(|running| !running.clock_synchronised);
    if subject.clock_synchronised && hidden && !seals && !store.is_dev() {
        let found = "synchronised, as the kernel says, which the node's service may not ask";
        return Finding::problem("clock", Problem::ClockHidden, found);
    }
    if subject.clock_synchronised {
        return Finding::good("clock", "synchronised, as the kernel says");
    }
    if seals || store.is_dev() {
        return Finding::good("clock", "not synchronised, as the kernel says; this node makes blocks all the same");
    }
    match TIME_SERVICES.iter().any(|program| machine.path(program).exists()) {
        true => Finding::problem(
            "clock",
            Problem::ClockUnsynchronised,
            "not synchronised, as the kernel says; a node makes no blocks by it",
        ),
        false => Finding::problem(
            "clock",
            Problem::NoTimeService,
            "not synchronised, and no time service is installed; a node makes no blocks by it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            machine::tests::machine,
            running::{Running, tests::subject},
        },
        *,
    };

    #[test]
    fn a_clock_that_nobody_keeps_is_a_problem_where_blocks_depend_on_it() {
        let (_root, timesyncd) = machine(&[("/usr/lib/systemd/systemd-timesyncd", "")]);
        let judge = |clock_synchronised, running| {
            let subject = Subject { clock_synchronised, ..subject(running) };
            clock(&timesyncd, &subject, &StoreLook::Absent).problem
        };
        let stopped = || Running { sealing_stop: Some("the clock".to_owned()), ..Running::default() };
        assert_eq!(judge(true, Some(stopped())), Some("clock-hidden"), "its service may not ask the kernel");
        assert_eq!(
            judge(true, Some(Running { clock_synchronised: true, ..stopped() })),
            None,
            "it stopped for another"
        );
        assert_eq!(judge(true, None), None);
        let judge = |running| judge(false, running);
        assert_eq!(judge(None), Some("clock-unsynchronised"));
        assert_eq!(judge(Some(Running::default())), None, "it seals by --accept-clock");
        assert_eq!(judge(Some(stopped())), Some("clock-unsynchronised"));
    }

    /// `timedatectl set-ntp true` fails there.
    #[test]
    fn where_nothing_could_set_the_clock_something_is_to_be_installed() {
        let subject = Subject { clock_synchronised: false, ..subject(None) };
        let judge = |files: &[(&str, &str)]| {
            let (_root, machine) = machine(files);
            clock(&machine, &subject, &StoreLook::Absent).problem
        };
        assert_eq!(judge(&[]), Some("no-time-service"));
        assert_eq!(judge(&[("/usr/sbin/chronyd", "")]), Some("clock-unsynchronised"));
    }
}
