//! `[trust]`: the files of keys.

use toml::Spanned;

use super::ManifestError;
use super::convert::Reader;
use super::raw::TrustTable;
use crate::registry::{PublicKey, Reference, Trust};

impl Reader<'_> {
    /// Where there is a `[trust]`, signatures are needed unless it says otherwise.
    pub(super) fn trust(&self, table: Option<TrustTable>) -> Result<Trust, ManifestError> {
        let Some(table) = table else {
            return Ok(Trust::default());
        };
        let keys = |files: &[Spanned<String>]| -> Result<Vec<PublicKey>, ManifestError> {
            files.iter().map(|file| self.key(file)).collect()
        };
        let mut paths = Vec::new();
        for (path, files) in &table.paths {
            // What a reference can begin with.
            let text = path.get_ref().trim_end_matches('/');
            let checked: Result<Reference, _> = format!("{text}/x").parse();
            if checked.is_err() || checked.is_ok_and(|checked| checked.pick.is_some()) {
                let message = format!("`{}` is no path of a registry", path.get_ref());
                let help = "write it as sources do: `registry.example.com/platform`";
                return Err(self.error(path.span(), message, Some(help.to_owned())));
            }
            paths.push((text.to_owned(), keys(files)?));
        }
        Ok(Trust {
            given: true,
            require: table.require.unwrap_or(true),
            keys: keys(&table.keys)?,
            paths,
        })
    }

    fn key(&self, file: &Spanned<String>) -> Result<PublicKey, ManifestError> {
        let path = self.dir.join(file.get_ref());
        let read = super::read(&path).map_err(|error| error.to_string());
        let key = read.and_then(|text| PublicKey::parse(file.get_ref(), text.as_bytes()));
        key.map_err(|reason| {
            let message = format!("the key {} can't be used: {reason}", path.display());
            let help = "a public key is a PEM file, such as `rengine plugin keygen` or `cosign \
                        generate-key-pair` writes";
            self.error(file.span(), message, Some(help.to_owned()))
        })
    }
}
