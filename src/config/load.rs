//! Putting the layers together.

use super::{
    addresses,
    budget::{Budget, MIN_BUDGET_MIB},
    claims::{self, Claim},
    error::ConfigError,
    file::{ConfigFile, section_of},
    names::{self, is_host, is_origin},
    settings::{
        BACKUP_INTERVAL_HOURS, BACKUP_KEEP, CLOCK_TRUST_LOCAL, ENV_PREFIX, HEALTH_PORT, HTTP_ADDR, HTTP_ALLOW_REMOTE,
        HTTP_ALLOWED_HOSTS, HTTP_ALLOWED_ORIGINS, HTTP_NAMESPACES, HTTP_PORT, HTTP_TOKEN_FILE, LOG_FORMAT,
        MEMORY_BUDGET_MIB, NETWORK_EXTERNAL_ADDRESS, NETWORK_LISTEN, NETWORK_MAX_PEERS, NETWORK_MDNS, NETWORK_PEERS,
        PATHS, SETTINGS, STATUS_SOCKET, STORAGE_HISTORY_BLOCKS, STORAGE_MAX_SIZE_MIB, STORE_CACHE_MIB, Setting,
        env_name,
    },
};
use lucid_types::{ChainSpec, nearest};
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A flag of the command line.
    Flag(String),
    /// A variable of the environment.
    Environment(String),
    /// The configuration file.
    File(PathBuf),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// What the command line says; `None` where it says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--http-addr`
    pub http_addr: Option<IpAddr>,
    /// `--http-port`
    pub http_port: Option<u16>,
    /// `--http-allow-remote`
    pub http_allow_remote: bool,
    /// `--http-token-file`
    pub http_token_file: Option<PathBuf>,
    /// `--chain-param NAME=VALUE`, as often as wanted.
    pub chain_params: Vec<(String, String)>,
}

/// A setting as it holds, for people to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Section and name.
    pub key: String,
    /// Value as text; empty for nothing.
    pub value: String,
    /// Where it came from.
    pub source: Source,
}

/// What a node is told, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    values: Values,
    claims: Vec<Claim>,
    entries: Vec<Entry>,
    warnings: Vec<String>,
}

/// The settings as values.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Values {
    http_addr: SocketAddr,
    allow_remote: bool,
    token_file: Option<PathBuf>,
    allowed_hosts: Vec<String>,
    allowed_origins: Vec<String>,
    namespaces: Vec<String>,
    health_port: Option<u16>,
    status_socket: Option<PathBuf>,
    budget_mib: Option<u64>,
    cache_mib: Option<usize>,
    history_blocks: u64,
    max_size_mib: Option<u64>,
    backup_interval_hours: u64,
    backups_kept: u64,
    network: NetworkSettings,
    trust_local_clock: bool,
    log_format: LogFormat,
}

/// Where other nodes are and how they reach this one. Addresses are multiaddresses in text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkSettings {
    /// Where to listen; nowhere where there are none.
    pub listen: Vec<String>,
    /// Whom to dial until they are there.
    pub peers: Vec<String>,
    /// What leads here from outside.
    pub external_addresses: Vec<String>,
    /// Whether to look for nodes on the local network.
    pub mdns: bool,
    /// How many nodes may be connected.
    pub max_peers: u32,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// As whoever reads standard error reads it best.
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(()),
        }
    }
}

/// What names of the environment that have to do with this program begin with, those of its tests among them.
const OUR_PREFIX: &str = "LUCID_";

/// Endings of names that hold secrets. Their files may be named in the environment, and they themselves never.
const SECRET_ENDINGS: [&str; 5] = ["_KEY", "_TOKEN", "_SECRET", "_PASSWORD", "_MNEMONIC"];

impl Default for Config {
    /// What holds where nobody says anything.
    #[expect(clippy::expect_used, reason = "a test loads the defaults")]
    fn default() -> Self {
        Self::load(&Flags::default(), [], []).expect("every default is a value of its setting")
    }
}

