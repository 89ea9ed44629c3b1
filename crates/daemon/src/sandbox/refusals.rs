//! Which system calls were refused? The broker is asked by the kernel, so that each is told before it returns.
//!
//! SECURITY: it is not the server that is asked. Who holds the descriptor could also answer that a call may go on.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::net::{SendFlags, send};
use serde::{Deserialize, Serialize};

use super::{calls, sys};

/// A call that is refused again and again is told so often.
const AGAIN: Duration = Duration::from_secs(60);

/// Calls of one number since it was told last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refused {
    /// The number of the call (syscalls(2)).
    pub(crate) call: i32,
    /// The thread that asked for it.
    pub(crate) thread: u32,
    /// How many there were since the last one that was told.
    pub(crate) count: u64,
}

/// Answers the kernel on a thread of its own, and tells the server through its socket.
pub(super) fn watch(listener: OwnedFd, server: OwnedFd) {
    let watching = std::thread::Builder::new().name("refusals".to_owned());
    // Where there is no thread, the listener closes, and the kernel refuses by itself.
    let _ = watching.spawn(move || {
        let mut seen = Seen::default();
        loop {
            let asked = match sys::next_call(&listener) {
                Ok(asked) => asked,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Whoever asked has ended meanwhile.
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) && sys::is_watched(&listener) => {
                    continue;
                }
                Err(_) => return,
            };
            let (call, thread) = (asked.data.nr, asked.pid);
            if let Some(count) = seen.count(call, Instant::now()) {
                // Where the server does not read, it is told the next time.
                if let Ok(line) = serde_json::to_vec(&Refused { call, thread, count }) {
                    let _ = send(&server, &line, SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
                }
            }
            let _ = sys::refuse(&listener, asked.id, calls::answer_to(call));
        }
    });
}

/// What was refused, and when it was told.
#[derive(Debug, Default)]
struct Seen(HashMap<i32, (Instant, u64)>);

impl Seen {
    /// Counts one; says how many are to be told, where it is time.
    fn count(&mut self, call: i32, now: Instant) -> Option<u64> {
        let Some((told, count)) = self.0.get_mut(&call) else {
            // There are some hundred numbers of calls; one who makes numbers up is not listened to.
            if self.0.len() < 1024 {
                self.0.insert(call, (now, 0));
            }
            return Some(1);
        };
        *count += 1;
        if now.saturating_duration_since(*told) < AGAIN {
            return None;
        }
        *told = now;
        Some(std::mem::take(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_told_at_once_and_then_by_the_minute() {
        let (mut seen, now) = (Seen::default(), Instant::now());
        assert_eq!(seen.count(59, now), Some(1));
        assert_eq!(seen.count(59, now), None);
        assert_eq!(seen.count(101, now), Some(1));
        assert_eq!(seen.count(59, now + AGAIN), Some(2));
        assert_eq!(seen.count(59, now + AGAIN), None);
    }
}
