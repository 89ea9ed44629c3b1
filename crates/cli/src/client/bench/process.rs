//! What a server's processes on this machine have used: processor time and memory, by `/proc`.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use crate::exit::Failure;

/// A server's first process; those it has started count as well.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServerProcess(u32);

/// One line of `/proc/PID/stat` (proc(5)).
struct Stat {
    parent: u32,
    /// Its own ticks, and those of children that have ended and were waited for.
    ticks: u64,
}

impl ServerProcess {
    /// The process of this number.
    pub(super) fn of(pid: u32) -> Result<ServerProcess, Failure> {
        let process = ServerProcess(pid);
        match stat(pid) {
            Some(_) => Ok(process),
            None => Err(Failure::usage(format!("--pid {pid}: there is no such process on this machine"))),
        }
    }

    /// The processor time of the whole tree since it began, in steps of the kernel's clock (usually 10 ms).
    pub(super) fn cpu(self) -> Duration {
        let ticks: u64 = self.tree().into_iter().map(|(_, stat)| stat.ticks).sum();
        let per_second = rustix::param::clock_ticks_per_second().max(1);
        Duration::from_nanos(ticks.saturating_mul(1_000_000_000 / per_second))
    }

    /// The memory of the whole tree in bytes, that which is shared counted in parts (PSS). `None` where the kernel does not let
    /// this user see it.
    pub(super) fn memory(self) -> Option<u64> {
        self.tree().into_iter().map(|(pid, _)| proportional(pid)).sum()
    }

    fn tree(self) -> Vec<(u32, Stat)> {
        let mut all: HashMap<u32, Stat> = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(|pid| Some((pid, stat(pid)?)))
            .collect();
        let mut found: Vec<(u32, Stat)> = all.remove_entry(&self.0).into_iter().collect();
        let mut at = 0;
        while let Some(parent) = found.get(at).map(|(pid, _)| *pid) {
            let children: Vec<u32> =
                all.iter().filter(|(_, stat)| stat.parent == parent).map(|(pid, _)| *pid).collect();
            found.extend(children.into_iter().filter_map(|pid| all.remove_entry(&pid)));
            at += 1;
        }
        found
    }
}

fn stat(pid: u32) -> Option<Stat> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, parentheses too.
    let (_, rest) = line.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // `state` is the first of them and field 3; `utime` to `cstime` are fields 14 to 17.
    let ticks = fields.get(11..15)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(Stat { parent: fields.get(1)?.parse().ok()?, ticks })
}

pub(super) fn proportional(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_measured_with_those_it_has_started() {
        let this = ServerProcess::of(std::process::id()).unwrap();
        let alone = this.memory().unwrap();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        assert!(this.tree().iter().any(|(pid, _)| *pid == child.id()));
        assert!(alone > 0 && this.memory().unwrap() > 0);
        child.kill().unwrap();
        child.wait().unwrap();
        let begun = this.cpu();
        while this.cpu() == begun {
            std::hint::black_box(vec![1_u8; 1 << 20]);
        }
        assert!(ServerProcess::of(u32::MAX).is_err());
    }
}
