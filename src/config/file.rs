use super::{claims, error::ConfigError, settings::SETTINGS};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use toml::{Table, Value};

/// Most bytes of a configuration file: many times what all settings take.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The folder with parts of the configuration, which packages and scripts may add without a change to the file.
const PARTS_FOLDER: &str = "conf.d";

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
    /// [`ConfigError::Io`], [`ConfigError::NotAText`]
    pub fn read(path: &Path) -> Result<Option<Self>, ConfigError> {
        let fault = |source| ConfigError::Io { path: path.to_owned(), source };
        let refused = |what| ConfigError::NotAText { path: path.to_owned(), what };
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            looked => {
                let metadata = looked.map_err(fault)?;
                if metadata.is_dir() {
                    return Err(refused("a folder"));
                }
                // Before it is opened: a pipe would keep its reader waiting.
                if !metadata.is_file() {
                    return Err(refused("not a regular file"));
                }
                if metadata.len() > MAX_FILE_BYTES {
                    return Err(refused("too long"));
                }
            }
        }
        let text = String::from_utf8(fs::read(path).map_err(fault)?).map_err(|_| refused("not UTF-8 text"))?;
        Ok(Some(Self { path: path.to_owned(), text }))
    }

    /// The folder with parts of the configuration of which the file at `path` is the main one.
    pub fn parts_beside(path: &Path) -> PathBuf {
        path.with_file_name(PARTS_FOLDER)
    }

    /// Reads the files `*.toml` in the folder `conf.d` beside this one, in the order of their names.
    ///
    /// # Errors
    /// [`ConfigError::Io`], [`ConfigError::NotAText`]
    pub fn read_parts(beside: &Path) -> Result<Vec<Self>, ConfigError> {
        let folder = Self::parts_beside(beside);
        let fault = |source| ConfigError::Io { path: folder.clone(), source };
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(fault(error)),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(fault)?.path();
            let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if !is_hidden && path.extension().is_some_and(|extension| extension == "toml") {
                paths.push(path);
            }
        }
        paths.sort();
        // One that is named there and leads nowhere is missing.
        let read = |path: &PathBuf| Self::read(path)?.ok_or_else(|| ConfigError::Missing(path.clone()));
        paths.iter().map(read).collect()
    }

    /// Files in the folder `conf.d` beside this one that are not read for their names, in the order of these. Hidden files,
    /// what Debian's package manager leaves, and a README are not meant to be.
    pub fn passed_over(beside: &Path) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(Self::parts_beside(beside)) else { return Vec::new() };
        let is_meant = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_other = name.starts_with('.') || name.ends_with('~') || name == "README" || name.contains(".dpkg-");
            !is_other && !name.ends_with(".toml") && path.is_file()
        };
        let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_meant).collect();
        paths.sort();
        paths
    }

    /// Its values as text, each under `section.name`.
    pub(super) fn values(&self) -> Result<Vec<(String, String)>, ConfigError> {
        let syntax = |message: String| ConfigError::Syntax { path: self.path.clone(), message };
        let table: Table = self.text.parse().map_err(|error: toml::de::Error| syntax(place_of(&error, &self.text)))?;
        let mut values = Vec::new();
        for (section, value) in table {
            match value {
                // It says nothing, and yet its name must be one that says something.
                Value::Table(entries) if entries.is_empty() && !is_section(&section) => {
                    values.push((section, String::new()));
                }
                Value::Table(entries) => {
                    for (name, value) in entries {
                        let key = format!("{section}.{name}");
                        let text = scalar(&value).ok_or_else(|| syntax(format!("{key} is no value of a setting")))?;
                        values.push((key, text));
                    }
                }
                _ if is_section(&section) => {
                    return Err(syntax(format!("{section} is a section, written as [{section}]")));
                }
                other => values.push((section, scalar(&other).unwrap_or_default())),
            }
        }
        Ok(values)
    }
}

/// What is wrong, and where. The text of the line is not repeated: whoever names a key file by mistake would find the key
/// in the log.
fn place_of(error: &toml::de::Error, text: &str) -> String {
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return "it cannot be read".to_owned();
    };
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
    format!("line {line}, column {column} is no table, key or value as TOML has them")
}

/// Whether settings or facts of the chain are under this name.
fn is_section(name: &str) -> bool {
    SETTINGS.iter().map(|setting| setting.key).chain(claims::keys()).any(|key| section_of(key) == name)
}

/// The section of a key.
pub(super) fn section_of(key: &'static str) -> &'static str {
    key.split_once('.').map_or(key, |(section, _)| section)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_that_is_named_by_mistake_is_not_repeated() {
        for text in ["100851fd0e5a75\n", "[http]\nport = 1\n5ec7e7 = = 5ec7e7\n", "5ec7e7 = [5ec7e7\n", "\"5ec7e7\n"] {
            let file = ConfigFile { path: PathBuf::from("x.toml"), text: text.to_owned() };
            let said = file.values().unwrap_err().to_string();
            assert!(said.contains("x.toml is not valid TOML: line "), "{said}");
            assert!(!said.contains("5ec7") && !said.contains("1008"), "{said}");
        }
    }

    #[test]
    fn parts_are_read_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let main = folder.path().join("lucid-node.toml");
        assert_eq!(ConfigFile::read_parts(&main).unwrap(), []);
        let parts = folder.path().join("conf.d");
        fs::create_dir(&parts).unwrap();
        for name in ["20-b.toml", "10-a.toml", "30-c.toml.dpkg-old", ".40-d.toml", "README", "local.conf"] {
            fs::write(parts.join(name), name).unwrap();
        }
        let texts: Vec<_> = ConfigFile::read_parts(&main).unwrap().into_iter().map(|part| part.text).collect();
        assert_eq!(texts, ["10-a.toml", "20-b.toml"]);
        assert_eq!(ConfigFile::passed_over(&main), [parts.join("local.conf")]);
    }

    #[test]
    fn what_is_no_text_file_is_said_to_be_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lucid.toml");
        assert_eq!(ConfigFile::read(&path).unwrap(), None);
        let said = |path: &Path| ConfigFile::read(path).unwrap_err().to_string();
        assert!(said(folder.path()).contains("is a folder"));
        fs::write(&path, b"[http]\nport = \xff").unwrap();
        assert!(said(&path).contains("is not UTF-8 text"));
        fs::write(&path, vec![b'#'; MAX_FILE_BYTES as usize + 1]).unwrap();
        assert!(said(&path).contains("is too long"));
    }
}
