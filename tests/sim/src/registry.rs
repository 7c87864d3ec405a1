//! Who is to come and who is to go: proposed only where those who keep the rules and may sign stay more than two thirds, whatever
//! of it comes to pass and when.

use crate::{ledger::Motion, rng::Rng};
use std::collections::BTreeSet;

/// How the nodes stand, as the one that has come furthest sees it.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// Nodes that keep the rules and may sign.
    pub(crate) good: BTreeSet<usize>,
    /// Who votes on the next height.
    pub(crate) set: BTreeSet<usize>,
    /// Who may vote in times to come.
    pub(crate) members: BTreeSet<usize>,
}

/// What was proposed so far. None of it is taken back, as a vote is cast when it is found in a block.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    registered: BTreeSet<usize>,
    leaving: BTreeSet<usize>,
    joining: BTreeSet<usize>,
}

impl Registry {
    /// Whether those who are good stay more than two thirds of any set that may come of all that was proposed, without
    /// one of them too.
    pub(crate) fn withstands(&self, standing: &Standing, without: Option<usize>) -> bool {
        let Standing { good, set, members } = standing;
        let is_good = |node: &usize| good.contains(node) && Some(*node) != without;
        let stay = set.intersection(members).filter(|node| is_good(node) && !self.leaving.contains(node)).count();
        let all: BTreeSet<usize> = set.iter().chain(members).chain(&self.joining).copied().collect();
        let bad = all.iter().filter(|node| !is_good(node)).count();
        stay > 2 * bad
    }

    /// What some of the nodes do now: one thing is under way at a time.
    pub(crate) fn propose(&mut self, rng: &mut Rng, nodes: usize, standing: &Standing) -> Vec<(usize, Motion)> {
        let who = rng.place(nodes);
        let voters = standing.members.iter().copied();
        if !standing.members.contains(&who) && !self.leaving.contains(&who) {
            if self.registered.insert(who) {
                return vec![(who, Motion::Register)];
            }
            self.joining.insert(who);
            if self.withstands(standing, None) {
                return voters.map(|voter| (voter, Motion::Admit(who))).chain([(who, Motion::Register)]).collect();
            }
            self.joining.remove(&who);
        } else if standing.members.contains(&who) {
            let is_new = self.leaving.insert(who);
            if self.withstands(standing, None) {
                return match rng.in_thousand(500) {
                    true => voters.map(|voter| (voter, Motion::Remove(who))).collect(),
                    false => vec![(who, Motion::Leave)],
                };
            }
            if is_new {
                self.leaving.remove(&who);
            }
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(good: &[usize], members: &[usize]) -> Standing {
        let of = |nodes: &[usize]| nodes.iter().copied().collect::<BTreeSet<_>>();
        Standing { good: of(good), set: of(members), members: of(members) }
    }

    #[test]
    fn nobody_goes_whose_going_would_leave_the_others_too_few() {
        let four = standing(&[0, 1, 2], &[0, 1, 2, 3]);
        let mut registry = Registry::default();
        assert!(registry.withstands(&four, None) && !registry.withstands(&four, Some(0)));
        for seed in 0..100 {
            let proposed = registry.propose(&mut Rng::new(seed), 4, &four);
            let goes = |(who, motion): &(usize, Motion)| match motion {
                Motion::Leave => Some(*who),
                Motion::Remove(who) => Some(*who),
                Motion::Register | Motion::Admit(_) => None,
            };
            assert!(proposed.iter().filter_map(goes).all(|who| who == 3), "{proposed:?}");
        }
    }

    #[test]
    fn who_is_on_the_way_in_and_cannot_be_relied_on_counts_already() {
        let six = standing(&[0, 1, 2, 3, 4], &[0, 1, 2, 3, 4, 5]);
        let mut registry = Registry::default();
        assert!(registry.withstands(&six, None));
        registry.joining.extend([6, 7]);
        assert!(!registry.withstands(&six, None));
    }
}
