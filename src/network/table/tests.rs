use super::*;

const NOW: u64 = 1_767_225_600_000;
const MINUTE: u64 = 60_000;

fn peer() -> PeerId {
    PeerId::random()
}

fn place(n: usize) -> Multiaddr {
    format!("/ip4/192.0.2.{}/tcp/{}", n % 250 + 1, n / 250 + 1).parse().unwrap()
}

fn named(peer: PeerId, n: usize) -> PeerAddress {
    PeerAddress { peer: crate::network::PeerId(peer), address: place(n) }
}

fn empty() -> Table {
    Table::new(&[], &[], 32, NOW)
}

/// A peer of this chain that came from outside.
fn meet(table: &mut Table, peer: PeerId, n: usize, now_ms: u64) {
    table.connected(peer, place(n), false, now_ms);
    assert!(table.identified(&peer, "lucid-node/1".to_owned(), &[place(n)]));
}

fn rows(table: &mut Table, now_ms: u64) -> Vec<(String, PeerRecord)> {
    let put = |change| match change {
        PeerChange::Put(id, row) => Some((id, row)),
        PeerChange::Remove(_) => None,
    };
    table.changes(true, now_ms).into_iter().filter_map(put).collect()
}

#[test]
fn a_ban_survives_a_restart_through_the_rows_and_ends() {
    let (mut table, bad) = (empty(), peer());
    meet(&mut table, bad, 1, NOW);
    assert!(table.charge(&bad, Offence::WrongChain, NOW));
    table.disconnected(&bad, NOW);
    let rows = rows(&mut table, NOW);
    let mut later = Table::new(&rows, &[], 32, NOW + MINUTE);
    assert_eq!(later.bans().map(|(peer, _)| *peer).collect::<Vec<_>>(), [bad]);
    assert!(later.next_dials(NOW + MINUTE).is_empty());
    assert!(later.end_bans(NOW + BAN_MS - 1).is_empty());
    assert_eq!(later.end_bans(NOW + BAN_MS), [bad]);
    assert_eq!(later.next_dials(NOW + BAN_MS).len(), 1, "and then it is tried again");
}

#[test]
fn a_score_goes_on_being_forgiven_from_where_the_row_has_it() {
    let (mut table, rude) = (empty(), peer());
    meet(&mut table, rude, 1, NOW);
    table.charge(&rude, Offence::InvalidMessage, NOW);
    table.disconnected(&rude, NOW);
    let first = rows(&mut table, NOW + 100_000);
    assert_eq!((first[0].1.score, first[0].1.last_seen), (-20, NOW / 1_000));
    let again = Table::new(&first, &[], 32, NOW + 100_000);
    assert_eq!(again.peers[&rude].score(NOW + 100_000), -10);
}

#[test]
fn no_ban_is_for_ever_and_none_of_a_static_peer_is_long() {
    let (mut table, stranger, friend) = (empty(), peer(), peer());
    table.add_static(&named(friend, 1), NOW);
    for peer in [stranger, friend] {
        table.ban(peer, u64::MAX, "by hand".to_owned(), NOW);
    }
    assert_eq!(table.end_bans(NOW + MAX_STATIC_BAN_MS), [friend]);
    assert_eq!(table.end_bans(NOW + MAX_BAN_MS), [stranger]);
    // A row from a time when the clock was wrong, and one of a peer that has become static.
    table.ban(stranger, u64::MAX, "by hand".to_owned(), NOW + 1_000 * MAX_BAN_MS);
    table.ban(peer(), MAX_BAN_MS, "by hand".to_owned(), NOW);
    let rows = rows(&mut table, NOW);
    let mut later = Table::new(&rows, &[named(stranger, 2)], 32, NOW);
    assert_eq!(later.end_bans(NOW + MAX_STATIC_BAN_MS), [stranger]);
    assert_eq!(later.end_bans(NOW + MAX_BAN_MS + 1_000).len(), 1);
    assert_eq!(later.bans().count(), 0);
}

#[test]
fn a_static_peer_that_is_away_is_dialled_at_growing_and_bounded_intervals() {
    let (mut table, friend) = (empty(), peer());
    table.add_static(&named(friend, 1), NOW);
    let mut dials = Vec::new();
    for second in 0..3_600 {
        let now_ms = NOW + second * 1_000;
        for (dialled, addresses) in table.next_dials(now_ms) {
            assert_eq!((dialled, addresses), (friend, vec![place(1)]));
            dials.push(second);
            table.dial_failed(&friend, now_ms);
        }
    }
    let waits: Vec<u64> = dials.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits[..6], [1, 2, 4, 8, 16, 30]);
    assert!(waits[6..].iter().all(|wait| *wait == MAX_STATIC_REDIAL_MS / 1_000));
}

