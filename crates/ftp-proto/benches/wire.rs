//! What does it cost to read and to write what stands on the wire: commands, replies, listings?
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use carrack_ftp_proto::client::{Format, Listed, ListingReader};
use carrack_ftp_proto::command::Command;
use carrack_ftp_proto::fuzzing;
use carrack_ftp_proto::listing::{self, EntryKind, EntryView, FactSet, Perm};
use carrack_ftp_proto::server::{
    Certificates, Clearing, Compression, DataProtection, Event, Fxp, Grant, Mode, Plaintext, Policy, Server,
};
use carrack_ftp_proto::verb::Verb;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

/// Entries of a listing.
const ENTRIES: u64 = 2_000;
/// 2026-11-22 15:10:00 UTC.
const NOW_S: i64 = 1_795_360_200;
/// What one read of a socket brings.
const PIECE: usize = 64 * 1024;

criterion_group!(wire, commands, replies, listings_written, listings_read);
criterion_main!(wire);

/// A control connection behind its login.
fn logged_in(now: Instant) -> Server {
    let policy = Policy {
        mode: Mode::Implicit,
        plaintext: Plaintext::Refuse,
        data_protection: DataProtection::Require,
        compression: Compression::Refused,
        certificates: Certificates::NotAsked,
        clearing: Clearing::Refused,
        fxp: Fxp::Refused,
        tls_timeout: Duration::from_secs(30),
        login_timeout: Duration::from_secs(30),
        idle_timeout: Duration::from_secs(300),
        login_failures: 3,
        greeting: "Carrack".to_owned(),
    };
    let mut server = Server::new(policy, now);
    server.receive(b"USER alice\r\nPASS sesame\r\n", now);
    while let Some(event) = server.next_event(now) {
        let Event::Login { pending, .. } = event else { panic!("{event:?}") };
        server.login_accepted(pending, Grant::default(), now);
    }
    server.transmit();
    server
}

fn commands(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("commands");

    let lines = b"NOOP\r\nTYPE I\r\nPBSZ 0\r\nPROT P\r\nMODE S\r\nSYST\r\nREST 0\r\nSTRU F\r\n".repeat(4);
    group.throughput(Throughput::Elements(8 * 4));
    group.bench_function("answered by the machine", |bencher| {
        let now = Instant::now();
        let mut server = logged_in(now);
        bencher.iter(|| {
            server.receive(black_box(&lines), now);
            assert!(server.next_event(now).is_none());
            server.transmit()
        });
    });

    let arguments: [(Verb, &[u8]); 5] = [
        (Verb::Retr, b"/reports/2026/november/summary of the day.csv"),
        (Verb::Mlsd, b"reports"),
        (Verb::Rest, b"1073741824"),
        (Verb::Mfmt, b"20261122151000 reports/summary.csv"),
        (Verb::Eprt, b"|2|2001:db8::7|50123|"),
    ];
    group.throughput(Throughput::Elements(arguments.len() as u64));
    group.bench_function("arguments", |bencher| {
        bencher.iter(|| arguments.map(|(verb, argument)| Command::read(verb, black_box(argument)).is_ok()));
    });
}

fn replies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("replies");
    let session = concat!(
        "220 Carrack\r\n",
        "331 Password required.\r\n",
        "230 Logged in.\r\n",
        "211-Features:\r\n MDTM\r\n MLST Type*;Size*;Modify*;Perm*;\r\n REST STREAM\r\n SIZE\r\n UTF8\r\n211 End\r\n",
        "229 Entering extended passive mode (|||50123|).\r\n",
        "150 Opening data connection.\r\n",
        "226 Transfer complete.\r\n",
    );
    group.throughput(Throughput::Bytes(session.len() as u64));
    group.bench_function("of a session", |bencher| {
        bencher.iter(|| fuzzing::replies(black_box(session.as_bytes()), PIECE));
    });
}

fn entry(name: &[u8], number: u64) -> EntryView<'_> {
    EntryView {
        name,
        kind: EntryKind::File,
        size: number * 7_919,
        modified_s: NOW_S - i64::try_from(number).unwrap() * 86_400,
        modified_ns: 123_000_000,
        created: None,
        mode: Some(0o644),
        owner: Some((1000, 1000)),
        links: 1,
        perm: [Perm::READ, Perm::WRITE, Perm::DELETE, Perm::RENAME].into_iter().collect(),
        unique: Some((0xfe01, 0x0012_3456 + number)),
    }
}

/// Writes a whole listing.
fn listed(out: &mut Vec<u8>, write: impl Fn(&mut Vec<u8>, &EntryView<'_>)) {
    for number in 0..ENTRIES {
        let name = format!("entry-{number:06}.dat");
        write(out, &entry(name.as_bytes(), number));
    }
}

fn facts(out: &mut Vec<u8>, entry: &EntryView<'_>) {
    listing::facts(out, entry, FactSet::default());
}

fn long(out: &mut Vec<u8>, entry: &EntryView<'_>) {
    listing::long(out, entry, NOW_S);
}

fn listings_written(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("listings written");
    group.throughput(Throughput::Elements(ENTRIES));
    let names: Vec<String> = (0..ENTRIES).map(|number| format!("entry-{number:06}.dat")).collect();
    for (command, write) in [("MLSD", facts as fn(&mut Vec<u8>, &EntryView<'_>)), ("LIST", long)] {
        group.bench_function(command, |bencher| {
            let mut out = Vec::new();
            bencher.iter(|| {
                out.clear();
                for (number, name) in (0..).zip(&names) {
                    write(&mut out, black_box(&entry(name.as_bytes(), number)));
                }
                out.len()
            });
        });
    }
}

fn listings_read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("listings read");
    group.throughput(Throughput::Elements(ENTRIES));
    let (mut mlsd, mut list) = (Vec::new(), Vec::new());
    listed(&mut mlsd, facts);
    listed(&mut list, long);
    for (command, format, text) in [("MLSD", Format::Facts, mlsd), ("LIST", Format::Long, list)] {
        group.bench_function(command, |bencher| {
            bencher.iter_batched_ref(
                || ListingReader::new(format, NOW_S),
                |reader| {
                    let mut entries = 0;
                    for piece in text.chunks(PIECE) {
                        reader.feed(black_box(piece));
                        entries += reader.filter(|listed| matches!(listed, Listed::Entry(_))).count();
                    }
                    assert_eq!(entries as u64, ENTRIES);
                },
                BatchSize::SmallInput,
            );
        });
    }
}
