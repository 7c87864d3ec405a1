use super::{
    address::parse_address,
    session::NodeArgs,
    transact::{account_key, send_call, view},
};
use crate::{
    keys::{CONSENSUS_KEY_FILE, read_key_file},
    network::check_endpoint,
    node::DataDir,
};
use alloy_primitives::{Address, B256, hex};
use alloy_sol_types::SolCall;
use anyhow::bail;
use lucid_rpc::Client;
use lucid_types::contracts::{LUCID_NODES_ADDRESS, LucidNodes, registration_digest};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Take part in a chain's consensus: register a node, vote to admit or remove one, leave, work for a pool.
///
/// Members vote. Who was admitted votes on blocks from the next epoch on, and who left until then.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Register the node of a folder, which members may then admit.
    Register {
        #[command(flatten)]
        own: Own,
        /// Account of the person who runs it; the node's own without it.
        #[arg(long, value_name = "ADDR", value_parser = parse_address)]
        operator: Option<Address>,
        /// Where its peers reach it, as a multiaddress.
        #[arg(long, value_name = "ADDRESS")]
        endpoint: String,
    },
    /// Vote to admit a node that has registered.
    Admit {
        #[command(flatten)]
        own: Own,
        /// Address of the node.
        #[arg(value_name = "NODE", value_parser = parse_address)]
        node: Address,
    },
    /// Vote to remove a member.
    Remove {
        #[command(flatten)]
        own: Own,
        /// Address of the node.
        #[arg(value_name = "NODE", value_parser = parse_address)]
        node: Address,
    },
    /// Take the node of a folder out of the registry.
    Leave {
        #[command(flatten)]
        own: Own,
    },
    /// Ask a pool to take the node of a folder in.
    JoinPool {
        #[command(flatten)]
        own: Own,
        /// Account of the pool.
        #[arg(value_name = "POOL", value_parser = parse_address)]
        pool: Address,
    },
    /// As a pool, take a node in that has asked; signed with the account key of a folder.
    Accept {
        #[command(flatten)]
        own: Own,
        /// Address of the node.
        #[arg(value_name = "NODE", value_parser = parse_address)]
        node: Address,
    },
    /// Take the node of a folder out of its pool.
    LeavePool {
        #[command(flatten)]
        own: Own,
    },
    /// Show the members, or one node.
    Status {
        #[command(flatten)]
        client: NodeArgs,
        /// Address of the node.
        #[arg(value_name = "NODE", value_parser = parse_address)]
        node: Option<Address>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Whose key signs, and through which node it is sent.
#[derive(Debug, clap::Args)]
pub(super) struct Own {
    /// The folder whose account key signs.
    #[arg(long, value_name = "DIR")]
    datadir: PathBuf,
    #[command(flatten)]
    client: NodeArgs,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

impl Own {
    async fn send(&self, call: &impl SolCall) -> anyhow::Result<()> {
        let (client, key) = (self.client.client()?, account_key(&self.datadir)?);
        let (hash, block) = send_call(&client, &key, LUCID_NODES_ADDRESS, call).await?;
        if self.json {
            println!("{}", json!({ "transaction": hash, "block": block, "from": key.address() }));
        } else {
            println!("in block {block}");
        }
        Ok(())
    }
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Register { own, operator, endpoint } => register(&own, operator, endpoint).await,
        Command::Admit { own, node } => {
            let ballot = ballot(&own.client.client()?, node, LucidNodes::Standing::Candidate).await?;
            own.send(&LucidNodes::voteToAdmitCall { node, ballot }).await
        }
        Command::Remove { own, node } => {
            let ballot = ballot(&own.client.client()?, node, LucidNodes::Standing::Member).await?;
            own.send(&LucidNodes::voteToRemoveCall { node, ballot }).await
        }
        Command::Leave { own } => own.send(&LucidNodes::leaveRegistryCall {}).await,
        Command::JoinPool { own, pool } => own.send(&LucidNodes::joinPoolCall { pool }).await,
        Command::Accept { own, node } => own.send(&LucidNodes::acceptIntoPoolCall { node }).await,
        Command::LeavePool { own } => own.send(&LucidNodes::leavePoolCall {}).await,
        Command::Status { client, node, json } => status(&client.client()?, node, json).await,
    }
}

/// The consensus key signs that it is this node's, on this chain and no other.
async fn register(own: &Own, operator: Option<Address>, endpoint: String) -> anyhow::Result<()> {
    check_endpoint(&endpoint)?;
    let (client, account) = (own.client.client()?, account_key(&own.datadir)?);
    let key = read_key_file(&consensus_key_path(&own.datadir)?)?;
    let (node, operator) = (account.address(), operator.unwrap_or(account.address()));
    let spec_hash: B256 = client.chain_info().await?.chain_spec_hash;
    let signature = key.sign_prehash_recoverable(registration_digest(spec_hash, node, operator));
    own.send(&LucidNodes::registerCall {
        operator,
        consensusKey: key.public_key_uncompressed().into(),
        endpoint,
        signature: signature.as_bytes().into(),
    })
    .await
}

fn consensus_key_path(datadir: &Path) -> anyhow::Result<PathBuf> {
    Ok(DataDir::at(datadir)?.keys().join(CONSENSUS_KEY_FILE))
}

/// The present ballot on a node that stands where a vote on it makes sense.
async fn ballot(client: &Client, node: Address, standing: LucidNodes::Standing) -> anyhow::Result<u32> {
    let info = view(client, LUCID_NODES_ADDRESS, &LucidNodes::nodeInfoCall { account: node }).await?;
    if info.standing != standing {
        bail!("{node} is {}, and the vote is on one that is {}", word(info.standing), word(standing));
    }
    Ok(info.ballot)
}

const fn word(standing: LucidNodes::Standing) -> &'static str {
    match standing {
        LucidNodes::Standing::Candidate => "a candidate",
        LucidNodes::Standing::Member => "a member",
        LucidNodes::Standing::Former => "a former node",
        LucidNodes::Standing::Unknown | LucidNodes::Standing::__Invalid => "not registered",
    }
}

async fn status(client: &Client, node: Option<Address>, as_json: bool) -> anyhow::Result<()> {
    let nodes = match node {
        Some(account) => vec![view(client, LUCID_NODES_ADDRESS, &LucidNodes::nodeInfoCall { account }).await?],
        None => view(client, LUCID_NODES_ADDRESS, &LucidNodes::membersCall {}).await?,
    };
    if as_json {
        let document = |info: &LucidNodes::NodeInfo| {
            json!({
                "node": info.node,
                "standing": word(info.standing),
                "number": info.number,
                "operator": info.operator,
                "consensus_key": hex::encode_prefixed(&info.consensusKey),
                "pool": (info.pool != Address::ZERO).then_some(info.pool),
                "requested_pool": (info.requestedPool != Address::ZERO).then_some(info.requestedPool),
                "ballot": info.ballot,
                "votes": info.votes,
            })
        };
        println!("{}", serde_json::to_string(&nodes.iter().map(document).collect::<Vec<_>>())?);
        return Ok(());
    }
    println!("{:42} {:>6}  {:13} {:42} {:>5}  pool", "node", "number", "standing", "operator", "votes");
    for info in &nodes {
        let pool = if info.pool == Address::ZERO { "-".to_owned() } else { info.pool.to_string() };
        let (node, operator) = (info.node.to_string(), info.operator.to_string());
        println!("{node:42} {:>6}  {:13} {operator:42} {:>5}  {pool}", info.number, word(info.standing), info.votes);
    }
    Ok(())
}
