//! How do log lines reach a slow reader without holding up a transfer?

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

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
    /// Wakes the thread, which looks at the [`Counts`].
    Look,
}

/// Where lines end up.
pub(super) trait Sink: Send + 'static {
    /// Writes whole lines; says how many of them are lost.
    fn write(&mut self, lines: &[u8]) -> u64;

    /// Lets go of what is open and opens it anew, because it has got another name meanwhile.
    fn reopen(&mut self) {}
}

/// Standard error: nobody can be told that it cannot be written.
pub(super) struct Stream<W>(pub(super) W);

impl<W: Write + Send + 'static> Sink for Stream<W> {
    fn write(&mut self, lines: &[u8]) -> u64 {
        let _ = self.0.write_all(lines).and_then(|()| self.0.flush());
        0
    }
}

/// Makes the line that tells of so many lost ones; or tells of them elsewhere, and makes none.
pub(super) type TellLost = Box<dyn Fn(u64) -> Vec<u8> + Send>;

/// What is known of a queue from outside.
#[derive(Debug, Default)]
struct Counts {
    /// Lines that found the queue full, and were not counted as lost yet.
    dropped: AtomicU64,
    lost: AtomicU64,
    waiting: AtomicU64,
    reopen: AtomicBool,
}

/// Starts the thread, named `name`, that writes lines to `out`.
pub(super) fn queue(name: &'static str, out: impl Sink, tell: TellLost) -> Queue {
    let (sender, receiver) = sync_channel(QUEUE_LINES);
    let counts = Arc::new(Counts::default());
    let thread = std::thread::Builder::new().name(name.to_owned());
    let queue = Queue { name, sender, counts: Arc::clone(&counts) };
    // Without the thread the queue fills up and every line counts as lost: no reason to stop serving.
    let _ = thread.spawn(move || write_lines(out, &receiver, &counts, &tell));
    queue
}

fn write_lines(mut out: impl Sink, items: &Receiver<Item>, counts: &Counts, tell: &TellLost) {
    let (mut text, mut flushes, mut untold) = (Vec::new(), Vec::new(), 0);
    while let Ok(first) = items.recv() {
        for item in std::iter::once(first).chain(items.try_iter()) {
            match item {
                Item::Line(bytes) => {
                    counts.waiting.fetch_sub(1, Ordering::Relaxed);
                    text.extend_from_slice(&bytes);
                }
                Item::Flush(done) => flushes.push(done),
                Item::Look => {}
            }
            if text.len() >= FULL_WRITE {
                break;
            }
        }
        if counts.reopen.swap(false, Ordering::AcqRel) {
            out.reopen();
        }
        let unwritten = out.write(&text);
        let lost = unwritten + counts.dropped.swap(0, Ordering::Relaxed);
        counts.lost.fetch_add(lost, Ordering::Relaxed);
        untold += lost;
        if untold > 0 && unwritten == 0 && out.write(&tell(untold)) == 0 {
            untold = 0;
        }
        let is_full = text.len() >= FULL_WRITE;
        text.clear();
        if !flushes.is_empty() {
            for done in flushes.drain(..) {
                let _ = done.send(());
            }
        } else if !is_full {
            std::thread::sleep(PAUSE);
        }
    }
}

impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Item")
    }
}

/// Lines on their way to one place. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    name: &'static str,
    sender: SyncSender<Item>,
    counts: Arc<Counts>,
}

impl Queue {
    /// What the lines are: `log` or `xferlog`.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Hands a line over; never waits.
    pub(crate) fn send(&self, line: Vec<u8>) {
        self.counts.waiting.fetch_add(1, Ordering::Relaxed);
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.sender.try_send(Item::Line(line))
        {
            self.counts.waiting.fetch_sub(1, Ordering::Relaxed);
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Has the file opened anew: another program has given it another name.
    pub(crate) fn reopen(&self) {
        self.counts.reopen.store(true, Ordering::Release);
        // A full queue means that the thread is awake and comes to look by itself.
        let _ = self.sender.try_send(Item::Look);
    }

    /// How many lines wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.counts.waiting.load(Ordering::Relaxed)
    }

    /// How many lines were lost so far.
    pub(crate) fn lost(&self) -> u64 {
        self.counts.lost.load(Ordering::Relaxed)
    }
}

impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.send(line.to_vec());
        Ok(line.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Queue {
    type Writer = Self;
    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

/// Held until the end; its drop writes what still waits, and waits for that no longer than [`FLUSH_DEADLINE`].
#[derive(Debug)]
pub struct Guard(Queue);

impl Guard {
    pub(super) fn new(queue: Queue) -> Self {
        Self(queue)
    }

    /// The queue that it guards.
    pub(crate) fn queue(&self) -> &Queue {
        &self.0
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let (done, written) = sync_channel(1);
        match self.0.sender.try_send(Item::Flush(done)) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            // A full queue takes the flush once its reader has moved; another thread waits for that, as this one has a deadline.
            Err(TrySendError::Full(flush)) => {
                let sender = self.0.sender.clone();
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

    use crate::log::line::Line;

    /// What the thread takes before its first write, and what waits behind that.
    const MORE_THAN_FITS: usize = FULL_WRITE / "line\n".len() + QUEUE_LINES + 100;

    fn start(out: Slow) -> (Queue, Guard) {
        let queue = queue("log", Stream(out), Box::new(|lines| Line::Json.lost(lines).into_bytes()));
        (queue.clone(), Guard::new(queue))
    }

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
        let (mut writer, guard) = start(slow.clone());
        for _ in 0..MORE_THAN_FITS {
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
        let (mut writer, guard) = start(slow);
        for _ in 0..MORE_THAN_FITS {
            writer.write_all(b"line\n").unwrap();
        }
        let start = std::time::Instant::now();
        drop(guard);
        assert!(start.elapsed() < 10 * FLUSH_DEADLINE);
        drop(go);
    }
}
