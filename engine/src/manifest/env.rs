//! Environment variables: those of files, and those that texts name.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;

use super::ManifestError;
use super::convert::Reader;
use super::raw::OneOrMany;

impl Reader<'_> {
    pub(super) fn env_files(
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
    pub(super) fn interpolate(
        &self,
        text: &str,
        span: Range<usize>,
    ) -> Result<String, ManifestError> {
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
