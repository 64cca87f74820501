//! The revision of a project, as the `git` command tells it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::release::GitRevision;

/// Time for one question: a large repository on a slow disk must not hold up a deploy.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The revision of the repository that a folder is in; `None` if there is none, or no `git`.
pub async fn revision(folder: &Path) -> Option<GitRevision> {
    let head = ["rev-parse", "--verify", "--quiet", "HEAD"];
    let status = [
        "status",
        "--porcelain",
        "--untracked-files=normal",
        "--",
        ".",
    ];
    let (head, status) = tokio::join!(git(folder, &head), git(folder, &status));
    let commit = head?.trim().to_owned();
    (!commit.is_empty()).then_some(GitRevision {
        commit,
        // What could not be told is not known to be clean.
        dirty: status.is_none_or(|status| !status.trim().is_empty()),
    })
}

async fn git(folder: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new("git")
        // A repository must not have its own programs run for a look at it.
        .args(["-c", "core.fsmonitor=false", "-C"])
        .arg(folder)
        .args(args)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(TIMEOUT, output).await.ok()?.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then_some(text)
}
