//! What an edge is to do: the value that is put through its socket, and kept in its folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::defaults;
use super::peer::Network;

/// The whole of what an edge is to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Routes {
    /// Where clients come in.
    #[serde(default)]
    pub listeners: Vec<Listener>,
    /// Who answers them, by name.
    #[serde(default)]
    pub services: BTreeMap<String, Service>,
}

/// A port that is listened on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Listener {
    /// The address; all of them, if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// What is spoken on it.
    #[serde(default)]
    pub mode: Mode,
    /// The service that answers.
    pub service: String,
    /// With which certificates TLS is spoken; none, if it is not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Certificate>,
    /// Whose `X-Forwarded-*`, `Forwarded` and `X-Request-Id` are believed: other proxies.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "texts")]
    pub trust: Vec<Network>,
}

/// What is spoken on a port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// HTTP/1.1 or HTTP/2, as the client likes; proxied request by request.
    #[default]
    Http,
    /// Anything over TCP; proxied connection by connection.
    Tcp,
    /// HTTP/1.1 where that is what the client's first words are; everything else as TCP.
    Auto,
}

/// A certificate and its key, as files that the edge can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Certificate {
    /// The names that clients ask for to get it, as `example.com` or `*.example.com`; without any,
    /// it is for all that no other is for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// PEM: the certificate, and those that signed it.
    pub certificate: PathBuf,
    /// PEM: its key.
    pub key: PathBuf,
}

/// Those who can answer alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Service {
    /// Them.
    #[serde(default)]
    pub targets: Vec<Target>,
    /// What they speak, where clients speak HTTP.
    #[serde(default)]
    pub protocol: Protocol,
    /// How long a request or connection waits while no target can take it.
    #[serde(default = "hold", with = "duration")]
    pub hold: Duration,
    /// Time for a target to begin its answer.
    #[serde(default = "response_timeout", with = "duration")]
    pub response_timeout: Duration,
    /// What they are asked again and again, to see whether they are well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    /// The part of new requests and connections that groups of targets get, in hundredths of a
    /// percent; all other targets get what is left.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shares: BTreeMap<String, u16>,
}

/// All of the new requests, in the unit in which shares are.
pub const WHOLE: u16 = 10_000;

impl Default for Service {
    fn default() -> Self {
        Self {
            targets: Vec::new(),
            protocol: Protocol::default(),
            hold: defaults::HOLD,
            response_timeout: defaults::RESPONSE_TIMEOUT,
            check: None,
            shares: BTreeMap::new(),
        }
    }
}

impl Service {
    /// True if a target is on trial: it is in a group that gets a share.
    pub fn is_on_trial(&self, target: &Target) -> bool {
        let group = target.group.as_ref();
        group.is_some_and(|group| self.shares.contains_key(group))
    }
}

/// Which HTTP a target speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2 without TLS, from the first byte: what gRPC wants.
    H2c,
}

/// A question whose answer tells whether a target is well: a GET that has to be answered 2xx or 3xx.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Check {
    /// The path, as `/health`.
    pub path: String,
    /// Time between two.
    #[serde(default = "check_interval", with = "duration")]
    pub interval: Duration,
    /// Time for an answer.
    #[serde(default = "check_timeout", with = "duration")]
    pub timeout: Duration,
}

/// One that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Target {
    /// Where it is.
    pub address: Address,
    /// Whether it gets anything new.
    #[serde(default)]
    pub state: TargetState,
    /// Those with which it gets a share of what is new; `None` for those that get what is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// Whether a target gets anything new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetState {
    /// It does, while it is well.
    #[default]
    Active,
    /// It does not, and ends what it has begun.
    Draining,
}

/// A host, by name or number, and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    host: String,
    port: u16,
}

/// A text that is no [`Address`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address: write it like `web:8080`, `10.0.0.2:8080` or `[fd00::2]:8080`")]
pub struct NoAddress(String);

impl Address {
    /// Its host, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let none = || NoAddress(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(none)?;
        let port = port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(none)?;
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let fine = match bare {
            Some(host) => host.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
                !host.is_empty() && host.len() <= 253 && host.chars().all(part)
            }
        };
        let host = bare.unwrap_or(host).to_owned();
        fine.then_some(Self { host, port }).ok_or_else(none)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Why routes can't be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
