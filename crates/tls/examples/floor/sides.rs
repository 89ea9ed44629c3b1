//! How do both sides speak TLS? Like the servers that are compared: P-256, AES-256-GCM, a key for ECDSA.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    sync::Arc,
};

use carrack_tls::Identity;
use rustls::{
    CipherSuite, ClientConfig, ConnectionCommon, RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::{
        CryptoProvider,
        aws_lc_rs::{self, Ticketer, kx_group::SECP256R1},
    },
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version::{TLS12, TLS13},
};

/// What both sides are made from.
pub(crate) struct Sides {
    pub(crate) server: Arc<ServerConfig>,
    pub(crate) client: Arc<ClientConfig>,
}

/// Both sides, for one version.
pub(crate) fn sides(is_tls12: bool) -> Sides {
    let made = Identity::self_signed(&["localhost".into()]).unwrap();
    let certificate = CertificateDer::from_pem_slice(made.certificate_pem.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(made.key_pem.as_bytes()).unwrap();
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![SECP256R1];
    provider.cipher_suites.retain(|suite| {
        matches!(
            suite.suite(),
            CipherSuite::TLS13_AES_256_GCM_SHA384 | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
        )
    });
    let provider: Arc<CryptoProvider> = provider.into();
    let versions: &[&SupportedProtocolVersion] = if is_tls12 { &[&TLS12] } else { &[&TLS13] };
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    server.ticketer = Ticketer::new().unwrap();
    // One for each that is used up.
    server.send_tls13_tickets = 1;
    server.enable_secret_extraction = true;
    Sides { server: server.into(), client: client.into() }
}

/// Does the handshake.
pub(crate) fn shake<D>(connection: &mut ConnectionCommon<D>, socket: &mut TcpStream) {
    while connection.is_handshaking() {
        while connection.wants_write() {
            connection.write_tls(socket).unwrap();
        }
        if connection.is_handshaking() {
            assert!(connection.read_tls(socket).unwrap() > 0, "the peer is still there");
            connection.process_new_packets().unwrap();
        }
    }
}

/// Reads to the peer's close_notify: how many bytes came.
pub(crate) fn read_to_end<D>(
    connection: &mut ConnectionCommon<D>,
    socket: &mut TcpStream,
    into: &mut [u8],
) -> usize {
    let mut read = 0;
    loop {
        match connection.reader().read(&mut into[read..]) {
            Ok(0) => return read,
            Ok(n) => read += n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                assert!(connection.read_tls(socket).unwrap() > 0, "the peer says that it is done");
                connection.process_new_packets().unwrap();
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Sends the last bytes and the end in one write.
pub(crate) fn write_last<D>(connection: &mut ConnectionCommon<D>, socket: &mut TcpStream, bytes: &[u8]) {
    connection.writer().write_all(bytes).unwrap();
    connection.send_close_notify();
    while connection.wants_write() {
        connection.write_tls(socket).unwrap();
    }
}
