//! Who is known: where they are, how they behaved, who is kept out and until when, and whom to dial next.
//!
//! Pure: time comes as an argument, in milliseconds since 1970, and never goes back within one run. Rows have seconds.

use std::collections::BTreeMap;

use libp2p::{Multiaddr, PeerId};
use lucid_storage::PeerRecord;

use super::{
    address::{PeerAddress, ip_of, tcp_port, without_peer},
    limits::{
        BAN_MS, DIAL_UP_TO_PEERS, IDENTIFY_TIMEOUT_MS, MAX_ADDRESSES_PER_PEER, MAX_BAN_MS, MAX_BAN_REASON_CHARS,
        MAX_FOUND_PEERS, MAX_KNOWN_PEERS, MAX_PENDING_OUTBOUND, MAX_REDIAL_MS, MAX_STATIC_BAN_MS, MAX_STATIC_REDIAL_MS,
        MIN_REDIAL_MS, ROWS_INTERVAL_MS,
    },
    offence::{Offence, Score},
    rows::PeerChange,
};

/// How long a connection must have lasted for the next dial to be without delay: one that is closed again and again is not
/// to be opened again and again.
const LASTING_MS: u64 = 60_000;

/// Head of a chain, as a peer told it: height and block hash.
pub(super) type Head = (u64, [u8; 32]);

/// Everything about one peer.
#[derive(Debug)]
pub(super) struct Known {
    /// Oldest first.
    addresses: Vec<Multiaddr>,
    /// When it was connected last; 0 for never.
    last_seen_ms: u64,
    score: Score,
    ban: Option<Ban>,
    /// The operator named it.
    is_static: bool,
    /// Dials and short connections in a row.
    failures: u32,
    next_dial_ms: u64,
    dialling: bool,
    pub(super) link: Option<Link>,
    has_row: bool,
    /// Whether the row is not as it was written.
    changed: bool,
}

/// Who is kept out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ban {
    pub(super) until_ms: u64,
    pub(super) reason: String,
}

/// A connection, or several that count as one.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) since_ms: u64,
    pub(super) outbound: bool,
    pub(super) address: Multiaddr,
    /// What its program calls itself; empty until it has said so, and that it is on this chain.
    pub(super) agent: String,
    pub(super) of_chain: bool,
    pub(super) head: Option<Head>,
}

/// All of them.
pub(super) struct Table {
    peers: BTreeMap<PeerId, Known>,
    /// Rows of those who were forgotten.
    forgotten: Vec<String>,
    rows_at_ms: u64,
    max_peers: usize,
}

impl Known {
    fn new(now_ms: u64) -> Self {
        Self {
            addresses: Vec::new(),
            last_seen_ms: 0,
            score: Score::new(0, now_ms),
            ban: None,
            is_static: false,
            failures: 0,
            next_dial_ms: 0,
            dialling: false,
            link: None,
            has_row: false,
            changed: false,
        }
    }

    fn from_row(row: &PeerRecord, now_ms: u64) -> Self {
        // A clock that was wrong once must not keep anybody out for ever.
        let until_ms = row.banned_until.map(|until| until.saturating_mul(1_000).min(now_ms + MAX_BAN_MS));
        let until_ms = until_ms.filter(|until_ms| *until_ms > now_ms);
        // Rows of an earlier version have none.
        let reason = row.ban_reason.clone().unwrap_or_else(|| "as in an earlier run".to_owned());
        let last_seen_ms = row.last_seen.saturating_mul(1_000).min(now_ms);
        let mut known = Self {
            last_seen_ms,
            score: Score::new(row.score, last_seen_ms),
            ban: until_ms.map(|until_ms| Ban { until_ms, reason }),
            has_row: true,
            ..Self::new(now_ms)
        };
        for address in row.addresses.iter().filter_map(|text| text.parse().ok()) {
            known.add_address(address);
        }
        known.changed = false;
        known
    }

    fn row(&self, now_ms: u64) -> PeerRecord {
        // The score is that of the moment in `last_seen`, from which a later run goes on forgiving.
        let last_seen_ms = if self.link.is_some() { now_ms } else { self.last_seen_ms };
        PeerRecord {
            addresses: self.addresses.iter().map(Multiaddr::to_string).collect(),
            last_seen: last_seen_ms / 1_000,
            score: self.score.at(last_seen_ms),
            banned_until: self.ban.as_ref().map(|ban| ban.until_ms.div_ceil(1_000)),
            ban_reason: self.ban.as_ref().map(|ban| ban.reason.clone()),
        }
    }