pub enum InvalidRoutes {
    /// It is no JSON of the right shape.
    #[error("these are no routes: {0}")]
    Shape(String),
    /// A listener whose service is not there.
    #[error("the listener on port {port} is for the service `{service}`, which is not there")]
    NoService {
        /// Its port.
        port: u16,
        /// The name.
        service: String,
    },
    /// Two listeners for one port.
    #[error("port {0} has two listeners")]
    SamePort(u16),
    /// Too many listeners.
    #[error("there are {0} listeners; {most} is the most", most = defaults::MAX_LISTENERS)]
    ManyListeners(usize),
    /// A target that is there twice.
    #[error("the service `{service}` has the target {target} twice")]
    SameTarget {
        /// The service.
        service: String,
        /// The target.
        target: Address,
    },
    /// A listener for anything over TCP that is to speak TLS.
    #[error("the listener on port {0} can't speak TLS: only HTTP listeners can")]
    TlsForTcp(u16),
    /// Groups that are to get more than there is.
    #[error("the groups of the service `{service}` get {total} of {WHOLE} parts of its requests")]
    Shares {
        /// The service.
        service: String,
        /// What they get together.
        total: u32,
    },
    /// A check's path.
    #[error("the check of `{service}` has the path `{path}`, which is none: it begins with /")]
    CheckPath {
        /// The service.
        service: String,
        /// The path.
        path: String,
    },
    /// A check without time between two.
    #[error("the check of `{0}` has no time between two")]
    CheckInterval(String),
}

impl Routes {
    /// Reads them from JSON, and checks that they can be meant.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidRoutes> {
        // A list would do for serde, and an empty one would be no routes at all.
        if json.trim_ascii_start().first() != Some(&b'{') {
            return Err(InvalidRoutes::Shape("it has to be an object".to_owned()));
        }
        let routes: Self = serde_json::from_slice(json)
            .map_err(|error| InvalidRoutes::Shape(error.to_string()))?;
        routes.check()?;
        Ok(routes)
    }

    /// Whether they can be meant.
    pub fn check(&self) -> Result<(), InvalidRoutes> {
        let mut ports = BTreeSet::new();
        for listener in &self.listeners {
            let port = listener.port;
            if !ports.insert(port) {
                return Err(InvalidRoutes::SamePort(port));
            }
            if !self.services.contains_key(&listener.service) {
                let service = listener.service.clone();
                return Err(InvalidRoutes::NoService { port, service });
            }
            if listener.mode != Mode::Http && !listener.certificates.is_empty() {
                return Err(InvalidRoutes::TlsForTcp(port));
            }
        }
        if ports.len() > defaults::MAX_LISTENERS {
            return Err(InvalidRoutes::ManyListeners(ports.len()));
        }
        for (name, service) in &self.services {
            let mut seen = BTreeSet::new();
            for target in &service.targets {
                if !seen.insert(&target.address) {
                    return Err(InvalidRoutes::SameTarget {
                        service: name.clone(),
                        target: target.address.clone(),
                    });
                }
            }
            let total = service.shares.values().copied().map(u32::from).sum();
            if total > u32::from(WHOLE) {
                return Err(InvalidRoutes::Shares {
                    service: name.clone(),
                    total,
                });
            }
            if let Some(check) = &service.check {
                if !check.path.starts_with('/') || check.path.parse::<http::Uri>().is_err() {
                    return Err(InvalidRoutes::CheckPath {
                        service: name.clone(),
                        path: check.path.clone(),
                    });
                }
                if check.interval.is_zero() {
                    return Err(InvalidRoutes::CheckInterval(name.clone()));
                }
            }
        }
        Ok(())
    }
}

fn hold() -> Duration {
    defaults::HOLD
}

fn response_timeout() -> Duration {
    defaults::RESPONSE_TIMEOUT
}

fn check_interval() -> Duration {
    defaults::CHECK_INTERVAL
}

fn check_timeout() -> Duration {
    defaults::CHECK_TIMEOUT
}

/// Times as people write them: `30s`.
mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*time))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text).map_err(|error| {
            serde::de::Error::custom(format!("`{text}` is no time such as 30s: {error}"))
        })
    }
}

