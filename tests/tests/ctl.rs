//! `carrack ctl`: what a running server tells its operator and does for them, and whom it refuses.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use carrack_tests::control::Control;
use carrack_tests::programs::{Program, Run, Tls};
use carrack_tests::server::{Mode, Server, program};
use carrack_tests::setup::{EVERYTHING, Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::wait;
use carrack_tests::wire::Wire;
use serde_json::{Value, json};

fn ctl(server: &Server, words: &[&str]) -> Run {
    Program::new(program()).args(["ctl", "--config"]).arg(server.config()).args(words).run()
}

/// The answer that `--json` prints.
fn answer(server: &Server, words: &[&str]) -> Value {
    let run = ctl(server, &[words, &["--json"]].concat());
    serde_json::from_str(&run.stdout).unwrap_or_else(|why| panic!("{why}: {}", run.report()))
}

fn session(server: &Server, mode: Mode, tls: Tls, user: &str) -> Control {
    Control::session(server, mode, &TlsClient::new(tls), user)
}

/// What the server says to a line on its socket.
fn say(server: &Server, line: &str) -> Value {
    let mut socket = UnixStream::connect(server.state().join("ctl.sock")).unwrap();
    socket.write_all(line.as_bytes()).unwrap();
    let mut said = String::new();
    BufReader::new(socket).read_line(&mut said).unwrap();
    serde_json::from_str(&said).unwrap()
}

#[test]
fn sessions_tell_who_is_there_from_where_and_what_they_do() {
    let server = Setup::new().user("alice", &[EVERYTHING]).start();
    assert_eq!(answer(&server, &["sessions"]), json!({"sessions": []}));
    let mut alice = session(&server, Mode::Explicit, Tls::V13, "alice");
    let _idle = session(&server, Mode::Implicit, Tls::V12, USER);
    alice.expect("MKD in", 257);
    alice.expect("CWD in", 250);
    let mut data = alice.begin("STOR report");
    data.send(&[7; 100_000]).unwrap();
    let moving = wait::until("the bytes", || {
        let all = answer(&server, &["sessions"])["sessions"].clone();
        (all[0]["doing"]["bytes"] == 100_000).then_some(all)
    });
    let (one, other) = (&moving[0], &moving[1]);
    assert_eq!(
        (&one["session"], &one["user"], &one["protocol"]),
        (&json!(1), &json!("alice"), &json!("ftp"))
    );
    assert_eq!(
        (&one["tls"], &other["tls"], &other["user"]),
        (&json!("TLSv1.3"), &json!("TLSv1.2"), &json!(USER))
    );
    assert_eq!((&one["doing"]["command"], &one["doing"]["path"]), (&json!("STOR"), &json!("/in/report")));
    assert!(one["peer"].as_str().unwrap().starts_with("127.0.0.1:") && one["lasted_s"].is_u64(), "{one}");
    assert!(one["idle_s"].is_u64() && other["doing"].is_null(), "{moving}");
    let table = ctl(&server, &["sessions"]).ok().stdout;
    assert!(table.lines().any(|line| line.contains("alice") && line.ends_with("STOR /in/report")), "{table}");

    let status = answer(&server, &["status"])["status"].clone();
    assert_eq!(
        (&status["connections"], &status["sessions"], &status["transfers"]),
        (&json!(2), &json!(2), &json!(1))
    );
    assert_eq!((&status["state"], &status["process"]), (&json!("serving"), &json!(server.pid())));
    let listeners = json!([
        {"mode": "explicit", "address": server.explicit.to_string()},
        {"mode": "implicit", "address": server.implicit.to_string()},
    ]);
    assert_eq!(status["listeners"], listeners);
    assert!(status["certificates"][0]["days"].as_i64().unwrap() > 30, "{status}");
    data.finish().unwrap();
    alice.wait_for(226);
    let after = answer(&server, &["sessions"])["sessions"][0].clone();
    assert!(after["doing"].is_null() && after["bytes"] == 100_000, "{after}");
    let text = ctl(&server, &["status"]).ok().stdout;
    assert!(text.contains(&format!("explicit {}", server.explicit)), "{text}");
}

#[test]
fn a_kicked_session_is_told_421_and_its_transfer_can_be_resumed() {
    let server = Setup::new().user("alice", &[EVERYTHING]).start();
    let mut stays = session(&server, Mode::Explicit, Tls::V13, USER);
    let mut alice = session(&server, Mode::Implicit, Tls::V12, "alice");
    let mut uploads = session(&server, Mode::Explicit, Tls::V13, "alice");
    let mut data = uploads.begin("STOR file");
    data.send(&[7; 100_000]).unwrap();
    wait::until_true("the bytes", || {
        answer(&server, &["sessions"])["sessions"][2]["doing"]["bytes"] == 100_000
    });
    let before = server.cut_transfers();
    let told = ctl(&server, &["kick", "user", "alice"]).ok().stdout;
    assert_eq!(told, "2 sessions were told to go\n");
    alice.wait_for(421);
    uploads.wait_for(426);
    uploads.wait_for(421);
    server.wait_for_cut_after(before);
    let cut = server.logged("transfer", |line| line.text("complete") == "false");
    assert!(cut.text("why").contains("administrator"), "{}", cut.raw);
    server.logged("kicked", |line| line.text("user") == "alice");
    let mut again = session(&server, Mode::Implicit, Tls::V12, "alice");
    let size = again.expect("SIZE file", 213).to_string();
    assert!(size.contains("99999"), "what came is kept, less what tells whether it is the same file: {size}");

    wait::until_true("their end", || {
        answer(&server, &["sessions"])["sessions"].as_array().unwrap().len() == 2
    });
    ctl(&server, &["kick", "1"]).ok();
    stays.wait_for(421);
    let nobody = ctl(&server, &["kick", "99"]).fails();
    assert!(nobody.stderr.contains("there is no session 99"), "{}", nobody.report());
    assert!(ctl(&server, &["kick", "user", "mallory"]).fails().stderr.contains("\"mallory\" has no session"));
    assert_eq!(ctl(&server, &["kick", "mallory"]).status.code(), Some(2));
}

/// Whether somebody who comes from this address is greeted.
fn is_greeted(server: &Server, from: &str) -> bool {
    let wire = Wire::connect_from(from.parse().unwrap(), server.explicit).unwrap();
    Control::over(wire, &TlsClient::new(Tls::V13)).reply_or_end().is_ok_and(|reply| reply.code == 220)
}

#[test]
fn a_ban_ends_sessions_and_lets_nobody_in_until_it_is_lifted() {
    let server = Setup::new().start();
    let mut here = session(&server, Mode::Explicit, Tls::V13, USER);
    let wire = Wire::connect_from("127.9.0.7".parse().unwrap(), server.explicit).unwrap();
    let mut there = Control::over(wire, &TlsClient::new(Tls::V12));
    there.wait_for(220);
    assert_eq!(answer(&server, &["bans"]), json!({"bans": []}));

    let banned = ctl(&server, &["ban", "127.9.0.0/16", "--for", "2h", "--why", "a test"]).ok().stdout;
    assert_eq!(banned, "nobody is let in from 127.9.0.0/16; sessions from there that were told to go: 1\n");
    there.wait_for(421);
    assert!(!is_greeted(&server, "127.9.200.1"), "the whole network is banned");
    assert!(is_greeted(&server, "127.8.0.1"));
    here.expect("NOOP", 200);
    let refused = server.logged("connection_refused", |line| line.text("reason") == "banned");
    assert_eq!(refused.text("option"), "ban by the operator", "{}", refused.raw);
    let told = server.logged("banned_by_operator", |_| true);
    assert_eq!((told.text("network").as_str(), told.text("why").as_str()), ("127.9.0.0/16", "a test"));
    let bans = answer(&server, &["bans"])["bans"].clone();
    assert_eq!(
        (&bans[0]["network"], &bans[0]["by"], &bans[0]["why"]),
        (&json!("127.9.0.0/16"), &json!("operator"), &json!("a test"))
    );
    assert!(bans[0]["until_s"].is_u64() && bans[1].is_null(), "{bans}");
    let table = ctl(&server, &["bans"]).ok().stdout;
    assert!(
        table.lines().any(|line| line.starts_with("127.9.0.0/16 ") && line.ends_with("a test")),
        "{table}"
    );

    let server = server.start_again();
    assert!(!is_greeted(&server, "127.9.200.1"), "a ban outlives the server");
    assert_eq!(ctl(&server, &["unban", "127.9.0.0/16"]).ok().stdout, "127.9.0.0/16 is let in again\n");
    assert!(is_greeted(&server, "127.9.200.1"));

    for (wrong, why) in [
        (&["unban", "127.9.0.0/16"][..], "127.9.0.0/16 is not banned"),
        (&["ban", "example.com"], "\"example.com\" cannot be banned"),
        (&["ban", "127.9.0.1/16"], "cannot be banned"),
    ] {
        let run = ctl(&server, wrong);
        assert_eq!(run.status.code(), Some(1), "{}", run.report());
        assert!(run.stderr.contains(why), "{}", run.report());
    }
    assert_eq!(ctl(&server, &["ban", "127.9.0.1", "--for", "soon"]).status.code(), Some(2));
}

#[test]
fn a_reload_prints_what_is_wrong_as_config_check_does() {
    let mut server = Setup::new().start();
    server.rewrite(|setup| setup.user("new", &[EVERYTHING]));
    assert_eq!(ctl(&server, &["reload"]).ok().stdout, "reloaded: new sessions have it\n");
    session(&server, Mode::Implicit, Tls::V13, "new");
    server.rewrite(|setup| setup.option("timeouts", "idle", "7").option("log", "level", "\"loud\""));
    let refused = ctl(&server, &["reload"]);
    assert_eq!(refused.status.code(), Some(1), "{}", refused.report());
    let checked = Program::new(program()).args(["config", "check"]).arg(server.config()).run().fails();
    let problems = |text: &str| text.lines().skip(2).map(str::to_owned).collect::<Vec<_>>();
    for line in problems(&checked.stderr) {
        assert!(refused.stderr.contains(&line), "{line} is not in {}", refused.report());
    }
    let json = answer(&server, &["reload"]);
    let keys: Vec<_> =
        json["refused"]["problems"].as_array().unwrap().iter().map(|one| one["key"].clone()).collect();
    assert_eq!(keys, ["log.level", "timeouts.idle"]);
    assert!(json["refused"]["problems"][0]["line"].is_u64(), "{json}");
    // A file that is no TOML at all does not hide the server.
    let broken = fs::read_to_string(server.config()).unwrap() + "\n[[user]]\nname = \n";
    fs::write(server.config(), broken).unwrap();
    let state = server.state();
    let run = Program::new(program()).args(["ctl", "--state"]).arg(state).arg("reload").run().fails();
    assert!(run.stderr.contains("mend:"), "{}", run.report());
    session(&server, Mode::Implicit, Tls::V13, USER);
}

#[test]
fn a_drain_is_that_of_sigterm_and_can_be_watched() {
    let mut server = Setup::new().option("timeouts", "drain_s", "600").start();
    let mut idle = session(&server, Mode::Explicit, Tls::V13, USER);
    let mut busy = session(&server, Mode::Implicit, Tls::V13, USER);
    let mut data = busy.begin("STOR file");
    data.send(b"before, ").unwrap();
    let told = ctl(&server, &["drain"]).ok().stdout;
    assert!(told.contains("600 seconds"), "{told}");
    idle.wait_for(421);
    let status = answer(&server, &["status"]);
    assert_eq!((&status["status"]["state"], &status["status"]["transfers"]), (&json!("draining"), &json!(1)));
    assert!(ctl(&server, &["reload"]).fails().stderr.contains("going down"));
    data.send(b"behind").unwrap();
    data.finish().unwrap();
    busy.wait_for(226);
    busy.wait_for(421);
    assert!(server.wait().success());
    assert_eq!(fs::read(server.home().join("file")).unwrap(), b"before, behind");
    let gone = ctl(&server, &["status"]).fails();
    assert!(gone.stderr.contains("none runs on that state folder"), "{}", gone.report());
}

#[test]
fn nobody_else_may_ask_and_what_is_not_understood_is_refused() {
    let server = Setup::new().start();
    let socket = server.state().join("ctl.sock");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    for line in ["nonsense\n", "{\"command\":\"halt\"}\n", "{\"command\":\"kick\"}\n"] {
        assert!(say(&server, line)["refused"]["why"].is_string(), "{line}");
    }
    let long = format!("{{\"command\":\"kick\",\"user\":\"{}\"}}\n", "x".repeat(20_000));
    assert!(say(&server, &long)["refused"]["why"].as_str().unwrap().contains("at most"));
    assert!(say(&server, "{\"command\":\"status\"}\n")["status"]["version"].is_string());

    // Where folder and socket were opened to others, the server still looks who comes.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let open =
        |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    open(server.state().parent().unwrap(), 0o755);
    open(&server.state(), 0o755);
    open(&socket, 0o666);
    let script = format!(
        "import socket; s = socket.socket(socket.AF_UNIX); s.connect({:?}); s.settimeout(60)\n\
         try: s.sendall(b'{{\"command\":\"status\"}}\\n'); print(s.recv(100))\n\
         except OSError: print(b'')",
        socket.to_str().unwrap()
    );
    let nobody = ["-u", "nobody", "--", "python3", "-c", &script];
    let run = Program::new("runuser").args(nobody).run().ok();
    assert_eq!(run.stdout.trim(), "b''", "{}", run.report());
    server.logged("control_refused", |_| true);
}

#[test]
fn a_reader_that_goes_away_has_what_it_wants() {
    let server = Setup::new().start();
    let (config, state) = (server.config(), server.state());
    let (config, state) = (config.to_str().unwrap(), state.to_str().unwrap());
    let certificate = format!("{state}/cert.pem");
    for words in [
        &["version"][..],
        &["config", "check", config],
        &["config", "show", config],
        &["ctl", "--config", config, "status"],
        &["ctl", "--config", config, "sessions"],
        &["ctl", "--config", config, "--json", "status"],
        &["ctl", "--config", config, "reload"],
        &["cert", "show", &certificate],
        &["completions", "bash"],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = std::process::Command::new(program());
        let out = command.args(words).stdin(std::process::Stdio::null()).stdout(writer).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!((out.status.code(), said.as_ref()), (Some(0), ""), "{words:?}");
    }
}
