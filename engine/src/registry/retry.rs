//! What is done about a failure: another try, or a word for whoever waits.

use std::time::Duration;

use super::error::Failure;
use super::{RegistryError, Repository};

/// Before the second try; each later one waits twice as long.
pub(super) const FIRST_WAIT: Duration = Duration::from_millis(400);
/// The longest time that is waited because a registry wants it.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// What is asked for, for errors.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// What is to be done.
    pub action: &'a str,
    /// With what.
    pub repository: &'a Repository,
}

/// How long to wait before another try; `None` if it is not worth one. `wait` is what would be waited if
/// the registry has no word on it.
pub(super) fn pause(failure: &Failure, wait: Duration) -> Option<Duration> {
    match failure {
        Failure::Passing { wait: asked, .. } => match asked {
            Some(asked) if *asked > MAX_WAIT => None,
            // Not sooner than it wants, nor all at the same moment.
            Some(asked) => Some(*asked + jittered(FIRST_WAIT)),
            None => Some(jittered(wait)),
        },
        Failure::Unreachable(_) => Some(jittered(wait)),
        _ => None,
    }
}

/// A failure with what was to be done.
pub(super) fn told(
    failure: Failure,
    asked: Asked<'_>,
    host: &str,
    user: Option<String>,
) -> RegistryError {
    let (action, host) = (asked.action.to_owned(), host.to_owned());
    match failure {
        Failure::Passing { reason, wait } => RegistryError::Failed {
            action,
            host,
            help: match wait.is_some_and(|wait| wait > MAX_WAIT) {
                true => "it was not tried again: nobody waits here for so long; try again then",
                false => "it was tried several times; try again later",
            },
            reason: match wait {
                None => reason,
                Some(wait) => {
                    let wait = humantime::format_duration(Duration::from_secs(wait.as_secs()));
                    format!("{reason}, and wants to be left alone for {wait}")
                }
            },
        },
        Failure::Other(reason) => RegistryError::Failed {
            action,
            host,
            reason,
            help: "another try would end the same way; those who run it may know more",
        },
        Failure::Certificate(reason) => RegistryError::Impostor {
            action,
            host,
            reason,
        },
        Failure::Unreachable(reason) => RegistryError::Unreachable {
            action,
            host,
            reason,
        },
        Failure::Denied => RegistryError::Denied { action, host, user },
        Failure::NotFound => RegistryError::NotFound {
            action,
            help: format!(
                "see that the path and the version are right: `rengine plugin info {}` \
                 lists versions. Some registries say so of what one may not see",
                asked.repository
            ),
            host,
        },
        Failure::Digest { expected, actual } => RegistryError::Tampered {
            what: asked.repository.to_string(),
            host,
            expected,
            actual,
        },
    }
}

/// A time around this one, so that many who were turned away do not all come back at once.
fn jittered(time: Duration) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(std::process::id()) % 1000;
    let random = u32::try_from(random).unwrap_or_default();
    time / 2 + time * random / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_asked_again_when_it_wants_to_be() {
        let passing = |wait: Option<u64>| Failure::Passing {
            reason: String::new(),
            wait: wait.map(Duration::from_secs),
        };
        let wait = Duration::from_secs(1);
        let asked = pause(&passing(Some(20)), wait).expect("again");
        assert!(asked >= Duration::from_secs(20) && asked < Duration::from_secs(21));
        let own = pause(&passing(None), wait).expect("again");
        assert!(own >= wait / 2 && own < wait * 2);
        assert_eq!(
            pause(&passing(Some(3600)), wait),
            None,
            "nobody waits for that"
        );
        let text = String::new();
        assert!(pause(&Failure::Unreachable(text.clone()), wait).is_some());
        assert_eq!(pause(&Failure::Other(text), wait), None);
        assert_eq!(pause(&Failure::Denied, wait), None);
    }

    #[test]
    fn what_was_tried_once_is_not_said_to_have_been_tried_often() {
        use miette::Diagnostic;
        let repository: super::super::Reference = "r.example/a".parse().expect("a place");
        let asked = Asked {
            action: "get it",
            repository: &repository.repository,
        };
        let passing = |wait: Option<u64>| Failure::Passing {
            reason: "503".to_owned(),
            wait: wait.map(Duration::from_secs),
        };
        for (failure, said) in [
            (passing(None), "several times"),
            (passing(Some(20)), "several times"),
            (passing(Some(3600)), "not tried again"),
            (Failure::Other("400".to_owned()), "end the same way"),
            (Failure::Certificate("UnknownIssuer".to_owned()), "ca = "),
        ] {
            assert_eq!(
                pause(&Failure::Certificate(String::new()), FIRST_WAIT),
                None
            );
            let error = told(failure, asked, "r.example", None);
            let help = error.help().expect("a help").to_string();
            assert!(help.contains(said), "{said}: {help}");
        }
    }
}
