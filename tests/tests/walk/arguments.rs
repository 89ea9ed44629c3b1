//! What does the walk say behind its verbs?

use carrack_ftp_proto::verb::{Argument, Row};

/// One argument of every class: none, empty, right ones of every kind, wrong ones of every kind.
pub(super) const ARGUMENTS: [&[u8]; 32] = [
    b"",
    b" ",
    b" a",
    b" -la a",
    b" 0",
    b" 7",
    b" -1",
    b" 99999999999999999999",
    b" A",
    b" I",
    b" Z",
    b" 5 9",
    b" 1 0",
    b" 9 5",
    b" \"a\" 5 9",
    b" HASH MD5",
    b" MODE Z LEVEL 9",
    b" S",
    b" F",
    b" P",
    b" C",
    b" TLS",
    b" SSL",
    b" ALL",
    b" MLST size;",
    b" 20020717210715 a",
    b" Modify=20020717210715; a",
    b" CHMOD 640 a",
    b" 192,0,2,1,9,9",
    b" |2|2001:db8::1|2000|",
    b" a\0b",
    b" a\rb",
];

/// An argument with which the verb does what it is for.
pub(super) fn right_argument(row: &Row) -> &'static [u8] {
    match (row.name, row.argument) {
        (_, Argument::None | Argument::Ignored | Argument::OptionalText) => b"",
        ("USER", _) => b" anonymous",
        ("AUTH", _) => b" TLS",
        ("PROT", _) => b" P",
        ("OPTS", _) => b" UTF8 ON",
        ("TYPE", _) => b" I",
        ("MODE", _) => b" S",
        ("RANG", _) => b" 5 9",
        ("STRU", _) => b" F",
        ("PORT", _) => b" 192,0,2,1,9,9",
        ("EPRT", _) => b" |1|192.0.2.1|2000|",
        ("MFMT", _) => b" 20020717210715 a",
        ("MFF", _) => b" Modify=20020717210715; a",
        ("SITE", _) => b" CHMOD 640 a",
        ("COMB", _) => b" a b",
        (_, Argument::Number) | ("ALLO", _) => b" 7",
        _ => b" a",
    }
}
