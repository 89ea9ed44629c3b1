//! A TCP proxy between a real client and the server that cuts data connections where a test says.
//!
//! It listens on another loopback address (127.0.0.3) at the control port and at the same passive ports as the
//! server, so that a client's EPSV leads through it without a change to the encrypted dialogue.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

/// Where clients find the proxy.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));
/// Where the server is.
const THERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Where its ports are looked for: below those that Linux gives to connections, of which thousands may linger after a test
/// with many files.
const LOWEST: u16 = 10_000;
const HIGHEST: u16 = 32_000;
/// How many passive ports a proxied server has: enough for a client that comes again while an old port is closing.
const PORTS: u16 = 8;

/// Which way the counted bytes flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// How the connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// A FIN without close_notify, where a client process died.
    Fin,
    /// A reset, where a machine lost its state.
    Reset,
    /// A reset of every connection of the moment, control connections too, where a network is gone.
    Everything,
}

/// One cut to make.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// The direction in which bytes are counted.
    pub way: Way,
    /// How many bytes pass before the cut. TLS records are 16 KiB at most, so most numbers lie in mid record.
    pub after: u64,
    /// What the receiving side of these bytes sees.
    pub how: How,
}

/// The proxy; it stops listening when dropped.
#[derive(Debug)]
pub struct Proxy {
    ports: RangeInclusive<u16>,
    data: Vec<TcpListener>,
    next: Arc<Mutex<Option<Cut>>>,
    stop: Arc<AtomicBool>,
    open: Arc<Open>,
    listening: Vec<SocketAddr>,
}

/// The connections that are forwarded, both sides of each.
#[derive(Debug, Default)]
struct Open(Mutex<Vec<[Weak<TcpStream>; 2]>>);

impl Open {
    fn add(&self, client: &Arc<TcpStream>, server: &Arc<TcpStream>) {
        let mut open = self.0.lock().unwrap();
        open.retain(|sides| sides.iter().any(|side| side.strong_count() > 0));
        open.push([Arc::downgrade(client), Arc::downgrade(server)]);
    }

    fn break_all(&self) {
        for sides in self.0.lock().unwrap().drain(..) {
            if let [Some(client), Some(server)] = sides.map(|side| side.upgrade()) {
                break_both(&client, &server);
            }
        }
    }
}

impl Proxy {
    /// Finds passive ports that are free here and at the server's address, and holds them here.
    pub fn reserve() -> Proxy {
        for attempt in 0..1000_u64 {
            let low = LOWEST + (RandomState::new().hash_one(attempt) % u64::from(HIGHEST - LOWEST)) as u16;
            let high = low + PORTS - 1;
            let here: Result<Vec<_>, _> = (low..=high).map(|port| TcpListener::bind((HERE, port))).collect();
            let free_there = (low..=high).all(|port| TcpListener::bind((THERE, port)).is_ok());
            if let (Ok(data), true) = (here, free_there) {
                let (next, stop, open) = (Arc::default(), Arc::default(), Arc::default());
                return Proxy { ports: low..=high, data, next, stop, open, listening: Vec::new() };
            }
        }
        panic!("no {PORTS} free ports in a row");
    }

    /// The passive ports that the server must be set to, as the configuration writes them.
    pub fn passive_ports(&self) -> String {
        format!("\"{}-{}\"", self.ports.start(), self.ports.end())
    }

    /// Begins to forward; the address that clients use instead of `control`.
    pub fn forward(&mut self, control: SocketAddr) -> SocketAddr {
        let listener = TcpListener::bind((HERE, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        self.serve(listener, control, Arc::default());
        for listener in std::mem::take(&mut self.data) {
            let there = SocketAddr::new(THERE, listener.local_addr().unwrap().port());
            self.serve(listener, there, self.next.clone());
        }
        address
    }

    /// Cuts the next data connection that a client opens.
    pub fn cut_next(&self, cut: Cut) {
        *self.next.lock().unwrap() = Some(cut);
    }

    /// Has the cut been given to a data connection?
    pub fn was_used(&self) -> bool {
        self.next.lock().unwrap().is_none()
    }

    fn serve(&mut self, listener: TcpListener, there: SocketAddr, next: Arc<Mutex<Option<Cut>>>) {
        self.listening.push(listener.local_addr().unwrap());
        let (stop, open) = (self.stop.clone(), self.open.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                // A server that does not listen there refuses; the client then sees its connection end.
                if let Ok(server) = connect(there) {
                    let cut = next.lock().unwrap().take();
                    let (client, server) = (Arc::new(client), Arc::new(server));
                    open.add(&client, &server);
                    pump(Way::Up, client.clone(), server.clone(), cut, open.clone());
                    pump(Way::Down, server, client, cut, open.clone());
                }
            }
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for address in &self.listening {
            // Wakes the thread that accepts there, so that it sees the word to stop.
            drop(TcpStream::connect(address));
        }
    }
}

/// Connects with a small buffer: what the server has sent is then on its way to the client, not lying here.
fn connect(there: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(there), Type::STREAM, None)?;
    socket.set_recv_buffer_size(128 << 10)?;
    socket.connect(&there.into())?;
    Ok(socket.into())
}

/// Copies one direction on a thread of its own, up to the cut if there is one.
fn pump(way: Way, from: Arc<TcpStream>, to: Arc<TcpStream>, cut: Option<Cut>, open: Arc<Open>) {
    std::thread::spawn(move || {
        let mut left = cut.filter(|cut| cut.way == way).map(|cut| cut.after);
        let mut buffer = vec![0; 65_536];
        loop {
            let wanted = left.map_or(buffer.len(), |left| buffer.len().min(left as usize));
            if wanted == 0 {
                break;
            }
            match (&*from).read(&mut buffer[..wanted]) {
                Ok(0) => {
                    let _ = to.shutdown(Shutdown::Write);
                    return;
                }
                Ok(count) if (&*to).write_all(&buffer[..count]).is_ok() => {
                    left = left.map(|left| left - count as u64);
                }
                // The other side is gone: so is this one.
                _ => return break_both(&from, &to),
            }
        }
        match cut.map(|cut| cut.how) {
            Some(How::Fin) => fin(&from, &to),
            Some(How::Everything) => open.break_all(),
            _ => break_both(&from, &to),
        }
    });
}

/// Resets both connections as soon as both directions have let go of them.
fn break_both(one: &TcpStream, other: &TcpStream) {
    for socket in [one, other] {
        let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
        // Ends the other direction's wait without a byte on the wire.
        let _ = socket.shutdown(Shutdown::Read);
    }
}

/// Sends the receiver a FIN, reads what it still has to say, then breaks the connection of the sender.
fn fin(from: &TcpStream, to: &TcpStream) {
    let _ = to.shutdown(Shutdown::Write);
    let mut buffer = [0; 4096];
    while (&*to).read(&mut buffer).is_ok_and(|count| count > 0) {}
    let _ = SockRef::from(from).set_linger(Some(Duration::ZERO));
    let _ = from.shutdown(Shutdown::Both);
}
