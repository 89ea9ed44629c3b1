//! Does a copy bring what is there, only that, and to where it belongs, whatever the server does?

mod from_stream_and_to;
mod resuming;
mod server;
mod trees;
mod troubles;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::url::UrlPath;
use server::{Node, Server};

/// A server, a folder of this machine, and what was told.
struct Bench {
    server: Server,
    disk: tempfile::TempDir,
    told: Arc<Told>,
    stop: Stop,
}

#[derive(Default)]
struct Told {
    events: Mutex<Vec<String>>,
    /// Thrown when so many bytes have moved.
    stop_at: Mutex<Option<(u64, Stop)>>,
    moved: Mutex<u64>,
}

impl Observer for Told {
    fn event(&self, event: Event) {
        if let Event::Moved { bytes, .. } = event {
            let mut moved = self.moved.lock().unwrap();
            *moved += bytes;
            if let Some((at, stop)) = &*self.stop_at.lock().unwrap()
                && *moved >= *at
            {
                stop.stop();
            }
            return;
        }
        self.events.lock().unwrap().push(format!("{event:?}"));
    }
}

impl Bench {
    async fn new() -> Bench {
        let (server, disk) = (Server::start().await, tempfile::tempdir().unwrap());
        std::fs::create_dir(disk.path().join("here")).unwrap();
        Bench { server, disk, told: Arc::default(), stop: Stop::new() }
    }

    /// A path of this machine.
    fn here(&self, path: &str) -> PathBuf {
        self.disk.path().join("here").join(path)
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        std::fs::create_dir_all(self.here(path).parent().unwrap()).unwrap();
        std::fs::write(self.here(path), bytes).unwrap();
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        std::fs::read(self.here(path)).ok()
    }

    fn down(&self, sources: &[&str], target: &str) -> Plan {
        self.plan(sources.iter().map(|source| remote(source)).collect(), Target::Local(self.here(target)))
    }

    fn up(&self, sources: &[&str], target: &str) -> Plan {
        let sources = sources.iter().map(|source| Source::Local(self.here(source))).collect();
        self.plan(sources, Target::Remote(path(target)))
    }

    /// With folders, without pauses between attempts, and with a journal.
    fn plan(&self, sources: Vec<Source>, target: Target) -> Plan {
        let mut plan = Plan::new(sources, target);
        plan.recursion = Recursion::Folders;
        plan.retries = Retries { attempts: 3, first: Duration::ZERO, longest: Duration::ZERO };
        plan.state = Some(self.disk.path().join("state"));
        plan
    }

    async fn copy(&self, plan: Plan) -> Result<Summary, Failure> {
        let client = self.server.client().await;
        copy(plan, client, Arc::clone(&self.told) as Arc<dyn Observer>, self.stop.clone()).await
    }

    /// How many events began so.
    fn told(&self, beginning: &str) -> usize {
        self.told.events.lock().unwrap().iter().filter(|event| event.starts_with(beginning)).count()
    }

    fn everything_told(&self) -> String {
        self.told.events.lock().unwrap().join("\n")
    }

    /// Names of files and folders beneath a folder of this machine, sorted.
    fn tree(&self, folder: &str) -> Vec<String> {
        let root = self.here(folder);
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                }
                found.push(entry.path().strip_prefix(&root).unwrap().display().to_string());
            }
        }
        found.sort();
        found
    }

    fn journal_entries(&self) -> usize {
        std::fs::read_dir(self.disk.path().join("state/transfers")).unwrap().count()
    }
}

fn path(text: &str) -> UrlPath {
    let url = format!("ftp://host/{}", text.replacen('/', "%2F", 1));
    crate::url::Url::parse(&url).unwrap().path
}

fn remote(text: &str) -> Source {
    Source::Remote(path(text))
}

/// So large that the journal has it.
fn large(seed: u8) -> Vec<u8> {
    let mut state = u64::from(seed) + 1;
    let step = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u8
    };
    (0..3 * 1024 * 1024 + 17).map(step).collect()
}

fn files_of(server: &Server, folder: &str) -> Vec<String> {
    let site = server.site();
    let inside = |path: &&String| Path::new(path.as_str()).starts_with(folder);
    site.nodes.keys().filter(inside).cloned().collect()
}

fn is_file(server: &Server, path: &str) -> bool {
    matches!(server.site().nodes.get(path), Some(Node::File { .. }))
}
