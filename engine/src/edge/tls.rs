//! TLS for clients: certificates from files. What chooses among them is a resolver, and where they
//! come from is one function, so others can come from elsewhere.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::EdgeError;
use super::routes::Certificate;

/// Certificates by the names that they are for.
#[derive(Debug, Default)]
struct ByName {
    names: HashMap<String, Arc<CertifiedKey>>,
    other: Option<Arc<CertifiedKey>>,
}

impl ByName {
    fn find(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let named = name.and_then(|name| {
            let name = name.to_ascii_lowercase();
            let wild = || self.names.get(&format!("*.{}", name.split_once('.')?.1));
            self.names.get(&name).or_else(wild)
        });
        named.or(self.other.as_ref()).cloned()
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.find(hello.server_name())
    }
}

/// How a listener speaks TLS; `None` if it does not.
pub fn config(certificates: &[Certificate]) -> Result<Option<Arc<ServerConfig>>, EdgeError> {
    if certificates.is_empty() {
        return Ok(None);
    }
    let mut all = ByName::default();
    for certificate in certificates {
        let key = Arc::new(load(certificate)?);
        if certificate.names.is_empty() {
            all.other = Some(key.clone());
        }
        for name in &certificate.names {
            all.names.insert(name.to_ascii_lowercase(), key.clone());
        }
    }
    let unusable = |error: rustls::Error| EdgeError::Certificate {
        path: certificates[0].certificate.clone(),
        reason: error.to_string(),
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(all));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(Arc::new(config)))
}

fn load(files: &Certificate) -> Result<CertifiedKey, EdgeError> {
    let unusable = |path: &std::path::Path, reason: String| EdgeError::Certificate {
        path: path.to_owned(),
        reason,
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(|error| unusable(&files.certificate, error.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| unusable(&files.key, error.to_string()))?;
    CertifiedKey::from_der(chain, key, &ring::default_provider())
        .map_err(|error| unusable(&files.certificate, error.to_string()))
}
