//! Putting the layers together.

use super::{
    claims::{self, Claim},
    error::ConfigError,
    file::{ConfigFile, section_of},
    names::{self, is_host, is_origin},
    settings::{
        CLOCK_TRUST_LOCAL, ENV_PREFIX, HTTP_ADDR, HTTP_ALLOW_REMOTE, HTTP_ALLOWED_HOSTS, HTTP_ALLOWED_ORIGINS,
        HTTP_NAMESPACES, HTTP_PORT, HTTP_TOKEN_FILE, SETTINGS, STORE_CACHE_MIB, Setting, env_name,
    },
    suggest::nearest,
};
use lucid_types::ChainSpec;
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
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
    cache_bytes: usize,
    trust_local_clock: bool,
}

/// Endings of names that hold secrets. Their files may be named in the environment, and they themselves never.
const SECRET_ENDINGS: [&str; 5] = ["_KEY", "_TOKEN", "_SECRET", "_PASSWORD", "_MNEMONIC"];

impl Config {
    /// Puts flags before environment before file before defaults, and checks every value.
    ///
    /// Unknown keys of the file are refused. The environment belongs to other programs too, so an unknown name there
    /// only gives a warning.
    pub fn load(
        flags: &Flags,
        environment: impl IntoIterator<Item = (String, String)>,
        file: Option<&ConfigFile>,
    ) -> Result<Self, ConfigError> {
        let (mut layers, mut claims) = file_layer(file)?;
        // After each layer: a value that another one hides is wrong all the same, and would come to light with it.
        Values::of(&layers.entries())?;
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

    /// Memory for pages of the store, in bytes.
    pub const fn cache_bytes(&self) -> usize {
        self.values.cache_bytes
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
        let port = value(HTTP_PORT).parse("a port from 0 to 65535")?;
        let cache_mib: usize = value(STORE_CACHE_MIB).parse(CACHE_RANGE)?;
        if !(4..=4096).contains(&cache_mib) {
            return Err(value(STORE_CACHE_MIB).refused(CACHE_RANGE));
        }
        let token_file = value(HTTP_TOKEN_FILE);
        let token_file = token_file.text();
        Ok(Self {
            http_addr: SocketAddr::new(addr, port),
            allow_remote: value(HTTP_ALLOW_REMOTE).parse("true or false")?,
            token_file: (!token_file.is_empty()).then(|| PathBuf::from(token_file)),
            allowed_hosts: value(HTTP_ALLOWED_HOSTS).list_of(is_host, names::HOST)?,
            allowed_origins: value(HTTP_ALLOWED_ORIGINS).list_of(is_origin, names::ORIGIN)?,
            namespaces: value(HTTP_NAMESPACES).list(),
            cache_bytes: cache_mib << 20,
            trust_local_clock: value(CLOCK_TRUST_LOCAL).parse("true or false")?,
        })
    }
}

const CACHE_RANGE: &str = "a number of MiB from 4 to 4096";

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

fn file_layer(file: Option<&ConfigFile>) -> Result<(Layers, Vec<Claim>), ConfigError> {
    let (mut layers, mut said) = (Layers::default(), Vec::new());
    let Some(file) = file else { return Ok((layers, said)) };
    for (key, value) in file.values()? {
        let source = Source::File(file.path.clone());
        if let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) {
            layers.say(*setting, value, source);
        } else if claims::keys().any(|known| known == key) {
            said.push(Claim::of_parameter(&key, value, source)?);
        } else {
            // What stands by itself is compared with sections, and what stands in one with keys.
            let keys = SETTINGS.iter().map(|setting| setting.key).chain(claims::keys());
            let known = keys.map(|known| if key.contains('.') { known } else { section_of(known) });
            return Err(ConfigError::UnknownKey { path: file.path.clone(), nearest: nearest(&key, known), key });
        }
    }
    Ok((layers, said))
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
        } else if name.starts_with(ENV_PREFIX) {
            if SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending)) {
                return Err(ConfigError::SecretInEnvironment(name));
            }
            warnings.push(unknown_variable(&name));
        }
    }
    Ok(())
}

