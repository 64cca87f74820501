//! A file of cases: as it is written, and what it means.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use indexmap::IndexMap;
use serde::Deserialize;
use toml::{Spanned, Value};

use super::given::{RawBuild, RawDeploy, RawGiven, RawImage, RawRunning, RawService};
use super::world::{Answer, World};
use super::{Case, Expected};
use crate::author::{AuthorError, UnknownHook, parse_hook};
use crate::grants::{Grants, Variable};
use crate::manifest::{AppTable, LimitsTable, ManifestError, Reader, config_text};
use crate::plugin::{CallContext, DEFAULT_MEMORY, DEFAULT_TIMEOUT, Hook};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    case: Vec<Spanned<Table>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: Spanned<String>,
    hook: Spanned<String>,
    #[serde(default)]
    config: BTreeMap<String, Value>,
    #[serde(default)]
    grants: Grants,
    timeout: Option<Spanned<String>>,
    memory: Option<Spanned<String>>,
    #[serde(default)]
    limits: LimitsTable,
    #[serde(default)]
    env: BTreeMap<Variable, String>,
    #[serde(default)]
    secrets: BTreeMap<Variable, String>,
    #[serde(default)]
    state: BTreeMap<String, String>,
    #[serde(default)]
    http: Vec<Answer>,
    #[serde(default)]
    context: Context,
    services: Option<Spanned<IndexMap<Spanned<String>, RawService>>>,
    build: Option<Spanned<RawBuild>>,
    container: Option<Spanned<AppTable>>,
    image: Option<Spanned<RawImage>>,
    running: Option<Spanned<RawRunning>>,
    deploy: Option<Spanned<RawDeploy>>,
    expect: Option<Expected>,
    #[serde(default)]
    snapshot: bool,
}

/// Where the hook runs. What is not said is the same for every case, so that snapshots are, too.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Context {
    app: String,
    service: String,
    release: String,
    planning: Option<bool>,
}

impl Default for Context {
    fn default() -> Self {
        Self {
            app: "app".to_owned(),
            service: "web".to_owned(),
            release: "release".to_owned(),
            planning: None,
        }
    }
}

/// Reads a file of cases.
///
/// # Errors
///
/// If it can't be read, or says what can't be meant; with line and column.
pub fn load(path: &Path) -> Result<Vec<Case>, AuthorError> {
    let text = std::fs::read_to_string(path).map_err(AuthorError::io("reading", path))?;
    let dir = path.parent().unwrap_or(Path::new("")).to_owned();
    // Cases mean the same everywhere, so they see nothing of the environment.
    let nothing = |_: &str| None;
    let reader = Reader::new(&text, Some(path), dir, &nothing);
    let cases = parse(&reader).map_err(Box::new)?;
    match cases.is_empty() {
        true => Err(AuthorError::NoCases {
            path: path.to_owned(),
        }),
        false => Ok(cases),
    }
}

/// Reads cases that are not in a file of their own.
pub fn from_text(text: &str) -> Result<Vec<Case>, AuthorError> {
    let nothing = |_: &str| None;
    let reader = Reader::new(text, None, Path::new("").to_owned(), &nothing);
    Ok(parse(&reader).map_err(Box::new)?)
}

fn parse(reader: &Reader<'_>) -> Result<Vec<Case>, ManifestError> {
    let file: File = reader.parse()?;
    let mut cases: Vec<Case> = Vec::with_capacity(file.case.len());
    for table in file.case {
        let place = table.get_ref().name.span();
        let case = convert(reader, table.span(), table.into_inner())?;
        if cases.iter().any(|other| other.name == case.name) {
            let message = format!("there is another case `{}`", case.name);
            let help = "a case's name is that of its snapshot, too";
            return Err(reader.error(place, message, Some(help.to_owned())));
        }
        cases.push(case);
    }
    Ok(cases)
}

fn convert(reader: &Reader<'_>, span: Range<usize>, table: Table) -> Result<Case, ManifestError> {
    let hook = parse_hook(table.hook.get_ref()).map_err(|error| {
        let help = format!("there are {}", UnknownHook::known());
        reader.error(table.hook.span(), error.to_string(), Some(help))
    })?;
    let expected = table.expect.unwrap_or_default();
    let answers = [
        ("status", hook == Hook::Health, expected.status.is_some()),
        ("tags", hook == Hook::PostBuild, expected.tags.is_some()),
    ];
    for (key, has, wanted) in answers {
        if wanted && !has {
            let message = format!("{hook} has no `{key}` to expect");
            return Err(reader.error(span, message, None));
        }
    }
    let Context {
        app,
        service,
        release,
        planning,
    } = table.context;
    let given = RawGiven {
        services: table.services,
        build: table.build,
        container: table.container,
        image: table.image,
        running: table.running,
        deploy: table.deploy,
    };
    let given = given.convert(reader, hook, span, &app)?;
    Ok(Case {
        name: table.name.into_inner(),
        hook,
        context: CallContext {
            app,
            service,
            release,
            planning: planning.unwrap_or(matches!(
                hook,
                Hook::Configure | Hook::PreBuild | Hook::PreRun
            )),
        },
        config: table
            .config
            .into_iter()
            .map(|(key, value)| (key, config_text(value)))
            .collect(),
        grants: table.grants,
        timeout: reader
            .duration(table.timeout.as_ref())?
            .unwrap_or(DEFAULT_TIMEOUT),
        memory: reader
            .size(table.memory.as_ref())?
            .unwrap_or(DEFAULT_MEMORY),
        limits: reader.limits(table.limits)?,
        world: World {
            env: table.env,
            secrets: table.secrets,
            state: table.state,
            answers: table.http,
        },
        given,
        expected,
        snapshot: table.snapshot,
    })
}
