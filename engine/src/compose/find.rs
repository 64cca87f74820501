//! Which files make a project, what it is called, and what its variables are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::{ComposeError, Problem};
use super::files::{Files, STDIN, normalized};
use super::interpolate::{Environment, interpolate};
use super::node::Node;
use super::yaml;

/// The files that are looked for, in this order.
pub const FILE_NAMES: [&str; 4] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
];
/// The files that are merged into it, where they are there.
const OVERRIDE_NAMES: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];
/// Variables of the project, beside its first file.
pub const ENV_FILE: &str = ".env";

type Result<T> = std::result::Result<T, ComposeError>;

/// What is asked for beside the files.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The folder to look in, absolute.
    pub dir: PathBuf,
    /// The files; looked for if there are none. `-` is what this process is given as its input.
    pub files: Vec<PathBuf>,
    /// The project's name; found by itself if `None`.
    pub name: Option<String>,
    /// The active profiles; those of `COMPOSE_PROFILES` if there are none.
    pub profiles: Vec<String>,
    /// Environment files in the place of `.env`.
    pub env_files: Vec<PathBuf>,
    /// The environment.
    pub env: BTreeMap<String, String>,
}

/// The files of a project.
#[derive(Debug)]
pub struct Found {
    /// The project's folder.
    pub dir: PathBuf,
    /// The files, absolute.
    pub files: Vec<PathBuf>,
    /// What is odd about them.
    pub warnings: Vec<String>,
}

/// What holds for all files of a project.
#[derive(Debug)]
pub struct Setting {
    /// The project's folder.
    pub dir: PathBuf,
    /// The project's name.
    pub name: String,
    /// Its active profiles.
    pub profiles: Vec<String>,
    /// Its variables.
    pub environment: Environment,
    /// What is odd and no error.
    pub warnings: Vec<Problem>,
    /// What is odd about the files themselves.
    pub notes: Vec<String>,
}

/// Finds the files: those that are asked for, those in `COMPOSE_FILE`, or those with the usual
/// names.
pub fn find(options: &Options) -> Result<Found> {
    let mut warnings = Vec::new();
    let mut files: Vec<PathBuf> = options.files.clone();
    if files.is_empty() {
        files = from_environment(options)?;
    }
    if files.is_empty() {
        let (main, others) = usual(&options.dir, &FILE_NAMES);
        let Some(main) = main else {
            let dir = options.dir.clone();
            return Err(ComposeError::NoFile { dir });
        };
        warnings.extend(told(&main, &others));
        let (over, others) = usual(&options.dir, &OVERRIDE_NAMES);
        if let Some(over) = &over {
            warnings.extend(told(over, &others));
        }
        files = [Some(main), over].into_iter().flatten().collect();
    }
    let files: Vec<_> = files
        .iter()
        .map(|file| match file == Path::new("-") {
            true => PathBuf::from(STDIN),
            false => normalized(&options.dir.join(file)),
        })
        .collect();
    // What comes from a pipe belongs to the folder that rengine runs in.
    let first = files.first().filter(|file| *file != Path::new(STDIN));
    let first = first.and_then(|file| file.parent());
    Ok(Found {
        dir: first.unwrap_or(&options.dir).to_owned(),
        files,
        warnings,
    })
}

/// `COMPOSE_FILE`, of the environment or of its files.
fn from_environment(options: &Options) -> Result<Vec<PathBuf>> {
    let mut environment = Environment::new(options.env.clone());
    if environment.filled("COMPOSE_FILE").is_none() {
        let files = Files::new(options.dir.clone());
        // What is odd is told when the files are read for the project.
        add_env_files(
            &mut environment,
            options,
            &[&options.dir],
            &files,
            &mut Vec::new(),
        )?;
    }
    let separator = environment.filled("COMPOSE_PATH_SEPARATOR").unwrap_or(":");
    let files = environment.filled("COMPOSE_FILE").unwrap_or_default();
    let files = files.split(separator).filter(|file| !file.is_empty());
    Ok(files.map(PathBuf::from).collect())
}

