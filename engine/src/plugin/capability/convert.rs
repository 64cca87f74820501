//! Values of the model in the WIT's words, and back.

use std::time::Duration;

use super::{absolute, invalid, line, texts};
use crate::app::{self, MountSource};
use crate::plugin::bindings::rengine::plugin::container::{
    Device, Mount, MountKind, PortMapping, RestartPolicy,
};
use crate::plugin::bindings::rengine::plugin::types::{
    ChangeError, HealthCheck, HttpProbe, Probe, Protocol,
};

/// From the model.
pub mod to_wit {
    use super::*;

    pub fn device(device: &app::Device) -> Device {
        Device {
            host_path: device.host_path.clone(),
            container_path: device.container_path.clone(),
            permissions: device.permissions.clone(),
        }
    }

    pub fn mount(mount: &app::Mount) -> Mount {
        let (kind, source) = match &mount.source {
            MountSource::Bind(path) => (MountKind::Bind, Some(path.clone())),
            MountSource::Volume(name) => (MountKind::Volume, Some(name.clone())),
            MountSource::Anonymous => (MountKind::Volume, None),
        };
        Mount {
            kind,
            source,
            target: mount.target.clone(),
            read_only: mount.read_only,
        }
    }

    pub fn port(port: &app::PortMapping) -> PortMapping {
        PortMapping {
            container_port: port.container_port,
            protocol: match port.protocol {
                app::Protocol::Tcp => Protocol::Tcp,
                app::Protocol::Udp => Protocol::Udp,
            },
            host_port: port.host_port,
            host_address: port.host_address.map(|address| address.to_string()),
        }
    }

    pub fn restart(policy: app::RestartPolicy) -> RestartPolicy {
        match policy {
            app::RestartPolicy::No => RestartPolicy::No,
            app::RestartPolicy::Always => RestartPolicy::Always,
            app::RestartPolicy::UnlessStopped => RestartPolicy::UnlessStopped,
            app::RestartPolicy::OnFailure(times) => RestartPolicy::OnFailure(times),
        }
    }

    /// `None` for a check that there is not to be.
    pub fn health_check(check: &app::HealthCheck) -> Option<HealthCheck> {
        let millis = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        Some(HealthCheck {
            probe: match &check.probe {
                app::Probe::None => return None,
                app::Probe::Http { path, port, status } => Probe::Http(HttpProbe {
                    path: path.clone(),
                    port: *port,
                    status: *status,
                }),
                app::Probe::Tcp(port) => Probe::Tcp(*port),
                app::Probe::Shell(script) => Probe::Command(vec![script.clone()]),
                // A single word reads as the shell's; see `from_wit::health_check`.
                app::Probe::Exec(words) => Probe::Command(words.clone()),
            },
            interval_ms: millis(check.interval),
            timeout_ms: millis(check.timeout),
            retries: check.retries,
            start_period_ms: millis(check.start_period),
        })
    }
}

/// To the model, checked.
pub mod from_wit {
    use super::*;

    pub fn device(device: Device) -> app::Device {
        app::Device {
            host_path: device.host_path,
            container_path: device.container_path,
            permissions: device.permissions,
        }
    }

    pub fn mount(mount: Mount) -> Result<app::Mount, ChangeError> {
        let source = match (mount.kind, mount.source) {
            (MountKind::Bind, Some(path)) => MountSource::Bind(path),
            (MountKind::Bind, None) => return invalid("a bind mount needs a source"),
            (MountKind::Volume, Some(name)) => MountSource::Volume(name),
            (MountKind::Volume, None) => MountSource::Anonymous,
        };
        Ok(app::Mount {
            source,
            target: mount.target,
            read_only: mount.read_only,
            options: app::MountOptions::default(),
        })
    }

    pub fn port(port: PortMapping) -> Result<app::PortMapping, ChangeError> {
        if port.container_port == 0 || port.host_port == Some(0) {
            return invalid("0 is no port; leave the host's port out to have one chosen");
        }
        let host_address = match port.host_address {
            None => None,
            Some(text) if text.len() > 64 => return invalid("the address is no IP address"),
            Some(text) => match text.parse() {
                Ok(address) => Some(address),
                Err(_) => {
                    let text = text.escape_debug();
                    return invalid(format!("`{text}` is no IP address"));
                }
            },
        };
        Ok(app::PortMapping {
            container_port: port.container_port,
            protocol: protocol(port.protocol),
            host_port: port.host_port,
            host_port_last: None,
            host_address,
            app_protocol: None,
        })
    }

