//! The reader: pieces, limits, and what our own server writes.

mod corpus;

use proptest::prelude::*;

use super::super::moment::{Modified, Precision, time_value};
use super::*;
use crate::listing::{self as formatter, EntryView, FactSet, Perm};

/// 2026-11-22 16:30:00 UTC.
const NOW: i64 = 1_795_365_000;

/// Everything a reader has.
fn take(reader: &mut ListingReader) -> Vec<Listed> {
    reader.by_ref().collect()
}

/// What a listing says that comes in these pieces.
fn listed<'p>(format: Format, pieces: impl IntoIterator<Item = &'p [u8]>) -> Vec<Listed> {
    let mut reader = ListingReader::new(format, NOW);
    let mut all = Vec::new();
    for piece in pieces {
        reader.feed(piece);
        all.extend(take(&mut reader));
    }
    reader.finish();
    all.extend(take(&mut reader));
    all
}

/// Names of entries, and reasons of what is skipped.
fn names(format: Format, listing: &[u8]) -> Vec<Result<String, Skip>> {
    listed(format, [listing])
        .into_iter()
        .filter_map(|listed| match listed {
            Listed::Entry(entry) => Some(Ok(entry.name.escaped().to_string())),
            Listed::Current(_) => None,
            Listed::Skipped { why, .. } => Some(Err(why)),
        })
        .collect()
}

fn found(name: &str) -> Result<String, Skip> {
    Ok(name.to_owned())
}

#[test]
fn names_that_leave_the_folder_are_skipped_and_the_folder_itself_is_no_entry() {
    let separator = || Err(Skip::Name(BadName::Separator));
    let (dots, forbidden) = (Err(Skip::Name(BadName::Dots)), Err(Skip::Name(BadName::ForbiddenByte)));
    let empty = Err(Skip::Name(BadName::Empty));
    assert_eq!(
        names(
            Format::Facts,
            b"type=cdir; /x\r\ntype=pdir; /\r\ntype=dir; .\r\ntype=dir; ..\r\ntype=file; ..\r\ntype=file; ../../.bashrc\r\n\
              type=file; /etc/passwd\r\ntype=file; \r\ntype=file; a\0b\r\ntype=file; a\rb\r\ntype=OS.unix=slink:/etc; .\r\n\
              type=file; back\\slash\r\n\r\ntype=file; ok\n"
        ),
        [
            dots.clone(),
            separator(),
            separator(),
            empty.clone(),
            forbidden.clone(),
            forbidden.clone(),
            dots.clone(),
            found("back\\slash"),
            found("ok")
        ]
    );
    assert_eq!(
        names(
            Format::Long,
            b"total 12\r\nTotal 4,5K\r\ndrwxr-xr-x 2 a b 0 Nov 22 15:41 .\r\ndrwxr-xr-x 2 a b 0 Nov 22 15:41 ..\r\n\
              -rw-r--r-- 1 a b 0 Nov 22 15:41 ..\r\n-rw-r--r-- 1 a b 0 Nov 22 15:41 ../x\r\n\
              lrwxrwxrwx 1 a b 0 Nov 22 15:41 .. -> x\r\nlrwxrwxrwx 1 a b 0 Nov 22 15:41  -> x\r\n\
              -rw-r--r-- 1 a b 0 Nov 22 15:41 \r\n-rw-r--r-- 1 a b 0 Nov 22 15:41\r\n\
              -rw-r--r-- 1 a b 0 Nov 22 15:41 a\\b\r\n11-22-26  03:10PM  1 a\\b\r\n11-22-26  03:10PM  <DIR>  ..\\..\\x\r\n\
              11-22-26  03:10PM  <DIR>  ..\r\n11-22-26  03:10PM  5 ..\r\n11-22-26  03:10PM  5 a/b\r\n11-22-26  03:10PM  5\r\n"
        ),
        [
            dots.clone(),
            separator(),
            dots.clone(),
            empty.clone(),
            empty.clone(),
            empty.clone(),
            found("a\\b"),
            separator(),
            separator(),
            dots,
            separator(),
            empty
        ]
    );
    assert_eq!(
        names(Format::Names, b"a\r\n.\r\n..\r\n b \r\ndir/x\r\ntotal 3\r\nx\ry\r\n-rf"),
        [found("a"), found(" b "), separator(), found("total 3"), forbidden, found("-rf")]
    );
}