/// The first of these names that is there, and the others that are.
fn usual(dir: &Path, names: &[&'static str]) -> (Option<PathBuf>, Vec<&'static str>) {
    let mut there = names
        .iter()
        .filter(|name| dir.join(name).is_file())
        .copied();
    let first = there.next().map(|name| dir.join(name));
    (first, there.collect())
}

fn told(taken: &Path, others: &[&str]) -> Option<String> {
    let taken = taken.file_name()?.to_string_lossy();
    let (first, rest) = others.split_first()?;
    let others = rest.iter().fold(format!("`{first}`"), |all, name| {
        format!("{all} and `{name}`")
    });
    Some(format!("`{taken}` is read, and {others} beside it is not"))
}

/// Finds what the files' variables and the project's name are.
pub fn settle(options: &Options, found: &Found, files: &Files) -> Result<Setting> {
    let mut environment = Environment::new(options.env.clone());
    let mut warnings = Vec::new();
    // The folder that COMPOSE_FILE leads away from has variables, too.
    let mut dirs: Vec<&Path> = vec![&found.dir];
    if options.files.is_empty() && options.dir != found.dir {
        dirs.insert(0, &options.dir);
    }
    add_env_files(&mut environment, options, &dirs, files, &mut warnings)?;
    let name = name(options, found, files, &environment, &mut warnings)?;
    environment.set("COMPOSE_PROJECT_NAME", &name);
    let mut profiles = options.profiles.clone();
    if profiles.is_empty() {
        let all = environment.filled("COMPOSE_PROFILES").unwrap_or_default();
        let all = all
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        profiles = all.map(str::to_owned).collect();
    }
    Ok(Setting {
        dir: found.dir.clone(),
        name,
        profiles,
        environment,
        warnings,
        notes: found.warnings.clone(),
    })
}

/// Adds what the files of variables say: those that are asked for, or each folder's `.env`, of
/// which the first one to set a variable counts.
fn add_env_files(
    environment: &mut Environment,
    options: &Options,
    dirs: &[&Path],
    files: &Files,
    warnings: &mut Vec<Problem>,
) -> Result<()> {
    let mut asked: Vec<PathBuf> = options.env_files.clone();
    if asked.is_empty()
        && let Some(files) = environment.filled("COMPOSE_ENV_FILES")
    {
        asked = files.split(',').map(|file| file.trim().into()).collect();
    }
    if !asked.is_empty() {
        let absolute = asked.iter().map(|file| normalized(&options.dir.join(file)));
        let paths: Vec<_> = absolute.collect();
        let variables = environment.read_all(files, &paths, warnings)?;
        environment.add_defaults(variables);
        return Ok(());
    }
    let off = environment.filled("COMPOSE_DISABLE_ENV_FILE");
    if matches!(off, Some("1" | "t" | "T" | "true" | "True" | "TRUE")) {
        return Ok(());
    }
    for own in dirs.iter().map(|dir| dir.join(ENV_FILE)) {
        if own.is_file() {
            let variables = environment.read_all(files, &[own], warnings)?;
            environment.add_defaults(variables);
        }
    }
    Ok(())
}

fn name(
    options: &Options,
    found: &Found,
    files: &Files,
    environment: &Environment,
    warnings: &mut Vec<Problem>,
) -> Result<String> {
    let outside = [
        (options.name.as_deref(), "the project's name"),
        (
            environment.filled("COMPOSE_PROJECT_NAME"),
            "COMPOSE_PROJECT_NAME",
        ),
    ];
    for (name, what) in outside {
        let Some(name) = name else {
            continue;
        };
        let usable = normalize_name(name);
        if usable != name || name.is_empty() {
            return Err(ComposeError::Setting {
                message: format!("{what} can't be `{name}`"),
                help: Some(format!("{NAME_HELP}{}", suggestion(&usable))),
            });
        }
        return Ok(usable);
    }
    if let Some(node) = name_in_files(found, files, environment)? {
        let written = node.scalar().unwrap_or_default();
        let usable = normalize_name(written);
        if usable.is_empty() {
            let message = format!("the project's name can't be `{written}`");
            return Err(ComposeError::at(&node.span, message).help(NAME_HELP));
        }
        if usable != written {
            let message = format!("the project's name can't be `{written}`, so it is `{usable}`");
            warnings.push(Problem::new(
                &node.span,
                message,
                Some(NAME_HELP.to_owned()),
            ));
        }
        return Ok(usable);
    }
    let folder = found.dir.file_name().unwrap_or_default().to_string_lossy();
    let usable = normalize_name(&folder);
    if usable.is_empty() {
        return Err(ComposeError::Setting {
            message: format!("the folder's name `{folder}` can't be the project's"),
            help: Some("write `name: …` at the top of the Compose file".into()),
        });
    }
    Ok(usable)
}

const NAME_HELP: &str =
    "a name has lower-case letters, digits, `-` and `_`, and begins with a letter or digit";

fn suggestion(usable: &str) -> String {
    match usable {
        "" => String::new(),
        usable => format!(", such as `{usable}`"),
    }
}

/// The last `name` in the files, with its variables replaced.
fn name_in_files(found: &Found, files: &Files, environment: &Environment) -> Result<Option<Node>> {
    let mut name = None;
    for path in &found.files {
        for document in yaml::read(&files.read(path)?)? {
            if let Some(node) = document.get("name").filter(|node| node.scalar().is_some()) {
                name = Some(node.clone());
            }
        }
    }
    if let Some(name) = &mut name {
        // What is not set is told when the whole file is read.
        interpolate(name, environment, &mut Vec::new())?;
    }
    Ok(name)
}

/// The name that is left of a text: lower case, without what no name has.
pub fn normalize_name(text: &str) -> String {
    let lower = text.to_lowercase();
    let kept = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let kept: String = lower.chars().filter(kept).collect();
    kept.trim_start_matches(['-', '_']).to_owned()
}
