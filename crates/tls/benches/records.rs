//! What does the record path cost: sealing and sending, receiving and opening, over loopback in one thread?
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carrack_tls::{
    ClientControlTls, ClientSettings, ClientTls, ControlTls, DataStream, Direction, Identity, Received,
    ServerTls, Settings, Trust, Version, Versions,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// Bytes of one iteration: few enough to wait in the sockets until they are read.
const PIECE: usize = 64 * 1024;
/// What one read may bring.
const READ: usize = 256 * 1024;

criterion_group!(benches, records);
criterion_main!(benches);

fn records(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    for (name, version) in
        [("TLS 1.3", Some(Version::Tls13)), ("TLS 1.2", Some(Version::Tls12)), ("clear", None)]
    {
        let mut group = criterion.benchmark_group(format!("records, {name}"));
        group.throughput(Throughput::Bytes(PIECE as u64));
        let (mut near, mut far) = runtime.block_on(streams(version));
        group.bench_function("seal and send", |bencher| {
            bencher.iter_custom(|times| (0..times).map(|_| moved(&mut near, &mut far).0).sum());
        });
        group.bench_function("receive and open", |bencher| {
            bencher.iter_custom(|times| (0..times).map(|_| moved(&mut near, &mut far).1).sum());
        });
    }
}

/// Moves one piece; how long its sender and its receiver took.
fn moved(near: &mut DataStream, far: &mut DataStream) -> (Duration, Duration) {
    let (piece, mut buffer) = (vec![0x5a; PIECE], vec![0; READ]);
    let (mut sent, mut received) = (0, 0);
    let (mut sending, mut receiving) = (Duration::ZERO, Duration::ZERO);
    while received < PIECE {
        let begun = Instant::now();
        if let Some(left) = piece.get(sent..).filter(|left| !left.is_empty()) {
            sent += unless_blocked(near.write(left)).unwrap_or(0);
        } else {
            unless_blocked(near.flush());
        }
        sending += begun.elapsed();
        let begun = Instant::now();
        match unless_blocked(far.read(&mut buffer)) {
            Some(Received::Bytes(count)) => received += count,
            Some(end) => panic!("{end:?}"),
            None => {}
        }
        receiving += begun.elapsed();
    }
    (sending, receiving)
}

/// `None` where the socket has to be waited for.
fn unless_blocked<T>(outcome: io::Result<T>) -> Option<T> {
    match outcome {
        Ok(done) => Some(done),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => panic!("{error}"),
    }
}

/// A data connection: the server's end and the client's.
async fn streams(version: Option<Version>) -> (DataStream, DataStream) {
    let Some(version) = version else {
        let (near, far) = pair().await;
        return (DataStream::clear(near).unwrap(), DataStream::clear(far).unwrap());
    };
    let (server, client) = control(version).await;
    let (near, far) = pair().await;
    let accepting = async {
        let (mut stream, _) = server.accept_data(near, Direction::ToClient).await.unwrap();
        stream.flush().unwrap();
        stream
    };
    let (near, far) = tokio::join!(accepting, client.connect_data(far));
    (near, far.unwrap())
}

/// A control connection, which a data connection belongs to.
async fn control(version: Version) -> (ControlTls, ClientControlTls) {
    let made = Identity::self_signed(&["localhost".into()]).unwrap();
    let identity = Identity::from_pem(made.certificate_pem.as_bytes(), made.key_pem.as_bytes()).unwrap();
    let trust = Trust::Pinned(identity.fingerprint());
    let settings = ClientSettings { trust, versions: Versions::Only(version), identity: None };
    let client = ClientTls::new("localhost", settings).unwrap().control();
    let server = Arc::new(ServerTls::new(Settings::new(identity)).unwrap());
    let server = server.control(Ipv4Addr::LOCALHOST.into());
    let (near, far) = pair().await;
    let (accepted, connected) = tokio::join!(server.accept(near), client.connect(far));
    let (mut near, mut far) = (accepted.unwrap().0, connected.unwrap());
    near.write_all(b"220 ready\r\n").await.unwrap();
    far.read_exact(&mut [0; 11]).await.unwrap();
    (server, client)
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (listener.accept().await.unwrap().0, far)
}
