//! TLS: the certificate, and its renewal while the server runs.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_rustls::TlsAcceptor;

/// A certificate and its key, from files that may be replaced at any time.
#[derive(Clone, Debug)]
pub struct Tls(Arc<Files>);

#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    /// What the files held when they were read last, usable or not.
    read: Mutex<Contents>,
    config: RwLock<Arc<ServerConfig>>,
}

#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl std::fmt::Debug for Contents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contents")
    }
}

/// Why a certificate cannot be used; one sentence.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// The first file holds no certificate.
    #[error("{0} holds no certificate in PEM form")]
    NoCertificate(PathBuf),
    /// The second file holds no key.
    #[error("{0} holds no private key in PEM form")]
    NoKey(PathBuf),
    /// They do not belong together, or are of a kind that cannot be used.
    #[error("the certificate and the key cannot be used together: {0}")]
    Unusable(#[from] rustls::Error),
}

impl Tls {
    /// Reads a certificate (with those that lead to its root) and its key, both as PEM.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let contents = contents(certificate, key)?;
        let config = config(certificate, key, &contents)?;
        Ok(Self(Arc::new(Files {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            read: Mutex::new(contents),
            config: RwLock::new(Arc::new(config)),
        })))
    }

    /// For the next connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.0.config.read().unwrap_or_else(PoisonError::into_inner).clone().into()
    }

    /// Looks again and again whether the files have changed. A pair that cannot be used changes nothing.
    pub async fn keep_fresh(&self, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            let tls = self.clone();
            match tokio::task::spawn_blocking(move || tls.reread()).await {
                Ok(Ok(false)) => {}
                Ok(Ok(true)) => tracing::info!("the certificate was replaced"),
                Ok(Err(error)) => tracing::warn!("the certificate is not replaced: {error}"),
                Err(error) => tracing::error!("cannot look at the certificate: {error}"),
            }
        }
    }

    /// Whether there is another certificate now. Files that are no good are told of once.
    fn reread(&self) -> Result<bool, TlsError> {
        let Files { certificate, key, read, config: current } = &*self.0;
        let contents = contents(certificate, key)?;
        let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
        if *read == contents {
            return Ok(false);
        }
        let config = config(certificate, key, &contents);
        *read = contents;
        *current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config?);
        Ok(true)
    }
}

fn contents(certificate: &Path, key: &Path) -> Result<Contents, TlsError> {
    let read = |path: &Path| std::fs::read(path).map_err(|error| TlsError::Unreadable(path.to_owned(), error));
    Ok(Contents { certificate: read(certificate)?, key: read(key)? })
}

fn config(certificate: &Path, key: &Path, contents: &Contents) -> Result<ServerConfig, TlsError> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&contents.certificate)
        .collect::<Result<_, _>>()
        .ok()
        .filter(|chain: &Vec<_>| !chain.is_empty())
        .ok_or_else(|| TlsError::NoCertificate(certificate.to_owned()))?;
    let key = PrivateKeyDer::from_pem_slice(&contents.key).map_err(|_| TlsError::NoKey(key.to_owned()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
