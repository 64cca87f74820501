//! TLS: whose certificates are trusted.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::http::Answers;
use crate::lab::{assert_contains, host, pre_run, settings};
use crate::server::answer;

/// A certificate for `tls.example.com` with its key, and who signed it; for this test alone.
const SERVER: &[u8] = include_bytes!("tls/server.pem");
const KEY: &[u8] = include_bytes!("tls/server.key");
const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/grants/tls/ca.pem");

async fn server() -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificates = CertificateDer::pem_slice_iter(SERVER)
        .collect::<Result<_, _>>()
        .expect("certificates");
    let key = PrivateKeyDer::from_pem_slice(KEY).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .expect("a configuration");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                answer(stream, Arc::default()).await;
            }
        }
    });
    port
}

/// Asks the server by a name, and returns what came of it.
async fn ask(name: &str) -> String {
    let port = server().await;
    let host = host().with_resolver(Answers::new(&["127.0.0.1"]));
    let grant = format!("http = [\"{name}:{port}\", \"127.0.0.1:{port}\"]");
    let url = format!("https://{name}:{port}/");
    let tried = pre_run(&host, settings(&grant, &[&["fetch", "GET", &url]])).await;
    tried.line().to_owned()
}

#[tokio::test]
async fn a_certificate_that_the_system_does_not_trust_is_refused() {
    let line = ask("tls.example.com").await;
    // A system without any certificate trusts none.
    let refused = ["TlsCertificateError", "the system trusts no certificate"];
    assert!(refused.iter().any(|text| line.contains(text)), "{line}");
}

fn trusts_the_authority() -> bool {
    std::env::var_os("SSL_CERT_FILE").is_some_and(|file| Path::new(&file) == Path::new(AUTHORITY))
}

/// What a system trusts is read once in a process, so this test runs itself in another, whose
/// system trusts the authority.
#[tokio::test]
async fn a_certificate_that_the_system_trusts_is_taken_for_its_name_alone() {
    if trusts_the_authority() {
        assert_eq!(ask("tls.example.com").await, "ok: 200 hello");
        assert_contains(&ask("other.example.com").await, "TlsCertificateError");
        return;
    }
    crate::lab::probe();
    let name = "tls::a_certificate_that_the_system_trusts_is_taken_for_its_name_alone";
    let output = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", name])
        .env("SSL_CERT_FILE", AUTHORITY)
        .env_remove("SSL_CERT_DIR")
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert_contains(&text, "1 passed");
}
