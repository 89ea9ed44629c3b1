//! Users that a program or a web server knows: let in by its word, refused by it, and what happens when it is down.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use carrack_tests::certificates::{Authority, Kind};
use carrack_tests::control::Control;
use carrack_tests::pages::top;
use carrack_tests::programs::{Program, Tls, curl, needs, url};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{Setup, USER, password};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::wait;
use rustix::process::Signal;
use serde_json::Value;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Lets alice in, with the word `secret`, and writes down what it was told. What stands in `answer` is answered instead.
const JUDGE: &str = r#"
import json, os, sys

def judge(folder, body):
    asked = json.loads(body)
    with open(os.path.join(folder, "asked"), "a") as file:
        file.write(json.dumps({**asked, "argv": sys.argv, "environment": dict(os.environ)}) + "\n")
    answer = os.path.join(folder, "answer")
    if os.path.exists(answer):
        return open(answer).read()
    if (asked["user"], asked["password"]) != ("alice", "secret"):
        return json.dumps({"login": False})
    user = {"home": os.path.join(folder, "alice"), "permissions": ["list", "read", "write"], "sessions": 2,
            "folder": [{"path": "/closed", "permissions": []}]}
    return json.dumps({"login": True, "user": user})
"#;

const PROGRAM: &str = "#!/usr/bin/python3\nFOLDER\nprint(judge(folder, sys.stdin.read()))\n";

const SERVER: &str = r#"
import base64, hashlib, hmac, http.server, ssl
FOLDER
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        signed = f'{self.headers["webhook-id"]}.{self.headers["webhook-timestamp"]}.'.encode() + body
        key = base64.b64decode("SECRET"[6:])
        signature = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        said = judge(folder, body) if signature == self.headers["webhook-signature"] else "not ours"
        self.send_response(200)
        self.send_header("content-length", str(len(said.encode())))
        self.end_headers()
        self.wfile.write(said.encode())
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
if sys.argv[1:]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*sys.argv[1:])
    server.socket = tls.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"#;

fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(name);
    let judge = format!("{JUDGE}\nfolder = {:?}\n", folder.to_str().unwrap());
    fs::write(&file, text.replace("SECRET", SECRET).replace("FOLDER", &judge)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    file
}

/// Answers name homes, and the sandbox has to know where those may lie.
fn beneath_roots() -> Setup {
    let setup = Setup::new();
    let roots = format!("roots = [{:?}]", setup.folder());
    setup.top(&roots)
}

/// A server that asks the program, with a home for alice, and where it all lies.
fn asking(more: impl FnOnce(Setup) -> Setup) -> (Server, PathBuf) {
    let setup = beneath_roots();
    let folder = setup.scratch();
    let program = script(&folder, "program", PROGRAM);
    fs::create_dir_all(folder.join("alice/closed")).unwrap();
    fs::write(folder.join("alice/file"), "bytes").unwrap();
    (more(setup.option("users", "program", &format!("[{program:?}]"))).start(), folder)
}

fn read(server: &Server, login: &str, path: &str) -> (bool, String) {
    let run = curl(server, Mode::Explicit, Tls::V13).args(["--user", login]);
    let run = run.arg(url(server, Mode::Explicit, path)).run();
    (run.status.success(), run.stdout)
}

