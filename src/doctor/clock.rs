use super::{Finding, Problem, Subject};

/// The clock. By one that nobody keeps a node makes no blocks.
pub(super) fn clock(subject: &Subject) -> Finding {
    match subject.clock_synchronised {
        true => Finding::good("clock", "synchronised, as the kernel says"),
        false => Finding::problem(
            "clock",
            Problem::ClockUnsynchronised,
            "not synchronised, as the kernel says; a node makes no blocks by it",
        ),
    }
}
