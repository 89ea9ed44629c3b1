//! What a download costs its client: CPU seconds of the receiving thread per gigabyte, for each way to receive.
//!
//! ```text
//! cargo run --release -p carrack-tls --example receive [MIB] [ROUNDS] [FOLDER]
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    fs::File,
    io::{self, ErrorKind},
    net::Ipv4Addr,
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::Arc,
    thread,
    time::Instant,
};

use carrack_tls::{
    ClientControlTls, ClientSettings, ClientTls, ControlTls, DataStream, Direction, Identity, Interest,
    Received, ServerTls, Settings, Trust, Version, Versions,
};
use rustix::time::{ClockId, clock_gettime};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::spawn_blocking,
};

const MIB: u64 = 1024 * 1024;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mib: u64 = arguments.next().map_or(2048, |text| text.parse().expect("MIB is a number"));
    let rounds: usize = arguments.next().map_or(3, |text| text.parse().expect("ROUNDS is a number"));
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| "/dev/shm".to_owned()));
    let bytes = mib * MIB;

    // One file for all, written once before: what it costs to find memory for it is no concern of ours.
    let path = folder.join(format!("carrack-download-{}", std::process::id()));
    let file = File::create(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    for mib in 0..mib {
        file.write_all_at(&vec![1; MIB as usize], mib * MIB).unwrap();
    }
    for version in [Version::Tls13, Version::Tls12] {
        let (server, client) = control(version).await;
        for _ in 0..rounds {
            for (name, receive) in WAYS {
                let (mut near, far) = data(&server, &client).await;
                let sending = thread::spawn(move || send(&mut near, bytes));
                let file = file.try_clone().unwrap();
                let (cpu, wall) = spawn_blocking(move || measured(far, &file, bytes, receive)).await.unwrap();
                sending.join().unwrap();
                let gigabytes = bytes as f64 / 1e9;
                println!(
                    "{version:?} {name:<8} {:.3} CPU s/GB {:5.0} MB/s",
                    cpu / gigabytes,
                    gigabytes * 1e3 / wall
                );
            }
        }
    }
}

type Way = fn(&mut DataStream, &File, u64) -> io::Result<Received>;

const WAYS: [(&str, Way); 3] = [("read", copied), ("read_to", lent), ("drop", dropped)];

thread_local! {
    static BUFFER: std::cell::RefCell<Vec<u8>> = std::cell::RefCell::new(vec![0; 256 * 1024]);
}

fn copied(stream: &mut DataStream, file: &File, at: u64) -> io::Result<Received> {
    BUFFER.with_borrow_mut(|buffer| {
        let received = stream.read(buffer)?;
        if let Received::Bytes(n) = received {
            file.write_all_at(&buffer[..n], at)?;
        }
        Ok(received)
    })
}

fn lent(stream: &mut DataStream, file: &File, at: u64) -> io::Result<Received> {
    stream.read_to(&mut |slices| {
        let total: usize = slices.iter().map(|slice| slice.len()).sum();
        let written = rustix::io::pwritev(file, slices, at)?;
        assert_eq!(written, total);
        Ok(())
    })
}

fn dropped(stream: &mut DataStream, _file: &File, _at: u64) -> io::Result<Received> {
    stream.read_to(&mut |_| Ok(()))
}

fn measured(mut stream: DataStream, file: &File, bytes: u64, receive: Way) -> (f64, f64) {
    let (cpu, wall) = (thread_cpu_s(), Instant::now());
    let (mut at, mut calls, mut waits) = (0, 0u64, 0u64);
    loop {
        match receive(&mut stream, file, at) {
            Ok(Received::Bytes(n)) => {
                at += n as u64;
                calls += 1;
            }
            Ok(end) => {
                assert_eq!((end, at), (Received::End, bytes));
                print!("[{:4} KiB a call, {waits:6} waits] ", at / calls / 1024);
                return (thread_cpu_s() - cpu, wall.elapsed().as_secs_f64());
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                waits += 1;
                stream.wait_ready(Interest::Readable, None).unwrap();
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn thread_cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn send(stream: &mut DataStream, bytes: u64) {
    let block = vec![0x5a; 64 * 1024];
    let mut left = bytes;
    while left > 0 {
        let piece = &block[..left.min(block.len() as u64) as usize];
        match stream.write(piece) {
            Ok(n) => left -= n as u64,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                stream.wait_ready(Interest::Writable, None).unwrap();
            }
            Err(error) => panic!("{error}"),
        }
    }
    while stream.finish().is_err() {
        stream.wait_ready(Interest::Writable, None).unwrap();
    }
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (listener.accept().await.unwrap().0, far)
}

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

async fn data(server: &ControlTls, client: &ClientControlTls) -> (DataStream, DataStream) {
    let (near, far) = pair().await;
    let accepting = async {
        let (mut stream, _) = server.accept_data(near, Direction::ToClient).await.unwrap();
        stream.flush().unwrap();
        stream
    };
    let (near, far) = tokio::join!(accepting, client.connect_data(far));
    let far = far.unwrap();
    (near, far)
}