#[test]
fn the_folder_itself_is_told() {
    let all = listed(Format::Facts, [&b"type=cdir;perm=cel;unique=7; /pub\r\n"[..]]);
    let [Listed::Current(facts)] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((facts.perm.as_deref(), facts.unique.as_deref()), (Some("cel"), Some(&b"7"[..])));
}

#[test]
fn a_line_is_read_up_to_the_limit_and_reported_once_above_it() {
    let entry = b"type=file; x\r\n";
    for (length, too_long) in
        [(limits::LISTING_LINE, false), (limits::LISTING_LINE + 1, true), (10 * limits::LISTING_LINE, true)]
    {
        let mut line = b"type=file;".to_vec();
        line.resize(length - 2, b';');
        let mut listing = [&entry[..], &line, b" y\n", entry, b"type=file; z"].concat();
        for piece in [1, 7, 4096, limits::LISTING_LINE - 1, limits::LISTING_LINE + 1, listing.len()] {
            let all = listed(Format::Facts, listing.chunks(piece));
            assert_eq!(all.len(), 4, "pieces of {piece}");
            match &all[1] {
                Listed::Skipped { line: shown, why } => {
                    assert!(too_long && *why == Skip::TooLong && shown == &line[..limits::SKIPPED_SHOWN]);
                }
                Listed::Entry(entry) => assert!(!too_long && entry.name.as_bytes() == b"y"),
                other @ Listed::Current(_) => panic!("{other:?}"),
            }
            assert!(matches!(&all[2], Listed::Entry(entry) if entry.name.as_bytes() == b"x"));
            assert!(matches!(&all[3], Listed::Entry(entry) if entry.name.as_bytes() == b"z"));
        }
        // Without an end at all.
        listing.truncate(entry.len() + line.len());
        assert_eq!(listed(Format::Facts, listing.chunks(1000)).len(), 2);
    }
}

#[test]
fn a_listing_without_a_line_end_costs_no_memory_and_no_second_look() {
    let mut reader = ListingReader::new(Format::Long, NOW);
    let mut reports = 0;
    for _ in 0..1024 {
        reader.feed(&[b'-'; 1024]);
        reports += take(&mut reader).len();
        assert!(reader.buffer.capacity() <= 4 * limits::LISTING_LINE, "{}", reader.buffer.capacity());
        assert_eq!(reader.searched, reader.buffer.len(), "everything is searched once");
    }
    assert_eq!(reports, 1);
    // Many lines, byte by byte: what is read is given back, and what was searched stays searched.
    let line = b"-rw-r--r--    1 0        0            1234 Nov 22 15:41 name\r\n";
    reader.feed(b"\n");
    for byte in line.iter().cycle().take(line.len() * 10_000) {
        let searched = reader.searched;
        reader.feed(&[*byte]);
        assert!(reader.searched <= searched && reader.buffer.len() - reader.searched == 1);
        reports += take(&mut reader).len();
        assert!(reader.buffer.len() <= 2 * line.len());
    }
    assert_eq!(reports, 10_001);
}

