//! The context as a builder takes it: a tar stream, made while it is sent.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::mpsc;

use super::{Context, ContextError, Entry, Kind, ignore};

/// Bytes sent in one piece: large enough that a piece costs little, and small enough that the
/// pieces on their way ([`PIECES`]) take no memory to speak of.
const PIECE: usize = 128 * 1024;
/// Pieces that may wait for the daemon before reading stops.
const PIECES: usize = 8;

/// How a builder is kept from copying a Dockerfile that is ignored, and yet has to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IgnoredDockerfile {
    /// By an ignore file in the context, which the classic builder reads for just this.
    InIgnoreFile,
    /// Not at all: BuildKit takes no notice of an ignore file in a context sent as a tar.
    Visible,
}

/// A context as a tar archive. Files are read as the stream is; dropping it stops that.
#[derive(Debug)]
pub struct TarStream {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    report: TarReport,
}

/// What became of a [`TarStream`], for whoever gave the stream itself away.
#[derive(Debug, Clone, Default)]
pub struct TarReport {
    sent: Arc<AtomicU64>,
    error: Arc<Mutex<Option<ContextError>>>,
}

impl TarReport {
    /// The bytes taken from the stream so far.
    pub fn bytes_sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Why the stream ended before its time. The stream's own error is for the transport, which
    /// makes it unrecognisable; this is the one to show. The second call has none.
    pub fn take_error(&self) -> Option<ContextError> {
        self.error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl TarStream {
    /// The handle to what becomes of the stream.
    pub fn report(&self) -> TarReport {
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
            self.report
                .sent
                .fetch_add(bytes.len() as u64, Ordering::Relaxed);
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
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    pub fn tar(&self, ignored_dockerfile: IgnoredDockerfile) -> TarStream {
        let (sender, pieces) = mpsc::channel(PIECES);
        let report = TarReport::default();
        let context = self.clone();
        let error = report.error.clone();
        tokio::task::spawn_blocking(move || {
            let pipe = Pipe {
                sender: sender.clone(),
                buffer: Vec::with_capacity(PIECE),
            };
            if let Err(failure) = context.write_tar(pipe, ignored_dockerfile) {
                let message = io::Error::other(failure.to_string());
                *error.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
                // Nobody listens any more where the build has failed: that is its error then.
                let _ = sender.blocking_send(Err(message));
            }
        });
        TarStream { pieces, report }
    }

    fn write_tar(&self, pipe: Pipe, dockerfile: IgnoredDockerfile) -> Result<(), ContextError> {
        let mut builder = tar::Builder::new(pipe);
        for (path, entry) in self.entries_sent() {
            self.append(&mut builder, path, entry)?;
        }
        let broken = |source| ContextError::Read {
            path: self.inner.root.clone(),
            source,
        };
        if dockerfile == IgnoredDockerfile::InIgnoreFile
            && self.inner.ignored_dockerfile.is_some()
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
        let full = self.inner.root.join(path);
        let read = |source: io::Error| match source.get_ref() {
            Some(inner) if inner.is::<SizeChanged>() => {
                ContextError::Changed { path: full.clone() }
            }
            _ => ContextError::Read {
                path: full.clone(),
                source,
            },
        };
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
                let file = File::open(&full).map_err(read)?;
                let metadata = file.metadata().map_err(read)?;
                if !metadata.is_file() {
                    return Err(ContextError::Changed { path: full });
                }
                header.set_entry_type(tar::EntryType::Regular);
                header.set_size(metadata.len());
                builder.append_data(
                    &mut header,
                    path,
                    FixedSize {
                        file,
                        left: metadata.len(),
                    },
                )
            }
        }
        .map_err(read)
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

/// A file that has to have the size that it had when it was opened: its header is out, and a
/// byte more or less would shift everything behind it.
struct FixedSize {
    file: File,
    left: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("its size changed while it was read")]
struct SizeChanged;

impl Read for FixedSize {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let length = self.file.read(buffer)?;
        match (length as u64, self.left) {
            (0, 0) => Ok(0),
            (length, left) if length == 0 || length > left => Err(io::Error::other(SizeChanged)),
            (read, _) => {
                self.left -= read;
                Ok(length)
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_shrank_or_grew_is_an_error() {
        for (left, fits) in [(3, true), (4, false), (2, false), (0, false)] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("file");
            std::fs::write(&path, "abc").expect("a file");
            let mut file = FixedSize {
                file: File::open(path).expect("a file"),
                left,
            };
            let copied = io::copy(&mut file, &mut io::sink());
            assert_eq!(copied.is_ok(), fits, "3 bytes where {left} were announced");
        }
    }
}
