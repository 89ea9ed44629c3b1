//! The client against a server that misbehaves: it ends by itself, says who is at fault, keeps its secrets and its memory,
//! and writes nothing outside its target.

use std::fs;

use carrack_tests::client::{Client, objects};
use carrack_tests::hostile_server::{
    FILE, FILE_LENGTH, FOLDER, Fault, Format, HostileServer, Misbehaviour, Stage, beside_the_file,
};
use carrack_tests::programs::Run;
use carrack_tests::server::Mode;
use carrack_tests::tree;

/// More than the client may hold, in KiB, whatever a server says: twice what it needs for a large file.
const MEMORY_KIB: u64 = 64 << 10;
/// More than it may hold of listings beside: it keeps 200,000 entries to sort them, some 90 MB.
const WITH_ENTRIES_KIB: u64 = 192 << 10;

/// What every run has in common, however it ends.
fn run(server: &HostileServer, arguments: &[&str]) -> Run {
    run_as(&Client::victim(server), server, arguments)
}

fn run_as(client: &Client, server: &HostileServer, arguments: &[&str]) -> Run {
    run_within(MEMORY_KIB, client, server, arguments)
}

fn run_within(kib: u64, client: &Client, server: &HostileServer, arguments: &[&str]) -> Run {
    let short: &[&str] = if arguments[0] == "cp" { &["--retries", "0"] } else { &[] };
    let run = client.run([arguments, &["--timeout", "2"], short].concat());
    let report = || run.report().chars().take(3000).collect::<String>();
    assert!(run.status.code().is_some_and(|code| code <= 7), "{}", report());
    assert!(run.peak_kib < kib, "{} KiB: {}", run.peak_kib, report());
    assert!(!run.stderr.contains('\u{1b}'), "a server's bytes drive the terminal: {}", report());
    let secrets = server.heard().into_iter().filter(|heard| !heard.protected);
    let told: Vec<_> = secrets.filter(|heard| !heard.line.starts_with("AUTH")).collect();
    assert!(told.is_empty(), "sent in clear: {told:?}");
    run
}

/// A download that fails, with a sentence that has this in it, and leaves nothing under the target's name.
fn download_fails(misbehaviour: Misbehaviour, sentence: &str) {
    let what = format!("{misbehaviour:?}");
    let server = HostileServer::start(misbehaviour);
    let client = Client::victim(&server);
    let run = run_as(&client, &server, &["cp", &server.url(FILE), "down"]);
    assert!(!run.status.success(), "{what}: {}", run.report());
    assert!(run.stderr.contains(sentence), "{what}: {}", run.report());
    assert!(!client.path("down").exists(), "{what}: {}", run.report());
}

fn breaks_off_everywhere(fault: Fault) {
    for stage in Stage::ALL {
        download_fails(Misbehaviour::At(stage, fault), "carrack: ");
        let server = HostileServer::start(Misbehaviour::At(stage, fault));
        let client = Client::victim(&server);
        tree::file(client.folder(), "up", 1, FILE_LENGTH);
        let run = run_as(&client, &server, &["cp", "up", &server.url("/up")]);
        // An upload of which the server has everything may count, however it then ends the data connection.
        let is_there = server.file("/up").is_some_and(|bytes| bytes == tree::bytes(1, FILE_LENGTH));
        assert!(!run.status.success() || is_there, "{stage:?} {fault:?}: {}", run.report());
    }
}

#[test]
fn silence_at_any_stage_ends_it() {
    breaks_off_everywhere(Fault::Stall);
}

#[test]
fn a_reset_at_any_stage_ends_it() {
    breaks_off_everywhere(Fault::Reset);
}

#[test]
fn a_closed_connection_at_any_stage_ends_it() {
    breaks_off_everywhere(Fault::Close);
}

#[test]
fn silence_from_the_first_byte_on_ends_it_in_implicit_mode() {
    for stage in [Stage::ControlTls, Stage::Greeting, Stage::User, Stage::Transfer] {
        for fault in [Fault::Stall, Fault::Reset, Fault::Close] {
            let server = HostileServer::start_in(Mode::Implicit, Misbehaviour::At(stage, fault));
            let run = run(&server, &["ls", &server.url("/")]);
            assert_eq!(run.status.code(), Some(3), "{stage:?} {fault:?}: {}", run.report());
        }
    }
}

