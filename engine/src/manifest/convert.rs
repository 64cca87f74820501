//! From what is written to what is meant.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use miette::NamedSource;
use toml::Spanned;

use super::base::Bases;
use super::merge::Layers;
use super::raw::{AppTable, Build, BuildTable, File};
use super::{DockerSection, FILE_NAME, MAX_KEEP, Manifest, ManifestError};
use crate::app::{App, ByteSize, ImageBuild, ImageSource, Name, Service};
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
}
