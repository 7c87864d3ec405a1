//! Where documents go: the store of a folder, a running node, or nowhere.

use crate::{
    cli::db::{Found, Place, open_to_write},
    export::import::ImportedDocument,
};
use anyhow::{Context, ensure};
use lucid_rpc::{Client, ImportRowParts};
use lucid_storage::{Imported, SourceName, Store};

/// Where documents go.
pub(super) enum Target {
    /// The store of a folder, under its lock.
    File(Store),
    Node(Client),
    /// They are only looked at.
    Nowhere,
}

impl Target {
    pub(super) fn open(place: &Place) -> anyhow::Result<Self> {
        match place.find()? {
            Found::Folder(datadir) => Ok(Self::File(open_to_write(datadir)?)),
            Found::Node(client) => Ok(Self::Node(client)),
        }
    }

    /// Takes documents of one collection in. When this returns, they are on disk; says of each what became of it, and of none
    /// where they go nowhere.
    pub(super) async fn import(
        &self,
        source: &SourceName,
        collection: &str,
        documents: &[ImportedDocument],
    ) -> anyhow::Result<Vec<Imported>> {
        match self {
            Self::File(store) => {
                let mut batch = store.begin()?;
                let import = |document: &ImportedDocument| batch.import_row(source, &document.row, document.known_by);
                let imported = documents.iter().map(import).collect::<Result<_, _>>()?;
                store.commit(batch)?;
                Ok(imported)
            }
            Self::Node(client) => {
                let rows = documents.iter().map(parts).collect::<anyhow::Result<Vec<_>>>()?;
                let words = client.import_rows(source.as_str(), collection, &rows).await?;
                ensure!(words.len() == rows.len(), "the node answered for {} of {} rows", words.len(), rows.len());
                words.iter().map(|word| of_word(word)).collect()
            }
            Self::Nowhere => Ok(Vec::new()),
        }
    }
}

fn parts(document: &ImportedDocument) -> anyhow::Result<ImportRowParts> {
    let (key, record) = document.row.to_parts()?;
    Ok((key.into(), record.into(), document.known_by.map(|id| id.0.into())))
}

fn of_word(word: &str) -> anyhow::Result<Imported> {
    let known = Imported::WORDS.into_iter().find(|(known, _)| *known == word);
    Ok(known.with_context(|| format!("the node answered with the unknown word {word:?}"))?.1)
}
