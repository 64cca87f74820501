//! Texts that have a syntax of their own: whether one is right, and what to write instead.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::values;

type Check = Result<(), &'static str>;

fn check(fits: bool, help: &'static str) -> Check {
    if fits { Ok(()) } else { Err(help) }
}

/// The name of a service, network, volume, config, secret or model.
pub fn is_resource_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// A context that a builder fetches, or that is no folder at all.
pub fn is_remote_context(text: &str) -> bool {
    // `docker-image://…`, `https://…`, `service:…`, `git@…`
    text.contains("://")
        || ["service:", "target:", "git@", "github.com/"]
            .iter()
            .any(|prefix| text.starts_with(prefix))
}

pub fn container_name(text: &str) -> Check {
    let first = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    check(
        first && is_resource_name(text),
        "a name begins with a letter or digit, and has letters, digits, `.`, `_` and `-`",
    )
}

pub fn profile(text: &str) -> Check {
    container_name(text)
}

pub fn ip(text: &str) -> Check {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    check(
        bare.parse::<IpAddr>().is_ok(),
        "write an IP address, such as 127.0.0.1 or ::1",
    )
}

pub fn ipv4(text: &str) -> Check {
    check(
        text.parse::<Ipv4Addr>().is_ok(),
        "write an IPv4 address, such as 172.16.238.10",
    )
}

pub fn ipv6(text: &str) -> Check {
    check(
        text.parse::<Ipv6Addr>().is_ok(),
        "write an IPv6 address, such as 2001:db8::10",
    )
}

pub fn device_permissions(text: &str) -> Check {
    let fits = !text.is_empty() && text.chars().all(|c| "rwm".contains(c));
    check(fits, "write some of `r`, `w` and `m`")
}

pub fn device_count(text: &str) -> Check {
    let fits = text == "all" || values::int(text).is_some_and(|count| count >= -1);
    check(fits, "write a number, or `all`")
}

pub fn microseconds(text: &str) -> Check {
    let fits = values::int(text).is_some() || values::parse_duration(text).is_some();
    check(
        fits,
        "write a number of microseconds, or a duration such as 50ms",
    )
}

/// `host`, `none`, `service:NAME`, `container:NAME` and the like.
pub fn namespace(text: &str) -> Check {
    let help = "write `host`, `none`, `service:NAME` or `container:NAME`";
    match text.split_once(':') {
        None => check(!text.is_empty(), help),
        Some((kind, name)) => check(
            matches!(kind, "service" | "container") && !name.is_empty(),
            help,
        ),
    }
}

pub fn platform(text: &str) -> Check {
    let parts: Vec<_> = text.split('/').collect();
    let fits = (1..=3).contains(&parts.len()) && parts.iter().all(|part| !part.is_empty());
    check(
        fits,
        "write a system and an architecture, such as linux/arm64",
    )
}

pub fn pull_policy(text: &str) -> Check {
    let known = [
        "always",
        "never",
        "missing",
        "if_not_present",
        "build",
        "daily",
        "weekly",
        "refresh",
    ];
    let every = text
        .strip_prefix("every_")
        .and_then(long_duration)
        .is_some();
    check(
        known.contains(&text) || every,
        "one of always, never, missing, build, daily, weekly and every_12h",
    )
}

/// A duration that may be in days and weeks: `1w2d12h`.
pub fn long_duration(text: &str) -> Option<Duration> {
    const DAY: Duration = Duration::from_hours(24);
    let mut total = Duration::ZERO;
    let mut rest = text;
    for (unit, length) in [('w', DAY * 7), ('d', DAY)] {
        let Some((count, after)) = rest.split_once(unit) else {
            continue;
        };
        total = total.checked_add(length.checked_mul(count.parse().ok()?)?)?;
        rest = after;
    }
    match rest {
        "" if !text.is_empty() => Some(total),
        rest => total.checked_add(values::parse_duration(rest)?),
    }
}

/// `SERVICE`, or `container:NAME`, with `:ro` or `:rw` or without.
pub fn volumes_from(text: &str) -> Check {
    let (_, owner, _) = volumes_owner(text);
    check(
        is_resource_name(owner) && parts_of_volumes(text),
        "write a service, `service:ro`, or `container:NAME:ro`",
    )
}

fn parts_of_volumes(text: &str) -> bool {
    let owner = text.strip_prefix(CONTAINER).unwrap_or(text);
    match owner.split_once(':') {
        Some((_, mode)) => matches!(mode, "ro" | "rw"),
        None => true,
    }
}

/// What the volumes of a container that is not the app's are written with.
const CONTAINER: &str = "container:";

