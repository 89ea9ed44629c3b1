//! What the sandbox refuses, tried on threads of this process that put it on: it holds for a thread and those that it makes.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, socketpair};

use super::places::{self, Place, Use};
use super::*;

/// Runs it on a thread of its own, which nothing else is done on.
fn on_its_own_thread(run: impl FnOnce() + Send + 'static) {
    std::thread::spawn(run).join().unwrap();
}

fn place(path: &Path, used: Use) -> Place {
    Place { option: "roots".to_owned(), named: path.to_owned(), path: path.to_owned(), used }
}

fn errno<T>(result: std::io::Result<T>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}

/// Whether this kernel keeps files at all; elsewhere the line in the log says that it does not.
fn has_landlock() -> bool {
    fs::read_to_string("/sys/kernel/security/lsm")
        .is_ok_and(|all| all.split(',').any(|one| one == "landlock"))
}

/// What somebody who has broken in would want, and a server never does.
const WANTED: [libc::c_long; 22] = [
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_bpf,
    libc::SYS_io_uring_setup,
    libc::SYS_userfaultfd,
    libc::SYS_perf_event_open,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_memfd_create,
    libc::SYS_open_by_handle_at,
    libc::SYS_init_module,
    libc::SYS_mknodat,
    libc::SYS_pidfd_getfd,
    libc::SYS_symlinkat,
];

#[test]
fn calls_that_serve_only_a_break_in_are_refused() {
    on_its_own_thread(|| {
        // The system refuses some of them by itself, to some users.
        let before = WANTED.map(sys::attempt);
        let tried: Vec<_> = WANTED.iter().zip(before).filter(|(_, before)| *before != libc::EPERM).collect();
        assert!(tried.len() >= 10, "{before:?}");
        calls::put_on_silently().unwrap();
        for (call, before) in tried {
            let name = calls::name(i32::try_from(*call).unwrap());
            assert_eq!(sys::attempt(*call), libc::EPERM, "{name} was answered {before} before");
        }
        assert_eq!(sys::attempt(100_000), libc::EPERM, "also a number that is none");
    });
}

#[test]
fn no_process_is_started_and_none_is_signalled() {
    on_its_own_thread(|| {
        calls::put_on_silently().unwrap();
        assert!(Command::new("/bin/true").spawn().is_err());
        let error = Command::new("/bin/true").exec();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{error}");
        let parent = rustix::process::getppid().unwrap();
        assert!(rustix::process::test_kill_process(parent).is_err());
        // Threads are made, and there is a defect's own signal.
        assert_eq!(std::thread::spawn(|| sys::attempt(libc::SYS_ptrace)).join().unwrap(), libc::EPERM);
    });
}

#[test]
fn sockets_are_those_of_the_internet_and_of_this_machine() {
    on_its_own_thread(|| {
        calls::put_on_silently().unwrap();
        let socket =
            |family, kind| errno(socket_with(family, kind, SocketFlags::CLOEXEC, None).map_err(Into::into));
        for family in [AddressFamily::INET, AddressFamily::INET6, AddressFamily::UNIX] {
            assert_ne!(socket(family, SocketType::STREAM), Some(libc::EPERM), "{family:?}");
        }
        assert_eq!(socket(AddressFamily::PACKET, SocketType::RAW), Some(libc::EPERM));
        assert_eq!(
            socket(AddressFamily::NETLINK, SocketType::RAW),
            Some(libc::ENOSYS),
            "and libraries go on"
        );
        // The C library asks by that socket for this machine's addresses.
        assert!(std::net::ToSocketAddrs::to_socket_addrs(&("localhost", 21)).is_ok());
    });
}

