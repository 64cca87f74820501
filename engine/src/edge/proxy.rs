//! A request's way to a target and back.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode, Version, request};
use hyper::body::Incoming;
use tokio::time::{Instant, sleep, timeout};

use super::body::{InFlight, RequestBody, ResponseBody, Written};
use super::connection::Peer;
use super::defaults::{FILES_INTERVAL, MAX_RESENT};
use super::headers::{self, Client};
use super::log::Entry;
use super::pool::{Sender, files_are_short};
use super::routes::Protocol;
use super::service::Service;
use super::table::Refused;
use super::target::{Lease, Target};
use super::tunnel;
use super::worker::Shared;

/// What came of sending a request.
struct Answered {
    response: Response<Incoming>,
    service: Arc<Service>,
    lease: Lease,
    sender: Sender,
}

/// Why a client gets no target's answer.
struct NoAnswer {
    status: StatusCode,
    reason: String,
    service: Option<Arc<Service>>,
}

/// Answers a client's request.
pub async fn answer(
    request: Request<Incoming>,
    peer: Peer,
    shared: Arc<Shared>,
) -> Result<Response<ResponseBody>, Infallible> {
    let begun = Instant::now();
    let client = peer.client();
    let version = request.version();
    let (mut head, body) = request.into_parts();
    let id = headers::given_id(&head.headers, client).unwrap_or_else(|| shared.ids.next());
    let mut entry = shared.entry(begun, client.address, peer.port);
    entry.id = Some(id.clone());
    if shared.log.is_on() {
        entry.method = Some(head.method.clone());
        let authority = head
            .uri
            .authority()
            .and_then(|host| host.as_str().parse().ok());
        entry.host = authority.or_else(|| head.headers.get(header::HOST).cloned());
        entry.path = Some(head.uri.path().to_owned());
    }
    let mut response = match headers::check(&head) {
        Ok(()) => pass_on(&mut head, body, client, &id, peer.port, entry, &shared).await,
        Err(unfit) => {
            shared.metrics.unfit.fetch_add(1, Ordering::Relaxed);
            let mut response = own(unfit.status, unfit.reason, entry);
            // What follows on this connection may be anything.
            close(&mut response, version);
            response
        }
    };
    response.headers_mut().insert(headers::REQUEST_ID, id);
    *response.version_mut() = version;
    if shared.is_leaving() {
        close(&mut response, version);
    }
    Ok(response)
}

/// Tells the client to use another connection. HTTP/2 has its own way.
fn close(response: &mut Response<ResponseBody>, version: Version) {
    if version <= Version::HTTP_11 && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
}

async fn pass_on(
    head: &mut request::Parts,
    body: Incoming,
    client: Client,
    id: &HeaderValue,
    port: u16,
    mut entry: Entry,
    shared: &Arc<Shared>,
) -> Response<ResponseBody> {
    let upgrade = headers::upgrade(&head.headers, head.version);
    let client_upgrade = upgrade
        .is_some()
        .then(|| head.extensions.remove())
        .flatten();
    headers::to_target(head, client, upgrade.as_ref(), id);
    let body = RequestBody::new(body);
    let answered = send(head, body, port, &mut entry, shared).await;
    let waited = entry.begun.elapsed();
    entry.waited = waited;
    let Answered {
        mut response,
        service,
        lease,
        sender,
    } = match answered {
        Ok(answered) => answered,
        Err(no) => {
            if let Some(service) = &no.service {
                service.gate.metrics.answered(no.status, waited);
                if shared.log.is_on() {
                    entry.service = Some(service.name.clone());
                }
            }
            return own(no.status, &no.reason, entry);
        }
    };
    let status = response.status();
    service.gate.metrics.answered(status, waited);
    entry.status = Some(status.as_u16());
    if status == StatusCode::SWITCHING_PROTOCOLS {
        let target_upgrade = hyper::upgrade::on(&mut response);
        let (Some(client_upgrade), Some(wanted)) = (client_upgrade, upgrade) else {
            return own(
                StatusCode::BAD_GATEWAY,
                "the target switched unasked",
                entry,
            );
        };
        service.gate.metrics.tunnels.fetch_add(1, Ordering::Relaxed);
        sender.let_go();
        let switched = response.headers().get(header::UPGRADE).cloned();
        headers::strip(response.headers_mut());
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, switched.unwrap_or(wanted));
        shared.tasks.spawn(tunnel::upgraded(
            client_upgrade,
            target_upgrade,
            lease,
            entry,
        ));
        return response.map(|_| ResponseBody::Own(None, Written::default()));
    }
    headers::strip(response.headers_mut());
    let in_flight = InFlight {
        lease,
        sender: Some(sender),
        written: Written::new(entry),
    };
    response.map(|body| ResponseBody::Target(body, Box::new(in_flight)))
}

