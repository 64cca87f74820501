//! What a daemon can't do of an app. Daemons leave out what they don't know, without a word; here
//! it is told before anything is touched, as a warning, or as an error where the app would not be
//! what its files say.

use super::{DeployError, Event, Reporter};
use crate::app::{App, ContainerSpec, ImageBuild, ImageSource, Network, Probe, Swap};
use crate::docker::{Builder, DaemonFacts};
use crate::dockerfile::Dockerfile;

/// Something that is asked for in a Compose file or in plugins.toml, and that not every daemon can
/// do.
#[derive(Debug)]
pub struct Limit {
    /// Its key, as in `engine/COMPOSE.md`, and the value or part of it that is meant.
    pub key: &'static str,
    /// What Podman does instead; `None` if it can do it.
    pub podman: Option<&'static str>,
    /// The first version of Podman that was seen to do it; `None` where none was.
    pub podman_since: Option<(u32, u32)>,
    /// The version of the API with which Docker learned it; `None` if it always could.
    pub since: Option<(u32, u32)>,
    /// True if nothing is deployed then, rather than deployed without it.
    pub refused: bool,
    asked: Asked,
}

/// What of an app asks for it.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Container(fn(&ContainerSpec) -> bool),
    /// Where the daemon runs no health checks by itself.
    Check(fn(&ContainerSpec) -> bool),
    Build(fn(&ImageBuild) -> bool),
    Network(fn(&Network) -> bool),
}

/// Drivers of logs that Podman has.
const LOG_DRIVERS: [&str; 5] = ["json-file", "k8s-file", "journald", "none", "passthrough"];
/// Options of a bridge that Podman knows, some of them by Docker's names.
const BRIDGE_OPTIONS: [&str; 9] = [
    "com.docker.network.bridge.name",
    "com.docker.network.driver.mtu",
    "isolate",
    "metric",
    "mode",
    "mtu",
    "no_default_route",
    "parent",
    "vlan",
];

const fn warned(key: &'static str, podman: &'static str, asked: Asked) -> Limit {
    Limit {
        key,
        podman: Some(podman),
        podman_since: None,
        since: None,
        refused: false,
        asked,
    }
}

const fn refused(key: &'static str, podman: &'static str, asked: Asked) -> Limit {
    Limit {
        refused: true,
        ..warned(key, podman, asked)
    }
}

const fn as_of(since: (u32, u32), limit: Limit) -> Limit {
    Limit {
        since: Some(since),
        ..limit
    }
}

const fn as_of_podman(podman_since: (u32, u32), limit: Limit) -> Limit {
    Limit {
        podman_since: Some(podman_since),
        ..limit
    }
}

/// The first version of Podman that was seen to build with heredocs.
const PODMAN_HEREDOCS: (u32, u32) = (5, 4);

