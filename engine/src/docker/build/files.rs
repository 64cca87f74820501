//! The files of a context, as BuildKit asks for them over a build's session: it is told of all that it
//! may want, and sent what it has not from the build before.
//!
//! The protocol is that of github.com/tonistiigi/fsutil: packets with what there is, in the order of a walk,
//! and an empty one at their end; meanwhile the daemon asks for contents by the number of such a packet, and gets
//! packets of bytes, with an empty one at their end. It says when it has all.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use bollard::grpc::build::fsutil::types::Packet;
use bollard::grpc::build::fsutil::types::packet::PacketType;
use bollard::grpc::build::moby::filesync::v1::file_sync_server::FileSync;
use futures_util::Stream;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};

use crate::context::{Context, Report};

mod send;
mod wish;

use send::{Sender, Stop, packet};
use wish::Wish;

/// Packets that may wait for the daemon before reading stops.
const PACKETS: usize = 64;

/// The files of one build.
#[derive(Debug, Clone)]
pub struct Files {
    context: Context,
    report: Report,
}

impl Files {
    pub fn new(context: Context) -> Self {
        let report = Report::default();
        Self { context, report }
    }

    /// The handle to what becomes of them.
    pub fn report(&self) -> Report {
        self.report.clone()
    }
}

#[tonic::async_trait]
impl FileSync for Files {
    type DiffCopyStream = Exchange;
    type TarStreamStream = BoxStream<'static, Result<Packet, Status>>;

    async fn diff_copy(
        &self,
        request: Request<Streaming<Packet>>,
    ) -> Result<Response<Exchange>, Status> {
        let wish = Wish::of(request.metadata())?;
        let (asked, requests) = mpsc::unbounded_channel();
        let (sender, packets) = mpsc::channel(PACKETS);
        let Self { context, report } = self.clone();
        let failed = report.clone();
        // Ends when the exchange does, which has the other ends of its channels.
        tokio::task::spawn_blocking(move || {
            let sent = Sender {
                context: &context,
                packets: &sender,
            }
            .run(&wish, requests);
            if let Err(Stop::Failed(error)) = sent {
                let packet = Packet {
                    data: error.to_string().into_bytes(),
                    ..packet(PacketType::PacketErr)
                };
                failed.fail(error);
                // Nobody listens any more where the build has failed: that is its error then.
                let _ = sender.blocking_send(packet);
            }
        });
        Ok(Response::new(Exchange {
            daemon: request.into_inner(),
            asked: Some(asked),
            packets,
            report,
            state: State::Open,
        }))
    }

    async fn tar_stream(
        &self,
        _: Request<Streaming<Packet>>,
    ) -> Result<Response<Self::TarStreamStream>, Status> {
        Err(Status::unimplemented("the daemon asks for single files"))
    }
}

/// What is said and heard in one transfer. All of it ends when this is dropped.
pub struct Exchange {
    daemon: Streaming<Packet>,
    /// The numbers of the files that the daemon asks for; nothing once it asks no more.
    asked: Option<mpsc::UnboundedSender<u32>>,
    packets: mpsc::Receiver<Packet>,
    report: Report,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The daemon has all, and waits to hear that this is known.
    Answering,
    Over,
}

impl Stream for Exchange {
    type Item = Result<Packet, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        while this.state == State::Open && this.asked.is_some() {
            let Poll::Ready(said) = Pin::new(&mut this.daemon).poll_next(cx) else {
                break;
            };
            match said {
                Some(Ok(said)) => match said.r#type() {
                    PacketType::PacketReq => {
                        // Nobody takes it where reading failed; the daemon is about to hear that.
                        let _ = this.asked.as_ref().map(|asked| asked.send(said.id));
                    }
                    PacketType::PacketFin => this.state = State::Answering,
                    // The build says why.
                    PacketType::PacketErr => this.state = State::Over,
                    PacketType::PacketStat | PacketType::PacketData => {}
                },
                // It asks for nothing more, but may still take what it asked for.
                None => this.asked = None,
                Some(Err(error)) => {
                    this.state = State::Over;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        match this.state {
            State::Open => {
                let packet = ready!(this.packets.poll_recv(cx));
                if let Some(packet) = &packet {
                    this.report.add(packet.data.len());
                }
                Poll::Ready(packet.map(Ok))
            }
            State::Answering => {
                this.state = State::Over;
                Poll::Ready(Some(Ok(packet(PacketType::PacketFin))))
            }
            State::Over => Poll::Ready(None),
        }
    }
}