/// Sends a request until a target answers, as often as that is safe.
async fn send(
    head: &request::Parts,
    body: RequestBody,
    port: u16,
    entry: &mut Entry,
    shared: &Shared,
) -> Result<Answered, NoAnswer> {
    // Without a body, and if it changes nothing, it can be sent whatever became of it before.
    let can_resend = matches!(body, RequestBody::Empty) && headers::is_idempotent(&head.method);
    let mut request = Request::from_parts(head.clone(), body);
    let mut avoid: Option<Arc<Target>> = None;
    let mut resent = 0;
    let mut waiting = None;
    let since = Instant::now();
    loop {
        let acquired = shared
            .tables
            .acquire(port, avoid.as_ref(), &mut waiting)
            .await;
        let (service, lease) = acquired.map_err(|refused| no_target(refused, port, shared))?;
        let target = lease.target().clone();
        if shared.log.is_on() {
            entry.service = Some(service.name.clone());
            entry.target = Some(target.address.to_string());
        }
        // One that failed once gets a new connection, since the other idle ones are no better.
        let idle = (resent == 0)
            .then(|| target.pool.idle(can_resend))
            .flatten();
        let fresh = idle.is_none();
        let mut sender = match idle {
            Some(sender) => sender,
            None => match target.pool.connect().await {
                Ok(sender) => sender,
                Err(error) if files_are_short(&error) => {
                    if since.elapsed() > service.hold() {
                        return Err(NoAnswer {
                            status: StatusCode::SERVICE_UNAVAILABLE,
                            reason: "too many connections are open".to_owned(),
                            service: Some(service),
                        });
                    }
                    sleep(FILES_INTERVAL).await;
                    continue;
                }
                Err(_) => {
                    // Nothing was sent: another target, or this one when it is back.
                    shared.tables.refused(&service, &target);
                    avoid = Some(target);
                    continue;
                }
            },
        };
        if service.spec.protocol == Protocol::H2c {
            for_http2(&mut request, port);
        } else {
            framed(&mut request);
        }
        entry.sent += 1;
        let sent = Instant::now();
        let failure = match timeout(service.spec.response_timeout, sender.send(request)).await {
            Ok(Ok(response)) => {
                target.counts.answered(response.status(), sent.elapsed());
                return Ok(Answered {
                    response,
                    service,
                    lease,
                    sender,
                });
            }
            Ok(Err(failure)) => failure,
            Err(_) => {
                target.counts.failures.fetch_add(1, Ordering::Relaxed);
                return Err(NoAnswer {
                    status: StatusCode::GATEWAY_TIMEOUT,
                    reason: format!("{} did not answer in time", service.name),
                    service: Some(service),
                });
            }
        };
        if fresh {
            // An idle one may have ended just then, which says nothing; this one was for the request.
            target.counts.failures.fetch_add(1, Ordering::Relaxed);
        }
        request = match failure.unsent {
            Some(unsent) if resent < MAX_RESENT => unsent,
            None if can_resend && resent < MAX_RESENT => {
                Request::from_parts(head.clone(), RequestBody::Empty)
            }
            _ => {
                if !fresh {
                    target.counts.failures.fetch_add(1, Ordering::Relaxed);
                }
                return Err(NoAnswer {
                    status: StatusCode::BAD_GATEWAY,
                    reason: format!("{} broke off: {}", service.name, failure.reason),
                    service: Some(service),
                });
            }
        };
        resent += 1;
        service.gate.metrics.resent.fetch_add(1, Ordering::Relaxed);
        avoid = Some(target);
    }
}

/// Says how the end of a body is found that has no length. hyper does so on its own but for methods whose requests
/// have no body as a rule, as GET.
fn framed(request: &mut Request<RequestBody>) {
    let has_length = request.headers().contains_key(header::CONTENT_LENGTH);
    if !has_length && matches!(request.body(), RequestBody::Streaming(_)) {
        let chunked = HeaderValue::from_static("chunked");
        request
            .headers_mut()
            .insert(header::TRANSFER_ENCODING, chunked);
    }
}

/// HTTP/2 has the host in the request's target.
fn for_http2(request: &mut Request<RequestBody>, port: u16) {
    *request.version_mut() = Version::HTTP_2;
    let host = request.headers_mut().remove(header::HOST);
    let host = host.and_then(|host| host.to_str().ok().map(str::to_owned));
    let mut parts = request.uri().clone().into_parts();
    if parts.authority.is_none() {
        let host = host.filter(|host| !host.is_empty());
        parts.authority = host
            .unwrap_or_else(|| format!("localhost:{port}"))
            .parse()
            .ok();
        parts.scheme = Some(http::uri::Scheme::HTTP);
        if let Ok(uri) = http::Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
}

fn no_target(refused: Refused, port: u16, shared: &Shared) -> NoAnswer {
    let service = shared.tables.now().service_of(port).cloned();
    let reason = match refused {
        Refused::NoService => "there is no service on this port",
        Refused::NoTarget => "no target is healthy",
        Refused::ManyWait => "no target is healthy, and too many requests wait for one",
    };
    NoAnswer {
        status: StatusCode::SERVICE_UNAVAILABLE,
        reason: reason.to_owned(),
        service,
    }
}

/// The edge's own answer.
fn own(status: StatusCode, reason: &str, mut entry: Entry) -> Response<ResponseBody> {
    entry.status = Some(status.as_u16());
    let text = Bytes::from(format!("{status}: {reason}\n"));
    let mut response = Response::new(ResponseBody::Own(Some(text), Written::new(entry)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
