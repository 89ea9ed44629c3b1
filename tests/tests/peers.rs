//! Every verb of the client against every server, in every mode and version of TLS that the server has. What a server
//! cannot is held against what its table of abilities says, and docs/peers.md is made from that table.

use std::fs;
use std::path::Path;

use carrack_tests::certificates::{Authority, Kind};
use carrack_tests::client::{Client, objects, summary};
use carrack_tests::peers::page;
use carrack_tests::peers::{Abilities, Ability, Peer, RunningPeer, Wanted};
use carrack_tests::programs::{Program, Tls};
use carrack_tests::server::{self, Mode};
use carrack_tests::tree::{self, NAMES};

const VERSIONS: [Tls; 2] = [Tls::V12, Tls::V13];

/// A client, its server, and the way between them.
struct Way<'s> {
    server: &'s RunningPeer,
    client: Client,
}

impl Way<'_> {
    fn url(&self, path: &str) -> String {
        let scheme = if self.server.mode == Mode::Explicit { "ftpes" } else { "ftps" };
        self.server.url(scheme, path)
    }

    fn can(&self) -> &'static Abilities {
        self.server.peer.abilities()
    }

    /// Where the user's file is on the server's disk.
    fn there(&self, name: &str) -> std::path::PathBuf {
        self.server.home().join(name)
    }

    /// Begins with an empty home.
    fn clean(&self) {
        for entry in fs::read_dir(self.server.home()).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                fs::remove_dir_all(entry.path()).unwrap();
            } else {
                fs::remove_file(entry.path()).unwrap();
            }
        }
    }

    /// Puts files on the server's disk, as the user's own.
    fn place(&self, files: &[(&str, usize)]) {
        for (name, length) in files {
            tree::file(&self.server.home(), name, *length as u64, *length);
        }
        self.server.give_home_away();
    }
}

fn same(one: &Path, other: &Path, what: &str) {
    assert_eq!(tree::sha256_of(one), tree::sha256_of(other), "{what}");
}

