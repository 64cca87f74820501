//! A `rengine` that runs, and how it ended.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output};

use crate::{until, within_a_minute};

/// A `rengine` that runs; it is killed when this is dropped.
pub struct Running {
    child: Child,
    stdout: tempfile::NamedTempFile,
    stderr: tempfile::NamedTempFile,
}

impl Running {
    pub(crate) fn new(
        child: Child,
        stdout: tempfile::NamedTempFile,
        stderr: tempfile::NamedTempFile,
    ) -> Self {
        Self {
            child,
            stdout,
            stderr,
        }
    }

    /// What it wrote to both streams so far.
    pub fn output(&self) -> String {
        let read = |file: &tempfile::NamedTempFile| {
            String::from_utf8_lossy(&std::fs::read(file.path()).expect("a file")).into_owned()
        };
        read(&self.stdout) + &read(&self.stderr)
    }

    /// Waits until it has written a text.
    pub fn wait_for(&mut self, text: &str) {
        let mut output = String::new();
        let found = within_a_minute(|| {
            let ended = self.child.try_wait().expect("its state");
            output = self.output();
            assert!(
                output.contains(text) || ended.is_none(),
                "it ended without {text}: {output}"
            );
            output.contains(text)
        });
        assert!(found, "rengine never writes {text}: {output}");
    }

    /// Sends a signal, such as `INT`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Outcome {
        until("rengine ends", || {
            self.child.try_wait().expect("its state").is_some()
        });
        let status = self.child.wait().expect("its state");
        let read = |file: &tempfile::NamedTempFile| std::fs::read(file.path()).expect("a file");
        Outcome::from(Output {
            status,
            stdout: read(&self.stdout),
            stderr: read(&self.stderr),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn scratch() -> tempfile::NamedTempFile {
    tempfile::NamedTempFile::new().expect("a file")
}

/// How a command ended.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code; 128 and the signal's number for what a signal ended, as in a shell.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// It has to have failed, with these texts, however its lines are broken.
    #[track_caller]
    pub fn failed_with(self, texts: &[&str]) -> Self {
        assert_ne!(self.code, 0, "{self:#?}");
        let said = self.stderr.replace("\n  │ ", " ");
        for text in texts {
            assert!(said.contains(text), "{text}: {self:#?}");
        }
        self
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            code: (output.status.code())
                .or_else(|| Some(128 + output.status.signal()?))
                .unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
