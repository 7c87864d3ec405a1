use super::client::NodeArgs;
use crate::cli::time::utc;
use lucid_rpc::{Client, SessionDocument, SessionQuery, limits::MAX_PAGE_SESSIONS};
use lucid_storage::AnchoringStatus;

/// Sessions that are listed where no number is given: a screen's height.
const DEFAULT_SESSIONS: usize = 50;

/// List the sessions that a node knows, in the order of their ids.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    node: NodeArgs,
    /// Only those that stand so: pending, processing, confirmed, failed or expired.
    #[arg(long, value_name = "STATUS", value_parser = parse_status)]
    status: Option<AnchoringStatus>,
    /// At most so many, and at least one.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_SESSIONS, value_parser = parse_limit)]
    limit: usize,
    /// Write one JSON array.
    #[arg(long)]
    json: bool,
}

fn parse_status(text: &str) -> Result<AnchoringStatus, String> {
    let word = serde_json::Value::from(text);
    serde_json::from_value(word).map_err(|_| "it is pending, processing, confirmed, failed or expired".to_owned())
}

fn parse_limit(text: &str) -> Result<usize, String> {
    let limit: Option<usize> = text.parse().ok().filter(|limit| *limit > 0);
    limit.ok_or_else(|| "it is a number of sessions from 1 on".to_owned())
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = args.node.client()?;
    let (sessions, more) = fetch(&client, args.status, args.limit).await?;
    if args.json {
        println!("{}", serde_json::to_string(&sessions)?);
        return Ok(());
    }
    if sessions.is_empty() {
        eprintln!("no sessions");
        return Ok(());
    }
    println!("{:36}  {:10}  {:>8}  {:>6}  {:20}  ACCOUNT", "SESSION", "STATUS", "BLOCK", "CHUNKS", "STARTED");
    for session in &sessions {
        println!(
            "{:36}  {:10}  {:>8}  {:>6}  {:20}  {}",
            session.session_id.to_string(),
            session.status.as_str(),
            session.block_number.map_or_else(|| "-".to_owned(), |height| height.to_string()),
            session.chunk_count,
            utc(session.started_at),
            session.account
        );
    }
    if more {
        eprintln!("there are more; --limit N lists more of them");
    }
    Ok(())
}

/// Up to `limit` sessions, page by page, and whether there are more.
async fn fetch(
    client: &Client,
    status: Option<AnchoringStatus>,
    limit: usize,
) -> anyhow::Result<(Vec<SessionDocument>, bool)> {
    let mut sessions = Vec::new();
    let mut cursor = None;
    while sessions.len() < limit {
        let page = (limit - sessions.len()).min(MAX_PAGE_SESSIONS);
        let query = SessionQuery { status, limit: Some(page), cursor, ..SessionQuery::default() };
        let page = client.sessions(&query).await?;
        sessions.extend(page.sessions);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok((sessions, cursor.is_some()))
}
