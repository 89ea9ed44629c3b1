//! What is done next, by whom, and when is everything done?

use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::spool::Spool;
use super::task::{Task, TaskKind};

/// How far the folders are listed ahead of what is moved: enough for totals and for every connection to have something to
/// do, and a bound for what waits on the disk (about 20 MB).
const AHEAD: u64 = 100_000;

/// What waits to be done, for all connections of one copy.
#[derive(Debug)]
pub(super) struct Work {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Debug)]
struct Waiting {
    files: Spool,
    folders: Spool,
    /// Tasks that are being done: they may bring more, or be given back.
    taken: usize,
    /// Connections that there are, with and without a task.
    connections: usize,
}

/// What a connection takes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefer {
    /// Files, so that no more is kept waiting than must be.
    Files,
    /// Folders, up to a point: one connection looks ahead while the others move files.
    Folders,
}

/// Who takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taker {
    /// A connection.
    Connected,
    /// One that is yet to be made, which pays only where those that are there have their hands full.
    Newcomer,
}

/// A task that was taken. Nobody is done before it is dropped.
#[derive(Debug)]
pub(super) struct Taken<'w> {
    pub(super) task: Task,
    work: &'w Work,
}

impl Work {
    /// Nothing yet, and one connection. What does not fit in memory goes to files in `folder`.
    pub(super) fn new(folder: &Path) -> Work {
        let waiting =
            Waiting { files: Spool::new(folder), folders: Spool::new(folder), taken: 0, connections: 1 };
        Work { waiting: Mutex::new(waiting), changed: Notify::new() }
    }

    /// Adds tasks, and wakes whoever waits for some.
    pub(super) fn add(&self, tasks: impl IntoIterator<Item = Task>) -> io::Result<()> {
        for task in tasks {
            self.waiting().put(task)?;
        }
        self.changed.notify_waiters();
        Ok(())
    }

    /// Adds what a listing of a folder brought, and wakes the others once.
    pub(super) fn add_all(&self, mut found: Spool) -> io::Result<()> {
        while let Some(task) = found.pop()? {
            self.waiting().put(task)?;
        }
        self.changed.notify_waiters();
        Ok(())
    }

    /// The next task; `None` when everything is done and nobody can bring more.
    pub(super) async fn take(&self, prefer: Prefer, taker: Taker) -> io::Result<Option<Taken<'_>>> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Before looking, so that no change in between is missed.
            changed.as_mut().enable();
            {
                let mut waiting = self.waiting();
                let waits = taker == Taker::Newcomer && waiting.taken < waiting.connections;
                let task = if waits { None } else { waiting.next(prefer)? };
                if let Some(task) = task {
                    waiting.taken += 1;
                    drop(waiting);
                    // Newcomers see that one hand less is free.
                    self.changed.notify_waiters();
                    return Ok(Some(Taken { task, work: self }));
                }
                if waiting.taken == 0 && waiting.is_empty() {
                    return Ok(None);
                }
            }
            changed.await;
        }
    }

    /// There is one connection more.
    pub(super) fn joined(&self) {
        self.waiting().connections += 1;
    }

    /// There is one connection less; how many are left.
    pub(super) fn left(&self) -> usize {
        let mut waiting = self.waiting();
        waiting.connections = waiting.connections.saturating_sub(1);
        waiting.connections
    }

    /// How many connections there are.
    pub(super) fn connections(&self) -> usize {
        self.waiting().connections
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it is held.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn put(&mut self, task: Task) -> io::Result<()> {
        match task.kind {
            TaskKind::File => self.files.push(task),
            TaskKind::Folder | TaskKind::Unknown => self.folders.push(task),
        }
    }

    fn next(&mut self, prefer: Prefer) -> io::Result<Option<Task>> {
        if prefer == Prefer::Folders
            && self.files.length() < AHEAD
            && let Some(folder) = self.folders.pop()?
        {
            return Ok(Some(folder));
        }
        match self.files.pop()? {
            Some(file) => Ok(Some(file)),
            None => self.folders.pop(),
        }
    }

    fn is_empty(&self) -> bool {
        self.files.length() == 0 && self.folders.length() == 0
    }
}

