//! How bases look, what they require, and what is said in their stead.

use super::plan::arrow;
use super::{Styles, printable};
use crate::release::{BaseRecord, OverrideRecord, PolicyRecord};

/// What a deploy says of bases before it does anything: a line for each.
pub fn policy_lines(policy: &PolicyRecord, style: Styles) -> Vec<String> {
    let sign = style.good("✔");
    let bases = policy.bases.iter().map(|base| {
        let required: Vec<_> = (policy.required.iter())
            .filter(|required| required.base == base.reference)
            .map(|required| style.plugin(&required.plugin).to_string())
            .collect();
        let requires = match required.is_empty() {
            true => String::new(),
            false => format!(" requires {}", required.join(", ")),
        };
        format!("{sign} base {}{requires}", self::base(base, style))
    });
    let overrides = policy.overrides.iter().map(|one| {
        let plugin = style.plugin(&one.plugin);
        format!(
            "{} override {plugin} {}",
            style.odd("!"),
            self::changed(one, style)
        )
    });
    bases.chain(overrides).collect()
}

/// A base in a few words.
pub fn base(base: &BaseRecord, style: Styles) -> String {
    let version = base.version.as_ref();
    let version = version.map_or_else(String::new, |version| format!(" {version}"));
    let signer = base.signer.as_ref();
    let signer = signer.map_or_else(String::new, |signer| format!(" signed by {signer}"));
    let digest = style.dim(base.digest.get(..19).unwrap_or(&base.digest));
    format!(
        "{}{} {digest}{}",
        printable(&base.reference),
        printable(&version),
        printable(&signer)
    )
}

/// What is said in a base's stead, and where.
pub fn changed(one: &OverrideRecord, style: Styles) -> String {
    format!(
        "{} {} {}",
        printable(&one.key),
        arrow(one.old.as_deref(), Some(&one.new), style),
        style.dim(format_args!("({})", printable(&one.at)))
    )
}