    fn add_address(&mut self, address: Multiaddr) {
        let address = without_peer(address);
        if tcp_port(&address).is_none_or(|port| port == 0) || self.addresses.last() == Some(&address) {
            return;
        }
        let had = self.addresses.len();
        self.addresses.retain(|known| *known != address);
        // In another order they are the same row.
        self.changed |= self.addresses.len() == had;
        self.addresses.push(address);
        if self.addresses.len() > MAX_ADDRESSES_PER_PEER {
            self.addresses.remove(0);
        }
    }

    fn is_banned(&self, now_ms: u64) -> bool {
        self.ban.as_ref().is_some_and(|ban| ban.until_ms > now_ms)
    }

    fn back_off(&mut self, now_ms: u64) {
        let most_ms = if self.is_static { MAX_STATIC_REDIAL_MS } else { MAX_REDIAL_MS };
        let wait_ms = MIN_REDIAL_MS.saturating_mul(1 << self.failures.min(20)).min(most_ms);
        self.failures = self.failures.saturating_add(1);
        self.next_dial_ms = now_ms + wait_ms;
    }

    /// What a later run, or a later moment of this one, has a use for.
    fn is_worth_keeping(&self, now_ms: u64) -> bool {
        self.is_static || self.has_row || self.changed || self.link.is_some() || self.dialling || self.is_banned(now_ms)
    }
}

impl Table {
    /// A table with what an earlier run wrote, and with the static peers.
    pub(super) fn new(rows: &[(String, PeerRecord)], statics: &[PeerAddress], max_peers: u32, now_ms: u64) -> Self {
        let mut table =
            Self { peers: BTreeMap::new(), forgotten: Vec::new(), rows_at_ms: now_ms, max_peers: max_peers as usize };
        for address in statics {
            table.add_static(address, now_ms);
        }
        for (id, row) in rows {
            match id.parse::<PeerId>() {
                Ok(peer) => table.add_row(peer, row, now_ms),
                Err(_) => table.forgotten.push(id.clone()),
            }
        }
        table
    }

    fn add_row(&mut self, peer: PeerId, row: &PeerRecord, now_ms: u64) {
        let mut known = Known::from_row(row, now_ms);
        if let Some(named) = self.peers.remove(&peer) {
            known.is_static = named.is_static;
            // Those that the operator named are tried first: the last one is dialled first.
            named.addresses.into_iter().for_each(|address| known.add_address(address));
            known.shorten_ban(now_ms);
            known.changed = false;
        }
        self.peers.insert(peer, known);
        self.make_room();
    }

    /// Takes in a peer that the operator names: it is dialled until it is there.
    pub(super) fn add_static(&mut self, address: &PeerAddress, now_ms: u64) {
        let known = self.peers.entry(address.peer.0).or_insert_with(|| Known::new(now_ms));
        known.is_static = true;
        (known.failures, known.next_dial_ms) = (0, 0);
        known.add_address(address.address.clone());
        known.changed = known.changed && known.has_row;
        known.shorten_ban(now_ms);
        self.make_room();
    }

    /// The operator names it no longer; it is forgotten unless it is connected.
    pub(super) fn remove(&mut self, peer: &PeerId) {
        let Some(known) = self.peers.get_mut(peer) else { return };
        known.is_static = false;
        if known.link.is_none() && !known.dialling {
            self.forget(peer);
        }
    }

    fn forget(&mut self, peer: &PeerId) {
        if self.peers.remove(peer).is_some_and(|known| known.has_row) {
            self.forgotten.push(peer.to_string());
        }
    }

    /// Brings the table back to its bound: who is banned and whom this node could reach go last, then who was seen last.
    fn make_room(&mut self) {
        while self.peers.len() > MAX_KNOWN_PEERS {
            let free =
                self.peers.iter().filter(|(_, known)| !known.is_static && known.link.is_none() && !known.dialling);
            let value = |known: &Known| (known.ban.is_some(), !known.addresses.is_empty(), known.last_seen_ms);
            let Some(peer) = free.min_by_key(|(_, known)| value(known)).map(|(peer, _)| *peer) else { return };
            self.forget(&peer);
        }
    }

    /// A peer was found nearby.
    pub(super) fn found(&mut self, peer: PeerId, address: Multiaddr, now_ms: u64) {
        let strangers = self.peers.values().filter(|known| !known.is_static && known.last_seen_ms == 0).count();
        if !self.peers.contains_key(&peer) && strangers >= MAX_FOUND_PEERS {
            return;
        }
        let known = self.peers.entry(peer).or_insert_with(|| Known::new(now_ms));
        let (changed, has_row) = (known.changed, known.has_row);
        known.add_address(address);
        known.changed = changed || (known.changed && has_row);
        self.make_room();
    }

