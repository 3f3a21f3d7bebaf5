//! How does a client reach the broker: TCP or TLS?

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::profile::Tls;

/// PEM files of a broker that speaks TLS.
#[derive(Clone, Debug)]
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Whose certificates the clients show.
    pub clients_ca: PathBuf,
}

/// What a client said in the TLS handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Greeting {
    /// The name that it asked for (SNI).
    pub name: Option<String>,
    /// The protocol that was chosen of those that it offered (ALPN).
    pub protocol: Option<String>,
    pub showed_certificate: bool,
}

/// Where clients come in.
#[derive(Clone)]
pub enum Door {
    Tcp,
    Tls(Arc<ServerConfig>),
}

/// One connection.
pub enum Link {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Door {
    pub fn new(tls: Option<&Tls>, files: Option<&Files>) -> io::Result<Self> {
        let Some(tls) = tls else {
            return Ok(Door::Tcp);
        };
        let files = files.ok_or_else(|| io::Error::other("TLS needs files"))?;
        let chain = CertificateDer::pem_file_iter(&files.certificate);
        let chain = chain.and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let key = PrivateKeyDer::from_pem_file(&files.key);
        let builder = ServerConfig::builder();
        let builder = if tls.certificate {
            let mut roots = RootCertStore::empty();
            let ca = CertificateDer::from_pem_file(&files.clients_ca).map_err(io::Error::other)?;
            roots.add(ca).map_err(io::Error::other)?;
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build();
            builder.with_client_cert_verifier(verifier.map_err(io::Error::other)?)
        } else {
            builder.with_no_client_auth()
        };
        let chain = chain.map_err(io::Error::other)?;
        let config = builder.with_single_cert(chain, key.map_err(io::Error::other)?);
        let mut config = config.map_err(io::Error::other)?;
        let protocols = tls.protocols.iter();
        config.alpn_protocols = protocols.map(|name| name.as_bytes().to_vec()).collect();
        Ok(Door::Tls(Arc::new(config)))
    }

    /// Shakes hands, and tells what the client said in that.
    pub fn open(&self, mut stream: TcpStream) -> io::Result<(Link, Greeting)> {
        let Door::Tls(config) = self else {
            return Ok((Link::Tcp(stream), Greeting::default()));
        };
        let session = ServerConnection::new(Arc::clone(config));
        let mut session = session.map_err(io::Error::other)?;
        while session.is_handshaking() {
            session.complete_io(&mut stream)?;
        }
        let greeting = Greeting {
            name: session.server_name().map(String::from),
            protocol: (session.alpn_protocol())
                .map(|name| String::from_utf8_lossy(name).into_owned()),
            showed_certificate: session.peer_certificates().is_some(),
        };
        let link = Link::Tls(Box::new(StreamOwned::new(session, stream)));
        Ok((link, greeting))
    }
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Link::Tcp(stream) => stream.read(buffer),
            Link::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Link::Tcp(stream) => stream.write(bytes),
            Link::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Link::Tcp(stream) => stream.flush(),
            Link::Tls(stream) => stream.flush(),
        }
    }
}
