//! The client against OpenSSL's own server: groups, tickets, sessions and client certificates as other people have them.

use std::process::Stdio;

use rcgen::KeyPair;
use rustls::AlertDescription;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    task::JoinHandle,
};

use super::{
    certificates::{Authority, Pem, expired, for_clients, good, self_signed_pem},
    *,
};

/// `openssl s_server`, which sends each line back turned round. It serves one connection after the other.
struct Peer {
    port: u16,
    process: Child,
    hellos: JoinHandle<usize>,
    _files: tempfile::TempDir,
}

impl Peer {
    async fn new(pem: &Pem, arguments: &[&str]) -> Peer {
        let files = tempfile::tempdir().unwrap();
        std::fs::write(files.path().join("chain.pem"), &pem.chain).unwrap();
        std::fs::write(files.path().join("key.pem"), &pem.key).unwrap();
        let mut process = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-rev", "-msg"])
            .args(["-cert", "chain.pem", "-cert_chain", "chain.pem", "-key", "key.pem"])
            .args(arguments)
            .current_dir(files.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next_line().await.unwrap().unwrap();
            if let Some((_, port)) = line.strip_prefix("ACCEPT ").and_then(|address| address.rsplit_once(':'))
            {
                break port.parse().unwrap();
            }
        };
        let hellos = tokio::spawn(async move {
            let mut hellos = 0;
            while let Ok(Some(line)) = lines.next_line().await {
                hellos += usize::from(line.contains("ClientHello"));
            }
            hellos
        });
        Peer { port, process, hellos, _files: files }
    }

    /// Ends it; says how many ClientHellos it has seen.
    async fn stop(mut self) -> usize {
        self.process.kill().await.unwrap();
        self.hellos.await.unwrap()
    }

    async fn socket(&self) -> TcpStream {
        let socket = TcpStream::connect((HOME, self.port)).await.unwrap();
        socket.set_nodelay(true).unwrap();
        socket
    }

    /// A whole control connection; tickets come in front of the first line.
    async fn control(&self, tls: &ClientControlTls) -> Result<(), ConnectError> {
        let mut stream = tls.connect(self.socket().await).await?;
        stream.write_all(b"olleh\n").await?;
        let mut line = [0; 6];
        stream.read_exact(&mut line).await?;
        assert_eq!(&line, b"hello\n");
        stream.shutdown().await?;
        stream.read_to_end(&mut Vec::new()).await?;
        Ok(())
    }