#[test]
fn lines_made_to_be_slow_are_read_like_any_other() {
    // Each is one line just below the limit, of what the parsers look for; a mebibyte of them.
    let fill = |pattern: &[u8]| {
        let mut line: Vec<u8> = pattern.iter().copied().cycle().take(limits::LISTING_LINE - 1).collect();
        line.push(b'\n');
        line
    };
    for (format, pattern) in [
        (Format::Facts, &b"a=b;"[..]),
        (Format::Facts, b";"),
        (Format::Facts, b"type=OS.x=slink:"),
        (Format::Facts, b"="),
        (Format::Long, b"-rw-r--r-- "),
        (Format::Long, b"-rw-r--r-- 1 Nov 22 "),
        (Format::Long, b"-rwxrwxrwx\t"),
        (Format::Long, b"lrwxrwxrwx 1 a b 1 Nov 22 15:41 x -> -> -> "),
        (Format::Long, b"1"),
        (Format::Long, b"11-22-26  03:10PM  1,"),
        (Format::Long, b"total "),
        (Format::Names, b"x"),
    ] {
        let line = fill(pattern);
        let listing = line.repeat(1024 * 1024 / line.len());
        let lines = listing.len() / line.len();
        let all = listed(format, [listing.as_slice()]);
        assert!(
            all.len() == lines && all.iter().all(|listed| *listed == all[0]),
            "{}",
            pattern.escape_ascii()
        );
    }
}

#[test]
fn what_is_fed_behind_the_end_is_nothing() {
    let mut reader = ListingReader::new(Format::Names, NOW);
    reader.feed(b"a");
    reader.finish();
    reader.feed(b"b\n");
    let all = take(&mut reader);
    assert!(matches!(all.as_slice(), [Listed::Entry(entry)] if entry.name.as_bytes() == b"a"), "{all:?}");
}

/// A name that our server shows: no control bytes, one component.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => any::<u8>(),
        1 => Just(b' '),
        1 => prop::sample::select(&b".->;=:\\0123456789"[..]),
    ];
    let bytes = prop::collection::vec(byte, 1..40);
    let arrow = (bytes.clone(), bytes.clone()).prop_map(|(from, to)| [from, to].join(&b" -> "[..]));
    prop_oneof![4 => bytes, 1 => arrow].prop_filter("a presentable name", |name| {
        formatter::presentable(name) && EntryName::parse(name).is_ok()
    })
}

fn kind() -> impl Strategy<Value = (formatter::EntryKind, EntryKind)> {
    prop::sample::select(vec![
        (formatter::EntryKind::File, EntryKind::File),
        (formatter::EntryKind::Directory, EntryKind::Folder),
        (formatter::EntryKind::Link, EntryKind::Link { target: None }),
        (formatter::EntryKind::Other, EntryKind::Other),
    ])
}

/// The only thing that a listing of one line says.
fn only(format: Format, line: &[u8], now_unix_s: i64) -> Entry {
    let mut reader = ListingReader::new(format, now_unix_s);
    reader.feed(line);
    let listed = reader.next();
    match listed {
        Some(Listed::Entry(entry)) if reader.next().is_none() => entry,
        other => panic!("{} is {other:?}", line.escape_ascii()),
    }
}

