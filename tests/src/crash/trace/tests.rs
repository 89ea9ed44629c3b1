//! Does strace mean what is read?

use super::*;

/// As strace writes strings.
fn hex(text: &str) -> String {
    let digits: String = text.bytes().map(|byte| format!("\\x{byte:02x}")).collect();
    format!("\"{digits}\"")
}

fn disk(lines: &[String]) -> Disk {
    let mut disk = Disk::empty();
    replay(&mut disk, Path::new("/srv"), &lines.join("\n"));
    disk
}

#[test]
fn an_upload_is_read() {
    let (dot, path, proc, name) = (hex("."), hex("/srv"), hex("/proc/self/fd/5"), hex("file"));
    let lines = [
        format!("7 openat(AT_FDCWD, {path}, O_RDONLY|O_DIRECTORY) = 4"),
        format!("7 openat(4, {dot}, O_RDWR|O_TMPFILE, 0666) = 5"),
        format!(
            "7 pwritev(5, [{{iov_base={}, iov_len=2}}, {{iov_base={}, iov_len=3}}], 2, 0) = 5",
            hex("by"),
            hex("tes")
        ),
        "7 fsync(5 <unfinished ...>".to_owned(),
        format!("8 sendto(9, {}, 5, 0, NULL, 0) = 5", hex("150 Ok.\r\n")),
        "7 <... fsync resumed>)         = 0".to_owned(),
        format!("7 linkat(AT_FDCWD, {proc}, 4, {name}, AT_SYMLINK_FOLLOW) = 0"),
        "7 fsync(4) = 0".to_owned(),
        format!("7 unlinkat(4, {}, 0) = -1 ENOENT (No such file or directory)", hex("nothing")),
        format!("8 sendto(9, {}, 5, 0, NULL, 0) = 5", hex("226 Done.\r\n")),
    ];
    let disk = disk(&lines);
    let node = disk.lookup(ROOT, b"file").unwrap();
    assert_eq!(disk.bytes(node), b"bytes");
    let kinds: Vec<String> =
        disk.steps.iter().map(|step| format!("{step:?}").chars().take(11).collect()).collect();
    assert_eq!(kinds, ["Write { nod", "Said(150)", "Sync { node", "Names([Nami", "Sync { node", "Said(226)"]);
    assert!(matches!(disk.steps[2], Step::Sync { before: 1, .. }), "it began before the reply");
}

#[test]
fn a_number_that_is_closed_is_given_again() {
    let lines = [
        format!("7 openat(AT_FDCWD, {}, O_RDWR|O_CREAT, 0600) = 5", hex("/srv/first")),
        "7 close(5 <unfinished ...>".to_owned(),
        format!("8 openat(AT_FDCWD, {}, O_RDWR|O_CREAT|O_APPEND, 0600) = 5", hex("/srv/second")),
        "7 <... close resumed>) = 0".to_owned(),
        format!("8 write(5, {}, 3) = 3", hex("one")),
        format!("8 write(5, {}, 3) = 2", hex("two")),
    ];
    let disk = disk(&lines);
    assert_eq!(disk.bytes(disk.lookup(ROOT, b"second").unwrap()), b"onetw");
    assert_eq!(disk.bytes(disk.lookup(ROOT, b"first").unwrap()), b"");
}

#[test]
fn a_child_has_files_of_its_own_and_a_thread_has_not() {
    let lines = [
        "7 clone3({flags=CLONE_VM|CLONE_FILES, exit_signal=0}, 88) = 8".to_owned(),
        format!("8 openat(AT_FDCWD, {}, O_RDWR|O_CREAT, 0600) = 5", hex("/srv/file")),
        "7 vfork( <unfinished ...>".to_owned(),
        "9 close(5) = 0".to_owned(),
        "7 <... vfork resumed>) = 9".to_owned(),
        format!("7 write(5, {}, 3) = 3", hex("one")),
    ];
    let disk = disk(&lines);
    assert_eq!(disk.bytes(disk.lookup(ROOT, b"file").unwrap()), b"one");
}

#[test]
fn replies_are_those_in_clear() {
    assert_eq!(replies(b"150 Ok.\r\n226 Done.\r\n"), [150, 226]);
    assert_eq!(replies(b"211-Features:\r\n SIZE\r\n211 End\r\n"), [211]);
    assert!(replies(b"\x17\x03\x03\x00\x10secret").is_empty());
}