impl Config {
    /// Puts flags before environment before file before defaults, and checks every value.
    ///
    /// Of several files a later one beats those before it. Unknown keys are refused, and unknown names that begin as ours
    /// do; what is only like them in the environment, which belongs to other programs too, gives a warning.
    pub fn load<'a>(
        flags: &Flags,
        environment: impl IntoIterator<Item = (String, String)>,
        files: impl IntoIterator<Item = &'a ConfigFile>,
    ) -> Result<Self, ConfigError> {
        let (mut layers, mut claims) = (Layers::default(), Vec::new());
        // After each layer: a value that another one hides is wrong all the same, and would come to light with it.
        for file in files {
            file_layer(file, &mut layers, &mut claims)?;
            Values::of(&layers.entries())?;
        }
        let mut warnings = Vec::new();
        environment_layer(environment, &mut layers, &mut claims, &mut warnings)?;
        Values::of(&layers.entries())?;
        flag_layer(flags, &mut layers, &mut claims)?;
        let entries = layers.entries();
        Ok(Self { values: Values::of(&entries)?, claims, entries, warnings })
    }

    /// Where the JSON-RPC server listens.
    pub const fn http_addr(&self) -> SocketAddr {
        self.values.http_addr
    }

    /// Whether it may listen off this machine.
    pub const fn allow_remote(&self) -> bool {
        self.values.allow_remote
    }

    /// The file with the token that callers must send.
    pub fn token_file(&self) -> Option<&Path> {
        self.values.token_file.as_deref()
    }

    /// Names that clients may call this machine by, beside its own.
    pub fn allowed_hosts(&self) -> &[String] {
        &self.values.allowed_hosts
    }

    /// Web pages that may call the node.
    pub fn allowed_origins(&self) -> &[String] {
        &self.values.allowed_origins
    }

    /// Groups of methods that are offered off this machine though they are not by themselves.
    pub fn namespaces(&self) -> &[String] {
        &self.values.namespaces
    }

    /// What of the memory goes to whom, on a machine that has `machine_bytes` of it.
    pub fn budget(&self, machine_bytes: Option<u64>) -> Budget {
        let shares = Budget::new(self.values.budget_mib, machine_bytes);
        Budget { cache_bytes: self.values.cache_mib.map_or(shares.cache_bytes, |mib| mib << 20), ..shares }
    }

    /// How many blocks back the state is kept.
    pub const fn history_blocks(&self) -> u64 {
        self.values.history_blocks
    }

    /// Bytes of its disk that the store's file may take; `None` for any.
    pub fn max_store_bytes(&self) -> Option<u64> {
        self.values.max_size_mib.map(|mib| mib << 20)
    }

    /// From one backup that the node makes by itself to the next; `None` where it makes none.
    pub const fn backup_interval(&self) -> Option<Duration> {
        match self.values.backup_interval_hours {
            0 => None,
            hours => Some(Duration::from_secs(hours * 3_600)),
        }
    }

    /// How many of the backups stay.
    pub const fn backups_kept(&self) -> usize {
        self.values.backups_kept as usize
    }

    /// Where other nodes are and how they reach this one.
    pub const fn network(&self) -> &NetworkSettings {
        &self.values.network
    }

    /// The port on this machine where the node says how it is.
    pub const fn health_port(&self) -> Option<u16> {
        self.values.health_port
    }

    /// The socket where the node says how it is.
    pub fn status_socket(&self) -> Option<&Path> {
        self.values.status_socket.as_deref()
    }

    /// How log lines are written.
    pub const fn log_format(&self) -> LogFormat {
        self.values.log_format
    }

    /// Whether an unsynchronised clock is trusted for a while.
    pub const fn trust_local_clock(&self) -> bool {
        self.values.trust_local_clock
    }

    /// What is odd and no error.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Every setting, and what was said of the chain.
    pub fn entries(&self) -> Vec<Entry> {
        let said = self.claims.iter().map(|claim| Entry {
            key: claim.name.clone(),
            value: claim.value.clone(),
            source: claim.source.clone(),
        });
        self.entries.iter().cloned().chain(said).collect()
    }

    /// Holds what was said of the chain against it.
    ///
    /// # Errors
    /// [`ConfigError::OtherThanChain`] for the first thing that is not so.
    pub fn check_chain(&self, spec: &ChainSpec) -> Result<(), ConfigError> {
        self.claims.iter().try_for_each(|claim| claim.check(spec))
    }
}

