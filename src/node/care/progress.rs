use lucid_storage::{Progress, StoreError};

/// How far long work on a store has come: the parts of it come one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepProgress {
    /// The part that is at work.
    pub step: &'static str,
    /// What of it is done.
    pub done: u64,
    /// What there is to do in it.
    pub total: u64,
}

/// Who is told how far the work has come. An error ends it with that error, such as [`StoreError::Stopped`].
pub type ReportStep<'a> = dyn FnMut(StepProgress) -> Result<(), StoreError> + 'a;

/// The progress of one part, told as part of the whole.
pub(super) fn within<'a>(
    step: &'static str,
    progress: &'a mut ReportStep<'_>,
) -> impl FnMut(Progress) -> Result<(), StoreError> + 'a {
    move |Progress { done, total }| progress(StepProgress { step, done, total })
}

/// Counts the rows of a part, and tells of them now and then.
pub(super) struct Counter<'a, 'b> {
    step: &'static str,
    done: u64,
    total: u64,
    progress: &'a mut ReportStep<'b>,
}

/// Rows between two reports of progress.
const PROGRESS_STEP_ROWS: u64 = 256;

impl<'a, 'b> Counter<'a, 'b> {
    pub(super) fn new(step: &'static str, total: u64, progress: &'a mut ReportStep<'b>) -> Self {
        Self { step, done: 0, total, progress }
    }

    pub(super) fn count(&mut self) -> Result<(), StoreError> {
        self.done += 1;
        if self.done.is_multiple_of(PROGRESS_STEP_ROWS) || self.done == self.total {
            (self.progress)(StepProgress { step: self.step, done: self.done, total: self.total })?;
        }
        Ok(())
    }
}
