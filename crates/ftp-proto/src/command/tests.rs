//! Arguments: what is read, what is refused, and with which code.

use proptest::prelude::*;

use super::*;
use crate::limits;
use crate::listing::FactSet;
use crate::server::Family;
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
    assert_eq!(read(Verb::Allo, "10 R 5"), Ok(Command::Allo));
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
    assert_eq!(read(Verb::Mode, "s"), Ok(Command::Mode));
    assert_eq!(read(Verb::Mode, "B"), Err(504));
    assert_eq!(read(Verb::Stru, "F"), Ok(Command::Stru));
    assert_eq!(read(Verb::Stru, "R"), Err(504));
    assert_eq!(read(Verb::Stru, "file"), Err(501));
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