/// Values as texts.
mod texts {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<T: Display, S: Serializer>(
        values: &[T],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(ToString::to_string))
    }

    pub fn deserialize<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let parsed = texts.iter().map(|text| text.parse());
        parsed
            .collect::<Result<_, _>>()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let json = r#"{
            "listeners": [
                {"port": 8080, "service": "web", "trust": ["10.0.0.0/8"]},
                {"port": 5432, "mode": "tcp", "service": "db", "address": "127.0.0.1"}
            ],
            "services": {
                "web": {
                    "targets": [{"address": "web-1:8080"}, {"address": "[fd00::2]:80", "state": "draining"}],
                    "check": {"path": "/health"},
                    "hold": "1m 5s"
                },
                "db": {
                    "protocol": "h2c",
                    "targets": [{"address": "a:1"}, {"address": "b:1", "group": "new"}],
                    "shares": {"new": 1000}
                }
            }
        }"#;
        let routes = Routes::parse(json.as_bytes()).expect("routes");
        assert_eq!(routes.services["web"].hold, Duration::from_secs(65));
        let db = &routes.services["db"];
        assert_eq!(db.hold, defaults::HOLD);
        let on_trial: Vec<bool> = db.targets.iter().map(|one| db.is_on_trial(one)).collect();
        assert_eq!(on_trial, [false, true]);
        let again = serde_json::to_vec(&routes).expect("JSON");
        assert_eq!(Routes::parse(&again), Ok(routes));
    }

    #[test]
    fn what_older_releases_know_is_written_as_they_know_it() {
        let json = r#"{"services": {"a": {"targets": [{"address": "b:1", "state": "active"}]}}}"#;
        let routes = Routes::parse(json.as_bytes()).expect("routes");
        let written = serde_json::to_string(&routes).expect("JSON");
        assert!(!written.contains("group"), "{written}");
        assert!(!written.contains("shares"), "{written}");
    }

    #[test]
    fn what_can_not_be_meant_is_told() {
        let cases = [
            ("[]", "these are no routes"),
            (r#"{"listener": []}"#, "unknown field `listener`"),
            (
                r#"{"listeners": [{"port": 1, "service": "a"}]}"#,
                "which is not there",
            ),
            (
                r#"{"listeners": [{"port": 1, "service": "a"}, {"port": 1, "service": "a"}], "services": {"a": {}}}"#,
                "port 1 has two listeners",
            ),
            (
                r#"{"services": {"a": {"targets": [{"address": "b:1"}, {"address": "b:1"}]}}}"#,
                "has the target b:1 twice",
            ),
            (
                r#"{"services": {"a": {"targets": [{"address": "http://b"}]}}}"#,
                "`http://b` is no address",
            ),
            (
                r#"{"services": {"a": {"shares": {"b": 6000, "c": 6000}}}}"#,
                "12000 of 10000 parts",
            ),
            (
                r#"{"services": {"a": {"hold": "soon"}}}"#,
                "`soon` is no time",
            ),
            (
                r#"{"services": {"a": {"check": {"path": "health"}}}}"#,
                "has the path `health`",
            ),
            (
                r#"{"services": {"a": {"check": {"path": "/", "interval": "0s"}}}}"#,
                "no time between two",
            ),
            (
                r#"{"listeners": [{"port": 1, "mode": "tcp", "service": "a",
                    "certificates": [{"certificate": "c", "key": "k"}]}], "services": {"a": {}}}"#,
                "can't speak TLS",
            ),
            (
                r#"{"listeners": [{"port": 1, "service": "a", "trust": ["10/8"]}], "services": {"a": {}}}"#,
                "`10/8` is no range",
            ),
        ];
        for (json, words) in cases {
            let error = Routes::parse(json.as_bytes()).expect_err(json).to_string();
            assert!(error.contains(words), "{json}: {error}");
        }
    }

    #[test]
    fn addresses_are_a_host_and_a_port() {
        for fine in ["web:80", "10.0.0.2:8080", "[fd00::2]:8080", "a_b-c.d:1"] {
            let address: Address = fine.parse().expect(fine);
            assert_eq!(address.to_string(), fine);
        }
        for wrong in [
            "",
            "web",
            "web:",
            "web:0",
            ":80",
            "fd00::2:80",
            "a b:1",
            "web:65536",
            "[x]:1",
        ] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }
}
