use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// How often a bar moves by itself.
const TICK: Duration = Duration::from_millis(200);

/// A progress bar on standard error with an estimate, one part of the work after the other; gone when dropped. Where
/// nobody looks at a terminal it shows nothing.
pub(in crate::cli) struct Bar {
    bar: ProgressBar,
    step: String,
}

impl Bar {
    /// A bar that shows nothing yet.
    pub(in crate::cli) fn new() -> Self {
        Self { bar: ProgressBar::no_length(), step: String::new() }
    }

    /// What has no length to show.
    pub(super) fn spinner(what: &'static str) -> Self {
        let bar = ProgressBar::new_spinner().with_message(what);
        bar.enable_steady_tick(TICK);
        Self { bar, step: String::new() }
    }

    /// Shows how far a part has come. Another part than before begins anew.
    pub(in crate::cli) fn show(&mut self, step: &str, done: u64, total: u64) {
        if self.step != step {
            step.clone_into(&mut self.step);
            self.bar.finish_and_clear();
            let template = "{msg:9} [{wide_bar}] {pos}/{len}, {eta} left";
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            self.bar = ProgressBar::new(total).with_style(style.progress_chars("=> ")).with_message(step.to_owned());
            self.bar.enable_steady_tick(TICK);
        }
        self.bar.set_length(total);
        self.bar.set_position(done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
