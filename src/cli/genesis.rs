use super::{
    address::parse_address,
    exit_codes::{DATA, coded},
    input::read_file,
    time::unix_now,
};
use crate::chain::genesis_contract_hashes;
use alloy_primitives::{Address, U256};
use anyhow::{Context, bail};
use clap::ValueEnum;
use lucid_types::{ChainSpec, GenesisValidator, LUCID_CHAIN_ID, LUCID_TESTNET_CHAIN_ID, Params, Preset, Rules};
use std::{
    fmt::Display,
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
};

/// Most bytes of a list of validators: a hundred take a fifth of it.
const MAX_LIST_BYTES: usize = 100 * 1024;

/// Start of slot 0 of every chain with the parameters of `lucid`: 2024-01-01T00:00:00Z, in Unix seconds.
const SLOT_ORIGIN: u64 = 1_704_067_200;

/// How long before its first slot a chain is made at least, so that its spec can be handed out, in seconds.
const LEAD_SECS: u64 = 60;

/// The first block of a chain of one's own.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make the chain spec of a chain with several validators. Each of them makes his folder with `init --chain FILE`.
    New(New),
}

/// See [`Command::New`].
#[derive(Debug, clap::Args)]
pub(super) struct New {
    /// File with the validators: a JSON list, or one object a line, as `key consensus` writes them. The first is the server.
    #[arg(long, value_name = "FILE")]
    validators: PathBuf,
    /// The parameters to begin from.
    #[arg(long, value_enum, default_value = "lucid-testnet")]
    preset: PresetName,
    /// EIP-155 chain id; that of the preset without it. A chain with an id of its own need not keep the preset's bounds.
    #[arg(long, value_name = "ID")]
    chain_id: Option<u64>,
    /// Length of a slot, in seconds, on a chain with an id of its own.
    #[arg(long, value_name = "SECS", requires = "chain_id")]
    slot: Option<u64>,
    /// LUCID on the account of each validator.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    lucid_each: u64,
    /// Another account with money: ADDR=LUCID. May be given several times.
    #[arg(long, value_name = "ADDR=LUCID", value_parser = parse_allocation)]
    allocate: Vec<(Address, u64)>,
    /// The file to make.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PresetName {
    Lucid,
    LucidTestnet,
}

pub(super) fn run(command: Command) -> anyhow::Result<()> {
    let Command::New(new) = command;
    let spec = spec_of(&new, unix_now())?;
    spec.check()?;
    write_new(&new.output, &spec.to_canonical_json())?;
    println!("Chain     id {}, {} validators", spec.chain_id, spec.validators.len());
    println!("Spec      {}", new.output.display());
    println!("Genesis   {}", crate::chain::genesis_header(&spec)?.hash());
    println!(
        "\nEach validator makes his folder with his keys in it:  lucid-node init --chain {} --datadir DIR",
        new.output.display()
    );
    Ok(())
}

fn spec_of(new: &New, now: u64) -> anyhow::Result<ChainSpec> {
    let validators = read_validators(&new.validators)?;
    let Some(server) = validators.first().map(|first| first.node) else {
        bail!("{} names no validator", new.validators.display());
    };
    let preset = match new.preset {
        PresetName::Lucid => LUCID_CHAIN_ID,
        PresetName::LucidTestnet => LUCID_TESTNET_CHAIN_ID,
    };
    let mut parameters = Preset::Lucid.params();
    if let Some(slot_duration_secs) = new.slot {
        parameters = Params { slot_duration_secs, ..parameters };
    }
    let slot = (now + LEAD_SECS).saturating_sub(SLOT_ORIGIN) / parameters.slot_duration_secs;
    let lucid = |count: u64| U256::from(count) * U256::from(10).pow(U256::from(18));
    let mut allocations: std::collections::BTreeMap<_, _> =
        validators.iter().map(|validator| (validator.node, lucid(new.lucid_each))).collect();
    allocations.extend(new.allocate.iter().map(|(address, count)| (*address, lucid(*count))));
    Ok(ChainSpec {
        chain_id: new.chain_id.unwrap_or(preset),
        rules: Rules::Poot,
        genesis_time: SLOT_ORIGIN + slot * parameters.slot_duration_secs,
        slot_origin: SLOT_ORIGIN,
        parameters,
        server,
        validators,
        allocations,
        contracts: genesis_contract_hashes(),
    })
}

/// A list, or one object after the other.
fn read_validators(path: &Path) -> anyhow::Result<Vec<GenesisValidator>> {
    let bytes = read_file(path, MAX_LIST_BYTES)?;
    let refused = |why: &dyn Display| coded(DATA, format!("{} is no list of validators: {why}", path.display()));
    if bytes.len() > MAX_LIST_BYTES {
        return Err(refused(&format_args!("it has more than {MAX_LIST_BYTES} bytes")));
    }
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return serde_json::from_slice(&bytes).map_err(|error| refused(&error));
    }
    let objects = serde_json::Deserializer::from_slice(&bytes).into_iter();
    objects.collect::<Result<_, _>>().map_err(|error| refused(&error))
}

fn parse_allocation(text: &str) -> Result<(Address, u64), String> {
    let (address, count) = text.split_once('=').ok_or("an allocation is ADDR=LUCID")?;
    Ok((parse_address(address)?, count.parse().map_err(|_| "LUCID are a whole number".to_owned())?))
}

fn write_new(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let context = || format!("cannot make {}", path.display());
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).with_context(context)?;
    file.write_all(content).with_context(context)?;
    file.sync_all().with_context(context)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::exit_codes::exit_code;

    #[test]
    fn a_list_that_is_none_or_too_long_says_so_with_the_code_of_wrong_data() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("validators.json");
        let too_long = format!("[{}", " ".repeat(MAX_LIST_BYTES));
        for (text, why) in [("[{\"node\":", "EOF"), ("{} {}", "missing field"), (too_long.as_str(), "more than")] {
            std::fs::write(&path, text).unwrap();
            let refused = read_validators(&path).unwrap_err();
            assert!(refused.to_string().contains(why), "{refused}");
            assert_eq!(exit_code(&refused), DATA);
        }
        std::fs::write(&path, " [ ] ").unwrap();
        assert!(read_validators(&path).unwrap().is_empty());
    }
}
