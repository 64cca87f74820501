//! From what is written to what is meant.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use miette::NamedSource;
use toml::{Spanned, Value};

use super::base::Bases;
use super::merge::Layers;
use super::raw::{AppTable, Build, BuildTable, File, Health, OneOrMany};
use super::{DockerSection, FILE_NAME, MAX_KEEP, Manifest, ManifestError};
use crate::app::{
    App, ByteSize, ContainerSpec, Cpus, Device, HealthCheck, ImageBuild, ImageSource, Mount,
    MountOptions, MountSource, Name, PortMapping, Probe, Protocol, RestartPolicy, Service,
};
use crate::compose::Options;

pub(super) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What a conversion is about: for errors, and for paths.
///
/// Also reads files of cases, which describe containers in the words of plugins.toml.
pub(crate) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) name: String,
    pub(super) dir: PathBuf,
    pub(super) env: Env<'a>,
    pub(super) origin: Origin,
}

/// Where a text is from, and so what it may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// It is a project's own.
    Project,
    /// A base in a file.
    File,
    /// A base in a registry, which brings nothing but its text.
    Artifact,
}

pub fn manifest(
    text: &str,
    path: Option<PathBuf>,
    dir: PathBuf,
    compose: Option<Options>,
    bases: &Bases,
    env: Env<'_>,
) -> Result<Manifest, ManifestError> {
    let reader = Reader::new(text, path.as_deref(), dir, env);
    let file: File = reader.parse()?;
    let composed = match compose {
        Some(options) => super::compose::app(&reader, text, &file.app, options)?,
        None => None,
    };
    let mut warnings = Vec::new();
    let at = file.app.strategy.as_ref().map(Spanned::span);
    let mut deploy = reader.deploy(&file.deploy)?;
    // plugins.toml has the last word.
    if let (Some((_, project)), None) = (&composed, &file.deploy.keep) {
        let keep = project.keep(MAX_KEEP).map_err(Box::new)?;
        deploy.keep = keep.unwrap_or(deploy.keep);
    }
    let (app, project, ports_declared) = match composed {
        Some((app, project)) => {
            warnings.extend(project.warnings.iter().map(super::compose::told));
            // What is not published there is not to be.
            (app, Some(project), true)
        }
        None => {
            let ports_declared = file.app.ports.is_some();
            (reader.app(file.app)?, None, ports_declared)
        }
    };
    let strategies = reader.strategies(&app, project.as_ref(), at);
    let registries = reader.registries(file.registries)?;
    let waived = file.trust.as_ref().and_then(|trust| trust.require.clone());
    let mut trust = reader.trust(file.trust)?;
    let known = match bases {
        Bases::Unknown => None,
        Bases::Known(bases) => Some(bases),
    };
    if let (Some([]), Some(first)) = (known.map(Vec::as_slice), file.extends.first()) {
        let message = "bases can't be had here";
        return Err(reader.error(first.span(), message.into(), None));
    }
    let (plugins, policy, secrets) = match known {
        None => Default::default(),
        Some(bases) => {
            let mut layers = Layers::new(&reader, file.plugins, bases, &app)?;
            layers.trust(waived.as_ref(), &mut trust)?;
            let merged = layers.merge()?;
            let secrets = {
                let granted = merged.granted(&layers);
                reader.secrets(file.secrets, granted, &mut warnings)?
            };
            trust.plugins = merged.trusted(&layers, &trust);
            (merged.plugins, merged.policy, secrets)
        }
    };
    Ok(Manifest {
        path,
        app,
        project,
        strategies,
        ports_declared,
        plugins,
        docker: DockerSection {
            host: file.docker.host,
        },
        deploy,
        edge: reader.edge(file.edge)?,
        registries,
        trust,
        watch: reader.watch(file.watch)?,
        secrets,
        policy,
        warnings,
        dir: reader.dir,
    })
}

/// `did you mean`, from the parser's own list of what it expected.
fn suggestion(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field ").or_else(|| {
        let (_, rest) = message.split_once("unknown variant ")?;
        Some(rest)
    })?;
    let mut words = rest.split('`').skip(1).step_by(2);
    let given = words.next()?;
    let closest = words
        .max_by(|a, b| strsim::jaro_winkler(a, given).total_cmp(&strsim::jaro_winkler(b, given)))?;
    const SIMILAR: f64 = 0.75;
    (strsim::jaro_winkler(closest, given) > SIMILAR).then(|| format!("did you mean `{closest}`?"))
}

