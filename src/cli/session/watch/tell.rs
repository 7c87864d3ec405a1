//! What the watch says: lines for a person at a terminal, for the journal, or for a program.

use crate::cli::app::printable;
use alloy_primitives::B256;
use indicatif::ProgressBar;
use lucid_types::SessionId;
use serde::Serialize;
use std::{
    fmt,
    io::{self, IsTerminal},
    sync::{Arc, Mutex, PoisonError},
};
use tracing::{info, warn};

/// Something that is worth a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum News {
    /// The node has a recording on its disk, and sees it through.
    Accepted {
        /// The recording's folder.
        folder: String,
        /// Its session.
        session_id: SessionId,
        /// Root over its chunks.
        merkle_root: B256,
    },
    /// A recording is anchored.
    Anchored {
        /// The recording's folder.
        folder: String,
        /// Its session.
        session_id: SessionId,
        /// Root over its chunks.
        merkle_root: B256,
        /// The transaction that registered it.
        transaction_hash: Option<B256>,
        /// Height of the block.
        block_number: Option<u64>,
    },
    /// A recording cannot be anchored as it is.
    Refused {
        /// The recording's folder.
        folder: String,
        /// Why.
        reason: String,
    },
    /// A recording is anchored, and its folder is no longer what was anchored.
    Changed {
        /// The recording's folder.
        folder: String,
        /// Its session.
        session_id: SessionId,
    },
    /// A recording is anchored on another chain than the node's, as others may be; all of these are left as they are.
    OtherChain {
        /// The recording's folder.
        folder: String,
        /// Its session.
        session_id: SessionId,
        /// The file of its note.
        note: String,
    },
    /// An anchored recording, or one under way, has to be anchored again.
    Again {
        /// The recording's folder.
        folder: String,
        /// Its session.
        session_id: SessionId,
        /// Why.
        reason: String,
    },
    /// Nothing can be anchored at the moment, or nothing becomes final.
    Waits {
        /// Why.
        reason: String,
    },
    /// What was in the way is gone.
    GoesOn,
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted { folder, session_id, .. } => {
                write!(f, "{folder}: the node has it as session {session_id}, and sees it through")
            }
            Self::Anchored { folder, session_id, block_number: Some(height), .. } => {
                write!(f, "{folder}: anchored as session {session_id} in block {height}")
            }
            Self::Anchored { folder, session_id, .. } => write!(f, "{folder}: anchored as session {session_id}"),
            Self::Refused { folder, reason } => write!(f, "{folder}: not anchored: {reason}"),
            Self::Changed { folder, session_id } => {
                write!(
                    f,
                    "{folder}: changed since it was anchored as session {session_id}; what changed is not anchored"
                )
            }
            Self::OtherChain { folder, session_id, note } => write!(
                f,
                "{folder}: anchored as session {session_id} on another chain than this node's, as others may be; \
                 they are left as they are; remove their notes (here {note}) to have them anchored on this one"
            ),
            Self::Again { folder, session_id, reason } => {
                write!(f, "{folder}: session {session_id} is anchored again: {reason}")
            }
            Self::Waits { reason } => write!(f, "waiting: {reason}"),
            Self::GoesOn => f.write_str("it goes on"),
        }
    }
}

impl News {
    const fn is_well(&self) -> bool {
        matches!(self, Self::Accepted { .. } | Self::Anchored { .. } | Self::GoesOn)
    }
}

/// Who says it, and how.
#[derive(Debug, Clone)]
pub(super) struct Teller {
    json: bool,
    at_terminal: bool,
    /// What is being read at the moment, for a person.
    bar: Arc<Mutex<Option<ProgressBar>>>,
}

impl Teller {
    pub(super) fn new(json: bool) -> Self {
        Self { json, at_terminal: io::stderr().is_terminal(), bar: Arc::default() }
    }

    /// Says it.
    pub(super) fn tell(&self, news: &News) {
        if self.json {
            // Its parts are texts and numbers, which have a JSON form.
            println!("{}", serde_json::to_string(news).unwrap_or_default());
            return;
        }
        self.write(&news.to_string(), news.is_well());
    }

    /// Says something to people only.
    pub(super) fn say(&self, text: &str) {
        if !self.json {
            self.write(text, true);
        }
    }

    fn write(&self, text: &str, is_well: bool) {
        let text = printable(text);
        if self.at_terminal {
            let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
            match &*bar {
                Some(bar) => bar.suspend(|| eprintln!("{text}")),
                None => eprintln!("{text}"),
            }
        } else if is_well {
            info!("{text}");
        } else {
            warn!("{text}");
        }
    }

    /// Shows this bar until the next, or none.
    pub(super) fn show(&self, bar: Option<ProgressBar>) {
        let before = std::mem::replace(&mut *self.bar.lock().unwrap_or_else(PoisonError::into_inner), bar);
        if let Some(before) = before {
            before.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_told_the_event_and_its_facts() {
        let news = News::Refused { folder: "a\"b".to_owned(), reason: "is empty".to_owned() };
        let line: serde_json::Value = serde_json::from_str(&serde_json::to_string(&news).unwrap()).unwrap();
        assert_eq!(line, serde_json::json!({"event": "refused", "folder": "a\"b", "reason": "is empty"}));
        assert_eq!(serde_json::to_string(&News::GoesOn).unwrap(), r#"{"event":"goes_on"}"#);
        assert_eq!(news.to_string(), "a\"b: not anchored: is empty");
    }
}
