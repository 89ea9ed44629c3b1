//! Does each command do what it says, with the server of the same program on the other side?
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod running;

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use running::client::{Home, Ran};
use running::{Running, carrack};
use tempfile::TempDir;

/// A server, and a client that believes its certificate.
struct Pair {
    _top: TempDir,
    server: Running,
    home: Home,
    served: PathBuf,
    certificate: String,
    password: String,
}

impl Pair {
    fn start() -> Self {
        let top = tempfile::tempdir().unwrap();
        let (served, state) = (top.path().join("served"), top.path().join("server"));
        fs::create_dir(&served).unwrap();
        let server = Running::start(carrack(&served, &state));
        let password = server.value("password").to_owned();
        let certificate = state.join("cert.pem").to_string_lossy().into_owned();
        let home = Home::new(&top.path().join("home"));
        Self { _top: top, server, home, served, certificate, password }
    }

    fn url(&self, path: &str) -> String {
        self.server.url(path)
    }

    /// `carrack VERB --ca … REST`; words with a leading `:` are paths on the server.
    fn run(&self, line: &str) -> Ran {
        self.home.run_with(&self.password, self.words(line))
    }

    fn words(&self, line: &str) -> Vec<String> {
        let mut words: Vec<String> = line
            .split(' ')
            .map(|word| word.strip_prefix(':').map_or_else(|| word.to_owned(), |path| self.url(path)))
            .collect();
        words.splice(1..1, ["--ca".to_owned(), self.certificate.clone()]);
        words
    }

    fn serve(&self, path: &str, bytes: &[u8]) {
        let file = self.served.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }

    fn here(&self, path: &str) -> PathBuf {
        self.home.dir.join(path)
    }
}

