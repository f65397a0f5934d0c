//! An authority of a test's own, and certificates that it signs, so that a test's Redis can speak TLS.

use std::{
    fs::write,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use tempfile::TempDir;

use crate::TlsArgs;

/// Who signs. Everything that it wrote is gone with this value.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: TempDir,
    signed: AtomicUsize,
}

/// A certificate for this machine, to serve with or to connect with: files of PEM.
pub struct Signed {
    /// The certificate.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Authority {
    /// A new one, that nobody else trusts.
    #[allow(clippy::new_without_default, reason = "each is another")]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        let name = format!("a test's, {:08x}", rand::random::<u32>());
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key can be made");
        let own = params.self_signed(&key).expect("it signs itself");
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        write(folder.path().join("ca.pem"), own.pem()).expect("a file can be written");
        Self {
            issuer: Issuer::new(params, key),
            folder,
            signed: AtomicUsize::new(0),
        }
    }

    /// Its own certificate: a file of PEM.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Signs one more certificate.
    pub fn sign(&self) -> Signed {
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let mut params = CertificateParams::new(names).expect("the names are names");
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().expect("a key can be made");
        let cert = params.signed_by(&key, &self.issuer).expect("it signs");
        let n = self.signed.fetch_add(1, Ordering::Relaxed);
        let file = |what: &str, text: String| {
            let path = self.folder.path().join(format!("{n}.{what}.pem"));
            write(&path, text).expect("a file can be written");
            path
        };
        Signed {
            cert: file("cert", cert.pem()),
            key: file("key", key.serialize_pem()),
        }
    }

    /// How to reach a Redis whose certificates it signed, with one that it signs now.
    pub fn args(&self) -> TlsArgs {
        let Signed { cert, key } = self.sign();
        TlsArgs {
            redis_ca: Some(self.file()),
            redis_cert: Some(cert),
            redis_key: Some(key),
        }
    }

    /// Options of a `redis-server` that shows a certificate of this authority, also to other nodes, and wants to see one.
    pub(super) fn options(&self) -> Vec<String> {
        let Signed { cert, key } = self.sign();
        let text = |path: &Path| path.display().to_string();
        [
            ["--tls-cert-file", &text(&cert)],
            ["--tls-key-file", &text(&key)],
            ["--tls-ca-cert-file", &text(&self.file())],
            ["--tls-auth-clients", "yes"],
            ["--tls-replication", "yes"],
            ["--tls-cluster", "yes"],
        ]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect()
    }
}
