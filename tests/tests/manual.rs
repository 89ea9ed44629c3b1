//! The manual is true: its commands run, its configurations pass, its links lead somewhere, and its log has the events
//! and fields that the source has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};
use std::process::{Child, Command};

use carrack_tests::certificates::Authority;
use carrack_tests::logs::Logs;
use carrack_tests::pages::{
    arguments, blocks, examples, pages, quoted, read, series, split, top, written_pages,
};
use carrack_tests::programs::{Program, needs};
use carrack_tests::server::{program, spawn};
use carrack_tests::setup::password_hash;
use carrack_tests::wait;
use tempfile::TempDir;

/// The password of README's server, which stands on every page.
const SHOWN_PASSWORD: &str = "f93g-sw28-64b9-id7u-2sq8";
/// The words that may stand behind a fence.
const FENCES: [&str; 4] = ["sh", "console", "text", "toml"];
/// What a fragment of a configuration is put behind, so that it can be checked as a file.
const WHOLE: &str = r#"state = "state"

[[listen]]
address = "127.0.0.1:0"

[[user]]
name = "somebody"
password = "$argon2id$…"
home = "/srv/ftp/somebody"

"#;

/// `carrack serve DIR` with a home of its own, so that it keeps its state where the pages say; ended when dropped.
struct Tour {
    top: TempDir,
    child: Child,
    logs: Logs,
    printed: String,
    explicit: String,
    implicit: String,
}

impl Tour {
    fn start() -> Tour {
        let top = tempfile::Builder::new().prefix("carrack-test-").tempdir().unwrap();
        for folder in ["home", "served", "bin", "here"] {
            fs::create_dir(top.path().join(folder)).unwrap();
        }
        symlink(program(), top.path().join("bin/carrack")).unwrap();
        let mut command = Command::new(program());
        command.arg("serve").arg(top.path().join("served"));
        command.args(["--explicit", "127.0.0.1:0", "--implicit", "127.0.0.1:0"]);
        command.env("HOME", top.path().join("home")).env_remove("XDG_STATE_HOME");
        // The commands that it prints name the program as a shell finds it.
        command
            .env("PATH", format!("{}:{}", top.path().join("bin").display(), std::env::var("PATH").unwrap()));
        // Printed before anything is logged, so it is whole once the listeners are there.
        let output = top.path().join("printed");
        let (mut child, logs) = spawn_into(&mut command, &output);
        let port = |mode: &str| {
            let line = logs.wait_for_line(mode, |line| line.raw.contains(&format!("listening mode={mode} ")));
            line.raw.rsplit(':').next().unwrap().to_owned()
        };
        let (explicit, implicit) = (port("explicit"), port("implicit"));
        assert!(child.try_wait().unwrap().is_none());
        let printed = wait::until("the printed help", || {
            Some(fs::read_to_string(&output).unwrap()).filter(|text| text.contains("Ctrl-C stops"))
        });
        Tour { top, child, logs, printed, explicit, implicit }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.top.path().join(name)
    }

    fn password(&self) -> String {
        let file = self.path("home/.local/state/carrack/password");
        fs::read_to_string(file).unwrap().trim().to_owned()
    }

    /// A page's commands as they are for this server.
    fn adapted(&self, text: &str) -> String {
        text.replace("localhost:2121", &format!("localhost:{}", self.explicit))
            .replace("localhost:2990", &format!("localhost:{}", self.implicit))
            .replace("\"localhost\", 2121", &format!("\"localhost\", {}", self.explicit))
            .replace(SHOWN_PASSWORD, &self.password())
            .replace("cargo run --release --", "carrack")
    }

    /// Pastes commands into a shell; the first that fails ends it.
    fn paste(&self, page: &str, text: &str) -> String {
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        let run = Program::new("env")
            .arg(format!("HOME={}", self.path("home").display()))
            .arg(format!("PATH={path}"))
            .arg(format!("TMPDIR={}", self.path("here").display()))
            .args(["bash", "-euo", "pipefail", "-c", &self.adapted(text)])
            .folder(&self.path("here"))
            .run();
        assert!(run.status.success(), "{page}: {}", run.report());
        run.stdout
    }
}

fn spawn_into(command: &mut Command, output: &Path) -> (Child, Logs) {
    let (mut child, logs) = spawn(command);
    let (mut from, mut to) = (child.stdout.take().unwrap(), fs::File::create(output).unwrap());
    std::thread::spawn(move || std::io::copy(&mut from, &mut to));
    (child, logs)
}

impl Drop for Tour {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log: Vec<String> = self.logs.lines().into_iter().map(|line| line.raw).collect();
            eprintln!("the server's log:\n{}", log.join("\n"));
        }
    }
}

