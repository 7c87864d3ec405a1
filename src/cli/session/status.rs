use super::{client::NodeArgs, wait::no_blocks};
use crate::cli::{
    address::parse_address,
    time::{unix_now, utc},
};
use alloy_primitives::{Address, B256};
use anyhow::anyhow;
use lucid_rpc::{
    AnchoringDocument, AnchoringTransactionDocument, ChainInfoDocument, Client, ClientError, SessionDocument,
};
use lucid_storage::AnchoringStatus;
use lucid_types::{Rules, SessionId};
use serde::Serialize;

/// Show how the anchoring of a session stands.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    node: NodeArgs,
    /// The session.
    session_id: SessionId,
    /// The account that registers the session; needed where several registered the same id.
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    account: Option<Address>,
    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

/// What is known of a session: from the chain, and from the anchoring where this node was asked for it.
#[derive(Debug, Serialize)]
struct Status {
    session_id: SessionId,
    account: Address,
    status: AnchoringStatus,
    /// Slots that have to end at least before its block can come; absent once it has ended.
    slots_to_wait: Option<u64>,
    /// Why the node makes no blocks while the session waits for one.
    sealing_stop: Option<String>,
    merkle_root: B256,
    chunk_count: u32,
    started_at: u64,
    /// Height of the block that holds the registration.
    block_number: Option<u64>,
    /// The registration, then the chunks' metadata. Of a session that another node anchored only the first is known.
    transactions: Vec<Sent>,
    attempts: Option<u32>,
    error: Option<String>,
    /// Whether the node can begin it again by itself.
    retryable: bool,
}

/// A transaction of a session.
#[derive(Debug, Serialize)]
struct Sent {
    hash: B256,
    block_number: Option<u64>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = args.node.client()?;
    let job = client.anchoring(args.session_id, args.account).await?;
    let status = match job {
        Some(job) => Status::of_job(job, &client.chain_info().await?),
        None => {
            let Some(session) = client.session(args.session_id, args.account).await? else {
                return Err(unknown(&client, args.session_id, args.account).await?);
            };
            Status::of_session(session)
        }
    };
    if let Some(stop) = &status.sealing_stop {
        eprintln!("{}", no_blocks(stop));
    }
    if args.json {
        println!("{}", serde_json::to_string(&status)?);
    } else {
        status.print();
    }
    Ok(())
}

/// The sentence for a session that the node does not have for `account`: others may have registered one with its id.
async fn unknown(client: &Client, id: SessionId, account: Option<Address>) -> Result<anyhow::Error, ClientError> {
    let Some(account) = account else {
        return Ok(anyhow!("the node knows no session {id}; `session list` shows those it does"));
    };
    let others = match client.session(id, None).await {
        Ok(None) => "and no other account has; `session list` shows those that the node knows".to_owned(),
        Ok(Some(session)) => format!("{} has registered it", session.account),
        // That several have, and which.
        Err(ClientError::Fault { fault, .. }) if fault.lucid_code() == Some("LUCID_ERR_1001") => fault.message,
        Err(error) => return Err(error),
    };
    Ok(anyhow!("the account {account} has no session {id}: {others}"))
}

impl From<&AnchoringTransactionDocument> for Sent {
    fn from(transaction: &AnchoringTransactionDocument) -> Self {
        Self { hash: transaction.hash, block_number: transaction.block_number }
    }
}

impl Status {
    fn of_job(job: AnchoringDocument, chain: &ChainInfoDocument) -> Self {
        let waits = matches!(job.status, AnchoringStatus::Pending | AnchoringStatus::Processing);
        let ended = matches!(job.status, AnchoringStatus::Failed | AnchoringStatus::Expired);
        Self {
            session_id: job.session_id,
            account: job.account,
            status: job.status,
            slots_to_wait: waits.then(|| slots_to_wait(chain, unix_now())),
            sealing_stop: chain.sealing_stop.clone().filter(|_| waits),
            merkle_root: job.merkle_root,
            chunk_count: job.chunk_count,
            started_at: job.started_at,
            block_number: job.block_number,
            transactions: job.transactions.iter().map(Sent::from).collect(),
            attempts: Some(job.attempts),
            error: job.last_error,
            retryable: ended && job.account == chain.node_address,
        }
    }

    fn of_session(session: SessionDocument) -> Self {
        let registration = |hash| Sent { hash, block_number: session.block_number };
        Self {
            session_id: session.session_id,
            account: session.account,
            status: session.status,
            slots_to_wait: None,
            sealing_stop: None,
            merkle_root: session.merkle_root,
            chunk_count: session.chunk_count,
            started_at: session.started_at,
            block_number: session.block_number,
            transactions: session.anchor_txid.map(registration).into_iter().collect(),
            attempts: None,
            error: None,
            retryable: false,
        }
    }

    fn print(&self) {
        println!("Session      {} ({} chunks, started {})", self.session_id, self.chunk_count, utc(self.started_at));
        println!("Status       {}", self.status.as_str());
        match self.slots_to_wait {
            Some(_) if self.sealing_stop.is_some() => println!("Waits        for the node, which makes no blocks"),
            Some(0) => println!("Waits        for the next block: it can come in this slot"),
            Some(slots) => println!("Waits        for the next block: {slots} slot has to end before it"),
            None => {}
        }
        println!("Account      {}", self.account);
        println!("Merkle root  {}", self.merkle_root);
        for (place, transaction) in self.transactions.iter().enumerate() {
            let what = if place == 0 { "Transaction" } else { "and chunks" };
            match transaction.block_number {
                Some(height) => println!("{what:11}  {} in block {height}", transaction.hash),
                None => println!("{what:11}  {} in no block yet", transaction.hash),
            }
        }
        if let Some(error) = &self.error {
            println!("Error        {error}");
        }
        if self.retryable {
            println!("To begin it again: lucid-node session retry {}", self.session_id);
        } else if matches!(self.status, AnchoringStatus::Failed | AnchoringStatus::Expired) {
            println!("To begin it again: lucid-node session anchor --key FILE, with this account's key");
        }
    }
}

/// There is at most one block in a slot: after the head's slot nothing has to end, in it that slot has to.
fn slots_to_wait(chain: &ChainInfoDocument, now: u64) -> u64 {
    let slot_of = |time: u64| time.saturating_sub(chain.slot_origin) / chain.slot_duration_secs.max(1);
    // A dev chain makes as many blocks in a slot as there is work for.
    let waits = chain.rules != Rules::Dev && chain.head.number > 0;
    u64::from(waits && slot_of(chain.head.timestamp) >= slot_of(now))
}
