//! How bases look, what they require, and what is said in their stead.

use super::plan::arrow;
use super::{Styles, printable};
use crate::release::{BaseRecord, OverrideRecord, PolicyRecord, SignerRecord};

/// What a deploy says of bases before it does anything: a line for each.
pub fn policy_lines(policy: &PolicyRecord, style: Styles) -> Vec<String> {
    let sign = style.good("✔");
    let bases = bases(policy, style).map(|line| format!("{sign} base {line}"));
    let overrides = overrides(policy, style);
    let overrides = overrides.map(|line| format!("{} override {line}", style.odd("!")));
    bases.chain(overrides).collect()
}

/// Bases, and what they require: a line for each.
fn bases(policy: &PolicyRecord, style: Styles) -> impl Iterator<Item = String> {
    policy.bases.iter().map(move |base| {
        let required: Vec<_> = (policy.required.iter())
            .filter(|required| required.base == base.reference)
            .map(|required| style.plugin(&required.plugin).to_string())
            .collect();
        let requires = match required.is_empty() {
            true => String::new(),
            false => format!(" requires {}", required.join(", ")),
        };
        format!("{}{requires}", self::base(base, style))
    })
}

/// What is said in the stead of bases: a line for each, with the plugin.
pub fn overrides(policy: &PolicyRecord, style: Styles) -> impl Iterator<Item = String> {
    let overrides = policy.overrides.iter();
    overrides.map(move |one| {
        let plugin = style.plugin(&one.plugin);
        format!("{plugin} {}", changed(one, style))
    })
}

/// The same as comments of a YAML file, for whoever looks at what is deployed.
pub fn policy_comments(policy: &PolicyRecord) -> String {
    let style = Styles::new(false);
    let bases = bases(policy, style).map(|line| format!("base {line}"));
    let overrides = overrides(policy, style).map(|line| format!("override {line}"));
    let lines = bases.chain(overrides);
    // A line break in a value would end the comment.
    let comments = lines.map(|line| format!("# {}\n", line.replace('\n', " ")));
    comments.collect()
}

/// A base in a few words.
pub fn base(base: &BaseRecord, style: Styles) -> String {
    let version = base.version.as_ref();
    let version = version.map_or_else(String::new, |version| format!(" {version}"));
    let signers = base.signers.iter().map(SignerRecord::to_string);
    let signers: Vec<_> = signers.collect();
    let signers = match signers.is_empty() {
        true => String::new(),
        false => format!(" signed by {}", signers.join(", ")),
    };
    let digest = style.dim(base.digest.get(..19).unwrap_or(&base.digest));
    format!(
        "{}{} {digest}{}",
        printable(&base.reference),
        printable(&version),
        printable(&signers)
    )
}

/// What is said in a base's stead, where, and of which base.
pub fn changed(one: &OverrideRecord, style: Styles) -> String {
    let (at, base) = (printable(&one.at), printable(&one.base));
    format!(
        "{} {} {}",
        printable(&one.key),
        arrow(one.old.as_deref(), Some(&one.new), style),
        style.dim(format_args!("({at}, of {base})"))
    )
}
