use super::{
    poot::{finality, slot_document},
    subscriber::Subscriber,
};
use crate::{
    api::{NodeApi, NodeError},
    backend::Backend,
    error::RpcError,
    interface::{LucidSubscriptionsServer, Param},
};
use jsonrpsee::{
    Extensions, PendingSubscriptionSink,
    core::{SubscriptionResult, async_trait},
};
use lucid_types::{ChainEvent, SlotGrid};
use serde::Serialize;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;

/// How long is waited at most before the clock is looked at again: it may be set meanwhile.
const MAX_CLOCK_WAIT: Duration = Duration::from_secs(1);

/// What a client wants to be told of.
enum Wanted {
    Slots,
    Schedule,
    Finality,
}

impl Wanted {
    fn read(kind: &str) -> Result<Self, RpcError> {
        match kind {
            "slots" => Ok(Self::Slots),
            "schedule" => Ok(Self::Schedule),
            "finality" => Ok(Self::Finality),
            other => Err(RpcError::unknown_subscription("lucid", other)),
        }
    }
}

#[async_trait]
impl<A: NodeApi> LucidSubscriptionsServer for Backend<A> {
    async fn subscribe(
        &self,
        pending: PendingSubscriptionSink,
        extensions: &Extensions,
        kind: Param<String>,
    ) -> SubscriptionResult {
        let wanted = match kind.read().and_then(|kind| Wanted::read(&kind)) {
            Ok(wanted) => wanted,
            Err(error) => {
                pending.reject(error).await;
                return Ok(());
            }
        };
        // Looked at and listened to before the client knows: nothing that comes after its answer is missed.
        let (slot, events) = (slot_now(self.api()), self.api().events());
        let Some(subscriber) = Subscriber::admit(self, pending, extensions).await? else { return Ok(()) };
        match wanted {
            Wanted::Slots => subscriber.tell_slots(self, slot).await,
            Wanted::Schedule => subscriber.tell_schedules(self, events).await,
            Wanted::Finality => subscriber.tell_finality(self, events).await,
        }
        Ok(())
    }
}

fn slot_now(api: &impl NodeApi) -> Option<u64> {
    api.chain_info().spec.slots().slot_at(api.since_epoch().as_secs())
}

/// How long it is until the slot after the one of `now`, a time since 1970, begins; before the first one, until that does.
fn to_next_slot(slots: &SlotGrid, now: Duration) -> Duration {
    let next = slots.slot_at(now.as_secs()).map_or(0, |slot| slot + 1);
    Duration::from_secs(slots.start_of(next).unwrap_or(u64::MAX)).saturating_sub(now)
}

impl Subscriber {
    /// Tells of slots that begin by the node's clock after the one that it showed. Those that the clock leaps over are no
    /// news, and where it is set back, the slot that it shows then is.
    async fn tell_slots<A: NodeApi>(&self, backend: &Backend<A>, mut shown: Option<u64>) {
        let slots = backend.api().chain_info().spec.slots();
        loop {
            let wait = to_next_slot(&slots, backend.api().since_epoch()).min(MAX_CLOCK_WAIT);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.left() => return,
            }
            let slot = slot_now(backend.api());
            if slot.is_none() || slot == shown {
                continue;
            }
            match self.tell_read(backend.read(slot_document).await).await {
                Some(document) => shown = Some(document.slot),
                None => return,
            }
        }
    }

    /// Tells of the order of leaders after each block. It is a state and no history: of blocks that come at once, the order
    /// after the last one is told.
    async fn tell_schedules<A: NodeApi>(&self, backend: &Backend<A>, mut events: Receiver<ChainEvent>) {
        let mut told = None;
        while let Some(height) = self.next_block(&mut events).await {
            // It was told with a block before, which this one had followed already.
            if told.is_some_and(|told| told > height) {
                continue;
            }
            let schedule =
                backend.read(|api| Ok(api.next_schedule(None)?.ok_or(NodeError::Corrupt("schedule"))?)).await;
            match self.tell_read(schedule).await {
                Some(document) => told = document.height,
                None => return,
            }
        }
    }

    /// Tells of each block what made it final.
    async fn tell_finality<A: NodeApi>(&self, backend: &Backend<A>, mut events: Receiver<ChainEvent>) {
        while let Some(height) = self.next_block(&mut events).await {
            let read = move |api: &A| Ok(finality(api, height)?.ok_or(NodeError::Corrupt("seal"))?);
            if self.tell_read(backend.read(read).await).await.is_none() {
                return;
            }
        }
    }

    /// Height of the next block; `None` where the subscription has ended, also because blocks were missed.
    async fn next_block(&self, events: &mut Receiver<ChainEvent>) -> Option<u64> {
        loop {
            match self.next(events).await? {
                Ok(ChainEvent::BlockCommitted(block)) => return Some(block.header.number),
                Ok(_) => {}
                Err(missed) => {
                    self.hang_up(&format!("it is {missed} blocks behind"));
                    return None;
                }
            }
        }
    }

    /// Tells what was read, and gives it back; `None` where the subscription has ended. What the node cannot read it cannot
    /// tell, and a client that is left without it would not know.
    async fn tell_read<T: Serialize>(&self, read: Result<T, RpcError>) -> Option<T> {
        match read {
            Ok(news) => self.tell(&news).await.then_some(news),
            Err(error) => {
                self.hang_up(&error.to_string());
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_waited_for_from_any_time_also_before_the_first_one() {
        let slots = SlotGrid { origin: 1_000, duration_secs: 120 };
        let wait = |ms| to_next_slot(&slots, Duration::from_millis(ms)).as_millis();
        assert_eq!([wait(1_000_000), wait(1_119_999), wait(1_120_000)], [120_000, 1, 120_000]);
        assert_eq!([wait(0), wait(999_900)], [1_000_000, 100]);
    }
}