fn asked(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("asked")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The reply to the password of a user.
fn reply(server: &Server, user: &str, word: &str) -> (u16, Vec<String>) {
    let mut control = Control::greeted(server, Mode::Implicit, &TlsClient::new(Tls::V13));
    control.expect(&format!("USER {user}"), 331);
    let reply = control.cmd(&format!("PASS {word}"));
    (reply.code, reply.lines)
}

#[test]
fn a_program_lets_in_and_says_what_a_user_may_do() {
    if !needs(&["curl", "python3"]) {
        return;
    }
    let (server, folder) = asking(|setup| setup);
    assert_eq!(read(&server, "alice:secret", "/file"), (true, "bytes".to_owned()));
    assert!(!read(&server, "alice:wrong", "/file").0);
    assert!(!read(&server, "alice:secret", "/closed/").0, "its folder rules hold");
    let line = server.logged("login_failed", |line| line.text("user") == "alice");
    assert_eq!(line.text("why"), "unknown user or wrong password, says whoever was asked");
    let mut control = Control::greeted(&server, Mode::Explicit, &TlsClient::new(Tls::V13));
    control.expect("USER alice", 331);
    control.expect("PASS secret", 230);
    control.expect("PBSZ 0", 200);
    control.expect("PROT P", 200);
    control.upload("new", b"new");
    assert_eq!(control.try_store("STOR file", b"other").code, 550, "it has no overwrite");
    // Its password is nowhere but on standard input, and users of the file are nobody else's business.
    assert_eq!(reply(&server, USER, &password(USER)).0, 230);
    let asked = asked(&folder);
    assert!(
        asked.iter().all(|asked| asked["user"] == "alice" && asked["address"] == "127.0.0.1"),
        "{asked:?}"
    );
    for asked in asked {
        assert!(!format!("{}{}", asked["argv"], asked["environment"]).contains("secret"), "{asked}");
    }
}

#[test]
fn limits_of_the_answer_hold_over_all_its_sessions() {
    if !needs(&["python3"]) {
        return;
    }
    let (server, _) = asking(|setup| setup);
    let session = || {
        let mut control = Control::greeted(&server, Mode::Explicit, &TlsClient::new(Tls::V13));
        control.expect("USER alice", 331);
        let code = control.cmd("PASS secret").code;
        (control, code)
    };
    let (one, two) = (session(), session());
    assert_eq!([one.1, two.1, session().1], [230, 230, 421]);
    server.logged("limit_reached", |line| line.text("option") == "user.sessions");
}

#[test]
fn who_cannot_be_asked_is_nobodys_wrong_password() {
    if !needs(&["python3"]) {
        return;
    }
    let (server, folder) = asking(|setup| setup.option("users", "timeout_s", "1"));
    let mut before = Control::greeted(&server, Mode::Explicit, &TlsClient::new(Tls::V13));
    before.expect("USER alice", 331);
    before.expect("PASS secret", 230);
    for (answer, why) in [
        ("nonsense", "it answers no JSON"),
        ("{\"login\": true}", "says nothing about the user"),
        ("{\"login\": true, \"user\": {\"home\": \"/nowhere\"}}", "user.home: /nowhere is not there"),
        ("{\"login\": true, \"user\": {\"home\": \".\"}}", "does not begin with `/`"),
        ("{\"login\": true, \"user\": {\"home\": \"/\", \"quota\": 1}}", "user.quota: unknown key"),
        (
            "{\"login\": true, \"user\": {\"home\": \"/\", \"password\": \"x\"}}",
            "user.password cannot be answered",
        ),
    ] {
        fs::write(folder.join("answer"), answer).unwrap();
        let (code, lines) = reply(&server, "alice", "secret");
        assert_eq!(code, 421, "{answer}: {lines:?}");
        assert!(lines.concat().contains("Logins cannot be checked at the moment"), "{lines:?}");
        server.logged("users_unanswered", |line| line.text("why").contains(why));
    }
    for program in ["echo broken >&2; exit 3", "sleep 1000"] {
        fs::write(folder.join("program"), format!("#!/bin/sh\n{program}\n")).unwrap();
        assert_eq!(reply(&server, "alice", "secret").0, 421);
    }
    let line = server.logged("users_unanswered", |line| line.text("why").contains("users.timeout_s"));
    assert_eq!(line.text("option"), "users.program");
    server.logged("users_unanswered", |line| line.text("why").contains("broken"));
    let line = server.logged("login_failed", |line| line.text("option") == "users.program");
    assert_eq!(line.text("why"), "nobody has answered whether this user may log in");
    // Who is in stays in, and users of the files are let in as ever.
    before.expect("PWD", 257);
    assert_eq!(reply(&server, USER, &password(USER)).0, 230);
    // None of it counts as a guess.
    assert!(!server.logs.lines().iter().any(|line| line.is("banned")));
}

#[test]
fn unknown_users_are_refused_like_known_ones() {
    if !needs(&["python3"]) {
        return;
    }
    let (server, _) = asking(|setup| setup);
    let mut replies = Vec::new();
    for user in ["nobody", "alice", USER] {
        let begun = Instant::now();
        replies.push(reply(&server, user, "wrong"));
        // Each takes as long as the slowest should: a bound from below, which no busy machine can break.
        assert!(begun.elapsed() >= Duration::from_secs(1), "{user}: {:?}", begun.elapsed());
    }
    assert!(replies.iter().all(|reply| *reply == replies[0] && reply.0 == 530), "{replies:?}");
}

/// The web server, ended when dropped.
struct Web(Child);

impl Web {
    /// One that listens at a port of this machine, under TLS where it has an identity.
    fn start(folder: &Path, identity: &[PathBuf]) -> (Web, String) {
        let file = script(folder, "server", SERVER);
        let mut web =
            Command::new("python3").arg(file).args(identity).stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(web.stdout.take().unwrap()).read_line(&mut port).unwrap();
        (Web(web), port.trim().to_owned())
    }
}

/// A home for alice, and the folder in which it lies.
fn with_alice() -> (Setup, PathBuf) {
    let setup = beneath_roots();
    let folder = setup.scratch();
    fs::create_dir(folder.join("alice")).unwrap();
    fs::write(folder.join("alice/file"), "bytes").unwrap();
    (setup, folder)
}

/// With users that a web server knows.
fn at_web(setup: Setup, url: &str) -> Setup {
    let secret = setup.scratch().join("secret");
    fs::write(&secret, SECRET).unwrap();
    setup.option("users", "url", &format!("{url:?}")).option("users", "secret_file", &format!("{secret:?}"))
}

#[test]
fn over_tls_a_web_server_is_asked_that_an_authority_vouches_for_and_no_other() {
    if !needs(&["curl", "python3"]) {
        return;
    }
    let (setup, folder) = with_alice();
    let authority = Authority::new();
    let files = authority.issue(Kind::Good, &["127.0.0.1"]).files(&folder);
    let (_web, port) = Web::start(&folder, &[files.certificate, files.key]);
    let setup = at_web(setup, &format!("https://127.0.0.1:{port}/login"));
    let ca = format!("{:?}", authority.file(&folder));
    let mut server = setup.start();
    // Of the authorities of this machine none knows it: it is sent no password.
    assert_eq!(reply(&server, "alice", "secret").0, 421);
    let unanswered = server.logged("users_unanswered", |_| true);
    assert!(unanswered.text("why").contains("certificate"), "{}", unanswered.raw);
    assert!(asked(&folder).is_empty());
    server.rewrite(|setup| setup.option("users", "ca", &ca));
    server.signal(Signal::HUP);
    server.logged("reloaded", |_| true);
    assert_eq!(read(&server, "alice:secret", "/file"), (true, "bytes".to_owned()));
    assert!(!read(&server, "alice:wrong", "/file").0);
    assert_eq!(asked(&folder).len(), 2);
}

impl Drop for Web {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_web_server_is_asked_by_signed_posts_and_may_come_back() {
    if !needs(&["curl", "python3"]) {
        return;
    }
    let (setup, folder) = with_alice();
    let (web, port) = Web::start(&folder, &[]);
    let server = at_web(setup, &format!("http://127.0.0.1:{port}/login")).start();
    assert_eq!(read(&server, "alice:secret", "/file"), (true, "bytes".to_owned()));
    assert!(!read(&server, "bob:secret", "/file").0);
    assert_eq!(asked(&folder).len(), 2);
    drop(web);
    assert_eq!(reply(&server, "alice", "secret").0, 421);
    wait::until_true("the line", || server.logs.lines().iter().any(|line| line.is("users_unanswered")));
}

/// Where Debian has the library that leads PAM to other files than those of the machine.
const WRAPPER: &str = "/usr/lib/x86_64-linux-gnu/libpam_wrapper.so";
/// Likewise for users.
const NSS_WRAPPER: &str = "/usr/lib/x86_64-linux-gnu/libnss_wrapper.so";

#[test]
fn pam_is_asked_by_the_helper_behind_its_socket() {
    let are_there = [WRAPPER, NSS_WRAPPER].iter().all(|library| Path::new(library).is_file());
    if !needs(&["curl", "openssl", "pamtester", "python3", "socat"]) || !are_there {
        eprintln!("left out: PAM is asked with pamtester, socat, libpam-wrapper and libnss-wrapper");
        return;
    }
    let setup = beneath_roots();
    let folder = setup.scratch();
    fs::create_dir_all(folder.join("homes/alice")).unwrap();
    fs::write(folder.join("homes/alice/file"), "bytes").unwrap();
    let services = folder.join("pam.d");
    fs::create_dir(&services).unwrap();
    let users = folder.join("passwd");
    let hash = Program::new("openssl").args(["passwd", "-6", "secret"]).run().ok().stdout;
    fs::write(&users, format!("alice:{}:4001:4001::/nonexistent:/bin/false\n", hash.trim())).unwrap();
    let groups = folder.join("group");
    fs::write(&groups, "alice:x:4001:\n").unwrap();
    fs::write(services.join("carrack"), "auth required pam_unix.so\naccount required pam_unix.so\n").unwrap();
    // As systemd runs it: a process for each connection, with the socket for its input and output.
    let helper = script(
        &folder,
        "helper",
        &format!(
            "#!/bin/sh\nexport LD_PRELOAD='{WRAPPER} {NSS_WRAPPER}' PAM_WRAPPER=1 PAM_WRAPPER_SERVICE_DIR={}\n\
             export NSS_WRAPPER_PASSWD={} NSS_WRAPPER_GROUP={}\nexec {} carrack {}\n",
            services.display(),
            users.display(),
            groups.display(),
            top().join("docs/users/pam.py").display(),
            folder.join("homes").display(),
        ),
    );
    let socket = folder.join("pam.sock");
    let mut socat = Command::new("socat");
    // pam_unix takes its time for a wrong password.
    socat
        .args(["-t", "30"])
        .arg(format!("UNIX-LISTEN:{},fork", socket.display()))
        .arg(format!("EXEC:{}", helper.display()));
    let _socat = Web(socat.spawn().unwrap());
    wait::until_true("the helper's socket", || socket.exists());
    let asks = format!("[\"/usr/bin/socat\", \"-t\", \"30\", \"-\", \"UNIX-CONNECT:{}\"]", socket.display());
    let server = setup.option("users", "program", &asks).option("users", "timeout_s", "30").start();
    assert_eq!(read(&server, "alice:secret", "/file"), (true, "bytes".to_owned()));
    for (user, word) in [("alice", "wrong"), ("bob", "secret"), ("-v", "secret"), ("../alice", "secret")] {
        assert_eq!(reply(&server, user, word).0, 530, "{user}");
    }
    let unanswered: Vec<_> = server
        .logs
        .lines()
        .into_iter()
        .filter(|line| line.is("users_unanswered"))
        .map(|line| line.raw)
        .collect();
    assert!(unanswered.is_empty(), "{unanswered:?}");
}

#[test]
fn no_more_are_asked_at_a_time_than_may_be() {
    if !needs(&["python3"]) {
        return;
    }
    let (server, folder) =
        asking(|setup| setup.option("users", "at_a_time", "2").option("users", "timeout_s", "60"));
    // Each question leaves a file until the test lets it go on.
    let here = folder.display();
    let waits = format!(
        "#!/bin/sh\ntouch {here}/waits.$$\nwhile [ ! -e {here}/go ]; do sleep 0.05; done\necho '{{\"login\": false}}'\n"
    );
    fs::write(folder.join("program"), waits).unwrap();
    let waiting = || {
        fs::read_dir(&folder)
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("waits."))
            .count()
    };
    let mut clients: Vec<_> = (0..5)
        .map(|_| {
            let mut control = Control::greeted(&server, Mode::Explicit, &TlsClient::new(Tls::V13));
            control.expect("USER alice", 331);
            control.say("PASS secret");
            control
        })
        .collect();
    wait::until_true("two questions", || waiting() == 2);
    // Those of the files do not wait with them.
    assert_eq!(reply(&server, USER, &password(USER)).0, 230);
    assert_eq!(waiting(), 2);
    fs::write(folder.join("go"), "").unwrap();
    for client in &mut clients {
        client.wait_for(530);
    }
    assert_eq!(waiting(), 5);
}
