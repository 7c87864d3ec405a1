//! The environment as text. What concerns this program and is no text would else be passed over in silence.

use super::{claims, error::ConfigError};
use std::ffi::OsString;

/// What names begin with that have to do with this program.
const PREFIX: &str = "LUCID_";

/// The variables that are text.
///
/// # Errors
/// [`ConfigError::NotUnicode`] for one that concerns this program and is not.
pub fn text_of(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<(String, String)>, ConfigError> {
    let mut texts = Vec::new();
    for (name, value) in variables {
        match (name.to_str(), value.to_str()) {
            (Some(name), Some(value)) => texts.push((name.to_owned(), value.to_owned())),
            _ => {
                let name = name.to_string_lossy();
                if name.starts_with(PREFIX) || claims::is_legacy(&name) {
                    return Err(ConfigError::NotUnicode(name.into_owned()));
                }
            }
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    #[test]
    fn a_value_of_ours_that_is_no_text_is_refused_and_a_strangers_is_passed_over() {
        let pair = |name: &[u8], value: &[u8]| (OsString::from_vec(name.to_vec()), OsString::from_vec(value.to_vec()));
        let texts = text_of([pair(b"PATH", b"/bin"), pair(b"LS_COLORS", b"\xff"), pair(b"\xff", b"x")]).unwrap();
        assert_eq!(texts, [("PATH".to_owned(), "/bin".to_owned())]);
        for (name, value) in [(&b"LUCID__HTTP__PORT"[..], &b"\xff1"[..]), (b"LUCID__\xff", b"1"), (b"D_MIN", b"\xff")] {
            assert!(matches!(text_of([pair(name, value)]), Err(ConfigError::NotUnicode(_))));
        }
    }
}
