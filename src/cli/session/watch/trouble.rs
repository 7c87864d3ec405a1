//! What keeps the watch from going on, though nothing is wrong with a recording: told when it changes, and once an hour.

use super::tell::News;
use lucid_rpc::ClientError;
use std::time::{Duration, Instant};

/// How often the same trouble is told again.
const TELL_AGAIN: Duration = Duration::from_secs(3_600);

/// The longest text that is kept; what a server answers may be of any length.
const MAX_TEXT_CHARS: usize = 1_000;

/// Codes that are about the one recording that was sent, and not about the node (docs/anchoring.md).
const OF_THE_RECORDING: [&str; 3] = ["LUCID_ERR_1001", "LUCID_ERR_6002", "LUCID_ERR_6004"];

/// The code for a session or a root that is anchored.
const ANCHORED: &str = "LUCID_ERR_6006";

/// Whose matter an error of the node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blame {
    /// The node has this session or this root.
    HasIt,
    /// It will never take this recording.
    Recording,
    /// It may take it another time: it is down, busy, full, cannot pay, or asks for another token.
    Node,
}

/// Whose matter an error is that `lucid_anchorSession` was answered with.
pub(super) fn blame(error: &ClientError) -> Blame {
    match error.fault().and_then(|fault| fault.lucid_code()) {
        Some(ANCHORED) => Blame::HasIt,
        Some(code) if OF_THE_RECORDING.contains(&code) => Blame::Recording,
        _ => Blame::Node,
    }
}

/// Waiting times that grow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) const fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first }
    }

    /// How long to wait this time.
    pub(super) fn take(&mut self) -> Duration {
        let wait = self.next;
        self.next = self.next.saturating_mul(2).min(self.most);
        wait
    }

    /// Whether it was waited since the last reset.
    pub(super) fn is_begun(&self) -> bool {
        self.next != self.first
    }

    pub(super) const fn reset(&mut self) {
        self.next = self.first;
    }
}

/// The trouble of the moment.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    text: Option<String>,
    told: Option<(String, Instant)>,
}

impl Trouble {
    /// What there is to tell now that `text` is the trouble, or none is.
    pub(super) fn note(&mut self, text: Option<String>, now: Instant) -> Option<News> {
        let text = text.map(|text| text.chars().take(MAX_TEXT_CHARS).collect::<String>());
        self.text.clone_from(&text);
        let Some(text) = text else { return self.told.take().map(|_| News::GoesOn) };
        // Numbers apart: a disk that fills and a clock that goes are no news.
        let kind = text.replace(|c: char| c.is_ascii_digit(), "");
        if self.told.as_ref().is_some_and(|(told, at)| *told == kind && now.duration_since(*at) < TELL_AGAIN) {
            return None;
        }
        self.told = Some((kind, now));
        Some(News::Waits { reason: text })
    }

    /// What it is.
    pub(super) fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lucid_rpc::RpcFault;

    #[test]
    fn trouble_is_told_when_it_changes_and_once_an_hour() {
        let (mut trouble, now) = (Trouble::default(), Instant::now());
        let mut note =
            |text: Option<&str>, secs| trouble.note(text.map(str::to_owned), now + Duration::from_secs(secs));
        assert_eq!(note(None, 0), None);
        assert_eq!(note(Some("12 MiB left"), 0), Some(News::Waits { reason: "12 MiB left".to_owned() }));
        assert_eq!(note(Some("11 MiB left"), 10), None);
        assert!(note(Some("the node is down"), 20).is_some());
        assert_eq!(note(Some("the node is down"), 3_619), None);
        assert!(note(Some("the node is down"), 3_620).is_some());
        assert_eq!(note(None, 4_000), Some(News::GoesOn));
        assert_eq!(note(None, 4_010), None);
    }

    #[test]
    fn waiting_times_double_up_to_a_bound() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(100), ms(500));
        assert_eq!([0; 5].map(|_| backoff.take()), [100, 200, 400, 500, 500].map(ms));
        backoff.reset();
        assert_eq!(backoff.take(), ms(100));
    }

    #[test]
    fn only_what_can_never_be_taken_is_the_recordings_fault() {
        let fault = |code: &str| ClientError::Fault {
            method: String::new(),
            fault: RpcFault { code: -32000, message: String::new(), data: Some(serde_json::json!({"code": code})) },
        };
        for (code, expected) in [
            ("LUCID_ERR_6006", Blame::HasIt),
            ("LUCID_ERR_6004", Blame::Recording),
            ("LUCID_ERR_1001", Blame::Recording),
            ("LUCID_ERR_6005", Blame::Node),
            ("LUCID_ERR_5004", Blame::Node),
            ("LUCID_ERR_2001", Blame::Node),
            ("LUCID_ERR_3001", Blame::Node),
        ] {
            assert_eq!(blame(&fault(code)), expected, "{code}");
        }
        let timed_out = ClientError::TimedOut { url: String::new(), method: String::new() };
        assert_eq!(blame(&timed_out), Blame::Node);
    }
}
