//! The URI of a server with the login in it, and how both are kept out of whatever is said.

use super::{error::MongoError, secret_file::read_secret};
use std::{fmt, path::Path};
use zeroize::Zeroizing;

/// A secret of fewer letters is a part of many words: what it stands in is not shown at all.
const MIN_SECRET_LETTERS: usize = 4;

/// What stands in the place of a secret.
const HIDDEN: &str = "***";

/// What a text is replaced with where it might show a part of a short secret.
const LEFT_OUT: &str = "(left out, for it might show a part of the login)";

/// The connection string of a server, with the login where it has one. It is never shown.
pub struct MongoUri(Zeroizing<String>);

impl fmt::Debug for MongoUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MongoUri")
    }
}

impl MongoUri {
    /// Reads it from the file at `path`, and the user name and password from `login`, where they are not in the URI: the first
    /// and the second line of a file.
    ///
    /// # Errors
    ///
    /// A file cannot be read, is not its owner's alone, or does not hold what it should.
    pub fn read(path: &Path, login: Option<&Path>) -> Result<Self, MongoError> {
        let uri = read_secret(path)?;
        let content_fault = |path: &Path, what| MongoError::SecretContent { path: path.to_owned(), what };
        let Some((scheme, rest)) = split_scheme(&uri) else {
            return Err(content_fault(path, "it should be mongodb://HOST… or mongodb+srv://HOST…"));
        };
        if uri.chars().any(|letter| letter.is_control() || letter.is_whitespace()) {
            return Err(content_fault(path, "it should be one URI, and nothing else"));
        }
        let Some(login) = login else { return Ok(Self(uri)).and_then(|uri| uri.check(path)) };
        if rest.contains('@') {
            return Err(content_fault(path, "it has a login, and a file with another is named"));
        }
        let lines = read_secret(login)?;
        let (user, password) = lines
            .split_once('\n')
            .map(|(user, password)| (user.trim_end_matches('\r'), password))
            .filter(|(user, password)| !user.is_empty() && !password.is_empty() && !password.contains('\n'))
            .ok_or_else(|| content_fault(login, "it should have two lines: the user name, and the password"))?;
        Ok(Self(Zeroizing::new(format!("{scheme}{}:{}@{rest}", &*encoded(user), &*encoded(password)))))
    }

    /// One that was named for everybody to see, so that no login may be in it.
    ///
    /// # Errors
    ///
    /// A login is in it.
    pub fn without_login(uri: &str) -> Result<Self, MongoError> {
        match login_of(uri).is_empty() && secret_options(uri).next().is_none() {
            true => Ok(Self(Zeroizing::new(uri.to_owned()))),
            false => Err(MongoError::Uri { what: "it has a login, which belongs in a file".to_owned() }),
        }
    }

    /// That the login is written so that no part of it can be taken for something else, and shown.
    fn check(self, path: &Path) -> Result<Self, MongoError> {
        let login = login_of(&self.0);
        match login.matches(':').count() > 1 || login.contains(['/', '?', '#', '[', ']', '@']) {
            true => {
                let what = "in a user name and password the letters : / ? # [ ] @ and % are written %3A %2F %3F %23 %5B %5D %40 \
                            and %25; or put both into a file of their own";
                Err(MongoError::SecretContent { path: path.to_owned(), what })
            }
            false => Ok(self),
        }
    }

    /// What the driver is given.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// What hides the login.
    pub(super) fn redactor(&self) -> Redactor {
        let login = login_of(&self.0);
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let plain = [user, password].map(decoded);
        let parts = [login, user, password, &*plain[0], &*plain[1]].into_iter().chain(secret_options(&self.0));
        Redactor::new(parts)
    }

    /// What hides all of where the server is too: for what is said of a URI that cannot be read, in which anything may be the
    /// password.
    pub(super) fn strict_redactor(&self) -> Redactor {
        let rest = split_scheme(&self.0).map_or(&**self.0, |(_, rest)| rest);
        let place = rest.split(['/', '?']).next().unwrap_or(rest);
        Redactor::new(place.split(['@', ':', ',']).chain(secret_options(&self.0)))
    }
}

fn split_scheme(uri: &str) -> Option<(&str, &str)> {
    let schemes = ["mongodb://", "mongodb+srv://"];
    schemes.into_iter().find_map(|scheme| uri.strip_prefix(scheme).map(|rest| (&uri[..scheme.len()], rest)))
}

/// Whatever might be the login: all before the last @.
fn login_of(uri: &str) -> &str {
    let rest = split_scheme(uri).map_or(uri, |(_, rest)| rest);
    rest.rsplit_once('@').map_or("", |(login, _)| login)
}

