use super::place::{Found, Place, look, with_store_advice};
use crate::node::care;
use lucid_rpc::{DbStatsDocument, DbWritesDocument};

/// Show what the store holds: its head, its bytes, the documents of every collection, the entries of every table.
///
/// With --datadir every page of the file is checked first, which reads all of it.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    place: Place,
    /// Count the bytes of each table too, which reads all of them.
    #[arg(long)]
    sizes: bool,
    /// Write one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let stats = match args.place.find()? {
        Found::Folder(datadir) => {
            // The number of a table's entries is written in a page, and no row of the table says that it is wrong.
            let look = look(&datadir)?;
            care::stats(&look.snapshot, &look.meta, look.file_bytes, None, args.sizes)
                .map_err(|error| with_store_advice(error.into(), datadir.path()))?
        }
        Found::Node(client) => client.db_stats(args.sizes).await?,
    };
    if args.json {
        println!("{}", serde_json::to_string(&stats)?);
    } else {
        print(&stats);
    }
    Ok(())
}

fn print(stats: &DbStatsDocument) {
    println!("Chain     id {}, genesis {}", stats.chain_id, stats.genesis_hash);
    println!("Head      block {}, {}", stats.head.number, stats.head.hash);
    println!("File      {} bytes, format {}", stats.file_bytes, stats.format_version);
    println!("Batches   {}", stats.sequence);
    if let Some(writes) = stats.since_start {
        let (commits, bytes, syncs) = (writes.commits, writes.bytes_written, writes.syncs);
        println!("Written   {bytes} bytes in {commits} batches and {syncs} syncs since the node started");
    }
    if let Some(writes) = stats.writes_for {
        let each = |total: DbWritesDocument, number: u64| total.bytes_written.checked_div(number).unwrap_or(0);
        let (blocks, sessions) = (writes.blocks.commits, writes.sessions_anchored);
        println!("          for {blocks} blocks {} bytes each, and between them", each(writes.blocks, blocks));
        println!("          {} bytes each for {sessions} anchored sessions", each(writes.sessions, sessions));
        if writes.consensus.commits > 0 {
            let DbWritesDocument { commits, bytes_written, syncs } = writes.consensus;
            println!("          {bytes_written} bytes in {commits} flushes of the log of consensus and {syncs} syncs");
        }
    }
    println!();
    println!("{:46} {:>12} {:>12}", "collection", "own", "imported");
    for collection in stats.collections.iter().filter(|of| of.own > 0 || of.imported > 0) {
        println!("{:46} {:>12} {:>12}", collection.name, collection.own, collection.imported);
    }
    println!();
    let sizes = stats.tables.iter().any(|table| table.stored_bytes.is_some());
    let more = if sizes { format!(" {:>14} {:>14}", "stored bytes", "overhead bytes") } else { String::new() };
    println!("{:46} {:>12}{more}", "table", "entries");
    for table in stats.tables.iter().filter(|table| table.entries > 0) {
        print!("{:46} {:>12}", table.name, table.entries);
        if let (Some(stored), Some(overhead)) = (table.stored_bytes, table.overhead_bytes) {
            print!(" {stored:>14} {overhead:>14}");
        }
        println!();
    }
    let empty = stats.tables.iter().filter(|table| table.entries == 0).count();
    println!("{empty} more tables are empty");
}
