use super::error::ConfigError;
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use toml::{Table, Value};

/// Most bytes of a configuration file: many times what all settings take.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// A configuration file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

impl ConfigFile {
    /// Reads the file at `path`; `None` where there is none.
    ///
    /// # Errors
    /// [`ConfigError::Io`]
    pub fn read(path: &Path) -> Result<Option<Self>, ConfigError> {
        let fault = |source| ConfigError::Io { path: path.to_owned(), source };
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            looked => {
                let metadata = looked.map_err(fault)?;
                if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
                    return Err(fault(io::Error::other("not a regular file of at most 1 MiB")));
                }
            }
        }
        Ok(Some(Self { path: path.to_owned(), text: fs::read_to_string(path).map_err(fault)? }))
    }

    /// Its values as text, each under `section.name`.
    pub(super) fn values(&self) -> Result<Vec<(String, String)>, ConfigError> {
        let syntax = |message: String| ConfigError::Syntax { path: self.path.clone(), message };
        let table: Table = self.text.parse().map_err(|error: toml::de::Error| syntax(error.to_string()))?;
        let mut values = Vec::new();
        for (section, value) in table {
            match value {
                Value::Table(entries) => {
                    for (name, value) in entries {
                        let key = format!("{section}.{name}");
                        let text = scalar(&value).ok_or_else(|| syntax(format!("{key} is no value of a setting")))?;
                        values.push((key, text));
                    }
                }
                other => values.push((section, scalar(&other).unwrap_or_default())),
            }
        }
        Ok(values)
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(yes) => Some(yes.to_string()),
        Value::Array(items) => {
            let items: Option<Vec<String>> =
                items.iter().map(|item| scalar(item).filter(|_| !item.is_array())).collect();
            items.map(|items| items.join(","))
        }
        _ => None,
    }
}
