//! What a container prints.

use std::collections::VecDeque;
use std::pin::Pin;

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptions;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};
use jiff::Timestamp;

use super::lines::Lines;
use super::{Docker, DockerError};

/// Which part of a log is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// The last so many lines; all if `None`.
    pub tail: Option<u32>,
    /// True to go on as the container prints more.
    pub follow: bool,
    /// True to have [`LogLine::time`].
    pub timestamps: bool,
    /// Nothing before this time.
    pub since: Option<Timestamp>,
}

/// Where a container printed a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogStream {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
}

/// A line that a container printed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LogLine {
    /// Where it was printed.
    pub stream: LogStream,
    /// When, if that was asked for.
    pub time: Option<Timestamp>,
    /// The line without its end, at most 64 KiB; what is not UTF-8 is replaced.
    pub text: String,
}

impl Docker {
    /// The lines that a container printed. With `follow` the stream ends when the container does.
    pub fn logs(
        &self,
        id: &str,
        options: LogOptions,
    ) -> impl Stream<Item = Result<LogLine, DockerError>> + Send + use<> {
        let query = LogsOptions {
            follow: options.follow,
            stdout: true,
            stderr: true,
            since: options.since.map_or(0, |time| {
                i32::try_from(time.as_second()).unwrap_or(i32::MAX)
            }),
            timestamps: options.timestamps,
            tail: options
                .tail
                .map_or("all".to_owned(), |lines| lines.to_string()),
            ..LogsOptions::default()
        };
        let chunks = self.patient().logs(id, Some(query));
        let docker = self.clone();
        let action = format!("give the log of {id}");
        let chunks = chunks.map(move |chunk| chunk.map_err(|error| docker.error(&action, error)));
        whole_lines(chunks.boxed(), options.timestamps)
    }
}

/// The two streams of a container come interleaved, each cut where the daemon pleased.
struct Assembly {
    chunks: BoxStream<'static, Result<LogOutput, DockerError>>,
    timestamps: bool,
    stdout: Partial,
    stderr: Partial,
    ready: VecDeque<LogLine>,
    ended: bool,
}

#[derive(Default)]
struct Partial {
    lines: Lines,
    time: Option<Timestamp>,
}

fn whole_lines(
    chunks: BoxStream<'static, Result<LogOutput, DockerError>>,
    timestamps: bool,
) -> impl Stream<Item = Result<LogLine, DockerError>> + Send + use<> {
    let assembly = Assembly {
        chunks,
        timestamps,
        stdout: Partial::default(),
        stderr: Partial::default(),
        ready: VecDeque::new(),
        ended: false,
    };
    let stream = stream::unfold(assembly, |mut assembly| async move {
        loop {
            if let Some(line) = assembly.ready.pop_front() {
                return Some((Ok(line), assembly));
            }
            if assembly.ended {
                return None;
            }
            match assembly.chunks.next().await {
                Some(Ok(chunk)) => assembly.push(chunk),
                Some(Err(error)) => {
                    assembly.finish();
                    return Some((Err(error), assembly));
                }
                None => assembly.finish(),
            }
        }
    });
    Box::pin(stream) as Pin<Box<dyn Stream<Item = _> + Send>>
}

impl Assembly {
    fn push(&mut self, chunk: LogOutput) {
        let (stream, partial, message) = match &chunk {
            LogOutput::StdErr { message } => (LogStream::Stderr, &mut self.stderr, message),
            LogOutput::StdOut { message }
            | LogOutput::StdIn { message }
            | LogOutput::Console { message } => (LogStream::Stdout, &mut self.stdout, message),
        };
        // Each chunk has a time of its own, those that go on with a line too.
        let (time, message) = match self.timestamps {
            true => split_time(message),
            false => (None, &message[..]),
        };
        if partial.lines.is_empty() {
            partial.time = time;
        }
        for text in partial.lines.push(message) {
            self.ready.push_back(LogLine {
                stream,
                time: partial.time,
                text,
            });
            partial.time = time;
        }
    }

    fn finish(&mut self) {
        self.ended = true;
        for (stream, partial) in [
            (LogStream::Stdout, &mut self.stdout),
            (LogStream::Stderr, &mut self.stderr),
        ] {
            if let Some(text) = partial.lines.finish() {
                self.ready.push_back(LogLine {
                    stream,
                    time: partial.time,
                    text,
                });
            }
        }
    }
}

/// Takes the time from a chunk's start.
fn split_time(chunk: &[u8]) -> (Option<Timestamp>, &[u8]) {
    let Some(at) = chunk.iter().take(64).position(|&byte| byte == b' ') else {
        return (None, chunk);
    };
    let time = std::str::from_utf8(&chunk[..at])
        .ok()
        .and_then(|text| text.parse().ok());
    match time {
        Some(time) => (Some(time), &chunk[at + 1..]),
        None => (None, chunk),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(
        chunks: Vec<LogOutput>,
        timestamps: bool,
    ) -> Vec<(LogStream, Option<String>, String)> {
        let chunks = stream::iter(chunks.into_iter().map(Ok)).boxed();
        whole_lines(chunks, timestamps)
            .map(|line| line.expect("a line"))
            .map(|line| {
                (
                    line.stream,
                    line.time.map(|time| time.to_string()),
                    line.text,
                )
            })
            .collect()
            .await
    }

    fn out(text: &'static str) -> LogOutput {
        LogOutput::StdOut {
            message: text.as_bytes().into(),
        }
    }

    fn err(text: &'static str) -> LogOutput {
        LogOutput::StdErr {
            message: text.as_bytes().into(),
        }
    }

    #[tokio::test]
    async fn the_two_streams_do_not_mix_within_a_line() {
        let found = lines(
            vec![out("one "), err("bad\nworse"), out("line\ntwo")],
            false,
        )
        .await;
        let text: Vec<_> = found
            .iter()
            .map(|(stream, _, text)| (*stream, text.as_str()))
            .collect();
        assert_eq!(
            text,
            [
                (LogStream::Stderr, "bad"),
                (LogStream::Stdout, "one line"),
                (LogStream::Stdout, "two"),
                (LogStream::Stderr, "worse"),
            ]
        );
    }

    #[tokio::test]
    async fn times_are_taken_off_each_chunk_of_a_line() {
        let found = lines(
            vec![
                out("2026-01-02T03:04:05.000000006Z long "),
                out("2026-01-02T03:04:06Z line\n"),
                out("no time\n"),
            ],
            true,
        )
        .await;
        assert_eq!(
            found[0].1.as_deref(),
            Some("2026-01-02T03:04:05.000000006Z")
        );
        assert_eq!(found[0].2, "long line");
        assert_eq!(
            (found[1].1.as_deref(), found[1].2.as_str()),
            (None, "no time")
        );
    }
}