#[test]
fn fences_say_what_becomes_of_them() {
    for page in pages() {
        for block in split(&page).0 {
            assert!(
                FENCES.contains(&block.word.as_str()),
                "{page}:{}: a fence is one of {FENCES:?}, and {:?} is none",
                block.line,
                block.word
            );
        }
    }
}

#[test]
fn the_commands_of_every_page_run() {
    if !needs(&["bash", "curl", "lftp", "python3", "openssl", "timeout", "cmp"]) {
        return;
    }
    let mut run = 0;
    for page in pages() {
        let commands: String = blocks(&page, "sh").into_iter().map(|block| block.text).collect();
        if !commands.is_empty() {
            Tour::start().paste(&page, &commands);
            run += 1;
        }
    }
    assert!(run >= 5, "only {run} pages have commands");
}

/// A line with what differs from start to start taken out, and wrapped commands in one.
fn plain(text: &str, tour: Option<&Tour>) -> Vec<String> {
    let mut text = text.replace(" \\\n", " ");
    if let Some(tour) = tour {
        text = text
            .replace(&*tour.password(), SHOWN_PASSWORD)
            .replace(&*tour.path("home").to_string_lossy(), "/home/you")
            .replace(&*fs::canonicalize(tour.path("served")).unwrap().to_string_lossy(), "/srv/files");
        for host in ["localhost", "127.0.0.1"] {
            text = text
                .replace(&format!("{host}:{}", tour.explicit), &format!("{host}:2121"))
                .replace(&format!("{host}:{}", tour.implicit), &format!("{host}:2990"));
        }
    }
    let is_fingerprint = |line: &str| line.len() == 95 && line.split(':').all(|pair| pair.len() == 2);
    text.lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .map(|line| if is_fingerprint(&line) { "a fingerprint".to_owned() } else { line })
        .collect()
}

#[test]
fn readme_shows_what_is_printed_and_logged() {
    if !needs(&["bash", "curl", "lftp", "timeout", "cmp"]) {
        return;
    }
    let tour = Tour::start();
    let shown =
        blocks("README.md", "console").into_iter().find(|block| block.text.contains("Carrack serves"));
    let shown = shown.expect("README shows what is printed").text;
    let shown = shown.split_once('\n').unwrap().1;
    let shown = plain(shown.strip_suffix("…\n").expect("README shows the beginning"), None);
    let printed = plain(&tour.printed, Some(&tour));
    assert_eq!(shown, printed[..shown.len()], "README's output is not the program's");

    let said = tour.paste("README.md", &blocks("README.md", "sh").remove(0).text);
    assert!(said.starts_with("hello, sea\n"), "{said}");
    assert!(said.ends_with("whole\n"), "{said}");

    // Each line shown has a line in the log with the same event and the same fields in the same order.
    let shape = |line: &str| -> Vec<String> {
        let words = line.split(' ').filter(|word| !word.is_empty()).skip(1);
        let keys =
            words.filter(|word| word.contains('=') || word.chars().all(|c| c.is_lowercase() || c == '_'));
        keys.map(|word| word.split('=').next().unwrap().to_owned()).take_while(|key| key != "why").collect()
    };
    let logged = |line: &str| {
        let wanted = shape(line);
        tour.logs.wait_for_line(line, |logged| shape(&logged.raw) == wanted);
    };
    let log = blocks("README.md", "text").into_iter().find(|block| block.text.contains("INFO")).unwrap();
    // A machine so busy that a second is over before the upload begins has nothing to show for the cut.
    log.text.lines().filter(|line| *line != "…" && !line.contains("complete=false")).for_each(logged);
}

