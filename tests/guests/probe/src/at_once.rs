//! Many HTTP requests that go on at the same time.

use rengine_plugin::bindings::granted::wasi::http::outgoing_handler;
use rengine_plugin::bindings::granted::wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, OutgoingRequest, Scheme,
};

/// Sends them all, and then waits for each; tells how many were answered, and why others were not.
pub fn send(url: &str, count: usize) -> String {
    let sent: Vec<_> = (0..count).map(|_| start(url)).collect();
    let mut answered = 0;
    let mut refused = Vec::new();
    for coming in sent {
        match coming.and_then(wait) {
            Ok(_) => answered += 1,
            Err(code) => refused.push(format!("{code:?}")),
        }
    }
    refused.dedup();
    format!(
        "{answered} of {count} answered; {}",
        if refused.is_empty() {
            "none refused".to_owned()
        } else {
            refused.join(", ")
        }
    )
}

fn start(url: &str) -> Result<FutureIncomingResponse, ErrorCode> {
    let (authority, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .expect("a URL");
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(&Scheme::Http)).expect("a scheme");
    request
        .set_authority(Some(authority))
        .expect("an authority");
    request
        .set_path_with_query(Some(&format!("/{path}")))
        .expect("a path");
    outgoing_handler::handle(request, None)
}

fn wait(coming: FutureIncomingResponse) -> Result<u16, ErrorCode> {
    coming.subscribe().block();
    let response = coming
        .get()
        .expect("it is there")
        .expect("it is asked once")?;
    Ok(response.status())
}
