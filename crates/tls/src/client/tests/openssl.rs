//! The client against OpenSSL's own server: groups, tickets, sessions and client certificates as other people have them.

use std::process::Stdio;

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::{
    certificates::{Authority, for_clients, good, self_signed},
    *,
};

/// `openssl s_server`, which sends each line back turned round. It serves one connection after the other.
struct Peer {
    port: u16,
    _process: Child,
    _files: tempfile::TempDir,
}

impl Peer {
    async fn new(identity: &Identity, key: &str, arguments: &[&str]) -> Peer {
        let files = tempfile::tempdir().unwrap();
        let chain: String = identity.certified_key().cert.iter().map(pem).collect();
        std::fs::write(files.path().join("cert.pem"), &chain).unwrap();
        std::fs::write(files.path().join("key.pem"), key).unwrap();
        let mut process = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-rev", "-cert", "cert.pem", "-key", "key.pem"])
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
            if let Some((_, port)) = line.strip_prefix("ACCEPT ").and_then(|address| address.rsplit_once(':')) {
                break port.parse().unwrap();
            }
        };
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Peer { port, _process: process, _files: files }
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
        let mut line = Vec::new();
        while line.len() < 5 {
            let mut buf = [0; 64];
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

fn pem(certificate: &crate::CertificateDer<'static>) -> String {
    use std::process::{Command, Stdio};
    let mut process = Command::new("openssl")
        .args(["x509", "-inform", "DER"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut process.stdin.take().unwrap(), certificate).unwrap();
    String::from_utf8(process.wait_with_output().unwrap().stdout).unwrap()
}
