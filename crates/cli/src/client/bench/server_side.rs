//! What has the server used on this machine: by its process, or by its control group?

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::sleep;

use super::process::{ServerProcess, proportional};
use crate::arguments::bench::Bench;
use crate::exit::Failure;

/// How often it is looked whether a server has come to rest, and how many times at most.
const LOOK: Duration = Duration::from_millis(30);
const LOOKS: u32 = 20;
/// A server that used less than this between two looks is at rest.
const REST: Duration = Duration::from_micros(500);

/// Where a server is looked at.
#[derive(Debug, Clone)]
pub(super) enum ServerSide {
    Process(ServerProcess),
    Group(Group),
}

/// A control group with all processes of one server.
#[derive(Debug, Clone)]
pub(super) struct Group {
    folder: PathBuf,
}

impl ServerSide {
    /// What the flags name, if anything.
    pub(super) fn named(arguments: &Bench) -> Result<Option<ServerSide>, Failure> {
        let process = arguments.pid.map(ServerProcess::of).transpose()?.map(ServerSide::Process);
        let group = arguments.cgroup.as_deref().map(Group::at).transpose()?.map(ServerSide::Group);
        Ok(process.or(group))
    }

    /// The processor time of the whole server since it began.
    pub(super) fn cpu(&self) -> Duration {
        match self {
            ServerSide::Process(process) => process.cpu(),
            ServerSide::Group(group) => group.cpu().unwrap_or_default(),
        }
    }

    /// As [`cpu`](Self::cpu), once what was begun for the last client is done, as far as that can be seen: a process's clock is
    /// too coarse for it.
    pub(super) async fn cpu_at_rest(&self) -> Duration {
        let mut last = self.cpu();
        if let ServerSide::Process(_) = self {
            return last;
        }
        for _ in 0..LOOKS {
            sleep(LOOK).await;
            let now = self.cpu();
            let used = now.saturating_sub(last);
            last = now;
            if used < REST {
                break;
            }
        }
        last
    }

    /// The memory of the whole server in bytes, that which is shared counted in parts (PSS). `None` where the kernel does not
    /// let this user see it.
    pub(super) fn memory(&self) -> Option<u64> {
        match self {
            ServerSide::Process(process) => process.memory(),
            ServerSide::Group(group) => group.memory(),
        }
    }
}

impl Group {
    fn at(folder: &Path) -> Result<Group, Failure> {
        let group = Group { folder: folder.to_owned() };
        match group.cpu() {
            Some(_) => Ok(group),
            None => Err(Failure::usage(format!(
                "--cgroup {}: this is no control group that counts processor time (cpu.stat or cpuacct.usage)",
                folder.display()
            ))),
        }
    }

    /// Version 2 has `cpu.stat`, in microseconds; version 1 `cpuacct.usage`, in nanoseconds.
    fn cpu(&self) -> Option<Duration> {
        let read = |name| fs::read_to_string(self.folder.join(name)).ok();
        let from_stat = || {
            let text = read("cpu.stat")?;
            let value = text.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
            value.trim().parse().ok().map(Duration::from_micros)
        };
        from_stat().or_else(|| read("cpuacct.usage")?.trim().parse().ok().map(Duration::from_nanos))
    }

    fn memory(&self) -> Option<u64> {
        let processes = fs::read_to_string(self.folder.join("cgroup.procs")).ok()?;
        processes.lines().map(|pid| proportional(pid.trim().parse().ok()?)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_control_groups_are_read() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Group::at(folder.path()).is_err());
        fs::write(folder.path().join("cpuacct.usage"), "2500000000\n").unwrap();
        assert_eq!(Group::at(folder.path()).unwrap().cpu(), Some(Duration::from_millis(2500)));
        fs::write(folder.path().join("cpu.stat"), "usage_usec 1500\nuser_usec 1000\n").unwrap();
        fs::write(folder.path().join("cgroup.procs"), format!("{}\n", std::process::id())).unwrap();
        let group = Group::at(folder.path()).unwrap();
        assert_eq!(group.cpu(), Some(Duration::from_micros(1500)));
        assert!(group.memory().unwrap() > 0);
    }
}
