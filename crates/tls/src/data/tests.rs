//! Ends, big transfers, readiness and cuts of data connections, against rustls clients on loopback.

mod first_flight;
mod lending;
mod sealing;
mod worn_out;

use std::{
    future::Future,
    io::{ErrorKind, Write},
    pin::pin,
    task::{Context, Waker},
    thread,
};

use rustls::version::{TLS12, TLS13};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use super::*;
use crate::{
    Direction, Proof,
    testkit::{Client, Control, VERSIONS, data, login, pair, server},
};

/// Reads to the end from async code.
pub(crate) async fn read_all(stream: &mut DataStream) -> Result<Vec<u8>, Vec<u8>> {
    let mut all = Vec::new();
    let mut buf = vec![0; 256 * 1024];
    loop {
        match stream.read(&mut buf) {
            Ok(Received::Bytes(n)) => all.extend_from_slice(&buf[..n]),
            Ok(Received::End) => return Ok(all),
            Ok(Received::Truncated | Received::Lost) => return Err(all),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                stream.ready(Interest::Readable).await.unwrap()
            }
            Err(error) => panic!("{error}"),
        }
    }
}

struct Connected {
    near: DataStream,
    far: TlsStream<TcpStream>,
    _control: Control,
}

async fn connected(version: &'static rustls::SupportedProtocolVersion, direction: Direction) -> Connected {
    let client = Client::new(version);
    let control = login(&server(), &client, "alice").await;
    let (accepted, far) = data(&control, &client, direction).await;
    let (near, proof) = accepted.unwrap();
    assert_eq!(proof, Proof::Own);
    Connected { near, far: far.unwrap(), _control: control }
}

fn reset(socket: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).unwrap();
}

#[tokio::test]
async fn an_upload_ends_with_close_notify_and_with_nothing_else() {
    for version in VERSIONS {
        let mut whole = connected(version, Direction::FromClient).await;
        whole.far.write_all(b"all of it").await.unwrap();
        whole.far.shutdown().await.unwrap();
        assert_eq!(read_all(&mut whole.near).await, Ok(b"all of it".to_vec()));
        assert_eq!(whole.near.read(&mut [0; 9]).unwrap(), Received::End);

        let mut cut = connected(version, Direction::FromClient).await;
        cut.far.write_all(b"a part").await.unwrap();
        cut.far.flush().await.unwrap();
        drop(cut.far);
        assert_eq!(read_all(&mut cut.near).await, Err(b"a part".to_vec()));
        assert_eq!(cut.near.read(&mut [0; 9]).unwrap(), Received::Truncated);

        let mut lost = connected(version, Direction::FromClient).await;
        lost.far.write_all(b"a part").await.unwrap();
        lost.far.flush().await.unwrap();
        reset(lost.far.into_inner().0);
        assert_eq!(read_all(&mut lost.near).await, Err(b"a part".to_vec()));

        let mut late = connected(version, Direction::FromClient).await;
        late.far.write_all(b"all of it").await.unwrap();
        late.far.get_mut().1.send_close_notify();
        late.far.flush().await.unwrap();
        reset(late.far.into_inner().0);
        assert_eq!(read_all(&mut late.near).await, Ok(b"all of it".to_vec()));
    }
}

#[tokio::test]
async fn a_record_cut_in_the_middle_is_truncated() {
    let mut upload = connected(&TLS13, Direction::FromClient).await;
    let (mut socket, mut session) = upload.far.into_inner();
    session.writer().write_all(b"never whole").unwrap();
    let mut record = Vec::new();
    session.write_tls(&mut record).unwrap();
    socket.write_all(&record[..record.len() - 1]).await.unwrap();
    drop(socket);
    assert_eq!(read_all(&mut upload.near).await, Err(Vec::new()));
    assert_eq!(upload.near.finish().map_err(|error| error.kind()), Ok(()));
}