#[test]
fn who_is_only_remembered_and_away_is_dialled_more_and_more_seldom() {
    let (mut table, stranger) = (empty(), peer());
    meet(&mut table, stranger, 1, NOW);
    table.disconnected(&stranger, NOW + LASTING_MS);
    let began = NOW + LASTING_MS + MIN_REDIAL_MS;
    let mut dials = Vec::new();
    for second in 0..3_600 {
        let now_ms = began + second * 1_000;
        if !table.next_dials(now_ms).is_empty() {
            dials.push(second);
            table.dial_failed(&stranger, now_ms);
        }
    }
    let waits: Vec<u64> = dials.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits[..7], [2, 4, 8, 16, 32, 64, 120]);
    assert!(waits[7..].iter().all(|wait| *wait == MAX_REDIAL_MS / 1_000));
}

#[test]
fn a_peer_that_connects_and_goes_at_once_is_not_dialled_again_at_once() {
    let (mut table, friend) = (empty(), peer());
    table.add_static(&named(friend, 1), NOW);
    let (mut now_ms, mut dials) = (NOW, 0);
    while now_ms < NOW + 10 * MINUTE {
        if !table.next_dials(now_ms).is_empty() {
            dials += 1;
            table.connected(friend, place(1), true, now_ms);
            table.disconnected(&friend, now_ms);
        }
        now_ms += 1_000;
    }
    assert!(dials <= 25, "{dials} dials in ten minutes");
    // One that lasted is found again soon.
    now_ms += MAX_STATIC_REDIAL_MS;
    assert_eq!(table.next_dials(now_ms).len(), 1);
    table.connected(friend, place(1), true, now_ms);
    table.disconnected(&friend, now_ms + LASTING_MS);
    assert_eq!(table.next_dials(now_ms + LASTING_MS + MIN_REDIAL_MS).len(), 1);
}

#[test]
fn dials_at_once_are_bounded_and_static_peers_come_first() {
    let mut table = empty();
    for n in 0..50 {
        table.found(peer(), place(n), NOW);
    }
    let friends: Vec<PeerId> = (0..20).map(|_| peer()).collect();
    for (n, friend) in friends.iter().enumerate() {
        table.add_static(&named(*friend, n), NOW);
    }
    let dialled = table.next_dials(NOW);
    assert_eq!(dialled.len(), MAX_PENDING_OUTBOUND);
    assert!(dialled.iter().all(|(peer, _)| friends.contains(peer)));
    assert!(table.next_dials(NOW).is_empty());
}

#[test]
fn who_is_only_remembered_is_dialled_until_there_are_peers_enough() {
    let mut table = empty();
    for n in 0..50 {
        table.found(peer(), place(n), NOW);
    }
    for n in 0..DIAL_UP_TO_PEERS - 1 {
        meet(&mut table, peer(), n, NOW);
    }
    assert_eq!(table.next_dials(NOW).len(), 1);
    assert!(table.next_dials(NOW).is_empty());
}

#[test]
fn nothing_is_written_while_nothing_happens_and_at_most_once_a_minute() {
    let (mut table, friend) = (empty(), peer());
    meet(&mut table, friend, 1, NOW);
    assert!(table.changes(false, NOW + MINUTE - 1).is_empty());
    assert_eq!(table.changes(false, NOW + MINUTE).len(), 1);
    for minute in 2..62 {
        assert!(!table.identified(&friend, "lucid-node/1".to_owned(), &[place(1)]));
        table.told_head(&friend, (minute, [0; 32]));
        assert!(table.changes(false, NOW + minute * MINUTE).is_empty(), "in minute {minute}");
    }
    let end = NOW + 62 * MINUTE;
    assert_eq!(rows(&mut table, end)[0].1.last_seen, end / 1_000, "at the end it says when they met last");
}

#[test]
fn a_peer_can_say_where_it_listens_only_at_the_address_it_comes_from() {
    let (mut table, liar) = (empty(), peer());
    let there = |text: &str| text.parse::<Multiaddr>().unwrap();
    table.connected(liar, there("/ip4/192.0.2.7/tcp/50000"), false, NOW);
    let listens = ["/ip4/198.51.100.1/tcp/22", "/ip4/192.0.2.7/tcp/8547", "/ip6/2001:db8::1/tcp/8547"].map(there);
    table.identified(&liar, String::new(), &listens);
    assert_eq!(rows(&mut table, NOW)[0].1.addresses, ["/ip4/192.0.2.7/tcp/8547"]);
}

#[test]
fn the_table_is_bounded_and_keeps_who_is_static_banned_or_there() {
    let (mut table, friend, bad, here) = (empty(), peer(), peer(), peer());
    table.add_static(&named(friend, 1), NOW);
    table.ban(bad, BAN_MS, "by hand".to_owned(), NOW);
    meet(&mut table, here, 2, NOW);
    for n in 0..3 * MAX_KNOWN_PEERS {
        let visitor = peer();
        let now_ms = NOW + n as u64 * 1_000;
        meet(&mut table, visitor, n, now_ms);
        table.disconnected(&visitor, now_ms);
        assert!(table.len() <= MAX_KNOWN_PEERS);
    }
    assert!(table.statics().any(|peer| *peer == friend) && table.is_connected(&here));
    assert!(table.bans().any(|(peer, _)| *peer == bad));
}