    pub fn protocol(protocol: Protocol) -> app::Protocol {
        match protocol {
            Protocol::Tcp => app::Protocol::Tcp,
            Protocol::Udp => app::Protocol::Udp,
        }
    }

    pub fn restart(policy: RestartPolicy) -> app::RestartPolicy {
        match policy {
            RestartPolicy::No => app::RestartPolicy::No,
            RestartPolicy::Always => app::RestartPolicy::Always,
            RestartPolicy::UnlessStopped => app::RestartPolicy::UnlessStopped,
            RestartPolicy::OnFailure(times) => app::RestartPolicy::OnFailure(times),
        }
    }

    /// `old` is the check that it replaces: the interface has no way to write a program without
    /// arguments, so a command of one word is a program only where it was one before.
    pub fn health_check(
        check: HealthCheck,
        old: Option<&app::HealthCheck>,
    ) -> Result<app::HealthCheck, ChangeError> {
        let probe = match check.probe {
            Probe::Http(HttpProbe { path, port, status }) => {
                absolute("the path to probe", &path)?;
                if path.contains(' ') {
                    return invalid("the path to probe has a space in it");
                }
                if port == Some(0) {
                    return invalid("0 is no port");
                }
                if let Some(status) = status.filter(|status| !app::Probe::STATUSES.contains(status))
                {
                    return invalid(format!("{status} is no status of HTTP"));
                }
                app::Probe::Http { path, port, status }
            }
            Probe::Tcp(0) => return invalid("0 is no port"),
            Probe::Tcp(port) => app::Probe::Tcp(port),
            Probe::Command(words) if words.is_empty() => {
                return invalid("a health check's command needs a word");
            }
            Probe::Command(words) => {
                texts("the health check's command", &words)?;
                line("the health check's program", &words[0])?;
                match (&words[..], old.map(|old| &old.probe)) {
                    ([_], Some(app::Probe::Exec(program))) if *program == words => {
                        app::Probe::Exec(words)
                    }
                    ([script], _) => app::Probe::Shell(script.clone()),
                    _ => app::Probe::Exec(words),
                }
            }
        };
        if check.interval_ms == 0 || check.timeout_ms == 0 || check.retries == 0 {
            return invalid("interval, timeout and retries of a health check are 1 at least");
        }
        Ok(app::HealthCheck {
            start_interval: None,
            probe,
            interval: Duration::from_millis(check.interval_ms.into()),
            timeout: Duration::from_millis(check.timeout_ms.into()),
            retries: check.retries,
            start_period: Duration::from_millis(check.start_period_ms.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(probe: Probe) -> Result<app::HealthCheck, ChangeError> {
        from_wit::health_check(
            HealthCheck {
                probe,
                interval_ms: 1,
                timeout_ms: 1,
                retries: 1,
                start_period_ms: 0,
            },
            None,
        )
    }

    #[test]
    fn a_plugin_that_reads_a_check_and_writes_it_back_changes_nothing() {
        let word = || vec!["/healthz".to_owned()];
        for probe in [
            app::Probe::Exec(word()),
            app::Probe::Shell("/healthz".to_owned()),
            app::Probe::Exec([word(), word()].concat()),
        ] {
            let old = app::HealthCheck::new(probe);
            let read = to_wit::health_check(&old).expect("a check");
            let written = from_wit::health_check(read, Some(&old)).expect("a check");
            assert_eq!(written.probe, old.probe);
        }
        let new = check(Probe::Command(word())).expect("a check");
        assert_eq!(new.probe, app::Probe::Shell("/healthz".to_owned()));
    }

    fn http(path: &str, port: Option<u16>, status: Option<u16>) -> Probe {
        let path = path.to_owned();
        Probe::Http(HttpProbe { path, port, status })
    }

    #[test]
    fn a_probe_goes_to_a_port_and_waits_for_a_status() {
        for good in [
            http("/", None, None),
            http("/up?a=b", Some(1), Some(599)),
            Probe::Tcp(65535),
        ] {
            assert!(check(good.clone()).is_ok(), "{good:?}");
        }
        for bad in [
            http("up", None, None),
            http("/a b", None, None),
            http("/", Some(0), None),
            http("/", None, Some(0)),
            http("/", None, Some(600)),
            Probe::Tcp(0),
            Probe::Command(Vec::new()),
        ] {
            assert!(check(bad.clone()).is_err(), "{bad:?}");
        }
    }
}
