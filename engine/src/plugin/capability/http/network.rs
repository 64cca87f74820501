//! What all outgoing requests share: how names are resolved, and whose certificates are trusted.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

use crate::plugin::{Answers, Resolver, SystemResolver};

/// The way to other hosts.
pub struct Network {
    pub resolver: Arc<dyn Resolver>,
    /// Made for the first request that needs it: most deploys send none.
    tls: OnceCell<Arc<ClientConfig>>,
    /// What answers where nothing is to go out.
    pub answers: Option<Arc<dyn Answers>>,
}

impl Default for Network {
    fn default() -> Self {
        Self::new(Arc::new(SystemResolver))
    }
}

impl Network {
    pub fn new(resolver: Arc<dyn Resolver>) -> Self {
        Self {
            resolver,
            tls: OnceCell::new(),
            answers: None,
        }
    }

    /// No way to other hosts: these are the answers.
    pub fn answering(answers: Arc<dyn Answers>) -> Self {
        Self {
            answers: Some(answers),
            ..Self::default()
        }
    }

    /// TLS with the system's root certificates.
    pub async fn tls(&self) -> Result<TlsConnector, String> {
        // Hundreds of files, on some systems.
        let load = || async {
            match tokio::task::spawn_blocking(client_config).await {
                Ok(config) => config.map(Arc::new),
                Err(error) => Err(error.to_string()),
            }
        };
        let config = self.tls.get_or_try_init(load).await?;
        Ok(TlsConnector::from(config.clone()))
    }
}

fn client_config() -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    let (good, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if good == 0 {
        return Err(
            "the system trusts no certificate: install `ca-certificates`, or name a file of \
             certificates in SSL_CERT_FILE"
                .to_owned(),
        );
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
