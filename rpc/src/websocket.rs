//! A connection that has become a WebSocket. Every message takes one of a few turns before it is read and gives it back
//! when its answer is written, so a client that sends faster than it is answered, or does not read, waits on its own side.

use crate::{
    dispatch::{Asker, Dispatch},
    frames::{Ended, FrameReader, FrameWriter, Received},
    limits::{MAX_CALLS_PER_CONNECTION, MAX_REQUEST_BODY_BYTES, PING_INTERVAL_MS},
    links::Large,
    server::Stop,
};
use jsonrpsee::{
    MethodResponse,
    types::{Id, error::reject_too_big_request},
};
use serde_json::value::RawValue;
use soketto::base::OpCode;
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite, split},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at},
};

/// Why a WebSocket is closed, in the numbers of RFC 6455, section 7.4.1.
#[derive(Debug, Clone, Copy)]
enum Goodbye {
    /// The client said so first, or is gone.
    Normal = 1000,
    /// The node stops.
    GoingAway = 1001,
    /// The client broke the protocol.
    Protocol = 1002,
}

/// What is written to a client because of something that it sent.
enum Outgoing {
    /// An answer, and the turn of the message that it is for.
    Answer(Box<RawValue>, OwnedSemaphorePermit),
    Pong(Vec<u8>),
    Close(Goodbye),
}

/// Serves a WebSocket to its end; at a stop, to the end of the calls that are being answered. What the node sends by
/// itself comes through `news`.
pub(crate) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Send,
    dispatch: Dispatch,
    asker: Asker,
    news: mpsc::Receiver<Box<RawValue>>,
    stop: Stop,
) {
    let (input, output) = split(stream);
    let reader = FrameReader::new(input, Arc::clone(&asker.links), Arc::clone(&asker.link));
    // Room for every turn, so no answer waits for another to be written.
    let (out, outgoing) = mpsc::channel(MAX_CALLS_PER_CONNECTION);
    let sending = send(FrameWriter::new(output), outgoing, news);
    tokio::pin!(sending);
    let sent = tokio::select! {
        sent = &mut sending => sent,
        () = receive(reader, dispatch, asker, out, stop) => sending.await,
    };
    if let Err(error) = sent {
        tracing::debug!(%error, "a WebSocket ended");
    }
}

/// Takes in what a client sends, and has it answered.
async fn receive(
    mut reader: FrameReader<impl AsyncRead + Unpin>,
    dispatch: Dispatch,
    asker: Asker,
    out: mpsc::Sender<Outgoing>,
    mut stop: Stop,
) {
    let turns = Arc::new(Semaphore::new(MAX_CALLS_PER_CONNECTION));
    let mut calls = JoinSet::new();
    let goodbye = loop {
        // They are never closed.
        let Ok(turn) = Arc::clone(&turns).acquire_owned().await else { break Goodbye::Normal };
        while calls.try_join_next().is_some() {}
        let received = tokio::select! {
            biased;
            () = stop.stopped() => break Goodbye::GoingAway,
            received = reader.next() => received,
        };
        let passed = match received {
            Ok(Received::Message(message, large)) => {
                let alone = large.is_some();
                let answer = answer(dispatch.clone(), asker.clone(), message, large, turn, out.clone());
                // While a large message is answered its connection sends no other.
                if alone {
                    answer.await;
                } else {
                    calls.spawn(answer);
                }
                true
            }
            Ok(Received::TooLarge) => {
                let error = MethodResponse::error(Id::Null, reject_too_big_request(MAX_REQUEST_BODY_BYTES));
                out.send(Outgoing::Answer(error.into_json(), turn)).await.is_ok()
            }
            Ok(Received::Ping(bytes)) => out.send(Outgoing::Pong(bytes)).await.is_ok(),
            Ok(Received::Close) | Err(Ended::Io(_)) => break Goodbye::Normal,
            Err(Ended::Protocol(what)) => {
                tracing::debug!(what, "a WebSocket is closed");
                break Goodbye::Protocol;
            }
        };
        if !passed {
            return;
        }
    };
    if matches!(goodbye, Goodbye::GoingAway) {
        while calls.join_next().await.is_some() {}
    }
    // Whoever wrote may have ended already.
    let _ = out.send(Outgoing::Close(goodbye)).await;
}

/// Has one message answered, which keeps its turn until the answer is written.
async fn answer(
    dispatch: Dispatch,
    asker: Asker,
    message: Vec<u8>,
    large: Option<Large>,
    turn: OwnedSemaphorePermit,
    out: mpsc::Sender<Outgoing>,
) {
    if let Some(large) = &large {
        large.has_come();
    }
    let answer = dispatch.answer(&message, &asker).await;
    drop((message, large));
    if let Some(answer) = answer {
        let _ = out.send(Outgoing::Answer(answer, turn)).await;
    }
}

/// Writes what there is to write until it is time to close.
async fn send(
    mut writer: FrameWriter<impl AsyncWrite + Unpin>,
    mut outgoing: mpsc::Receiver<Outgoing>,
    mut news: mpsc::Receiver<Box<RawValue>>,
) -> io::Result<()> {
    let every = Duration::from_millis(PING_INTERVAL_MS);
    let mut pings = interval_at(Instant::now() + every, every);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            next = outgoing.recv() => match next {
                Some(Outgoing::Answer(json, _turn)) => writer.write(OpCode::Text, json.get().as_bytes()).await?,
                Some(Outgoing::Pong(bytes)) => writer.write(OpCode::Pong, &bytes).await?,
                Some(Outgoing::Close(goodbye)) => {
                    return writer.write(OpCode::Close, &(goodbye as u16).to_be_bytes()).await;
                }
                None => return Ok(()),
            },
            Some(json) = news.recv() => writer.write(OpCode::Text, json.get().as_bytes()).await?,
            _ = pings.tick() => writer.write(OpCode::Ping, &[]).await?,
        }
    }
}
