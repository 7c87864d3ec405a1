use super::limits::{
    MAX_EXAMINED_DOCUMENTS, MAX_FILTER_DEPTH, MAX_FILTER_TESTS, MAX_GROUPS, MAX_IN_VALUES, MAX_LIMIT, MAX_NAMED_FIELDS,
    MAX_RESULT_BYTES,
};
use crate::error::StoreError;

/// Why a query is not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// There is no such collection.
    #[error("there is no collection {name}{}", DidYouMean(*.nearest))]
    UnknownCollection {
        /// What was given.
        name: String,
        /// The one that was most likely meant.
        nearest: Option<&'static str>,
    },
    /// Nothing was imported from such a source.
    #[error("there is no imported document of the source {name}{}", of_sources(sources))]
    UnknownSource {
        /// What was given.
        name: String,
        /// The sources that there are.
        sources: Vec<String>,
    },
    /// Documents of the collection have no such field.
    #[error("documents of {collection} have no field {field}{}", DidYouMean(*.nearest))]
    UnknownField {
        /// The collection.
        collection: &'static str,
        /// What was given.
        field: String,
        /// The one that was most likely meant.
        nearest: Option<&'static str>,
    },
    /// A word that begins with `$` and is none that is known in its place.
    #[error("{word} is no word of {place}{}", DidYouMean(*.nearest))]
    UnknownWord {
        /// What was given.
        word: String,
        /// Where.
        place: &'static str,
        /// The one that was most likely meant.
        nearest: Option<&'static str>,
    },
    /// Something is not what belongs in its place.
    #[error("{place} is {found}, and must be {expected}")]
    Malformed {
        /// Where: a field, a word, an option.
        place: String,
        /// What is there, cut short.
        found: String,
        /// What should be.
        expected: &'static str,
    },
    /// The query is larger than a query may be.
    #[error(
        "a query has at most {MAX_FILTER_TESTS} tests, one within another at most {MAX_FILTER_DEPTH} deep, $in and $nin at most \
         {MAX_IN_VALUES} values, and names at most {MAX_NAMED_FIELDS} fields at once"
    )]
    TooLarge,
    /// More documents are asked for at once than come at once.
    #[error("limit is {0}, and lies between 1 and {MAX_LIMIT}")]
    Limit(u64),
    /// The cursor is none that this query gave.
    #[error("the cursor is none that a query with this filter and this order on {0} gave")]
    Cursor(&'static str),
    /// Too much would have to be read.
    #[error(
        "more than {MAX_EXAMINED_DOCUMENTS} documents of {collection} would have to be examined: no index narrows {asked}; \
         indexes are on {indexes}"
    )]
    NotIndexed {
        /// The collection.
        collection: &'static str,
        /// What was asked by.
        asked: String,
        /// The ways that there are.
        indexes: String,
    },
    /// The answer does not fit.
    #[error(
        "the answer is larger than {MAX_RESULT_BYTES} bytes, or has more than {MAX_GROUPS} groups or values: narrow the filter"
    )]
    TooManyResults,
    /// A sum is larger than a number can be.
    #[error("the sum of {0} is larger than a number can be")]
    Overflow(String),
    /// The store is at fault.
    #[error(transparent)]
    Store(#[from] StoreError),
}

struct DidYouMean(Option<&'static str>);

impl std::fmt::Display for DidYouMean {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |name| write!(f, "; did you mean {name}?"))
    }
}

/// The sources that there are, for one that there is not.
fn of_sources(sources: &[String]) -> String {
    match sources {
        [] => "; nothing was imported".to_owned(),
        sources => format!("; there are {}", sources.join(", ")),
    }
}

/// Most letters of something wrong that an error repeats.
const MAX_FOUND_CHARS: usize = 60;

/// Something that is not what belongs in its place.
pub(super) fn malformed(place: &str, found: &serde_json::Value, expected: &'static str) -> QueryError {
    let found = found.to_string();
    let cut: String = found.chars().take(MAX_FOUND_CHARS).collect();
    let found = if cut.len() < found.len() { format!("{cut}…") } else { cut };
    QueryError::Malformed { place: place.chars().take(MAX_FOUND_CHARS).collect(), found, expected }
}
