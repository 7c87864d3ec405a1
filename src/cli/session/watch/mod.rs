//! `session watch`: a folder of recordings, each of which is anchored once it is finished.
//!
//! One look after the other goes through the folder (`look`) and finds what is finished (`finished`); each is read,
//! sent to the node (`anchor`) and followed until it is final (`follow`). What was done is kept in a small file for each
//! recording (`notes`), and held against what the node knows (`recheck`): the node decides, and it refuses to anchor a
//! root or a session twice. So a kill at any moment costs at most that a recording is read once more.

mod anchor;
mod finished;
mod follow;
mod life;
mod look;
mod memory;
mod notes;
mod read;
mod recheck;
mod report;
mod run;
mod tell;
mod trouble;
mod work;

pub(super) use run::{Args, run};