impl Values {
    /// Reads every entry, and refuses the first that is none of its setting.
    fn of(entries: &[Entry]) -> Result<Self, ConfigError> {
        let value = |setting: Setting| Value(entries.iter().find(|entry| entry.key == setting.key));
        let addr: IpAddr = value(HTTP_ADDR).parse("an IP address")?;
        let port = value(HTTP_PORT).parse(PORT_RANGE)?;
        let path = |setting| Some(value(setting).text()).filter(|text| !text.is_empty()).map(PathBuf::from);
        Ok(Self {
            http_addr: SocketAddr::new(addr, port),
            allow_remote: value(HTTP_ALLOW_REMOTE).parse("true or false")?,
            token_file: path(HTTP_TOKEN_FILE),
            allowed_hosts: value(HTTP_ALLOWED_HOSTS).list_of(is_host, names::HOST)?,
            allowed_origins: value(HTTP_ALLOWED_ORIGINS).list_of(is_origin, names::ORIGIN)?,
            namespaces: value(HTTP_NAMESPACES).list(),
            health_port: value(HEALTH_PORT).unless("", PORT_RANGE, |_| true)?,
            status_socket: path(STATUS_SOCKET),
            budget_mib: value(MEMORY_BUDGET_MIB).unless("auto", BUDGET_RANGE, |mib| BUDGETS_MIB.contains(mib))?,
            cache_mib: value(STORE_CACHE_MIB).unless("auto", CACHE_RANGE, |mib| (4..=4096).contains(mib))?,
            history_blocks: value(STORAGE_HISTORY_BLOCKS).within(HISTORY_RANGE, HISTORY_BLOCKS)?,
            max_size_mib: match value(STORAGE_MAX_SIZE_MIB).text() {
                "" => None,
                _ => value(STORAGE_MAX_SIZE_MIB).unless("0", SIZE_RANGE, |mib| (32..=1 << 24).contains(mib))?,
            },
            backup_interval_hours: value(BACKUP_INTERVAL_HOURS)
                .within("a number of hours from 1 to 8760, or 0", 0..=8_760)?,
            backups_kept: value(BACKUP_KEEP).within("a number from 1 to 1000", 1..=1_000)?,
            network: NetworkSettings {
                listen: value(NETWORK_LISTEN).list_of(addresses::is_own, addresses::OWN)?,
                peers: value(NETWORK_PEERS).list_of(addresses::is_peer, addresses::PEER)?,
                external_addresses: value(NETWORK_EXTERNAL_ADDRESS).list_of(addresses::is_own, addresses::OWN)?,
                mdns: value(NETWORK_MDNS).parse("true or false")?,
                max_peers: value(NETWORK_MAX_PEERS).within("a number from 3 to 128", 3..=128)? as u32,
            },
            trust_local_clock: value(CLOCK_TRUST_LOCAL).parse("true or false")?,
            log_format: value(LOG_FORMAT).parse("auto, text or json")?,
        })
    }
}

const PORT_RANGE: &str = "a port from 0 to 65535";
const CACHE_RANGE: &str = "auto, or a number of MiB from 4 to 4096";
const BUDGET_RANGE: &str = "auto, or a number of MiB from 64 to 65536";
const BUDGETS_MIB: RangeInclusive<u64> = MIN_BUDGET_MIB..=65_536;
const SIZE_RANGE: &str = "0, or a number of MiB from 32 to 16777216";
const HISTORY_RANGE: &str = "a number of blocks from 128 to 4096";

/// Programs expect as many at least, since nodes that are no archives keep 128 states; of more, a read would take too long.
const HISTORY_BLOCKS: RangeInclusive<u64> = 128..=4_096;

/// One entry, on its way to a type.
struct Value<'a>(Option<&'a Entry>);

impl Value<'_> {
    fn text(&self) -> &str {
        self.0.map_or("", |entry| &entry.value)
    }

    fn list(&self) -> Vec<String> {
        self.text().split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    fn list_of(&self, good: fn(&str) -> bool, expected: &'static str) -> Result<Vec<String>, ConfigError> {
        let list = self.list();
        match list.iter().find(|part| !good(part)) {
            None => Ok(list),
            Some(entry) => {
                let (key, source_of) = self.origin();
                Err(ConfigError::ListEntry { key, entry: entry.clone(), source_of, expected })
            }
        }
    }

    fn parse<T: FromStr>(&self, expected: &'static str) -> Result<T, ConfigError> {
        self.text().parse().map_err(|_| self.refused(expected))
    }

    /// A number of a range.
    fn within(&self, expected: &'static str, range: RangeInclusive<u64>) -> Result<u64, ConfigError> {
        self.parse(expected).and_then(
            |number| {
                if range.contains(&number) { Ok(number) } else { Err(self.refused(expected)) }
            },
        )
    }

    /// The value where it is not `word`, which stands for none.
    fn unless<T: FromStr>(
        &self,
        word: &str,
        expected: &'static str,
        good: impl Fn(&T) -> bool,
    ) -> Result<Option<T>, ConfigError> {
        if self.text() == word {
            return Ok(None);
        }
        Some(self.parse(expected)?).filter(good).ok_or_else(|| self.refused(expected)).map(Some)
    }

    fn refused(&self, expected: &'static str) -> ConfigError {
        let (key, source_of) = self.origin();
        ConfigError::Value { key, value: self.text().to_owned(), source_of, expected }
    }

    /// The setting, and where its value came from.
    fn origin(&self) -> (String, Source) {
        self.0.map_or((String::new(), Source::Default), |entry| (entry.key.clone(), entry.source.clone()))
    }
}