#[test]
fn folders_are_listed() {
    let pair = Pair::start();
    pair.serve("b.txt", b"bytes");
    pair.serve("a folder/inner.txt", b"");
    pair.serve(".hidden", b"");
    assert_eq!(pair.run("ls :").done(), ".hidden\na folder/\nb.txt\n");
    assert_eq!(pair.run("ls :a%20folder").done(), "inner.txt\n");
    assert_eq!(pair.run("ls :b.txt").done(), "b.txt\n");
    assert_eq!(pair.run("ls :/").done(), ".hidden\na folder/\nb.txt\n");
    let two = pair.run("ls :a%20folder :b.txt").done();
    assert_eq!(two, format!("{}:\ninner.txt\n\n{}:\nb.txt\n", pair.url("a%20folder"), pair.url("b.txt")));

    let long = pair.run("ls -l :").done();
    let line = long.lines().find(|line| line.ends_with("  b.txt")).unwrap();
    assert!(line.starts_with("-             5  20"), "{long}");
    assert!(
        long.lines().any(|line| line.starts_with("d             -  20") && line.ends_with("  a folder/")),
        "{long}"
    );

    let json = pair.run("ls --json :").done();
    let line = json.lines().find(|line| line.contains("b.txt")).unwrap();
    assert!(
        line.starts_with(&format!(
            r#"{{"event":"entry","url":"{}","name":"b.txt","kind":"file","size":5,"modified":"20"#,
            pair.url("b.txt")
        )),
        "{line}"
    );

    assert!(pair.run("ls :nowhere").failed(6).contains("nowhere"));
    let json = pair.run("ls --json --quiet :nowhere");
    assert!(
        json.out.starts_with(r#"{"event":"failed","url":"ftpes://"#) && json.out.contains(r#""status":6"#),
        "{json:#?}"
    );
    assert_eq!(json.failed(6), "");
    assert_eq!(pair.run("ls :nowhere :b.txt").status, Some(1), "one failed and one did not");
}

#[test]
fn names_of_all_kinds_come_through() {
    use std::os::unix::ffi::OsStrExt;
    let pair = Pair::start();
    let name = std::ffi::OsStr::from_bytes(b"\xff *?#;%41'\"");
    fs::write(pair.served.join(name), "odd").unwrap();
    let url = pair.url("%FF%20%2A?#;%2541'\"");
    let ca = ["--ca", &pair.certificate];
    let out = |arguments: &[&str]| {
        let mut command = pair.home.carrack(arguments.iter().chain(&ca).copied());
        let output = command.env("CARRACK_PASSWORD", &pair.password).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", running::error(&output));
        output.stdout
    };
    assert_eq!(out(&["ls", &pair.url("")]), [name.as_bytes(), b"\n"].concat());
    assert_eq!(out(&["cat", &url]), b"odd");
    out(&["cp", &url, "copy"]);
    assert_eq!(fs::read(pair.here("copy")).unwrap(), b"odd");
    let json = String::from_utf8(out(&["ls", "--json", &pair.url("")])).unwrap();
    assert!(json.contains(r#""name":"\\xff *?#;%41'\"","name_bytes":"ff202a3f"#), "{json}");
    // What --json says can be given to the next command.
    let shown = json.split("\"url\":\"").nth(1).unwrap().split("\",\"").next().unwrap().to_owned();
    assert_eq!(out(&["cat", &shown]), b"odd");
    let terminal =
        pair.home.at_terminal(Some(&pair.password), ["ls", "--ca", &pair.certificate, &pair.url("")]);
    let (status, shown) = terminal.end();
    assert_eq!((status, shown.trim_end()), (Some(0), "\\xff *?#;%41'\""));
}

#[test]
fn a_tree_has_its_totals() {
    let pair = Pair::start();
    pair.serve("a/b/c.txt", b"four");
    pair.serve("a/d.txt", b"");
    pair.serve("e.txt", b"sixsix");
    let url = pair.url("");
    assert_eq!(
        pair.run("tree :").done(),
        format!(
            "{url}\n├── a/\n│   ├── b/\n│   │   └── c.txt\n│   └── d.txt\n└── e.txt\n\n2 folders, 3 files, 10 B\n"
        )
    );
    assert_eq!(
        pair.run("tree --depth 1 :").done(),
        format!("{url}\n├── a/\n└── e.txt\n\n1 folder, 1 file, 6 B\n")
    );
    let json = pair.run("tree --json :a").done();
    assert_eq!(json.lines().count(), 4, "{json}");
    assert!(
        json.ends_with("{\"event\":\"total\",\"folders\":1,\"files\":2,\"others\":0,\"bytes\":4}\n"),
        "{json}"
    );
    assert!(pair.run("tree :nowhere").failed(6).contains("nowhere"));
}

#[test]
fn files_are_printed_renamed_and_removed() {
    let pair = Pair::start();
    pair.serve("one", b"1\n");
    pair.serve("two", b"2\n");
    assert_eq!(pair.run("cat :one :two").done(), "1\n2\n");
    assert_eq!(pair.run("mkdir :folder").done(), "");
    pair.run("mkdir :folder").failed(6);
    pair.run("mkdir -p :folder").done();
    pair.run("mkdir -p :deep/er/still").done();
    assert!(pair.served.join("deep/er/still").is_dir());
    pair.run("mv :one :first").done();
    pair.run("mv :first :two :folder").done();
    assert_eq!(pair.run("ls :folder").done(), "first\ntwo\n");
    pair.run("mv :folder/first :folder/two :nowhere").failed(6);
    assert!(
        pair.run("mv :folder/first ftpes://other@localhost/x")
            .failed(2)
            .contains("not the same server and user")
    );
    pair.run("rm :folder/first").done();
    assert!(pair.run("rm :folder").failed(6).contains("rm -r"));
    assert!(pair.run("rmdir :folder").failed(6).contains("folder"));
    pair.run("rm :folder/two").done();
    pair.run("rmdir :folder").done();
    assert!(!pair.served.join("folder").exists());
    pair.run("rm :nowhere").failed(6);
}

#[test]
fn whole_folders_are_removed_and_nothing_else() {
    let pair = Pair::start();
    for path in ["old/a", "old/b/c", "old/b/d/e", "kept/a"] {
        pair.serve(path, b"x");
    }
    std::os::unix::fs::symlink("../kept", pair.served.join("old/link")).unwrap();
    pair.run("rm -r :old/link").done();
    assert!(
        fs::symlink_metadata(pair.served.join("old/link")).is_err() && pair.served.join("kept/a").exists()
    );
    std::os::unix::fs::symlink("../kept", pair.served.join("old/link")).unwrap();
    pair.run("rm -r :old").done();
    assert!(!pair.served.join("old").exists());
    assert!(pair.served.join("kept/a").exists());
    for everything in [":", ":/", ":.", ":kept/.."] {
        assert!(pair.run(&format!("rm -r {everything}")).failed(2).contains("logs in to"), "{everything}");
    }
    assert!(pair.served.join("kept/a").exists());
    let json = pair.run("rm -r --json :kept").done();
    assert!(
        json.ends_with(&format!(
            "{{\"event\":\"removed\",\"url\":\"{}\",\"kind\":\"folder\"}}\n",
            pair.url("kept")
        )),
        "{json}"
    );
}

#[test]
fn what_is_known_of_a_file_is_told() {
    let pair = Pair::start();
    pair.serve("a", b"bytes");
    let text = pair.run("stat :a").done();
    assert!(text.starts_with("path      /a\nkind      file\nsize      5\nmodified  20"), "{text}");
    assert!(pair.run("stat :").done().contains("kind      folder\n"));
    assert!(pair.run("stat --json :a").done().contains(r#""kind":"file","size":5"#));
    pair.run("stat :nowhere").failed(6);
}

#[test]
fn hashes_are_those_of_sha256sum() {
    const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let pair = Pair::start();
    pair.serve("in/hello", b"hello");
    assert_eq!(pair.run("hash --download :in/hello").done(), format!("{HELLO}  in/hello\n"));
    let json = pair.run("hash --download --json :in/hello").done();
    assert!(json.contains(&format!(r#""algorithm":"SHA-256","hash":"{HELLO}""#)), "{json}");
    assert_eq!(pair.run("hash --download --algorithm crc32 :in/hello").done(), "3610a686  in/hello\n");
    pair.run("hash --download :nowhere").failed(6);
}

#[test]
fn files_and_folders_are_copied_both_ways() {
    let pair = Pair::start();
    fs::create_dir_all(pair.here("docs/inner")).unwrap();
    fs::write(pair.here("docs/a.txt"), "a").unwrap();
    fs::write(pair.here("docs/inner/b.log"), "bb").unwrap();
    let said = pair.run("cp docs/a.txt :");
    assert!(said.err.starts_with("carrack: 1 file, 1 B in "), "{said:#?}");
    assert!(!said.err.contains('\u{1b}') && !said.err.contains('\r'), "a log is not drawn into: {said:#?}");
    said.done();
    assert_eq!(fs::read(pair.served.join("a.txt")).unwrap(), b"a");
    assert!(pair.run("cp docs :").status != Some(0), "a folder needs -r");
    assert_eq!(pair.run("cp -r --quiet docs :").failed(0), "");
    assert_eq!(fs::read(pair.served.join("docs/inner/b.log")).unwrap(), b"bb");
    pair.run("cp -r :docs back").done();
    assert_eq!(fs::read(pair.here("back/inner/b.log")).unwrap(), b"bb");
    pair.run("cp -r --exclude *.log :docs/ some").done();
    assert!(pair.here("some/a.txt").exists() && !pair.here("some/inner/b.log").exists());
    let json = pair.run("cp --json :docs/a.txt again").done();
    let lines: Vec<&str> = json.lines().collect();
    assert_eq!(lines.len(), 2, "{json}");
    assert!(lines[0].starts_with(r#"{"event":"done","source":"ftpes://carrack@localhost:"#), "{json}");
    assert!(
        lines[1].starts_with(r#"{"event":"summary","files":1,"folders":0,"bytes":1,"failed":0"#),
        "{json}"
    );
    pair.run("cp :nowhere .").failed(6);
    pair.run("cp nowhere :").failed(6);
    assert_eq!(pair.run("cp :docs/a.txt :nowhere .").status, Some(1));
}

#[test]
fn standard_input_and_output_are_files_too() {
    let pair = Pair::start();
    let mut up = pair.home.carrack(pair.words("cp - :piped"));
    let mut child = up.env("CARRACK_PASSWORD", &pair.password).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"through a pipe").unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(fs::read(pair.served.join("piped")).unwrap(), b"through a pipe");
    assert_eq!(pair.run("cp --quiet :piped -").done(), "through a pipe");
    assert!(pair.run("cp --json :piped -").failed(2).contains("--json"));
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_sent() {
    let pair = Pair::start();
    for (line, words) in [
        ("ls ftp://localhost/", "--plaintext"),
        ("ls sftp://localhost/", "joins later"),
        ("ls localhost:/x", "no URL"),
        ("ls ftpes://alice:secret@localhost/", "--password-file"),
        ("cp a b", "neither"),
        ("cp --append ftpes://a/x ftpes://b/y", "--append"),
        ("rm -r ftpes://localhost/%0aDELE", "line break"),
    ] {
        let said = pair.run(line).failed(2);
        assert!(said.contains(words), "{line}: {said}");
        assert!(!said.contains("secret"), "{said}");
    }
}

#[test]
fn the_dialogue_is_shown_and_the_password_is_not() {
    let pair = Pair::start();
    let said = pair.run("ls -v :");
    assert!(
        said.err.contains("> USER carrack\n> PASS ****\n") || said.err.contains("> PASS ****"),
        "{said:#?}"
    );
    assert!(said.err.contains("< 230") && said.err.contains("> PROT P"), "{said:#?}");
    assert!(!said.err.contains(&pair.password));
    assert!(!said.err.contains("TLSv1"), "{said:#?}");
    let said = pair.run("ls -vv --tls 1.2 :");
    assert!(said.err.contains("TLSv1.2"), "{said:#?}");
    assert!(!said.err.contains(&pair.password));
}

#[test]
fn an_interrupted_copy_says_so_and_goes_on() {
    let pair = Pair::start();
    let bytes: Vec<u8> = (0..6_000_000_u32).flat_map(u32::to_le_bytes).collect();
    pair.serve("large", &bytes);
    let mut command = pair.home.carrack(pair.words("cp --json --limit-rate 4M :large copy"));
    command.env("CARRACK_PASSWORD", &pair.password).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    // Something has arrived once the unfinished file has bytes.
    let partial = |home: &Path| {
        fs::read_dir(home)
            .unwrap()
            .map(Result::unwrap)
            .any(|entry| entry.metadata().unwrap().len() > 4_000_000)
    };
    while !partial(&pair.home.dir) {
        std::thread::yield_now();
    }
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert!(ran.out.contains(r#""resumable":true"#), "{ran:#?}");
    assert!(ran.failed(7).contains("run the same command again"));
    assert!(!pair.here("copy").exists(), "half a file has no name");
    let json = pair.run("cp --json :large copy").done();
    assert!(json.contains(r#""resumed":1"#), "{json}");
    assert!(fs::read(pair.here("copy")).unwrap() == bytes);
}

#[test]
fn progress_is_drawn_on_a_terminal() {
    let pair = Pair::start();
    pair.serve("large", &vec![0; 6_000_000]);
    let mut words = pair.words("cp --limit-rate 4M :large copy");
    let (status, shown) = pair.home.at_terminal(Some(&pair.password), words.clone()).end();
    assert_eq!(status, Some(0), "{shown}");
    assert!(shown.contains('\u{1b}') && shown.contains("/large ") && shown.contains('%'), "{shown:?}");
    assert!(shown.contains("MiB/s") && shown.contains("; verified by"), "{shown:?}");
    fs::remove_file(pair.here("copy")).unwrap();
    words.insert(1, "--quiet".to_owned());
    assert_eq!(pair.home.at_terminal(Some(&pair.password), words).end(), (Some(0), String::new()));
    pair.serve("another", &vec![0; 6_000_000]);
    let words = pair.words("cp --limit-rate 8M :large :another .");
    let (status, shown) = pair.home.at_terminal(Some(&pair.password), words).end();
    assert_eq!(status, Some(0), "{shown}");
    for line in ["/large ", "/another ", " of 2 files", "2 files, 11.4 MiB in "] {
        assert!(shown.contains(line), "{line}: {shown:?}");
    }
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let pair = Pair::start();
    pair.serve("large", &vec![b'x'; 6_000_000]);
    for line in ["cat :large", "cp :large -"] {
        let mut command = pair.home.carrack(pair.words(line));
        command.env("CARRACK_PASSWORD", &pair.password).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdout.take().unwrap().read_exact(&mut [0; 10]).unwrap();
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert_eq!((ran.status, ran.err.as_str()), (Some(0), ""), "{line}");
    }
}

#[test]
fn a_server_that_cannot_be_reached_is_tried_once() {
    let pair = Pair::start();
    let said = pair.run("ls ftpes://localhost:1/a ftpes://localhost:1/b").failed(3);
    assert_eq!(said.matches("Connection refused").count(), 1, "{said}");
    assert_eq!(said.matches("as was said before").count(), 1, "{said}");
}