    /// The first connection with a peer is there.
    pub(super) fn connected(&mut self, peer: PeerId, address: Multiaddr, outbound: bool, now_ms: u64) {
        let known = self.peers.entry(peer).or_insert_with(|| Known::new(now_ms));
        known.dialling = false;
        known.last_seen_ms = now_ms;
        let link = Link { since_ms: now_ms, outbound, address, agent: String::new(), of_chain: false, head: None };
        known.link = Some(link);
        self.make_room();
    }

    /// A connected peer has said that it is on this chain, what its program is, and where it listens. Of these addresses
    /// only those count that lie where it is connected from: a peer must not be able to have others dialled. Whether it
    /// says so for the first time.
    pub(super) fn identified(&mut self, peer: &PeerId, agent: String, listens: &[Multiaddr]) -> bool {
        let Some(known) = self.peers.get_mut(peer) else { return false };
        let Some(link) = &mut known.link else { return false };
        let is_first = !std::mem::replace(&mut link.of_chain, true);
        link.agent = agent;
        let (from, outbound) = (link.address.clone(), link.outbound);
        if outbound {
            known.add_address(from);
        } else {
            let there = listens.iter().filter(|address| ip_of(address) == ip_of(&from)).take(MAX_ADDRESSES_PER_PEER);
            there.for_each(|address| known.add_address(address.clone()));
        }
        known.changed |= is_first;
        is_first
    }

    /// The last connection with a peer is gone. Whether the node was told that it had come.
    pub(super) fn disconnected(&mut self, peer: &PeerId, now_ms: u64) -> bool {
        let Some(known) = self.peers.get_mut(peer) else { return false };
        let Some(link) = known.link.take() else { return false };
        known.last_seen_ms = now_ms;
        known.changed |= link.of_chain || known.has_row;
        if now_ms.saturating_sub(link.since_ms) >= LASTING_MS {
            known.failures = 0;
        }
        known.back_off(now_ms);
        if !known.is_worth_keeping(now_ms) {
            self.forget(peer);
        }
        link.of_chain
    }

    /// A dial came to nothing.
    pub(super) fn dial_failed(&mut self, peer: &PeerId, now_ms: u64) {
        let Some(known) = self.peers.get_mut(peer) else { return };
        if std::mem::take(&mut known.dialling) {
            known.back_off(now_ms);
        }
        // Somebody who was only told of, and is not there.
        if known.last_seen_ms == 0 && known.failures > 3 && !known.is_worth_keeping(now_ms) {
            self.forget(peer);
        }
    }

    /// Charges a peer for an offence; whether it is banned now and was not before.
    pub(super) fn charge(&mut self, peer: &PeerId, offence: Offence, now_ms: u64) -> bool {
        let Some(known) = self.peers.get_mut(peer) else { return false };
        known.changed = true;
        known.last_seen_ms = now_ms;
        let is_too_bad = known.score.charge(offence, now_ms);
        is_too_bad && !known.is_banned(now_ms) && self.ban(*peer, BAN_MS, offence.name().to_owned(), now_ms)
    }

    /// Keeps a peer out for a time, which is bounded; whether it was not kept out already.
    pub(super) fn ban(&mut self, peer: PeerId, for_ms: u64, reason: String, now_ms: u64) -> bool {
        let known = self.peers.entry(peer).or_insert_with(|| Known::new(now_ms));
        let is_new = !known.is_banned(now_ms);
        let reason = reason.chars().take(MAX_BAN_REASON_CHARS).collect();
        known.ban = Some(Ban { until_ms: now_ms.saturating_add(for_ms.min(MAX_BAN_MS)), reason });
        known.shorten_ban(now_ms);
        known.changed = true;
        self.make_room();
        is_new
    }

    /// Lets a peer in again.
    pub(super) fn pardon(&mut self, peer: &PeerId, now_ms: u64) {
        let Some(known) = self.peers.get_mut(peer) else { return };
        known.changed |= known.ban.take().is_some();
        (known.score, known.failures, known.next_dial_ms) = (Score::new(0, now_ms), 0, 0);
    }

    /// Ends bans whose time has come, and says whose.
    pub(super) fn end_bans(&mut self, now_ms: u64) -> Vec<PeerId> {
        let over = |known: &Known| known.ban.as_ref().is_some_and(|ban| ban.until_ms <= now_ms);
        let ended: Vec<PeerId> = self.peers.iter().filter(|(_, known)| over(known)).map(|(peer, _)| *peer).collect();
        for peer in &ended {
            if let Some(known) = self.peers.get_mut(peer) {
                (known.ban, known.changed) = (None, true);
            }
        }
        ended
    }

