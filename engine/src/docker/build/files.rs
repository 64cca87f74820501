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
use tokio_util::task::AbortOnDropHandle;
use tonic::{Request, Response, Status, Streaming};

use crate::context::{Context, Report};

mod send;
mod wish;

use send::{Sender, Stop, packet};
use wish::Wish;

/// Batches of packets that may wait for the daemon before reading stops.
const BATCHES: usize = 32;

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
        let (sender, packets) = mpsc::channel(BATCHES);
        let said = sender.clone();
        let Self { context, report } = self.clone();
        let failed = report.clone();
        // Ends when the exchange does, which has the other ends of its channels.
        tokio::task::spawn_blocking(move || {
            let sent = Sender::new(&context, &sender).run(&wish, requests);
            if let Err(Stop::Failed(error)) = sent {
                let packet = Packet {
                    data: error.to_string().into_bytes(),
                    ..packet(PacketType::PacketErr)
                };
                failed.fail(error);
                // Nobody listens any more where the build has failed: that is its error then.
                let _ = sender.blocking_send(vec![packet]);
            }
        });
        let listening = listen(request.into_inner(), asked, said);
        Ok(Response::new(Exchange {
            packets,
            batch: Vec::new().into_iter(),
            report,
            over: false,
            _listening: AbortOnDropHandle::new(tokio::spawn(listening)),
        }))
    }

    async fn tar_stream(
        &self,
        _: Request<Streaming<Packet>>,
    ) -> Result<Response<Self::TarStreamStream>, Status> {
        Err(Status::unimplemented("the daemon asks for single files"))
    }
}

/// Takes what the daemon says, whether it takes what it is sent or not: what nobody takes fills its
/// connection.
async fn listen(
    mut daemon: Streaming<Packet>,
    asked: mpsc::UnboundedSender<u32>,
    packets: mpsc::Sender<Vec<Packet>>,
) {
    // Why the daemon says no more is what the build says, too.
    while let Ok(Some(said)) = daemon.message().await {
        match said.r#type() {
            // Nobody takes it where reading failed; the daemon is about to hear that.
            PacketType::PacketReq => drop(asked.send(said.id)),
            // It has all, and waits to hear that this is known.
            PacketType::PacketFin => {
                let fin = vec![packet(PacketType::PacketFin)];
                drop(packets.send(fin).await);
                return;
            }
            PacketType::PacketErr => return,
            PacketType::PacketStat | PacketType::PacketData => {}
        }
    }
}

/// What is sent in one transfer. All of it ends when this is dropped.
pub struct Exchange {
    packets: mpsc::Receiver<Vec<Packet>>,
    batch: std::vec::IntoIter<Packet>,
    report: Report,
    over: bool,
    _listening: AbortOnDropHandle<()>,
}

impl Stream for Exchange {
    type Item = Result<Packet, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        let packet = loop {
            if let Some(packet) = self.batch.next() {
                break packet;
            }
            match ready!(self.packets.poll_recv(cx)) {
                Some(batch) => self.batch = batch.into_iter(),
                None => return Poll::Ready(None),
            }
        };
        self.report.add(packet.data.len());
        self.over = packet.r#type() == PacketType::PacketFin;
        Poll::Ready(Some(Ok(packet)))
    }
}
