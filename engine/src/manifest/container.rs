//! `[app]`: what a container is made from.

use std::net::IpAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::{Spanned, Value};

use super::ManifestError;
use super::convert::Reader;
use super::raw::{AppTable, Health, OneOrMany};
use crate::app::{
    ContainerSpec, Cpus, Device, HealthCheck, Mount, MountOptions, MountSource, PortMapping, Probe,
    Protocol, RestartPolicy, split_words,
};

impl Reader<'_> {
    pub(crate) fn container(&self, table: AppTable) -> Result<ContainerSpec, ManifestError> {
        let mut env = self.env_files(table.env_file.as_ref())?;
        for (name, value) in &table.env {
            let text = match value.get_ref() {
                Value::String(text) => self.interpolate(text, value.span())?,
                Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => {
                    value.get_ref().to_string()
                }
                _ => {
                    let message = "an environment variable is a text, a number or a boolean";
                    return Err(self.error(value.span(), message.into(), None));
                }
            };
            env.insert(name.clone(), text);
        }
        let upper = |names: Vec<String>| -> Vec<String> {
            let plain = |name: String| name.to_uppercase().trim_start_matches("CAP_").to_owned();
            names.into_iter().map(plain).collect()
        };
        let mut ports = Vec::new();
        for port in table.ports.iter().flatten() {
            ports.extend(self.ports(port)?);
        }
        Ok(ContainerSpec {
            user: table.user,
            command: self.words(table.command.as_ref())?,
            entrypoint: self.words(table.entrypoint.as_ref())?,
            working_dir: table.working_dir,
            env,
            labels: table.labels,
            memory: self.size(table.memory.as_ref())?,
            cpus: table
                .cpus
                .map(|cpus| self.at(Cpus::new(*cpus.get_ref()), cpus.span()))
                .transpose()?,
            pids_limit: table.pids,
            read_only_root: table.read_only,
            tmpfs: table
                .tmpfs
                .iter()
                .map(|mount| mount.split_once(':').unwrap_or((mount, "")))
                .map(|(path, options)| (path.to_owned(), options.to_owned()))
                .collect(),
            no_new_privileges: table.no_new_privileges,
            privileged: table.privileged,
            cap_add: upper(table.cap_add),
            cap_drop: upper(table.cap_drop),
            mounts: table
                .volumes
                .iter()
                .map(|volume| self.mount(volume))
                .collect::<Result<_, _>>()?,
            devices: table
                .devices
                .iter()
                .map(|device| self.device(device))
                .collect::<Result<_, _>>()?,
            security_options: table.security_opt,
            pid_mode: table.pid,
            ipc_mode: table.ipc,
            network_mode: table.network,
            ports,
            restart: match &table.restart {
                Some(text) => self.restart(text)?,
                None => RestartPolicy::default(),
            },
            health: table
                .health
                .map(|health| self.health(health.span(), health.into_inner()))
                .transpose()?,
            stop_signal: table.stop_signal,
            stop_timeout: self.duration(table.stop_timeout.as_ref())?,
            init: table.init,
            hostname: table.hostname,
            ..ContainerSpec::default()
        })
    }

    fn words(
        &self,
        words: Option<&Spanned<OneOrMany>>,
    ) -> Result<Option<Vec<String>>, ManifestError> {
        let Some(words) = words else { return Ok(None) };
        match words.get_ref() {
            OneOrMany::Many(words) => Ok(Some(words.clone())),
            OneOrMany::One(text) => match split_words(text) {
                Some(words) => Ok(Some(words)),
                None => {
                    let message = "a quote in the command is never closed";
                    Err(self.error(words.span(), message.into(), None))
                }
            },
        }
    }

    /// Docker's `[address:][host port:]container port[/protocol]`; a port alone is published
    /// under its own number. Either port may be a range, `8000-8005`, if the other is as long.
    pub(crate) fn ports(&self, value: &Spanned<Value>) -> Result<Vec<PortMapping>, ManifestError> {
        let text = match value.get_ref() {
            Value::Integer(port) => port.to_string(),
            Value::String(text) => text.clone(),
            _ => String::new(),
        };
        let bad = || {
            let help =
                "write \"8080\", \"8080:80\", \"8000-8005:80-85\" or \"127.0.0.1:8080:80/udp\"";
            let message = format!("`{text}` is not a port to publish");
            self.error(value.span(), message, Some(help.into()))
        };
        let (rest, protocol) = match text.split_once('/') {
            None | Some((_, "tcp")) => (text.trim_end_matches("/tcp"), Protocol::Tcp),
            Some((rest, "udp")) => (rest, Protocol::Udp),
            Some((rest, "sctp")) => (rest, Protocol::Sctp),
            Some(_) => return Err(bad()),
        };
        let (rest, container) = rest.rsplit_once(':').unwrap_or(("", rest));
        let container = port_range(container).ok_or_else(bad)?;
        let (address, host) = rest.rsplit_once(':').unwrap_or(("", rest));
        let address = address.trim_start_matches('[').trim_end_matches(']');
        let host_address = match address {
            "" => None,
            address => Some(address.parse::<IpAddr>().map_err(|_| bad())?),
        };
        let host = match host {
            "" if host_address.is_some() => None,
            "" => Some(container.clone()),
            host => Some(port_range(host).ok_or_else(bad)?),
        };
        if host
            .as_ref()
            .is_some_and(|host| host.len() != container.len())
        {
            return Err(bad());
        }
        let first = container.start();
        let mapping = |container_port: u16| PortMapping {
            container_port,
            protocol,
            host_port: host
                .as_ref()
                .map(|host| host.start() + (container_port - first)),
            host_port_last: None,
            host_address,
            app_protocol: None,
        };
        Ok(container.clone().map(mapping).collect())
    }

    /// Docker's `host path[:path in the container[:permissions]]`.
    fn device(&self, text: &Spanned<String>) -> Result<Device, ManifestError> {
        let parts: Vec<&str> = text.get_ref().split(':').collect();
        let (host_path, container_path, permissions) = match parts[..] {
            [path] => (path, path, "rwm"),
            [host, path] => (host, path, "rwm"),
            [host, path, permissions] => (host, path, permissions),
            _ => ("", "", ""),
        };
        let known = |text: &str| !text.is_empty() && text.chars().all(|c| "rwm".contains(c));
        if !host_path.starts_with('/') || !container_path.starts_with('/') || !known(permissions) {
            return Err(self.error(
                text.span(),
                format!("`{}` is not a device", text.get_ref()),
                Some("write \"/dev/fuse\" or \"/dev/ttyUSB0:/dev/serial:rw\"".into()),
            ));
        }
        Ok(Device {
            host_path: host_path.to_owned(),
            container_path: container_path.to_owned(),
            permissions: permissions.to_owned(),
        })
    }

    fn mount(&self, text: &Spanned<String>) -> Result<Mount, ManifestError> {
        let parts: Vec<&str> = text.get_ref().split(':').collect();
        let (source, target, mode) = match parts[..] {
            [target] => (None, target, "rw"),
            [source, target] => (Some(source), target, "rw"),
            [source, target, mode] => (Some(source), target, mode),
            _ => (None, "", ""),
        };
        if !target.starts_with('/') || !matches!(mode, "rw" | "ro") {
            return Err(self.error(
                text.span(),
                format!("`{}` is not a volume", text.get_ref()),
                Some("write \"data:/var/lib/data\" or \"./conf:/etc/conf:ro\"".into()),
            ));
        }
        let source = match source {
            None => MountSource::Anonymous,
            Some(path) if path.starts_with(['/', '.', '~']) => {
                MountSource::Bind(self.host_path(path).display().to_string())
            }
            Some(name) => MountSource::Volume(name.to_owned()),
        };
        Ok(Mount {
            source,
            target: target.to_owned(),
            read_only: mode == "ro",
            options: MountOptions::default(),
        })
    }

    pub(super) fn host_path(&self, path: &str) -> PathBuf {
        match path.strip_prefix("~/").zip((self.env)("HOME")) {
            Some((rest, home)) => Path::new(&home).join(rest),
            // Without `.` in the middle, which daemons refuse.
            None => self.dir.join(path).components().collect(),
        }
    }

    fn restart(&self, text: &Spanned<String>) -> Result<RestartPolicy, ManifestError> {
        let policy = match text.get_ref().as_str() {
            "no" => Some(RestartPolicy::No),
            "always" => Some(RestartPolicy::Always),
            "unless-stopped" => Some(RestartPolicy::UnlessStopped),
            "on-failure" => Some(RestartPolicy::OnFailure(0)),
            other => other
                .strip_prefix("on-failure:")
                .and_then(|times| times.parse().ok())
                .map(RestartPolicy::OnFailure),
        };
        policy.ok_or_else(|| {
            self.error(
                text.span(),
                format!("`{}` is no restart policy", text.get_ref()),
                Some("one of no, always, unless-stopped, on-failure and on-failure:N".into()),
            )
        })
    }

    fn health(&self, span: Range<usize>, table: Health) -> Result<HealthCheck, ManifestError> {
        let no_status = |status: &u16| !Probe::STATUSES.contains(status);
        if table.port == Some(0) || table.tcp == Some(0) {
            let message = "0 is no port";
            return Err(self.error(span, message.into(), None));
        }
        if let Some(status) = table.status.filter(no_status) {
            let message = format!("{status} is no status of HTTP");
            return Err(self.error(span, message, None));
        }
        let plain = |path: &String| {
            path.starts_with('/') && !path.contains(|c: char| c == ' ' || c.is_control())
        };
        let probe = match (table.http, table.tcp, table.command) {
            (Some(path), None, None) if plain(&path) => Probe::Http {
                path,
                port: table.port,
                status: table.status,
            },
            (Some(_), None, None) => {
                let message = "the path of a health check starts with `/`, and has no space in it";
                return Err(self.error(span, message.into(), None));
            }
            (None, Some(port), None) => Probe::Tcp(port),
            (None, None, Some(OneOrMany::One(text))) => Probe::Shell(text),
            (None, None, Some(OneOrMany::Many(words))) if !words.is_empty() => Probe::Exec(words),
            _ => {
                let message = "a health check has one of `http`, `tcp` and `command`";
                return Err(self.error(span, message.into(), None));
            }
        };
        let default = HealthCheck::new(probe);
        Ok(HealthCheck {
            start_interval: None,
            interval: self
                .duration(table.interval.as_ref())?
                .unwrap_or(default.interval),
            timeout: self
                .duration(table.timeout.as_ref())?
                .unwrap_or(default.timeout),
            retries: table.retries.unwrap_or(default.retries).max(1),
            start_period: self
                .duration(table.start_period.as_ref())?
                .unwrap_or(default.start_period),
            probe: default.probe,
        })
    }
}

/// One port, or the first and the last of several.
fn port_range(text: &str) -> Option<std::ops::RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (0 < first && first <= last).then_some(first..=last)
}
