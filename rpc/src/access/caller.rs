use super::{Namespace, Scope, Token, Tokens};
use crate::interface::Need;
use std::collections::BTreeSet;

/// Why something is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    /// No token came with the request.
    #[error(
        "this needs a token with the scope {0}: send that of tokens/{0} in the node's data folder as \"Authorization: Bearer TOKEN\""
    )]
    TokenMissing(Scope),
    /// The token is none that is known.
    #[error(
        "the token is not known to this node: those that it knows were in the folder tokens of its data folder when it started"
    )]
    TokenUnknown,
    /// The token is for something else.
    #[error(
        "this needs a token with the scope {needed}, as in tokens/{needed} of the node's data folder; the scope of the one that came is {held}"
    )]
    Scope {
        /// What is needed.
        needed: Scope,
        /// What the token has.
        held: Scope,
    },
}

/// Who sent a request, as far as it matters.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    rights: Rights,
    /// Namespaces that are closed to this caller.
    closed: BTreeSet<Namespace>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rights {
    /// No method asks for a token here.
    Everything,
    /// What the token that came is for; `None` where none came.
    Of(Option<Scope>),
}

impl Caller {
    /// Judges the token that came with a request; `credentials` is its text.
    pub(crate) fn new(
        tokens: Option<&Tokens>,
        credentials: Option<&str>,
        closed: BTreeSet<Namespace>,
    ) -> Result<Self, Denied> {
        let rights = match (tokens, credentials) {
            (None, _) => Rights::Everything,
            (Some(_), None) => Rights::Of(None),
            (Some(tokens), Some(text)) => {
                let token: Token = text.parse().map_err(|_| Denied::TokenUnknown)?;
                Rights::Of(Some(tokens.scope_of(&token).ok_or(Denied::TokenUnknown)?))
            }
        };
        Ok(Self { rights, closed })
    }

    /// Whether the caller may do what needs `needed`.
    pub(crate) fn may(&self, needed: Scope) -> Result<(), Denied> {
        match self.rights {
            Rights::Everything => Ok(()),
            Rights::Of(None) => Err(Denied::TokenMissing(needed)),
            Rights::Of(Some(held)) if held.includes(needed) => Ok(()),
            Rights::Of(Some(held)) => Err(Denied::Scope { needed, held }),
        }
    }

    /// Whether a method with this need is there for the caller at all.
    pub(crate) fn sees(&self, need: Need) -> bool {
        !matches!(need, Need::Namespace(namespace) if self.closed.contains(&namespace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(byte: u8) -> Token {
        Token::from_bytes([byte; 32])
    }

    fn caller(credentials: Option<&str>) -> Result<Caller, Denied> {
        let tokens = Tokens::from_iter([(Scope::Read, token(1)), (Scope::Anchor, token(2))]);
        Caller::new(Some(&tokens), credentials, BTreeSet::new())
    }

    #[test]
    fn without_tokens_everybody_may_everything() {
        let anybody = Caller::new(None, None, BTreeSet::new()).unwrap();
        assert_eq!(anybody.may(Scope::Admin), Ok(()));
        // A token that nobody asked for is not looked at.
        assert!(Caller::new(None, Some("nonsense"), BTreeSet::new()).is_ok());
    }

    #[test]
    fn a_missing_a_wrong_and_a_foreign_token_are_told_apart() {
        assert_eq!(caller(None).unwrap().may(Scope::Anchor), Err(Denied::TokenMissing(Scope::Anchor)));
        assert_eq!(caller(Some("nonsense")).unwrap_err(), Denied::TokenUnknown);
        assert_eq!(caller(Some(&token(9).to_hex())).unwrap_err(), Denied::TokenUnknown);
        let reader = caller(Some(&token(1).to_hex())).unwrap();
        assert_eq!(reader.may(Scope::Read), Ok(()));
        assert_eq!(reader.may(Scope::Anchor), Err(Denied::Scope { needed: Scope::Anchor, held: Scope::Read }));
        assert_eq!(caller(Some(&token(2).to_hex())).unwrap().may(Scope::Anchor), Ok(()));
    }

    #[test]
    fn a_closed_namespace_is_not_there() {
        let closed = BTreeSet::from([Namespace::Txpool]);
        let outsider = Caller::new(None, None, closed).unwrap();
        assert!(!outsider.sees(Need::Namespace(Namespace::Txpool)));
        assert!(outsider.sees(Need::Nothing));
    }
}
