//! TLS to a receiver of syslog or mail, with certificates of the system, of one's own, and
//! of the client.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::open::{OpenError, certificates, identity};
use crate::config::ClientCert;

/// Opens TLS connections.
pub(super) struct Connector(TlsConnector);

impl fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Connector")
    }
}

type Chain = Vec<CertificateDer<'static>>;

impl Connector {
    pub(super) fn open(
        ca_file: Option<&Path>,
        client_cert: Option<&ClientCert>,
    ) -> Result<Self, OpenError> {
        let unusable =
            |error: rustls::Error| OpenError::unusable(format!("cannot set up TLS: {error}"));
        let roots = match ca_file {
            Some(path) => certificates(path, chain)?,
            None => Vec::new(),
        };
        let provider = Arc::new(ring::default_provider());
        let verifier =
            Verifier::new_with_extra_roots(roots, Arc::clone(&provider)).map_err(unusable)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let config = match client_cert {
            None => builder.with_no_client_auth(),
            Some(client) => {
                let (chain, key) = identity(client, |pem| {
                    let key = PrivateKeyDer::from_pem_slice(pem).map_err(io::Error::other)?;
                    Ok::<_, io::Error>((chain(pem)?, key))
                })?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(unusable)?
            }
        };
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    pub(super) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        self.0.connect(name, stream).await
    }
}

fn chain(pem: &[u8]) -> io::Result<Chain> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Chain, _>>()
        .map_err(io::Error::other)
}
