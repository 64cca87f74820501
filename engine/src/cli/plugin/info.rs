//! `rengine plugin info`.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;

use super::add::refused;
use crate::app::ByteSize;
use crate::cli::GlobalArgs;
use crate::cli::error::CliError;
use crate::plugin::needed_grants;
use crate::registry::{Described, DescribedBase, Digest, Pick, Reference, version};
use crate::ui::{Styles, Ui, printable};

/// Which plugin, or which base.
#[derive(Debug, Args)]
pub struct InfoArgs {
    /// Where it is: HOST/PATH, and which: `:1.2`, `:^1.2` or `@sha256:…` [default: the newest version]
    #[arg(value_name = "REF")]
    reference: String,
}

#[derive(Debug, Serialize)]
struct Info {
    reference: String,
    digest: Digest,
    #[serde(flatten)]
    what: What,
    versions: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
enum What {
    Plugin {
        #[serde(flatten)]
        described: Described,
        /// The grants that it can't be loaded without, as far as its configuration says what it imports.
        needs: Vec<String>,
    },
    Base(DescribedBase),
}

pub async fn run(global: &GlobalArgs, args: InfoArgs, ui: Ui) -> Result<(), CliError> {
    let reference: Reference = args.reference.parse().map_err(refused)?;
    let repository = reference.repository;
    let registries = super::registries(global, ui)?;
    let mut tags = registries.tags(&repository).await.map_err(refused)?;
    let pick = reference.pick;
    let pick = pick.unwrap_or_else(|| Pick::Tag(super::newest(&tags)));
    let (_, digest, manifest) = registries.pick(&repository, &pick).await.map_err(refused)?;
    let what = match DescribedBase::of(&manifest, &repository).map_err(refused)? {
        Some(mut described) => {
            let completed = registries.complete_base(&repository, &mut described).await;
            completed.map_err(refused)?;
            What::Base(described)
        }
        None => {
            let mut described = Described::of(&manifest, &repository).map_err(refused)?;
            let completed = registries.complete(&repository, &mut described).await;
            completed.map_err(refused)?;
            let needs = needed_grants(&described.imports);
            What::Plugin { described, needs }
        }
    };
    // Versions before all else, the newest first.
    tags.sort_by_cached_key(|tag| std::cmp::Reverse((version(tag), tag.clone())));
    let info = Info {
        what,
        reference: repository.to_string(),
        digest,
        versions: tags,
    };
    match ui.is_json() {
        true => ui.json(&info),
        false => ui.result(&render(&info, ui.styles())),
    }
    Ok(())
}

fn render(info: &Info, style: Styles) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let name = style.bold(format!("{name:<11}"));
            let _ = writeln!(text, "{name} {}", printable(&value));
        }
    };
    let (about, size) = match &info.what {
        What::Plugin { described, .. } => (&described.about, described.size),
        What::Base(described) => (&described.about, described.size),
    };
    let kind = match &info.what {
        What::Plugin { .. } => "plugin",
        What::Base(_) => "base",
    };
    line(kind, about.title.clone());
    line("version", about.version.clone());
    line("does", about.description.clone());
    match &info.what {
        What::Plugin { described, .. } => {
            let wit = described.wit.as_ref();
            line("hooks", Some(described.hooks.join(", ")));
            line("interface", wit.map(|wit| format!("rengine:plugin@{wit}")));
        }
        What::Base(described) => {
            line("brings", Some(described.plugins.join(", ")));
            line("requires", Some(described.required.join(", ")));
        }
    }
    line("licence", about.license.clone());
    line("source", about.source.clone());
    line("revision", about.revision.clone());
    line("made", about.created.clone());
    line("size", Some(ByteSize(size).to_string()));
    line(
        "artifact",
        Some(format!("{}@{}", info.reference, info.digest)),
    );
    if let What::Plugin { described, .. } = &info.what {
        line("component", Some(described.component.to_string()));
    }
    let shown: Vec<_> = info.versions.iter().take(10).map(String::as_str).collect();
    let more = match info.versions.len().saturating_sub(shown.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    line("versions", Some(format!("{}{more}", shown.join(", "))));
    match &info.what {
        What::Plugin { described, needs } => {
            let grants = grants(&described.grants, needs);
            if !grants.is_empty() {
                let head = style.bold(format!("{:<11}", "grants"));
                let _ = writeln!(text, "{head} as its author says:");
            }
            for (grant, reason) in grants {
                let _ = writeln!(text, "  {}  {}", printable(&grant), printable(reason));
            }
            if let Some(readme) = &described.readme {
                let _ = write!(text, "\n{}", printable(readme));
            }
        }
        What::Base(_) => {
            let name = printable(&info.reference);
            let _ = writeln!(
                text,
                "\nplugins.toml takes it with `extends = [\"oci://{name}:VERSION\"]`; \
                 `rengine plugin pull {name}` writes its text to a file"
            );
        }
    }
    text
}

/// The grants that a plugin would need, as its author says it: what its imports say that it can't do without, and
/// what else there is a sentence for.
fn grants<'a>(said: &'a BTreeMap<String, String>, needs: &[String]) -> Vec<(String, &'a str)> {
    let key = |grant: &str| grant.split(' ').next().unwrap_or(grant).to_owned();
    let of = |grant: &str| said.get(grant).map(String::as_str);
    let needed = needs.iter().map(|grant| {
        let reason = of(&key(grant)).unwrap_or("(not a word on what for)");
        (grant.clone(), reason)
    });
    let more = said.iter();
    let more = more.filter(|(grant, _)| !needs.iter().any(|need| key(need) == **grant));
    let more = more.map(|(grant, reason)| (grant.clone(), reason.as_str()));
    needed.chain(more).collect()
}
