//! Listing lines: known ones to the byte, and any one reads back as what it says.

use proptest::prelude::*;

use super::*;

const ENTRY: EntryView<'static> = EntryView {
    name: b"report.csv",
    kind: EntryKind::File,
    size: 1234,
    modified_s: 1_709_210_096, // 2024-02-29 12:34:56 UTC
    modified_ns: 0,
    created: Some((1_000_000_000, 500_000_000)), // 2001-09-09 01:46:40.5 UTC
    mode: Some(0o100_640),
    owner: Some((1000, 0)),
    links: 1,
    perm: Perm::NONE,
    unique: Some((0x801, 0x2a)),
};

fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut line = Vec::new();
    write(&mut line);
    String::from_utf8(line).unwrap()
}

#[test]
fn a_long_line_shows_the_time_for_half_a_year_and_then_the_year() {
    let line = |now_s| text(|line| long(line, &ENTRY, now_s));
    assert_eq!(
        line(ENTRY.modified_s),
        "-rw-r-----    1 ftp      ftp              1234 Feb 29 12:34 report.csv\r\n"
    );
    assert!(line(ENTRY.modified_s + HALF_A_YEAR_S - 1).contains(" Feb 29 12:34 "));
    assert!(line(ENTRY.modified_s + HALF_A_YEAR_S).contains(" Feb 29  2024 "));
    assert!(line(ENTRY.modified_s - 1).contains(" Feb 29  2024 "), "a file from the future shows its year");
}

#[test]
fn modes_as_ls_has_them() {
    let letters =
        |kind, mode| String::from_utf8(mode_letters(&EntryView { kind, mode, ..ENTRY }).to_vec()).unwrap();
    assert_eq!(letters(EntryKind::File, Some(0o6755)), "rwsr-sr-x");
    assert_eq!(letters(EntryKind::File, Some(0o7000)), "--S--S--T");
    assert_eq!(letters(EntryKind::Directory, Some(0o1777)), "rwxrwxrwt");
    assert_eq!(letters(EntryKind::Directory, None), "rwxr-xr-x");
}

#[test]
fn facts_in_the_form_of_rfc_3659() {
    let perm = Perm::READ | Perm::WRITE | Perm::APPEND;
    assert_eq!(
        text(|line| facts(line, &EntryView { perm, ..ENTRY }, FactSet::ALL)),
        "Type=file;Size=1234;Modify=20240229123456;Create=20010909014640.500;Perm=arw;Unique=801g2a;UNIX.mode=0640;\
         UNIX.owner=1000;UNIX.group=0; report.csv\r\n"
    );
    let directory = EntryView { kind: EntryKind::Directory, modified_ns: 7_000_000, ..ENTRY };
    assert_eq!(
        text(|line| facts_entry(line, &directory, FactSet::named(b"type;size;modify"))),
        "Type=dir;Modify=20240229123456.007; report.csv"
    );
    assert_eq!(text(|line| facts(line, &ENTRY, FactSet::NONE)), " report.csv\r\n");
    let unknown = EntryView { created: None, owner: None, mode: None, unique: None, ..ENTRY };
    let asked = FactSet::named(b"create;unix.owner;unix.group;unix.mode;unique;size");
    assert_eq!(text(|line| facts(line, &unknown, asked)), "Size=1234; report.csv\r\n");
}

#[test]
fn fact_sets_are_told_in_both_forms() {
    let set = FactSet::named(b"MODIFY;type;x.frogs;");
    assert_eq!(set.labels(), "Type;Modify;");
    assert_eq!(set.starred(), "Type*;Size;Modify*;Create;Perm;Unique;UNIX.mode;UNIX.owner;UNIX.group;");
    assert_eq!(FactSet::default().labels(), "Type;Size;Modify;Perm;Unique;UNIX.mode;UNIX.owner;UNIX.group;");
}

#[test]
fn moments_of_the_calendar() {
    for (seconds, expected) in [
        (0, "19700101000000"),
        (951_782_399, "20000228235959"),
        (951_782_400, "20000229000000"),
        (4_107_542_400, "21000301000000"),
        (LAST_S, "99991231235959"),
        (i64::MAX, "99991231235959"),
        (i64::MIN, "19700101000000"),
    ] {
        assert_eq!(time_val(seconds, 0), expected);
    }
}

