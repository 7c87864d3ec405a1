//! Every setting, on one page.

/// The environment's name of the node that client commands talk to, as the services had it that this program replaces.
pub const CLIENT_RPC_VARIABLE: &str = "ON_SYSTEM_CHAIN_RPC";

/// What names of the environment begin with.
pub(super) const ENV_PREFIX: &str = "LUCID__";

/// One thing that can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Setting {
    /// Section and name in the file; the flag is `--section-name`.
    pub(super) key: &'static str,
    /// What holds where nothing is said; empty for nothing.
    pub(super) default: &'static str,
    /// What it means, and in which unit.
    pub(super) about: &'static str,
}

pub(super) const HTTP_ADDR: Setting =
    Setting { key: "http.addr", default: "127.0.0.1", about: "Address that the JSON-RPC server listens on." };
pub(super) const HTTP_PORT: Setting =
    Setting { key: "http.port", default: "8545", about: "Its port; 0 takes a free one." };
pub(super) const HTTP_ALLOW_REMOTE: Setting = Setting {
    key: "http.allow-remote",
    default: "false",
    about: "Whether an address off this machine may be listened on; needs http.token-file as well.",
};
pub(super) const HTTP_TOKEN_FILE: Setting = Setting {
    key: "http.token-file",
    default: "",
    about: "File with the token that callers must send (mode 0600; `lucid-node key rotate-token` writes one).",
};
pub(super) const HTTP_ALLOWED_HOSTS: Setting = Setting {
    key: "http.allowed-hosts",
    default: "",
    about: "Names that clients may call this machine by, beside its own, with commas between them.",
};
pub(super) const HTTP_ALLOWED_ORIGINS: Setting = Setting {
    key: "http.allowed-origins",
    default: "",
    about: "Web pages that may call the node (https://app.example), with commas between them.",
};
pub(super) const HTTP_NAMESPACES: Setting = Setting {
    key: "http.namespaces",
    default: "",
    about: "Groups of methods that are offered off this machine though they are not by themselves (txpool, lucid_find).",
};
pub(super) const HEALTH_PORT: Setting = Setting {
    key: "health.port",
    default: "",
    about: "Port on 127.0.0.1 for /livez, /readyz and /metrics; with none they are not served.",
};
pub(super) const STATUS_SOCKET: Setting = Setting {
    key: "status.socket",
    default: "",
    about: "Unix socket that `lucid-node status` asks; its mode is 0660. With none it is not there.",
};
pub(super) const MEMORY_BUDGET_MIB: Setting = Setting {
    key: "memory.budget-mib",
    default: "auto",
    about: "Memory that the node keeps to, in MiB (64 to 65536); auto: a quarter of the machine's, at most 256.",
};
pub(super) const STORE_CACHE_MIB: Setting = Setting {
    key: "store.cache-mib",
    default: "auto",
    about: "Memory for pages of the store, in MiB (4 to 4096); auto: its share of the budget, at most 26.",
};
pub(super) const STORAGE_HISTORY_BLOCKS: Setting = Setting {
    key: "storage.history-blocks",
    default: "4096",
    about: "How many blocks back balances, storage and calls can be asked for (128 to 4096).",
};
pub(super) const STORAGE_MAX_SIZE_MIB: Setting = Setting {
    key: "storage.max-size-mib",
    default: "0",
    about: "MiB of its disk that the store's file may take before nothing new is taken in (32 to 16777216); 0: any.",
};
pub(super) const BACKUP_INTERVAL_HOURS: Setting = Setting {
    key: "backup.interval-hours",
    default: "0",
    about: "Hours from one backup that the node makes by itself to the next (1 to 8760), into the folder backups; 0: none.",
};
pub(super) const BACKUP_KEEP: Setting = Setting {
    key: "backup.keep",
    default: "3",
    about: "How many backups stay after it has made one (1 to 1000): the newest.",
};
pub(super) const NETWORK_LISTEN: Setting = Setting {
    key: "network.listen",
    default: "",
    about: "Where other nodes of a shared chain reach this one (/ip4/0.0.0.0/tcp/8547), with commas between; none: nowhere.",
};
pub(super) const NETWORK_PEERS: Setting = Setting {
    key: "network.peers",
    default: "",
    about: "Nodes that are dialled until they are there (/ip4/192.0.2.1/tcp/8547/p2p/12D3...), with commas between them.",
};
pub(super) const NETWORK_EXTERNAL_ADDRESS: Setting = Setting {
    key: "network.external-address",
    default: "",
    about: "Addresses that lead here from outside where a router translates them, as in network.listen.",
};
pub(super) const NETWORK_MDNS: Setting = Setting {
    key: "network.mdns",
    default: "false",
    about: "Look for nodes on the local network and tell them of this one (mDNS).",
};
pub(super) const NETWORK_MAX_PEERS: Setting = Setting {
    key: "network.max-peers",
    default: "32",
    about: "How many nodes may be connected (3 to 128); those of network.peers are let in beyond that.",
};
pub(super) const LOG_FORMAT: Setting = Setting {
    key: "log.format",
    default: "auto",
    about: "How log lines are written: text, json, or auto (for the journal where standard error goes there).",
};
pub(super) const CLOCK_TRUST_LOCAL: Setting = Setting {
    key: "clock.trust-local",
    default: "false",
    about: "Seal by an unsynchronised clock within 24 h of the last recorded time; for a solo chain without a network.",
};

/// All of them, in the order of the file.
pub(super) const SETTINGS: [Setting; 22] = [
    HTTP_ADDR,
    HTTP_PORT,
    HTTP_ALLOW_REMOTE,
    HTTP_TOKEN_FILE,
    HTTP_ALLOWED_HOSTS,
    HTTP_ALLOWED_ORIGINS,
    HTTP_NAMESPACES,
    HEALTH_PORT,
    STATUS_SOCKET,
    MEMORY_BUDGET_MIB,
    STORE_CACHE_MIB,
    STORAGE_HISTORY_BLOCKS,
    STORAGE_MAX_SIZE_MIB,
    BACKUP_INTERVAL_HOURS,
    BACKUP_KEEP,
    NETWORK_LISTEN,
    NETWORK_PEERS,
    NETWORK_EXTERNAL_ADDRESS,
    NETWORK_MDNS,
    NETWORK_MAX_PEERS,
    CLOCK_TRUST_LOCAL,
    LOG_FORMAT,
];

/// Those whose value is a path. In a file it begins at that file's folder, elsewhere at the working directory.
pub(super) const PATHS: [Setting; 2] = [HTTP_TOKEN_FILE, STATUS_SOCKET];

/// The name that a key has in the environment: `http.allow-remote` is `LUCID__HTTP__ALLOW_REMOTE`.
pub(super) fn env_name(key: &str) -> String {
    let name = key.to_ascii_uppercase().replace('-', "_").replace('.', "__");
    format!("{ENV_PREFIX}{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operators_page_has_every_setting() {
        let page = include_str!("../../docs/operate.md");
        for Setting { key, default, about } in SETTINGS {
            let default = if default.is_empty() { "none" } else { default };
            let row = format!("| {key} | {} | {default} | {about} |", env_name(key));
            assert!(page.contains(&row), "docs/operate.md should have {row}");
        }
    }

    #[test]
    fn every_name_of_the_environment_belongs_to_one_key() {
        let names: std::collections::BTreeSet<String> = SETTINGS.iter().map(|setting| env_name(setting.key)).collect();
        assert_eq!(names.len(), SETTINGS.len());
        assert!(names.contains("LUCID__HTTP__ALLOW_REMOTE"));
    }
}
