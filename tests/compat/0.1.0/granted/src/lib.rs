//! Calls everything of `rengine:plugin@0.1.0` that needs a grant to be imported, and what WASI has
//! for the rest: secrets, state, HTTP and files in `pre-build`, commands in `post-run`.

wit_bindgen::generate!({
    inline: "
        package compat:granted;

        world granted {
            include rengine:plugin/imports@0.1.0;
            include rengine:plugin/granted-imports@0.1.0;
            export rengine:plugin/pre-build@0.1.0;
            export rengine:plugin/post-run@0.1.0;
        }
    ",
    path: "../wit",
    generate_all,
});

use std::fmt::Debug;

use exports::rengine::plugin::{post_run, pre_build};
use rengine::plugin::build::ImageBuild;
use rengine::plugin::running::RunningContainer;
use rengine::plugin::types::{Context, Refusal};
use rengine::plugin::{exec, secrets};
use wasi::config::store as config;
use wasi::http::outgoing_handler;
use wasi::http::types::{
    Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use wasi::keyvalue::store;
use wasi::logging::logging::{Level, log};

struct Granted;

impl pre_build::Guest for Granted {
    fn run(_: Context, _: &ImageBuild) -> Result<(), Refusal> {
        told(
            "secret TOKEN",
            secrets::get("TOKEN").map(|value| value.len()),
        );
        told("secret OTHER", secrets::get("OTHER").is_ok());
        told("file", std::fs::read_to_string("/context/main.c"));
        told("variable", std::env::var("REGION"));
        told("state", state());
        told("http", http());
        Ok(())
    }
}

fn state() -> Result<(), store::Error> {
    told("open other", store::open("other").err());
    let bucket = store::open("default")?;
    told("list-keys", bucket.list_keys(None)?);
    told("get deploys", bucket.get("deploys")?);
    bucket.set("deploys", b"2")?;
    bucket.set("gone", b"soon")?;
    told("exists gone", bucket.exists("gone")?);
    bucket.delete("gone")?;
    told("exists gone", bucket.exists("gone")?);
    told("list-keys", bucket.list_keys(None)?);
    Ok(())
}

/// A `POST` to the authority in the settings.
fn http() -> Result<(), String> {
    let Ok(Some(authority)) = config::get("authority") else {
        return Err("no authority".to_owned());
    };
    let headers = Fields::new();
    headers.append("x-compat", b"0.1.0").map_err(debug)?;
    headers.append("content-length", b"5").map_err(debug)?;
    let request = OutgoingRequest::new(headers);
    let fits = |set: Result<(), ()>| set.map_err(|()| "it does not fit".to_owned());
    fits(request.set_method(&Method::Post))?;
    fits(request.set_scheme(Some(&Scheme::Http)))?;
    fits(request.set_authority(Some(&authority)))?;
    fits(request.set_path_with_query(Some("/hook?a=b")))?;
    let options = RequestOptions::new();
    fits(options.set_connect_timeout(Some(5_000_000_000)))?;
    let body = request.body().map_err(debug)?;
    let coming = outgoing_handler::handle(request, Some(options)).map_err(debug)?;
    {
        let stream = body.write().map_err(debug)?;
        stream.blocking_write_and_flush(b"hello").map_err(debug)?;
    }
    OutgoingBody::finish(body, None).map_err(debug)?;
    coming.subscribe().block();
    match coming.get() {
        Some(Ok(Ok(response))) => answer(&response),
        other => Err(debug(other)),
    }
}

fn answer(response: &IncomingResponse) -> Result<(), String> {
    told("status", response.status());
    let body = response.consume().map_err(debug)?;
    let stream = body.stream().map_err(debug)?;
    let mut text = Vec::new();
    while let Ok(bytes) = stream.blocking_read(1024) {
        text.extend(bytes);
    }
    told("body", String::from_utf8_lossy(&text));
    Ok(())
}

impl post_run::Guest for Granted {
    fn run(_: Context, container: &RunningContainer) -> Result<(), Refusal> {
        let command = ["migrate".to_owned(), "--now".to_owned()];
        told("exec", exec::run(container, &command, Some(2000)));
        told("exec", exec::run(container, &[], None).is_ok());
        Ok(())
    }
}

fn debug(value: impl Debug) -> String {
    format!("{value:?}")
}

fn told(what: &str, value: impl Debug) {
    log(Level::Info, what, &format!("{value:?}"));
}

export!(Granted);
