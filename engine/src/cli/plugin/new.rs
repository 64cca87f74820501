//! `rengine plugin new`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::app::Name;
use crate::author::{self, Language, NewProject};
use crate::cli::GlobalArgs;
use crate::cli::error::CliError;
use crate::plugin::Hook;
use crate::ui::Ui;

/// What the new project is to be.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The plugin's name: lower-case letters, digits, `-` and `_`
    #[arg(value_parser = |text: &str| Name::parse_app(text))]
    name: Name,
    /// The language
    #[arg(long, value_name = "LANG", value_parser = languages())]
    lang: Language,
    /// The hooks, with commas between
    #[arg(
        long,
        value_name = "HOOKS",
        value_delimiter = ',',
        required = true,
        value_parser = hooks()
    )]
    hooks: Vec<Hook>,
    /// Write it into this folder instead of one of the plugin's name
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
}

fn languages() -> impl TypedValueParser<Value = Language> {
    PossibleValuesParser::new(Language::ALL.map(Language::name))
        .try_map(|name| name.parse::<Language>())
}

fn hooks() -> impl TypedValueParser<Value = Hook> {
    PossibleValuesParser::new(Hook::ALL.map(Hook::name)).try_map(|name| author::parse_hook(&name))
}

pub fn run(global: &GlobalArgs, args: NewArgs, ui: Ui) -> Result<(), CliError> {
    let folder = args.path.unwrap_or_else(|| args.name.as_str().into());
    let dir = global.directory.join(&folder);
    let project = NewProject {
        name: &args.name,
        language: args.lang,
        hooks: &args.hooks,
        dir: &dir,
    };
    let files = project.write()?;
    if ui.is_json() {
        ui.json(&serde_json::json!({"event": "new", "path": dir, "files": files}));
        return Ok(());
    }
    ui.result(&format!("wrote {}", folder.display()));
    for file in &files {
        ui.note(&format!("  {}", file.display()));
    }
    ui.note(&format!(
        "next: `rengine plugin build {0}`, then `rengine plugin test {0}`",
        folder.display()
    ));
    Ok(())
}
