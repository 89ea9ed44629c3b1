//! What becomes of those who are there, and of those who come, when the machine has no more to give: file descriptors, room on the
//! disk. Afterwards all is as it was.

use std::io::Read;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use carrack_tests::control::Control;
use carrack_tests::programs::Tls;
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{EVERYTHING, Setup};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::{tree, wait};
use rustix::process::{Pid, Resource, Rlimit, prlimit};

fn limit_descriptors(server: &Server, most: u64) {
    let pid = Pid::from_raw(server.pid().try_into().unwrap());
    prlimit(pid, Resource::Nofile, Rlimit { current: Some(most), maximum: Some(most) }).unwrap();
}

fn is_greeted(server: &Server) -> bool {
    let mut newcomer = TcpStream::connect(server.address(Mode::Explicit)).unwrap();
    newcomer.read_exact(&mut [0; 4]).is_ok()
}

#[test]
fn without_file_descriptors_who_comes_is_closed_and_who_is_there_is_served() {
    let server = Setup::new().start();
    let mut control = Control::open(&server);
    control.upload("before", b"bytes");
    let at_first = server.descriptors();
    limit_descriptors(&server, at_first as u64 + 8);

    let crowd: Vec<_> =
        (0..40).map(|_| TcpStream::connect(server.address(Mode::Explicit)).unwrap()).collect();
    let refused = server.logged("connection_refused", |_| true);
    assert_eq!(refused.text("reason"), "file_descriptors");
    assert_eq!(refused.text("option"), "limits.sessions");
    assert!(refused.text("why").contains("LimitNOFILE"), "{}", refused.raw);
    // Nothing can be opened now; what needs nothing is done, and the reply to what does says that it may go later.
    control.expect("NOOP", 200);
    let reply = control.cmd("EPSV");
    assert!((400..500).contains(&reply.code), "{reply}");

    drop(crowd);
    // Who was in the queue is taken in or closed before who comes now.
    wait::until_true("a newcomer to be greeted", || is_greeted(&server));
    wait::until_true("the crowd to be gone", || server.descriptors() <= at_first);
    control.upload("after", b"bytes");
    assert_eq!(Control::open(&server).download("after"), b"bytes");
}

/// A file system of one MiB, unmounted when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// None where nothing can be mounted.
    fn mount() -> Option<SmallDisk> {
        let at = tempfile::Builder::new().prefix("carrack-test-disk-").tempdir().unwrap();
        let options = ["-t", "tmpfs", "-o", "size=1m,mode=0700", "carrack-test"];
        let mounted = Command::new("mount").args(options).arg(at.path()).status();
        if !mounted.is_ok_and(|status| status.success()) {
            assert!(std::env::var_os("CI").is_none(), "nothing can be mounted here");
            eprintln!("left out: nothing can be mounted here");
            return None;
        }
        Some(SmallDisk(at))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

#[test]
fn a_full_disk_is_452_and_leaves_neither_a_file_nor_less_room() {
    let Some(disk) = SmallDisk::mount() else { return };
    let server = Setup::new().user_at("small", disk.path(), &[EVERYTHING]).start();
    let mut control = Control::session(&server, Mode::Explicit, &TlsClient::new(Tls::V13), "small");
    let (fits, too_much) = (tree::bytes(1, 200_000), tree::bytes(2, 3_000_000));
    control.upload("old", &fits);
    for name in ["new", "old"] {
        let reply = control.try_store(&format!("STOR {name}"), &too_much);
        assert_eq!(reply.code, 452, "{reply}");
        assert_eq!(control.listing("NLST"), "old\r\n");
        assert_eq!(control.download("old"), fits, "what was there is as it was");
    }
    // What had come can be gone on with where there is room; who gives it up has the room back.
    control.cmd("DELE new");
    control.expect("DELE old", 250);
    let other = tree::bytes(3, 700_000);
    control.upload("other", &other);
    assert_eq!(control.download("other"), other);
}
