//! Lines of LIST as servers write them, read on 2026-11-22 at 16:30 UTC.

use super::*;

/// The server, its line, and what it says: kind, size, time, mode, owner:group, name; `-` for what it does not say. A time
/// of the server's own zone stands there without `Z`.
#[rustfmt::skip]
pub(super) const LINES: &[(&str, &[u8], &str)] = &[
    ("vsftpd", b"-rw-r--r--    1 60021    60021        1234 Nov 22 15:41 report.csv", "file 1234 2026-11-22 15:41 644 60021:60021 [report.csv]"),
    ("vsftpd", b"drwxr-xr-x    2 60021    60021        4096 Nov 22 15:41   two leading", "folder 4096 2026-11-22 15:41 755 60021:60021 [  two leading]"),
    ("vsftpd", b"-rw-r--r--    1 60021    60021        1234 Nov 22 15:41  leading", "file 1234 2026-11-22 15:41 644 60021:60021 [ leading]"),
    ("vsftpd", b"-rw-r--r--    1 60021    60021        1234 Nov 22 15:41 trailing ", "file 1234 2026-11-22 15:41 644 60021:60021 [trailing ]"),
    ("vsftpd", b"-rw-r--r--    1 60021    60021        1234 Nov 22 15:41 two  spaces", "file 1234 2026-11-22 15:41 644 60021:60021 [two  spaces]"),
    ("vsftpd", b"-rw-r--r--    1 60021    60021        1234 Nov 22 15:41 12:30 x", "file 1234 2026-11-22 15:41 644 60021:60021 [12:30 x]"),
    ("vsftpd", b"-rw-r--r--    1 60021    60021        1234 Nov 22 15:41 1 Nov 22 15:41 y", "file 1234 2026-11-22 15:41 644 60021:60021 [1 Nov 22 15:41 y]"),
    ("vsftpd", b"-rw-r--r--    1 60021    60021        1234 Nov 22 15:41 a -> b", "file 1234 2026-11-22 15:41 644 60021:60021 [a -> b]"),
    ("vsftpd", b"-rwxr-xr-x    1 60021    60021        1234 Sep 09  2001 a.txt", "file 1234 2001-09-09 755 60021:60021 [a.txt]"),
    ("vsftpd", b"-rw-r--r--    1 0        0        5368709120 Nov 22 15:41 big", "file 5368709120 2026-11-22 15:41 644 0:0 [big]"),
    ("vsftpd", b"lrwxrwxrwx    1 60021    60021           7 Nov 22 15:41 dangling -> nowhere", "link to nowhere 7 2026-11-22 15:41 777 60021:60021 [dangling]"),
    ("vsftpd", b"lrwxrwxrwx    1 60021    60021          12 Nov 22 15:41 link two -> my target; x", "link to my target; x 12 2026-11-22 15:41 777 60021:60021 [link two]"),
    ("vsftpd", b"lrwxrwxrwx    1 0        0               6 Nov 22 15:41 a -> b -> c", "link to b -> c 6 2026-11-22 15:41 777 0:0 [a]"),
    ("vsftpd", b"drwxrwxrwt    2 60021    60021        4096 Nov 22 15:41 dir", "folder 4096 2026-11-22 15:41 1777 60021:60021 [dir]"),
    ("vsftpd", b"prw-r--r--    1 60021    60021           0 Nov 22 15:41 fifo", "other - 2026-11-22 15:41 644 60021:60021 [fifo]"),
    ("vsftpd", b"srwxr-xr-x    1 60021    60021           0 Nov 22 15:41 sock", "other - 2026-11-22 15:41 755 60021:60021 [sock]"),
    ("vsftpd", b"-rw-r--r--    1 60021    60021        1234 Nov 22 15:41 latin\xe9", "file 1234 2026-11-22 15:41 644 60021:60021 [latin\\xe9]"),
    ("vsftpd", "-rw-r--r--    1 60021    60021        1234 Nov 22 15:41 Übung.txt".as_bytes(), "file 1234 2026-11-22 15:41 644 60021:60021 [\\xc3\\x9cbung.txt]"),
    ("vsftpd", b"-rw-r--r--    1 ftp      ftp       1089 Apr 26 22:05 MD5", "file 1089 2026-04-26 22:05 644 ftp:ftp [MD5]"),
    ("vsftpd", b"lrwxrwxrwx    1 0        1001           23 Jul 11  2014 Mac-GUI-1.64.tar.gz -> old/Mac-GUI-1.64.tar.gz", "link to old/Mac-GUI-1.64.tar.gz 23 2014-07-11 777 0:1001 [Mac-GUI-1.64.tar.gz]"),
    ("vsftpd, in December", b"-rw-r--r--    1 1000     1000            3 Dec 31 23:59 last year", "file 3 2025-12-31 23:59 644 1000:1000 [last year]"),
    ("vsftpd, a zone ahead", b"-rw-r--r--    1 1000     1000            3 Nov 23 05:30 tomorrow", "file 3 2026-11-23 05:30 644 1000:1000 [tomorrow]"),
    ("vsftpd, a leap day", b"-rw-r--r--    1 1000     1000            3 Feb 29 12:00 leap", "file 3 2024-02-29 12:00 644 1000:1000 [leap]"),
    ("ProFTPD", b"-rwxr-xr-x   1 tester   60021        1234 Sep  9  2001 a.txt", "file 1234 2001-09-09 755 tester:60021 [a.txt]"),
    ("ProFTPD", b"-rw-r--r--   1 root     root     5368709120 Nov 22 15:41 big", "file 5368709120 2026-11-22 15:41 644 root:root [big]"),
    ("ProFTPD", b"-rw-r--r--   1 tester   60021        1234 Nov 22 15:41 back\\slash", "file 1234 2026-11-22 15:41 644 tester:60021 [back\\\\slash]"),
    ("ProFTPD", b"drwx--x--x  10 ftp      ftp          4096 Nov  3 11:01 public_html", "folder 4096 2026-11-03 11:01 711 ftp:ftp [public_html]"),
    ("ProFTPD", b"drwxr-xr-x    3 user2 read-only               4096 Feb 25  2012 directory1", "folder 4096 2012-02-25 755 user2:read-only [directory1]"),
    ("ProFTPD", b"drwxr-S---    3 105207   501            18 Jul 04  2017 .pki", "folder 18 2017-07-04 2740 105207:501 [.pki]"),
    ("Pure-FTPd", b"-rw-r--r--    1 tester     60021            1234 Nov 22 15:41 semi; colon", "file 1234 2026-11-22 15:41 644 tester:60021 [semi; colon]"),
    ("Pure-FTPd", b"-rw-r--r--    1 root       root       5368709120 Nov 22 15:41 big", "file 5368709120 2026-11-22 15:41 644 root:root [big]"),
    ("Pure-FTPd", b"drwxr-xr-x    2 tester     60021            4096 Nov 22 15:41 qu\"ote", "folder 4096 2026-11-22 15:41 755 tester:60021 [qu\\\"ote]"),
    ("Pure-FTPd", b"drwxrwxrwt   14 0        0             380 May 13 05:51 tmp", "folder 380 2026-05-13 05:51 1777 0:0 [tmp]"),
    ("pyftpdlib", b"-rwxr-xr-x   1 60021    60021        1234 Sep 09  2001 a.txt", "file 1234 2001-09-09 755 60021:60021 [a.txt]"),
    ("pyftpdlib", b"lrwxrwxrwx   1 60021    60021           3 Nov 22 15:41 dirlink -> dir", "link to dir 3 2026-11-22 15:41 777 60021:60021 [dirlink]"),
    ("pyftpdlib on Windows", b"-rw-rw-rw-   1 owner   group    7045120 Sep 02  3:47 music.mp3", "file 7045120 2026-09-02 03:47 666 owner:group [music.mp3]"),
    ("aioftp", b"drwxrwxrwt 2 none none 4096 Nov 22 15:41 dirlink", "folder 4096 2026-11-22 15:41 1777 none:none [dirlink]"),
    ("aioftp", b"prw-r--r-- 1 none none 0 Nov 22 15:41 fifo", "other - 2026-11-22 15:41 644 none:none [fifo]"),
    ("aioftp", b"-rw-r--r-- 1 none none 1234 Sep  9  2001  leading", "file 1234 2001-09-09 644 none:none [ leading]"),
    ("aioftp before 0.3", b"-rw-r--r-- 1 none none 1234 Sep 09 2001 a b", "file 1234 2001-09-09 644 none:none [a b]"),
    ("wu-ftpd", b"-rw-r--r--   1 root     other        531 Jan 29 03:26 README", "file 531 2026-01-29 03:26 644 root:other [README]"),
    ("wu-ftpd", b"dr-xr-xr-x   2 root     other        512 Apr  8  1994 etc", "folder 512 1994-04-08 555 root:other [etc]"),
    ("wu-ftpd without group", b"dr-xr-xr-x   2 root                  512 Apr  8  1994 etc", "folder 512 1994-04-08 555 root:- [etc]"),
    ("wu-ftpd", b"lrwxrwxrwx   1 root     other          7 Jan 25 00:17 bin -> usr/bin", "link to usr/bin 7 2026-01-25 00:17 777 root:other [bin]"),
    ("Solaris with ACL, without group", b"-rw-------+   1 9469            0 May  6  2011 .Xauthority", "file 0 2011-05-06 600 9469:- [.Xauthority]"),
    ("Solaris with ACL, without group", b"d--x--x--x+   2 0               7 May  9  2011 bin", "folder 7 2011-05-09 111 0:- [bin]"),
    ("Solaris with ACL, without group", b"----------+   1 0               0 Mar  1  2001 .notar", "file 0 2001-03-01 0 0:- [.notar]"),
    ("without group", b"-rw-r--r-- 1 oinstall 65536 Jul 25 15:01 csxl20170724.dmp", "file 65536 2026-07-25 15:01 644 oinstall:- [csxl20170724.dmp]"),
    ("Linux with SELinux", b"-rw-r--r--. 1 ftp ftp 1234 Nov 22 15:41 x", "file 1234 2026-11-22 15:41 644 ftp:ftp [x]"),
    ("macOS with attributes", b"-rw-r--r--@ 1 alice  staff  6148 Nov 22 15:41 .DS_Store", "file 6148 2026-11-22 15:41 644 alice:staff [.DS_Store]"),
    ("BusyBox", b"-rw-r--r--    1 0        0             1234 Nov 22 15:41 firmware.bin", "file 1234 2026-11-22 15:41 644 0:0 [firmware.bin]"),
    ("BusyBox", b"crw-rw-rw-    1 root     root        1,   3 Jan  1  1970 null", "other - 1970-01-01 666 root:root [null]"),
    ("BusyBox", b"brw-rw----    1 root     disk        8,   0 Jan  1 00:00 sda", "other - 2026-01-01 00:00 660 root:disk [sda]"),
    ("BusyBox", b"-rwsr-xr-x    1 root     root        776728 Nov 22 15:41 busybox", "file 776728 2026-11-22 15:41 4755 root:root [busybox]"),
    ("Solaris", b"Drw-r--r--   1 root     root           0 Nov 22 15:41 .door", "other - 2026-11-22 15:41 644 root:root [.door]"),
    ("Solaris, mandatory locking", b"-rw-r-lr--   1 root     root          10 Nov 22 15:41 locked", "file 10 2026-11-22 15:41 2644 root:root [locked]"),
    ("GNU ls --full-time", b"-rw-r--r-- 1 alice users 1234 2026-11-22 15:41:47.123456789 +0100 a b", "file 1234 2026-11-22T14:41:47.123456789Z 644 alice:users [a b]"),
    ("GNU ls --full-time", b"-rw-r--r-- 1 alice users 1234 2026-11-22 15:41:47.000000000 -0330 x", "file 1234 2026-11-22T19:11:47.000000000Z 644 alice:users [x]"),
    ("GNU ls --time-style=long-iso", b"drwxr-xr-x 2 alice users 4096 2026-11-22 10:00  x", "folder 4096 2026-11-22 10:00 755 alice:users [ x]"),
    ("GNU ls --time-style=+%F\\ %T", b"-rw-r--r-- 1 alice users 1234 2026-11-22 15:41:47 x", "file 1234 2026-11-22 15:41 644 alice:users [x]"),
    ("BusyBox ls --full-time", b"-rw-r--r--    1 root     root          1234 2026-11-22 15:41:47 +0100 +0100 x", "file 1234 2026-11-22T14:41:47.000000000Z 644 root:root [+0100 x]"),
    ("GNU ls --time-style=long-iso", b"-rw-r--r-- 1 alice users 1234 2026-11-22 10:00 +0100 x", "file 1234 2026-11-22 10:00 644 alice:users [+0100 x]"),
    ("FileZilla Server 0.9", b"-rw-r--r-- 1 ftp ftp          14464 Jun 30  2017 a.pdf", "file 14464 2017-06-30 644 ftp:ftp [a.pdf]"),
    ("FileZilla Server 0.9", b"drwxr-xr-x 1 ftp ftp              0 Nov 22 15:41 New folder", "folder 0 2026-11-22 15:41 755 ftp:ftp [New folder]"),
    ("BSD ls -T", b"-rw-r--r--  1 alice  staff  1234 Nov 22 15:41:47 2025 x", "file 1234 2025-11-22 15:41 644 alice:staff [x]"),
    ("day before month", b"-rw-r--r--  1 alice  staff  1234 22 Nov 15:41 x", "file 1234 2026-11-22 15:41 644 alice:staff [x]"),
    ("day before month", b"-rw-r--r--  1 alice  staff  1234  9 sep  2001 x", "file 1234 2001-09-09 644 alice:staff [x]"),
    ("months in any case", b"-rw-r--r--  1 alice  staff  1234 NOV 22 15:41 x", "file 1234 2026-11-22 15:41 644 alice:staff [x]"),
    ("a domain's group", b"-rw-r--r--   1 alice Domain Users 531 Jan 29 03:26 x", "file 531 2026-01-29 03:26 644 alice:Domain Users [x]"),
    ("a user like a month", b"-rw-r--r--   1 may 10 1995 Nov 22 15:41 x", "file 1995 2026-11-22 15:41 644 may:10 [x]"),
    ("a size grown into the group", b"-r-xr-xr-x longowner longgroup123456 Feb 12 17:20 x", "file - 2026-02-12 17:20 555 -:- [x]"),
    ("a size for people", b"-rw-r--r--   1 root     other  34.5k Oct 5 21:22 x", "file - 2026-10-05 21:22 644 -:- [x]"),
    ("NetPresenz", b"-------r--         326  1391972  1392298 Nov 22  1995 MegaPhone.sit", "file 1392298 1995-11-22 4 1391972:- [MegaPhone.sit]"),
    ("NetPresenz", b"drwxrwxr-x               folder        2 May 10  1996 network", "folder 2 1996-05-10 775 folder:- [network]"),
    ("tabs", b"-rw-r--r--\t1\talice\tstaff\t1234\tNov 22 15:41\tx", "file 1234 2026-11-22 15:41 644 alice:staff [x]"),
    ("IIS in Unix mode", b"-rwxrwxrwx   1 owner    group            1234 Nov 22 15:41 a b.txt", "file 1234 2026-11-22 15:41 777 owner:group [a b.txt]"),
    ("IIS in Unix mode", b"drwxrwxrwx   1 owner    group               0 Sep  9  2001 old", "folder 0 2001-09-09 777 owner:group [old]"),
    ("IIS", b"11-22-26  03:10PM       <DIR>          name with spaces", "folder - 2026-11-22 15:10 - -:- [name with spaces]"),
    ("IIS", b"11-22-26  12:05AM              1234567 a  b.txt", "file 1234567 2026-11-22 00:05 - -:- [a  b.txt]"),
    ("IIS", b"04-27-00  12:09PM       <DIR>           leading", "folder - 2000-04-27 12:09 - -:- [ leading]"),
    ("IIS", b"04-14-00  03:47PM                  589  leading", "file 589 2000-04-14 15:47 - -:- [ leading]"),
    ("IIS, last century", b"07-14-99  12:37AM                 1123 x", "file 1123 1999-07-14 00:37 - -:- [x]"),
    ("IIS, its first year", b"07-14-70  12:37PM                 1123 x", "file 1123 1970-07-14 12:37 - -:- [x]"),
    ("IIS, its last year", b"07-14-69  12:37PM                 1123 x", "file 1123 2069-07-14 12:37 - -:- [x]"),
    ("IIS, four-digit years", b"11-22-2026  03:10PM       <DIR>          x", "folder - 2026-11-22 15:10 - -:- [x]"),
    ("IIS, four-digit years", b"11-22-2026  03:10PM                   42 x -> y", "file 42 2026-11-22 15:10 - -:- [x -> y]"),
    ("DOS with long years", b"2002-09-02  18:48       <DIR>          x", "folder - 2002-09-02 18:48 - -:- [x]"),
    ("DOS with separators", b"2002-09-02  19:06                9,730 x", "file 9730 2002-09-02 19:06 - -:- [x]"),
    ("DOS with separators", b"2026-11-22 15:10  1.234.567.890 x", "file 1234567890 2026-11-22 15:10 - -:- [x]"),
    ("cmd.exe", b"11/22/2026  03:10 PM    <DIR>          x", "folder - 2026-11-22 15:10 - -:- [x]"),
    ("cmd.exe, day first", b"22/11/2026  15:10             1,234 x", "file 1234 2026-11-22 15:10 - -:- [x]"),
    ("cmd.exe, day first", b"13/11/2026  15:10             1,234 x", "file 1234 2026-11-13 15:10 - -:- [x]"),
    ("cmd.exe", b"11/22/2026  03:10 AM    <JUNCTION>     x", "other - 2026-11-22 03:10 - -:- [x]"),
    ("one space behind the tag", b"11-22-26 03:10PM <DIR> x", "folder - 2026-11-22 15:10 - -:- [x]"),
    ("one-digit hours, small letters", b"11-22-26  3:10p  5 x", "file 5 2026-11-22 15:10 - -:- [x]"),
];

