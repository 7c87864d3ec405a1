use super::{
    config,
    db::with_store_advice,
    input::read_file,
    time::{unix_now, utc},
};
use crate::node::{DataDir, Initialised, NewChain};
use anyhow::Context;
use clap::ValueEnum;
use lucid_types::ChainSpec;
use serde_json::json;
use std::path::PathBuf;

/// Most bytes of a chain spec: 100 validators and 10,000 allocations take a fifth of it.
const MAX_SPEC_BYTES: usize = 5 * 1024 * 1024;

/// Make a chain, or join one: new keys, the chain spec, the store, a configuration file to begin from.
///
/// Nothing that is there is overwritten, and what a kill cut short is gone on with when it is run again.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder; it must be empty, or not there yet. Keys that lie in its folder `keys` are taken.
    #[arg(long, value_name = "DIR")]
    datadir: PathBuf,
    /// The chain spec of a chain with other validators, or of your own making.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["preset", "solo"])]
    chain: Option<PathBuf>,
    /// This node is none of the chain's validators yet: it gets the chain from them.
    #[arg(long, requires = "chain")]
    follow: bool,
    /// The parameters to begin from; only a solo chain can be made of them without a chain spec.
    #[arg(long, value_enum, requires = "solo")]
    preset: Option<PresetName>,
    /// A chain of this node alone, with an id of its own. This is what is made without other arguments.
    #[arg(long)]
    solo: bool,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

/// The presets, by the names that people give them.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum PresetName {
    /// Slots of 120 s.
    Lucid,
    /// The same; a solo chain has an id of its own in any case.
    LucidTestnet,
    /// Chain id 31337, slots of 1 s, accounts whose keys everybody knows.
    Dev,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let chain = match (&args.chain, args.preset) {
        (Some(path), _) if args.follow => NewChain::Followed(Box::new(read_spec(path)?)),
        (Some(path), _) => NewChain::Spec(Box::new(read_spec(path)?)),
        (None, Some(PresetName::Dev)) => NewChain::Dev,
        (None, Some(PresetName::Lucid | PresetName::LucidTestnet) | None) => NewChain::Solo,
    };
    let begins_now = chain == NewChain::Solo;
    let datadir = DataDir::at(&args.datadir)?;
    let made = config::init(&datadir, chain).map_err(|error| with_store_advice(error.into(), datadir.path()))?;
    if begins_now {
        warn_of_clock(lucid_kernel::clock_synchronised().unwrap_or(false));
    }
    if args.json {
        println!("{}", to_json(&datadir, &made));
    } else {
        print(&datadir, &made);
        if made.signed_known {
            println!("\nRun it:  lucid-node run --datadir {}", datadir.path().display());
        }
    }
    Ok(())
}

/// The chain begins at the time of now, and none of its blocks can be of an earlier one.
pub(super) fn warn_of_clock(is_synchronised: bool) {
    if is_synchronised {
        return;
    }
    eprintln!(
        "warning: the clock is not synchronised, and shows {}. The chain begins then: where that is ahead of the true time, \
         no block comes before it, so make the chain anew once the clock is right. The node makes no blocks by such a \
         clock; `lucid-node doctor` says what mends it",
        utc(unix_now())
    );
}

fn read_spec(path: &std::path::Path) -> anyhow::Result<ChainSpec> {
    ChainSpec::from_json(&read_file(path, MAX_SPEC_BYTES)?).with_context(|| path.display().to_string())
}

/// What to copy off the machine.
fn to_copy(datadir: &DataDir) -> [PathBuf; 3] {
    let keys = datadir.keys();
    [keys.join(crate::keys::ACCOUNT_KEY_FILE), keys.join(crate::keys::CONSENSUS_KEY_FILE), datadir.chain_spec()]
}

fn to_json(datadir: &DataDir, made: &Initialised) -> serde_json::Value {
    json!({
        "datadir": datadir.path(),
        "chain_id": made.spec.chain_id,
        "genesis_hash": made.genesis_hash,
        "chain_spec_hash": made.spec.hash(),
        "account": made.keys.account().address(),
        "validator": is_validator(made),
        "accept_restored_needed": !made.signed_known,
        "copy_off_the_machine": to_copy(datadir),
    })
}

fn is_validator(made: &Initialised) -> bool {
    let account = made.keys.account().address();
    made.spec.validators.iter().any(|validator| validator.node == account)
}

/// Prints what was made, and what is to be done about it before it is run.
pub(super) fn print(datadir: &DataDir, made: &Initialised) {
    let dir = datadir.path().display();
    println!("Chain     id {}", made.spec.chain_id);
    println!("Genesis   {}", made.genesis_hash);
    println!("Account   {}", made.keys.account().address());
    println!("Data      {dir}");
    println!("\nCopy these off the machine, and keep the copy as you would keep money:");
    for path in to_copy(datadir) {
        println!("  {}", path.display());
    }
    println!("Do not copy {}:", datadir.keys().join(crate::keys::HIGHEST_SIGNED_FILE).display());
    println!("an old copy of it would let the keys sign a block twice.");
    if !is_validator(made) {
        println!("\nThis node's account is not among the chain's validators, so it makes no blocks.");
    }
    if made.signed_known {
        return;
    }
    println!(
        "\nThe consensus key was put here, and nobody knows here what it has signed, so the node makes no blocks until"
    );
    println!("that is accepted once. First make sure that no other machine runs with it:");
    println!("  {} run --datadir {dir} --accept-restored", DataDir::program(datadir.path()));
}
