//! Certificates of an authority that nobody else trusts.

use std::path::PathBuf;
use std::process::Command;

/// Certificates, made with `openssl` into a folder each: `ca.pem`, `cert.pem`, `key.pem`.
pub struct Authority {
    folder: tempfile::TempDir,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let authority = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        let itself = ["-x509", "-days", "2"];
        authority.request("authority", "ca-key.pem", "ca.pem", &itself);
        authority
    }

    /// Runs `openssl` in its folder.
    pub fn openssl(&self, args: &[&str]) {
        let mut run = Command::new("openssl");
        let run = run.args(args).current_dir(self.folder.path()).output();
        let output = run.expect("openssl runs: run ./dev test, or install it");
        assert!(output.status.success(), "openssl {args:?}: {output:?}");
    }

    /// Makes a key, and what asks for a certificate for it.
    fn request(&self, name: &str, key: &str, out: &str, more: &[&str]) {
        let subject = format!("/CN={name}");
        let key = [
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            key,
        ];
        let rest = ["-out", out, "-subj", &subject];
        self.openssl(&[&["req"][..], &key, &rest, more].concat());
    }

    /// A file of it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Signs a certificate for `name` that ends in `days`.
    pub fn sign(&self, folder: &str, name: &str, days: &str) -> PathBuf {
        let path = self.file(folder);
        std::fs::create_dir(&path).expect("a folder");
        std::fs::write(self.file("ext"), format!("subjectAltName={name}\n")).expect("a file");
        let at = |file: &str| format!("{folder}/{file}");
        self.request("test", &at("key.pem"), "request.pem", &[]);
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            "request.pem",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca-key.pem",
            "-CAcreateserial",
            "-out",
            &at("cert.pem"),
            "-days",
            days,
            "-extfile",
            "ext",
        ]);
        std::fs::copy(self.file("ca.pem"), path.join("ca.pem")).expect("a copy");
        if days == "0" {
            // It is good for this second.
            std::thread::sleep(std::time::Duration::from_secs(2));
        }
        path
    }
}
