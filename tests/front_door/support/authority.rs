use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::state_dir;

/// A certificate authority of one test's own.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: TempDir,
}

/// What a server shows, in PEM files, and its key.
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
    chain: rcgen::Certificate,
    pair: KeyPair,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Else the certificates it issues look self-signed to OpenSSL.
        params
            .distinguished_name
            .push(DnType::CommonName, "Test authority");
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let dir = state_dir();
        std::fs::write(dir.path().join("ca.pem"), issuer.pem()).expect("its file");
        Self { issuer, dir }
    }

    /// The authority's certificate, as `ca_file` and `sslrootcert` want it.
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// A directory that other users may enter.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// For a server on 127.0.0.1.
    pub fn identity(&self) -> Identity {
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
        let pair = KeyPair::generate().expect("a key");
        let chain = params
            .signed_by(&pair, &self.issuer)
            .expect("a certificate");
        let (certificate, key) = (
            self.dir.path().join("server.pem"),
            self.dir.path().join("server.key"),
        );
        std::fs::write(&certificate, chain.pem()).expect("its file");
        std::fs::write(&key, pair.serialize_pem()).expect("its file");
        Identity {
            certificate,
            key,
            chain,
            pair,
        }
    }
}

/// Speaks TLS for a server that does not.
pub struct TlsFront {
    pub base_url: String,
    serving: JoinHandle<()>,
}

impl TlsFront {
    /// In front of `host:port`.
    pub async fn of(server: String, identity: &Identity) -> Self {
        Self::asking(server, identity, None).await
    }

    /// The same, and only for clients with a certificate of this authority.
    pub async fn for_known(server: String, identity: &Identity, authority: &Authority) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority.issuer.der().clone()).expect("a root");
        let verifier = WebPkiClientVerifier::builder_with_provider(
            roots.into(),
            ring::default_provider().into(),
        )
        .build()
        .expect("a verifier");
        Self::asking(server, identity, Some(verifier)).await
    }

    async fn asking(
        server: String,
        identity: &Identity,
        clients: Option<Arc<dyn ClientCertVerifier>>,
    ) -> Self {
        let key = PrivatePkcs8KeyDer::from(identity.pair.serialize_der());
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("protocols");
        let builder = match clients {
            Some(clients) => builder.with_client_cert_verifier(clients),
            None => builder.with_no_client_auth(),
        };
        let config = builder
            .with_single_cert(vec![identity.chain.der().clone()], key.into())
            .expect("a certificate and its key");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base_url = format!("https://{}", listener.local_addr().expect("its address"));
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass_on(acceptor.clone(), client, server.clone()));
            }
        });
        Self { base_url, serving }
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass_on(acceptor: TlsAcceptor, client: TcpStream, server: String) {
    // A client that does not trust us goes away; the test sees what it says.
    let Ok(mut client) = acceptor.accept(client).await else {
        return;
    };
    let mut server = TcpStream::connect(server).await.expect("the server");
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}
