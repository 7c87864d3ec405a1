//! Steps one after the other, and what is done where one fails.

use super::{
    breaker::{Breaker, Next},
    step::{Export, draw},
    tell::Teller,
};
use crate::export::{ExportError, mongo::MongoError};
use lucid_rpc::ClientError;
use std::time::Duration;

/// What a node says while it stops, and while it has too much to do (docs/rpc.md).
const NODE_PASSING_CODES: [i32; 2] = [-32_603, -32_005];

/// How an export goes on after a step.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mode {
    /// It ends.
    Once,
    /// It looks for what is new after so long, for ever.
    Follow(Duration),
}

/// Exports. What may pass is tried again; what does not pass ends it.
pub(super) async fn work(export: &mut Export, mode: Mode, teller: &mut Teller) -> anyhow::Result<()> {
    let mut breaker = Breaker::new(matches!(mode, Mode::Follow(_)));
    loop {
        match (export.round(teller).await, mode) {
            (Ok(written), Mode::Once) => {
                teller.wrote(&written, true);
                return Ok(());
            }
            (Ok(written), Mode::Follow(interval)) => {
                teller.wrote(&written, false);
                if breaker.failures() > 0 {
                    teller.say("the export goes on");
                }
                breaker.succeeded();
                tokio::time::sleep(interval).await;
            }
            (Err(error), _) if is_passing(&error) => {
                export.forget();
                wait(&mut breaker, error, teller).await?;
            }
            (Err(error), _) => return Err(error),
        }
    }
}

async fn wait(breaker: &mut Breaker, error: anyhow::Error, teller: &Teller) -> anyhow::Result<()> {
    let mut random = [0; 4];
    draw(&mut random)?;
    let wait = match breaker.failed(u32::from_be_bytes(random)) {
        Next::Wait(wait) => {
            teller.say(&format!("{error}; tried again in {:.1} s", wait.as_secs_f64()));
            wait
        }
        Next::Pause(pause) => {
            let (times, secs) = (breaker.failures(), pause.as_secs());
            teller
                .say(&format!("{error}; after {times} failures in a row nothing is tried for {secs} s, and then once"));
            pause
        }
        Next::GiveUp => {
            let text = format!("{error}; after {} failures in a row this is given up", breaker.failures());
            return Err(error.context(text));
        }
    };
    tokio::time::sleep(wait).await;
    Ok(())
}

/// Whether an error may pass by itself: the server's, or the node's that is being started again.
fn is_passing(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| match cause.downcast_ref() {
        Some(ExportError::Server(error)) => error.is_passing(),
        _ => {
            cause.downcast_ref().is_some_and(MongoError::is_passing)
                || match cause.downcast_ref() {
                    Some(ClientError::Unreachable { .. } | ClientError::TimedOut { .. }) => true,
                    Some(ClientError::Fault { fault, .. }) => NODE_PASSING_CODES.contains(&fault.code),
                    _ => false,
                }
        }
    })
}
