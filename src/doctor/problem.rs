//! Everything that may be wrong, on one page, each with what mends it.

use super::finding::Level;

/// Something that should not be as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// The power supply gives too little.
    Undervoltage,
    /// The processor is too hot.
    Hot,
    /// Nearly no memory is left.
    LowMemory,
    /// Memory limits of services do nothing.
    NoMemoryCgroup,
    /// The journal is lost with the power.
    VolatileJournal,
    /// The clock is not kept by anybody.
    ClockUnsynchronised,
    /// The clock is not kept by anybody, and nothing is installed that would.
    NoTimeService,
    /// The clock is kept, by a service that the node cannot hear of.
    ClockHidden,
    /// The data lies on a card.
    SdCard,
    /// The data lies in memory.
    MemoryDisk,
    /// The data lies on another machine.
    NetworkDisk,
    /// The disk takes no writes.
    ReadOnlyDisk,
    /// The disk is full, or will be in days.
    DiskFull,
    /// The disk will be full within half a year.
    DiskFillsUp,
    /// The store's file has taken what it may, or nearly so.
    StoreNearlyFull,
    /// The port can be reached from other machines.
    PortExposed,
    /// The configuration cannot be used.
    BadConfiguration,
    /// A file beside the configuration looks like a part of it, and is none.
    PassedOver,
    /// There is no chain.
    NoChain,
    /// There are keys or a chain spec, and no store.
    StoreGone,
    /// Others can read what only the node may.
    OpenToOthers,
    /// A file belongs to another user than the rest.
    OtherOwner,
    /// A key is not there.
    KeyMissing,
    /// Nobody knows what the keys have signed.
    NothingKnownOfSigning,
    /// The store cannot be read.
    StoreDamaged,
    /// A newer program made the store.
    StoreNewer,
    /// Something in the data folder cannot be looked at.
    NotReadable,
    /// There is no copy of the store, or an old one.
    NoBackup,
    /// A node runs and does not say how it is.
    NoStatusSocket,
    /// No node runs.
    NotRunning,
    /// The node makes no blocks.
    MakesNoBlocks,
    /// The last block is of a slot that has not begun.
    AheadOfClock,
    /// The node cannot go on.
    Stuck,
    /// The last runs ended badly.
    EndedBadly,
}

impl Problem {
    /// All of them.
    pub const ALL: [Self; 34] = [
        Self::Undervoltage,
        Self::Hot,
        Self::LowMemory,
        Self::NoMemoryCgroup,
        Self::VolatileJournal,
        Self::ClockUnsynchronised,
        Self::NoTimeService,
        Self::ClockHidden,
        Self::SdCard,
        Self::MemoryDisk,
        Self::NetworkDisk,
        Self::ReadOnlyDisk,
        Self::DiskFull,
        Self::DiskFillsUp,
        Self::StoreNearlyFull,
        Self::PortExposed,
        Self::BadConfiguration,
        Self::PassedOver,
        Self::NoChain,
        Self::StoreGone,
        Self::OpenToOthers,
        Self::OtherOwner,
        Self::KeyMissing,
        Self::NothingKnownOfSigning,
        Self::StoreDamaged,
        Self::StoreNewer,
        Self::NotReadable,
        Self::NoBackup,
        Self::NoStatusSocket,
        Self::NotRunning,
        Self::MakesNoBlocks,
        Self::AheadOfClock,
        Self::Stuck,
        Self::EndedBadly,
    ];

