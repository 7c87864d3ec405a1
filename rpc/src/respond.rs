//! HTTP answers: JSON-RPC, and a sentence for what is none.

use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    body::Bytes,
    header::{CONTENT_TYPE, HeaderValue},
};
use jsonrpsee::{
    MethodResponse,
    types::{ErrorObjectOwned, Id, error::INVALID_REQUEST_CODE},
};

/// An answer, which is always whole when it is sent.
pub(crate) type Answer = Response<Full<Bytes>>;

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = status;
    answer
}

/// An answer of JSON.
pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    with_body(status, "application/json; charset=utf-8", body)
}

/// An answer in words.
pub(crate) fn text(status: StatusCode, text: &'static str) -> Answer {
    with_body(status, "text/plain", text)
}

/// An error of JSON-RPC to a request of which no id is known.
pub(crate) fn error(status: StatusCode, error: impl Into<ErrorObjectOwned>) -> Answer {
    let error = MethodResponse::error(Id::Null, error.into()).into_json();
    json(status, String::from(Box::<str>::from(error)))
}

/// The refusal of a request that is no whole one, or contradicts itself, with a sentence that says in what.
pub(crate) fn bad_request(what: &str) -> Answer {
    error(StatusCode::BAD_REQUEST, ErrorObjectOwned::owned(INVALID_REQUEST_CODE, what, None::<()>))
}

fn with_body(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Answer::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
