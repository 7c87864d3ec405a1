use std::{fmt, str::FromStr};

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everything, changes of the node among it.
    Admin,
    /// What the node signs with its key to anchor sessions.
    Anchor,
    /// What concerns payouts.
    Payout,
    /// What needs no scope of its own, where listening beyond this machine asks for a token all the same.
    Read,
}

impl Scope {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 4] = [Self::Admin, Self::Anchor, Self::Payout, Self::Read];

    /// Its name, which is also that of its file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Anchor => "anchor",
            Self::Payout => "payout",
            Self::Read => "read",
        }
    }

    /// Whether a token of this scope may do what asks for `needed`. Every token may read.
    pub const fn includes(self, needed: Self) -> bool {
        matches!(
            (self, needed),
            (Self::Admin, _) | (_, Self::Read) | (Self::Anchor, Self::Anchor) | (Self::Payout, Self::Payout)
        )
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no scope; there are admin, anchor, payout and read")]
pub struct UnknownScope(String);

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|scope| scope.name() == name).ok_or_else(|| UnknownScope(name.to_owned()))
    }
}

/// Bytes of a token. As many random bytes cannot be guessed.
const TOKEN_BYTES: usize = 32;

/// A secret that opens the interface: 32 random bytes, written as 64 hexadecimal digits.
///
/// Two are compared by their BLAKE3 hashes and in constant time, so that the time of an answer says nothing about
/// how much of a guess was right. Neither `Debug` nor any error shows it.
#[derive(Clone)]
pub struct Token([u8; TOKEN_BYTES]);

/// A text that is no token. What it was is not told: it may be most of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token has 64 hexadecimal digits")]
pub struct InvalidToken;

impl Token {
    /// The token of these bytes, which have to be random.
    pub const fn from_bytes(bytes: [u8; TOKEN_BYTES]) -> Self {
        Self(bytes)
    }

    /// The digits, for whoever is to use it.
    pub fn to_hex(&self) -> String {
        alloy_primitives::hex::encode(self.0)
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; TOKEN_BYTES];
        // Without 0x: a token has one form.
        if text.len() != 2 * TOKEN_BYTES || text.starts_with("0x") {
            return Err(InvalidToken);
        }
        alloy_primitives::hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidToken)?;
        Ok(Self(bytes))
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        // The hash type compares in constant time.
        blake3::hash(&self.0) == blake3::hash(&other.0)
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The tokens that a server accepts. A scope may have several: one in the data folder, and one that others were given.
#[derive(Debug, Clone, Default)]
pub struct Tokens(Vec<(Scope, Token)>);

impl Tokens {
    /// Scope of `token`; `None` where it is none of these. All are looked at, whichever it is.
    pub fn scope_of(&self, token: &Token) -> Option<Scope> {
        self.0.iter().fold(None, |found, (scope, known)| if known == token { Some(*scope) } else { found })
    }
}

impl FromIterator<(Scope, Token)> for Tokens {
    fn from_iter<T: IntoIterator<Item = (Scope, Token)>>(tokens: T) -> Self {
        Self(tokens.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_reads_and_only_admin_does_what_others_are_for() {
        for scope in Scope::ALL {
            assert!(scope.includes(Scope::Read) && scope.includes(scope) && Scope::Admin.includes(scope), "{scope}");
            assert_eq!(scope.name().parse(), Ok(scope));
        }
        for (scope, needed) in [
            (Scope::Read, Scope::Anchor),
            (Scope::Read, Scope::Payout),
            (Scope::Read, Scope::Admin),
            (Scope::Anchor, Scope::Payout),
            (Scope::Payout, Scope::Anchor),
            (Scope::Anchor, Scope::Admin),
        ] {
            assert!(!scope.includes(needed), "{scope} {needed}");
        }
        assert!("root".parse::<Scope>().is_err());
    }

    #[test]
    fn a_token_is_64_digits_and_is_never_shown() {
        let token = Token::from_bytes([0xab; 32]);
        let text = token.to_hex();
        assert_eq!(text.parse::<Token>().as_ref(), Ok(&token));
        assert!(!format!("{token:?}").contains("ab"));
        for text in ["", "ab", &text[1..], &format!("0x{}", &text[2..]), &text.replace('a', "g")] {
            assert_eq!(text.parse::<Token>(), Err(InvalidToken), "{text}");
        }
    }

    #[test]
    fn a_token_opens_its_own_scope_alone() {
        let token = |byte| Token::from_bytes([byte; 32]);
        let tokens = Tokens::from_iter([(Scope::Read, token(1)), (Scope::Anchor, token(2))]);
        assert_eq!(tokens.scope_of(&token(1)), Some(Scope::Read));
        assert_eq!(tokens.scope_of(&token(2)), Some(Scope::Anchor));
        assert_eq!(tokens.scope_of(&token(3)), None);
        assert_eq!(Tokens::default().scope_of(&token(1)), None);
    }
}
