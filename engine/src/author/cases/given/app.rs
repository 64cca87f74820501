//! The app that a case gives.

use std::ops::Range;

use indexmap::IndexMap;
use serde::Deserialize;
use toml::Spanned;

use super::{Given, RawBuild, specification};
use crate::app::{App, ContainerSpec, ImageSource, Name, Service};
use crate::manifest::{AppTable, ManifestError, Reader};
use crate::plugin::Contexts;

/// One of `services`: as `build` and `container` are given to other hooks.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawService {
    build: Option<RawBuild>,
    container: Option<Spanned<AppTable>>,
}

pub fn convert(
    reader: &Reader<'_>,
    app: &str,
    case: Range<usize>,
    raw: IndexMap<Spanned<String>, RawService>,
) -> Result<Given, ManifestError> {
    let app = Name::parse_app(app).map_err(|error| reader.error(case, error.to_string(), None))?;
    let mut services = Vec::with_capacity(raw.len());
    let mut contexts = Contexts::new();
    for (written, raw) in raw {
        let name = reader.name(&written)?;
        let (container, image) = match &raw.container {
            Some(container) => specification(reader, container)?,
            None => (ContainerSpec::default(), None),
        };
        let image = match (image, raw.build) {
            (Some(_), Some(_)) => {
                let message = "an image is built, or it is there: not both".to_owned();
                return Err(reader.error(written.span(), message, None));
            }
            (Some(image), None) => ImageSource::Image(image),
            (None, build) => {
                let build = build.unwrap_or_default();
                contexts.insert(name.clone(), build.files());
                ImageSource::Build(Box::new(build.build()))
            }
        };
        services.push(Service::new(name, image, container));
    }
    Ok(Given::App {
        app: Box::new(App::new(app, services)),
        contexts,
    })
}
