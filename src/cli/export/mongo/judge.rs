//! Whether a target is the one that the store knows, and goes on where it ended.

use super::source::Status;
use crate::export::mongo::Marker;
use lucid_storage::ExportStateRecord;

/// How an export begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// Where it ended.
    Resume(ExportStateRecord),
    /// From the beginning, with the reason, but for the first time.
    Anew(Option<&'static str>),
}

/// Why a database is not written to.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Refused {
    /// It has documents of another chain.
    #[error(
        "the database has an export of another chain (id {0}), whose documents would lie among those of this one; name another \
         with --database"
    )]
    OtherChain(u64),
    /// It has documents in the other form.
    #[error(
        "the database has an export {}; name another with --database, or export with{} --hex as before",
        if *.was_hex { "with addresses and hashes as hex text" } else { "with addresses and hashes as binary data" },
        if *.was_hex { "" } else { "out" }
    )]
    OtherForm {
        /// Whether that was hex text.
        was_hex: bool,
    },
}

/// Judges a target by what it says of itself and what the store says of it; `hex` is how this export would write.
pub(super) fn judge(marker: Option<&Marker>, status: &Status, hex: bool) -> Result<Begin, Refused> {
    let Some(marker) = marker else { return Ok(Begin::Anew(None)) };
    if (marker.genesis_hash, marker.chain_id) != (status.genesis_hash, status.chain_id) {
        return Err(Refused::OtherChain(marker.chain_id));
    }
    if marker.hex != hex {
        return Err(Refused::OtherForm { was_hex: marker.hex });
    }
    let Some(state) = &status.state else {
        return Ok(Begin::Anew(Some("the server has an export that this store does not know of")));
    };
    // What the server has of later batches than the store has is of another past.
    let is_ahead = marker.sequence.max(state.sequence) > status.sequence;
    let is_known = marker.step == state.step || marker.step == state.previous_step;
    match is_known && !is_ahead {
        true => Ok(Begin::Resume(state.clone())),
        false => {
            Ok(Begin::Anew(Some("the server has an export of a later state than this store's: a backup was put back")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::B256;

    fn state() -> ExportStateRecord {
        ExportStateRecord { hex: false, step: 8, previous_step: 7, sequence: 100, positions: Vec::new() }
    }

    fn status(state: Option<ExportStateRecord>, sequence: u64) -> Status {
        Status { chain_id: 5, genesis_hash: B256::repeat_byte(1), sequence, state }
    }

    fn marker(step: u64, sequence: u64) -> Marker {
        let genesis_hash = B256::repeat_byte(1);
        Marker { export_id: [1; 16], genesis_hash, chain_id: 5, hex: false, step, sequence }
    }

    #[test]
    fn an_export_goes_on_after_a_kill_at_any_moment() {
        let resume = Ok(Begin::Resume(state()));
        // In the midst of a step, and between the two places where its number is written.
        for (step, sequence) in [(8, 100), (7, 90)] {
            assert_eq!(judge(Some(&marker(step, sequence)), &status(Some(state()), 101), false), resume);
        }
        assert_eq!(judge(None, &status(None, 101), false), Ok(Begin::Anew(None)));
    }

    #[test]
    fn what_is_of_another_past_is_written_anew() {
        let is_anew = |marker: Marker, status: Status| {
            assert!(matches!(judge(Some(&marker), &status, false), Ok(Begin::Anew(Some(_)))), "{marker:?} {status:?}");
        };
        is_anew(marker(8, 100), status(None, 101));
        // A backup from before the last step, whether or not the chain has grown since.
        is_anew(marker(9, 200), status(Some(state()), 101));
        is_anew(marker(9, 200), status(Some(state()), 300));
        // One from within it.
        is_anew(marker(8, 102), status(Some(state()), 101));
    }

    #[test]
    fn a_database_of_another_chain_or_form_is_left_alone() {
        let other = Marker { chain_id: 6, ..marker(8, 100) };
        assert_eq!(judge(Some(&other), &status(Some(state()), 101), false), Err(Refused::OtherChain(6)));
        let other = Marker { genesis_hash: B256::ZERO, ..marker(8, 100) };
        assert_eq!(judge(Some(&other), &status(Some(state()), 101), false), Err(Refused::OtherChain(5)));
        let refused = judge(Some(&marker(8, 100)), &status(Some(state()), 101), true).unwrap_err();
        assert_eq!(refused, Refused::OtherForm { was_hex: false });
        assert!(refused.to_string().ends_with("export without --hex as before"), "{refused}");
    }
}
