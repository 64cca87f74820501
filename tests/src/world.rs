//! All that a daemon has of an app, asked for at its socket: a test that looks hundreds of times can't
//! start a `docker` each time.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::{Project, within_a_minute};

/// What there is at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    /// The app's containers, its edges and its lock among them.
    pub containers: Vec<Container>,
    /// The ids of its networks.
    pub networks: BTreeSet<String>,
    /// The names of its volumes.
    pub volumes: BTreeSet<String>,
    /// Its images by their ids, each with its names.
    pub images: BTreeMap<String, BTreeSet<String>>,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Container {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `running`, `exited`, …
    pub state: String,
    /// The address in its first network.
    pub address: String,
}

impl World {
    /// What there is now.
    pub fn of(project: &Project) -> Self {
        let filter = format!("label=dev.rengine.app={}", project.app);
        let list = |path: &str| project.ask(path, &filter);
        let containers = list("/containers/json?all=1&");
        let mut containers: Vec<Container> = items(&containers).map(container).collect();
        containers.sort();
        let images = list("/images/json?all=1&");
        let images = items(&images).map(|image| {
            let names = items(&image["RepoTags"]).map(text);
            let named = names.filter(|name| !name.contains("<none>"));
            (text(&image["Id"]), named.collect())
        });
        let (networks, volumes) = (list("/networks?"), list("/volumes?"));
        Self {
            containers,
            networks: items(&networks).map(|one| text(&one["Id"])).collect(),
            volumes: items(&volumes["Volumes"])
                .map(|one| text(&one["Name"]))
                .collect(),
            images: images.collect(),
        }
    }

    /// True if there is nothing at all.
    pub fn is_empty(&self) -> bool {
        let Self {
            containers,
            networks,
            volumes,
            images,
        } = self;
        containers.is_empty() && networks.is_empty() && volumes.is_empty() && images.is_empty()
    }

    /// The containers that run, and were proven.
    pub fn running(&self) -> impl Iterator<Item = &Container> {
        let all = self.containers.iter();
        all.filter(|one| one.state == "running" && !one.name.ends_with(".candidate"))
    }
}

impl Container {
    /// What it answers at its own address, if it does.
    fn answer(&self) -> Option<String> {
        let page = served(&self.address).ok()?.trim().to_owned();
        (!page.is_empty()).then_some(page)
    }
}

/// What one of the app's proven containers answers, once one does. What a daemon was asked for by who was
/// killed may still come, so that one that runs now is stopped a moment later: each look is a new one.
pub fn page(project: &Project, after: &str) -> String {
    let mut page = None;
    let answers = within_a_minute(|| {
        page = World::of(project).running().find_map(Container::answer);
        page.is_some()
    });
    assert!(
        answers,
        "after {after} no container answers: {:#?}",
        World::of(project).containers
    );
    page.unwrap_or_default()
}

fn served(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((address, 8080))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let page = answer.split_once("\r\n\r\n").map(|(_, page)| page);
    Ok(page.unwrap_or_default().to_owned())
}

/// What the daemon of this socket answers, as JSON.
pub(crate) fn get(socket: &Path, path: &str, filter: &str) -> Value {
    let (kind, value) = filter.split_once('=').expect("a filter");
    let quoted = |text: &str| format!("%22{}%22", text.replace('=', "%3D"));
    let filters = format!("filters=%7B{}%3A%5B{}%5D%7D", quoted(kind), quoted(value));
    let request = format!("GET {path}{filters} HTTP/1.0\r\nHost: docker\r\n\r\n");
    let answer = || {
        let mut stream = UnixStream::connect(socket)?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = answer().unwrap_or_else(|error| panic!("{}: {error}", socket.display()));
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    let status = head.split(' ').nth(1);
    assert_eq!(status, Some("200"), "{path}: {answer}");
    serde_json::from_str(body).expect("JSON")
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn container(listed: &Value) -> Container {
    let networks = listed["NetworkSettings"]["Networks"].as_object();
    let mut networks = networks.into_iter().flat_map(|networks| networks.values());
    let address = networks.next().map(|one| text(&one["IPAddress"]));
    Container {
        id: text(&listed["Id"]),
        name: text(&listed["Names"][0]).trim_start_matches('/').to_owned(),
        state: text(&listed["State"]),
        address: address.unwrap_or_default(),
    }
}
