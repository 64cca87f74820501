//! Bodies on their way, with what has to happen when they end.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use super::defaults::STALL_TIMEOUT;
use super::log::Entry;
use super::pool::Sender;
use super::target::Lease;

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection's words.
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// Nothing came for so long.
    #[error("nothing came for {}", humantime::format_duration(*.0))]
    Stalled(Duration),
}

/// A client's body on its way to a target.
#[derive(Debug)]
pub enum RequestBody {
    /// There is none.
    Empty,
    /// It comes as the client sends it.
    Streaming(Streaming),
}

/// A body that has to go on.
#[derive(Debug)]
pub struct Streaming {
    inner: Incoming,
    /// Set only while nothing comes.
    stall: Option<Pin<Box<Sleep>>>,
    /// There as long as this is.
    going: Arc<()>,
}

/// Tells whether a body is still being sent.
#[derive(Debug)]
pub struct Going(Weak<()>);

impl Going {
    /// True if it is.
    pub fn is_going(&self) -> bool {
        self.0.strong_count() > 0
    }
}

impl RequestBody {
    /// Of a client's request.
    pub fn new(inner: Incoming) -> Self {
        match inner.is_end_stream() {
            true => Self::Empty,
            false => Self::Streaming(Streaming {
                inner,
                stall: None,
                going: Arc::default(),
            }),
        }
    }

    /// What tells whether it is still being sent, when it has been given away.
    pub fn going(&self) -> Going {
        Going(match self {
            Self::Empty => Weak::new(),
            Self::Streaming(streaming) => Arc::downgrade(&streaming.going),
        })
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Self::Streaming(streaming) = self.get_mut() else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(frame) = Pin::new(&mut streaming.inner).poll_frame(cx) {
            streaming.stall = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Http)));
        }
        let new = || Box::pin(sleep(STALL_TIMEOUT));
        let stall = streaming.stall.get_or_insert_with(new);
        match stall.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Some(Err(BodyError::Stalled(STALL_TIMEOUT)))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Streaming(streaming) => streaming.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Streaming(streaming) => streaming.inner.size_hint(),
        }
    }
}

/// An answer's body on its way to the client.
#[derive(Debug)]
pub enum ResponseBody {
    /// The edge's own words.
    Own(Option<Bytes>, Written),
    /// A target's.
    Target(Incoming, Box<InFlight>),
}

/// The line of the log that is written when the answer has ended, or broke off.
#[derive(Debug, Default)]
pub struct Written(Option<Box<Entry>>);

impl Written {
    /// The line.
    pub fn new(entry: Entry) -> Self {
        Self(entry.log.is_on().then(|| Box::new(entry)))
    }

    fn sent(&mut self, bytes: usize) {
        if let Some(entry) = &mut self.0 {
            entry.bytes += bytes as u64;
        }
    }

    fn broke_off(&mut self) {
        if let Some(entry) = &mut self.0 {
            entry.complete = false;
        }
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        if let Some(entry) = self.0.take() {
            entry.write(Instant::now());
        }
    }
}

/// What a target's answer holds until it has ended.
#[derive(Debug)]
pub struct InFlight {
    /// The target has something to do.
    pub lease: Lease,
    /// The connection, which can be used again if the answer comes to its end.
    pub sender: Option<Sender>,
    /// The line of the log.
    pub written: Written,
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Own(bytes, written) => {
                let Some(bytes) = bytes.take() else {
                    return Poll::Ready(None);
                };
                written.sent(bytes.len());
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::Target(body, in_flight) => {
                // Asked for, it comes from the connection, and wakes nobody while that is here.
                let nobody = &mut Context::from_waker(Waker::noop());
                let frame = match Pin::new(&mut *body).poll_frame(nobody) {
                    Poll::Ready(frame) => frame,
                    Poll::Pending => {
                        if let Some(sender) = &mut in_flight.sender {
                            sender.drive(cx);
                        }
                        std::task::ready!(Pin::new(body).poll_frame(cx))
                    }
                };
                match &frame {
                    Some(Ok(frame)) => {
                        in_flight
                            .written
                            .sent(frame.data_ref().map_or(0, Bytes::len));
                    }
                    Some(Err(_)) => in_flight.written.broke_off(),
                    None => {}
                }
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(bytes, _) => bytes.is_none(),
            Self::Target(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(bytes, _) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Target(body, _) => body.size_hint(),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        let Self::Target(body, in_flight) = self else {
            return;
        };
        if !body.is_end_stream() {
            in_flight.written.broke_off();
        } else if let Some(sender) = in_flight.sender.take() {
            in_flight.lease.target().pool.give_back(sender);
        }
    }
}
