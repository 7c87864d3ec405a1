use crate::error::RpcError;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::value::RawValue;

/// A parameter of a `lucid_` method, read when the method asks for it, so that a malformed one is answered with
/// the error of these methods and not with the server's own.
#[derive(Debug)]
pub(crate) struct Param<T>(Result<T, serde_json::Error>);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Param<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Ok(Self(serde_json::from_str(<&RawValue>::deserialize(input)?.get())))
    }
}

impl<T> Param<T> {
    /// The value; an error that names what is wrong with it.
    pub(crate) fn read(self) -> Result<T, RpcError> {
        self.0.map_err(|error| RpcError::InvalidRequest(format!("invalid parameter: {error}")))
    }

    /// The value of a parameter that may be absent or null.
    pub(crate) fn read_optional(param: Option<Self>) -> Result<Option<T>, RpcError> {
        param.map(Self::read).transpose()
    }
}
