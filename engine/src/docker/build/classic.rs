//! What the classic builders say: a text that is meant for people.

use std::collections::VecDeque;
use std::time::Instant;

use bollard::models::BuildInfo;

use super::failure::LOG_LINES;
use super::{BuildEvent, Progress, StepState, image_id};
use crate::docker::lines::Lines;

#[derive(Debug, Default)]
pub(super) struct Classic {
    lines: Lines,
    step: Option<Step>,
    image: Option<String>,
    failed: bool,
    /// The steps are over: what follows is about the image.
    committed: bool,
}

#[derive(Debug)]
struct Step {
    id: String,
    name: String,
    started: Instant,
    cached: bool,
    last: VecDeque<String>,
}

impl Progress for Classic {
    fn update(&mut self, info: BuildInfo) -> Vec<BuildEvent> {
        if let Some(id) = image_id(&info) {
            self.image = Some(id);
        }
        // `status` is about the layers of a base image that is pulled.
        let text = info
            .stream
            .or_else(|| info.status.map(|status| format!("{status}\n")));
        let lines = self.lines.push(text.unwrap_or_default().as_bytes());
        lines.into_iter().flat_map(|line| self.line(line)).collect()
    }

    fn end(&mut self, error: Option<&str>) -> Vec<BuildEvent> {
        let mut events = Vec::new();
        if let Some(line) = self.lines.finish() {
            events.extend(self.line(line));
        }
        self.failed = error.is_some() && self.step.is_some();
        events.extend(self.end_step(error));
        events
    }

    fn image(&self) -> Option<&str> {
        self.image.as_deref()
    }

    fn failed_step(&self) -> Option<(String, Vec<String>)> {
        let step = self.step.as_ref().filter(|_| self.failed)?;
        Some((step.name.clone(), step.last.iter().cloned().collect()))
    }
}

impl Classic {
    fn line(&mut self, line: String) -> Vec<BuildEvent> {
        if let Some((id, name)) = step(&line) {
            let mut events: Vec<BuildEvent> = self.end_step(None).into_iter().collect();
            if name.starts_with(OWN_LABEL) {
                self.step = None;
                return events;
            }
            let step = Step {
                id,
                name: name.to_owned(),
                started: Instant::now(),
                cached: false,
                last: VecDeque::new(),
            };
            events.push(step.event(StepState::Started));
            self.step = Some(step);
            return events;
        }
        let note = line.trim_start();
        if note.starts_with("---> Using cache") || note.starts_with("--> Using cache") {
            if let Some(step) = &mut self.step {
                step.cached = true;
            }
            return Vec::new();
        }
        // Docker tells the id apart; Podman tells its start here and the rest nowhere.
        if let Some(id) = note.strip_prefix("Successfully built ") {
            self.image.get_or_insert_with(|| id.trim().to_owned());
            return Vec::new();
        }
        self.committed |= is_commit(note);
        if is_bookkeeping(note) || is_commit(note) || self.committed && is_id(note) {
            return Vec::new();
        }
        let id = self.step.as_mut().map(|step| {
            if step.last.len() == LOG_LINES {
                step.last.pop_front();
            }
            step.last.push_back(line.clone());
            step.id.clone()
        });
        vec![BuildEvent::Log { step: id, line }]
    }

    fn end_step(&mut self, error: Option<&str>) -> Option<BuildEvent> {
        let step = self.step.as_ref()?;
        Some(step.event(match error {
            Some(error) => StepState::Failed(error.to_owned()),
            None if step.cached => StepState::Cached,
            None => StepState::Done(step.started.elapsed()),
        }))
    }
}

impl Step {
    fn event(&self, state: StepState) -> BuildEvent {
        let name = format!("[{}] {}", self.id, self.name);
        BuildEvent::Step {
            id: self.id.clone(),
            name,
            state,
        }
    }
}

/// How the steps begin that Podman makes of the labels that rengine asks for: nobody wrote them.
const OWN_LABEL: &str = "LABEL \"dev.rengine.";

