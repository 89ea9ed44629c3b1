//! Arguments: what is read, what is refused, and with which code.

use proptest::prelude::*;

use super::*;
use crate::limits;
use crate::listing::FactSet;
use crate::server::{CompressionLevel, Family};
use crate::site::SiteVerb;
use crate::verb::TABLE;

fn read(verb: Verb, argument: &str) -> Result<Command, u16> {
    Command::read(verb, argument.as_bytes()).map_err(|reply| reply.code().number())
}

fn path(name: &str) -> PathArgument {
    PathArgument::new(name.as_bytes()).unwrap()
}

#[test]
fn a_path_keeps_its_spaces() {
    assert_eq!(read(Verb::Retr, " a b "), Ok(Command::Retr(path(" a b "))));
    assert_eq!(read(Verb::Retr, ""), Err(501));
    assert_eq!(read(Verb::Dele, "a\rb"), Err(501));
    assert_eq!(read(Verb::Dele, "a\0"), Err(501));
}

#[test]
fn list_drops_options_and_keeps_names_with_dashes() {
    let list = |argument: &str| match read(Verb::List, argument) {
        Ok(Command::List(path)) => path.map(|path| String::from_utf8(path.as_bytes().to_vec()).unwrap()),
        other => panic!("{other:?}"),
    };
    for (argument, expected) in [
        ("", None),
        ("-la", None),
        ("-a -l", None),
        ("-la dir", Some("dir")),
        ("-la  dir", Some(" dir")),
        ("-- -x", Some("-x")),
        ("-la -- -x", Some("-x")),
        ("--", None),
        ("./-x", Some("./-x")),
        ("-", Some("-")),
        ("-a.txt", Some("-a.txt")),
        ("dir -la", Some("dir -la")),
    ] {
        assert_eq!(list(argument).as_deref(), expected, "LIST {argument}");
    }
}

#[test]
fn numbers_are_decimal_and_of_63_bits() {
    assert_eq!(read(Verb::Rest, "9223372036854775807"), Ok(Command::Rest(i64::MAX as u64)));
    for wrong in ["-1", "+1", "abc", "", " 1", "1 ", "0x10", "9223372036854775808", "99999999999999999999"] {
        assert_eq!(read(Verb::Rest, wrong), Err(501), "REST {wrong}");
    }
    assert_eq!(read(Verb::Pbsz, "4294967295"), Ok(Command::Pbsz));
    assert_eq!(read(Verb::Pbsz, "4294967296"), Err(501));
    assert_eq!(read(Verb::Allo, "10 R 5"), Ok(Command::Allo(10)));
    assert_eq!(read(Verb::Allo, "10 R"), Err(501));
}

#[test]
fn types_modes_and_structures() {
    for (argument, expected) in [
        ("a", Ok(Command::Type(Representation::Ascii))),
        ("A N", Ok(Command::Type(Representation::Ascii))),
        ("A T", Ok(Command::Type(Representation::Ascii))),
        ("i", Ok(Command::Type(Representation::Image))),
        ("L 8", Ok(Command::Type(Representation::Image))),
        ("A C", Err(504)),
        ("L 7", Err(504)),
        ("E", Err(504)),
        ("X", Err(501)),
    ] {
        assert_eq!(read(Verb::Type, argument), expected, "TYPE {argument}");
    }
    assert_eq!(read(Verb::Mode, "s"), Ok(Command::Mode(TransferMode::Stream)));
    assert_eq!(read(Verb::Mode, "z"), Ok(Command::Mode(TransferMode::Deflate)));
    assert_eq!(read(Verb::Mode, "B"), Err(504));
    assert_eq!(read(Verb::Stru, "F"), Ok(Command::Stru));
    assert_eq!(read(Verb::Stru, "R"), Err(504));
    assert_eq!(read(Verb::Stru, "file"), Err(501));
}