    /// Whom to dial now, and where. They count as being dialled from here on.
    pub(super) fn next_dials(&mut self, now_ms: u64) -> Vec<(PeerId, Vec<Multiaddr>)> {
        let dialling = self.peers.values().filter(|known| known.dialling).count();
        let links = self.peers.values().filter(|known| known.link.is_some()).count();
        let enough = DIAL_UP_TO_PEERS.min(self.max_peers);
        let mut idle: Vec<(&PeerId, &mut Known)> = self
            .peers
            .iter_mut()
            .filter(|(_, known)| {
                let is_idle = known.link.is_none() && !known.dialling && !known.addresses.is_empty();
                is_idle && known.next_dial_ms <= now_ms && !known.is_banned(now_ms)
            })
            .collect();
        idle.sort_by_key(|(_, known)| (!known.is_static, known.failures, std::cmp::Reverse(known.last_seen_ms)));
        let mut chosen = Vec::new();
        for (peer, known) in idle {
            let under_way = dialling + chosen.len();
            if under_way >= MAX_PENDING_OUTBOUND || (!known.is_static && links + under_way >= enough) {
                break;
            }
            known.dialling = true;
            chosen.push((*peer, known.addresses.iter().rev().cloned().collect()));
        }
        chosen
    }

    /// Connected peers that have not said in time which chain they are on.
    pub(super) fn overdue(&self, now_ms: u64) -> Vec<PeerId> {
        let is_late = |link: &Link| !link.of_chain && now_ms.saturating_sub(link.since_ms) > IDENTIFY_TIMEOUT_MS;
        self.links().filter(|(_, known)| known.link.as_ref().is_some_and(is_late)).map(|(peer, _)| *peer).collect()
    }

    /// Rows that have changed, at most once a minute, or at the end; the node writes them.
    pub(super) fn changes(&mut self, is_end: bool, now_ms: u64) -> Vec<PeerChange> {
        if !is_end && now_ms < self.rows_at_ms + ROWS_INTERVAL_MS {
            return Vec::new();
        }
        let mut changes: Vec<PeerChange> = self.forgotten.drain(..).map(PeerChange::Remove).collect();
        for (peer, known) in &mut self.peers {
            let was_there = is_end && known.link.as_ref().is_some_and(|link| link.of_chain);
            if known.changed || was_there {
                (known.changed, known.has_row) = (false, true);
                changes.push(PeerChange::Put(peer.to_string(), known.row(now_ms)));
            }
        }
        if !changes.is_empty() {
            self.rows_at_ms = now_ms;
        }
        changes
    }

    /// A peer told where its chain ends.
    pub(super) fn told_head(&mut self, peer: &PeerId, head: Head) {
        if let Some(link) = self.peers.get_mut(peer).and_then(|known| known.link.as_mut()) {
            link.head = Some(head);
        }
    }

    /// Whether a peer is connected.
    pub(super) fn is_connected(&self, peer: &PeerId) -> bool {
        self.peers.get(peer).is_some_and(|known| known.link.is_some())
    }

    /// All who are connected.
    pub(super) fn links(&self) -> impl Iterator<Item = (&PeerId, &Known)> {
        self.peers.iter().filter(|(_, known)| known.link.is_some())
    }

    /// All who are banned.
    pub(super) fn bans(&self) -> impl Iterator<Item = (&PeerId, &Ban)> {
        self.peers.iter().filter_map(|(peer, known)| known.ban.as_ref().map(|ban| (peer, ban)))
    }

    /// All whom the operator named.
    pub(super) fn statics(&self) -> impl Iterator<Item = &PeerId> {
        self.peers.iter().filter(|(_, known)| known.is_static).map(|(peer, _)| peer)
    }

    /// How many are known.
    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }
}

impl Known {
    /// Its score at a time.
    pub(super) fn score(&self, now_ms: u64) -> i64 {
        self.score.at(now_ms)
    }

    /// Whether the operator named it.
    pub(super) fn is_static(&self) -> bool {
        self.is_static
    }

    fn shorten_ban(&mut self, now_ms: u64) {
        if let (true, Some(ban)) = (self.is_static, &mut self.ban) {
            ban.until_ms = ban.until_ms.min(now_ms + MAX_STATIC_BAN_MS);
        }
    }
}

#[cfg(test)]
mod tests;