#[tokio::test]
async fn a_forged_record_fails_after_what_came_before_it() {
    let mut upload = connected(&TLS13, Direction::FromClient).await;
    upload.far.write_all(b"true").await.unwrap();
    upload.far.flush().await.unwrap();
    let (mut socket, _) = upload.far.into_inner();
    socket.write_all(b"\x17\x03\x03\x00\x20this is not sealed by this key!!").await.unwrap();
    let mut buf = [0; 64];
    loop {
        match upload.near.read(&mut buf) {
            Ok(received) => assert_eq!((received, &buf[..4]), (Received::Bytes(4), &b"true"[..])),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                upload.near.ready(Interest::Readable).await.unwrap();
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::InvalidData);
                break;
            }
        }
    }
    assert_eq!(&buf[..4], b"true");
}

#[tokio::test]
async fn a_clear_connection_ends_with_fin() {
    let (near, mut far) = pair().await;
    let mut near = DataStream::clear(near).unwrap();
    assert_eq!(near.info(), None);
    far.write_all(b"all of it").await.unwrap();
    far.shutdown().await.unwrap();
    assert_eq!(read_all(&mut near).await, Ok(b"all of it".to_vec()));

    let (near, far) = pair().await;
    let mut near = DataStream::clear(near).unwrap();
    reset(far);
    assert_eq!(read_all(&mut near).await, Err(Vec::new()));
}

#[tokio::test]
async fn finished_data_and_close_notify_may_come_in_one_segment() {
    for version in VERSIONS {
        let client = Client::new(version);
        let control = login(&server(), &client, "alice").await;
        let (near, far) = pair().await;
        let far = far.into_std().unwrap();
        far.set_nonblocking(false).unwrap();
        let client = thread::spawn(move || {
            let (mut far, mut session) = (far, client.connection());
            session.writer().write_all(b"tiny").unwrap();
            while session.is_handshaking() {
                session.write_tls(&mut far).unwrap();
                session.read_tls(&mut far).unwrap();
                session.process_new_packets().unwrap();
            }
            session.send_close_notify();
            let mut flight = Vec::new();
            while session.wants_write() {
                session.write_tls(&mut flight).unwrap();
            }
            far.write_all(&flight).unwrap();
            far
        });
        let (mut near, proof) = control.tls.accept_data(near, Direction::FromClient).await.unwrap();
        assert_eq!(proof, Proof::Own);
        assert_eq!(read_all(&mut near).await, Ok(b"tiny".to_vec()));
        drop(client.join().unwrap());
    }
}

#[tokio::test]
async fn the_last_bytes_carry_close_notify_with_them() {
    for version in VERSIONS {
        let mut download = connected(version, Direction::ToClient).await;
        assert_eq!(download.near.write(b"first ").unwrap(), 6);
        assert_eq!(download.near.write_last(b"last").unwrap(), 4);
        let mut all = Vec::new();
        // Ends because close_notify came: the server's socket is still open both ways.
        download.far.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"first last");
        assert_eq!(download.near.write(b"more").unwrap_err().kind(), ErrorKind::BrokenPipe);
        download.near.finish().unwrap();
        download.near.finish().unwrap();
        assert_eq!(download.near.drain().unwrap_err().kind(), ErrorKind::WouldBlock);
        download.far.shutdown().await.unwrap();
        download.near.ready(Interest::Readable).await.unwrap();
        assert_eq!(download.near.drain().unwrap(), super::Drained::Ended);
    }
}

#[tokio::test]
async fn write_last_with_more_than_a_step_closes_only_behind_all_of_it() {
    let mut download = connected(&TLS13, Direction::ToClient).await;
    let bytes = vec![7; 100_000];
    let first = download.near.write_last(&bytes).unwrap();
    assert_eq!(first, 64 * 1024);
    assert_eq!(download.near.write_last(&bytes[first..]).unwrap(), bytes.len() - first);
    let mut all = Vec::new();
    download.far.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, bytes);
}

/// A repeatable source of bytes and sizes (xorshift64*).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn size(&mut self, most: usize) -> usize {
        1 + (self.next() % most as u64) as usize
    }
}

const BULK: usize = 64 * 1024 * 1024;

fn block() -> Vec<u8> {
    let mut noise = Noise(0x1234_5678_9abc_def1);
    (0..1_000_003).map(|_| noise.next() as u8).collect()
}

