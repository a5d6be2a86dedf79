//! TLS for `https` checks. A failure here is the checker's: it says nothing about the work.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::connect::{Connection, failed};
use super::deadline::Deadline;
use super::reason::{Miss, Reason};

/// Speaks TLS over a connection with a host, whose certificate must be its own and come from a trusted authority.
pub(super) async fn handshake(
    Connection { wire, peer }: Connection,
    host: &str,
    authorities: Option<&Path>,
    deadline: &mut Deadline,
) -> Result<Connection, Miss> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| Miss::new(Reason::Invalid, format!("{host} is not a host's name")))?;
    let connector = TlsConnector::from(Arc::new(config(authorities)?));
    match deadline.bound(&format!("no TLS with {peer}"), connector.connect(name, wire)).await? {
        Ok(stream) => Ok(Connection { wire: Box::new(stream), peer }),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(Miss::new(Reason::Tls, format!("no TLS with {host} at {peer}: {error}")))
        }
        Err(error) => Err(failed(&error, &peer)),
    }
}

fn config(authorities: Option<&Path>) -> Result<ClientConfig, Miss> {
    let mut roots = RootCertStore::empty();
    match authorities {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let wrong = |why: String| Miss::new(Reason::Tls, format!("no certificates in {}: {why}", path.display()));
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))? {
                let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
                roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(wrong("it holds none".to_owned()));
            }
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| Miss::new(Reason::Tls, error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
