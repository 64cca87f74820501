//! To which hosts a plugin may send HTTP requests.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

use super::address::Special;
use super::{Denied, granted};

/// The origins that a plugin may send requests to. Empty: none.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct HttpGrants(Vec<Pattern>);

/// One entry: a scheme, a host or all hosts of a domain, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    scheme: Scheme,
    hosts: Hosts,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    One(Host),
    /// Every host below this domain, and not the domain itself.
    Below(String),
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// How it is spoken to.
    pub scheme: Scheme,
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
}

/// With TLS or without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// In clear.
    Http,
    /// Over TLS.
    Https,
}

/// A host by its name, in lower case, or by its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A name, to be resolved.
    Name(String),
    /// An address; one of IPv4 that is written as one of IPv6 is that of IPv4.
    Address(IpAddr),
}

/// A text that is no origin; why.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{text}` is no host: {why}; write \"hooks.example.com\", \"https://*.example.com:8443\" or \
     \"http://127.0.0.1:9000\""
)]
pub struct ParseOriginError {
    text: String,
    why: &'static str,
}

impl HttpGrants {
    /// True if no request can be sent at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entries, each in full.
    pub fn entries(&self) -> Vec<String> {
        let entry = |pattern: &Pattern| {
            let below = match &pattern.hosts {
                Hosts::One(_) => "",
                Hosts::Below(_) => "*.",
            };
            let origin = Origin {
                scheme: pattern.scheme,
                port: pattern.port,
                host: match &pattern.hosts {
                    Hosts::One(host) => host.clone(),
                    Hosts::Below(domain) => Host::Name(domain.clone()),
                },
            };
            origin
                .to_string()
                .replacen("://", &format!("://{below}"), 1)
        };
        self.0.iter().map(entry).collect()
    }

    /// May a request go to this origin?
    pub fn allows(&self, origin: &Origin) -> Result<(), Denied> {
        granted(
            self.0.iter().any(|pattern| pattern.covers(origin)),
            format!("a request to {origin}"),
            format!("http = [\"{}\"]", origin.entry()),
        )
    }

    /// May the connection for a request to `origin` go to this address of its host?
    ///
    /// A public address may be that of any host. Others have to be named themselves, loopback
    /// also by the name `localhost`: whoever controls a name's DNS would otherwise choose what
    /// is reached in here.
    pub fn allows_address(&self, origin: &Origin, address: IpAddr) -> Result<(), Denied> {
        let Some(special) = Special::of(address) else {
            return Ok(());
        };
        let named = Origin {
            host: Host::Address(address.to_canonical()),
            ..origin.clone()
        };
        let localhost = Origin {
            host: Host::Name("localhost".to_owned()),
            ..origin.clone()
        };
        let yes = self.0.iter().any(|pattern| {
            let literal = matches!(pattern.hosts, Hosts::One(_));
            let here = special == Special::Loopback && pattern.covers(&localhost);
            literal && (pattern.covers(&named) || here)
        });
        let of = match &origin.host {
            Host::Address(_) => String::new(),
            Host::Name(name) => format!(" that {name} resolves to"),
        };
        let address = address.to_canonical();
        granted(
            yes,
            format!("a connection to {address}, {special}{of},"),
            format!("http = [\"{}\"]", named.entry()),
        )
    }
}

impl Pattern {
    fn covers(&self, origin: &Origin) -> bool {
        let host = match (&self.hosts, &origin.host) {
            (Hosts::One(host), other) => host == other,
            (Hosts::Below(domain), Host::Name(name)) => name
                .strip_suffix(domain.as_str())
                .and_then(|below| below.strip_suffix('.'))
                .is_some_and(|below| !below.is_empty()),
            (Hosts::Below(_), Host::Address(_)) => false,
        };
        host && self.scheme == origin.scheme && self.port == origin.port
    }
}

impl FromStr for Pattern {
    type Err = ParseOriginError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = |why| ParseOriginError {
            text: text.to_owned(),
            why,
        };
        let (scheme, rest) = match text.split_once("://") {
            None => (Scheme::Https, text),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Scheme::Https, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Scheme::Http, rest),
            Some(_) => return Err(bad("the scheme is `https` or `http`")),
        };
        if rest.contains(['/', '?', '#']) {
            return Err(bad("it has a path, and grants are for whole hosts"));
        }
        if rest.contains('@') {
            return Err(bad("it has a user in it"));
        }
        let (host, port) = split_port(rest).ok_or_else(|| bad("its port is no number"))?;
        let hosts = match host.strip_prefix("*.") {
            None if host == "*" => return Err(bad("all hosts are too many: name a domain")),
            None => Hosts::One(Host::parse(host).map_err(bad)?),
            Some(domain) => match Host::parse(domain).map_err(bad)? {
                Host::Name(domain) if domain.contains('.') => Hosts::Below(domain),
                Host::Name(_) => {
                    return Err(bad("a wildcard needs a domain of two names or more"));
                }
                Host::Address(_) => return Err(bad("an address has nothing below it")),
            },
        };
        Ok(Self {
            scheme,
            hosts,
            port: port.unwrap_or(scheme.port()),
        })
    }
}

