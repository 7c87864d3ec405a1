//! Making a data folder: keys, the file of what they signed, the chain spec, the store with its genesis.
//!
//! Every part appears whole or not at all, and the store comes last: where a kill cut it short, running it again goes
//! on with the keys and the chain spec that are there.

use super::{
    datadir::{DataDir, write_whole},
    dev::dev_chain_spec,
    error::NodeError,
    solo::{SoloSpecError, solo_chain_spec},
    state::create_store,
};
use crate::{
    chain,
    config::ConfigFile,
    evm::precompile_name,
    keys::{
        ACCOUNT_KEY_FILE, CONSENSUS_KEY_FILE, HighestSigned, HighestSignedFile, KeyError, NodeKeys, SecretKey,
        clear_unfinished, read_key_file,
    },
};
use alloy_primitives::B256;
use lucid_storage::{BlockchainState, Current, Options, Reader, Store};
use lucid_types::{ChainSpec, Rules};
use std::{fs, io, os::unix::fs::symlink, path::Path};

/// How far after the clock of this machine a chain may begin, in seconds: time enough to hand out a spec, and less than a
/// slip of one digit.
pub(super) const MAX_GENESIS_AHEAD_SECS: u64 = 86_400;

/// Which chain a data folder is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewChain {
    /// A chain of this node alone, with the parameters of `lucid`.
    Solo,
    /// A development chain in a folder of its own.
    Dev,
    /// The chain that a spec describes.
    Spec(Box<ChainSpec>),
    /// The same, by a node that is none of its validators yet: it gets the chain from them.
    Followed(Box<ChainSpec>),
}

/// Where the configuration of a new folder comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewConfig<'a> {
    /// A file of its own, with this text.
    Text(&'a str),
    /// This file and the parts beside it, which a package keeps: one configuration, whoever is given the folder.
    Shared(&'a Path),
}

/// A data folder that was made.
#[derive(Debug)]
pub struct Initialised {
    /// The chain.
    pub spec: ChainSpec,
    /// Hash of its first block.
    pub genesis_hash: B256,
    /// The node's keys, new or found.
    pub keys: NodeKeys,
    /// Whether it is known what the consensus key has signed. Of one that was put there it is not.
    pub signed_known: bool,
}

/// Makes the chain in `datadir`, which holds none yet, and whatever of its keys is missing.
///
/// `config` is used where there is no configuration file; `now` is in Unix seconds.
pub fn init(datadir: &DataDir, chain: NewChain, config: NewConfig<'_>, now: u64) -> Result<Initialised, NodeError> {
    refuse_used(datadir)?;
    match &chain {
        NewChain::Spec(spec) => {
            refuse_spec(spec, now)?;
            // Before keys are made: beside new ones the right ones could not be imported any longer.
            refuse_foreign(datadir, spec)?;
        }
        NewChain::Followed(spec) => refuse_spec(spec, now)?,
        NewChain::Solo | NewChain::Dev => {}
    }
    clear_unfinished(&datadir.keys())?;
    let keys = NodeKeys::load_or_create(&datadir.keys())?;
    refuse_signed(datadir)?;
    let spec = spec_of(datadir, chain, &keys, now)?;
    write_new(&datadir.chain_spec(), &spec.to_canonical_json())?;
    match config {
        NewConfig::Text(text) => write_new(&datadir.config(), text.as_bytes())?,
        NewConfig::Shared(file) => {
            link_new(&datadir.config(), file)?;
            link_new(&ConfigFile::parts_beside(&datadir.config()), &ConfigFile::parts_beside(file))?;
        }
    }
    let genesis_hash = if datadir.store().exists() {
        // Cut short between the file and its first block.
        let store = Store::open(datadir.store(), &Options::default())?;
        store.meta().genesis_hash
    } else {
        chain::genesis_header(&spec)?.hash()
    };
    create_store(datadir, &spec, &Options::default())?;
    let signed_known = HighestSignedFile::in_folder(&datadir.keys()).read()?.is_some();
    Ok(Initialised { spec, genesis_hash, keys, signed_known })
}

/// Refuses a spec that is in order and that nobody can mean.
fn refuse_spec(spec: &ChainSpec, now: u64) -> Result<(), NodeError> {
    let genesis_time = spec.genesis_time;
    if genesis_time > now.saturating_add(MAX_GENESIS_AHEAD_SECS) {
        return Err(NodeError::GenesisAhead { genesis_time, now });
    }
    let named = |address| precompile_name(address).map(|name| (*address, name));
    match spec.allocations.keys().find_map(named) {
        Some((address, name)) => Err(NodeError::PrecompileAllocation { address, name }),
        None => Ok(()),
    }
}

/// Refuses a spec whose only validator is another node than the one that the keys in the folder make: nobody could ever
/// make a block here.
fn refuse_foreign(datadir: &DataDir, spec: &ChainSpec) -> Result<(), NodeError> {
    let [validator] = &spec.validators[..] else { return Ok(()) };
    let keys = datadir.keys();
    let refused = |found: String| NodeError::ForeignValidator { validator: validator.node, keys: keys.clone(), found };
    match found_key(&keys.join(ACCOUNT_KEY_FILE))? {
        None => return Err(refused(format!("no {ACCOUNT_KEY_FILE}"))),
        Some(key) if key.address() != validator.node => {
            return Err(refused(format!("the account key of {}", key.address())));
        }
        Some(_) => {}
    }
    match found_key(&keys.join(CONSENSUS_KEY_FILE))? {
        None => Err(refused(format!("no {CONSENSUS_KEY_FILE}"))),
        Some(key) if key.public_key_compressed() != *validator.consensus_key.as_bytes() => {
            Err(refused("another consensus key than the spec has for it".to_owned()))
        }
        Some(_) => Ok(()),
    }
}

fn found_key(path: &Path) -> Result<Option<SecretKey>, NodeError> {
    match read_key_file(path) {
        Err(KeyError::NotFound { .. }) => Ok(None),
        read => Ok(Some(read?)),
    }
}

/// Refuses a folder with a chain in it, or with things that are none of a node's.
fn refuse_used(datadir: &DataDir) -> Result<(), NodeError> {
    let path = datadir.path();
    if datadir.store().exists() {
        let store = Store::open(datadir.store(), &Options::default())?;
        if store.snapshot()?.contains::<BlockchainState>(&Current)? {
            let spec = ChainSpec::from_json(&store.meta().chain_spec)?;
            let genesis_hash = store.meta().genesis_hash;
            return Err(NodeError::HoldsAChain { path: path.to_owned(), chain_id: spec.chain_id, genesis_hash });
        }
    }
    refuse_foreign_files(datadir)
}

/// Refuses a folder with things in it that are none of a node's.
pub(super) fn refuse_foreign_files(datadir: &DataDir) -> Result<(), NodeError> {
    let path = datadir.path();
    let io = |source| NodeError::Io { path: path.to_owned(), source };
    for entry in fs::read_dir(path).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        if !DataDir::is_ours(&name) {
            return Err(NodeError::NotEmpty { path: path.to_owned(), found: name.to_string_lossy().into_owned() });
        }
    }
    Ok(())
}

