//! Big files over one connection, received: what an upload asks at least.

use std::{
    fs::File,
    io::{IoSlice, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::fs::FileExt,
    sync::{Arc, mpsc},
    thread,
};

use rustls::{ClientConfig, ClientConnection, ServerConnection};

use crate::{
    Arguments, Clock, Cost,
    folder::Folder,
    pin,
    records::{PLAIN, RECORD, Records},
    sides,
};

/// Bytes of one file at most; each replaces the one before.
const FILE: u64 = 512 << 20;
/// What the peer sends at a time.
const SENT: usize = 256 * 1024;

pub(crate) fn run(what: &str, arguments: &Arguments) -> Cost {
    let sides = (what == "open").then(|| sides::sides(false));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (bytes, client) = (arguments.bytes, sides.as_ref().map(|sides| Arc::clone(&sides.client)));
    // Not before the server has its secrets: a record that came with the handshake would be lost.
    let (ready, begin) = mpsc::channel();
    let peer = thread::spawn(move || {
        pin(1);
        send(TcpStream::connect(address).unwrap(), client, bytes, &begin);
    });
    pin(0);
    let (mut socket, _) = listener.accept().unwrap();
    let folder = Folder::make(&arguments.folder, arguments.is_synced);
    let records = sides.map(|sides| {
        let mut connection = ServerConnection::new(sides.server).unwrap();
        sides::shake(&mut connection, &mut socket);
        while connection.wants_write() {
            connection.write_tls(&mut socket).unwrap();
        }
        Records::new(connection.dangerous_extract_secrets().unwrap().rx)
    });
    ready.send(()).unwrap();
    let cost = match records {
        Some(records) => open(socket, records, &folder, arguments),
        None => receive(socket, &folder, arguments),
    };
    peer.join().unwrap();
    cost
}

fn send(mut socket: TcpStream, client: Option<Arc<ClientConfig>>, bytes: u64, begin: &mpsc::Receiver<()>) {
    let block = vec![7; SENT];
    let steps = 0..bytes / SENT as u64;
    let mut connection = client.map(|client| {
        let mut connection = ClientConnection::new(client, "localhost".try_into().unwrap()).unwrap();
        sides::shake(&mut connection, &mut socket);
        while connection.wants_write() {
            connection.write_tls(&mut socket).unwrap();
        }
        connection.set_buffer_limit(None);
        connection
    });
    begin.recv().unwrap();
    for _ in steps {
        match &mut connection {
            Some(connection) => {
                connection.writer().write_all(&block).unwrap();
                while connection.wants_write() {
                    connection.write_tls(&mut socket).unwrap();
                }
            }
            None => socket.write_all(&block).unwrap(),
        }
    }
    socket.shutdown(Shutdown::Write).unwrap();
    // Closing with a ticket unread would be a reset.
    while socket.read(&mut [0; 64]).unwrap() > 0 {}
}

/// The files of an upload, one after the other.
struct Files<'a> {
    folder: &'a Folder,
    file: File,
    at: u64,
    size: u64,
}

impl Files<'_> {
    /// The first replaces one that is there already.
    fn of<'a>(folder: &'a Folder, arguments: &Arguments) -> Files<'a> {
        let size = FILE.min(arguments.bytes / 2);
        let mut files = Files { folder, file: folder.begin(), at: 0, size };
        let block = vec![7; SENT];
        for _ in 0..size / SENT as u64 {
            files.file.write_all_at(&block, files.at).unwrap();
            files.moved(SENT);
        }
        files
    }

    /// Says that so many bytes were written.
    fn moved(&mut self, bytes: usize) {
        self.at += bytes as u64;
        if self.at >= self.size {
            self.folder.publish(&self.file, "file");
            (self.file, self.at) = (self.folder.begin(), 0);
        }
    }
}

fn receive(mut socket: TcpStream, folder: &Folder, arguments: &Arguments) -> Cost {
    let (mut buffer, mut files) = (vec![0; arguments.chunk], Files::of(folder, arguments));
    let clock = Clock::start();
    loop {
        let read = socket.read(&mut buffer).unwrap();
        if read == 0 {
            return clock.stop();
        }
        files.file.write_all_at(&buffer[..read], files.at).unwrap();
        files.moved(read);
    }
}

/// Records are opened where they were received, and written from there.
fn open(mut socket: TcpStream, mut records: Records, folder: &Folder, arguments: &Arguments) -> Cost {
    let step = (arguments.chunk / PLAIN).max(1);
    let (mut buffer, mut files) = (vec![0; step * RECORD], Files::of(folder, arguments));
    let clock = Clock::start();
    for _ in 0..arguments.bytes / (step * PLAIN) as u64 {
        socket.read_exact(&mut buffer).unwrap();
        buffer.chunks_exact_mut(RECORD).for_each(|record| records.open(record));
        let slots: Vec<IoSlice<'_>> =
            buffer.chunks_exact_mut(RECORD).map(|record| IoSlice::new(Records::plain(record))).collect();
        assert_eq!(rustix::io::pwritev(&files.file, &slots, files.at).unwrap(), step * PLAIN);
        files.moved(step * PLAIN);
    }
    clock.stop()
}
