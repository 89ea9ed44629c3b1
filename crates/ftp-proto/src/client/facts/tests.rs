//! Lines of MLSx as servers write them, and as nobody should.

use proptest::prelude::*;

use super::super::BadName;
use super::*;

/// What a line says, in one short text.
fn told(line: &[u8]) -> String {
    let line = match read(line) {
        Ok(line) => line,
        Err(why) => return format!("{why:?}"),
    };
    let Facts { kind, size, modified, mode, owner, group, perm, unique } = line.facts;
    let kind = match kind {
        EntryKind::File => "file".to_owned(),
        EntryKind::Folder => "folder".to_owned(),
        EntryKind::Link { target: None } => "link".to_owned(),
        EntryKind::Link { target: Some(target) } => format!("link to {}", target.escape_ascii()),
        EntryKind::Other => "other".to_owned(),
        EntryKind::Unknown => "unknown".to_owned(),
    };
    let role = match line.role {
        Role::Entry => "",
        Role::Current => " current",
        Role::Parent => " parent",
    };
    let mut text = format!("{kind}{role}");
    let mut add = |label: &str, value: Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!(" {label}{value}"));
        }
    };
    add("", size.map(|size| size.to_string()));
    add("@", modified.map(|at| format!("{}.{}", super::super::time_value(at.unix_s), at.nanos)));
    add("0", mode.map(|mode| format!("{mode:o}")));
    add("owner=", owner);
    add("group=", group);
    add("perm=", perm);
    add("unique=", unique.map(|unique| unique.escape_ascii().to_string()));
    format!("{text} [{}]", line.path.escape_ascii())
}