impl Taken<'_> {
    /// Gives the task back: somebody else does it.
    pub(super) fn give_back(self) {
        let mut waiting = self.work.waiting();
        match self.task.kind {
            TaskKind::File => waiting.files.push_front(self.task.clone()),
            TaskKind::Folder | TaskKind::Unknown => waiting.folders.push_front(self.task.clone()),
        }
        drop(waiting);
        self.work.changed.notify_waiters();
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let left = {
            let mut waiting = self.work.waiting();
            waiting.taken -= 1;
            waiting.taken
        };
        if left == 0 {
            self.work.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relative::Relative;

    fn task(path: &str, kind: TaskKind) -> Task {
        Task { root: 0, path: Relative::parse(path.as_bytes()).unwrap(), kind, size: None, modified: None }
    }

    async fn path(work: &Work, prefer: Prefer) -> Option<String> {
        work.take(prefer, Taker::Connected).await.unwrap().map(|taken| taken.task.path.to_string())
    }

    #[tokio::test]
    async fn files_come_first_but_for_the_one_that_looks_ahead() {
        let disk = tempfile::tempdir().unwrap();
        let work = Work::new(disk.path());
        let tasks = [task("d1", TaskKind::Folder), task("f1", TaskKind::File), task("f2", TaskKind::File)];
        work.add(tasks).unwrap();
        assert_eq!(path(&work, Prefer::Files).await.unwrap(), "f1");
        assert_eq!(path(&work, Prefer::Folders).await.unwrap(), "d1");
        assert_eq!(path(&work, Prefer::Folders).await.unwrap(), "f2");
        assert_eq!(path(&work, Prefer::Files).await, None);
    }

    #[tokio::test]
    async fn looking_ahead_has_an_end() {
        let disk = tempfile::tempdir().unwrap();
        let work = Work::new(disk.path());
        work.add([task("d", TaskKind::Folder)]).unwrap();
        work.add((0..AHEAD).map(|number| task(&format!("f{number}"), TaskKind::File))).unwrap();
        assert_eq!(path(&work, Prefer::Folders).await.unwrap(), "f0");
        assert_eq!(path(&work, Prefer::Folders).await.unwrap(), "d");
    }

    #[tokio::test]
    async fn who_finds_nothing_waits_for_what_others_bring() {
        let disk = tempfile::tempdir().unwrap();
        let work = std::sync::Arc::new(Work::new(disk.path()));
        work.add([task("d", TaskKind::Folder)]).unwrap();
        let searching = work.take(Prefer::Files, Taker::Connected).await.unwrap().unwrap();
        let wait = || {
            let work = std::sync::Arc::clone(&work);
            tokio::spawn(async move { path(&work, Prefer::Files).await })
        };
        let (first, second) = (wait(), wait());
        tokio::task::yield_now().await;
        assert!(!first.is_finished() && !second.is_finished());
        work.add([task("d/f", TaskKind::File)]).unwrap();
        tokio::task::yield_now().await;
        drop(searching);
        let mut found = [first.await.unwrap(), second.await.unwrap()];
        found.sort();
        assert_eq!(found, [None, Some("d/f".to_owned())]);
    }

    #[tokio::test]
    async fn what_is_given_back_is_done_by_another() {
        let disk = tempfile::tempdir().unwrap();
        let work = Work::new(disk.path());
        work.add([task("d", TaskKind::Folder), task("f", TaskKind::File)]).unwrap();
        work.take(Prefer::Files, Taker::Connected).await.unwrap().unwrap().give_back();
        work.take(Prefer::Folders, Taker::Connected).await.unwrap().unwrap().give_back();
        assert_eq!(path(&work, Prefer::Files).await.unwrap(), "f");
        assert_eq!(path(&work, Prefer::Files).await.unwrap(), "d");
        assert_eq!(path(&work, Prefer::Files).await, None);
    }

    #[tokio::test]
    async fn no_connection_is_made_for_what_an_idle_one_can_do() {
        let disk = tempfile::tempdir().unwrap();
        let work = std::sync::Arc::new(Work::new(disk.path()));
        work.add([task("f1", TaskKind::File), task("f2", TaskKind::File)]).unwrap();
        let newcomer = tokio::spawn({
            let work = std::sync::Arc::clone(&work);
            async move {
                let taken = work.take(Prefer::Files, Taker::Newcomer).await.unwrap();
                taken.map(|taken| taken.task.path.to_string())
            }
        });
        tokio::task::yield_now().await;
        assert!(!newcomer.is_finished());
        let first = work.take(Prefer::Files, Taker::Connected).await.unwrap().unwrap();
        assert_eq!(first.task.path.to_string(), "f1");
        assert_eq!(newcomer.await.unwrap().unwrap(), "f2");

        // The last connection may be lost while it has something to do; then newcomers are all there is.
        first.give_back();
        assert_eq!(work.left(), 0);
        let taken = work.take(Prefer::Files, Taker::Newcomer).await.unwrap().unwrap();
        work.joined();
        assert_eq!((taken.task.path.to_string().as_str(), work.connections()), ("f1", 1));
    }
}