/// Reads `Step 2/3 : RUN make`, or `STEP 2/3: RUN make` as Podman writes it, of several stages as
/// `[1/2] STEP 2/3: RUN make`.
fn step(line: &str) -> Option<(String, &str)> {
    let stage = line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "))
        .filter(|(stage, _)| is_count(stage));
    let (stage, rest) = match stage {
        Some((stage, rest)) => (format!("{stage} "), rest),
        None => (String::new(), line),
    };
    let rest = rest
        .strip_prefix("Step ")
        .or_else(|| rest.strip_prefix("STEP "))?;
    let (id, name) = rest.split_once(':')?;
    let id = id.trim_end();
    is_count(id).then(|| (stage + id, name.trim()))
}

/// True for `2/3`.
fn is_count(text: &str) -> bool {
    text.split_once('/').is_some_and(|(number, count)| {
        [number, count]
            .iter()
            .all(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// True for Podman's word that the steps are over.
fn is_commit(line: &str) -> bool {
    let of_a_stage = line.split_once("] ").map(|(_, rest)| rest);
    of_a_stage.unwrap_or(line).starts_with("COMMIT")
}

/// True for an image's id, which Podman prints in the end.
fn is_id(line: &str) -> bool {
    line.len() == 64 && line.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The builder's notes about containers and images of its own.
fn is_bookkeeping(note: &str) -> bool {
    let starts = [
        "---> ",
        "--> ",
        "Removing intermediate container ",
        "Successfully tagged ",
    ];
    note.is_empty() || starts.iter().any(|start| note.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(classic: &mut Classic, text: &str) -> Vec<String> {
        let info = BuildInfo {
            stream: Some(text.to_owned()),
            ..BuildInfo::default()
        };
        classic
            .update(info)
            .into_iter()
            .map(|event| show(&event))
            .collect()
    }

    fn show(event: &BuildEvent) -> String {
        match event {
            BuildEvent::Step {
                name,
                state: StepState::Done(_),
                ..
            } => format!("{name} done"),
            BuildEvent::Step { name, state, .. } => format!("{name} {state:?}"),
            BuildEvent::Log { step, line } => {
                format!("{} | {line}", step.as_deref().unwrap_or("-"))
            }
            BuildEvent::ContextSent { bytes } => format!("{bytes} bytes"),
        }
    }

    #[test]
    fn the_text_is_taken_apart() {
        let mut classic = Classic::default();
        let mut told = say(
            &mut classic,
            "Step 1/2 : FROM base\n ---> 0a1b\nStep 2/2 : RUN ma",
        );
        told.extend(say(&mut classic, "ke\n ---> Running in 2c3d\ncompi"));
        told.extend(say(&mut classic, "ling\nStep by step: no step\n"));
        told.extend(classic.end(Some("code: 2")).iter().map(show));
        assert_eq!(
            told,
            [
                "[1/2] FROM base Started",
                "[1/2] FROM base done",
                "[2/2] RUN make Started",
                "2/2 | compiling",
                "2/2 | Step by step: no step",
                "[2/2] RUN make Failed(\"code: 2\")",
            ]
        );
        let (step, log) = classic.failed_step().expect("a step");
        assert_eq!((step.as_str(), log.len()), ("RUN make", 2));
    }

    #[test]
    fn podman_is_understood() {
        let mut classic = Classic::default();
        let id = "0a".repeat(32);
        let mut told = say(
            &mut classic,
            "[1/2] STEP 1/1: FROM base AS one\n[2/2] STEP 1/3: FROM base\n[2/2] STEP 2/3: RUN make\n",
        );
        told.extend(say(&mut classic, &format!("{id}\n--> Using cache 0a1b\n")));
        told.extend(say(
            &mut classic,
            "[2/2] STEP 3/3: LABEL \"dev.rengine.app\"=\"a\"\n--> Using cache 0a1c\n[2/2] COMMIT x\n",
        ));
        told.extend(say(
            &mut classic,
            &format!("{id}\nSuccessfully built 0a1b2c\n{id}\n"),
        ));
        told.extend(classic.end(None).iter().map(show));
        assert_eq!(
            told,
            [
                "[1/2 1/1] FROM base AS one Started",
                "[1/2 1/1] FROM base AS one done",
                "[2/2 1/3] FROM base Started",
                "[2/2 1/3] FROM base done",
                "[2/2 2/3] RUN make Started",
                &format!("2/2 2/3 | {id}"),
                "[2/2 2/3] RUN make Cached",
            ]
        );
        assert_eq!(classic.image(), Some("0a1b2c"));
    }
}