/// Keys that have signed belong to a chain that is not here: a disk that is not mounted, or a store to be restored.
fn refuse_signed(datadir: &DataDir) -> Result<(), NodeError> {
    match HighestSignedFile::in_folder(&datadir.keys()).read()? {
        Some(signed) if signed > HighestSigned::NOTHING => {
            Err(NodeError::KeysHaveSigned { path: datadir.keys(), height: signed.height })
        }
        _ => Ok(()),
    }
}

/// The spec that is asked for, or the one that an earlier run has left.
fn spec_of(datadir: &DataDir, chain: NewChain, keys: &NodeKeys, now: u64) -> Result<ChainSpec, NodeError> {
    let path = datadir.chain_spec();
    let left = datadir.read_chain_spec()?;
    let dev = chain == NewChain::Dev;
    match (chain, left) {
        (NewChain::Spec(spec) | NewChain::Followed(spec), None) => Ok(*spec),
        (NewChain::Spec(spec) | NewChain::Followed(spec), Some(left)) if *spec == left => Ok(left),
        (NewChain::Solo, None) => Ok(solo_chain_spec(keys, now)?),
        (NewChain::Dev, None) => Ok(dev_chain_spec(keys, now).map_err(SoloSpecError::from)?),
        (NewChain::Solo | NewChain::Dev, Some(left))
            if left.server == keys.account().address()
                && left.validators.len() == 1
                && dev == (left.rules == Rules::Dev) =>
        {
            Ok(left)
        }
        (_, Some(left)) => Err(NodeError::OtherSpec { path, chain_id: left.chain_id }),
    }
}

/// Writes a file that is not there yet; one that is there stays as it is.
fn write_new(path: &Path, content: &[u8]) -> Result<(), NodeError> {
    if path.exists() { Ok(()) } else { write_whole(path, content) }
}

