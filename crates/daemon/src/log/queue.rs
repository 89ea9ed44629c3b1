//! How do log lines reach a slow reader without holding up a transfer?

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use super::line::Line;

/// Lines that wait for a reader. A line has some 200 bytes, so this is about a megabyte.
const QUEUE_LINES: usize = 4096;

/// How long lines that follow another are gathered, to be written in one: waking the thread and writing costs more than
/// the line itself, and a small file is done in less than a tenth of a millisecond.
const PAUSE: Duration = Duration::from_millis(10);

/// How many bytes are written at once, about: no pause is made while there are more.
const FULL_WRITE: usize = 64 * 1024;

/// How long the end of the process waits for the last lines.
const FLUSH_DEADLINE: Duration = Duration::from_secs(1);

enum Item {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

/// Starts the thread that writes lines to `out`.
pub(super) fn queue(out: impl Write + Send + 'static, line: Line) -> (QueueWriter, Guard) {
    let (sender, receiver) = sync_channel(QUEUE_LINES);
    let lost = Arc::new(AtomicU64::new(0));
    let writer = QueueWriter { sender: sender.clone(), lost: Arc::clone(&lost) };
    let thread = std::thread::Builder::new().name("log".to_owned());
    // Without the thread the queue fills up and every line counts as lost: no reason to stop serving.
    let _ = thread.spawn(move || write_lines(out, &receiver, &lost, line));
    (writer, Guard { sender })
}

fn write_lines(mut out: impl Write, items: &Receiver<Item>, lost: &AtomicU64, line: Line) {
    let (mut text, mut flushes) = (Vec::new(), Vec::new());
    while let Ok(first) = items.recv() {
        for item in std::iter::once(first).chain(items.try_iter()) {
            match item {
                Item::Line(bytes) => text.extend_from_slice(&bytes),
                Item::Flush(done) => flushes.push(done),
            }
            if text.len() >= FULL_WRITE {
                break;
            }
        }
        let dropped = lost.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            text.extend_from_slice(line.lost(dropped).as_bytes());
        }
        // Nobody can be told that the log itself cannot be written.
        let _ = out.write_all(&text);
        let is_full = text.len() >= FULL_WRITE;
        text.clear();
        if !flushes.is_empty() {
            let _ = out.flush();
            for done in flushes.drain(..) {
                let _ = done.send(());
            }
        } else if !is_full {
            std::thread::sleep(PAUSE);
        }
    }
}

/// Hands each line to the queue; never waits.
#[derive(Debug, Clone)]
pub(super) struct QueueWriter {
    sender: SyncSender<Item>,
    lost: Arc<AtomicU64>,
}

impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Item")
    }
}

impl Write for QueueWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.sender.try_send(Item::Line(line.to_vec()))
        {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for QueueWriter {
    type Writer = Self;
    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

/// Held until the end of the process; its drop writes what still waits, and waits for that no longer than [`FLUSH_DEADLINE`].
#[derive(Debug)]
pub struct Guard {
    sender: SyncSender<Item>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let (done, written) = sync_channel(1);
        match self.sender.try_send(Item::Flush(done)) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            // A full queue takes the flush once its reader has moved; another thread waits for that, as this one has a deadline.
            Err(TrySendError::Full(flush)) => {
                let sender = self.sender.clone();
                let thread = std::thread::Builder::new().name("log flush".to_owned());
                let _ = thread.spawn(move || sender.send(flush));
            }
        }
        let _ = written.recv_timeout(FLUSH_DEADLINE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    #[derive(Clone)]
    struct Slow {
        begin: Arc<Mutex<Receiver<()>>>,
        text: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.begin.lock().unwrap().recv();
            self.text.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stuck_reader_costs_lines_and_never_time() {
        let (go, begin) = channel();
        let slow = Slow { begin: Arc::new(Mutex::new(begin)), text: Arc::default() };
        let (mut writer, guard) = queue(slow.clone(), Line::Json);
        for _ in 0..QUEUE_LINES + 100 {
            writer.write_all(b"line\n").unwrap();
        }
        drop(go);
        // The queue is still full; the flush gets in all the same.
        drop(guard);
        let text = String::from_utf8(slow.text.lock().unwrap().clone()).unwrap();
        assert!(text.contains("log_lost"), "no line about lost lines");
        assert!(text.matches("line\n").count() >= QUEUE_LINES);
    }

    #[test]
    fn a_reader_that_never_comes_back_does_not_hold_up_the_end() {
        let (go, begin) = channel();
        let slow = Slow { begin: Arc::new(Mutex::new(begin)), text: Arc::default() };
        let (mut writer, guard) = queue(slow, Line::Json);
        for _ in 0..QUEUE_LINES + 100 {
            writer.write_all(b"line\n").unwrap();
        }
        let start = std::time::Instant::now();
        drop(guard);
        assert!(start.elapsed() < 10 * FLUSH_DEADLINE);
        drop(go);
    }
}
