//! One big file over one connection, sent: what a download asks at least.

use std::{
    fs::File,
    io::{IoSliceMut, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::FileExt,
    sync::Arc,
    thread,
};

use rustls::{ClientConnection, ServerConfig, ServerConnection};

use crate::{
    Arguments, Clock, Cost, pin,
    records::{PLAIN, RECORD, Records},
    sides,
};

/// What the peer takes at a time.
const TAKEN: usize = 256 * 1024;

pub(crate) fn run(what: &str, arguments: &Arguments) -> Cost {
    if what == "seal" {
        return seal(arguments);
    }
    let is_tls = matches!(what, "raw" | "rustls");
    let sides = is_tls.then(|| sides::sides(false));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = sides.as_ref().map(|sides| Arc::clone(&sides.client));
    let peer = thread::spawn(move || {
        pin(1);
        let mut socket = TcpStream::connect(address).unwrap();
        if let Some(client) = client {
            let mut connection = ClientConnection::new(client, "localhost".try_into().unwrap()).unwrap();
            sides::shake(&mut connection, &mut socket);
            connection.write_tls(&mut socket).unwrap();
        }
        // What comes is dropped as it is: its opening is no cost of the sender.
        let mut taken = vec![0; TAKEN];
        while socket.read(&mut taken).unwrap() > 0 {}
    });
    pin(0);
    let (socket, _) = listener.accept().unwrap();
    socket.set_nodelay(true).unwrap();
    let source = Source { file: File::open(&arguments.file).unwrap(), at: 0 };
    // The peer reads until each of these has dropped the socket.
    let cost = match (what, sides) {
        ("write", _) => write(socket, arguments),
        ("read-write", _) => read_write(socket, source, arguments),
        ("sendfile", _) => sendfile(socket, &source, arguments),
        ("raw", Some(sides)) => raw(socket, source, sides.server, arguments),
        ("rustls", Some(sides)) => rustls_buffered(socket, source, sides.server, arguments),
        _ => panic!("{what}: no such floor"),
    };
    peer.join().unwrap();
    cost
}

/// A file that begins anew at its end.
struct Source {
    file: File,
    at: u64,
}

impl Source {
    fn len(&self) -> u64 {
        self.file.metadata().unwrap().len()
    }

    /// Where the next `bytes` are.
    fn next(&mut self, bytes: usize, len: u64) -> u64 {
        if self.at + bytes as u64 > len {
            self.at = 0;
        }
        self.at += bytes as u64;
        self.at - bytes as u64
    }
}

fn steps(arguments: &Arguments) -> u64 {
    arguments.bytes / arguments.chunk as u64
}

fn seal(arguments: &Arguments) -> Cost {
    pin(0);
    let mut records = Records::of(&[7; 32], [7; 12]);
    let mut record = vec![1; RECORD];
    let clock = Clock::start();
    for _ in 0..arguments.bytes / PLAIN as u64 {
        records.seal(&mut record);
    }
    clock.stop()
}

fn write(mut socket: TcpStream, arguments: &Arguments) -> Cost {
    let buffer = vec![7; arguments.chunk];
    let clock = Clock::start();
    for _ in 0..steps(arguments) {
        socket.write_all(&buffer).unwrap();
    }
    clock.stop()
}

fn read_write(mut socket: TcpStream, mut source: Source, arguments: &Arguments) -> Cost {
    let (mut buffer, len) = (vec![0; arguments.chunk], source.len());
    let clock = Clock::start();
    for _ in 0..steps(arguments) {
        let at = source.next(buffer.len(), len);
        source.file.read_exact_at(&mut buffer, at).unwrap();
        socket.write_all(&buffer).unwrap();
    }
    clock.stop()
}

fn sendfile(socket: TcpStream, source: &Source, arguments: &Arguments) -> Cost {
    let (mut left, mut at, len) = (arguments.bytes, 0, source.len());
    let clock = Clock::start();
    while left > 0 {
        if at >= len {
            at = 0;
        }
        let step = usize::try_from(left).unwrap().min(arguments.chunk);
        let sent = rustix::fs::sendfile(&socket, &source.file, Some(&mut at), step).unwrap();
        left -= sent as u64;
    }
    clock.stop()
}

/// A record layer of its own on the handshake's secrets: the file is read to where the records will lie.
fn raw(mut socket: TcpStream, mut source: Source, config: Arc<ServerConfig>, arguments: &Arguments) -> Cost {
    let mut connection = ServerConnection::new(config).unwrap();
    sides::shake(&mut connection, &mut socket);
    while connection.wants_write() {
        connection.write_tls(&mut socket).unwrap();
    }
    let mut records = Records::new(connection.dangerous_extract_secrets().unwrap().tx);
    let step = (arguments.chunk / PLAIN).max(1);
    let (mut buffer, len) = (vec![0; step * RECORD], source.len());
    let clock = Clock::start();
    for _ in 0..arguments.bytes / (step * PLAIN) as u64 {
        let at = source.next(step * PLAIN, len);
        let mut slots: Vec<IoSliceMut<'_>> =
            buffer.chunks_exact_mut(RECORD).map(|record| IoSliceMut::new(Records::plain(record))).collect();
        let read = rustix::io::preadv(&source.file, &mut slots, at).unwrap();
        assert_eq!(read, step * PLAIN);
        buffer.chunks_exact_mut(RECORD).for_each(|record| records.seal(record));
        socket.write_all(&buffer).unwrap();
    }
    clock.stop()
}

fn rustls_buffered(
    mut socket: TcpStream,
    mut source: Source,
    config: Arc<ServerConfig>,
    arguments: &Arguments,
) -> Cost {
    let mut connection = ServerConnection::new(config).unwrap();
    sides::shake(&mut connection, &mut socket);
    connection.set_buffer_limit(None);
    let (mut buffer, len) = (vec![0; arguments.chunk], source.len());
    let clock = Clock::start();
    for _ in 0..steps(arguments) {
        let at = source.next(buffer.len(), len);
        source.file.read_exact_at(&mut buffer, at).unwrap();
        connection.writer().write_all(&buffer).unwrap();
        while connection.wants_write() {
            connection.write_tls(&mut socket).unwrap();
        }
    }
    clock.stop()
}
