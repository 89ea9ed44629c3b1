//! What does a collector of measurements read, and what can a client put into it?

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use carrack_tests::control::Control;
use carrack_tests::programs::{Program, Tls, needs};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::wait;

fn address(server: &Server) -> SocketAddr {
    server.logged("metrics_listening", |_| true).text("address").parse().unwrap()
}

/// The whole answer.
fn ask(to: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(wait::PATIENCE)).unwrap();
    stream.write_all(format!("{request} HTTP/1.1\r\nHost: {to}\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Waits until a series has that value: events are told right after the reply that a client has read.
fn wait_for(to: SocketAddr, line: &str) {
    wait::until(line, || ask(to, "GET /metrics").lines().any(|found| found == line).then_some(()));
}

#[test]
fn sessions_logins_bytes_and_handshakes_are_counted() {
    let server = Setup::new().option("metrics", "address", "\"127.0.0.1:0\"").start();
    let to = address(&server);
    let text = ask(to, "GET /metrics");
    assert!(text.starts_with("HTTP/1.1 200 ") && text.contains("application/openmetrics-text"), "{text}");
    assert!(text.contains("\ncarrack_certificate_days_left{certificate=\""), "{text}");
    assert!(text.contains("\ncarrack_certificate_not_after_seconds{certificate=\""), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert!(ask(to, "GET /health").ends_with("\r\n\r\nserving\n"));

    let mut control = Control::session(&server, Mode::Explicit, &TlsClient::new(Tls::V12), USER);
    wait_for(to, "carrack_sessions 1");
    control.upload("file", b"0123456789");
    wait_for(to, "carrack_transferred_bytes_total{direction=\"upload\"} 10");
    wait_for(to, "carrack_transfers_total{direction=\"upload\",outcome=\"complete\"} 1");
    wait_for(to, "carrack_logins_total{outcome=\"accepted\"} 1");
    for line in [
        "carrack_tls_handshakes_total{connection=\"control\",version=\"TLSv1.2\",resumed=\"false\"} 1",
        "carrack_tls_handshakes_total{connection=\"data\",version=\"TLSv1.2\",resumed=\"true\"} 1",
    ] {
        wait_for(to, line);
    }
    control.expect("QUIT", 221);
    wait_for(to, "carrack_sessions 0");
    wait_for(to, "carrack_connections 0");
}

#[test]
fn refusals_are_counted_and_no_client_makes_a_series() {
    let server = Setup::new().quick_logins().option("metrics", "address", "\"127.0.0.1:0\"").start();
    let to = address(&server);
    for user in ["mallory", "{}", "a\\\"b"] {
        let mut control = Control::greeted(&server, Mode::Implicit, &TlsClient::new(Tls::V13));
        control.expect(&format!("USER {user}"), 331);
        control.expect("PASS wrong", 530);
    }
    wait_for(to, "carrack_logins_total{outcome=\"refused\"} 3");
    let mut plain = TcpStream::connect(server.implicit).unwrap();
    // A handshake message, whole, that begins no handshake.
    plain.write_all(&[22, 3, 1, 0, 4, 99, 0, 0, 0]).unwrap();
    wait_for(to, "carrack_tls_handshakes_failed_total{connection=\"control\"} 1");
    let text = ask(to, "GET /metrics");
    assert!(!text.contains("mallory") && !text.contains("127.0.0.1:"), "{text}");
    let series = text.lines().filter(|line| line.starts_with("carrack_")).count();
    assert!(series < 40, "{text}");
    assert!(ask(to, "GET /").starts_with("HTTP/1.1 404 "));
    assert!(ask(to, "POST /metrics").starts_with("HTTP/1.1 405 "));
}

#[test]
fn queues_threads_hooks_and_users_are_measured_as_the_collectors_own_tool_wants_it() {
    let hook = "\n[[hook]]\nname = \"sink\"\non = [\"upload\"]\nprogram = [\"/bin/sh\", \"-c\", \"cat > /dev/null\"]\n";
    let setup =
        Setup::new().option("metrics", "address", "\"127.0.0.1:0\"").option("metrics", "per_user", "1");
    let all = "permissions = [\"list\", \"read\", \"write\"]";
    let server = setup.table(hook).user("bob", &[all]).user("carol", &[all]).start();
    let to = address(&server);
    let mut control = Control::open(&server);
    control.upload("file", b"0123456789");
    control.expect("DELE nothing", 550);
    wait_for(to, &format!("carrack_user_transferred_bytes_total{{user=\"{USER}\",direction=\"upload\"}} 10"));
    for user in ["bob", "carol"] {
        let mut control = Control::session(&server, Mode::Explicit, &TlsClient::new(Tls::V13), user);
        control.upload("file", b"0123456789");
    }
    for line in [
        "carrack_user_transferred_bytes_total{user=\"(others)\",direction=\"upload\"} 20",
        "carrack_user_transfers_total{user=\"(others)\",direction=\"upload\",outcome=\"complete\"} 2",
        "carrack_transfer_seconds_count{direction=\"upload\"} 3",
        "carrack_operations_refused_total{why=\"not_found\"} 1",
        "carrack_hook_events_total{hook=\"sink\",outcome=\"delivered\"} 3",
        "carrack_hook_outbox_events{hook=\"sink\"} 0",
        "carrack_log_lost_lines_total{log=\"log\"} 0",
        "carrack_pumps_waiting 0",
        "carrack_password_checks_running 0",
    ] {
        wait_for(to, line);
    }
    let text = ask(to, "GET /metrics");
    assert!(!text.contains("bob") && !text.contains("carol"), "{text}");
    assert!(
        text.contains(&format!("carrack_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"))),
        "{text}"
    );
    if needs(&["promtool"]) {
        let body = classic(text.split_once("\r\n\r\n").unwrap().1);
        let run = Program::new("promtool").args(["check", "metrics"]).input(body).run();
        // Days are what an operator thinks in; the seconds stand beside them.
        let days = "carrack_certificate_days_left use base unit \"seconds\" instead of \"days\"\n";
        assert!(run.stdout.is_empty() && run.stderr == days, "{}", run.report());
    }
}

/// The text as it was before OpenMetrics, which is all that the tool reads: there the ending of a counter is part of its name.
fn classic(text: &str) -> String {
    let counters: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let line = |line: &str| {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        if line.starts_with("# ") && words.get(2).is_some_and(|name| counters.contains(&name.as_str())) {
            words[2] += "_total";
        }
        words.join(" ") + "\n"
    };
    text.lines().filter(|line| *line != "# EOF").map(line).collect()
}
