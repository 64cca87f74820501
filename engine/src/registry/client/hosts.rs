//! Registries, each with connections of its own: how each is reached, and who one is there.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::Registries;
use crate::registry::RegistryError;
use crate::registry::reference::is_loopback;
use crate::registry::roots::{pem_certificates, system_roots};
use crate::registry::wire::Host;

/// Time for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a registry may say nothing.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const USER_AGENT: &str = concat!("rengine/", env!("CARGO_PKG_VERSION"));

impl Registries {
    /// A registry, or a mirror, by its name.
    pub(super) async fn host(&self, name: &str) -> Result<Arc<Host>, RegistryError> {
        let cell = {
            let hosts = self.inner.hosts.lock();
            let mut hosts = hosts.unwrap_or_else(PoisonError::into_inner);
            hosts.entry(name.to_owned()).or_default().clone()
        };
        let made = cell.get_or_try_init(|| self.make_host(name)).await?;
        Ok(made.clone())
    }

    async fn make_host(&self, name: &str) -> Result<Arc<Host>, RegistryError> {
        let login = self.inner.credentials.of(&format!("{name}/x")).await?;
        let error = |reason: String| RegistryError::Certificates {
            host: name.to_owned(),
            reason,
        };
        // Whoever came first has set it: then it is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let settings = self.inner.settings.get(name);
        let own = settings.and_then(|settings| settings.ca.as_ref());
        // A registry on this machine with a certificate of its own is asked with TLS.
        let tls = !is_loopback(name) || own.is_some();
        let mut roots = match tls {
            true => self.inner.roots.get_or_init(system_roots).clone(),
            false => Vec::new(),
        };
        if let Some(own) = own {
            roots.extend(pem_certificates(own).map_err(error)?);
        }
        let timeout = settings.and_then(|settings| settings.timeout);
        let timeout = timeout.unwrap_or(READ_TIMEOUT);
        let mut client = reqwest::Client::builder();
        if tls {
            client = client.tls_certs_only(roots);
        }
        if is_loopback(name) {
            // A proxy has another machine for it, and would be shown passwords. Docker does the same.
            client = client.no_proxy();
        }
        let client = client
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .user_agent(USER_AGENT)
            .build();
        let client = client.map_err(|wrong| error(crate::registry::error::causes(&wrong)))?;
        let host = Host::new(name, tls, client, timeout, login).map_err(|reason| {
            RegistryError::NotFound {
                action: format!("ask {name}"),
                host: name.to_owned(),
                help: format!("its name can't be asked for: {reason}"),
            }
        })?;
        Ok(Arc::new(host))
    }
}
