//! `[edge]`: its times, and the files of its certificates.

use std::path::Path;

use toml::Spanned;

use super::convert::Reader;
use super::raw::{EdgeTable, TlsTable};
use super::{EdgeSection, ManifestError, TlsSection};
use crate::edge::Network;

impl Reader<'_> {
    pub(crate) fn edge(&self, table: EdgeTable) -> Result<EdgeSection, ManifestError> {
        let tls = table.tls.into_iter();
        let trust = table.trust.iter();
        Ok(EdgeSection {
            hold: self.duration(table.hold.as_ref())?,
            drain: self.duration(table.drain.as_ref())?,
            trust: trust
                .map(|text| self.network(text))
                .collect::<Result<_, _>>()?,
            tls: tls.map(|tls| self.tls(tls)).collect::<Result<_, _>>()?,
        })
    }

    fn network(&self, text: &Spanned<String>) -> Result<Network, ManifestError> {
        let parsed = text.get_ref().parse::<Network>();
        parsed.map_err(|error| {
            let help = "`trust` names the proxies in front of this host, such as \"10.0.0.0/8\"";
            self.error(text.span(), error.to_string(), Some(help.to_owned()))
        })
    }

    fn tls(&self, table: Spanned<TlsTable>) -> Result<TlsSection, ManifestError> {
        let span = table.span();
        let table = table.into_inner();
        let missing = |key: &str| {
            let message = format!("`{key}` is missing");
            let help = "a certificate has a `port`, and files: `certificate` and `key`";
            self.error(span.clone(), message, Some(help.to_owned()))
        };
        let (certificate, key) = (
            table.certificate.ok_or_else(|| missing("certificate"))?,
            table.key.ok_or_else(|| missing("key"))?,
        );
        Ok(TlsSection {
            port: table.port.ok_or_else(|| missing("port"))?,
            names: table.names,
            certificate: self.pem(&certificate, "CERTIFICATE-----")?,
            key: self.pem(&key, "PRIVATE KEY-----")?,
        })
    }

    /// A file that has something of this kind in it.
    pub(super) fn pem(&self, path: &Spanned<String>, kind: &str) -> Result<Vec<u8>, ManifestError> {
        let file = self.dir.join(Path::new(path.get_ref()));
        let text = match super::read(&file) {
            Ok(text) => text,
            Err(error) => {
                let message = format!("{} can't be read: {error}", file.display());
                return Err(self.error(path.span(), message, None));
            }
        };
        if !text.contains(kind) {
            let what = kind.trim_end_matches('-').to_lowercase();
            let message = format!("{} has no {what} in PEM format", file.display());
            let help = "a PEM file has lines such as `-----BEGIN CERTIFICATE-----`";
            return Err(self.error(path.span(), message, Some(help.to_owned())));
        }
        Ok(text.into_bytes())
    }
}
