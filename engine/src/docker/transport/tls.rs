//! TLS with certificates on both sides.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Dial, Stream};

/// Why there is no TLS with a daemon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsFailure {
    /// A file of certificates can't be used.
    #[error("{} can't be used: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody that is trusted vouches for the daemon.
    #[error("its certificate is signed by nobody that is trusted here")]
    UnknownIssuer,
    /// The daemon's certificate is for another name.
    #[error("its certificate is not for the name {0}")]
    OtherName(String),
    /// The daemon's certificate is too old.
    #[error("its certificate has expired")]
    Expired,
    /// The daemon's certificate is of no use, in the words of the library.
    #[error("its certificate is not valid: {0}")]
    Invalid(String),
    /// The daemon wants a certificate, and there is none.
    #[error("it wants a client certificate, and none was given")]
    NoClientCertificate,
    /// The daemon does not take the certificate that it was given.
    #[error("it refuses the client certificate")]
    ClientCertificateRefused,
    /// What answers there speaks no TLS, or no version of it that is safe.
    #[error("it does not speak TLS: {0}")]
    NoTls(String),
    /// It speaks TLS and was asked without, in its words.
    #[error("it speaks TLS alone: {0}")]
    OnlyTls(String),
}

impl TlsFailure {
    /// What an error of the network says of TLS with `host`; `shown` is true if it was shown a
    /// client's certificate.
    pub(in crate::docker) fn of(error: &io::Error, host: &str, shown: bool) -> Option<Self> {
        let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
        Some(match error {
            rustls::Error::InvalidCertificate(reason) => match reason {
                // The second where another authority has the same name.
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    Self::UnknownIssuer
                }
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    Self::Expired
                }
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => {
                    Self::OtherName(host.to_owned())
                }
                other => Self::Invalid(other.to_string()),
            },
            rustls::Error::AlertReceived(alert) => match alert {
                AlertDescription::CertificateRequired => Self::NoClientCertificate,
                // TLS 1.2 and older libraries have no word of their own for it.
                AlertDescription::BadCertificate | AlertDescription::HandshakeFailure if !shown => {
                    Self::NoClientCertificate
                }
                AlertDescription::BadCertificate
                | AlertDescription::UnknownCA
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::CertificateRevoked
                | AlertDescription::UnsupportedCertificate => Self::ClientCertificateRefused,
                other => Self::NoTls(format!("{other:?}")),
            },
            other => Self::NoTls(other.to_string()),
        })
    }

    /// What can be done about it.
    pub(in crate::docker) fn advice(&self) -> &'static str {
        match self {
            Self::File { .. } => {
                "DOCKER_CERT_PATH, or the context, names a folder with ca.pem, cert.pem and key.pem"
            }
            Self::UnknownIssuer => {
                "put the certificate of who signed it into ca.pem of DOCKER_CERT_PATH, or of the context"
            }
            Self::OtherName(_) => {
                "use a name that stands in the certificate, or have one made for this name"
            }
            Self::Expired | Self::Invalid(_) => {
                "have a new one made for the daemon, and check the clocks of both machines"
            }
            Self::NoClientCertificate => {
                "put cert.pem and key.pem beside ca.pem, in the folder that DOCKER_CERT_PATH or the context names"
            }
            Self::ClientCertificateRefused => {
                "cert.pem has to be signed by whom the daemon trusts (its --tlscacert), and not to have expired"
            }
            Self::OnlyTls(_) => {
                "set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder with ca.pem, cert.pem and key.pem"
            }
            Self::NoTls(_) => {
                "does the daemon listen with --tlsverify? 2376 is the usual port with TLS, 2375 without"
            }
        }
    }
}

/// A daemon's port with TLS.
pub struct Tls {
    host: String,
    port: u16,
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
}

impl Tls {
    /// With the certificates of a folder, as far as there are any: without `ca.pem` the system's
    /// roots are trusted, without `cert.pem` and `key.pem` the daemon does not learn who asks.
    pub fn new(host: &str, port: u16, folder: Option<&Path>) -> Result<Self, TlsFailure> {
        let host = host.trim_matches(['[', ']']).to_owned();
        let name =
            ServerName::try_from(host.clone()).map_err(|_| TlsFailure::OtherName(host.clone()))?;
        let file = |name: &str| {
            let path = folder.map(|folder| folder.join(name));
            path.filter(|path| path.exists())
        };
        let roots = roots(file("ca.pem"))?;
        let invalid = |error: rustls::Error| TlsFailure::Invalid(error.to_string());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(invalid)?
            .with_root_certificates(roots);
        let config = match (file("cert.pem"), file("key.pem")) {
            (Some(certificate), Some(key)) => {
                let chain = certificates(&certificate)?;
                let key_error = unusable(&key);
                let key = PrivateKeyDer::from_pem_file(&key).map_err(|e| key_error(&e))?;
                let with_key = config.with_client_auth_cert(chain, key);
                with_key.map_err(|error| unusable(&certificate)(&error))?
            }
            _ => config.with_no_client_auth(),
        };
        Ok(Self {
            host,
            port,
            name,
            config: Arc::new(config),
        })
    }
}

impl Dial for Tls {
    fn dial(self: Arc<Self>) -> BoxFuture<'static, io::Result<Stream>> {
        async move {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            stream.set_nodelay(true)?;
            let tls = TlsConnector::from(self.config.clone());
            Ok(Stream::new(tls.connect(self.name.clone(), stream).await?))
        }
        .boxed()
    }
}

fn roots(ca: Option<PathBuf>) -> Result<RootCertStore, TlsFailure> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(path) => {
            for certificate in certificates(&path)? {
                let added = roots.add(certificate);
                added.map_err(|error| unusable(&path)(&error))?;
            }
        }
        None => {
            let native = rustls_native_certs::load_native_certs().certs;
            roots.add_parsable_certificates(native);
        }
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFailure> {
    let error = unusable(path);
    let read = CertificateDer::pem_file_iter(path).map_err(|reason| error(&reason))?;
    let read: Result<Vec<_>, _> = read.collect();
    match read {
        Ok(none) if none.is_empty() => Err(error(&"there is no certificate in it")),
        Ok(certificates) => Ok(certificates),
        Err(reason) => Err(error(&reason)),
    }
}

fn unusable(path: &Path) -> impl Fn(&dyn std::fmt::Display) -> TlsFailure + use<> {
    let path = path.to_owned();
    move |reason| TlsFailure::File {
        path: path.clone(),
        reason: reason.to_string(),
    }
}