/// All that is known of. Podman's was found out with versions 4.3.1 and 5.4.2, and none between them; the
/// versions of Docker's API are those of its own history.
pub const LIMITS: &[Limit] = &[
    as_of_podman(
        (5, 4),
        as_of(
            (1, 43),
            warned(
                "services.*.annotations",
                "the runtime is given none",
                Asked::Container(|spec| !spec.annotations.is_empty()),
            ),
        ),
    ),
    warned(
        "services.*.blkio_config.weight",
        "the container has the usual share of block devices",
        Asked::Container(|spec| spec.block_io.weight.is_some()),
    ),
    warned(
        "services.*.build.cache_to",
        "the image tells no build elsewhere of its layers",
        Asked::Build(|build| build.inline_cache),
    ),
    warned(
        "services.*.build.extra_hosts without a network",
        "builds with `network: none` have no /etc/hosts",
        Asked::Build(|build| {
            let run = &build.run;
            run.network.as_deref() == Some("none") && !run.extra_hosts.is_empty()
        }),
    ),
    refused(
        "services.*.build.network with a name",
        "builds have the host's network, one of their own or none: name `host`, `default` or `none`",
        Asked::Build(|build| {
            let network = build.run.network.as_deref();
            network.is_some_and(|network| !["default", "host", "none"].contains(&network))
        }),
    ),
    refused(
        "services.*.build.secrets",
        "builds get none, since its builder is not BuildKit: build on Docker and `rengine push` the image",
        Asked::Build(|build| !build.run.secrets.is_empty()),
    ),
    refused(
        "services.*.build.ssh",
        "builds get no agent, since its builder is not BuildKit: build on Docker and `rengine push` the image",
        Asked::Build(|build| !build.run.ssh.is_empty()),
    ),
    warned(
        "services.*.cgroup",
        "it chooses the cgroup namespace itself",
        Asked::Container(|spec| spec.cgroup_mode.is_some()),
    ),
    refused(
        "services.*.device_cgroup_rules",
        "the container may use the devices in `devices` alone",
        Asked::Container(|spec| !spec.device_rules.is_empty()),
    ),
    warned(
        "services.*.domainname",
        "the container has no domain name",
        Asked::Container(|spec| spec.domainname.is_some()),
    ),
    warned(
        "services.*.environment without a value",
        "the container keeps the image's variable",
        Asked::Container(|spec| {
            let kept_out = |name: &String| !spec.env.contains_key(name);
            spec.unset_env.iter().any(kept_out)
        }),
    ),
    refused(
        "services.*.gpus",
        "the container has no such device: name its files in `devices`",
        Asked::Container(|spec| !spec.device_requests.is_empty()),
    ),
    warned(
        "services.*.healthcheck after a deploy",
        "systemd runs checks, which is not there: they are run while a deploy waits for them, and not later",
        Asked::Check(|spec| {
            let check = spec.health.as_ref().map(|check| &check.probe);
            matches!(check, Some(Probe::Shell(_) | Probe::Exec(_)))
        }),
    ),
    as_of(
        (1, 44),
        warned(
            "services.*.healthcheck.start_interval",
            "checks come every `interval` from the start",
            Asked::Container(|spec| {
                let check = spec.health.as_ref();
                check.is_some_and(|check| check.start_interval.is_some())
            }),
        ),
    ),
    refused(
        "services.*.logging.driver",
        "it has json-file, k8s-file, journald, none and passthrough alone",
        Asked::Container(|spec| {
            let driver = spec.logging.driver.as_deref();
            driver.is_some_and(|driver| !LOG_DRIVERS.contains(&driver))
        }),
    ),
    warned(
        "services.*.logging.options",
        "it has `max-size` and `path` of files, and `tag` of journald alone",
        Asked::Container(|spec| {
            let logging = &spec.logging;
            let options = logging.options.keys();
            let mut options = options.filter(|option| !logging.podman_knows(option));
            options.next().is_some()
        }),
    ),
    warned(
        "services.*.memswap_limit: -1",
        "the container may use as much swap as it may use memory",
        Asked::Container(|spec| spec.swap == Some(Swap::Unlimited)),
    ),
    warned(
        "services.*.networks.*.driver_opts",
        "the network's driver is given none",
        Asked::Container(|spec| {
            let mut networks = spec.networks.values();
            networks.any(|network| !network.options.is_empty())
        }),
    ),
    as_of(
        (1, 48),
        warned(
            "services.*.networks.*.gw_priority",
            "it chooses the default gateway itself",
            Asked::Container(|spec| {
                let mut networks = spec.networks.values();
                networks.any(|network| network.gateway_priority.is_some())
            }),
        ),
    ),
    warned(
        "services.*.networks.*.link_local_ips",
        "the container has no such address",
        Asked::Container(|spec| {
            let mut networks = spec.networks.values();
            networks.any(|network| !network.link_local.is_empty())
        }),
    ),
    refused(
        "services.*.ports with a range of the host's",
        "it publishes a port on one port: name that, or leave it to the daemon",
        Asked::Container(|spec| {
            let mut ports = spec.ports.iter();
            ports.any(|port| port.host_port_last.is_some())
        }),
    ),
    refused(
        "services.*.runtime",
        "it runs all containers with the runtime in its containers.conf",
        Asked::Container(|spec| spec.runtime.is_some()),
    ),
    as_of(
        (1, 45),
        refused(
            "services.*.volumes[].volume.subpath",
            "it would mount the whole volume",
            Asked::Container(|spec| {
                let mut mounts = spec.mounts.iter();
                mounts.any(|mount| mount.options.subpath.is_some())
            }),
        ),
    ),
    warned(
        "networks.*.driver_opts",
        "the driver has no such option",
        Asked::Network(|network| {
            let mut options = network.options.keys();
            options.any(|option| !BRIDGE_OPTIONS.contains(&option.as_str()))
        }),
    ),
    as_of(
        (1, 48),
        warned(
            "networks.*.enable_ipv4: false",
            "the network has IPv4",
            Asked::Network(|network| network.ipv4 == Some(false)),
        ),
    ),
    warned(
        "networks.*.ipam.config[].aux_addresses",
        "containers may be given these addresses",
        Asked::Network(|network| {
            let mut pools = network.pools.iter();
            pools.any(|pool| !pool.auxiliary.is_empty())
        }),
    ),
    warned(
        "networks.*.ipam.driver",
        "addresses are given out by its own",
        Asked::Network(|network| {
            let driver = network.ipam_driver.as_deref();
            driver.is_some_and(|driver| driver != "default")
        }),
    ),
    warned(
        "networks.*.ipam.options",
        "nobody is given them",
        Asked::Network(|network| !network.ipam_options.is_empty()),
    ),
];