#[test]
fn no_reply_talks_it_out_of_tls() {
    let replies: [&[u8]; 9] = [
        b"230 you are in already\r\n",
        b"232 you are in already\r\n",
        b"200 fine\r\n",
        b"334 ADAT=\r\n",
        b"421 later\r\n",
        b"500 what?\r\n",
        b"502 not here\r\n",
        b"534 not with you\r\n",
        b"\r\n",
    ];
    for by in replies {
        let server = HostileServer::start(Misbehaviour::Answers { verb: "AUTH", by });
        let run = run(&server, &["ls", &server.url("/")]);
        let said = String::from_utf8_lossy(by);
        assert_eq!(run.status.code(), Some(3), "{said}: {}", run.report());
        assert!(run.stderr.contains("server"), "{said}: {}", run.report());
        assert!(server.heard().iter().all(|heard| heard.line.starts_with("AUTH")), "{:?}", server.heard());
    }
}

#[test]
fn what_comes_before_tls_is_not_believed_behind_it() {
    for by in [&b"234 go\r\n230 in\r\n"[..], b"234 go\r\n331 password\r\n230 in\r\n", b"234 go\r\n2"] {
        let server = HostileServer::start(Misbehaviour::Answers { verb: "AUTH", by });
        let run = run(&server, &["ls", &server.url("/")]);
        assert_eq!(run.status.code(), Some(3), "{}", run.report());
        assert_eq!(server.count("USER"), 0);
    }
    for behind in [&b"234 go\r\n"[..], b"230 in\r\n", b"220 again\r\n"] {
        let server = HostileServer::start(Misbehaviour::BehindGreeting(behind));
        let run = run(&server, &["ls", &server.url("/")]);
        assert_eq!(run.status.code(), Some(3), "{}", run.report());
        assert_eq!(server.count("USER"), 0);
    }
}

#[test]
fn refused_protection_ends_it_before_any_data() {
    for (verb, by) in [("PROT", &b"534 no\r\n"[..]), ("PROT", b"502 no\r\n"), ("PROT", b"431 no\r\n")] {
        for command in ["ls", "cat"] {
            let server = HostileServer::start(Misbehaviour::Answers { verb, by });
            let run = run(&server, &[command, &server.url(FILE)]);
            assert_eq!(run.status.code(), Some(3), "{}", run.report());
            assert!(run.stderr.contains("PROT P"), "{}", run.report());
            for transfer in ["RETR", "MLSD", "LIST", "EPSV", "PASV"] {
                assert_eq!(server.count(transfer), 0, "{:?}", server.heard());
            }
        }
    }
}

#[test]
fn data_in_clear_is_neither_taken_nor_sent() {
    let server = HostileServer::start(Misbehaviour::ClearData);
    let client = Client::victim(&server);
    tree::file(client.folder(), "secret", 5, 100_000);
    for arguments in [["cat", &server.url(FILE)], ["ls", &server.url("/")]] {
        let run = run_as(&client, &server, &arguments);
        assert!(!run.status.success() && run.stdout.is_empty(), "{}", run.report());
        assert!(run.stderr.contains("server"), "{}", run.report());
    }
    let run = run_as(&client, &server, &["cp", "secret", &server.url("/secret")]);
    assert!(!run.status.success(), "{}", run.report());
    let secret = tree::bytes(5, 100_000);
    assert!(!server.clear_data().windows(64).any(|bytes| bytes == &secret[..64]));
}

#[test]
fn another_certificate_on_the_data_connection_is_refused() {
    let server = HostileServer::start(Misbehaviour::OtherDataCertificate);
    let client = Client::victim(&server);
    tree::file(client.folder(), "secret", 5, 100_000);
    for arguments in [vec!["cat", FILE], vec!["cp", "secret"]] {
        let url = server.url(arguments.last().filter(|last| last.starts_with('/')).unwrap_or(&"/secret"));
        let run = match arguments[..] {
            ["cat", _] => run_as(&client, &server, &["cat", &url]),
            _ => run_as(&client, &server, &["cp", "secret", &url]),
        };
        assert!(!run.status.success() && run.stdout.is_empty(), "{}", run.report());
        assert!(run.stderr.contains("certificate"), "{}", run.report());
    }
    assert!(server.file("/secret").is_none_or(|bytes| bytes.is_empty()));
}