/// What was said of each setting, the strongest voice last.
#[derive(Debug, Default)]
struct Layers(Vec<(&'static str, String, Source)>);

impl Layers {
    fn say(&mut self, setting: Setting, value: String, source: Source) {
        self.0.push((setting.key, value, source));
    }

    fn entries(&self) -> Vec<Entry> {
        SETTINGS.map(|setting| self.entry(setting)).to_vec()
    }

    fn entry(&self, setting: Setting) -> Entry {
        let said = self.0.iter().rev().find(|(key, ..)| *key == setting.key);
        let (value, source) = said.map_or((setting.default.to_owned(), Source::Default), |(_, value, source)| {
            (value.clone(), source.clone())
        });
        Entry { key: setting.key.to_owned(), value, source }
    }
}

fn file_layer(file: &ConfigFile, layers: &mut Layers, said: &mut Vec<Claim>) -> Result<(), ConfigError> {
    for (key, value) in file.values()? {
        let source = Source::File(file.path.clone());
        if let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) {
            let is_path = PATHS.contains(setting) && !value.is_empty();
            layers.say(*setting, if is_path { from_folder_of(&file.path, &value) } else { value }, source);
        } else if claims::keys().any(|known| known == key) {
            said.push(Claim::of_parameter(&key, value, source)?);
        } else {
            // What stands by itself is compared with sections, and what stands in one with keys.
            let keys = SETTINGS.iter().map(|setting| setting.key).chain(claims::keys());
            let known = keys.map(|known| if key.contains('.') { known } else { section_of(known) });
            return Err(ConfigError::UnknownKey { path: file.path.clone(), nearest: nearest(&key, known), key });
        }
    }
    Ok(())
}

/// A path that a file names, as it is from the working directory: a service has another one than whoever wrote the file.
fn from_folder_of(file: &Path, value: &str) -> String {
    file.parent().unwrap_or(Path::new("")).join(value).to_string_lossy().into_owned()
}

fn environment_layer(
    environment: impl IntoIterator<Item = (String, String)>,
    layers: &mut Layers,
    said: &mut Vec<Claim>,
    warnings: &mut Vec<String>,
) -> Result<(), ConfigError> {
    for (name, value) in environment {
        let source = Source::Environment(name.clone());
        if let Some(claim) = Claim::of_legacy(&name, &value) {
            said.push(claim);
        } else if let Some(setting) = SETTINGS.iter().find(|setting| env_name(setting.key) == name) {
            layers.say(*setting, value, source);
        } else if let Some(key) = claims::keys().find(|key| env_name(key) == name) {
            said.push(Claim::of_parameter(key, value, source)?);
        } else if name.starts_with(OUR_PREFIX) {
            if SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending)) {
                return Err(ConfigError::SecretInEnvironment(name));
            }
            let is_ours = name.starts_with(ENV_PREFIX);
            let unknown = ConfigError::UnknownVariable { nearest: nearest_variable(&name), name };
            if is_ours {
                return Err(unknown);
            }
            warnings.push(unknown.to_string());
        }
    }
    Ok(())
}

fn nearest_variable(name: &str) -> Option<String> {
    let known: Vec<String> = SETTINGS.iter().map(|s| s.key).chain(claims::keys()).map(env_name).collect();
    nearest(name, known.iter().map(String::as_str)).map(str::to_owned)
}

fn flag_layer(flags: &Flags, layers: &mut Layers, said: &mut Vec<Claim>) -> Result<(), ConfigError> {
    let token_file = flags.http_token_file.as_ref().map(|path| path.to_string_lossy().into_owned());
    let given = [
        (HTTP_ADDR, flags.http_addr.map(|addr| addr.to_string())),
        (HTTP_PORT, flags.http_port.map(|port| port.to_string())),
        (HTTP_ALLOW_REMOTE, flags.http_allow_remote.then(|| "true".to_owned())),
        (HTTP_TOKEN_FILE, token_file),
    ];
    for (setting, value) in given {
        if let Some(value) = value {
            layers.say(setting, value, Source::Flag(format!("--{}", setting.key.replace('.', "-"))));
        }
    }
    for (name, value) in &flags.chain_params {
        said.push(Claim::of_parameter(name, value.clone(), Source::Flag("--chain-param".to_owned()))?);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