#[test]
fn ranges_count_their_last_octet_and_quoted_names_do_not() {
    let span = |first, end| Span { first, end };
    assert_eq!(read(Verb::Rang, "0 0"), Ok(Command::Rang(Some(span(0, Some(1))))));
    assert_eq!(read(Verb::Rang, "5 9223372036854775807"), Ok(Command::Rang(Some(span(5, Some(1 << 63))))));
    assert_eq!(read(Verb::Rang, "1 0"), Ok(Command::Rang(None)));
    for wrong in ["", "1", "2 1", "2 0", "-1 5", "0 9223372036854775808", "0 1 2", "a b", " 0 1", "0  1"] {
        assert_eq!(read(Verb::Rang, wrong), Err(501), "RANG {wrong}");
    }
    let hashed = |name, span| Ok(Command::HashByName(HashAlgorithm::Crc32, path(name), span));
    for (argument, expected) in [
        ("a", hashed("a", Span::WHOLE)),
        ("report 0 10", hashed("report 0 10", Span::WHOLE)),
        (" \"a\"", hashed(" \"a\"", Span::WHOLE)),
        ("\"a\"", hashed("a", Span::WHOLE)),
        ("\"a \"\"b\"\"\"", hashed("a \"b\"", Span::WHOLE)),
        ("\"a\" 7", hashed("a", span(7, None))),
        ("\"a\" 7 7", hashed("a", span(7, Some(7)))),
        ("\"a\" 7 6", Err(501)),
        ("\"a\" ", Err(501)),
        ("\"a\" x", Err(501)),
        ("\"a\" 1 2 3", Err(501)),
        ("\"a\"1", Err(501)),
        ("\"a", Err(501)),
        ("\"", Err(501)),
        ("\"\"", Err(501)),
        ("", Err(501)),
    ] {
        assert_eq!(read(Verb::Xcrc, argument), expected, "XCRC {argument}");
    }
}

#[test]
fn options_of_hash_and_of_compression() {
    assert_eq!(read(Verb::Opts, "HASH"), Ok(Command::Opts(Opts::Hash(None))));
    assert_eq!(read(Verb::Opts, "hash sha-512"), Ok(Command::Opts(Opts::Hash(Some(HashAlgorithm::Sha512)))));
    assert_eq!(read(Verb::Opts, "HASH CRC-37"), Err(501));
    let level = CompressionLevel::of(9);
    assert_eq!(read(Verb::Opts, "MODE Z LEVEL 9"), Ok(Command::Opts(Opts::Deflate(level))));
    for wrong in ["MODE Z", "MODE Z LEVEL", "MODE Z LEVEL 10", "MODE Z LEVEL -1", "MODE S LEVEL 1", "MODE"] {
        assert_eq!(read(Verb::Opts, wrong), Err(501), "OPTS {wrong}");
    }
}

#[test]
fn addresses() {
    let active = |text: &str| Ok(Command::Active(text.parse().unwrap()));
    assert_eq!(read(Verb::Port, "192,0,2,1,4,1"), active("192.0.2.1:1025"));
    for wrong in ["192,0,2,1,4", "192,0,2,1,4,1,9", "192,0,2,256,4,1", "192,0,2,,4,1", "192,0,2,+1,4,1", ""] {
        assert_eq!(read(Verb::Port, wrong), Err(501), "PORT {wrong}");
    }
    assert_eq!(read(Verb::Eprt, "|1|192.0.2.1|1025|"), active("192.0.2.1:1025"));
    assert_eq!(read(Verb::Eprt, "!2!2001:db8::1!1025!"), active("[2001:db8::1]:1025"));
    assert_eq!(read(Verb::Eprt, "|3|x|1025|"), Err(522));
    for wrong in
        ["|1|192.0.2.1|1025", "|1|192.0.2.1|65536|", "|2|192.0.2.1|1|", "|1|::1|1|", "|", "|1|1.2.3.4|1||"]
    {
        assert_eq!(read(Verb::Eprt, wrong), Err(501), "EPRT {wrong}");
    }
    let epsv = |family| Ok(Command::Passive(PassiveStyle::Epsv(family)));
    assert_eq!(read(Verb::Epsv, ""), epsv(None));
    assert_eq!(read(Verb::Epsv, "2"), epsv(Some(Family::Ipv6)));
    assert_eq!(read(Verb::Epsv, "3"), Err(522));
    assert_eq!(read(Verb::Epsv, "all"), Ok(Command::EpsvAll));
    assert_eq!(read(Verb::Epsv, "some"), Err(501));
}

