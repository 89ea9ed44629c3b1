//! What does this machine ask at least for a transfer? One sending thread and one connection over loopback, nothing else around it.
//!
//! ```text
//! cargo run --release -p carrack-tls --example floor -- WHAT [--file FILE] [--folder DIR] [--chunk 64k] [--mib N] [--files N] [--tls 1.2] [--unsynced]
//! ```
//!
//! WHAT is `write`, `read-write` or `sendfile` (no TLS), `seal` (the cipher alone), `raw` or `rustls` (TLS 1.3), `receive` (no TLS) or
//! `open` (TLS 1.3), `small-get` or `small-put` (a connection a file), `list` (a folder of so many files). Prints one JSON object: the
//! processor time of the serving thread. It is pinned to the first core and its peer to the second. `bench/side-by-side` runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod folder;
mod list;
mod receive;
mod records;
mod send;
mod sides;
mod small;

use std::{
    env, fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use rustix::{
    thread::{CpuSet, sched_setaffinity},
    time::{ClockId, clock_gettime},
};

/// What the command line says.
struct Arguments {
    what: String,
    file: PathBuf,
    folder: PathBuf,
    chunk: usize,
    bytes: u64,
    files: u32,
    is_tls12: bool,
    is_synced: bool,
}

fn main() {
    let arguments = Arguments::read();
    match arguments.what.as_str() {
        "small-get" | "small-put" => {
            let cost = small::run(&arguments);
            let files = f64::from(arguments.files);
            println!(
                r#"{{"what":"{}","files":{},"cpu_ms_per_file":{:.5},"files_s":{:.0}}}"#,
                arguments.what,
                arguments.files,
                cost.cpu.as_secs_f64() * 1e3 / files,
                files / cost.wall.as_secs_f64()
            );
        }
        "list" => {
            let cost = list::run(&arguments);
            let listings = f64::from(list::TIMES);
            println!(
                r#"{{"what":"list","files":{},"cpu_ms_per_listing":{:.5},"listings_s":{:.0}}}"#,
                arguments.files,
                cost.cpu.as_secs_f64() * 1e3 / listings,
                listings / cost.wall.as_secs_f64()
            );
        }
        what => {
            let cost = match what {
                "receive" | "open" => receive::run(what, &arguments),
                _ => send::run(what, &arguments),
            };
            let gigabytes = arguments.bytes as f64 / 1e9;
            println!(
                r#"{{"what":"{what}","chunk":{},"cpu_s_per_gb":{:.5},"mb_s":{:.0}}}"#,
                arguments.chunk,
                cost.cpu.as_secs_f64() / gigabytes,
                gigabytes * 1e3 / cost.wall.as_secs_f64()
            );
        }
    }
}

impl Arguments {
    fn read() -> Arguments {
        let mut words = env::args().skip(1);
        let mut arguments = Arguments {
            what: words.next().expect("what is measured"),
            file: PathBuf::new(),
            folder: env::temp_dir(),
            chunk: 64 * 1024,
            bytes: 1024 << 20,
            files: 2000,
            is_tls12: false,
            is_synced: true,
        };
        while let Some(flag) = words.next() {
            let mut value = || words.next().expect("a flag has a value");
            match flag.as_str() {
                "--file" => arguments.file = value().into(),
                "--folder" => arguments.folder = value().into(),
                "--chunk" => arguments.chunk = kib(&value()) * 1024,
                "--mib" => arguments.bytes = value().parse::<u64>().expect("a number") << 20,
                "--files" => arguments.files = value().parse().expect("a number"),
                "--tls" => arguments.is_tls12 = value() == "1.2",
                "--unsynced" => arguments.is_synced = false,
                _ => panic!("{flag}: no such flag"),
            }
        }
        arguments
    }
}

fn kib(text: &str) -> usize {
    text.strip_suffix('k').unwrap_or(text).parse().expect("a number of KiB")
}

/// What something took: the time of this thread, and time.
struct Cost {
    cpu: Duration,
    wall: Duration,
}

/// A clock that has begun.
struct Clock {
    cpu: Duration,
    begun: Instant,
}

impl Clock {
    fn start() -> Clock {
        Clock { cpu: thread_cpu(), begun: Instant::now() }
    }

    fn stop(&self) -> Cost {
        Cost { cpu: thread_cpu() - self.cpu, wall: self.begun.elapsed() }
    }
}

fn thread_cpu() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

/// Keeps this thread on one core, where there are two.
fn pin(core: usize) {
    let cores = fs::read_to_string("/proc/cpuinfo").unwrap().matches("processor\t").count();
    if cores > 1 {
        let mut set = CpuSet::new();
        set.set(core);
        // Without the right to it the figures are less sharp, nothing else.
        let _ = sched_setaffinity(None, &set);
    }
}