#[test]
fn what_is_refused_is_told_before_it_returns() {
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    on_its_own_thread(move || {
        let (give, take) = std::sync::mpsc::channel();
        // This thread stays outside, as the broker does.
        let watching = std::thread::spawn(move || refusals::watch(take.recv().unwrap(), theirs));
        let Filtered::Told(listener) = calls::put_on().unwrap() else {
            panic!("this kernel does not tell");
        };
        give.send(listener).unwrap();
        watching.join().unwrap();
        assert_eq!(sys::attempt(libc::SYS_ptrace), libc::EPERM);
        assert_eq!(sys::attempt(libc::SYS_ptrace), libc::EPERM);
        assert_eq!(sys::attempt(100_000), libc::ENOSYS, "what no system knows yet is answered so");
        let mut told = Vec::new();
        for _ in 0..2 {
            let mut line = [0; 256];
            let (read, _) = rustix::net::recv(&ours, &mut line, rustix::net::RecvFlags::empty()).unwrap();
            let Refused { call, count, .. } = serde_json::from_slice(&line[..read]).unwrap();
            told.push((call, count));
        }
        let ptrace = i32::try_from(libc::SYS_ptrace).unwrap();
        assert_eq!(told, [(ptrace, 1), (100_000, 1)], "each number once a minute");
        assert_eq!(calls::name(ptrace), "ptrace");
    });
}

#[test]
fn files_are_reached_where_they_may_lie_and_nowhere_else() {
    if !has_landlock() {
        eprintln!("skipped: this kernel has no Landlock");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (home, keys, outside) =
        (dir.path().join("home"), dir.path().join("keys"), dir.path().join("outside"));
    for folder in [&home, &keys, &outside, &home.join("in"), &home.join("out")] {
        fs::create_dir(folder).unwrap();
    }
    fs::write(keys.join("key.pem"), "key").unwrap();
    fs::write(outside.join("file"), "theirs").unwrap();
    symlink(&outside, home.join("link")).unwrap();
    on_its_own_thread(move || {
        rustix::thread::set_no_new_privs(true).unwrap();
        let mut given = places::of_system(true);
        given.extend([place(&home, Use::Write), place(&keys, Use::Read)]);
        let (ground, kept) = Ground::enclose(&given).unwrap();
        assert_ne!(kept, Kept::Not);
        let denied = Some(libc::EACCES);
        // Uploads: made, moved between folders, cut, removed.
        fs::write(home.join("in/file"), "ours").unwrap();
        fs::rename(home.join("in/file"), home.join("out/file")).unwrap();
        fs::hard_link(home.join("out/file"), home.join("in/file")).unwrap();
        File::options().write(true).open(home.join("in/file")).unwrap().set_len(1).unwrap();
        fs::remove_file(home.join("in/file")).unwrap();
        // A key is read, and replaced by somebody else.
        assert_eq!(fs::read(keys.join("key.pem")).unwrap(), b"key");
        assert_eq!(errno(fs::write(keys.join("key.pem"), "")), denied);
        assert_eq!(errno(fs::rename(home.join("out/file"), keys.join("file"))), denied);
        // Nothing else, also by a link.
        assert_eq!(errno(fs::read(outside.join("file"))), denied);
        assert_eq!(errno(fs::read(home.join("link/file"))), denied);
        assert_eq!(errno(fs::read_dir(&outside)), denied);
        assert_eq!(errno(fs::write(dir.path().join("new"), "")), denied);
        assert_eq!(errno(File::open("/etc/shadow")), denied);
        assert_eq!(errno(fs::read_dir("/root")), denied);
        assert_eq!(errno(File::open("/proc/1/status")), denied);
        assert!(File::open("/etc/passwd").is_ok() && File::open("/dev/null").is_ok());
        assert!(ground.holds(&home, Use::Write) && !ground.holds(&outside, Use::Read));
    });
}

#[test]
fn the_log_says_what_is_in_force_and_what_is_missing() {
    let told = |kept, filtered| {
        let InForce { landlock, seccomp, missing } = InForce::of(kept, &filtered);
        (landlock, seccomp, missing.unwrap_or_default())
    };
    let (landlock, seccomp, missing) = told(Ok(Kept::Not), Ok(Filtered::Silently));
    assert_eq!((landlock.as_str(), seccomp), ("none", "enforced, not told"));
    assert!(missing.contains("this kernel has no Landlock") && missing.contains("cannot tell"), "{missing}");
    let (landlock, seccomp, missing) = told(Ok(Kept::PartlyBy(2)), Err("no such call".to_owned()));
    assert_eq!((landlock.as_str(), seccomp), ("version 2", "none"));
    assert!(missing.contains("version 2") && missing.contains("seccomp fails: no such call"), "{missing}");
    let listener = File::open("/dev/null").unwrap().into();
    assert_eq!(
        told(Ok(Kept::Wholly), Ok(Filtered::Told(listener))),
        ("enforced".to_owned(), "enforced", String::new())
    );
}