impl<'de> serde::Deserialize<'de> for Pattern {
    // By hand, since an error from within a visitor has the entry's place in the file.
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        super::from_text(from, "a host, such as \"hooks.example.com\"")
    }
}

impl Origin {
    /// An origin from the parts of a URL; `host` may be an IPv6 address in brackets.
    ///
    /// # Errors
    ///
    /// If there can be no such host.
    pub fn new(scheme: Scheme, host: &str, port: Option<u16>) -> Result<Self, ParseOriginError> {
        let host = Host::parse(host).map_err(|why| ParseOriginError {
            text: host.to_owned(),
            why,
        })?;
        Ok(Self {
            scheme,
            host,
            port: port.unwrap_or(scheme.port()),
        })
    }

    /// The shortest entry of a grant that covers it.
    fn entry(&self) -> String {
        let text = self.to_string();
        match text.strip_prefix("https://") {
            Some(short) => short.to_owned(),
            None => text,
        }
    }
}

impl Scheme {
    /// The port where none is named.
    pub const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl Host {
    fn parse(text: &str) -> Result<Self, &'static str> {
        /// The longest name of DNS, and the longest part of one (RFC 1035).
        const LONGEST: usize = 253;
        const LONGEST_PART: usize = 63;
        if let Some(inner) = text.strip_prefix('[') {
            let address: Option<Ipv6Addr> =
                inner.strip_suffix(']').and_then(|inner| inner.parse().ok());
            let address = address.ok_or("it is no IPv6 address")?;
            return Ok(Self::Address(IpAddr::V6(address).to_canonical()));
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(IpAddr::V4(address)));
        }
        if text.is_empty() {
            return Err("its host is missing");
        }
        if !text.is_ascii() {
            return Err("names have ASCII letters alone: write others as `xn--…`");
        }
        let part = |part: &str| {
            let known = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
            (1..=LONGEST_PART).contains(&part.len()) && part.bytes().all(known)
        };
        if text.len() > LONGEST || !text.split('.').all(part) {
            return Err("it is no name of a host");
        }
        // What resolvers take for an address, such as `127.1`, `0x7f000001` and `2130706433`.
        let last = text.rsplit('.').next().unwrap_or_default();
        let hexadecimal = last
            .get(..2)
            .is_some_and(|start| start.eq_ignore_ascii_case("0x"));
        if hexadecimal || last.bytes().all(|c| c.is_ascii_digit()) {
            return Err("it is no IPv4 address of four numbers");
        }
        Ok(Self::Name(text.to_ascii_lowercase()))
    }
}

