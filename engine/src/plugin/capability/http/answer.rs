//! An exchange without a network: what was sent is handed over, and what comes back is answered.

use ::http::{Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use wasmtime_wasi_http::{Error, WasiBody};

use super::Sent;
use super::body::{Meter, RequestBody};
use crate::plugin::{Answers, OutgoingRequest};

/// Has a request answered that may be sent.
pub async fn without_network(
    answers: &dyn Answers,
    request: Request<WasiBody>,
    meter: Meter,
) -> Result<Sent, Error> {
    let (head, body) = request.into_parts();
    let counted = RequestBody {
        body,
        meter: meter.clone(),
    };
    let body = counted.collect().await?.to_bytes();
    let text = |value: &::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into();
    let fields = head.headers.iter();
    let answer = answers
        .answer(OutgoingRequest {
            method: head.method.to_string(),
            url: head.uri.to_string(),
            headers: fields
                .map(|(name, value)| (name.to_string(), text(value)))
                .collect(),
            body: body.to_vec(),
        })
        .map_err(|why| Error::InternalError(Some(why)))?;
    if !meter.count(answer.body.len()) {
        return Err(Error::HttpResponseBodySize(meter.limit()));
    }
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    let body = Full::new(Bytes::from(answer.body)).map_err(|never| match never {});
    let response = response
        .body(body.boxed_unsync())
        .map_err(|error| Error::InternalError(Some(error.to_string())))?;
    Ok((response, Box::new(async { Ok(()) })))
}