#[test]
fn it_dials_nobody_but_the_server() {
    let server = HostileServer::start(Misbehaviour::PassiveElsewhere);
    let client = Client::victim(&server);
    let run = run_as(&client, &server, &["cp", &server.url(FILE), "down"]);
    assert!(run.status.success(), "{}", run.report());
    assert!(fs::read(client.path("down")).unwrap() == server.file(FILE).unwrap());
    assert!(server.count("PASV") > 0 && !server.trap_was_dialled());
}

#[test]
fn replies_without_end_are_not_read_to_it() {
    for misbehaviour in
        [Misbehaviour::GreetingWithoutEnd, Misbehaviour::ReplyWithoutEnd, Misbehaviour::ReplyLines(1_000_000)]
    {
        let what = format!("{misbehaviour:?}");
        let server = HostileServer::start(misbehaviour);
        let run = run(&server, &["ls", &server.url("/")]);
        assert_eq!(run.status.code(), Some(3), "{what}: {}", run.report());
        assert!(run.stderr.contains("server"), "{what}: {}", run.report());
    }
}

#[test]
fn broken_replies_end_it() {
    let broken: [(&'static str, &'static [u8]); 8] = [
        ("USER", b"no code at all\r\n"),
        ("USER", b"33\r\n"),
        ("USER", b"999 what\r\n"),
        ("USER", b"331 go on\r\n230 you are in\r\n"),
        ("PASS", b"230 in\r\n257 \"/elsewhere\"\r\n"),
        ("TYPE", b"200 fine\r\n200 fine\r\n"),
        ("USER", b"\xff\xfe\x00\r\n"),
        ("USER", b"331-without an end\r\n230 another\r\n332 another\r\n"),
    ];
    for (verb, by) in broken {
        let server = HostileServer::start(Misbehaviour::Answers { verb, by });
        let run = run(&server, &["ls", &server.url("/")]);
        let said = String::from_utf8_lossy(by);
        assert_eq!(run.status.code(), Some(3), "{verb} {said}: {}", run.report());
    }
}

#[test]
fn a_reply_cannot_draw_on_the_terminal_or_forge_lines() {
    let by = b"530 no\x1b[2J\x07 \xe2\x80\xae way\r\n";
    let server = HostileServer::start(Misbehaviour::Answers { verb: "PASS", by });
    let run = run(&server, &["ls", "-v", &server.url("/")]);
    assert_eq!(run.status.code(), Some(5), "{}", run.report());
    assert!(!run.stderr.contains(['\u{7}', '\u{202e}']), "{}", run.report());
    assert!(!run.stderr.contains(&server.password()), "the password is shown: {}", run.report());
}

#[test]
fn a_cut_is_an_error_whatever_the_server_says() {
    download_fails(Misbehaviour::NoCloseNotify, "close_notify");
    for command in ["cat", "ls"] {
        let server = HostileServer::start(Misbehaviour::NoCloseNotify);
        let url = server.url(if command == "cat" { FILE } else { FOLDER });
        let run = run(&server, &[command, &url]);
        assert!(!run.status.success() && run.stderr.contains("close_notify"), "{}", run.report());
    }
}

#[test]
fn a_refusal_behind_all_data_is_an_error() {
    for by in [&b"451 the disk is full\r\n"[..], b"426 cut\r\n", b"552 quota\r\n"] {
        download_fails(Misbehaviour::AfterData(by), std::str::from_utf8(&by[..3]).unwrap());
        let server = HostileServer::start(Misbehaviour::AfterData(by));
        let client = Client::victim(&server);
        tree::file(client.folder(), "up", 1, 1000);
        let run = run_as(&client, &server, &["cp", "up", &server.url("/up")]);
        assert!(!run.status.success(), "{}", run.report());
    }
}

#[test]
fn sizes_that_lie_are_found_out() {
    for off in [1, -1, 100_000, -100_000] {
        download_fails(Misbehaviour::SizeOff(off), "arrived");
        let server = HostileServer::start(Misbehaviour::SizeOff(off));
        let client = Client::victim(&server);
        tree::file(client.folder(), "up", 1, 200_000);
        let run = run_as(&client, &server, &["cp", "up", &server.url("/up")]);
        assert!(!run.status.success() && run.stderr.contains("arrived"), "{off}: {}", run.report());
    }
}