#[rustfmt::skip]
const LINES: &[(&[u8], &str)] = &[
    // ProFTPD 1.3.8
    (b"modify=20010909014640;perm=adfrw;size=1234;type=file;unique=FE00U98E2E8;UNIX.group=60021;UNIX.groupname=60021;UNIX.mode=0755;UNIX.owner=60021;UNIX.ownername=tester; a.txt",
     "file 1234 @20010909014640.0 0755 owner=tester group=60021 perm=adfrw unique=FE00U98E2E8 [a.txt]"),
    (b"modify=20261122154147;perm=flcdmpe;type=dir;unique=FE00U98E292;UNIX.group=0;UNIX.groupname=root;UNIX.mode=01777;UNIX.owner=0;UNIX.ownername=root; dir",
     "folder @20261122154147.0 01777 owner=root group=root perm=flcdmpe unique=FE00U98E292 [dir]"),
    (b"modify=20261122154147;perm=flcdmpe;type=cdir;unique=FE00U98E282;UNIX.mode=0755; .",
     "folder current @20261122154147.0 0755 perm=flcdmpe unique=FE00U98E282 [.]"),
    (b"modify=20261122154210;perm=fle;type=pdir;unique=FE00U98E273;UNIX.mode=0755; ..",
     "folder parent @20261122154210.0 0755 perm=fle unique=FE00U98E273 [..]"),
    (b"modify=20261122154147;perm=adfrw;size=5;type=OS.unix=symlink;unique=FE00U98E2E8;UNIX.mode=0777; link",
     "link 5 @20261122154147.0 0777 perm=adfrw unique=FE00U98E2E8 [link]"),
    (b"modify=20261122154147;perm=adfrw;size=1234;type=file;UNIX.mode=0644;   two leading", "file 1234 @20261122154147.0 0644 perm=adfrw [  two leading]"),
    (b"modify=20261122154147;perm=adfrw;size=1234;type=file;UNIX.mode=0644; semi; colon", "file 1234 @20261122154147.0 0644 perm=adfrw [semi; colon]"),
    (b"type=OS.unix=slink:/pub/current;size=3; current", "link to /pub/current 3 [current]"),
    // Pure-FTPd 1.0.50
    (b"type=file;size=5368709120;modify=20261122154147;UNIX.mode=0644;UNIX.uid=0;UNIX.gid=0;unique=fe00g98e30e; big",
     "file 5368709120 @20261122154147.0 0644 owner=0 group=0 unique=fe00g98e30e [big]"),
    (b"type=dir;sizd=4096;modify=20261122154147;UNIX.mode=0755;UNIX.uid=60021;UNIX.gid=60021;unique=fe00g98e30d; qu\"ote",
     "folder 4096 @20261122154147.0 0755 owner=60021 group=60021 unique=fe00g98e30d [qu\\\"ote]"),
    (b"type=unknown;size=0;modify=20261122154147;UNIX.mode=0644; fifo", "other 0 @20261122154147.0 0644 [fifo]"),
    (b"type=OS.unix=slink:;size=3;modify=20261122154147; dirlink", "link 3 @20261122154147.0 [dirlink]"),
    (b"type=file;size=1234; latin\xe9", "file 1234 [latin\\xe9]"),
    // pyftpdlib 2.2.0
    (b"modify=20261122154147;perm=radfwMT;size=1234;type=file;unique=fe00g98e2ef; back\\slash",
     "file 1234 @20261122154147.0 perm=radfwMT unique=fe00g98e2ef [back\\\\slash]"),
    (b"modify=20261122154147;perm=el;type=dir;unique=1g2;unix.gid=1;unix.mode=0o755;unix.uid=2; d",
     "folder @20261122154147.0 0755 owner=2 group=1 perm=el unique=1g2 [d]"),
    // aioftp 0.28
    (b"Size=1234;Create=20261122154147;Modify=20010909014640;Type=file; a.txt", "file 1234 @20010909014640.0 [a.txt]"),
    (b"Type=unknown; gone", "other [gone]"),
    // FileZilla Server 1.x
    (b"type=dir;modify=20230410102030.250; data", "folder @20230410102030.250000000 [data]"),
    (b"type=file;size=7;modify=20230410102030.123456789; x", "file 7 @20230410102030.123456789 [x]"),
    // Carrack
    (b"Type=file;Size=1234;Modify=20240229123456.007;Perm=arw;Unique=801g2a;UNIX.mode=0640; report.csv",
     "file 1234 @20240229123456.7000000 0640 perm=arw unique=801g2a [report.csv]"),
    (b"Type=OS.unix=special;Size=0; fifo", "other 0 [fifo]"),
    (b" no facts at all", "unknown [no facts at all]"),
    // RFC 3659 §7.7
    (b"Type=OS.unix=slink:/foobar;Perm=;Unique=keVO1+4G4; foobar", "link to /foobar perm= unique=keVO1+4G4 [foobar]"),
    (b"Type=OS.unix=chr-13/29;Perm=;Unique=keVO1+5G4; device", "other perm= unique=keVO1+5G4 [device]"),
    (b"Type=OS.unix=blk-11/108;Perm=;Unique=keVO1+6G4; block", "other perm= unique=keVO1+6G4 [block]"),
    (b"Type=file;Perm=awr;Unique=keVO1+8G4; writable", "file perm=awr unique=keVO1+8G4 [writable]"),
    (b"Type=file;Perm=r;Unique=keVO1+IH4;  leading space", "file perm=r unique=keVO1+IH4 [ leading space]"),
    (b"Type=file;Perm=awdrf;Unique=keVO1+LH4; ", "file perm=awdrf unique=keVO1+LH4 []"),
    (b"Type=dir;Perm=el;Unique=keVO1+ZF4 test", "folder perm=el unique=keVO1+ZF4 [test]"),
    (b"type=cdir;unique=AQkAAAAAAAABYAEA; /linux/kernel", "folder current unique=AQkAAAAAAAABYAEA [/linux/kernel]"),
    (b"type=pdir;modify=19791231130000;perm=el; /", "folder parent @19791231130000.0 perm=el [/]"),
    // Any case, any order, unknown and doubled facts, values that are none.
    (b"SIZE=1;TYPE=DIR;uniQUE=aB;X.frogs=7;lang=en;media-type=text/plain; x", "folder 1 unique=aB [x]"),
    (b"type=file;type=dir;size=1;size=2; x", "file 1 [x]"),
    (b"type=file;sizd=9;size=1; x", "file 1 [x]"),
    (b"type=;size=;modify=;unix.mode=;perm=;unique=; x", "other perm= unique= [x]"),
    (b"type=file;size=-1;modify=19100101000000000;unix.mode=0999;perm=r w; x", "file perm=r [w; x]"),
    (b"type=file;size=18446744073709551616;modify=20261301000000;UNIX.mode=77777777777777; x", "file [x]"),
    (b"type=os.Linux=Slink:a=b:c; x", "link to a=b:c [x]"),
    (b"type=OS.unix=slinky; x", "other [x]"),
    (b"type=xy.unix=slink; x", "other [x]"),
    (b"type=file;UNIX.mode=0100644; x", "file 0644 [x]"),
    (b"UNIX.owner=0;UNIX.ownername=ev\x1b[2Jil; x", "unknown owner=ev\\u{1b}[2Jil [x]"),
    (b"UNIX.owner=7;UNIX.ownername=; x", "unknown owner=7 [x]"),
    (b";;;type=file;;; x", "file [x]"),
    // No facts line.
    (b"", "Unreadable"),
    (b"type=file;size=1;", "Unreadable"),
    (b"-rw-r--r-- 1 a b 1 Nov 22 15:41 x", "Unreadable"),
    (b"type=file;garbage; x", "Unreadable"),
];

