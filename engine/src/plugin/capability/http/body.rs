//! Bodies whose bytes are counted.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep};
use wasmtime_wasi_http::Error;

use crate::app::ByteSize;
use crate::plugin::limits::Exceeded;

/// Counts the bytes of all requests and answers of one call.
#[derive(Debug, Clone)]
pub struct Meter {
    limit: ByteSize,
    used: Arc<AtomicU64>,
}

impl Meter {
    pub fn new(limit: ByteSize) -> Self {
        Self {
            limit,
            used: Arc::default(),
        }
    }

    /// Counts `bytes`; false if that is too many.
    pub fn count(&self, bytes: usize) -> bool {
        // More than 64 bits of them are never sent.
        let before = self.used.fetch_add(bytes as u64, Ordering::Relaxed);
        before.saturating_add(bytes as u64) <= self.limit.0
    }

    pub fn exceeded(&self) -> Option<Exceeded> {
        let limit = self.limit;
        (self.used.load(Ordering::Relaxed) > limit.0).then_some(Exceeded::Http { limit })
    }

    /// What a guest is told.
    pub fn limit(&self) -> Option<u64> {
        Some(self.limit.0)
    }
}

/// A request's body, counted as it is sent.
pub struct RequestBody<B> {
    pub body: B,
    pub meter: Meter,
}

impl<B: Body<Data = Bytes, Error = Error> + Unpin> Body for RequestBody<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && !self.meter.count(frame.data_ref().map_or(0, Bytes::len))
        {
            return Poll::Ready(Some(Err(Error::HttpRequestBodySize(self.meter.limit()))));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body, counted as it comes, which must not pause for too long.
pub struct ResponseBody {
    body: hyper::body::Incoming,
    meter: Meter,
    pause: Duration,
    timer: Pin<Box<Sleep>>,
    /// Counts this exchange among those that go on for as long as the body is read.
    _permit: OwnedSemaphorePermit,
}

impl ResponseBody {
    pub fn new(
        body: hyper::body::Incoming,
        meter: Meter,
        pause: Duration,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            body,
            meter,
            pause,
            timer: Box::pin(sleep(pause)),
            _permit: permit,
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(frame)) => frame.map_err(Error::from),
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => {
                std::task::ready!(self.timer.as_mut().poll(context));
                Err(Error::ConnectionReadTimeout)
            }
        };
        let next = Instant::now() + self.pause;
        self.timer.as_mut().reset(next);
        let bytes = frame.as_ref().map_or(0, |frame| {
            frame.data_ref().map_or_else(
                || frame.trailers_ref().map_or(0, super::send::fields),
                Bytes::len,
            )
        });
        if !self.meter.count(bytes) {
            return Poll::Ready(Some(Err(Error::HttpResponseBodySize(self.meter.limit()))));
        }
        Poll::Ready(Some(frame))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
