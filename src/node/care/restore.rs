use super::{
    super::{
        datadir::{DataDir, write_whole},
        error::NodeError,
    },
    backup::refuse_full_disk,
    progress::{ReportStep, within},
    stats::head_document,
    verify::verify,
};
use crate::{
    chain,
    keys::{ACCOUNT_KEY_FILE, CONSENSUS_KEY_FILE, HighestSigned, HighestSignedFile, KeyError, read_key_file},
};
use alloy_primitives::Address;
use lucid_rpc::HeadDocument;
use lucid_storage::{Options, Store};
use lucid_types::ChainSpec;
use std::{fs, path::Path};

/// A backup that was put back.
#[derive(Debug)]
pub struct Restored {
    /// Its chain.
    pub spec: ChainSpec,
    /// The last block in it.
    pub head: HeadDocument,
    /// Bytes of the store.
    pub file_bytes: u64,
    /// The keys beside it.
    pub keys: KeysBeside,
}

/// What lies beside a store that was put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeysBeside {
    /// One of the keys is missing.
    Missing,
    /// Nobody knows what the keys have signed.
    SignedUnknown,
    /// The keys have signed a higher block than the store has.
    SignedAbove(u64),
    /// The keys have signed nothing that the store does not have.
    SignedWithin,
}

/// Puts a backup into a folder that has no store; keys and configuration may be there. The backup is checked whole
/// before, and the copy is read back.
pub fn restore(datadir: &DataDir, from: &Path, progress: &mut ReportStep<'_>) -> Result<Restored, NodeError> {
    let path = datadir.store();
    if path.exists() {
        return Err(NodeError::HoldsAStore(path));
    }
    let (meta, snapshot) = Store::inspect(from, &Options::default(), true)?;
    let spec = ChainSpec::from_json(&meta.chain_spec)?;
    refuse_other_chain(datadir, &spec)?;
    let bytes = fs::metadata(from).map_err(|source| NodeError::Io { path: from.to_owned(), source })?.len();
    refuse_full_disk(&path, bytes)?;
    let report = verify(&snapshot, &meta, progress)?;
    if let Some(first) = report.findings.into_iter().next() {
        let (path, count) = (from.to_owned(), report.finding_count);
        return Err(NodeError::BackupDamaged { path, count, first: first.text });
    }
    let head = chain::read_head(&snapshot)?;
    let copied = snapshot.copy_to(&path, &Options::default(), &mut within("entries", progress))?;
    if !datadir.chain_spec().exists() {
        write_whole(&datadir.chain_spec(), &spec.to_canonical_json())?;
    }
    let keys = keys_beside(datadir, head.number)?;
    Ok(Restored { spec, head: head_document(&head), file_bytes: copied.file_bytes, keys })
}

/// Refuses a backup of another chain than the one that the folder was made for, as its chain spec says, or as its keys
/// say where there is no such spec and the chain has one validator.
fn refuse_other_chain(datadir: &DataDir, spec: &ChainSpec) -> Result<(), NodeError> {
    let path = datadir.chain_spec();
    match datadir.read_chain_spec()? {
        Some(there) if there == *spec => return Ok(()),
        Some(_) => return Err(NodeError::BackupOfOtherChain { path, chain_id: spec.chain_id }),
        None => {}
    }
    match (account_of(datadir)?, &spec.validators[..]) {
        (Some(account), [validator]) if account != validator.node => {
            Err(NodeError::BackupOfOtherNode { account, validator: validator.node })
        }
        _ => Ok(()),
    }
}

fn account_of(datadir: &DataDir) -> Result<Option<Address>, NodeError> {
    match read_key_file(&datadir.keys().join(ACCOUNT_KEY_FILE)) {
        Ok(key) => Ok(Some(key.address())),
        Err(KeyError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn keys_beside(datadir: &DataDir, head: u64) -> Result<KeysBeside, NodeError> {
    let keys = datadir.keys();
    if [ACCOUNT_KEY_FILE, CONSENSUS_KEY_FILE].iter().any(|name| !keys.join(name).exists()) {
        return Ok(KeysBeside::Missing);
    }
    Ok(match HighestSignedFile::in_folder(&keys).read() {
        Ok(Some(HighestSigned { height, .. })) if height > head => KeysBeside::SignedAbove(height),
        Ok(Some(_)) => KeysBeside::SignedWithin,
        Ok(None) | Err(KeyError::HighestSigned { .. }) => KeysBeside::SignedUnknown,
        Err(error) => return Err(error.into()),
    })
}
