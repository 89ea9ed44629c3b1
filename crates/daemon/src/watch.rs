//! When are files that change under a running server loaded again, and when is told what is wrong with them?

use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;

/// How often files are looked at where nothing else is said: what changed is in force a minute later, and a look is a few system calls.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Why files are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// It is time: what is half written is given until the next look.
    Routine,
    /// The administrator said so, and wants to hear what came of it.
    Asked,
}

/// What makes a keeper look at once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls {
    /// The administrator says so.
    pub(crate) asked: Arc<Notify>,
    /// Something was written that is to be in force now.
    pub(crate) written: Arc<Notify>,
}

/// Keeps something up to date with what lies on the disk.
pub(crate) trait Keeper: Send + 'static {
    /// What it keeps, for the log.
    const WHAT: &'static str;
    /// How often it looks.
    const EVERY: Duration = LOOK_EVERY;

    /// Loads what has changed, and tells what is to be told.
    fn look(&mut self, occasion: Occasion, now: SystemTime);
}

/// Lets the keeper look for as long as this is polled: now, as often as it wants to, and at every call.
pub(crate) async fn keep<K: Keeper>(mut keeper: K, calls: Calls) {
    let mut every = tokio::time::interval(K::EVERY);
    loop {
        let occasion = tokio::select! {
            _ = every.tick() => Occasion::Routine,
            () = calls.asked.notified() => Occasion::Asked,
            () = calls.written.notified() => Occasion::Routine,
        };
        let looked = tokio::task::spawn_blocking(move || {
            look(&mut keeper, occasion);
            keeper
        });
        match looked.await {
            Ok(back) => keeper = back,
            // No panic gets here, so the runtime goes down.
            Err(_) => return,
        }
    }
}

/// One look. A panic in it is told and ends nothing: what was loaded so far stays, and the next look comes.
fn look<K: Keeper>(keeper: &mut K, occasion: Occasion) {
    if catch_unwind(AssertUnwindSafe(|| keeper.look(occasion, SystemTime::now()))).is_err() {
        tracing::error!(target: "carrack", what = K::WHAT, "reload_failed");
    }
}

/// What was seen of some files that belong together.
///
/// They change one after the other, and a program may write them in place. So what cannot be used is given until the next look; if
/// it is the same then, it is told, once.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// What they were like when all was done and said about them; `None` before the first look.
    settled: Option<Stamp>,
    /// What they were like at the last look, when they could not be used.
    doubtful: Option<Stamp>,
}

/// A look at files that are to be loaded.
#[derive(Debug)]
pub(crate) struct Look {
    stamp: Stamp,
    stands_still: bool,
}

/// What came of loading files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// All of them can be used.
    Right,
    /// Something is wrong with one.
    Wrong,
}

impl Watch {
    /// The look at files that are like `stamp` now, taken before they are loaded: what changes meanwhile is seen at the next
    /// one. `None`: there is nothing new.
    pub(crate) fn begin(&self, stamp: Stamp, occasion: Occasion) -> Option<Look> {
        if occasion == Occasion::Routine && self.settled.as_ref() == Some(&stamp) {
            return None;
        }
        let stands_still = occasion == Occasion::Asked || self.doubtful.as_ref() == Some(&stamp);
        Some(Look { stamp, stands_still })
    }

    /// Whether the files were never loaded by a look so far.
    pub(crate) fn is_new(&self) -> bool {
        self.settled.is_none()
    }

    /// Notes what came of it.
    pub(crate) fn end(&mut self, look: Look, found: Found) {
        if found == Found::Right || look.stands_still {
            (self.settled, self.doubtful) = (Some(look.stamp), None);
        } else {
            self.doubtful = Some(look.stamp);
        }
    }
}

impl Look {
    /// Whether to tell what is wrong with the files.
    pub(crate) fn tells(&self) -> bool {
        self.stands_still
    }
}

/// What files were like at one moment; `None` where there was none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp(Vec<Option<FileStamp>>);

/// What tells one state of a file from another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileStamp {
    device: u64,
    inode: u64,
    changed: (i64, i64),
    length: u64,
}

impl Stamp {
    /// What these files are like now. Links are followed: renewing programs exchange links.
    pub(crate) fn of<'p>(paths: impl IntoIterator<Item = &'p PathBuf>) -> Stamp {
        let stamp = |path: &Path| {
            let file = std::fs::metadata(path).ok()?;
            Some(FileStamp {
                device: file.dev(),
                inode: file.ino(),
                changed: (file.mtime(), file.mtime_nsec()),
                length: file.size(),
            })
        };
        Stamp(paths.into_iter().map(|path| stamp(path)).collect())
    }
}

/// The lines, as JSON, that are told while something is done.
#[cfg(test)]
pub(crate) fn said(done: impl FnOnce()) -> Vec<String> {
    use std::io::{self, Write};
    use std::sync::Mutex;
    use tracing_subscriber::layer::SubscriberExt;

    #[derive(Clone, Default)]
    struct Said(Arc<Mutex<Vec<u8>>>);

    impl Write for Said {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let said = Said::default();
    let writer = said.clone();
    let layer = tracing_subscriber::fmt::layer().json().with_writer(move || writer.clone());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), done);
    let said = said.0.lock().unwrap().clone();
    String::from_utf8(said).unwrap().lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Panics at the first look.
    struct Clumsy(u32);

    impl Keeper for Clumsy {
        const WHAT: &'static str = "nothing";

        fn look(&mut self, _: Occasion, _: SystemTime) {
            self.0 += 1;
            assert!(self.0 > 1, "a defect");
        }
    }

    #[test]
    fn a_panic_ends_no_later_look() {
        let mut clumsy = Clumsy(0);
        let said = said(|| look(&mut clumsy, Occasion::Routine));
        assert!(matches!(&said[..], [line] if line.contains("reload_failed")), "{said:?}");
        look(&mut clumsy, Occasion::Routine);
        assert_eq!(clumsy.0, 2);
    }

    #[test]
    fn what_is_wrong_is_told_at_the_second_look_once_and_at_once_to_who_asks() {
        let (one, other) = (Stamp(vec![None]), Stamp(vec![None, None]));
        let mut watch = Watch::default();
        let mut tells = |stamp: &Stamp, occasion, found| {
            let look = watch.begin(stamp.clone(), occasion)?;
            let tells = look.tells();
            watch.end(look, found);
            Some(tells)
        };
        assert_eq!(tells(&one, Occasion::Routine, Found::Right), Some(false));
        assert_eq!(tells(&one, Occasion::Routine, Found::Right), None);
        assert_eq!(tells(&other, Occasion::Routine, Found::Wrong), Some(false));
        assert_eq!(tells(&other, Occasion::Routine, Found::Wrong), Some(true));
        assert_eq!(tells(&other, Occasion::Routine, Found::Wrong), None);
        assert_eq!(tells(&other, Occasion::Asked, Found::Wrong), Some(true));
        assert_eq!(tells(&one, Occasion::Asked, Found::Wrong), Some(true));
    }
}
