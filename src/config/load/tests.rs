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
    let variables = env(&[("LUCID__HTTP__PORT", "2"), ("LUCID__HTTP__ADDR", "127.0.0.3"), ("PATH", "/bin")]);
    let config = Config::load(&flags, variables, [&file(text)]).unwrap();
    assert_eq!(config.http_addr(), "127.0.0.3:3".parse().unwrap());
    assert!(config.allow_remote() && !config.trust_local_clock());
    assert_eq!(source_of(&config, "http.port"), &Source::Flag("--http-port".to_owned()));
    assert_eq!(source_of(&config, "http.addr"), &Source::Environment("LUCID__HTTP__ADDR".to_owned()));
    assert_eq!(source_of(&config, "http.allow-remote"), &Source::File(PathBuf::from("lucid.toml")));
    assert_eq!(source_of(&config, "store.cache-mib"), &Source::Default);
    assert_eq!(config.warnings(), [] as [String; 0]);
}

/// A node that nobody told to must not open a port to everybody.
#[test]
fn other_nodes_reach_this_one_only_where_it_is_told_to_listen() {
    let load = |text: &str| Config::load(&Flags::default(), [], [&file(text)]);
    let silent = load("").unwrap();
    assert!(silent.network().listen.is_empty() && silent.network().peers.is_empty() && !silent.network().mdns);
    assert_eq!(silent.network().max_peers, 32);
    let peer = "/ip4/192.0.2.1/tcp/8547/p2p/12D3KooWLJtG8fd2hkQzTn96MrLvThmnNQjTUFZwGEsLRz5EmSzc";
    let told = load(&format!(
        "[network]\nlisten = [\"/ip4/0.0.0.0/tcp/8547\", \"/ip6/::/tcp/8547\"]\npeers = [\"{peer}\"]\n\
         external-address = \"/ip4/192.0.2.9/tcp/1\"\nmdns = true\nmax-peers = 3\n"
    ));
    let told = told.unwrap().network().clone();
    assert_eq!((told.listen.len(), told.external_addresses.len(), told.mdns, told.max_peers), (2, 1, true, 3));
    assert_eq!(told.peers, [peer]);
    for (text, expected) in [
        ("listen = \"0.0.0.0:8547\"", "network.listen names 0.0.0.0:8547"),
        ("peers = [\"/ip4/192.0.2.1/tcp/8547\"]", "names of hosts are not looked up"),
        ("external-address = \"/dns4/a.example/tcp/1\"", "network.external-address names"),
        ("max-peers = 2", "from 3 to 128"),
        ("max-peers = 129", "network.max-peers is 129"),
        ("mdns = 1", "true or false"),
    ] {
        let refused = load(&format!("[network]\n{text}\n")).unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn an_unknown_key_is_refused_with_what_was_meant() {
    let refused = |text: &str| Config::load(&Flags::default(), [], [&file(text)]).unwrap_err().to_string();
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
    let refused =
        |name: &str, value: &str| Config::load(&Flags::default(), env(&[(name, value)]), []).unwrap_err().to_string();
    let said = refused("LUCID__HTTP__PORT", "70000");
    assert_eq!(said, "http.port is 70000 (environment LUCID__HTTP__PORT), and must be a port from 0 to 65535");
    assert!(refused("LUCID__HTTP__ADDR", "localhost").contains("an IP address"));
    assert!(refused("LUCID__STORE__CACHE_MIB", "3").contains("from 4 to 4096"));
    assert!(refused("LUCID__CLOCK__TRUST_LOCAL", "yes").contains("true or false"));
}

/// Once the flag is gone the node would not start any longer, and nobody would know why.
#[test]
fn what_the_store_may_take_and_keep_is_a_number_within_bounds() {
    let load = |text: &str| Config::load(&Flags::default(), [], [&file(text)]);
    let bounded = load("[storage]\nmax-size-mib = 32\nhistory-blocks = 128\n[backup]\ninterval-hours = 24\n").unwrap();
    assert_eq!((bounded.max_store_bytes(), bounded.history_blocks()), (Some(32 << 20), 128));
    assert_eq!((bounded.backup_interval().map(|it| it.as_secs()), bounded.backups_kept()), (Some(86_400), 3));
    for free in ["", "[storage]\nmax-size-mib = 0\n", "[storage]\nmax-size-mib = \"\"\n"] {
        let config = load(free).unwrap();
        assert_eq!((config.max_store_bytes(), config.history_blocks()), (None, 4_096));
        assert_eq!(config.backup_interval(), None);
    }
    for (text, expected) in [
        ("[storage]\nmax-size-mib = 31\n", "storage.max-size-mib is 31"),
        ("[storage]\nhistory-blocks = 127\n", "from 128 to 4096"),
        ("[storage]\nhistory-blocks = 4097\n", "storage.history-blocks is 4097"),
        ("[backup]\ninterval-hours = 8761\n", "1 to 8760"),
        ("[backup]\nkeep = 0\n", "backup.keep is 0"),
    ] {
        let refused = load(text).unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn a_bad_value_is_found_behind_a_good_one_that_hides_it() {
    let flags = Flags { http_port: Some(1), ..Flags::default() };
    let said = Config::load(&flags, [], [&file("[http]\nport = \"many\"\n")]).unwrap_err().to_string();
    assert!(said.contains("http.port is many (file lucid.toml)"), "{said}");
    let said = Config::load(&flags, env(&[("LUCID__HTTP__PORT", "x")]), []).unwrap_err().to_string();
    assert!(said.contains("http.port is x (environment LUCID__HTTP__PORT)"), "{said}");
    let variables = env(&[("LUCID__STORE__CACHE_MIB", "8")]);
    let hidden = Config::load(&flags, variables, [&file("[store]\ncache-mib = 1\n")]).unwrap_err().to_string();
    assert!(hidden.contains("store.cache-mib is 1 (file"), "{hidden}");
}

/// Everywhere else `*` would mean everybody. Here it would mean nobody, and its reader would not learn it.
#[test]
fn hosts_and_origins_that_no_request_can_have_are_refused() {
    let refused = |text: &str| Config::load(&Flags::default(), [], [&file(text)]).unwrap_err().to_string();
    let said = refused("[http]\nallowed-origins = [\"https://app.example\", \"*\"]\n");
    assert!(said.contains("http.allowed-origins names * (file lucid.toml)") && said.contains("all pages"), "{said}");
    assert!(refused("[http]\nallowed-origins = \"null\"\n").contains("names null"));
    assert!(refused("[http]\nallowed-hosts = \"*\"\n").contains("http.allowed-hosts names *"));
    assert!(refused("[http]\nallowed-hosts = \"http://a.example\"\n").contains("node.example"));
}

#[test]
fn lists_are_written_with_commas_or_as_lists() {
    let text = "[http]\nallowed-hosts = [\"a.example\", \"b.example\"]\nnamespaces = \"txpool\"\n";
    let variables = env(&[("LUCID__HTTP__ALLOWED_ORIGINS", "https://a.example , https://b.example,")]);
    let config = Config::load(&Flags::default(), variables, [&file(text)]).unwrap();
    assert_eq!(config.allowed_hosts(), ["a.example", "b.example"]);
    assert_eq!(config.allowed_origins(), ["https://a.example", "https://b.example"]);
    assert_eq!(config.namespaces(), ["txpool"]);
}

#[test]
fn an_unknown_variable_is_refused_or_remarked_upon_and_a_secret_one_refused_without_its_value() {
    let load = |name: &str| Config::load(&Flags::default(), env(&[(name, "5ec7e7")]), []);
    assert!(load("LUCID_HTTP_PORT").unwrap().warnings()[0].contains("did you mean LUCID__HTTP__PORT?"));
    let refused = load("LUCID__HTTP__PROT").unwrap_err().to_string();
    assert_eq!(refused, "the environment has LUCID__HTTP__PROT, which is no setting; did you mean LUCID__HTTP__PORT?");
    assert!(load("LUCIDITY").unwrap().warnings().is_empty());
    for name in ["LUCID_ACCOUNT_KEY", "LUCID__HTTP__TOKEN"] {
        let said = load(name).unwrap_err().to_string();
        assert!(said.contains(name) && !said.contains("5ec7e7"), "{said}");
    }
}

#[test]
fn what_is_said_of_the_chain_is_shown_with_the_rest() {
    let flags = Flags { chain_params: vec![("id".to_owned(), "7".to_owned())], ..Flags::default() };
    let config = Config::load(&flags, env(&[("COOLDOWN_SLOTS", "16")]), []).unwrap();
    let said: Vec<_> = config.entries().into_iter().skip(SETTINGS.len()).map(|entry| entry.key).collect();
    assert_eq!(said, ["COOLDOWN_SLOTS", "chain.id"]);
}

/// A service has another working directory than whoever wrote the file.
#[test]
fn a_path_in_a_file_begins_at_its_folder_and_elsewhere_at_the_working_directory() {
    let text = "[http]\ntoken-file = \"token\"\n[status]\nsocket = \"/run/node.sock\"\n";
    let files = [ConfigFile { path: PathBuf::from("/etc/node/lucid.toml"), text: text.to_owned() }];
    let config = Config::load(&Flags::default(), [], &files).unwrap();
    assert_eq!(config.token_file(), Some(Path::new("/etc/node/token")));
    assert_eq!(config.status_socket(), Some(Path::new("/run/node.sock")));
    let shown = config.entries().into_iter().find(|entry| entry.key == "http.token-file").unwrap();
    assert_eq!(shown.value, "/etc/node/token");

    let config = Config::load(&Flags::default(), env(&[("LUCID__HTTP__TOKEN_FILE", "token")]), &files).unwrap();
    assert_eq!(config.token_file(), Some(Path::new("token")));
    let flags = Flags { http_token_file: Some(PathBuf::from("other")), ..Flags::default() };
    assert_eq!(Config::load(&flags, [], &files).unwrap().token_file(), Some(Path::new("other")));
    let none = [ConfigFile { text: "[http]\ntoken-file = \"\"\n".to_owned(), ..files[0].clone() }];
    assert_eq!(Config::load(&Flags::default(), [], &none).unwrap().token_file(), None);
}
