//! The standard streams of an `ssh` as a connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::process::{ChildStdin, ChildStdout};

use super::{Process, SshFailure};

pub(super) struct SshStream {
    input: Option<ChildStdin>,
    output: Option<ChildStdout>,
    /// True once the daemon has said something; before that, an end is a failure to connect.
    answered: bool,
    state: State,
}

enum State {
    Runs(Box<Process>),
    /// Finding out why it ended.
    Ends(BoxFuture<'static, SshFailure>),
    Ended,
}

impl SshStream {
    pub fn new(mut process: Process) -> Self {
        Self {
            input: process.child.stdin.take(),
            output: process.child.stdout.take(),
            answered: false,
            state: State::Runs(Box::new(process)),
        }
    }

    /// What ssh, or the other side, said before it ended.
    fn poll_failure(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        self.input = None;
        let mut ends = match std::mem::replace(&mut self.state, State::Ended) {
            State::Runs(mut process) => async move { process.failure().await }.boxed(),
            State::Ends(ends) => ends,
            State::Ended => return Poll::Ready(io::ErrorKind::BrokenPipe.into()),
        };
        match ends.poll_unpin(cx) {
            Poll::Ready(failure) => Poll::Ready(io::Error::other(failure)),
            Poll::Pending => {
                self.state = State::Ends(ends);
                Poll::Pending
            }
        }
    }
}

impl AsyncRead for SshStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if let Some(output) = &mut self.output {
            ready!(Pin::new(output).poll_read(cx, buffer))?;
        }
        if buffer.filled().len() > before {
            self.answered = true;
        } else if buffer.remaining() > 0 && !self.answered {
            return self.poll_failure(cx).map(Err);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SshStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.input {
            Some(input) => ready!(Pin::new(input).poll_write(cx, bytes)),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        match written {
            // It is gone, and has said why.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe && !self.answered => {
                self.poll_failure(cx).map(Err)
            }
            written => Poll::Ready(written),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.input {
            Some(input) => Pin::new(input).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    /// The other side sees the end of the stream when the pipe is closed.
    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input = None;
        Poll::Ready(Ok(()))
    }
}
