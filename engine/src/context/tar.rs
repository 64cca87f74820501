//! The context as the classic builder takes it: a tar stream, made while it is sent.

use std::io::{self, Write};
use std::path::Path;
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::mpsc;

use super::{Context, ContextError, Entry, Kind, Report, ignore};

/// Bytes sent in one piece: large enough that a piece costs little, and small enough that the
/// pieces on their way ([`PIECES`]) take no memory to speak of.
const PIECE: usize = 128 * 1024;
/// Pieces that may wait for the daemon before reading stops.
const PIECES: usize = 8;

/// A context as a tar archive. Files are read as the stream is; dropping it stops that.
#[derive(Debug)]
pub struct TarStream {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    report: Report,
}

impl TarStream {
    /// The handle to what becomes of the stream.
    pub fn report(&self) -> Report {
        self.report.clone()
    }
}

impl Stream for TarStream {
    type Item = io::Result<Bytes>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<Option<Self::Item>> {
        let piece = self.pieces.poll_recv(cx);
        if let Poll::Ready(Some(Ok(bytes))) = &piece {
            self.report.add(bytes.len());
        }
        piece
    }
}

impl Context {
    /// Starts to read the context's files, on a thread of their own.
    ///
    /// Owners are left out (everything is root's); symbolic links stay such. A file that can't be
    /// read, or whose size changes meanwhile, ends the stream with an error.
    ///
    /// A Dockerfile that is ignored has to be sent all the same. An ignore file in the archive keeps
    /// the classic builder from copying it, which reads such a file for just this.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    pub fn tar(&self) -> TarStream {
        let (sender, pieces) = mpsc::channel(PIECES);
        let report = Report::default();
        let context = self.clone();
        let failed = report.clone();
        tokio::task::spawn_blocking(move || {
            let pipe = Pipe {
                sender: sender.clone(),
                buffer: Vec::with_capacity(PIECE),
            };
            if let Err(failure) = context.write_tar(pipe) {
                let message = io::Error::other(failure.to_string());
                failed.fail(failure);
                // Nobody listens any more where the build has failed: that is its error then.
                let _ = sender.blocking_send(Err(message));
            }
        });
        TarStream { pieces, report }
    }

    fn write_tar(&self, pipe: Pipe) -> Result<(), ContextError> {
        let mut builder = tar::Builder::new(pipe);
        for (path, entry) in self.entries_sent() {
            self.append(&mut builder, path, entry)?;
        }
        let broken = |source| ContextError::Read {
            path: self.inner.root.clone(),
            source,
        };
        if self.inner.ignored_dockerfile.is_some()
            && !self.inner.entries.contains_key(ignore::FILE_NAME)
        {
            // It names itself too, so that it is not copied either.
            let text = format!(
                "{}\n{}\n",
                ignore::FILE_NAME,
                literal(&self.inner.dockerfile_path)
            );
            let kind = Kind::Contents(text.into_bytes().into());
            let entry = Entry {
                kind,
                mode: 0o644,
                modified: 0,
            };
            self.append(&mut builder, ignore::FILE_NAME, &entry)?;
        }
        builder
            .into_inner()
            .and_then(|mut pipe| pipe.flush())
            .map_err(broken)
    }

    fn append(
        &self,
        builder: &mut tar::Builder<Pipe>,
        path: &str,
        entry: &Entry,
    ) -> Result<(), ContextError> {
        let mut header = tar::Header::new_gnu();
        header.set_mode(entry.mode);
        header.set_mtime(entry.modified);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        match &entry.kind {
            Kind::Directory => {
                header.set_entry_type(tar::EntryType::Directory);
                builder.append_data(&mut header, Path::new(path).join(""), io::empty())
            }
            Kind::Symlink(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                builder.append_link(&mut header, path, target)
            }
            Kind::Contents(contents) => {
                header.set_entry_type(tar::EntryType::Regular);
                header.set_size(contents.len() as u64);
                builder.append_data(&mut header, path, &contents[..])
            }
            Kind::File => {
                let file = self.open(path)?;
                header.set_entry_type(tar::EntryType::Regular);
                header.set_size(file.left());
                builder.append_data(&mut header, path, file)
            }
        }
        .map_err(|source| self.unread(path, source))
    }
}

/// A path as a pattern that matches nothing else.
fn literal(path: &str) -> String {
    path.chars().fold(String::new(), |mut pattern, c| {
        if matches!(c, '*' | '?' | '[' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
        pattern
    })
}

/// Gathers what is written into pieces and hands them to the async side.
struct Pipe {
    sender: mpsc::Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE));
        self.sender
            .blocking_send(Ok(piece.into()))
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
