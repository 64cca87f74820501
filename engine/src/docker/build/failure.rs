//! Why a build failed, and where in the Dockerfile.

use std::sync::LazyLock;

use regex::Regex;

use crate::app::ImageBuild;
use crate::docker::DockerError;
use crate::docker::error::BuildFailure;

/// Lines of a step's log that go into the error.
pub(super) const LOG_LINES: usize = 20;

/// Makes the error of a build that failed with this message of the daemon.
pub(super) fn explain(
    build: &ImageBuild,
    message: String,
    failed_step: Option<(String, Vec<String>)>,
) -> DockerError {
    let text = build.dockerfile.as_deref().unwrap_or_default();
    let said = number(
        &message,
        r"(?i)(?:parse error|Dockerfile)[^:]*?\bline (\d+)",
    );
    let (step, log) = match failed_step {
        // What fails before the first instruction is the Dockerfile itself, not the builder's own
        // step that was to read it.
        Some((step, _)) if said.is_some() || step.starts_with("load ") => (None, Vec::new()),
        Some((step, log)) => (Some(step), log),
        None => (None, Vec::new()),
    };
    let line = match (said, &step) {
        (Some(line), _) => usize::try_from(line).ok(),
        (None, Some(step)) => instruction_line(text, step),
        (None, None) => None,
    };
    DockerError::BuildFailed(Box::new(BuildFailure {
        exit_code: number(&message, r"(?:exit code|exit status|non-zero code):? (\d+)"),
        dockerfile: build.dockerfile_path.clone(),
        message: plain(&message).to_owned(),
        step,
        line,
        log,
    }))
}

fn number(message: &str, pattern: &'static str) -> Option<i64> {
    Regex::new(pattern)
        .ok()?
        .captures(message)?
        .get(1)?
        .as_str()
        .parse()
        .ok()
}

/// The message without the parts that only BuildKit's authors understand.
fn plain(message: &str) -> &str {
    static WRAPPING: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"^(?:failed to solve(?: with frontend [\w.]+)?: |failed to create LLB definition: |rpc error: code = \w+ desc = )+").ok()
    });
    let start = WRAPPING
        .as_ref()
        .and_then(|wrapping| wrapping.find(message))
        .map_or(0, |found| found.end());
    &message[start..]
}

/// The line on which an instruction starts, if it is there once. Builders write an instruction on
/// one line, with single blanks.
fn instruction_line(dockerfile: &str, instruction: &str) -> Option<usize> {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted = words(instruction);
    let mut found = None;
    let mut lines = dockerfile.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let mut whole = line.trim().to_owned();
        while let Some(open) = whole.strip_suffix('\\') {
            whole = open.to_owned();
            // Comments and empty lines within an instruction don't count.
            let next = lines
                .by_ref()
                .find(|(_, line)| !matches!(line.trim().chars().next(), None | Some('#')));
            let Some((_, next)) = next else { break };
            whole.push(' ');
            whole.push_str(next.trim());
        }
        if words(&whole).eq_ignore_ascii_case(&wanted) {
            match found {
                None => found = Some(index + 1),
                Some(_) => return None,
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_is_found_where_it_is_unique() {
        let text = "FROM a\nRUN x\n\nRUN make \\\n  # why\n  all && \\\n  clean\nRUN x\n";
        assert_eq!(instruction_line(text, "RUN make all && clean"), Some(4));
        assert_eq!(instruction_line(text, "FROM a"), Some(1));
        assert_eq!(instruction_line(text, "RUN x"), None, "one of two");
        assert_eq!(instruction_line(text, "COPY y"), None);
        assert_eq!(instruction_line("RUN a \\", "RUN a"), Some(1));
    }

    #[test]
    fn messages_are_read() {
        let code = |message| number(message, r"(?:exit code|exit status|non-zero code):? (\d+)");
        assert_eq!(
            code("The command '/bin/sh -c false' returned a non-zero code: 1"),
            Some(1)
        );
        assert_eq!(
            code("executor failed running [/bin/sh -c false]: exit code: 7"),
            Some(7)
        );
        assert_eq!(
            plain(
                "failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error line 2: unknown instruction: FOO"
            ),
            "dockerfile parse error line 2: unknown instruction: FOO"
        );
        assert_eq!(
            plain("failed to solve: rpc error: code = Unknown desc = x"),
            "x"
        );
    }
}