/// `host[:port]`; `None` if what stands for the port is none.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let end_of_address = text.rfind(']').map_or(0, |end| end + 1);
    match text[end_of_address..].split_once(':') {
        None => Some((text, None)),
        Some((rest, port)) => {
            let digits = port.bytes().all(|c| c.is_ascii_digit());
            let port = port.parse().ok().filter(|port| digits && *port != 0)?;
            Some((&text[..end_of_address + rest.len()], Some(port)))
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.scheme {
            Scheme::Http => "http://",
            Scheme::Https => "https://",
        })?;
        write!(f, "{}", self.host)?;
        if self.port != self.scheme.port() {
            write!(f, ":{}", self.port)?;
        }
        Ok(())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(entries: &[&str]) -> HttpGrants {
        HttpGrants(
            entries
                .iter()
                .map(|entry| entry.parse().unwrap_or_else(|error| panic!("{error}")))
                .collect(),
        )
    }

    fn origin(url: &str) -> Result<Origin, ParseOriginError> {
        let (scheme, rest) = url.split_once("://").expect("a scheme");
        let scheme = match scheme {
            "http" => Scheme::Http,
            _ => Scheme::Https,
        };
        let (host, port) = split_port(rest).expect("a port");
        Origin::new(scheme, host, port)
    }

    #[test]
    fn an_entry_covers_its_scheme_host_and_port() {
        let granted = grants(&[
            "hooks.example.com",
            "https://*.example.org:8443",
            "http://127.0.0.1:9000",
            "[2606:4700::1111]",
        ]);
        for (url, allowed) in [
            ("https://hooks.example.com", true),
            ("https://hooks.example.com:443", true),
            ("https://HOOKS.Example.com", true),
            ("http://hooks.example.com", false),
            ("http://hooks.example.com:443", false),
            ("https://hooks.example.com:444", false),
            ("https://x.hooks.example.com", false),
            ("https://hooks.example.com.evil.test", false),
            ("https://a.example.org:8443", true),
            ("https://a.b.example.org:8443", true),
            ("https://example.org:8443", false),
            ("https://evilexample.org:8443", false),
            ("https://a.example.org", false),
            ("http://127.0.0.1:9000", true),
            ("http://[::ffff:127.0.0.1]:9000", true),
            ("http://127.0.0.2:9000", false),
            ("https://[2606:4700::1111]", true),
            ("https://[2606:4700:0:0::1111]", true),
            ("https://[2606:4700::1112]", false),
        ] {
            let origin = origin(url).expect(url);
            assert_eq!(granted.allows(&origin).is_ok(), allowed, "{url}");
        }
        let missing = origin("http://hooks.example.com:8080").expect("an origin");
        assert_eq!(
            granted.allows(&missing).unwrap_err().to_string(),
            "a request to http://hooks.example.com:8080 is not granted: add `grants = { http = \
             [\"http://hooks.example.com:8080\"] }` under the plugin in plugins.toml"
        );
    }

    #[test]
    fn malformed_entries_are_told_apart() {
        for (entry, why) in [
            ("", "its host is missing"),
            ("*", "all hosts are too many"),
            ("*.com", "a wildcard needs a domain"),
            ("*.10.0.0.1", "an address has nothing below it"),
            ("a.*.example.com", "no name of a host"),
            ("ftp://example.com", "the scheme is"),
            ("https://example.com/", "it has a path"),
            ("example.com/hook", "it has a path"),
            ("example.com?x", "it has a path"),
            ("user@example.com", "it has a user"),
            ("example.com:", "its port is no number"),
            ("example.com:0", "its port is no number"),
            ("example.com:+1", "its port is no number"),
            ("example.com:65536", "its port is no number"),
            ("example.com:443:443", "its port is no number"),
            ("exa mple.com", "no name of a host"),
            ("example..com", "no name of a host"),
            ("example.com.", "no name of a host"),
            ("bücher.example", "`xn--…`"),
            ("127.1", "no IPv4 address"),
            ("2130706433", "no IPv4 address"),
            ("0x7f000001", "no IPv4 address"),
            ("::1", "its port is no number"),
            ("[::1", "its port is no number"),
            ("[fe80::1%eth0]", "no IPv6 address"),
            ("example.com\n", "no name of a host"),
        ] {
            let error = entry.parse::<Pattern>().expect_err(entry).to_string();
            assert!(error.contains(why), "{entry:?}: {error}");
        }
    }

    #[test]
    fn a_name_does_not_lead_to_special_addresses() {
        let granted = grants(&[
            "hooks.example.com",
            "*.example.org",
            "10.1.2.3",
            "http://localhost:9000",
        ]);
        for (url, address, allowed) in [
            ("https://hooks.example.com", "1.1.1.1", true),
            ("https://hooks.example.com", "127.0.0.1", false),
            ("https://hooks.example.com", "10.9.9.9", false),
            ("https://hooks.example.com", "169.254.169.254", false),
            ("https://hooks.example.com", "::ffff:169.254.169.254", false),
            ("https://hooks.example.com", "10.1.2.3", true),
            ("https://hooks.example.com", "::ffff:10.1.2.3", true),
            ("https://a.example.org", "192.168.0.1", false),
            ("http://localhost:9000", "127.0.0.1", true),
            ("http://localhost:9000", "::1", true),
            ("http://localhost:9000", "10.1.2.3", false),
            ("http://localhost:9001", "127.0.0.1", false),
        ] {
            let origin = origin(url).expect(url);
            let address = address.parse().expect("an address");
            let result = granted.allows_address(&origin, address);
            assert_eq!(result.is_ok(), allowed, "{url} at {address}: {result:?}");
        }
        let origin = origin("https://hooks.example.com").expect("an origin");
        let denied = granted.allows_address(&origin, [192, 168, 0, 7].into());
        assert_eq!(
            denied.unwrap_err().to_string(),
            "a connection to 192.168.0.7, a private address that hooks.example.com resolves to, \
             is not granted: add `grants = { http = [\"192.168.0.7\"] }` under the plugin in \
             plugins.toml"
        );
    }

    #[test]
    fn a_wildcard_does_not_cover_localhost_for_loopback() {
        let granted = grants(&["https://*.localhost.test", "https://a.localhost"]);
        let origin = origin("https://x.localhost.test").expect("an origin");
        assert!(
            granted
                .allows_address(&origin, [127, 0, 0, 1].into())
                .is_err()
        );
    }
}
