use super::{
    super::error::NodeError,
    progress::{ReportStep, within},
    records::{check_seals, check_sessions},
    replay::check_consensus,
};
use crate::{chain, state};
use lucid_rpc::DbVerifyDocument;
use lucid_storage::{COLLECTIONS, Findings, Meta, Snapshot, TableId};
use lucid_types::ChainSpec;

/// Checks all of a store: rows against indexes, blocks against their headers, the state against the root of the last
/// one, seals against blocks, what consensus keeps against what the blocks make it, and what it says of sessions against all of these. Damage that can be read around is a
/// finding. An error means that the disk failed, or that whoever is told of the progress has ended it.
pub fn verify(snapshot: &Snapshot, meta: &Meta, progress: &mut ReportStep<'_>) -> Result<DbVerifyDocument, NodeError> {
    let mut findings = Findings::default();
    let spec = check_meta(meta, &mut findings)?;
    let checked = snapshot.check_rows(&mut findings, &mut within("rows", progress));
    go_on(checked, TableId::Meta, &mut findings)?;
    let head = chain::check(snapshot, meta.genesis_hash, &mut findings, &mut within("blocks", progress));
    let head = match go_on(head, TableId::Blocks, &mut findings)? {
        Some(head) => Some(head),
        None => go_on(chain::read_head(snapshot), TableId::BlockchainState, &mut findings)?,
    };
    if let Some(head) = head {
        let checked = state::check(snapshot, head.state_root, &mut findings, &mut within("accounts", progress));
        go_on(checked, TableId::Accounts, &mut findings)?;
        if let Some(spec) = spec {
            let checked = check_seals(snapshot, &spec, meta.genesis_hash, head.number, &mut findings, progress);
            go_on(checked, TableId::Seals, &mut findings)?;
            let checked = check_consensus(snapshot, meta, &spec, head.number, &mut findings, progress);
            go_on(checked, TableId::BlockWork, &mut findings)?;
        }
    }
    go_on(check_sessions(snapshot, &mut findings, progress), TableId::Sessions, &mut findings)?;
    let mut rows = 0;
    for collection in COLLECTIONS {
        rows += snapshot.len(collection.table)?;
    }
    let (blocks, accounts) = (snapshot.len(TableId::Blocks)?, snapshot.len(TableId::Accounts)?);
    Ok(DbVerifyDocument::new(snapshot.sequence()?, [rows, blocks, accounts], findings))
}

/// The chain spec has to be that of the genesis block that the store names.
fn check_meta(meta: &Meta, findings: &mut Findings) -> Result<Option<ChainSpec>, NodeError> {
    let spec = ChainSpec::from_json(&meta.chain_spec).map_err(NodeError::from);
    let Some(spec) = go_on(spec, TableId::Meta, findings)? else { return Ok(None) };
    let genesis = go_on(chain::genesis_header(&spec), TableId::Meta, findings)?;
    if genesis.is_some_and(|genesis| genesis.hash() != meta.genesis_hash) {
        findings.add(TableId::Meta, b"chain_spec", "is not of this chain: its genesis block has another hash");
    }
    Ok(Some(spec))
}

/// What a part of the check gave. Where it could not go on for damage, that is a finding, and other parts can.
fn go_on<T>(
    outcome: Result<T, impl Into<NodeError>>,
    table: TableId,
    findings: &mut Findings,
) -> Result<Option<T>, NodeError> {
    match outcome.map_err(Into::into) {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_damage(&error) => {
            findings.add(table, &[], format!("what follows could not be checked: {error}"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Whether an error is about what the store says, and not about its being unable to say it.
fn is_damage(error: &NodeError) -> bool {
    match error.of_store() {
        Some(error) => error.is_damage(),
        None => matches!(error, NodeError::State(_) | NodeError::Chain(_) | NodeError::Poot(_) | NodeError::Spec(_)),
    }
}
