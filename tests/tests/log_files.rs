//! What stands in the log's own files, how other people's programs read and rotate them, and what a full disk costs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use carrack_tests::control::Control;
use carrack_tests::programs;
use carrack_tests::server::Server;
use carrack_tests::setup::{EVERYTHING, Setup, USER};
use carrack_tests::wait;
use rustix::process::Signal;

/// One line of a transfer log, by the names of `xferlog(5)`.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    bytes: String,
    name: String,
    kind: String,
    direction: String,
    access: String,
    user: String,
    completion: String,
}

/// Reads a line as the manual has it: 18 words, of which the first five are the time.
fn entry(line: &str) -> Entry {
    let words: Vec<&str> = line.split(' ').collect();
    assert_eq!(words.len(), 18, "{line:?}");
    assert!(words[5].parse::<u64>().unwrap() >= 1, "{line:?}");
    assert_eq!((words[6], words[10], words[14], words[15], words[16]), ("127.0.0.1", "_", "ftp", "0", "*"));
    let word = |index: usize| words[index].to_owned();
    Entry {
        bytes: word(7),
        name: word(8),
        kind: word(9),
        direction: word(11),
        access: word(12),
        user: word(13),
        completion: word(17),
    }
}

fn expected(fields: [&str; 6]) -> Entry {
    let [bytes, name, kind, direction, access, completion] = fields.map(str::to_owned);
    let user = if access == "a" { "anonymous" } else { USER }.to_owned();
    Entry { bytes, name, kind, direction, access, user, completion }
}

/// The lines of a file, once there are that many.
fn lines(file: &Path, count: usize) -> Vec<String> {
    wait::until("the lines of a log", || {
        let text = fs::read_to_string(file).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        (lines.len() >= count && text.ends_with('\n')).then_some(lines)
    })
}

/// A server whose logs go to files in the folder that is returned.
fn logging(setup: Setup) -> (Server, PathBuf) {
    let folder = setup.folder().join("logs");
    fs::create_dir_all(&folder).unwrap();
    let quoted = |name: &str| format!("{:?}", folder.join(name));
    let (file, xferlog) = (quoted("carrack.log"), quoted("xferlog"));
    (setup.option("log", "file", &file).option("log", "xferlog", &xferlog).start(), folder)
}

#[test]
fn each_transfer_and_delete_is_a_line_that_other_programs_read() {
    let setup = Setup::new()
        .explicit("plaintext = \"limit\"")
        .option("plaintext", "folders", "[\"/\"]")
        .table("[[user]]\nname = \"anonymous\"\nhome = \"homes/anonymous\"");
    fs::create_dir_all(setup.home("anonymous")).unwrap();
    fs::write(setup.home("anonymous").join("public"), "for all").unwrap();
    let (server, folder) = logging(setup);
    let mut control = Control::open(&server);
    control.upload("a report.csv", b"0123456789");
    control.download("a report.csv");
    control.expect("TYPE A", 200);
    control.upload("two\u{202e} words", b"line\r\n");
    control.expect("TYPE I", 200);
    let mut data = control.begin("STOR cut");
    data.send(b"half").unwrap();
    data.fin();
    control.reply();
    control.expect("DELE a report.csv", 250);
    control.expect("DELE nothing", 550);
    let mut clear = Control::clear(&server);
    clear.expect("USER anonymous", 331);
    clear.expect("PASS me@example.com", 230);
    let mut data = clear.data();
    clear.expect("RETR public", 150);
    assert_eq!(data.read_to_end().0, b"for all");
    drop(data);
    clear.wait_for(226);

    let file = folder.join("xferlog");
    let told = lines(&file, 6);
    let found: Vec<Entry> = told.iter().map(|line| entry(line)).collect();
    let wanted = [
        ["10", "/a_report.csv", "b", "i", "r", "c"],
        ["10", "/a_report.csv", "b", "o", "r", "c"],
        ["5", "/two__words", "a", "i", "r", "c"],
        ["4", "/cut", "b", "i", "r", "i"],
        ["0", "/a_report.csv", "b", "d", "r", "c"],
        ["7", "/public", "a", "o", "a", "c"],
    ];
    assert_eq!(found, wanted.map(expected));
    read_by_webalizer(&file, &folder);
    read_by_awstats(&file, &folder);
}

/// Webalizer counts a record for every line, and none as bad.
fn read_by_webalizer(file: &Path, folder: &Path) {
    if !programs::needs(&["webalizer"]) {
        return;
    }
    let mut webalizer = Command::new("webalizer");
    webalizer.args(["-F", "ftp", "-o"]).arg(folder).arg(file).env("LC_ALL", "C");
    let run = webalizer.output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && !said.contains("bad record") && !said.contains("Skipping"), "{said}");
    let records = said.lines().find(|line| line.contains("records"));
    assert!(records.is_some_and(|line| line.starts_with("6 records")), "{said}");
}

/// AWStats, told the columns of the manual, takes every line.
fn read_by_awstats(file: &Path, folder: &Path) {
    let program = Path::new("/usr/lib/cgi-bin/awstats.pl");
    if !program.exists() {
        return;
    }
    let settings = format!(
        "LogFile={file:?}\nLogType=F\nLogFormat=\"%time3 %other %host %bytesd %url %other %other %method %other %logname %other %code \
         %other %other\"\nLogSeparator=\" \"\nSiteDomain=\"ftp.example.com\"\nDirData={folder:?}\nDNSLookup=0\nAllowFullYearView=3\n"
    );
    fs::write(folder.join("awstats.carrack.conf"), settings).unwrap();
    let mut awstats = Command::new("perl");
    awstats.arg(program).args(["-config=carrack", "-update", "-configdir"]).arg(folder);
    awstats.arg(format!("-configdir={}", folder.display()));
    let run = awstats.output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert!(said.contains("Found 0 corrupted records"), "{said}");
}