impl Limit {
    /// What the daemon does instead; `None` if it can do it.
    fn instead(&self, facts: &DaemonFacts) -> Option<String> {
        if facts.is_podman() {
            let health = matches!(self.asked, Asked::Check(_));
            let learned = self.podman_since.is_some_and(|it| facts.has_version(it));
            let does = learned || (health && facts.runs_health_checks);
            return self.podman.filter(|_| !does).map(str::to_owned);
        }
        let (major, minor) = self.since?;
        let known = facts.has_api((major, minor));
        (!known).then(|| format!("it has that as of API {major}.{minor}"))
    }
}

/// Tells what the daemon will leave out of an app.
///
/// # Errors
///
/// If it can't do what the app can't do without.
pub(super) fn check(
    app: &App,
    facts: &DaemonFacts,
    reporter: &dyn Reporter,
) -> Result<(), DeployError> {
    let daemon = format!("{} {}", facts.product, facts.version);
    let mut errors = Vec::new();
    for limit in LIMITS {
        let Some(instead) = limit.instead(facts) else {
            continue;
        };
        for place in places(app, limit.asked) {
            let (_, key) = limit.key.split_once(".*.").unwrap_or(("", limit.key));
            if limit.refused {
                errors.push((format!("`{key}` of {place}"), instead.clone()));
                continue;
            }
            reporter.report(Event::Warning {
                message: format!("{daemon} leaves out `{key}` of {place}: {instead}"),
                help: None,
            });
        }
    }
    let has_heredocs = facts.is_podman() && facts.has_version(PODMAN_HEREDOCS);
    if facts.builder == Builder::Classic && !has_heredocs {
        errors.extend(heredocs(app));
    }
    let Some((_, help)) = errors.first().cloned() else {
        return Ok(());
    };
    let what: Vec<_> = errors.into_iter().map(|(what, _)| what).collect();
    Err(DeployError::DaemonCanNot {
        daemon,
        what: what.join(", "),
        help,
    })
}

/// Where an app asks for something, as `service `web``.
fn places(app: &App, asked: Asked) -> Vec<String> {
    let of_services = |asks: &dyn Fn(&crate::app::Service) -> bool| {
        let services = app.services.values().filter(|service| asks(service));
        let places = services.map(|service| format!("service `{}`", service.name));
        places.collect()
    };
    match asked {
        Asked::Container(asks) | Asked::Check(asks) => {
            of_services(&|service| asks(&service.container))
        }
        Asked::Build(asks) => of_services(&|service| service.image.build().is_some_and(asks)),
        Asked::Network(asks) => {
            let networks = app.networks.iter();
            let asking = networks.filter(|(_, network)| !network.external && asks(network));
            let places = asking.map(|(name, _)| format!("network `{name}`"));
            places.collect()
        }
    }
}

/// Older builders than BuildKit take the lines of a heredoc for instructions.
fn heredocs(app: &App) -> impl Iterator<Item = (String, String)> {
    app.services.values().filter_map(|service| {
        let ImageSource::Build(build) = &service.image else {
            return None;
        };
        let file = Dockerfile::parse(build.dockerfile.as_deref()?);
        let what = format!(
            "the heredoc in {}, line {}, of service `{}`",
            build.dockerfile_path, file.first_heredoc?, service.name
        );
        let help =
            "its builder is not BuildKit: write the lines into a file, or join them with `&& \\`";
        Some((what, help.to_owned()))
    })
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
