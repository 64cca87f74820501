//! Tries what its settings say, and logs what came of it as `ok: …` or `error: …`, so that a test
//! of the host can drive every capability with real bindings.

mod at_once;

use std::time::Duration;

use rengine_plugin::{
    ContainerSpec, Context, ImageBuild, PostRun, PreBuild, PreRun, Result, RunningContainer,
    config, fetch, info, refuse, secrets, state,
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Words, each list a step.
    steps: Vec<Vec<String>>,
}

struct Probe;

type Tried = std::result::Result<String, String>;

impl PreBuild for Probe {
    fn pre_build(_: &Context, build: &ImageBuild) -> Result {
        run(|step| match step {
            ["arg", name, value] => done(build.set_arg(name, value)),
            ["dockerfile", text] => done(build.set_dockerfile(text)),
            _ => free(step),
        })
    }
}

impl PreRun for Probe {
    fn pre_run(_: &Context, spec: &ContainerSpec) -> Result {
        run(|step| match step {
            ["env-secret", variable, secret] => {
                let value = secrets::get(secret)?;
                done(spec.set_env(variable, &value))
            }
            _ => free(step),
        })
    }
}

impl PostRun for Probe {
    fn post_run(_: &Context, container: &RunningContainer) -> Result {
        run(|step| match step {
            ["exec", command @ ..] => {
                let ended = container.exec(command.iter().copied())?;
                Ok(format!("{} {}", ended.exit_code, ended.output.trim_end()))
            }
            ["exec-within", millis, command @ ..] => {
                let time = Duration::from_millis(millis.parse().expect("a number"));
                let ended = container.exec_within(command.iter().copied(), time)?;
                Ok(ended.exit_code.to_string())
            }
            _ => free(step),
        })
    }
}

fn run(step: impl Fn(&[&str]) -> Tried) -> Result {
    let Config { steps } = config::load()?;
    for words in steps {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if let ["refuse", reason @ ..] = &words[..] {
            refuse!("{}", reason.join(" "));
        }
        match step(&words) {
            Ok(said) => info!("ok: {said}"),
            Err(why) => info!("error: {why}"),
        }
    }
    Ok(())
}

/// What every hook can do.
fn free(step: &[&str]) -> Tried {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    match step {
        ["fetch", method, url, rest @ ..] => {
            let mut request = match *method {
                "POST" => fetch::Request::post(*url, rest.first().copied().unwrap_or_default()),
                method => fetch::Request::new(method, *url),
            };
            let fields = rest.iter().filter_map(|field| field.split_once(": "));
            for (name, value) in fields {
                request = match name {
                    "timeout-ms" => {
                        request.within(Duration::from_millis(value.parse().expect("a number")))
                    }
                    name => request.header(name, value),
                };
            }
            let answer = request.send().map_err(|error| text(&error))?;
            let location = answer.header("location").unwrap_or_default();
            Ok(format!(
                "{} {location}{}",
                answer.status,
                short(&answer.text())
            ))
        }
        ["post-bytes", url, count] => {
            let body = vec![b'x'; count.parse().expect("a number")];
            let answer = fetch::Request::post(*url, body).send();
            Ok(answer.map_err(|error| text(&error))?.status.to_string())
        }
        ["at-once", url, count] => Ok(at_once::send(url, count.parse().expect("a number"))),
        ["follow", url] => {
            let answer = fetch::Request::get(*url).send();
            let answer = answer.map_err(|error| text(&error))?;
            let next = answer.header("location").unwrap_or_default().to_owned();
            free(&["fetch", "GET", &next])
        }
        ["secret", name] => secrets::get(name),
        ["read", path] => std::fs::read_to_string(path).map_err(|error| text(&error)),
        ["write", path] => done(std::fs::write(path, "x")),
        ["remove", path] => done(std::fs::remove_file(path)),
        ["link", from, to] => done(std::fs::hard_link(from, to)),
        ["list", path] => {
            let entries = std::fs::read_dir(path).map_err(|error| text(&error))?;
            let mut names: Vec<_> = entries
                .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
                .collect();
            names.sort_unstable();
            Ok(names.join(" "))
        }
        ["env", name] => std::env::var(name).map_err(|error| text(&error)),
        ["get", key] => {
            let value = state::get_text(key).map_err(|error| text(&error))?;
            Ok(value.unwrap_or_else(|| "(none)".to_owned()))
        }
        ["set", key, value] => done(state::set(key, value)),
        ["fill", key, count] => {
            let bytes = vec![b'x'; count.parse().expect("a number")];
            done(state::set(key, bytes))
        }
        ["delete", key] => done(state::remove(key)),
        ["keys"] => Ok(state::keys().map_err(|error| text(&error))?.join(" ")),
        ["print", text] => {
            println!("{text}");
            Ok("printed".to_owned())
        }
        ["panic", text] => panic!("{text}"),
        other => Err(format!("there is no step {other:?} here")),
    }
}

fn done<E: std::fmt::Display>(result: std::result::Result<(), E>) -> Tried {
    result
        .map(|()| "done".to_owned())
        .map_err(|error| error.to_string())
}

fn short(text: &str) -> &str {
    text.get(..200).unwrap_or(text)
}

rengine_plugin::export!(Probe: pre_build, pre_run, post_run);