/// Makes a link where nothing is yet.
fn link_new(path: &Path, target: &Path) -> Result<(), NodeError> {
    match symlink(target, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(NodeError::Io { path: path.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const NOW: u64 = 1_800_000_000;
    const NO_CONFIG: NewConfig<'_> = NewConfig::Text("");

    fn folder() -> DataDir {
        DataDir::temporary().unwrap()
    }

    #[test]
    fn a_folder_shares_the_configuration_of_a_package_and_keeps_its_own_where_it_has_one() {
        let (shared, own) = (folder(), folder());
        let installed = tempfile::tempdir().unwrap();
        let file = installed.path().join("lucid-node.toml");
        fs::write(&file, "# installed\n").unwrap();
        fs::create_dir(installed.path().join("conf.d")).unwrap();
        init(&shared, NewChain::Solo, NewConfig::Shared(&file), NOW).unwrap();
        assert_eq!(fs::read_link(shared.config()).unwrap(), file);
        assert_eq!(fs::read_link(shared.path().join("conf.d")).unwrap(), installed.path().join("conf.d"));
        fs::write(own.config(), "# own\n").unwrap();
        init(&own, NewChain::Solo, NewConfig::Shared(&file), NOW).unwrap();
        assert_eq!(fs::read_to_string(own.config()).unwrap(), "# own\n");
    }

    #[test]
    fn a_new_folder_has_keys_spec_config_and_a_private_store() {
        let folder = folder();
        let made = init(&folder, NewChain::Solo, NewConfig::Text("# config\n"), NOW).unwrap();
        assert_eq!(made.keys.account().address(), made.spec.server);
        let spec = ChainSpec::from_json(&fs::read(folder.chain_spec()).unwrap()).unwrap();
        assert_eq!(spec, made.spec);
        assert_eq!(fs::read_to_string(folder.config()).unwrap(), "# config\n");
        assert_eq!(fs::metadata(folder.store()).unwrap().permissions().mode() & 0o777, 0o600);
        let store = Store::open(folder.store(), &Options::default()).unwrap();
        assert_eq!(chain::read_head(&store.snapshot().unwrap()).unwrap().hash(), made.genesis_hash);
        assert_eq!(
            HighestSignedFile::in_folder(&folder.keys()).read().unwrap(),
            Some(HighestSigned::NOTHING),
            "the keys are new"
        );
    }

    #[test]
    fn a_folder_with_a_chain_or_with_strange_things_is_left_alone() {
        let folder = folder();
        let made = init(&folder, NewChain::Solo, NO_CONFIG, NOW).unwrap();
        let again = init(&folder, NewChain::Solo, NO_CONFIG, NOW).unwrap_err();
        assert!(matches!(again, NodeError::HoldsAChain { genesis_hash, .. } if genesis_hash == made.genesis_hash));
        let strange = self::folder();
        fs::write(strange.path().join("letters.txt"), "dear").unwrap();
        let refused = init(&strange, NewChain::Solo, NO_CONFIG, NOW).unwrap_err();
        assert!(matches!(&refused, NodeError::NotEmpty { found, .. } if found == "letters.txt"), "{refused}");
        assert!(!strange.keys().exists(), "nothing was made");
    }

    /// What a kill leaves at each moment, and then the same command again.
    #[test]
    fn a_run_that_was_cut_short_is_gone_on_with() {
        let whole = folder();
        let made = init(&whole, NewChain::Solo, NO_CONFIG, NOW).unwrap();
        for last in ["keys", "chain.json", "lucid.toml"] {
            let cut = folder();
            NodeKeys::load_or_create(&cut.keys()).unwrap();
            for name in ["account.key", "consensus.key"] {
                fs::copy(whole.keys().join(name), cut.keys().join(name)).unwrap();
            }
            for name in ["chain.json", "lucid.toml"].into_iter().filter(|_| last != "keys") {
                fs::copy(whole.path().join(name), cut.path().join(name)).unwrap();
                if name == last {
                    break;
                }
            }
            fs::write(cut.path().join("lucid.redb.new"), "unfinished").unwrap();
            let later = if last == "keys" { NOW } else { NOW + 10_000 };
            assert_eq!(init(&cut, NewChain::Solo, NO_CONFIG, later).unwrap().genesis_hash, made.genesis_hash, "{last}");
        }
    }

    /// The disk with the store is not mounted: a new chain with these keys is not what anybody wants.
    #[test]
    fn keys_that_have_signed_begin_no_new_chain() {
        let folder = folder();
        NodeKeys::load_or_create(&folder.keys()).unwrap();
        HighestSignedFile::in_folder(&folder.keys()).write(HighestSigned::precommit(12, 0)).unwrap();
        let refused = init(&folder, NewChain::Solo, NO_CONFIG, NOW).unwrap_err();
        assert!(matches!(refused, NodeError::KeysHaveSigned { height: 12, .. }), "{refused}");
        assert!(!folder.store().exists());
    }

    #[test]
    fn a_spec_that_was_left_is_not_mixed_with_another() {
        let folder = folder();
        let keys = NodeKeys::load_or_create(&folder.keys()).unwrap();
        let left = solo_chain_spec(&keys, NOW).unwrap();
        fs::write(folder.chain_spec(), left.to_canonical_json()).unwrap();
        let other = ChainSpec { chain_id: 7, ..left.clone() };
        let refused = init(&folder, NewChain::Spec(Box::new(other)), NO_CONFIG, NOW).unwrap_err();
        assert!(matches!(refused, NodeError::OtherSpec { .. }), "{refused}");
        assert!(matches!(init(&folder, NewChain::Dev, NO_CONFIG, NOW), Err(NodeError::OtherSpec { .. })));
        assert_eq!(init(&folder, NewChain::Spec(Box::new(left.clone())), NO_CONFIG, NOW).unwrap().spec, left);
    }

    /// The folder could be run by nobody, and new keys in it would stand in the way of the right ones.
    #[test]
    fn the_spec_of_another_nodes_chain_makes_nothing_and_says_whose_keys_it_wants() {
        let (own, other) = (folder(), folder());
        let spec = init(&other, NewChain::Solo, NO_CONFIG, NOW).unwrap().spec;
        let refused =
            |folder: &DataDir| init(folder, NewChain::Spec(Box::new(spec.clone())), NO_CONFIG, NOW).unwrap_err();
        let text = refused(&own).to_string();
        assert!(text.contains(&spec.server.to_string()) && text.contains("no account.key"), "{text}");
        assert!(text.contains("key import") && text.contains("--follow"), "{text}");
        assert!(!own.keys().exists() && !own.chain_spec().exists());
        let follower = init(&folder(), NewChain::Followed(Box::new(spec.clone())), NO_CONFIG, NOW).unwrap();
        assert_ne!(follower.keys.account().address(), spec.server);

        crate::keys::create_key_folder(&own.keys()).unwrap();
        fs::copy(other.keys().join(ACCOUNT_KEY_FILE), own.keys().join(ACCOUNT_KEY_FILE)).unwrap();
        assert!(refused(&own).to_string().contains("no consensus.key"));
        let made = init(&folder(), NewChain::Solo, NO_CONFIG, NOW).unwrap();
        crate::keys::create_key_file(&own.keys().join(CONSENSUS_KEY_FILE), made.keys.consensus()).unwrap();
        assert!(refused(&own).to_string().contains("another consensus key"));
        fs::remove_file(own.keys().join(CONSENSUS_KEY_FILE)).unwrap();
        fs::copy(other.keys().join(CONSENSUS_KEY_FILE), own.keys().join(CONSENSUS_KEY_FILE)).unwrap();
        let made = init(&own, NewChain::Spec(Box::new(spec.clone())), NO_CONFIG, NOW).unwrap();
        assert_eq!(made.spec, spec);
        assert!(!made.signed_known, "the keys may have signed elsewhere");
    }

    #[test]
    fn a_spec_that_nobody_can_mean_is_refused_with_the_field() {
        let folder = folder();
        let keys = NodeKeys::load_or_create(&folder.keys()).unwrap();
        let spec = solo_chain_spec(&keys, NOW + 2 * 86_400).unwrap();
        let init = |spec: &ChainSpec| super::init(&folder, NewChain::Spec(Box::new(spec.clone())), NO_CONFIG, NOW);
        let ahead = init(&spec).unwrap_err().to_string();
        assert!(ahead.contains(&format!("genesisTime is {}", spec.genesis_time)) && ahead.contains("47 h"), "{ahead}");
        let mut spec = solo_chain_spec(&keys, NOW + 86_400).unwrap();
        let sha256 = alloy_primitives::Address::with_last_byte(2);
        spec.allocations.insert(sha256, alloy_primitives::U256::from(1));
        let precompile = init(&spec).unwrap_err().to_string();
        assert!(precompile.contains(&sha256.to_string()) && precompile.contains("SHA256"), "{precompile}");
        spec.allocations.remove(&sha256);
        assert_eq!(init(&spec).unwrap().spec, spec, "a day ahead is a chain that is being handed out");
    }

    #[test]
    fn what_a_kill_left_of_a_key_is_gone_after_the_next_run() {
        let folder = folder();
        crate::keys::create_key_folder(&folder.keys()).unwrap();
        let left = folder.keys().join(".new-key-abc123");
        fs::write(&left, "5a").unwrap();
        fs::set_permissions(&left, fs::Permissions::from_mode(0o600)).unwrap();
        init(&folder, NewChain::Solo, NO_CONFIG, NOW).unwrap();
        assert!(!left.exists());
    }

    #[test]
    fn a_dev_chain_can_be_made_in_a_folder() {
        let made = init(&folder(), NewChain::Dev, NO_CONFIG, NOW).unwrap();
        assert_eq!((made.spec.rules, made.spec.chain_id), (Rules::Dev, 31_337));
    }
}