    /// A whole data connection; says what protected it.
    async fn data(&self, tls: &ClientControlTls) -> Result<TlsInfo, ConnectError> {
        let mut stream = tls.connect_data(self.socket().await).await?;
        assert_eq!(stream.write(b"elif\n").unwrap(), 5);
        let (mut line, mut buf) = (Vec::new(), [0; 64]);
        while line.len() < 5 {
            match stream.read(&mut buf) {
                Ok(Received::Bytes(n)) => line.extend_from_slice(&buf[..n]),
                Ok(end) => panic!("{end:?}"),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    stream.ready(Interest::Readable).await.unwrap();
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(line, b"file\n");
        send_all(&mut stream, b"").await;
        Ok(stream.info().unwrap())
    }
}

fn own() -> (Pem, Trust) {
    let pem = self_signed_pem(&good(), &KeyPair::generate().unwrap());
    let trust = Trust::Pinned(pem.identity().fingerprint());
    (pem, trust)
}

fn any(trust: Trust, identity: Option<Identity>) -> ClientTls {
    ClientTls::new("localhost", ClientSettings { trust, versions: Versions::Any, identity }).unwrap()
}

#[tokio::test]
async fn data_connections_resume_by_tickets_and_by_session_ids() {
    let (pem, trust) = own();
    for (arguments, version, supply) in [
        (&["-tls1_3"][..], Version::Tls13, Supply::Tickets(2)),
        // Tickets that name a session which the server keeps.
        (&["-tls1_3", "-no_ticket"], Version::Tls13, Supply::Tickets(2)),
        (&["-tls1_2"], Version::Tls12, Supply::Endless),
        (&["-tls1_2", "-no_ticket"], Version::Tls12, Supply::Endless),
    ] {
        let peer = Peer::new(&pem, arguments).await;
        let tls = any(trust.clone(), None).control();
        assert_eq!(tls.supply(), Supply::Tickets(0));
        peer.control(&tls).await.unwrap();
        assert_eq!((tls.supply(), tls.info().unwrap().version), (supply, version), "{arguments:?}");
        for number in 0..10 {
            let info = peer.data(&tls).await.unwrap();
            assert_eq!((info.resumed, info.version), (true, version), "{arguments:?} {number}");
            assert_eq!(tls.supply(), supply, "each brings another");
        }
    }
}

#[tokio::test]
async fn servers_without_sessions_are_met_anew() {
    let (pem, trust) = own();
    for arguments in [&["-tls1_3", "-num_tickets", "0"][..], &["-tls1_2", "-no_ticket", "-no_cache"]] {
        let peer = Peer::new(&pem, arguments).await;
        let tls = any(trust.clone(), None).control();
        peer.control(&tls).await.unwrap();
        assert_eq!((tls.supply(), tls.tickets_received()), (Supply::Tickets(0), 0), "{arguments:?}");
        assert!(!peer.data(&tls).await.unwrap().resumed, "{arguments:?}");
    }
}

#[tokio::test]
async fn no_more_tickets_are_kept_than_can_be_used() {
    let (pem, trust) = own();
    let peer = Peer::new(&pem, &["-tls1_3", "-num_tickets", "100"]).await;
    let tls = any(trust, None).control();
    peer.control(&tls).await.unwrap();
    assert_eq!((tls.supply(), tls.tickets_received()), (Supply::Tickets(64), 100));
    assert!(peer.data(&tls).await.unwrap().resumed);
}

#[tokio::test]
async fn a_server_that_wants_another_group_is_asked_once() {
    let (pem, trust) = own();
    let peer = Peer::new(&pem, &["-tls1_3", "-groups", "P-256"]).await;
    let tls = any(trust, None).control();
    peer.control(&tls).await.unwrap();
    for _ in 0..3 {
        assert!(peer.data(&tls).await.unwrap().resumed);
    }
    assert_eq!(peer.stop().await, 2 + 3, "one HelloRetryRequest, on the control connection");
}

#[tokio::test]
async fn servers_that_know_one_protocol_name_are_understood() {
    let (pem, trust) = own();
    for version in ["-tls1_2", "-tls1_3"] {
        let peer = Peer::new(&pem, &[version, "-alpn", "ftp"]).await;
        let tls = any(trust.clone(), None).control();
        peer.control(&tls).await.unwrap();
        assert_eq!(tls.info().unwrap().alpn, Some("ftp"));
        let info = peer.data(&tls).await.unwrap();
        assert_eq!((info.alpn, info.resumed), (Some("ftp"), true));

        let foreign = Peer::new(&pem, &[version, "-alpn", "http/1.1"]).await;
        let error = foreign.control(&any(trust.clone(), None).control()).await.unwrap_err();
        assert!(matches!(error, ConnectError::Refused(AlertDescription::NoApplicationProtocol)), "{error}");
    }
}

#[tokio::test]
async fn servers_without_a_common_version_are_told_apart() {
    let (pem, trust) = own();
    let old = ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"];
    for (arguments, version) in
        [(&old[..], None), (&["-tls1_2"], Some(Version::Tls13)), (&["-tls1_3"], Some(Version::Tls12))]
    {
        let peer = Peer::new(&pem, arguments).await;
        let client = any(trust.clone(), None);
        let client = version.map_or(client.clone(), |version| client.limited_to(version));
        let error = peer.control(&client.control()).await.unwrap_err();
        assert!(matches!(error, ConnectError::NoCommonVersion), "{arguments:?}: {error:?}");
    }
}

#[tokio::test]
async fn servers_that_demand_a_client_certificate_get_it_or_say_so() {
    let (pem, trust) = own();
    let authority = Authority::new("clients");
    let client = authority.issue_pem(for_clients());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &client.chain).unwrap();
    for version in ["-tls1_2", "-tls1_3"] {
        let arguments =
            [version, "-Verify", "2", "-verify_return_error", "-CAfile", file.path().to_str().unwrap()];
        let peer = Peer::new(&pem, &arguments).await;
        let tls = any(trust.clone(), Some(client.identity())).control();
        peer.control(&tls).await.unwrap();
        assert!(peer.data(&tls).await.unwrap().resumed);

        let error = peer.control(&any(trust.clone(), None).control()).await.unwrap_err();
        assert!(matches!(error, ConnectError::CertificateRequired), "{version}: {error:?}");
    }
}

#[tokio::test]
async fn certificates_are_judged_as_from_our_own_server() {
    let (known, unknown) = (Authority::new("known"), Authority::new("unknown"));
    let self_made = self_signed_pem(&good(), &KeyPair::generate().unwrap());
    for version in ["-tls1_2", "-tls1_3"] {
        let peer = Peer::new(&known.issue_pem(good()), &[version]).await;
        let tls = any(known.trusted(), None).control();
        peer.control(&tls).await.unwrap();
        assert!(peer.data(&tls).await.unwrap().resumed);
        for (pem, part) in [
            (&self_made, "self-signed"),
            (&unknown.issue_pem(good()), "none of the authorities"),
            (&known.issue_pem(expired()), "it expired at 2021-02-03T00:00:00Z"),
        ] {
            let peer = Peer::new(pem, &[version]).await;
            let error = peer.control(&any(known.trusted(), None).control()).await.unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            let ConnectError::Untrusted(untrusted) = error else { panic!("{error}") };
            assert_eq!(&untrusted.chain[0], pem.identity().description());
        }
    }
}