    /// Its name for programs, and in the operator's page.
    pub const fn name(self) -> &'static str {
        self.facts().0
    }

    /// How bad it is.
    pub const fn level(self) -> Level {
        self.facts().1
    }

    /// The one line that mends it; `DIR` stands for the data folder, and `PATH` for what is named.
    pub const fn remedy(self) -> &'static str {
        self.facts().2
    }

    /// What mends it where the node came with the package, in whole commands; `None` where that is the same.
    pub const fn remedy_of_package(self) -> Option<&'static str> {
        Some(match self {
            Self::BadConfiguration => {
                "mend what is named; `sudo lucid-node config check --datadir /var/lib/lucid-node` says whether it is good, \
                 then `sudo systemctl restart lucid-node`"
            }
            Self::NoChain => {
                "mount the disk that has it, then `sudo systemctl restart lucid-node`; where there never was one, \
                 `sudo dpkg-reconfigure lucid-node` makes a new chain"
            }
            Self::StoreGone => {
                "mount the disk that has it; or `sudo systemctl stop lucid-node`, then `sudo -u lucid-node lucid-node db \
                 restore --datadir /var/lib/lucid-node FILE` with the last backup, then `sudo systemctl start lucid-node`; \
                 the keys stay"
            }
            Self::StoreDamaged => {
                "`sudo systemctl stop lucid-node`, then `sudo mv /var/lib/lucid-node/lucid.redb /var/lib/lucid-node-damaged.redb`, \
                 then `sudo -u lucid-node lucid-node db restore --datadir /var/lib/lucid-node FILE` with the last backup, then \
                 `sudo systemctl start lucid-node`"
            }
            Self::OtherOwner => "`sudo chown -R lucid-node: /var/lib/lucid-node`",
            Self::KeyMissing => {
                "put the copies back that were made after the install: `sudo install -o lucid-node -g lucid-node -m 600 FILE \
                 /var/lib/lucid-node/keys/account.key`, and consensus.key alike"
            }
            Self::NothingKnownOfSigning => {
                "read in operate.md what it risks; `sudo systemctl stop lucid-node`, then once `sudo -u lucid-node lucid-node \
                 run --no-init --datadir /var/lib/lucid-node --accept-restored` (Ctrl-C when it listens), then \
                 `sudo systemctl start lucid-node`"
            }
            Self::NoBackup => {
                "`sudo systemctl start lucid-node-backup` makes one now, and `sudo systemctl enable --now \
                 lucid-node-backup.timer` one a day; copy them off this machine"
            }
            Self::NotRunning => "`sudo systemctl restart lucid-node`; `sudo lucid-node why` says how it ended",
            Self::EndedBadly => "`sudo lucid-node why` says what happened, and when",
            Self::MakesNoBlocks => {
                "see the reason, and \"When a node makes no blocks\" in operate.md; where the keys have signed more than the \
                 store has, the commands are those at the end of \"Put a backup back\""
            }
            _ => return None,
        })
    }

    const fn facts(self) -> (&'static str, Level, &'static str) {
        use Level::{Bad, Note, Warn};
        match self {
            Self::Undervoltage => {
                ("undervoltage", Bad, "use the power supply that is made for this Pi, and a short cable")
            }
            Self::Hot => ("hot", Warn, "give it a heat sink or a fan, and air"),
            Self::LowMemory => ("low-memory", Warn, "stop what else runs, or set memory.budget-mib lower"),
            Self::NoMemoryCgroup => (
                "no-memory-cgroup",
                Note,
                "the node keeps to memory.budget-mib by itself; for MemoryMax= as well, add cgroup_enable=memory to \
                 /boot/firmware/cmdline.txt and boot again",
            ),
            Self::VolatileJournal => (
                "volatile-journal",
                Note,
                "`lucid-node why` keeps the essentials; for all of the log, put Storage=persistent below [Journal] into \
                 /etc/systemd/journald.conf.d/90-persistent.conf and restart systemd-journald",
            ),
            Self::ClockUnsynchronised => {
                ("clock-unsynchronised", Bad, "`sudo timedatectl set-ntp true`, and see `timedatectl timesync-status`")
            }
            Self::NoTimeService => (
                "no-time-service",
                Bad,
                "`sudo apt install systemd-timesyncd`, and see `timedatectl timesync-status`; without a network see \
                 clock.trust-local in operate.md",
            ),
            Self::ClockHidden => (
                "clock-hidden",
                Bad,
                "for another time service than systemd-timesyncd: put other-time-service.conf of \
                 /usr/share/doc/lucid-node/examples into /etc/systemd/system/lucid-node.service.d, then \
                 `sudo systemctl daemon-reload && sudo systemctl restart lucid-node`",
            ),
            Self::SdCard => ("sd-card", Note, "an SSD on USB or NVMe lives longer; keep backups off this card"),
            Self::MemoryDisk => ("memory-disk", Bad, "move the data folder to a disk: this one is empty after a boot"),
            Self::NetworkDisk => ("network-disk", Warn, "move the data folder to a disk of this machine"),
            Self::ReadOnlyDisk => {
                ("read-only-disk", Bad, "see `dmesg` for the fault, check the disk with fsck, and mount it again")
            }
            Self::DiskFull => ("disk-full", Bad, "make room on the disk of DIR; the node goes on by itself"),
            Self::DiskFillsUp => ("disk-fills-up", Warn, "plan for a larger disk, or remove what else lies on it"),
            Self::StoreNearlyFull => (
                "store-nearly-full",
                Warn,
                "raise storage.max-size-mib, or set storage.history-blocks lower, and start the node anew; `lucid-node db compact` \
                 (--rpc URL, or --datadir DIR while no node runs) makes the file smaller where little of it is used",
            ),
            Self::PortExposed => (
                "port-exposed",
                Warn,
                "unless other machines have to call the node, set http.addr to 127.0.0.1; else keep a firewall in front",
            ),
            Self::PassedOver => ("config-passed-over", Note, "name it with .toml at the end, or move it away"),
            Self::NoChain => (
                "no-chain",
                Bad,
                "mount the disk that has it; where there never was one, `lucid-node init --datadir DIR --solo`",
            ),
            Self::BadConfiguration => (
                "bad-configuration",
                Bad,
                "mend what is named; `lucid-node config check --datadir DIR` says whether it is good",
            ),
            Self::StoreGone => (
                "store-gone",
                Bad,
                "mount the disk that has it, or `lucid-node db restore --datadir DIR FILE` with the last backup; the keys stay",
            ),
            Self::NoStatusSocket => (
                "no-status-socket",
                Note,
                "name a path in status.socket and start the node again: then `lucid-node status` and this look into it",
            ),
            Self::OpenToOthers => ("open-to-others", Bad, "`sudo chmod go= PATH`"),
            Self::OtherOwner => ("other-owner", Bad, "`sudo chown -R lucid-node: DIR`, or the user that runs the node"),
            Self::KeyMissing => ("key-missing", Bad, "put the copy of DIR/keys back that was made after `init`"),
            Self::NothingKnownOfSigning => (
                "nothing-known-of-signing",
                Bad,
                "`lucid-node run --datadir DIR --accept-restored` once, after reading in operate.md what it risks",
            ),
            Self::StoreDamaged => {
                ("store-damaged", Bad, "`lucid-node db restore --datadir DIR FILE` with the last backup")
            }
            Self::StoreNewer => ("store-newer", Bad, "install the newer version of lucid-node again"),
            Self::NotReadable => (
                "not-readable",
                Warn,
                "run this with sudo, or as the user of the node; to ask a running node it is enough to join the group: \
                 `sudo usermod -aG lucid-node NAME` with your user's name, then log in again",
            ),
            Self::NoBackup => (
                "no-backup",
                Warn,
                "`lucid-node db backup`, with `--rpc` while the node runs, and copy it off; the package has lucid-node-backup.timer",
            ),
            Self::NotRunning => (
                "not-running",
                Warn,
                "`sudo systemctl start lucid-node`, or `lucid-node run --datadir DIR`; `lucid-node why --datadir DIR` says how it ended",
            ),
            Self::MakesNoBlocks => {
                ("makes-no-blocks", Bad, "see the reason, and \"When a node makes no blocks\" in operate.md")
            }
            Self::AheadOfClock => (
                "ahead-of-clock",
                Warn,
                "see whether the clock is right (`date`); where it was ahead when the chain was made, and nothing is in the \
                 chain yet, make it anew as operate.md has it",
            ),
            Self::Stuck => (
                "stuck",
                Bad,
                "start it again (`sudo systemctl restart lucid-node`); if it comes back, look at the disk",
            ),
            Self::EndedBadly => ("ended-badly", Note, "`lucid-node why --datadir DIR` says what happened, and when"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_operators_page_has_every_problem_with_its_remedy() {
        let page = include_str!("../../docs/operate.md");
        for problem in Problem::ALL {
            let row = format!("| `{}` | {} |", problem.name(), problem.remedy());
            assert!(page.contains(&row), "docs/operate.md should have {row}");
        }
    }

    #[test]
    fn the_operators_page_has_the_commands_of_the_package() {
        let page = include_str!("../../docs/operate.md");
        for problem in Problem::ALL {
            let Some(remedy) = problem.remedy_of_package() else { continue };
            let row = format!("| `{}` | {remedy} |", problem.name());
            assert!(page.contains(&row), "docs/operate.md should have {row}");
            assert!(!remedy.contains("DIR"), "{remedy}");
        }
    }

    #[test]
    fn every_problem_has_a_name_of_its_own() {
        let names: BTreeSet<_> = Problem::ALL.into_iter().map(Problem::name).collect();
        assert_eq!(names.len(), Problem::ALL.len());
    }
}
