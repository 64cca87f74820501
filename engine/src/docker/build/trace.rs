//! What BuildKit says: the states of the vertices of a graph, and their logs.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bollard::moby::buildkit::v1::{StatusResponse, Vertex};
use bollard::models::{BuildInfo, BuildInfoAux};

use super::failure::LOG_LINES;
use super::{BuildEvent, Progress, StepState, image_id};
use crate::docker::lines::Lines;

#[derive(Debug, Default)]
pub(super) struct Trace {
    steps: HashMap<String, Step>,
    image: Option<String>,
    failed: Option<String>,
}

#[derive(Debug, Default)]
struct Step {
    name: String,
    told: Told,
    lines: Lines,
    last: VecDeque<String>,
}

/// What has been told of a step. BuildKit repeats itself.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    #[default]
    Nothing,
    Started,
    Ended,
}

impl Progress for Trace {
    fn update(&mut self, info: BuildInfo) -> Vec<BuildEvent> {
        if let Some(id) = image_id(&info) {
            self.image = Some(id);
        }
        match info.aux {
            Some(BuildInfoAux::BuildKit(status)) => self.status(status),
            _ => Vec::new(),
        }
    }

    fn end(&mut self, _: Option<&str>) -> Vec<BuildEvent> {
        let mut events = Vec::new();
        for (id, step) in &mut self.steps {
            if let Some(line) = step.lines.finish() {
                remember(&mut step.last, &line);
                events.push(BuildEvent::Log {
                    step: Some(id.clone()),
                    line,
                });
            }
        }
        events
    }

    fn image(&self) -> Option<&str> {
        self.image.as_deref()
    }

    fn failed_step(&self) -> Option<(String, Vec<String>)> {
        let step = self.steps.get(self.failed.as_ref()?)?;
        Some((
            instruction(&step.name).to_owned(),
            step.last.iter().cloned().collect(),
        ))
    }
}

impl Trace {
    fn status(&mut self, status: StatusResponse) -> Vec<BuildEvent> {
        let mut events = Vec::new();
        // Names first, then what was printed, and only then how it ended.
        for vertex in &status.vertexes {
            let step = self.steps.entry(vertex.digest.clone()).or_default();
            step.name.clone_from(&vertex.name);
            if vertex.started.is_some() && !vertex.cached && step.told < Told::Started {
                step.told = Told::Started;
                events.push(event(vertex, StepState::Started));
            }
        }
        for log in status.logs {
            let step = self.steps.entry(log.vertex.clone()).or_default();
            for line in step.lines.push(&log.msg) {
                remember(&mut step.last, &line);
                events.push(BuildEvent::Log {
                    step: Some(log.vertex.clone()),
                    line,
                });
            }
        }
        for vertex in &status.vertexes {
            let Some(step) = self.steps.get_mut(&vertex.digest) else {
                continue;
            };
            let Some(state) = ended(vertex) else { continue };
            if step.told == Told::Ended {
                continue;
            }
            step.told = Told::Ended;
            // Steps that were still running then fail too, as cancelled; the first is the cause.
            if matches!(state, StepState::Failed(_)) && self.failed.is_none() {
                self.failed = Some(vertex.digest.clone());
            }
            events.push(event(vertex, state));
        }
        events
    }
}

fn event(vertex: &Vertex, state: StepState) -> BuildEvent {
    BuildEvent::Step {
        id: vertex.digest.clone(),
        name: vertex.name.clone(),
        state,
    }
}

fn ended(vertex: &Vertex) -> Option<StepState> {
    if !vertex.error.is_empty() {
        return Some(StepState::Failed(vertex.error.clone()));
    }
    let completed = vertex.completed?;
    if vertex.cached {
        return Some(StepState::Cached);
    }
    let nanoseconds =
        |seconds: i64, nanos: i32| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    let end = nanoseconds(completed.seconds, completed.nanos);
    let start = vertex
        .started
        .map_or(end, |start| nanoseconds(start.seconds, start.nanos));
    let took = u64::try_from((end - start).max(0)).unwrap_or(u64::MAX);
    Some(StepState::Done(Duration::from_nanos(took)))
}

fn remember(last: &mut VecDeque<String>, line: &str) {
    if last.len() == LOG_LINES {
        last.pop_front();
    }
    last.push_back(line.to_owned());
}

/// `[web 2/3] RUN make` without its number.
fn instruction(name: &str) -> &str {
    match name
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "))
    {
        Some((_, instruction)) => instruction,
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use bollard::moby::buildkit::v1::VertexLog;

    use super::*;

    fn vertex(digest: &str) -> Vertex {
        Vertex {
            digest: digest.to_owned(),
            name: format!("[1/2] RUN {digest}"),
            ..Vertex::default()
        }
    }

    fn status(vertexes: Vec<Vertex>, log: &[u8]) -> StatusResponse {
        let log = VertexLog {
            vertex: "a".to_owned(),
            msg: log.to_vec(),
            ..VertexLog::default()
        };
        StatusResponse {
            vertexes,
            logs: vec![log],
            ..StatusResponse::default()
        }
    }

    #[test]
    fn a_step_is_told_once_and_its_lines_before_its_end() {
        let mut trace = Trace::default();
        let running = Vertex {
            started: Some(Default::default()),
            ..vertex("a")
        };
        let first = trace.status(status(vec![running.clone()], b"compi"));
        assert_eq!(first, [event(&running, StepState::Started)]);
        assert_eq!(trace.status(status(vec![running.clone()], b"")), []);
        let failed = Vertex {
            error: "exit code: 2".to_owned(),
            ..running
        };
        let last = trace.status(status(
            vec![failed.clone(), failed.clone()],
            b"ling\nno such file\n",
        ));
        let log = |line: &str| BuildEvent::Log {
            step: Some("a".to_owned()),
            line: line.to_owned(),
        };
        let state = StepState::Failed("exit code: 2".to_owned());
        assert_eq!(
            last,
            [log("compiling"), log("no such file"), event(&failed, state)]
        );
        let lines = vec!["compiling".to_owned(), "no such file".to_owned()];
        assert_eq!(trace.failed_step(), Some(("RUN a".to_owned(), lines)));
    }

    #[test]
    fn a_cached_step_never_started() {
        let time = Some(Default::default());
        let cached = Vertex {
            cached: true,
            started: time,
            completed: time,
            ..vertex("b")
        };
        let events = Trace::default().status(status(vec![cached.clone()], b""));
        assert_eq!(events, [event(&cached, StepState::Cached)]);
    }
}