#[test]
fn rows_of_who_is_forgotten_are_removed() {
    let mut table = empty();
    let first = peer();
    meet(&mut table, first, 0, NOW);
    table.disconnected(&first, NOW);
    assert_eq!(rows(&mut table, NOW).len(), 1);
    for n in 1..=MAX_KNOWN_PEERS {
        let visitor = peer();
        meet(&mut table, visitor, n, NOW + 1_000);
        table.disconnected(&visitor, NOW + 1_000);
    }
    let changes = table.changes(true, NOW + 2_000);
    assert!(changes.contains(&PeerChange::Remove(first.to_string())));
    assert_eq!(changes.len(), MAX_KNOWN_PEERS + 1);
}

#[test]
fn those_who_are_told_of_and_never_seen_are_bounded_and_forgotten() {
    let mut table = empty();
    for n in 0..10 * MAX_FOUND_PEERS {
        table.found(peer(), place(n), NOW);
    }
    assert_eq!(table.len(), MAX_FOUND_PEERS);
    let mut now_ms = NOW;
    while table.len() > 0 && now_ms < NOW + 60 * MINUTE {
        for (peer, _) in table.next_dials(now_ms) {
            table.dial_failed(&peer, now_ms);
        }
        now_ms += 1_000;
    }
    assert_eq!(table.len(), 0);
    assert!(rows(&mut table, now_ms).is_empty());
}

#[test]
fn who_does_not_say_which_chain_it_is_on_is_found_out_and_leaves_no_row() {
    let (mut table, silent) = (empty(), peer());
    table.connected(silent, place(1), false, NOW);
    assert!(table.overdue(NOW + IDENTIFY_TIMEOUT_MS).is_empty());
    assert_eq!(table.overdue(NOW + IDENTIFY_TIMEOUT_MS + 1), [silent]);
    assert!(!table.disconnected(&silent, NOW + IDENTIFY_TIMEOUT_MS + 1), "the node was not told that it had come");
    assert_eq!(table.len(), 0);
    assert!(rows(&mut table, NOW).is_empty());
}

#[test]
fn damaged_rows_are_read_as_far_as_they_make_sense() {
    let good = peer();
    let row = PeerRecord {
        addresses: vec!["nonsense".to_owned(), place(1).to_string(), "/dns4/a.example/tcp/1".to_owned()],
        last_seen: u64::MAX,
        score: i64::MIN,
        banned_until: Some(u64::MAX),
        ban_reason: None,
    };
    let mut table = Table::new(&[(good.to_string(), row.clone()), ("nobody".to_owned(), row)], &[], 32, NOW);
    assert_eq!(table.len(), 1);
    assert_eq!(table.changes(true, NOW), [PeerChange::Remove("nobody".to_owned())]);
    assert_eq!(table.end_bans(NOW + MAX_BAN_MS), [good]);
    assert_eq!(table.next_dials(NOW + MAX_BAN_MS), [(good, vec![place(1)])]);
}

#[test]
fn why_a_peer_is_kept_out_is_known_after_a_restart() {
    let (mut table, rude, named) = (empty(), peer(), peer());
    meet(&mut table, rude, 1, NOW);
    assert!(table.charge(&rude, Offence::Overload, NOW));
    assert!(table.ban(named, 60_000, "because".repeat(1_000), NOW));
    let kept = rows(&mut table, NOW);
    let mut again = Table::new(&kept, &[], 32, NOW + 1);
    let reasons: BTreeMap<_, _> = again.bans().map(|(peer, ban)| (*peer, ban.reason.clone())).collect();
    assert_eq!(reasons[&rude], Offence::Overload.name());
    assert_eq!(reasons[&named].len(), MAX_BAN_REASON_CHARS);
    // One that an earlier version wrote has none, and a ban that has ended leaves none.
    let older = kept.iter().map(|(id, row)| (id.clone(), PeerRecord { ban_reason: None, ..row.clone() }));
    let older = Table::new(&older.collect::<Vec<_>>(), &[], 32, NOW + 1);
    assert!(older.bans().all(|(_, ban)| ban.reason == "as in an earlier run"));
    again.end_bans(NOW + MAX_BAN_MS);
    assert!(rows(&mut again, NOW + MAX_BAN_MS).iter().all(|(_, row)| row.ban_reason.is_none()));
}

#[test]
fn a_pardon_lets_a_peer_in_and_begins_anew() {
    let (mut table, rude) = (empty(), peer());
    meet(&mut table, rude, 1, NOW);
    assert!(table.charge(&rude, Offence::Overload, NOW));
    assert!(!table.charge(&rude, Offence::Flood, NOW), "it is banned already");
    table.pardon(&rude, NOW);
    assert_eq!((table.bans().count(), table.peers[&rude].score(NOW)), (0, 0));
}