#[test]
fn data_without_end_is_not_taken_beyond_the_size() {
    download_fails(Misbehaviour::DataWithoutEnd, "arrived");
}

/// Lines of a listing, none of which may be touched.
fn forbidden(format: Format) -> Vec<Vec<u8>> {
    let names: [&[u8]; 12] = [
        b"..",
        b".",
        b"/etc/passwd",
        b"/",
        b"../outside",
        b"../../outside",
        b"inside/../../outside",
        b"inside/name",
        b"zero\0byte",
        b"carriage\rreturn",
        &[b'x'; 2000],
        &[b'y'; 100_000],
    ];
    let starts: &[&str] = match format {
        Format::Facts => &["type=file;size=3; ", "type=dir; ", "size=3; ", "type=OS.unix=slink:/etc; "],
        Format::Long => &["-rw-r--r-- 1 u g 3 Jan  2  2026 ", "drwxr-xr-x 2 u g 4096 Jan  2  2026 "],
    };
    let mut lines: Vec<Vec<u8>> = starts
        .iter()
        .flat_map(|start| names.iter().map(move |name| [start.as_bytes(), name].concat()))
        .collect();
    let others: &[&[u8]] = match format {
        Format::Facts => &[
            b"type=OS.unix=chr-1/3;size=0; null",
            b"type=OS.unix=blk-8/0; sda",
            b"type=OS.unix=slink:/etc/passwd; link",
            b"type=file;size=3; ",
            b"no facts at all",
            b"\xff\xfe\xfd",
        ],
        Format::Long => &[
            b"crw-rw-rw- 1 root root 1, 3 Jan  2  2026 null",
            b"brw-rw---- 1 root disk 8, 0 Jan  2  2026 sda",
            b"prw-r--r-- 1 u g 0 Jan  2  2026 pipe",
            b"srw-r--r-- 1 u g 0 Jan  2  2026 socket",
            b"lrwxrwxrwx 1 u g 3 Jan  2  2026 link -> /etc/passwd",
            b"no listing at all",
            b"\xff\xfe\xfd",
        ],
    };
    lines.extend(others.iter().map(|&line| line.to_vec()));
    lines
}

#[test]
fn nothing_is_written_or_removed_outside() {
    for format in [Format::Facts, Format::Long] {
        let lines = forbidden(format);
        let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        let server = HostileServer::start(Misbehaviour::Listing(format, beside_the_file(format, &lines)));
        let client = Client::victim(&server);
        // Below two folders, so that "../.." leads to where the test can look.
        let target = client.path("deep/down/target");
        fs::create_dir_all(&target).unwrap();
        let run = run_as(&client, &server, &["cp", "-r", &server.url("/"), target.to_str().unwrap()]);
        assert_eq!(run.status.code(), Some(1), "{format:?}: {}", run.report());
        assert_eq!(tree::names(&target), ["file"], "{format:?}");
        assert!(fs::read(target.join("file")).unwrap() == server.file(FILE).unwrap(), "{format:?}");
        assert_eq!(tree::names(&client.path("deep/down")), ["target"]);
        assert_eq!(tree::names(&client.path("deep")), ["down"]);
        let asked = server.heard();
        let bad = |line: &str| line.contains("..") || line.contains("etc") || line.contains("outside");
        assert!(!asked.iter().any(|heard| bad(&heard.line)), "{format:?}: {asked:?}");
        for command in [&["ls"][..], &["ls", "-l"], &["tree"], &["ls", "--json"]] {
            let run = run_as(&client, &server, &[command, &[&server.url("/")]].concat());
            assert_eq!(run.status.code(), Some(1), "{format:?}: {}", run.report());
            assert!(run.stdout.contains("file"), "{format:?}: {}", run.report());
            let listed = |line: &str| !line.contains("\"failed\"") && line.contains("outside");
            assert!(!run.stdout.lines().any(listed), "{format:?}: {}", run.report());
        }
    }
}

#[test]
fn the_same_name_twice_is_no_way_out() {
    let lines: [&[u8]; 2] = [b"type=OS.unix=slink:/etc; folder", b"type=dir; folder"];
    let server =
        HostileServer::start(Misbehaviour::Listing(Format::Facts, beside_the_file(Format::Facts, &lines)));
    let client = Client::victim(&server);
    run_as(&client, &server, &["cp", "-r", &server.url("/"), "target"]);
    let folder = client.path("target/folder");
    assert!(!folder.is_symlink() && tree::names(&folder) == ["one", "two"], "{folder:?}");
}