#[test]
fn lines_of_servers() {
    for (line, expected) in LINES {
        assert_eq!(told(line), *expected, "{}", line.escape_ascii());
    }
}

#[test]
fn an_answer_to_mlst_is_named_by_the_last_component() {
    for (line, expected) in [
        (&b" Type=file;Size=1; /tmp/a b.gz"[..], Ok(&b"a b.gz"[..])),
        (b"Type=file;Size=1; /tmp/a", Ok(b"a")),
        (b" type=dir; f", Ok(b"f")),
        (b" type=dir; /a/b/", Ok(b"b")),
        (b"  no facts", Ok(b"no facts")),
        (b" type=dir; /", Err(Skip::Name(BadName::Empty))),
        (b" type=dir; /a/..", Err(Skip::Name(BadName::Dots))),
        (b" type=dir; ", Err(Skip::Name(BadName::Empty))),
        (b" type=dir;", Err(Skip::Unreadable)),
    ] {
        let entry = facts_line(line).and_then(FactLine::entry);
        assert_eq!(
            entry.as_ref().map(|entry| entry.name.as_bytes()),
            expected.as_ref().copied(),
            "{}",
            line.escape_ascii()
        );
    }
    assert_eq!(facts_line(&[b'x'; limits::LISTING_LINE + 1]), Err(Skip::TooLong));
}

#[test]
fn facts_are_looked_at_to_their_limit() {
    let line = |before: usize| format!("{}size=7; x", "a=b;".repeat(before));
    let size = |line: String| read(line.as_bytes()).unwrap().facts.size;
    assert_eq!(size(line(limits::FACTS - 1)), Some(7));
    assert_eq!(size(line(limits::FACTS)), None);
}

#[test]
fn long_values_are_left_out() {
    let line = |length: usize| {
        let value = "v".repeat(length);
        format!("unique={value};perm={value};UNIX.owner={value};UNIX.group={value}; x")
    };
    let kept = line(limits::FACT_VALUE);
    let facts = read(kept.as_bytes()).unwrap().facts;
    assert!(facts.unique.is_some() && facts.perm.is_some() && facts.owner.is_some() && facts.group.is_some());
    let dropped = line(limits::FACT_VALUE + 1);
    assert_eq!(read(dropped.as_bytes()).unwrap().facts, Facts::default());
}

proptest! {
    #[test]
    fn any_bytes_are_a_line(line: Vec<u8>) {
        let _ = facts_line(&line).and_then(FactLine::entry);
    }

    #[test]
    fn what_looks_like_facts_is_a_line(line in "([tT]ype|size|modify|perm|unix.mode|os)?=?(file|dir|OS.unix=slink:|[0-9]{0,20})[;=: ]{0,3}[a-z/. ]{0,6}") {
        if let Ok(line) = read(line.as_bytes()) {
            prop_assert!(line.facts.mode.is_none_or(|mode| mode <= 0o7777));
        }
    }
}