proptest! {
    #[test]
    fn our_own_facts_read_back(
        name in name(), (kind, expected) in kind(), size: u64, modified_s in 0i64..253_402_300_800,
        milliseconds in 0u32..1000, mode in 0u32..0o10000, unique: Option<(u64, u64)>, owner: Option<(u32, u32)>,
    ) {
        let entry = EntryView {
            name: &name, kind, size, modified_s, modified_ns: milliseconds * 1_000_000 + 7, mode: Some(mode), links: 1,
            perm: Perm::READ | Perm::DELETE, unique, created: Some((0, 0)), owner,
        };
        let mut line = Vec::new();
        formatter::facts(&mut line, &entry, FactSet::ALL);
        let read = only(Format::Facts, &line, NOW);
        prop_assert_eq!(read.name.as_bytes(), &name);
        let is_folder = expected == EntryKind::Folder;
        prop_assert_eq!(read.kind, expected);
        prop_assert_eq!(read.size, (!is_folder).then_some(size));
        let precision = if milliseconds == 0 { Precision::Second } else { Precision::Subsecond };
        prop_assert_eq!(read.modified, Some(Modified { unix_s: modified_s, nanos: milliseconds * 1_000_000, precision }));
        prop_assert_eq!(read.mode, Some(mode));
        prop_assert_eq!(read.owner, owner.map(|(user, _)| user.to_string()));
        prop_assert_eq!(read.group, owner.map(|(_, group)| group.to_string()));
        prop_assert_eq!(read.perm.as_deref(), Some("dr"));
        prop_assert_eq!(read.unique, unique.map(|(space, file)| format!("{space:x}g{file:x}").into_bytes()));
    }

    #[test]
    fn our_own_long_lines_read_back(
        name in name(), (kind, expected) in kind(), size: u64, modified_s in 0i64..253_402_300_800,
        age in -100_000i64..40_000_000, mode in 0u32..0o10000, links in 1u64..1_000_000,
    ) {
        // A link's line has no target, so an arrow in its name would be read as one.
        prop_assume!(kind != formatter::EntryKind::Link || !name.windows(4).any(|four| four == b" -> "));
        let now_s = modified_s.saturating_add(age);
        let entry = EntryView {
            name: &name, kind, size, modified_s, modified_ns: 0, mode: Some(mode), links, perm: Perm::NONE, unique: None,
            created: None, owner: None,
        };
        let mut line = Vec::new();
        formatter::long(&mut line, &entry, now_s);
        let read = only(Format::Long, &line, now_s);
        prop_assert_eq!(read.name.as_bytes(), &name);
        prop_assert_eq!(read.size, (expected != EntryKind::Other).then_some(size));
        prop_assert_eq!(read.kind, expected);
        prop_assert_eq!(read.mode, Some(mode));
        prop_assert_eq!((read.owner.as_deref(), read.group.as_deref()), (Some("ftp"), Some("ftp")));
        let modified = read.modified.unwrap();
        let exactness = if modified.precision == Precision::Minute { 60 } else { 86_400 };
        prop_assert_eq!(modified.unix_s, modified_s / exactness * exactness, "{}", time_value(modified.unix_s));
        prop_assert_eq!(modified.precision == Precision::Minute, (0..15_778_476).contains(&age));
    }

    #[test]
    fn pieces_change_nothing(
        lines in prop::collection::vec(prop_oneof![
            3 => (0..corpus::LINES.len()).prop_map(|index| corpus::LINES[index].1.to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..60),
            1 => Just(b"type=file;size=3; a".to_vec()),
            1 => prop::collection::vec(prop::sample::select(&b"\r\n \0/."[..]), 0..6),
        ], 0..12),
        ends in prop::collection::vec(prop::sample::select(vec![&b"\r\n"[..], b"\n", b""]), 12),
        pieces in prop::collection::vec(1usize..50, 1..20),
        format in prop::sample::select(vec![Format::Facts, Format::Long, Format::Names]),
    ) {
        let listing: Vec<u8> = lines.iter().zip(&ends).flat_map(|(line, end)| [line.as_slice(), *end].concat()).collect();
        let whole = listed(format, [listing.as_slice()]);
        prop_assert_eq!(&listed(format, listing.chunks(1)), &whole);
        let mut rest = listing.as_slice();
        let cut = pieces.iter().cycle().map_while(|&length| {
            let (piece, behind) = rest.split_at(length.min(rest.len()));
            rest = behind;
            (!piece.is_empty()).then_some(piece)
        });
        prop_assert_eq!(&listed(format, cut), &whole);
    }

    #[test]
    fn every_entry_of_any_bytes_has_a_safe_name(
        listing in prop::collection::vec(prop_oneof![3 => any::<u8>(), 1 => prop::sample::select(&b"\r\n ./;=-d0123:"[..])], 0..400),
        format in prop::sample::select(vec![Format::Facts, Format::Long, Format::Names]),
        now_unix_s: i64,
    ) {
        let mut reader = ListingReader::new(format, now_unix_s);
        reader.feed(&listing);
        reader.finish();
        for listed in reader {
            if let Listed::Entry(entry) = listed {
                prop_assert_eq!(EntryName::parse(entry.name.as_bytes()), Ok(entry.name));
            }
        }
    }
}