/// Takes `volumes_from` apart: whether it is a container and not a service, its name, and
/// whether the volumes can only be read.
pub fn volumes_owner(text: &str) -> (bool, &str, bool) {
    let container = text.strip_prefix(CONTAINER);
    let rest = container.unwrap_or(text);
    let (owner, mode) = rest.split_once(':').unwrap_or((rest, "rw"));
    (container.is_some(), owner, mode == "ro")
}

/// `CONTAINER`, or `CONTAINER:NAME`.
pub fn external_link(text: &str) -> Check {
    let (container, name) = text.split_once(':').unwrap_or((text, text));
    check(
        is_resource_name(container) && is_resource_name(name),
        "write a container, or a container and a name for it, such as `other_db_1:db`",
    )
}

pub fn restart(text: &str) -> Check {
    let times = text.strip_prefix("on-failure:").map(str::parse::<u32>);
    let fits = matches!(text, "no" | "always" | "unless-stopped" | "on-failure");
    check(
        fits || times.is_some_and(|times| times.is_ok()),
        "one of \"no\", always, unless-stopped, on-failure and on-failure:3",
    )
}

/// A device by its name: `vendor.com/class=name`, as the Container Device Interface has it.
pub fn is_cdi_name(text: &str) -> bool {
    let word = |text: &str, inside: &str| {
        let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let fits = |c: char| c.is_ascii_alphanumeric() || inside.contains(c);
        ends(text.chars().next()) && ends(text.chars().next_back()) && text.chars().all(fits)
    };
    let parts = text.split_once('=').and_then(|(kind, name)| {
        let (vendor, class) = kind.split_once('/')?;
        Some((vendor, class, name))
    });
    parts.is_some_and(|(vendor, class, name)| {
        word(vendor, "_-.") && word(class, "_-") && word(name, "_-.:")
    })
}

/// A port or a range, with `/udp` or without.
pub fn expose(text: &str) -> Check {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_lowercase();
    let known = matches!(protocol.as_str(), "tcp" | "udp" | "sctp");
    let fits = port_range(ports).is_some() && known;
    check(
        fits,
        "write a port or a range of them, such as 8080 or 8080-8085/udp",
    )
}

/// One port, or the first and the last of several.
pub fn port_range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let port = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u16>().ok()).flatten()
    };
    let (first, last) = (port(first)?, port(last)?);
    (0 < first && first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Case = (
        fn(&str) -> Check,
        &'static [&'static str],
        &'static [&'static str],
    );

    #[test]
    fn names_of_devices() {
        for name in ["nvidia.com/gpu=all", "nvidia.com/gpu=0:1", "a/b_c=d.e"] {
            assert!(is_cdi_name(name), "{name}");
        }
        for path in [
            "/dev/fuse",
            "a/b",
            "a=b",
            "/a/b=c",
            "a/b=",
            "a/b=-",
            "a/b/c=d",
        ] {
            assert!(!is_cdi_name(path), "{path}");
        }
    }

    #[test]
    fn right_and_wrong() {
        let cases: &[Case] = &[
            (container_name, &["web", "a.b_c-1"], &["", "-web", "a/b"]),
            (
                ip,
                &["127.0.0.1", "::1", "[::1]"],
                &["", "localhost", "1.2.3"],
            ),
            (ipv4, &["10.0.0.1"], &["::1"]),
            (ipv6, &["::1"], &["10.0.0.1"]),
            (device_permissions, &["r", "rwm"], &["", "x"]),
            (device_count, &["all", "2", "-1"], &["none", "-2"]),
            (microseconds, &["50000", "50ms"], &["fast"]),
            (
                namespace,
                &["host", "service:web", "container:x"],
                &["", "service:", "x:y"],
            ),
            (
                platform,
                &["linux/arm64", "linux/arm/v7", "linux"],
                &["", "linux/", "a/b/c/d"],
            ),
            (
                pull_policy,
                &["always", "every_12h"],
                &["sometimes", "every_"],
            ),
            (restart, &["no", "on-failure:3"], &["false", "on-failure:x"]),
            (
                volumes_from,
                &["db", "db:ro", "container:x", "container:x:rw"],
                &["", "db:", "db:z", "container:", "container:x:y", "a b"],
            ),
            (
                external_link,
                &["db", "other_db_1:db"],
                &["", "db:", "a:b:c", "a/b"],
            ),
            (
                expose,
                &["80", "80-81/udp", "53/UDP"],
                &["0", "81-80", "80/icmp", "65536", "+1"],
            ),
        ];
        for (check, right, wrong) in cases {
            for text in *right {
                assert_eq!(check(text), Ok(()), "{text}");
            }
            for text in *wrong {
                assert!(check(text).is_err(), "{text}");
            }
        }
    }
}