/// Values of options that are secrets.
fn secret_options(uri: &str) -> impl Iterator<Item = &str> {
    let options = uri.split_once('?').map_or("", |(_, options)| options).split('&');
    options.filter_map(|option| option.split_once('=')).filter_map(|(name, value)| {
        let name = name.to_ascii_lowercase();
        (name.contains("password") || name.contains("username") || name.contains("properties")).then_some(value)
    })
}

/// Percent-encoded, but for letters and digits.
fn encoded(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(3 * text.len()));
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])));
        }
    }
    out
}

/// What percent-encoded text stands for.
fn decoded(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut bytes = text.as_bytes();
    while let Some((&first, rest)) = bytes.split_first() {
        let hex = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match hex.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| first == b'%') {
            Some(byte) => {
                out.push(byte);
                bytes = &rest[2..];
            }
            None => {
                out.push(first);
                bytes = rest;
            }
        }
    }
    Zeroizing::new(String::from_utf8_lossy(&out).into_owned())
}

/// Most letters of what a server said that are said again.
const MAX_SAID_CHARS: usize = 1_000;

/// Takes secrets out of texts.
pub(super) struct Redactor(Vec<Zeroizing<String>>);

impl Redactor {
    fn new<'a>(secrets: impl Iterator<Item = &'a str>) -> Self {
        let mut secrets: Vec<_> = secrets.filter(|secret| !secret.is_empty()).collect();
        // The longest first, or what is left of it would stay.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(secrets.into_iter().map(|secret| Zeroizing::new(secret.to_owned())).collect())
    }

    /// The text without them, on one line and not longer than one reads. It is what a server said.
    pub(super) fn redact(&self, text: &str) -> String {
        let hidden = self.hide(text);
        let mut line: String =
            hidden.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_SAID_CHARS).collect();
        if hidden.chars().nth(MAX_SAID_CHARS).is_some() {
            line.push('…');
        }
        line
    }

    fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            if !text.contains(secret.as_str()) {
                continue;
            }
            if secret.chars().count() < MIN_SECRET_LETTERS {
                return LEFT_OUT.to_owned();
            }
            text = text.replace(secret.as_str(), HIDDEN);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt,
    };

    fn read(uri: &str, login: Option<&str>) -> Result<MongoUri, MongoError> {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            path
        };
        let (uri, login) = (write("uri", uri), login.map(|login| write("login", login)));
        MongoUri::read(&uri, login.as_deref())
    }

    #[test]
    fn a_login_of_its_own_file_is_written_into_the_uri() {
        let uri = read("mongodb://db.example:27017/?tls=true\n", Some("lucid\np@ss:w/ord %é\n")).unwrap();
        assert_eq!(uri.text(), "mongodb://lucid:p%40ss%3Aw%2Ford%20%25%C3%A9@db.example:27017/?tls=true");
        assert_eq!(&*decoded("p%40ss%3Aw%2Ford%20%25%C3%A9%"), "p@ss:w/ord %é%");
        for (uri, login) in [
            ("mongodb://a:b@db.example", "lucid\nsecret"),
            ("mongodb://db.example", "lucid"),
            ("mongodb://db.example", "lucid\na\nb"),
        ] {
            assert!(matches!(read(uri, Some(login)), Err(MongoError::SecretContent { .. })), "{uri} {login}");
        }
    }

    #[test]
    fn what_is_no_uri_is_refused_and_not_repeated() {
        for uri in
            ["secret-host", "http://secret-host", "mongodb://a:secret@b\nmongodb://c", "mongodb://u:sec/ret@host"]
        {
            let error = read(uri, None).unwrap_err().to_string();
            assert!(!error.contains("sec"), "{error}");
        }
        assert_eq!(format!("{:?}", read("mongodb://u:secret@host", None).unwrap()), "MongoUri");
    }

    #[test]
    fn nothing_of_the_login_is_left_in_what_is_said() {
        let uri = read("mongodb://lucid:s%40cret@db.example/?proxyPassword=hidden", None).unwrap();
        let redactor = uri.redactor();
        for text in ["SCRAM failure of lucid:s%40cret", "user lucid", "s@cret is wrong", "proxy hidden"] {
            let shown = redactor.redact(text);
            assert!(shown.contains(HIDDEN), "{shown}");
            for secret in ["lucid", "s%40cret", "s@cret", "hidden"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
        assert_eq!(redactor.redact("no host db.example"), "no host db.example");
        assert_eq!(uri.strict_redactor().redact("bad port in db.example"), "bad port in ***");
        let short = read("mongodb://lucid:ab@db.example", None).unwrap().redactor();
        assert_eq!(short.redact("the table is gone"), LEFT_OUT);
        // A host was forgotten: what stands in its place is the login.
        let forgotten = read("mongodb://lucid:secret", None).unwrap();
        assert_eq!(forgotten.strict_redactor().redact("invalid port: secret"), "invalid port: ***");
    }
}