/// Runs one check in every way in which a server can be reached.
fn in_every_way(peer: Peer, check: impl Fn(&Way<'_>)) {
    if !peer.is_here() {
        return;
    }
    for mode in peer.modes() {
        let server = peer.start(&Wanted::new(mode));
        for version in VERSIONS {
            eprintln!("{} {mode:?} {version:?}", peer.name());
            let way = Way { server: &server, client: Client::of(&server).speaking(version) };
            way.clean();
            check(&way);
        }
    }
}

fn looking(way: &Way<'_>) {
    way.place(&[("a file", 3), ("folder/one", 1000), ("folder/below/two", 70_000)]);
    let client = &way.client;
    assert_eq!(client.prints(["ls", &way.url("")]), "a file\nfolder/\n");
    assert_eq!(client.prints(["ls", &way.url("folder")]), "below/\none\n");
    let long = client.prints(["ls", "-l", &way.url("folder")]);
    assert!(long.lines().any(|line| line.starts_with("- ") && line.ends_with("  one")), "{long}");
    let listing = client.run(["ls", "-v", &way.url("folder")]).ok();
    let by_machine = listing.stderr.contains("MLSD /folder");
    assert_eq!(by_machine, way.can().machine_listings.is_there(), "{}", listing.report());
    let listed = objects(&client.prints(["ls", "--json", &way.url("folder")]));
    let one = listed.iter().find(|object| object["name"] == "one").unwrap();
    assert_eq!((&one["kind"], &one["size"]), (&"file".into(), &1000.into()), "{one}");
    let stat = objects(&client.prints(["stat", "--json", &way.url("folder/below/two"), &way.url("folder")]));
    assert_eq!((&stat[0]["kind"], &stat[0]["size"]), (&"file".into(), &70_000.into()), "{stat:?}");
    assert_eq!(stat[1]["kind"], "folder", "{stat:?}");
    let tree = client.prints(["tree", &way.url("")]);
    for line in ["├── a file", "└── folder/", "    ├── below/", "    │   └── two", "    └── one"]
    {
        assert!(tree.lines().any(|found| found == line), "{line:?} in {tree}");
    }
    assert!(tree.contains("2 folders, 3 files"), "{tree}");
    let missing = client.ends_with(6, ["ls", &way.url("nowhere")]);
    assert!(missing.stderr.contains("nowhere"), "{}", missing.report());
    client.ends_with(6, ["stat", &way.url("nowhere")]);
}

fn changing(way: &Way<'_>) {
    way.place(&[("file", 10), ("full/one", 1), ("full/below/two", 2)]);
    let client = &way.client;
    client.prints(["mkdir", &way.url("new")]);
    client.prints(["mkdir", "-p", &way.url("deep/down/here"), &way.url("new")]);
    assert!(way.there("new").is_dir() && way.there("deep/down/here").is_dir());
    if way.server.peer == Peer::Aioftp {
        // It makes the folders above, unasked.
        client.prints(["mkdir", &way.url("full/missing/new")]);
    } else {
        client.ends_with(6, ["mkdir", &way.url("full/missing/new")]);
    }
    client.prints(["mv", &way.url("file"), &way.url("renamed file")]);
    assert!(way.there("renamed file").is_file() && !way.there("file").exists());
    client.prints(["mv", &way.url("renamed file"), &way.url("full/one"), &way.url("new")]);
    assert_eq!(tree::names(&way.there("new")), ["one", "renamed file"]);
    client.ends_with(6, ["rm", &way.url("new")]);
    client.run(["rmdir", &way.url("new")]).fails();
    assert_eq!(tree::names(&way.there("new")), ["one", "renamed file"]);
    client.prints(["rm", &way.url("new/one"), &way.url("new/renamed file")]);
    client.prints(["rmdir", &way.url("new")]);
    client.prints(["rm", "-r", &way.url("full")]);
    assert_eq!(tree::names(&way.server.home()), ["deep"]);
    client.ends_with(6, ["rm", &way.url("nowhere")]);
}

fn copying(way: &Way<'_>) {
    let client = &way.client;
    for size in [0, 1, 65_537, 5 << 20] {
        let local = tree::file(client.folder(), "up", size as u64, size);
        client.prints(["cp", "up", &way.url("there")]);
        same(&local, &way.there("there"), &format!("{size} up"));
        client.prints(["cp", &way.url("there"), "down"]);
        same(&local, &client.path("down"), &format!("{size} down"));
    }
    way.place(&[("letter", 0)]);
    fs::write(way.there("letter"), "hello, sea\n").unwrap();
    assert_eq!(client.prints(["cat", &way.url("letter"), &way.url("letter")]), "hello, sea\nhello, sea\n");
    assert_eq!(client.prints(["cp", &way.url("letter"), "-"]), "hello, sea\n");
    client.program(["cp", "-", &way.url("piped")]).input("from a pipe").run().ok();
    assert_eq!(fs::read_to_string(way.there("piped")).unwrap(), "from a pipe");
    client.prints(["cp", &(way.url("") + "p*"), &(way.url("") + "let[t]er"), "."]);
    assert_eq!(fs::read_to_string(client.path("piped")).unwrap(), "from a pipe");
    assert_eq!(fs::read_to_string(client.path("letter")).unwrap(), "hello, sea\n");
    client.ends_with(6, ["cp", &way.url("nowhere"), "."]);
    client.ends_with(6, ["cp", "nowhere", &way.url("")]);
}

fn copying_folders(way: &Way<'_>) {
    let client = &way.client;
    let local = client.path("local");
    for (number, name) in NAMES.iter().enumerate() {
        tree::file(&local, name, number as u64, number * 1000);
        for file in 0..5 {
            tree::file(&local, &format!("{name} folder/below/{file}"), number as u64, 100 * file);
        }
    }
    fs::create_dir(local.join("empty")).unwrap();
    // One control connection, so that its tickets have to last.
    client.prints(["cp", "-r", "--jobs", "1", "local", &way.url("there")]);
    tree::assert_same(&local, &way.there("there"));
    let printed = client.prints(["cp", "-r", "--json", &way.url("there/"), "back"]);
    tree::assert_same(&local, &client.path("back"));
    let files = summary(&printed)["files"].as_u64();
    assert_eq!(files, Some(6 * NAMES.len() as u64), "{printed}");
    client.prints(["cp", "-r", "--jobs", "3", &way.url("there"), "back"]);
    tree::assert_same(&local, &client.path("back/there"));
    client.prints(["rm", "-r", &way.url("there")]);
}

fn hashing(way: &Way<'_>) {
    way.place(&[("file", 100_000)]);
    let (client, url) = (&way.client, way.url("file"));
    let expected = tree::sha256_of(&way.there("file"));
    if way.can().hash.is_there() {
        assert!(client.prints(["hash", &url]).starts_with(&expected));
        let printed = client.prints(["cp", "--json", &url, "down"]);
        assert_eq!(summary(&printed)["verified_by_hash"], 1, "{printed}");
    } else {
        let run = client.run(["hash", &url]).fails();
        assert!(run.stderr.contains("--download"), "{}", run.report());
        let printed = client.prints(["cp", "--json", &url, "down"]);
        assert_eq!(summary(&printed)["verified_by_size"], 1, "{printed}");
    }
    assert!(client.prints(["hash", "--download", &url]).starts_with(&expected));
}

fn appending(way: &Way<'_>) {
    way.place(&[("log", 1000)]);
    let client = &way.client;
    tree::file(client.folder(), "more", 7, 5000);
    let run = client.run(["cp", "--append", "more", &way.url("log")]);
    assert_eq!(run.status.success(), way.can().append.is_there(), "{}", run.report());
    let expected = [tree::bytes(1000, 1000), tree::bytes(7, 5000)].concat();
    if run.status.success() {
        assert!(fs::read(way.there("log")).unwrap() == expected);
    }
}

fn keeping_times(way: &Way<'_>) {
    let client = &way.client;
    let local = tree::file(client.folder(), "old", 1, 1000);
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    fs::File::options().write(true).open(&local).unwrap().set_modified(long_ago).unwrap();
    let run = client.run(["cp", "--times", "old", &way.url("old")]).ok();
    let kept = fs::metadata(way.there("old")).unwrap().modified().unwrap() == long_ago;
    assert_eq!(kept, way.can().set_times.is_there(), "{}", run.report());
    if !kept {
        fs::File::options().write(true).open(way.there("old")).unwrap().set_modified(long_ago).unwrap();
    }
    client.prints(["cp", "--times", &way.url("old"), "back"]);
    let back = fs::metadata(client.path("back")).unwrap().modified().unwrap();
    assert_eq!(back, long_ago);
}

fn active_mode(way: &Way<'_>) {
    way.place(&[("file", 200_000)]);
    let client = &way.client;
    let down = client.run(["cp", "--active", &way.url("file"), "down"]);
    assert_eq!(down.status.success(), way.can().active.is_there(), "{}", down.report());
    if !down.status.success() {
        return;
    }
    same(&client.path("down"), &way.there("file"), "down in active mode");
    client.prints(["cp", "--active", "down", &way.url("up")]);
    same(&client.path("down"), &way.there("up"), "up in active mode");
    assert_eq!(client.prints(["ls", "--active", &way.url("")]), "file\nup\n");
}

fn clear_data(way: &Way<'_>) {
    // Where TLS is there from the first byte, servers differ in what they allow; nobody needs it there.
    if way.server.mode == Mode::Implicit && way.can().explicit.is_there() {
        return;
    }
    way.place(&[("file", 200_000)]);
    let client = &way.client;
    let down = client.run(["cp", "--clear-data", &way.url("file"), "down"]);
    assert_eq!(down.status.success(), way.can().clear_data.is_there(), "{}", down.report());
    if down.status.success() {
        same(&client.path("down"), &way.there("file"), "down in clear");
        assert!(down.stderr.contains("clear"), "it is not said: {}", down.report());
    }
}

/// Who is let in, and who is believed.
fn trusting(way: &Way<'_>) {
    let (server, url) = (way.server, way.url(""));
    let stranger = Client::new(&server.password());
    let run = stranger.ends_with(4, ["ls", &url]);
    assert!(run.stderr.contains("carrack trust add"), "{}", run.report());
    Client::new(&server.password()).trusting(&Authority::new()).ends_with(4, ["ls", &url]);
    let pin = server.identity.description().fingerprint.to_string();
    stranger.prints(["ls", "--pin", &pin, &url]);
    let other = Authority::new().issue(Kind::Good, &[&server.host()]).description().fingerprint.to_string();
    stranger.ends_with(4, ["ls", "--pin", &other, &url]);
    stranger.prints(["ls", "--trust-new", &url]);
    stranger.prints(["ls", &url]);
    Client::new("wrong").trusting(&server.authority).ends_with(5, ["ls", &url]);
}

/// Certificates that are wrong, and a key that changes, at one server's address.
fn changing_certificates(peer: Peer) {
    if !peer.is_here() {
        return;
    }
    let mode = peer.modes()[0];
    let scheme = if mode == Mode::Explicit { "ftpes" } else { "ftps" };
    let mut server = peer.start(&Wanted::new(mode));
    let (host, url) = (server.host(), server.url(scheme, ""));
    let authority = std::mem::take(&mut server.authority);
    let client = Client::new(&server.password()).trusting(&authority);
    client.prints(["ls", &url]);
    for (kind, word) in [
        (Kind::Expired, "expired"),
        (Kind::NotYetValid, "valid only from"),
        (Kind::WrongHost, "elsewhere.example"),
        (Kind::SelfSigned, "self-signed"),
        (Kind::UnknownAuthority, "authority"),
    ] {
        server = server.with_identity(authority.issue(kind, &[&host]));
        let run = client.ends_with(4, ["ls", &url]);
        assert!(run.stderr.contains(word), "{kind:?}: {}", run.report());
    }
    // A key that is remembered, then renewed, then another.
    let first = authority.issue(Kind::SelfSigned, &[&host]);
    let friend = Client::new(&server.password());
    server = server.with_identity(first.clone());
    friend.prints(["ls", "--trust-new", &url]);
    server = server.with_identity(authority.renew(&first, Kind::SelfSigned, &[&host]));
    let renewed = friend.run(["ls", &url]).ok();
    assert!(renewed.stderr.contains("renewed"), "{}", renewed.report());
    let _server = server.with_identity(authority.issue(Kind::SelfSigned, &[&host]));
    let changed = friend.ends_with(4, ["ls", &url]);
    let was = first.description().spki_fingerprint.to_string();
    assert!(changed.stderr.contains(&was), "{}", changed.report());
}

/// Each scenario once: what took longer than its time is finished, and counts.
fn measuring(way: &Way<'_>) {
    let scenarios = "put-1,login,smallget-1,list";
    let flags = ["--seconds", "1", "--size", "256k", "--entries", "20", "--scenario", scenarios];
    let url = way.url("");
    let measured = objects(&way.client.prints(["bench", "--json"].into_iter().chain(flags).chain([&*url])));
    let found: Vec<_> = measured.iter().map(|object| object["scenario"].as_str().unwrap()).collect();
    assert_eq!(found.join(","), scenarios);
    assert!(measured.iter().all(|object| object["operations"].as_u64() > Some(0)), "{measured:?}");
    assert!(tree::names(&way.server.home()).is_empty());
}

/// Servers that ask for the client's certificate.
fn showing_certificates(peer: Peer) {
    if !peer.is_here() || !peer.abilities().client_certificates.is_there() {
        return;
    }
    let clients = Authority::new();
    for mode in peer.modes() {
        let server = peer.start(&Wanted::new(mode).clients_of(&clients));
        for version in VERSIONS {
            let way = Way { server: &server, client: Client::of(&server).speaking(version) };
            let client = &way.client;
            way.place(&[("file", 1000)]);
            let files = clients.issue_client("alice").files(client.folder());
            let (cert, key) = (files.certificate.to_str().unwrap(), files.key.to_str().unwrap());
            client.prints(["cp", "--cert", cert, "--key", key, &way.url("file"), "down"]);
            client.run(["ls", &way.url("")]).fails();
        }
    }
}

/// Servers that are held to one version find a client that speaks it.
fn one_version(peer: Peer) {
    if !peer.is_here() {
        return;
    }
    for mode in peer.modes() {
        for version in VERSIONS {
            if version == Tls::V12 && !peer.abilities().held_to_tls12.is_there() {
                continue;
            }
            let server = peer.start(&Wanted::new(mode).only(version));
            let way = Way { server: &server, client: Client::of(&server) };
            way.place(&[("file", 100_000)]);
            way.client.prints(["cp", &way.url("file"), "down"]);
            same(&way.there("file"), &way.client.path("down"), "down");
            let other = if version == Tls::V12 { Tls::V13 } else { Tls::V12 };
            Client::of(&server).speaking(other).ends_with(3, ["ls", &way.url("")]);
        }
    }
}

/// The modes that a server has not are not there: the client finds nothing to talk to, or something that is no TLS.
fn modes_it_has_not(peer: Peer) {
    if !peer.is_here() {
        return;
    }
    let abilities = peer.abilities();
    for (ability, scheme, other) in
        [(abilities.explicit, "ftpes", Mode::Implicit), (abilities.implicit, "ftps", Mode::Explicit)]
    {
        if let Ability::No(_) = ability {
            let server = peer.start(&Wanted::new(other));
            let client = Client::of(&server).flag("--timeout").flag("3");
            client.ends_with(3, ["ls", &server.url(scheme, "")]);
        }
    }
}

macro_rules! against {
    ($($peer:ident: $which:expr;)*) => { $(
        mod $peer {
            use super::*;

            #[test]
            fn looks() { in_every_way($which, looking); }
            #[test]
            fn changes() { in_every_way($which, changing); }
            #[test]
            fn copies() { in_every_way($which, copying); }
            #[test]
            fn copies_folders() { in_every_way($which, copying_folders); }
            #[test]
            fn hashes() { in_every_way($which, hashing); }
            #[test]
            fn appends() { in_every_way($which, appending); }
            #[test]
            fn is_measured() { in_every_way($which, measuring); }
            #[test]
            fn keeps_times() { in_every_way($which, keeping_times); }
            #[test]
            fn in_active_mode() { in_every_way($which, active_mode); }
            #[test]
            fn with_clear_data() { in_every_way($which, clear_data); }
            #[test]
            fn trusts() { in_every_way($which, trusting); }
            #[test]
            fn certificates() { changing_certificates($which); }
            #[test]
            fn client_certificates() { showing_certificates($which); }
            #[test]
            fn versions() { one_version($which); }
            #[test]
            fn modes() { modes_it_has_not($which); }
        }
    )* };
}

against! {
    vsftpd: Peer::Vsftpd;
    proftpd: Peer::Proftpd;
    pure_ftpd: Peer::PureFtpd;
    pyftpdlib: Peer::Pyftpdlib;
    aioftp: Peer::Aioftp;
    carrack: Peer::Carrack;
}

#[test]
fn the_page_is_fresh() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/peers.md");
    let made = page::page();
    if std::env::var_os("CARRACK_BLESS").is_some() {
        fs::write(&page, &made).unwrap();
    }
    let stands = fs::read_to_string(&page).unwrap_or_default();
    assert!(
        stands == made,
        "docs/peers.md is stale; CARRACK_BLESS=1 cargo test --workspace --test all peers::"
    );
}

/// The program's help names every verb; each of them is on the page.
#[test]
fn the_page_has_every_verb() {
    let help = Program::new(server::program()).arg("--help").run().ok().stdout;
    let verbs = help.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap();
    let page = page::page();
    let others =
        ["serve", "ctl", "user", "config", "cert", "trust", "completions", "manual", "version", "help"];
    for verb in verbs.lines().filter_map(|line| line.split_whitespace().next()) {
        assert!(
            others.contains(&verb) || page.contains(&format!("`{verb}")),
            "{verb} is not in docs/peers.md"
        );
    }
}