#[test]
fn options() {
    let mlst = |facts| Ok(Command::Opts(Opts::Mlst(facts)));
    assert_eq!(read(Verb::Opts, "mlst size;frogs;"), mlst(FactSet::SIZE));
    assert_eq!(read(Verb::Opts, "MLST"), mlst(FactSet::NONE));
    assert_eq!(read(Verb::Opts, "MLst unique type;"), Err(501));
    assert_eq!(read(Verb::Opts, "utf8 on"), Ok(Command::Opts(Opts::Utf8)));
    assert_eq!(read(Verb::Opts, "UTF8 OFF"), Ok(Command::Opts(Opts::NotUtf8)));
    assert_eq!(read(Verb::Opts, "UTF8 NFC"), Err(504));
    assert_eq!(read(Verb::Opts, "RETR"), Err(501));
}

#[test]
fn facts_that_are_set() {
    let changes = |modify, unix_mode| FactChanges { modify, unix_mode };
    let set = |name, changes| Ok(Command::SetFacts(SetFacts { path: path(name), changes }));
    let time = Some((1_026_940_035, 0));
    assert_eq!(read(Verb::Mfmt, "20020717210715 a b"), set("a b", changes(time, None)));
    let exact = Some((1_026_940_035, 250_000_000));
    assert_eq!(read(Verb::Mfmt, "20020717210715.25  a"), set(" a", changes(exact, None)));
    for wrong in [
        "20020717210715",
        "20020717210715 ",
        "20010229000000 a",
        "20020717250715 a",
        "2002071721071 a",
        "20020717210715. a",
        "19691231235959 a",
        "+0020717210715 a",
        "a 20020717210715",
    ] {
        assert_eq!(read(Verb::Mfmt, wrong), Err(501), "MFMT {wrong}");
        let as_name = Ok(Command::Mdtm(path(wrong), None));
        assert_eq!(read(Verb::Mdtm, wrong), as_name, "MDTM {wrong}");
    }
    assert_eq!(
        read(Verb::Mff, "modify=20020717210715;unix.MODE=0644; a"),
        set("a", changes(time, Some(0o644)))
    );
    assert_eq!(read(Verb::Mff, "UNIX.mode=7 a;b"), set("a;b", changes(None, Some(7))));
    for (wrong, code) in [
        (" a", 501),
        ("; a", 501),
        ("Modify; a", 501),
        ("Modify=20010229000000; a", 501),
        ("UNIX.mode=rwx; a", 501),
        ("UNIX.mode=00644; a", 501),
        ("UNIX.mode=644;UNIX.mode=644; a", 501),
        ("UNIX.mode=644;", 501),
        ("UNIX.mode=4755; a", 504),
        ("Create=20020717210715; a", 504),
        ("UNIX.mode=644;X.frogs=1; a", 504),
        ("UNIX.owner=0; a", 504),
    ] {
        assert_eq!(read(Verb::Mff, wrong), Err(code), "MFF {wrong}");
    }
}

#[test]
fn site() {
    let changes = |modify, unix_mode| FactChanges { modify, unix_mode };
    let chmod = |name, mode| {
        let set = SetFacts { path: path(name), changes: changes(None, Some(mode)) };
        Ok(Command::Site(SiteCommand::Chmod(set)))
    };
    let utime = |name, seconds| {
        let set = SetFacts { path: path(name), changes: changes(Some((seconds, 0)), None) };
        Ok(Command::Site(SiteCommand::Utime(set)))
    };
    assert_eq!(read(Verb::Site, "help"), Ok(Command::Site(SiteCommand::Help(None))));
    assert_eq!(read(Verb::Site, "HELP utime"), Ok(Command::Site(SiteCommand::Help(Some(SiteVerb::Utime)))));
    assert_eq!(read(Verb::Site, "chmod 755 a b"), chmod("a b", 0o755));
    assert_eq!(read(Verb::Site, "UTIME 20020717210715 a b"), utime("a b", 1_026_940_035));
    assert_eq!(read(Verb::Site, "UTIME 200207172107 a"), utime("a", 1_026_940_020));
    let times = "20010101000000 20020717210715 20030101000000";
    assert_eq!(read(Verb::Site, &format!("UTIME a b {times} UTC")), utime("a b", 1_026_940_035));
    for (wrong, code) in [
        ("", 501),
        ("CHMOD", 501),
        ("CHMOD 755", 501),
        ("CHMOD 8 a", 501),
        ("CHMOD u+x a", 501),
        ("CHMOD 1777 a", 504),
        ("UTIME a", 501),
        ("UTIME 20020230000000 a", 501),
        ("UTIME a 20010101000000 20020717210715 20030101000000 CET", 501),
        ("EXEC id", 500),
        ("HELP EXEC", 500),
    ] {
        assert_eq!(read(Verb::Site, wrong), Err(code), "SITE {wrong}");
    }
}