/// What no entry can be made of.
const UNREADABLE: &[&[u8]] = &[
    b"ls: cannot access x: No such file or directory",
    b"/pub/incoming:",
    b"-rw-r--r--",
    b"-rw-r--r-- 1 a b 5",
    b"-rw-r--r-- 1 a b 5 x",
    b"-rw-r--r-- 1 a b 5 Nov 31 15:41 x",
    b"-rw-r--r-- 1 a b 5 Nov 22 24:00 x",
    b"-rw-r--r-- 1 a b 5 Nov 22 1541 x",
    b"-rw-r--r-- 1 a b 5 Nov 22 15:41:47 x",
    b"-rw-r--r-- 1 a b 5 22. Okt 15:41 x",
    b"-rw-r--r-- 1 a b 5 Feb 29  2025 x",
    b"-rw-r--r-- 1 a b 5 2026-11-22 15:41:47.5 +01:00 x",
    b"-rw-r--r-- 1 a b 5 2026-11-22 15:41:47.5 x",
    b"-rw-r--r-- 1 a b c d e f 5 Nov 22 15:41 x",
    b"-rw-r--r-* 1 a b 5 Nov 22 15:41 x",
    b"-rw-r--r-- * 1 a b 5 22:41 Nov x",
    b"-rw-r--r--+. 1 a b 5 Nov 22 15:41 x",
    b"drw-r--rw   1 root root 0 Apr 21 19:31 Directory1",
    b"xrw-r--r-- 1 a b 5 Nov 22 15:41 x",
    b"\xffrw-r--r-- 1 a b 5 Nov 22 15:41 x",
    b"d [R----F--] supervisor            512       Jan 16 18:53    login",
    b"+i8388621.48594,m825718503,r,s280,\tdjb.html",
    b"0100644   500  101   12345    123456789       x",
    b"36611      A    04-23-103  10:57  x",
    b"11-22-26  03:10PM  <DIR",
    b"11-22-26  03:10PM",
    b"11-22-26  03:10XM  5 x",
    b"11-22-26  13:10PM  5 x",
    b"11-22-26  00:10AM  5 x",
    b"11-22-026  03:10PM  5 x",
    b"13-13-26  03:10PM  5 x",
    b"11-22-26  03:10PM  1,23 x",
    b"11-22-26  03:10PM  1,234.567 x",
    b"11-22-26  03:10PM  ,234 x",
    b"11-22-26  03:10PM  -5 x",
    b"total",
    b"total of nothing",
    b" ",
];