/// A configuration with stand-ins for what it names: homes, certificate, password hashes.
fn check(what: &str, text: &str) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_str().unwrap();
    let mut text = text.replace("$argon2id$…", &password_hash("a stand-in"));
    for outside in ["srv", "var", "etc"] {
        text = text.replace(&format!("\"/{outside}/"), &format!("\"{folder}/{outside}/"));
    }
    // What the next certificate stands for.
    let mut names = vec!["localhost"];
    for line in text.lines() {
        let Some((key, value)) = line.split_once('=') else { continue };
        if key.trim() == "names" {
            names = value.split('"').skip(1).step_by(2).collect();
        }
        let value = dir.path().join(value.trim().trim_start_matches('"').split('"').next().unwrap());
        match key.trim() {
            "home" => fs::create_dir_all(value).unwrap(),
            "certificate" => {
                let made = dir.path().join("made");
                let names = names.iter().flat_map(|name| ["--name", name]);
                let tool = Program::new(program()).args(["cert", "self-signed"]).args(names).arg("--out");
                tool.arg(&made).run().ok();
                fs::create_dir_all(value.parent().unwrap()).unwrap();
                fs::rename(made.join("cert.pem"), value).unwrap();
            }
            "ca" | "client_ca" => {
                fs::create_dir_all(value.parent().unwrap()).unwrap();
                fs::write(value, Authority::new().pem()).unwrap();
            }
            "eab_key_file" => {
                fs::create_dir_all(value.parent().unwrap()).unwrap();
                fs::write(value, "c29tZSBrZXk\n").unwrap();
            }
            "secret_file" => {
                fs::create_dir_all(value.parent().unwrap()).unwrap();
                fs::write(value, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
            }
            "file" if value.ends_with("users.toml") => fs::write(value, "").unwrap(),
            "file" | "xferlog" => fs::create_dir_all(value.parent().unwrap()).unwrap(),
            "program" => {
                let program = PathBuf::from(line.split('"').nth(1).unwrap());
                fs::create_dir_all(program.parent().unwrap()).unwrap();
                fs::copy("/bin/true", program).unwrap();
            }
            "key" => fs::rename(dir.path().join("made/key.pem"), value).unwrap(),
            _ => {}
        }
    }
    let file = dir.path().join("carrack.toml");
    fs::write(&file, text).unwrap();
    let run = Program::new(program()).args(["config", "check"]).arg(&file).run();
    assert!(run.status.success(), "{what}: {}", run.report());
}

#[test]
fn every_configuration_passes_the_check() {
    let mut whole = 0;
    for page in pages() {
        for block in blocks(&page, "toml") {
            let what = format!("{page}:{}", block.line);
            if block.text.contains("[[listen]]") && block.text.contains("[[user]]") {
                whole += 1;
                check(&what, &block.text);
            } else {
                // What belongs to the top of a file, and what users outside take.
                let (roots, rest): (Vec<_>, Vec<_>) =
                    block.text.lines().partition(|line| line.starts_with("roots = "));
                let asks = block.text.contains("[users]") && roots.is_empty();
                let roots = if asks { "roots = [\"/srv/\"]".to_owned() } else { roots.join("\n") };
                check(&what, &format!("{roots}\n{WHOLE}{}\n", rest.join("\n")));
            }
        }
    }
    assert!(whole > 0, "no page has a whole configuration");
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    kept.chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            '-' | '_' => Some(c),
            c => c.is_alphanumeric().then_some(c),
        })
        .collect()
}

#[test]
fn links_lead_somewhere() {
    for page in pages().into_iter().chain(examples()) {
        let prose = split(&page).1;
        for (target, _) in prose.split("](").skip(1).filter_map(|rest| rest.split_once(')')) {
            if target.contains("://") {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let folder = top().join(&page).parent().unwrap().to_owned();
            let leads_to = if path.is_empty() { top().join(&page) } else { folder.join(path) };
            assert!(leads_to.exists(), "{page}: {target} is not there");
            let outside =
                leads_to.strip_prefix(top()).unwrap().components().fold(0_i32, |depth, part| match part {
                    Component::ParentDir => depth - 1,
                    _ => depth + 1,
                });
            assert!(outside >= 0, "{page}: {target} leads out of the project");
            if !heading.is_empty() {
                let text = fs::read_to_string(&leads_to).unwrap();
                let mut headings = text.lines().filter_map(|line| line.strip_prefix('#'));
                let found = headings.any(|line| anchor(line.trim_start_matches('#')) == heading);
                assert!(found, "{page}: {target} names no heading");
            }
        }
    }
}

/// Event → (level, fields).
type Events = BTreeMap<String, (String, Vec<String>)>;

/// The log lines that the source can write.
fn events_of_the_source() -> Events {
    let mut events = Events::new();
    // Written by the queue itself, behind tracing's back.
    let line = read("crates/daemon/src/log/line.rs");
    for (event, level, fields) in
        [("log_lost", "warn", ["log", "lines"].as_slice()), ("log_failed", "error", &["log", "file", "why"])]
    {
        assert!(line.contains(&format!("by_hand(self, {event:?})")));
        let fields = fields.iter().map(|&field| field.to_owned()).collect();
        events.insert(event.to_owned(), (level.to_owned(), fields));
    }
    for source in sources(&top().join("crates")) {
        let text = fs::read_to_string(&source).unwrap();
        for level in ["error", "warn", "info", "debug", "trace"] {
            for rest in text.split(&format!("tracing::{level}!(")).skip(1) {
                let mut arguments = arguments(rest);
                let event = arguments.pop().unwrap();
                let event = event.trim_matches('"').to_owned();
                let fields = arguments.iter().filter(|argument| !argument.starts_with("target:"));
                let name = |field: &String| {
                    field.split('=').next().unwrap().trim().trim_start_matches(['%', '?']).to_owned()
                };
                let fields: Vec<String> = fields.map(name).collect();
                let known = events.insert(event.clone(), (level.to_owned(), fields.clone()));
                if let Some(known) = known {
                    assert_eq!(known, (level.to_owned(), fields), "{event} is logged in two ways");
                }
            }
        }
    }
    events
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The rows of the table in docs/serving.md.
fn events_of_the_manual() -> Events {
    let prose = split("docs/serving.md").1;
    let table = prose.split("| event | level |").nth(1).expect("the table of events");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let fields = cells[3].split('`').skip(1).step_by(2).map(str::to_owned).collect();
        (cells[1].trim_matches('`').to_owned(), (cells[2].to_owned(), fields))
    })
    .collect()
}

