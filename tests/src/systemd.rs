//! The part that systemd plays for a service: it opens sockets, starts the program with them, and hears what it tells.

use std::ffi::OsStr;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::server::program;
use crate::wait::PATIENCE;

/// Opens the sockets that it is given as `NAME=ADDRESS`, says where they are, and becomes the program (sd_listen_fds(3)).
const STARTER: &str = r"
import os, socket, sys
count = int(sys.argv[1])
names, sockets = [], []
for place in sys.argv[2:2 + count]:
    name, address = place.split('=')
    host, port = address.rsplit(':', 1)
    kind = socket.SOCK_DGRAM if name == 'datagram' else socket.SOCK_STREAM
    opened = socket.socket(socket.AF_INET, kind)
    opened.bind((host, int(port)))
    if name != 'datagram':
        opened.listen(64)
    print('%s:%d' % opened.getsockname(), flush=True)
    names.append(name)
    sockets.append(opened)
high = [os.dup(one.fileno()) for one in sockets]
for place, fd in enumerate(high):
    os.dup2(fd, 3 + place)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(count), LISTEN_FDNAMES=':'.join(names))
os.execv(sys.argv[2 + count], sys.argv[2 + count:])
";

/// A command that starts the server with these sockets; their addresses are its first lines on standard output.
pub fn with_sockets(sockets: &[String], config: &Path) -> Command {
    let mut command = Command::new("python3");
    command.args(["-c", STARTER, &sockets.len().to_string()]).args(sockets);
    command.arg(program()).args([OsStr::new("serve"), OsStr::new("--config"), config.as_os_str()]);
    command
}

/// Where a service tells how it is (sd_notify(3)).
#[derive(Debug)]
pub struct Notified {
    socket: UnixDatagram,
    /// Its path, for `NOTIFY_SOCKET`.
    pub path: PathBuf,
}

impl Notified {
    /// A socket in this folder.
    pub fn within(folder: &Path) -> Notified {
        let path = folder.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Notified { socket, path }
    }

    /// Waits for the next message that has this line, and gives all its lines.
    pub fn wait_for(&self, line: &str) -> Vec<String> {
        loop {
            let mut message = [0; 4096];
            let length = self.socket.recv(&mut message).unwrap_or_else(|why| panic!("no {line}: {why}"));
            let text = String::from_utf8_lossy(&message[..length]).into_owned();
            let lines: Vec<_> = text.lines().map(str::to_owned).collect();
            if lines.iter().any(|found| found == line) {
                return lines;
            }
        }
    }
}