#[test]
fn lines_of_servers() {
    assert!(LINES.len() >= 60);
    for (server, line, expected) in LINES {
        assert_eq!(told(&only(Format::Long, &[line, &b"\r\n"[..]].concat(), NOW)), *expected, "{server}");
    }
}

#[test]
fn what_is_no_entry_is_skipped_as_it_stands() {
    for line in UNREADABLE {
        let skipped = Listed::Skipped { line: line.to_vec(), why: Skip::Unreadable };
        assert_eq!(listed(Format::Long, [*line]), [skipped], "{}", line.escape_ascii());
    }
}

fn told(entry: &Entry) -> String {
    let kind = match &entry.kind {
        EntryKind::File => "file".to_owned(),
        EntryKind::Folder => "folder".to_owned(),
        EntryKind::Link { target: None } => "link".to_owned(),
        EntryKind::Link { target: Some(target) } => format!("link to {}", target.escape_ascii()),
        EntryKind::Other => "other".to_owned(),
        EntryKind::Unknown => "unknown".to_owned(),
    };
    let or_not = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    format!(
        "{kind} {} {} {} {}:{} [{}]",
        or_not(entry.size.map(|size| size.to_string())),
        or_not(entry.modified.map(time)),
        or_not(entry.mode.map(|mode| format!("{mode:o}"))),
        or_not(entry.owner.clone()),
        or_not(entry.group.clone()),
        entry.name.as_bytes().escape_ascii()
    )
}

/// A time as exactly as it is known.
fn time(modified: Modified) -> String {
    let digits = time_value(modified.unix_s);
    let day = format!("{}-{}-{}", &digits[..4], &digits[4..6], &digits[6..8]);
    let clock = format!("{}:{}", &digits[8..10], &digits[10..12]);
    match modified.precision {
        Precision::Day => day,
        Precision::Minute => format!("{day} {clock}"),
        Precision::Second | Precision::Subsecond => {
            format!("{day}T{clock}:{}.{:09}Z", &digits[12..], modified.nanos)
        }
    }
}
