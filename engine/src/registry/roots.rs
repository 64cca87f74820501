//! Certificates that are trusted.

use reqwest::Certificate;

/// Those that the system trusts.
pub(super) fn system_roots() -> Vec<Certificate> {
    let found = rustls_native_certs::load_native_certs().certs;
    let found = found.iter();
    found
        .filter_map(|certificate| Certificate::from_der(certificate).ok())
        .collect()
}

/// Each certificate of a PEM file.
pub(super) fn pem_certificates(pem: &[u8]) -> Result<Vec<Certificate>, String> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| error.to_string())?;
    if found.is_empty() {
        return Err("there is no certificate in the file".to_owned());
    }
    let found = found.iter().map(|der| Certificate::from_der(der));
    found
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())
}
