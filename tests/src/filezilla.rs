//! FileZilla's client (GnuTLS) in a window that nobody sees: how it is started and told to begin.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::control::Control;
use crate::programs::{Program, Running, Tls, python};
use crate::server::{Mode, Server};
use crate::setup::USER;
use crate::tls_client::TlsClient;
use crate::wait;

/// Everything that it takes.
pub const PROGRAMS: [&str; 4] = ["filezilla", "Xvfb", "xdotool", "python3"];

/// A screen without a monitor, at a number that the system picks.
#[derive(Debug)]
pub struct Screen {
    server: Child,
    display: String,
}

impl Screen {
    /// Starts it.
    pub fn start() -> Screen {
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        Screen { server, display: format!(":{}", number.trim()) }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Starts FileZilla, with a home folder in which it finds what it is to do: `queue` are options of `filezilla_home.py`.
///
/// `program` is the program with whatever environment it needs.
pub fn start(
    program: Program,
    server: &Server,
    mode: Mode,
    screen: &Screen,
    home: &Path,
    local: &Path,
    queue: &[&str],
) -> Running {
    let certificate = Control::greeted(server, mode, &TlsClient::new(Tls::V13)).wire.certificate();
    let hexadecimal: String = certificate.iter().map(|byte| format!("{byte:02x}")).collect();
    let port = server.address(mode).port().to_string();
    let mode = if mode == Mode::Explicit { "explicit" } else { "implicit" };
    let local = local.to_str().unwrap();
    let options = ["--mode", mode, "--port", &port, "--user", USER, "--password", &server.password()];
    python("filezilla_home.py", [home.to_str().unwrap()])
        .args(options)
        .args(["--certificate", &hexadecimal, "--local", local])
        .args(queue)
        .run()
        .ok();
    program.env("HOME", home).env("DISPLAY", &screen.display).spawn()
}

/// Presses Ctrl-P (process the queue) until FileZilla has heard it, which shows in the server's log.
pub fn press_process_queue(screen: &Screen, heard: impl Fn() -> bool) {
    let find = ["search", "--sync", "--onlyvisible", "--name", "FileZilla"];
    Program::new("xdotool").env("DISPLAY", &screen.display).args(find).run().ok();
    let mut pressed: Option<Instant> = None;
    wait::until_true("FileZilla at work", || {
        // Pressed twice it would stop again, so that the second time comes late.
        if pressed.is_none_or(|last| last.elapsed() > Duration::from_secs(10)) {
            Program::new("xdotool").env("DISPLAY", &screen.display).args(["key", "ctrl+p"]).run().ok();
            pressed = Some(Instant::now());
        }
        heard()
    });
}