fn pump(stream: &mut DataStream, block: &[u8]) {
    let mut noise = Noise(99);
    let mut at = 0;
    while at < BULK {
        let from = at % block.len();
        let size = noise.size(200_000).min(block.len() - from).min(BULK - at);
        match stream.write(&block[from..from + size]) {
            Ok(n) => at += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                assert!(stream.wait_ready(Interest::Writable, None).unwrap());
            }
            Err(error) => panic!("{error}"),
        }
    }
    while let Err(error) = stream.finish() {
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        stream.wait_ready(Interest::Writable, None).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_mebibytes_arrive_whole_in_both_directions() {
    for version in VERSIONS {
        let block = block();
        let mut download = connected(version, Direction::ToClient).await;
        let source = block.clone();
        let mut near = download.near;
        let pumping = tokio::task::spawn_blocking(move || {
            pump(&mut near, &source);
            near
        });
        let (mut noise, mut at, mut buf) = (Noise(7), 0, vec![0; 100_000]);
        loop {
            let most = noise.size(buf.len());
            let n = download.far.read(&mut buf[..most]).await.unwrap();
            if n == 0 {
                break;
            }
            let from = at % block.len();
            let first = n.min(block.len() - from);
            assert!(buf[..first] == block[from..from + first] && buf[first..n] == block[..n - first]);
            at += n;
            // A slow reader: the sender's socket fills up again and again.
            if noise.next().is_multiple_of(8) {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(at, BULK);
        drop(pumping.await.unwrap());

        let mut upload = connected(version, Direction::FromClient).await;
        let source = block.clone();
        let sending = tokio::spawn(async move {
            let (mut noise, mut at) = (Noise(5), 0);
            while at < BULK {
                let from = at % source.len();
                let size = noise.size(300_000).min(source.len() - from).min(BULK - at);
                upload.far.write_all(&source[from..from + size]).await.unwrap();
                if version == &TLS13 && noise.next().is_multiple_of(64) {
                    upload.far.get_mut().1.refresh_traffic_keys().unwrap();
                }
                at += size;
            }
            upload.far.shutdown().await.unwrap();
            upload.far
        });
        let mut near = upload.near;
        let at = tokio::task::spawn_blocking(move || {
            let (mut noise, mut at, mut buf) = (Noise(3), 0, vec![0; 300_000]);
            loop {
                let most = noise.size(buf.len());
                match near.read(&mut buf[..most]) {
                    Ok(Received::Bytes(n)) => {
                        let from = at % block.len();
                        let first = n.min(block.len() - from);
                        assert!(
                            buf[..first] == block[from..from + first] && buf[first..n] == block[..n - first]
                        );
                        at += n;
                    }
                    Ok(end) => {
                        assert_eq!(end, Received::End);
                        return at;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        near.release_buffers();
                        near.wait_ready(Interest::Readable, None).unwrap();
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        })
        .await
        .unwrap();
        assert_eq!(at, BULK);
        drop(sending.await.unwrap());
    }
}

#[tokio::test]
async fn a_breaker_wakes_a_pump_that_waits() {
    let upload = connected(&TLS13, Direction::FromClient).await;
    let breaker = upload.near.breaker();
    let mut near = upload.near;
    let pump = thread::spawn(move || {
        loop {
            match near.read(&mut [0; 100]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    near.wait_ready(Interest::Readable, None).unwrap();
                }
                received => return received.unwrap(),
            }
        }
    });
    breaker.clone().cut();
    assert_eq!(pump.join().unwrap(), Received::Truncated);
    breaker.cut();

    let download = connected(&TLS12, Direction::ToClient).await;
    let breaker = download.near.breaker();
    let mut near = download.near;
    let pump = thread::spawn(move || {
        loop {
            match near.write(&[0; 65_536]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    near.wait_ready(Interest::Writable, None).unwrap();
                }
                Err(error) => return error.kind(),
            }
        }
    });
    breaker.cut();
    assert!(matches!(pump.join().unwrap(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn async_readiness_is_exact_after_a_pump_used_the_socket() {
    let mut upload = connected(&TLS13, Direction::FromClient).await;
    let mut buf = [0; 100];
    for round in 0..3 {
        upload.far.write_all(b"bytes").await.unwrap();
        upload.far.flush().await.unwrap();
        // Raw system calls that the event loop does not see.
        loop {
            match upload.near.read(&mut buf) {
                Ok(Received::Bytes(5)) => break,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                other => panic!("{other:?}"),
            }
            assert!(upload.near.wait_ready(Interest::Readable, None).unwrap());
        }
        assert!(!upload.near.wait_ready(Interest::Readable, Some(Duration::ZERO)).unwrap());
        {
            let mut ready = pin!(upload.near.ready(Interest::Readable));
            let mut context = Context::from_waker(Waker::noop());
            assert!(ready.as_mut().poll(&mut context).is_pending(), "stale readiness in round {round}");
            upload.far.write_all(b"again").await.unwrap();
            upload.far.flush().await.unwrap();
            ready.await.unwrap();
        }
        assert!(matches!(upload.near.read(&mut buf), Ok(Received::Bytes(5))));
        upload.near.ready(Interest::Writable).await.unwrap();
    }
}

#[tokio::test]
async fn a_reset_is_seen_as_one() {
    let mut download = connected(&TLS13, Direction::ToClient).await;
    download.near.write(b"a part").unwrap();
    download.near.reset();
    let mut all = Vec::new();
    let error = download.far.read_to_end(&mut all).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn files_are_sent_by_the_kernel_on_clear_connections_only() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"0123456789").unwrap();
    let (near, mut far) = pair().await;
    let mut near = DataStream::clear(near).unwrap();
    assert_eq!(near.send_file(&file, 4, 100).unwrap(), 6);
    assert_eq!(near.send_file(&file, 10, 100).unwrap(), 0);
    assert_eq!(near.write_last(b"").unwrap(), 0);
    near.finish().unwrap();
    let mut all = Vec::new();
    far.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, b"456789");

    let mut download = connected(&TLS13, Direction::ToClient).await;
    assert_eq!(download.near.send_file(&file, 0, 10).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_client_that_is_gone_before_its_tickets_come_is_still_read() {
    // It asks for tickets on an upload, says all it has to say along with its Finished, and resets.
    let mut client = Client::new(&TLS13);
    client.config.send_ticket_request =
        Some(rustls::client::TicketRequest { new_session_count: 4, resumption_count: 64 });
    let control = login(&server(), &client, "alice").await;
    let (near, far) = pair().await;
    let far = far.into_std().unwrap();
    far.set_nonblocking(false).unwrap();
    let (mut far, mut session) = (far, client.connection());
    let sending = async move {
        session.write_tls(&mut far).unwrap();
        while session.is_handshaking() {
            let mut flight = vec![0; 16 * 1024];
            let n = loop {
                match rustix::net::recv(&far, &mut flight, rustix::net::RecvFlags::DONTWAIT) {
                    Ok((_, n)) => break n,
                    Err(_) => tokio::task::yield_now().await,
                }
            };
            session.read_tls(&mut &flight[..n]).unwrap();
            session.process_new_packets().unwrap();
        }
        session.writer().write_all(b"all of it").unwrap();
        session.send_close_notify();
        let mut flight = Vec::new();
        while session.wants_write() {
            session.write_tls(&mut flight).unwrap();
        }
        // No await from here on: the server's task runs again only after the reset.
        far.write_all(&flight).unwrap();
        rustix::net::sockopt::set_socket_linger(&far, Some(Duration::ZERO)).unwrap();
    };
    let (accepted, ()) = tokio::join!(control.tls.accept_data(near, Direction::FromClient), sending);
    let (mut near, proof) = accepted.unwrap();
    assert_eq!(proof, Proof::Own);
    assert_eq!(read_all(&mut near).await, Ok(b"all of it".to_vec()));
}

#[tokio::test]
async fn connections_may_move_between_threads() {
    fn movable<T: Send>(_: &T) {}
    let tls = server().control(crate::testkit::HOME);
    let (near, _far) = pair().await;
    movable(&tls.accept(near));
    let (near, _far) = pair().await;
    movable(&tls.accept_data(near, Direction::ToClient));
    let (near, _far) = pair().await;
    let mut stream = DataStream::clear(near).unwrap();
    movable(&stream);
    movable(&stream.ready(Interest::Readable));
}