impl<'a> Reader<'a> {
    /// Reads `text`, which is `path`'s; what it names relatively is below `dir`.
    pub(crate) fn new(text: &'a str, path: Option<&Path>, dir: PathBuf, env: Env<'a>) -> Self {
        let name = path.and_then(|path| path.file_name());
        let name = name.map_or_else(
            || FILE_NAME.to_owned(),
            |name| name.to_string_lossy().into(),
        );
        Self {
            text,
            name,
            dir,
            env,
            origin: Origin::Project,
        }
    }

    /// The text as it is written, with the place of what it can't say.
    pub(crate) fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T, ManifestError> {
        toml::from_str(self.text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            let help = suggestion(error.message());
            let message = match (&help, error.message().split_once(", expected one of")) {
                // What was meant says more than all that could have been.
                (Some(_), Some((message, _))) => message,
                _ => error.message(),
            };
            let message = message.to_owned();
            self.error(span, message, help)
        })
    }
}

impl Reader<'_> {
    pub(crate) fn error(
        &self,
        span: Range<usize>,
        message: String,
        help: Option<String>,
    ) -> ManifestError {
        ManifestError::Invalid {
            message,
            source_code: Arc::new(NamedSource::new(&self.name, self.text.to_owned())),
            span: span.into(),
            help,
        }
    }

    /// Where something stands, as a person writes it.
    pub(super) fn place(&self, at: usize) -> String {
        let before = self.text.get(..at).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        let column = before[line_start..].chars().count() + 1;
        format!("{}:{line}:{column}", self.name)
    }

    pub(super) fn at<T, E: std::fmt::Display>(
        &self,
        result: Result<T, E>,
        span: Range<usize>,
    ) -> Result<T, ManifestError> {
        result.map_err(|error| self.error(span, error.to_string(), None))
    }

    fn app_name(&self, text: &Spanned<String>) -> Result<Name, ManifestError> {
        self.at(Name::parse_app(text.get_ref()), text.span())
    }

    /// The name of a service.
    pub(crate) fn name(&self, text: &Spanned<String>) -> Result<Name, ManifestError> {
        self.at(Name::parse(text.get_ref()), text.span())
    }

    pub(crate) fn duration(
        &self,
        text: Option<&Spanned<String>>,
    ) -> Result<Option<Duration>, ManifestError> {
        let Some(text) = text else { return Ok(None) };
        match humantime::parse_duration(text.get_ref()) {
            Ok(time) if time > Duration::ZERO => Ok(Some(time)),
            Ok(_) => Err(self.error(text.span(), "a time must be longer than 0".into(), None)),
            Err(error) => Err(self.error(
                text.span(),
                format!("`{}` is not a time: {error}", text.get_ref()),
                Some("write a number with a unit, such as \"10s\" or \"1m 30s\"".into()),
            )),
        }
    }

    pub(crate) fn size(
        &self,
        text: Option<&Spanned<String>>,
    ) -> Result<Option<ByteSize>, ManifestError> {
        text.map(|text| self.at(text.get_ref().parse(), text.span()))
            .transpose()
    }

    fn app(&self, table: AppTable) -> Result<App, ManifestError> {
        if let Some(compose) = &table.compose {
            return Err(self.error(
                compose.span(),
                "no Compose file can be read here".into(),
                Some("name one service's `build` or `image`".into()),
            ));
        }
        let name = match &table.name {
            Some(name) => self.app_name(name)?,
            None => {
                let folder = self.dir.file_name().map(|name| name.to_string_lossy());
                let lossy = folder.and_then(|folder| Name::from_lossy(&folder));
                lossy
                    .map_or_else(|| Name::parse("app"), Ok)
                    .map_err(|error| self.error(0..0, error.to_string(), None))?
            }
        };
        let service_name = match &table.service {
            Some(name) => self.name(name)?,
            None => self.at(Name::parse("web"), 0..0)?,
        };
        let image = self.image(&table)?;
        let (strategy, batches) = self.rollout(&table)?;
        let replicas = self.replicas(&table)?;
        let mut service = Service::new(service_name, image, self.container(table)?);
        service.strategy = strategy;
        service.batches = batches;
        service.replicas = replicas;
        Ok(App::new(name, [service]))
    }

    fn image(&self, table: &AppTable) -> Result<ImageSource, ManifestError> {
        if let Some(image) = &table.image {
            if table.build.is_some() {
                return Err(self.error(
                    image.span(),
                    "`image` and `build` exclude each other".into(),
                    None,
                ));
            }
            let reference = self.interpolate(image.get_ref(), image.span())?;
            return Ok(ImageSource::Image(reference));
        }
        let default = BuildTable::default();
        let context_only;
        let (build, span) = match &table.build {
            None => (&default, 0..0),
            Some(build) => match build.get_ref() {
                Build::Table(table) => (table, build.span()),
                Build::Context(context) => {
                    context_only = BuildTable {
                        context: Some(context.clone()),
                        ..Default::default()
                    };
                    (&context_only, build.span())
                }
            },
        };
        let context = self.dir.join(build.context.as_deref().unwrap_or("."));
        // Without `.` in the middle, as people would write it.
        let context: PathBuf = context.components().collect();
        if !context.is_dir() {
            let message = format!("there is no folder {}", context.display());
            return Err(self.error(span, message, None));
        }
        let dockerfile_path = build.dockerfile.as_deref().unwrap_or("Dockerfile");
        let file = context.join(dockerfile_path);
        let dockerfile = match super::read(&file) {
            Ok(text) => Some(text),
            Err(ManifestError::Missing { .. }) => None,
            Err(error) => return Err(error),
        };
        let mut args = BTreeMap::new();
        for (name, value) in &build.args {
            args.insert(name.clone(), self.interpolate(value, span.clone())?);
        }
        Ok(ImageSource::Build(Box::new(ImageBuild {
            context,
            dockerfile_path: dockerfile_path.trim_start_matches("./").to_owned(),
            dockerfile,
            args,
            labels: build.labels.clone(),
            target: build.target.clone(),
            platform: build.platform.clone(),
            cache_from: build.cache_from.clone(),
            no_cache: build.no_cache,
            pull: false,
            inline_cache: false,
            run: crate::app::BuildRun::default(),
            tags: Vec::new(),
            contexts: BTreeMap::new(),
            generated: BTreeMap::new(),
        })))
    }

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
            OneOrMany::One(text) => match shlex::split(text) {
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

    fn env_files(
        &self,
        files: Option<&Spanned<OneOrMany>>,
    ) -> Result<BTreeMap<String, String>, ManifestError> {
        let mut env = BTreeMap::new();
        let Some(files) = files else { return Ok(env) };
        let names = match files.get_ref() {
            OneOrMany::One(name) => std::slice::from_ref(name),
            OneOrMany::Many(names) => names,
        };
        for name in names {
            let path = self.dir.join(name);
            let text = super::read(&path)?;
            for (index, line) in text.lines().enumerate() {
                let line = line.trim();
                let line = line.strip_prefix("export ").unwrap_or(line);
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                let (key, value) = match line.split_once('=') {
                    Some((key, value)) => (key.trim(), Some(unquoted(value.trim()).to_owned())),
                    None => (line, (self.env)(line)),
                };
                if key.is_empty() || key.contains(char::is_whitespace) {
                    let reason = format!("line {} has no KEY=VALUE", index + 1);
                    return Err(ManifestError::Read { path, reason });
                }
                env.extend(value.map(|value| (key.to_owned(), value)));
            }
        }
        Ok(env)
    }

    /// `${VAR}`, `${VAR:-default}` and `$$`. A variable that is not set is an error: a deploy
    /// with an empty value in the place of a forgotten one is worse than none.
    fn interpolate(&self, text: &str, span: Range<usize>) -> Result<String, ManifestError> {
        let mut out = String::new();
        let mut rest = text;
        while let Some(position) = rest.find('$') {
            out.push_str(&rest[..position]);
            rest = &rest[position + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                out.push('$');
                rest = after;
            } else if let Some((inner, after)) =
                rest.strip_prefix('{').and_then(|rest| rest.split_once('}'))
            {
                let (name, default) = match inner.split_once(":-") {
                    Some((name, default)) => (name, Some(default.to_owned())),
                    None => (inner, None),
                };
                let value = (self.env)(name).filter(|value| !value.is_empty());
                let value = value.or(default).ok_or_else(|| {
                    let message = format!("the environment variable `{name}` is not set");
                    let help = format!("set it, or give a default: ${{{name}:-…}}");
                    self.error(span.clone(), message, Some(help))
                })?;
                out.push_str(&value);
                rest = after;
            } else {
                out.push('$');
            }
        }
        out.push_str(rest);
        Ok(out)
    }
}

/// One port, or the first and the last of several.
fn port_range(text: &str) -> Option<std::ops::RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (0 < first && first <= last).then_some(first..=last)
}

fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        let inner = value
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote));
        if let Some(inner) = inner {
            return inner;
        }
    }
    value
}