fn unknown_variable(name: &str) -> String {
    let known: Vec<String> = SETTINGS.iter().map(|s| s.key).chain(claims::keys()).map(env_name).collect();
    let meant = nearest(name, known.iter().map(String::as_str));
    let meant = meant.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
    format!("the environment has {name}, which is no setting{meant}")
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
mod tests {
    use super::*;

    fn file(text: &str) -> ConfigFile {
        ConfigFile { path: PathBuf::from("lucid.toml"), text: text.to_owned() }
    }

    fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn source_of<'a>(config: &'a Config, key: &str) -> &'a Source {
        &config.entries.iter().find(|entry| entry.key == key).unwrap().source
    }

    #[test]
    fn a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default() {
        let text = "[http]\nport = 1\naddr = \"127.0.0.2\"\nallow-remote = true\n";
        let flags = Flags { http_port: Some(3), ..Flags::default() };
        let variables = env(&[("LUCID_HTTP_PORT", "2"), ("LUCID_HTTP_ADDR", "127.0.0.3"), ("PATH", "/bin")]);
        let config = Config::load(&flags, variables, Some(&file(text))).unwrap();
        assert_eq!(config.http_addr(), "127.0.0.3:3".parse().unwrap());
        assert!(config.allow_remote() && !config.trust_local_clock());
        assert_eq!(source_of(&config, "http.port"), &Source::Flag("--http-port".to_owned()));
        assert_eq!(source_of(&config, "http.addr"), &Source::Environment("LUCID_HTTP_ADDR".to_owned()));
        assert_eq!(source_of(&config, "http.allow-remote"), &Source::File(PathBuf::from("lucid.toml")));
        assert_eq!(source_of(&config, "store.cache-mib"), &Source::Default);
        assert_eq!(config.warnings(), [] as [String; 0]);
    }

    #[test]
    fn an_unknown_key_is_refused_with_what_was_meant() {
        let refused = |text: &str| Config::load(&Flags::default(), [], Some(&file(text))).unwrap_err().to_string();
        let said = refused("[http]\nprot = 1\n");
        assert!(said.contains("lucid.toml has the unknown key http.prot; did you mean http.port?"), "{said}");
        assert!(refused("[mongodb]\nurl = \"x\"\n").ends_with("unknown key mongodb.url"));
        assert!(refused("port = 1\n").contains("unknown key port"));
        assert!(refused("[chain]\nepoch-slot = 1\n").contains("did you mean chain.epoch-slots?"));
        assert!(refused("[mongodb]\n").ends_with("unknown key mongodb"));
        assert!(refused("http = []\n").contains("written as [http]"));
        assert!(refused("[htp]\n").contains("unknown key htp; did you mean http?"));
        assert!(refused("[http\n").contains("not valid TOML"));
        assert!(refused("[http]\nport = [[1]]\n").contains("http.port is no value"));
    }

    #[test]
    fn a_bad_value_is_named_with_its_place_and_what_it_may_be() {
        let refused = |name: &str, value: &str| {
            Config::load(&Flags::default(), env(&[(name, value)]), None).unwrap_err().to_string()
        };
        let said = refused("LUCID_HTTP_PORT", "70000");
        assert_eq!(said, "http.port is 70000 (environment LUCID_HTTP_PORT), and must be a port from 0 to 65535");
        assert!(refused("LUCID_HTTP_ADDR", "localhost").contains("an IP address"));
        assert!(refused("LUCID_STORE_CACHE_MIB", "3").contains("from 4 to 4096"));
        assert!(refused("LUCID_CLOCK_TRUST_LOCAL", "yes").contains("true or false"));
    }

    /// Once the flag is gone the node would not start any longer, and nobody would know why.
    #[test]
    fn a_bad_value_is_found_behind_a_good_one_that_hides_it() {
        let flags = Flags { http_port: Some(1), ..Flags::default() };
        let said = Config::load(&flags, [], Some(&file("[http]\nport = \"many\"\n"))).unwrap_err().to_string();
        assert!(said.contains("http.port is many (file lucid.toml)"), "{said}");
        let said = Config::load(&flags, env(&[("LUCID_HTTP_PORT", "x")]), None).unwrap_err().to_string();
        assert!(said.contains("http.port is x (environment LUCID_HTTP_PORT)"), "{said}");
        let variables = env(&[("LUCID_STORE_CACHE_MIB", "8")]);
        let hidden = Config::load(&flags, variables, Some(&file("[store]\ncache-mib = 1\n"))).unwrap_err().to_string();
        assert!(hidden.contains("store.cache-mib is 1 (file"), "{hidden}");
    }

    /// Everywhere else `*` would mean everybody. Here it would mean nobody, and its reader would not learn it.
    #[test]
    fn hosts_and_origins_that_no_request_can_have_are_refused() {
        let refused = |text: &str| Config::load(&Flags::default(), [], Some(&file(text))).unwrap_err().to_string();
        let said = refused("[http]\nallowed-origins = [\"https://app.example\", \"*\"]\n");
        assert!(
            said.contains("http.allowed-origins names * (file lucid.toml)") && said.contains("all pages"),
            "{said}"
        );
        assert!(refused("[http]\nallowed-origins = \"null\"\n").contains("names null"));
        assert!(refused("[http]\nallowed-hosts = \"*\"\n").contains("http.allowed-hosts names *"));
        assert!(refused("[http]\nallowed-hosts = \"http://a.example\"\n").contains("node.example"));
    }

    #[test]
    fn lists_are_written_with_commas_or_as_lists() {
        let text = "[http]\nallowed-hosts = [\"a.example\", \"b.example\"]\nnamespaces = \"txpool\"\n";
        let variables = env(&[("LUCID_HTTP_ALLOWED_ORIGINS", "https://a.example , https://b.example,")]);
        let config = Config::load(&Flags::default(), variables, Some(&file(text))).unwrap();
        assert_eq!(config.allowed_hosts(), ["a.example", "b.example"]);
        assert_eq!(config.allowed_origins(), ["https://a.example", "https://b.example"]);
        assert_eq!(config.namespaces(), ["txpool"]);
    }

    #[test]
    fn an_unknown_variable_is_remarked_upon_and_a_secret_one_refused_without_its_value() {
        let load = |name: &str| Config::load(&Flags::default(), env(&[(name, "5ec7e7")]), None);
        assert!(load("LUCID_HTTP_PROT").unwrap().warnings()[0].contains("did you mean LUCID_HTTP_PORT?"));
        assert!(load("LUCIDITY").unwrap().warnings().is_empty());
        for name in ["LUCID_ACCOUNT_KEY", "LUCID_HTTP_TOKEN"] {
            let said = load(name).unwrap_err().to_string();
            assert!(said.contains(name) && !said.contains("5ec7e7"), "{said}");
        }
    }

    #[test]
    fn what_is_said_of_the_chain_is_shown_with_the_rest() {
        let flags = Flags { chain_params: vec![("id".to_owned(), "7".to_owned())], ..Flags::default() };
        let config = Config::load(&flags, env(&[("COOLDOWN_SLOTS", "16")]), None).unwrap();
        let said: Vec<_> = config.entries().into_iter().skip(SETTINGS.len()).map(|entry| entry.key).collect();
        assert_eq!(said, ["COOLDOWN_SLOTS", "chain.id"]);
    }
}
