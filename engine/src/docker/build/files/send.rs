//! What is sent of a context: what there is, and what is asked for.

use std::io::{self, Read};

use bollard::grpc::build::fsutil::types::packet::PacketType;
use bollard::grpc::build::fsutil::types::{Packet, Stat};
use tokio::sync::mpsc;

use super::wish::Wish;
use crate::context::{Context, ContextError, Listed, ListedKind};

/// Bytes of a file that are sent in one packet.
const PIECE: usize = 64 * 1024;
/// Bytes of packets that are handed on together: one by one, each of many small files would wake
/// whoever sends them, and be a write of its own.
const BATCH: usize = 64 * 1024;
/// About what a packet has beside a file's contents.
const PACKET: usize = 64;

/// Bits of a file's mode as Go has them (`io/fs.FileMode`).
const GO_FOLDER: u32 = 1 << 31;
const GO_LINK: u32 = 1 << 27;
const GO_SETUID: u32 = 1 << 23;
const GO_SETGID: u32 = 1 << 22;
const GO_STICKY: u32 = 1 << 20;

/// Reads what is asked for.
pub struct Sender<'a> {
    context: &'a Context,
    packets: &'a mpsc::Sender<Vec<Packet>>,
    batch: Vec<Packet>,
    bytes: usize,
}

/// Why nothing more is sent.
pub enum Stop {
    /// Nobody takes it.
    Left,
    Failed(ContextError),
}

impl From<ContextError> for Stop {
    fn from(error: ContextError) -> Self {
        Self::Failed(error)
    }
}

impl<'a> Sender<'a> {
    pub fn new(context: &'a Context, packets: &'a mpsc::Sender<Vec<Packet>>) -> Self {
        Self {
            context,
            packets,
            batch: Vec::new(),
            bytes: 0,
        }
    }

    /// Tells what there is, and in between sends what was asked for, until the other end is dropped.
    pub fn run(
        &mut self,
        wish: &Wish,
        mut requests: mpsc::UnboundedReceiver<u32>,
    ) -> Result<(), Stop> {
        let context = self.context;
        let listed = context.list(wish.part, &wish.paths)?;
        let mut told = listed.iter();
        let mut all_told = false;
        loop {
            let asked = match requests.try_recv() {
                Err(mpsc::error::TryRecvError::Disconnected) => return Ok(()),
                Err(mpsc::error::TryRecvError::Empty) if all_told => {
                    self.flush()?;
                    match requests.blocking_recv() {
                        Some(asked) => asked,
                        None => return Ok(()),
                    }
                }
                Err(mpsc::error::TryRecvError::Empty) => {
                    let stat = told.next().map(stat);
                    all_told = stat.is_none();
                    self.send(Packet {
                        stat,
                        ..packet(PacketType::PacketStat)
                    })?;
                    continue;
                }
                Ok(asked) => asked,
            };
            // A number that was not told means nothing; the daemon gets no answer to it.
            let index = usize::try_from(asked).unwrap_or(usize::MAX);
            if let Some(file) = listed.get(index) {
                self.contents(asked, file)?;
            }
        }
    }

    fn contents(&mut self, id: u32, listed: &Listed<'_>) -> Result<(), Stop> {
        let mut file = self.context.open_listed(listed)?;
        let data = |data| Packet {
            id,
            data,
            ..packet(PacketType::PacketData)
        };
        let mut left = listed.size;
        loop {
            // One byte more than there should be, to see if there is.
            let wanted = usize::try_from(left.saturating_add(1)).unwrap_or(PIECE);
            let piece = read_piece(&mut file, wanted.min(PIECE));
            let piece = piece.map_err(|error| self.context.reading_failed(listed, error))?;
            let read = piece.len();
            left = left.saturating_sub(read as u64);
            // An empty packet is the end.
            self.send(data(piece))?;
            if read == 0 {
                return Ok(());
            }
        }
    }

    fn send(&mut self, packet: Packet) -> Result<(), Stop> {
        self.bytes += PACKET + packet.data.len();
        self.batch.push(packet);
        match self.bytes >= BATCH {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), Stop> {
        self.bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        self.packets.blocking_send(batch).map_err(|_| Stop::Left)
    }
}

/// Reads so many bytes, or what there is.
fn read_piece(file: &mut impl Read, bytes: usize) -> io::Result<Vec<u8>> {
    let mut piece = vec![0; bytes];
    let mut filled = 0;
    while filled < bytes {
        match file.read(&mut piece[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    piece.truncate(filled);
    Ok(piece)
}

/// A packet with nothing in it.
pub fn packet(kind: PacketType) -> Packet {
    Packet {
        r#type: kind.into(),
        stat: None,
        id: 0,
        data: Vec::new(),
    }
}

/// A thing as the daemon is told of it. Everything is root's, as for the classic builder.
fn stat(listed: &Listed<'_>) -> Stat {
    let mut mode = listed.mode & 0o777;
    for (bit, go) in [
        (0o4000, GO_SETUID),
        (0o2000, GO_SETGID),
        (0o1000, GO_STICKY),
    ] {
        if listed.mode & bit != 0 {
            mode |= go;
        }
    }
    let (mode, link) = match listed.kind {
        ListedKind::Folder => (mode | GO_FOLDER, ""),
        ListedKind::File | ListedKind::Contents(_) => (mode, ""),
        ListedKind::Again(first) => (mode, first),
        ListedKind::Link(target) => (GO_LINK | 0o777, target),
    };
    Stat {
        path: listed.path.to_owned(),
        mode,
        size: i64::try_from(listed.size).unwrap_or(i64::MAX),
        mod_time: listed.modified,
        linkname: link.to_owned(),
        ..Stat::default()
    }
}