#[test]
fn parts_to_combine() {
    let combine = |target, parts: &[&str]| {
        let parts = parts.iter().map(|part| path(part)).collect();
        Ok(Command::Comb(Combine { target: path(target), parts }))
    };
    assert_eq!(read(Verb::Comb, r#""a b" "c" "d""e""#), combine("a b", &["c", "d\"e"]));
    assert_eq!(read(Verb::Comb, "a b c"), combine("a", &["b", "c"]));
    for wrong in [r#""a""#, r#""a" "b"#, r#""a""b""#, r#""a"  "b""#, r#""a" "b" "#, r#""" "b""#, r#""a" """#]
    {
        assert_eq!(read(Verb::Comb, wrong), Err(501), "COMB {wrong}");
    }
    let parts = |count| format!("t{}", " p".repeat(count));
    assert!(read(Verb::Comb, &parts(limits::COMBINED_PARTS)).is_ok());
    assert_eq!(read(Verb::Comb, &parts(limits::COMBINED_PARTS + 1)), Err(501));
}

#[test]
fn lines_end_with_lf_and_may_be_too_long() {
    let mut reader = LineReader::default();
    let mut output = Vec::new();
    let longest = vec![b'a'; limits::COMMAND_LINE];
    for line in [&b"NOOP\r\n"[..], b"NOOP\n", &longest, b"\r\n", &longest, b"a\r\n", b"x\ry\r\n"] {
        reader.receive(line, &mut output);
    }
    let text = |bytes: &[u8]| Some(Line::Text(bytes.to_vec().into()));
    assert_eq!(reader.next_line(), text(b"NOOP"));
    assert_eq!(reader.next_line(), text(b"NOOP"));
    assert_eq!(reader.next_line(), text(&longest));
    assert_eq!(reader.next_line(), Some(Line::TooLong));
    assert_eq!(reader.next_line(), text(b"x\ry"));
    assert!(!reader.holds_bytes());
}

#[test]
fn a_line_without_end_costs_nothing() {
    let mut reader = LineReader::default();
    for _ in 0..1000 {
        reader.receive(&[b'a'; 4096], &mut Vec::new());
    }
    assert_eq!(reader.next_line(), Some(Line::Endless));
    assert_eq!(reader.next_line(), None);
}

#[test]
fn telnet_is_decoded_and_every_option_refused() {
    let mut reader = LineReader::default();
    let mut output = Vec::new();
    reader.receive(b"\xff\xf4\xff\xf2AB\xff\xfb\x01OR\xff\xfd\x02\xff\xfe\x03 \xff\xff\r\n", &mut output);
    reader.receive(b"\xff\xfa\x01\nx\xff\xff\xff\xf0NOOP\r\n", &mut output);
    assert_eq!(reader.next_line(), Some(Line::Text(b"ABOR \xff".to_vec().into())));
    assert_eq!(reader.next_line(), Some(Line::Text(b"NOOP".to_vec().into())));
    assert_eq!(output, b"\xff\xfe\x01\xff\xfc\x02");
}

proptest! {
    #[test]
    fn no_argument_is_echoed(row in 0..TABLE.len(), argument in "[<>&a-z]{12,20}") {
        if let Err(reply) = Command::read(TABLE[row].verb, argument.as_bytes()) {
            let mut wire = Vec::new();
            reply.encode(&mut wire);
            prop_assert!(!String::from_utf8_lossy(&wire).contains(&argument));
        }
    }

    #[test]
    fn any_argument_is_read_or_refused(row in 0..TABLE.len(), argument: Vec<u8>) {
        if let Err(reply) = Command::read(TABLE[row].verb, &argument) {
            prop_assert!(reply.code().is_refusal());
        }
    }
}
