//! Small files, each over a connection of its own that resumes a session: what the server's side asks at least.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use rustls::{ClientConfig, ClientConnection, HandshakeKind, ServerConnection};

use crate::{Arguments, Clock, Cost, folder::Folder, pin, sides};

const SMALL: usize = 1024;
/// Connections before those that are measured; the first is a full handshake.
const BEFORE: u32 = 8;

pub(crate) fn run(arguments: &Arguments) -> Cost {
    let is_put = arguments.what == "small-put";
    let sides = sides::sides(arguments.is_tls12);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (files, client) = (arguments.files, Arc::clone(&sides.client));
    let peer = thread::spawn(move || {
        pin(1);
        for _ in 0..BEFORE + files {
            if is_put { put(address, &client) } else { get(address, &client) }
        }
    });
    pin(0);
    let folder = Folder::make(&arguments.folder, arguments.is_synced);
    let mut clock = Clock::start();
    for number in 0..BEFORE + files {
        if number == BEFORE {
            clock = Clock::start();
        }
        let (mut socket, _) = listener.accept().unwrap();
        socket.set_nodelay(true).unwrap();
        let mut connection = ServerConnection::new(Arc::clone(&sides.server)).unwrap();
        sides::shake(&mut connection, &mut socket);
        let kind = connection.handshake_kind().unwrap();
        assert!(number < BEFORE || kind == HandshakeKind::Resumed, "{kind:?}");
        if is_put {
            if number == 0 {
                // In TLS 1.2 the first handshake, which is a full one, ends with this side's words. Later what waits here is a
                // ticket, which goes out with close_notify.
                connection.write_tls(&mut socket).unwrap();
            }
            let mut received = [0; SMALL + 1];
            let read = sides::read_to_end(&mut connection, &mut socket, &mut received);
            assert_eq!(read, SMALL);
            let mut file = folder.begin();
            file.write_all(&received[..read]).unwrap();
            folder.publish(&file, &format!("file-{number}"));
            sides::write_last(&mut connection, &mut socket, &[]);
        } else {
            sides::write_last(&mut connection, &mut socket, &[7; SMALL]);
        }
        socket.shutdown(Shutdown::Write).unwrap();
        // Closing at once could take the end away from the peer.
        while socket.read(&mut [0; 64]).unwrap() > 0 {}
    }
    let cost = clock.stop();
    peer.join().unwrap();
    cost
}

fn connect(address: SocketAddr, config: &Arc<ClientConfig>) -> (TcpStream, ClientConnection) {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_nodelay(true).unwrap();
    let name = "localhost".try_into().unwrap();
    (socket, ClientConnection::new(Arc::clone(config), name).unwrap())
}

fn get(address: SocketAddr, config: &Arc<ClientConfig>) {
    let (mut socket, mut connection) = connect(address, config);
    sides::shake(&mut connection, &mut socket);
    // The client's Finished, for which the server waits.
    while connection.wants_write() {
        connection.write_tls(&mut socket).unwrap();
    }
    assert_eq!(sides::read_to_end(&mut connection, &mut socket, &mut [0; SMALL + 1]), SMALL);
}

fn put(address: SocketAddr, config: &Arc<ClientConfig>) {
    let (mut socket, mut connection) = connect(address, config);
    sides::shake(&mut connection, &mut socket);
    sides::write_last(&mut connection, &mut socket, &[7; SMALL]);
    assert_eq!(sides::read_to_end(&mut connection, &mut socket, &mut [0; 1]), 0);
}
