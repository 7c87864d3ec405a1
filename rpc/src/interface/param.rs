use crate::error::RpcError;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::marker::PhantomData;

/// A parameter of a `lucid_` method. A malformed one is answered when the method asks for it, with the error of these
/// methods and not with the server's own.
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

/// A parameter that is not read before the method knows whether its caller may ask at all.
#[derive(Debug)]
pub(crate) struct Unread<T>(Box<RawValue>, PhantomData<T>);

impl<'de, T> Deserialize<'de> for Unread<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Ok(Self(Deserialize::deserialize(input)?, PhantomData))
    }
}

impl<T: DeserializeOwned> Unread<T> {
    /// The part of it that is of this form, if there is one.
    pub(crate) fn look<P: DeserializeOwned>(&self) -> Option<P> {
        serde_json::from_str(self.0.get()).ok()
    }

    /// The value; an error that names what is wrong with it.
    pub(crate) fn read(self) -> Result<T, RpcError> {
        Param(serde_json::from_str(self.0.get())).read()
    }
}