#[test]
fn names_with_control_bytes_are_not_presentable() {
    assert!(presentable("ä b".as_bytes()) && presentable(b"\xff") && presentable(b"-x"));
    assert!(!presentable(b"a\r\nb") && !presentable(b"a\0") && !presentable(b"\x1b[2J") && !presentable(b""));
}

/// Seconds since 1970 of a `time-val`, by counting days.
fn seconds_of(time_val: &str) -> i64 {
    let number = |range: std::ops::Range<usize>| time_val[range].parse::<i64>().unwrap();
    let leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let (year, month) = (number(0..4), number(4..6));
    let days_of_month = |month| match month {
        2 => 28 + i64::from(leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let days = (1970..year).map(|year| 365 + i64::from(leap(year))).sum::<i64>()
        + (1..month).map(days_of_month).sum::<i64>()
        + number(6..8)
        - 1;
    days * DAY_S + number(8..10) * 3_600 + number(10..12) * 60 + number(12..14)
}

proptest! {
    #[test]
    fn a_long_line_reads_back(
        name in "[^\\x00-\\x1f\\x7f/]{1,40}", size: u64, links in 1u64..100_000, mode in 0u32..0o10000,
        modified_s in 0..LAST_S, age in -1_000i64..40_000_000,
    ) {
        let entry = EntryView { name: name.as_bytes(), size, links, mode: Some(mode), modified_s, ..ENTRY };
        prop_assert!(presentable(entry.name));
        let line = text(|line| long(line, &entry, modified_s + age));
        let line = line.strip_suffix("\r\n").unwrap();
        prop_assert!(!line.contains(['\r', '\n']));
        let shown_name = format!(" {name}");
        prop_assert!(line.ends_with(&shown_name));
        let words: Vec<&str> = line[..line.len() - name.len()].split_whitespace().collect();
        prop_assert_eq!(words.len(), 8);
        prop_assert_eq!(words[0].len(), 10);
        prop_assert_eq!(words[1].parse::<u64>().unwrap(), links);
        prop_assert_eq!(words[4].parse::<u64>().unwrap(), size);
        let stamp = time_val(modified_s, 0);
        prop_assert_eq!(MONTHS.iter().position(|month| *month == words[5]).unwrap() + 1, stamp[4..6].parse::<usize>().unwrap());
        prop_assert_eq!(words[6].parse::<u32>().unwrap(), stamp[6..8].parse::<u32>().unwrap());
        let recent = (0..HALF_A_YEAR_S).contains(&age);
        let expected = if recent { format!("{}:{}", &stamp[8..10], &stamp[10..12]) } else { stamp[..4].to_owned() };
        prop_assert_eq!(words[7].trim_start_matches('0'), expected.trim_start_matches('0'));
    }

    #[test]
    fn facts_read_back(size: u64, modified_s in 0..LAST_S, perm in 0u16..1024, mode in 0u32..0o10000, set in 0u16..512) {
        let entry = EntryView { size, modified_s, perm: Perm(perm), mode: Some(mode), ..ENTRY };
        let set = FactSet(set);
        let line = text(|line| facts(line, &entry, set));
        let (facts, name) = line.strip_suffix("\r\n").unwrap().split_once(' ').unwrap();
        prop_assert_eq!(name.as_bytes(), entry.name);
        prop_assert_eq!(FactSet::named(facts.split_terminator(';').map(|fact| fact.split_once('=').unwrap().0).collect::<Vec<_>>().join(";").as_bytes()), set);
        for fact in facts.split_terminator(';') {
            match fact.split_once('=').unwrap() {
                ("Type", value) => prop_assert_eq!(value, "file"),
                ("Size", value) => prop_assert_eq!(value.parse::<u64>().unwrap(), size),
                ("Modify", value) => prop_assert_eq!(seconds_of(value), modified_s),
                ("Create", value) => prop_assert_eq!(value, "20010909014640.500"),
                ("UNIX.owner", value) => prop_assert_eq!(value, "1000"),
                ("UNIX.group", value) => prop_assert_eq!(value, "0"),
                ("Perm", value) => prop_assert_eq!(value.len(), perm.count_ones() as usize),
                ("Unique", value) => prop_assert_eq!(value, "801g2a"),
                ("UNIX.mode", value) => prop_assert_eq!(u32::from_str_radix(value, 8).unwrap(), mode),
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}
