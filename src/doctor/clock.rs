use super::{Finding, Problem, Subject, files::StoreLook};

/// The clock. By one that nobody keeps a node makes no blocks, unless it was told to or its chain has a clock of its own.
pub(super) fn clock(subject: &Subject, store: &StoreLook) -> Finding {
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
    Finding::problem(
        "clock",
        Problem::ClockUnsynchronised,
        "not synchronised, as the kernel says; a node makes no blocks by it",
    )
}

#[cfg(test)]
mod tests {
    use super::{
        super::running::{Running, tests::subject},
        *,
    };

    #[test]
    fn a_clock_that_nobody_keeps_is_a_problem_where_blocks_depend_on_it() {
        let judge = |clock_synchronised, running| {
            let subject = Subject { clock_synchronised, ..subject(running) };
            clock(&subject, &StoreLook::Absent).problem
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
}