#[test]
fn logrotate_renames_and_the_server_goes_on_in_new_files() {
    if !programs::needs(&["logrotate"]) {
        return;
    }
    let (server, folder) = logging(Setup::new());
    let mut control = Control::open(&server);
    control.upload("before", b"1");
    lines(&folder.join("xferlog"), 1);
    rotate(&server, &folder, "SIGUSR1");
    control.upload("after", b"2");
    assert!(lines(&folder.join("xferlog"), 1)[0].contains(" /after "), "{:?}", fs::read_dir(&folder));
    assert!(lines(&folder.join("xferlog.1"), 1)[0].contains(" /before "));
    let has = |name: &str, path: &str| {
        let text = fs::read_to_string(folder.join(name)).unwrap_or_default();
        text.lines().any(|line| line.contains("\"transfer\"") && line.contains(path))
    };
    wait::until_true("the new log", || has("carrack.log", "/after"));
    assert!(has("carrack.log.1", "/before") && !has("carrack.log.1", "/after"));
    // The signal of every other server does the same.
    rotate(&server, &folder, "SIGHUP");
    control.upload("at last", b"3");
    wait::until_true("the third log", || has("carrack.log", "/at last") && !has("carrack.log", "/after"));
    assert!(lines(&folder.join("xferlog"), 1)[0].contains(" /at_last "));
    assert!(lines(&folder.join("xferlog.1"), 1)[0].contains(" /after "));
}

/// Runs logrotate with the file that packages install, at this server's folder and process, and waits until both files are new.
fn rotate(server: &Server, folder: &Path, signal: &str) {
    let packaged = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/logrotate/carrack");
    let kill = format!("kill -{} {}", signal.trim_start_matches("SIG"), server.pid());
    let settings = fs::read_to_string(packaged)
        .unwrap()
        .replace("/var/log/carrack", &folder.display().to_string())
        .replace("systemctl kill --kill-whom=main --signal=SIGUSR1 carrack.service", &kill);
    assert!(settings.contains(&kill));
    let (file, state) = (folder.join("logrotate.conf"), folder.join("logrotate.state"));
    fs::write(&file, settings).unwrap();
    let mut logrotate = Command::new("logrotate");
    let run = logrotate.arg("--force").arg("--state").arg(state).arg(file).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    // A line of each makes it: the thread opens what is renamed only when it has something to write.
    wait::until_true("new files", || {
        let mut control = Control::open(server);
        control.expect("QUIT", 221);
        folder.join("carrack.log").exists()
    });
}

#[test]
fn a_disk_that_is_full_costs_lines_that_are_counted_and_no_transfer() {
    let setup = Setup::new().option("log", "xferlog", "\"/dev/full\"").option(
        "metrics",
        "address",
        "\"127.0.0.1:0\"",
    );
    let server = setup.start();
    let mut control = Control::open(&server);
    control.upload("file", b"bytes");
    assert_eq!(control.download("file"), b"bytes");
    let failed = server.logged("log_failed", |_| true);
    assert_eq!((failed.text("log").as_str(), failed.text("file").as_str()), ("xferlog", "/dev/full"));
    assert!(failed.text("why").contains("No space left"), "{}", failed.raw);
}

#[test]
fn a_folder_that_vanishes_and_comes_back_is_told_with_the_number_of_lines() {
    let (server, folder) = logging(Setup::new());
    let mut control = Control::open(&server);
    control.upload("one", b"1");
    lines(&folder.join("xferlog"), 1);
    let away = folder.with_extension("away");
    fs::rename(&folder, &away).unwrap();
    server.signal(Signal::USR1);
    // Until the signal has come, the lines go where the files are now.
    let failed = server.errors.wait_for("log_failed", |said| {
        control.upload("lost", b"2");
        said.iter().find(|line| line.is("log_failed")).cloned()
    });
    assert!(failed.text("why").contains("No such file"), "{}", failed.raw);
    fs::create_dir(&folder).unwrap();
    control.upload("again", b"3");
    let has = |name: &str, what: &[&str]| {
        let text = fs::read_to_string(folder.join(name)).unwrap_or_default();
        text.lines().any(|line| what.iter().all(|what| line.contains(what)))
    };
    wait::until_true("a new line", || has("xferlog", &[" /again "]));
    for log in ["log", "xferlog"] {
        wait::until_true(log, || {
            has("carrack.log", &["\"log_lost\"", &format!("\"log\":\"{log}\""), "\"lines\":"])
        });
    }
}

#[test]
fn a_file_that_cannot_be_written_is_refused_before_the_start() {
    let setup = Setup::new().user(USER, &[EVERYTHING]);
    let missing = setup.folder().join("nowhere/carrack.log");
    let setup = setup.option("log", "file", &format!("{missing:?}"));
    let config = setup.write();
    let mut check = Command::new(carrack_tests::server::program());
    let run = check.args(["config", "check"]).arg(config).output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(!run.status.success() && said.contains("log.file") && said.contains("mkdir -p"), "{said}");
}