/// What a user who is let into the local target prepared there is not followed out of it either.
#[test]
fn a_link_in_the_target_is_no_way_out() {
    let server = HostileServer::start(Misbehaviour::None);
    let client = Client::victim(&server);
    fs::create_dir_all(client.path("target")).unwrap();
    fs::create_dir_all(client.path("outside")).unwrap();
    std::os::unix::fs::symlink("../outside", client.path("target/folder")).unwrap();
    let run = run_as(&client, &server, &["cp", "-r", &server.url("/"), "target"]);
    assert!(tree::names(&client.path("outside")).is_empty(), "{}", run.report());
    assert!(!run.status.success(), "{}", run.report());
}

#[test]
fn control_characters_in_names_are_data() {
    let lines: [&[u8]; 2] = [b"type=file;size=3; \x1b[2Jred", b"type=file;size=3; \xc2\x9b31m"];
    let server =
        HostileServer::start(Misbehaviour::Listing(Format::Facts, beside_the_file(Format::Facts, &lines)));
    let json = run(&server, &["ls", "--json", &server.url("/")]);
    assert!(json.status.success() && !json.stdout.contains(['\u{1b}', '\u{9b}']), "{}", json.report());
    assert_eq!(objects(&json.stdout).len(), 3);
    // No such files are there, which is said without the bytes themselves.
    let client = Client::victim(&server);
    let run = run_as(&client, &server, &["cp", "-r", &server.url("/"), "target"]);
    assert!(!run.status.success() && !run.stderr.contains(['\u{1b}', '\u{9b}']), "{}", run.report());
}

#[test]
fn a_million_entries_are_listed() {
    let server = HostileServer::start(Misbehaviour::MillionEntries);
    let client = Client::victim(&server);
    let run = run_within(WITH_ENTRIES_KIB, &client, &server, &["ls", &server.url("/")]);
    assert!(run.status.success(), "{}", run.stderr);
    assert_eq!(run.stdout.lines().count(), 1_000_000);
    assert!(run.peak_kib > 8 << 10, "the memory was not seen: {} KiB", run.peak_kib);
}

#[test]
fn entries_without_end_are_not_gathered() {
    let server = HostileServer::start(Misbehaviour::EntriesWithoutEnd);
    let client = Client::victim(&server);
    let run = run_within(WITH_ENTRIES_KIB, &client, &server, &["tree", &server.url("/")]);
    assert!(!run.status.success() && run.stderr.contains("entries"), "{}", run.report());
    let run = run_within(WITH_ENTRIES_KIB, &client, &server, &["rm", "-r", &server.url("/folder")]);
    assert!(!run.status.success(), "{}", run.report());
    let run = run_within(MEMORY_KIB, &client, &server, &["cp", "-r", &server.url("/"), "target"]);
    assert!(!run.status.success() && run.stderr.contains("lines"), "{}", run.report());
}

/// What is printed without end ends with its reader.
#[test]
fn output_without_end_ends_with_its_reader() {
    for (misbehaviour, command) in
        [(Misbehaviour::EntriesWithoutEnd, ["ls", "/"]), (Misbehaviour::DataWithoutEnd, ["cat", FILE])]
    {
        let server = HostileServer::start(misbehaviour);
        let client = Client::victim(&server);
        let run = client.piped_into("head -c 1000", [command[0], &server.url(command[1])]).run();
        assert_eq!(run.stdout.len(), 1000, "{}", run.stderr);
        assert!(
            !run.stderr.contains("panicked") && run.status.code().is_some_and(|code| code <= 7),
            "{}",
            run.report()
        );
    }
}

#[test]
fn folders_without_end_are_left_at_some_depth() {
    let server = HostileServer::start(Misbehaviour::FoldersWithoutEnd);
    let client = Client::victim(&server);
    for arguments in [&["tree"][..], &["rm", "-r"]] {
        let run = run_as(&client, &server, &[arguments, &[&server.url("/d")]].concat());
        assert!(!run.status.success() && run.stderr.contains("deep"), "{}", run.report());
    }
    let run = run_as(&client, &server, &["cp", "-r", &server.url("/d"), "target"]);
    assert!(!run.status.success(), "{}", run.report());
}
