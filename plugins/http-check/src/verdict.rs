//! What an answer means.

use rengine_plugin::{HttpResponse, Status};

use crate::Config;

/// An HTTP exchange: the answer, or in words why there is none.
pub type Answer = Result<HttpResponse, String>;

/// Judges a container by its answer.
///
/// No answer, or one from 500 up that is not expected, is what a server gives that is not ready
/// yet. Any other answer that is not the expected one comes from a server that is: with `strict`
/// it is final, without it more time is given.
pub fn judge(config: &Config, answer: &Answer) -> Status {
    let path = &config.path;
    let response = match answer {
        Ok(response) => response,
        Err(why) => return Status::Starting(format!("GET {path}: {why}")),
    };
    let status = response.status;
    let problem = if !config.status.contains(status) {
        format!("GET {path} answered {status}, not {}", config.status)
    } else if let Some(text) = &config.body
        && !response.text().contains(text)
    {
        format!("GET {path} answered {status}, without `{text}` in its body")
    } else {
        return Status::Healthy;
    };
    if config.strict && status < 500 {
        Status::Unhealthy(problem)
    } else {
        Status::Starting(problem)
    }
}

/// Why a request has not warmed up the container; `None` if it has.
pub fn cold(path: &str, answer: &Answer) -> Option<String> {
    match answer {
        Ok(response) if response.status < 400 => None,
        Ok(response) => Some(format!("GET {path} answered {}", response.status)),
        Err(why) => Some(format!("GET {path}: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Statuses;

    fn answer(status: u16, body: &str) -> Answer {
        Ok(HttpResponse {
            status,
            headers: Vec::new(),
            body: body.into(),
        })
    }

    fn strict() -> Config {
        Config {
            strict: true,
            ..Config::default()
        }
    }

    #[test]
    fn the_expected_answer_is_healthy() {
        for status in [200, 204, 301, 399] {
            assert_eq!(
                judge(&Config::default(), &answer(status, "")),
                Status::Healthy
            );
        }
        let teapot = Config {
            status: Statuses(vec![(418, 418)]),
            body: Some("pot".to_owned()),
            ..strict()
        };
        assert_eq!(judge(&teapot, &answer(418, "a pot")), Status::Healthy);
        let unready = Config {
            status: Statuses(vec![(503, 503)]),
            ..strict()
        };
        assert_eq!(judge(&unready, &answer(503, "")), Status::Healthy);
    }

    #[test]
    fn no_answer_and_server_errors_are_given_time_even_if_strict() {
        assert_eq!(
            judge(&strict(), &Err("connection refused".to_owned())),
            Status::Starting("GET /: connection refused".to_owned())
        );
        assert_eq!(
            judge(&strict(), &answer(503, "")),
            Status::Starting("GET / answered 503, not 200 to 399".to_owned())
        );
    }

    #[test]
    fn another_answer_is_final_only_if_strict() {
        let why = "GET / answered 404, not 200 to 399".to_owned();
        let not_found = answer(404, "");
        assert_eq!(
            judge(&Config::default(), &not_found),
            Status::Starting(why.clone())
        );
        assert_eq!(judge(&strict(), &not_found), Status::Unhealthy(why));
        let config = Config {
            body: Some("ok".to_owned()),
            ..strict()
        };
        assert_eq!(
            judge(&config, &answer(200, "no")),
            Status::Unhealthy("GET / answered 200, without `ok` in its body".to_owned())
        );
    }

    #[test]
    fn a_warm_up_needs_an_answer_below_400() {
        assert_eq!(cold("/a", &answer(302, "")), None);
        assert_eq!(
            cold("/a", &answer(404, "")).as_deref(),
            Some("GET /a answered 404")
        );
        assert_eq!(
            cold("/a", &Err("timed out".to_owned())).as_deref(),
            Some("GET /a: timed out")
        );
    }
}