#[test]
fn the_log_has_the_events_of_the_manual_and_no_others() {
    assert_eq!(events_of_the_manual(), events_of_the_source());
}

#[test]
fn the_metrics_are_those_of_the_manual_and_no_others() {
    let page = split("docs/metrics.md").1;
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `carrack_"));
    let shown = rows.map(|row| row.split('`').next().unwrap().trim_end_matches("_total").to_owned());
    assert_eq!(shown.collect::<BTreeSet<_>>(), series());
}

/// The keys of the configuration file, such as `user.folder.path`.
fn keys() -> BTreeSet<String> {
    let prose = split("docs/configuration.md").1;
    let headings = prose.lines().filter_map(|line| line.strip_prefix("### `"));
    headings.map(|heading| heading.trim_end_matches('`').to_owned()).collect()
}

/// Whether a word could be a key, or a section and a key.
fn is_name(word: &str) -> bool {
    !word.is_empty()
        && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.')
}

#[test]
fn options_that_are_mentioned_are_there() {
    let keys = keys();
    let sections: BTreeSet<&str> =
        keys.iter().filter_map(|key| key.split_once('.')).map(|(section, _)| section).collect();
    let mut words: BTreeSet<String> =
        keys.iter().map(|key| key.rsplit('.').next().unwrap().to_owned()).collect();
    for (event, (_, fields)) in events_of_the_source() {
        words.insert(event);
        words.extend(fields);
    }
    words.extend(
        series().iter().flat_map(|name| [format!("carrack_{name}"), format!("carrack_{name}_total")]),
    );
    // What events hold that are sent out.
    for event in blocks("docs/hooks.md", "text") {
        words.extend(event.text.split('"').skip(1).step_by(2).map(str::to_owned));
    }
    // TLS's and the kernel's.
    words.extend(
        ["close_notify", "nf_conntrack_ftp", "s_client", "unrecognized_name", "whsec_"].map(str::to_owned),
    );
    for page in written_pages() {
        for said in quoted(&page) {
            // `key = value` and `openssl s_client …` are about their first words.
            let name = said.split(" = ").next().unwrap();
            let is_key = said.contains(" = ") && is_name(name);
            if is_key && !name.contains('.') {
                assert!(words.contains(name), "{page}: there is no `{name}`");
            } else if is_name(name)
                && name.contains('.')
                && sections.contains(name.split('.').next().unwrap())
            {
                assert!(keys.contains(name), "{page}: there is no `{name}`");
            } else if is_name(name) && name.contains('_') && !name.contains('.') {
                assert!(words.contains(name), "{page}: there is no `{name}`");
            }
        }
    }
}

/// Whether the source has this text, as one literal or with values in its places.
fn is_said(sources: &[String], text: &str) -> bool {
    let pieces: Vec<&str> = text.split(|c: char| c.is_ascii_digit()).map(str::trim).collect();
    let words = |piece: &str| piece.split_whitespace().count();
    let longest = pieces.into_iter().max_by_key(|piece| words(piece)).unwrap();
    // Two sentences may come from two literals, and a name may stand in one.
    let parts = longest.split_inclusive(". ").flat_map(|part| part.split("anonymous")).map(str::trim);
    parts
        .filter(|part| words(part) >= 2)
        .all(|part| sources.iter().any(|source| source.contains(part.trim_end_matches('.'))))
}

#[test]
fn replies_that_are_shown_are_said() {
    let sources: Vec<String> =
        sources(&top().join("crates")).iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    for page in written_pages() {
        for line in split(&page).1.lines().filter(|line| line.starts_with('|')) {
            for said in line.split('`').skip(1).step_by(2) {
                let code = said
                    .get(..4)
                    .is_some_and(|code| code.ends_with(' ') && code.trim().parse::<u16>().is_ok());
                let text = if code { &said[4..] } else { said };
                if code || (text.ends_with('.') && text.contains(' ')) {
                    assert!(is_said(&sources, text), "{page}: nothing in the source says {text:?}");
                }
            }
        }
    }
}
