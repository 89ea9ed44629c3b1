//! The transfer log in the form of wu-ftpd, as ProFTPD and vsftpd write it (`xferlog(5)`).
//!
//! ```text
//! Sun Nov 22 12:00:00 2026 1 192.0.2.7 1024 /in/report.csv b _ i r alice ftp 0 * c
//! time                     s address   bytes path          │ │ │ │ user  │   │ │ └ complete, or incomplete
//!                       binary, or ascii ──────────────────┘ │ │ │       │   │ └ authenticated user id: none
//!                       special action: none ────────────────┘ │ │       │   └ RFC 1413: not asked
//!                       in, out, or deleted ───────────────────┘ │       └ protocol
//!                       real user, or anonymous ─────────────────┘
//! ```

use std::collections::HashSet;
use std::fmt::Write as _;

use carrack_core::account::User;
use carrack_core::event::{Change, Direction, Event, Origin, Outcome, Subscriber, TransferFinished};
use jiff::Zoned;

use super::line::is_invisible;
use super::queue::Queue;

/// Writes a line for each upload, download and delete.
#[derive(Debug)]
pub(crate) struct XferLog {
    queue: Queue,
    anonymous: HashSet<String>,
}

/// What a line tells; everything else is the same in all.
struct Entry<'e> {
    seconds: u64,
    bytes: u64,
    path: &'e str,
    ascii: bool,
    direction: char,
    user: &'e str,
    complete: bool,
}

impl XferLog {
    /// Hands lines to `queue`. The users in `anonymous`, by [`User::id`], log in without a password.
    pub(crate) fn new(queue: Queue, anonymous: HashSet<String>) -> Self {
        Self { queue, anonymous }
    }

    fn line(&self, at: &Zoned, origin: &Origin, entry: &Entry<'_>) -> String {
        let Entry { seconds, bytes, path, ascii, direction, user, complete } = *entry;
        let (address, path) = (origin.peer.ip().to_canonical(), one_word(path));
        let representation = if ascii { 'a' } else { 'b' };
        let user = User::of(origin, user);
        let access = if self.anonymous.contains(&*user.id()) { 'a' } else { 'r' };
        let completion = if complete { 'c' } else { 'i' };
        let (user, service) = (one_word(&user.to_string()), origin.protocol);
        let mut line = at.strftime("%a %b %d %H:%M:%S %Y").to_string();
        // Writing to a string does not fail.
        let _ = writeln!(
            line,
            " {seconds} {address} {bytes} {path} {representation} _ {direction} {access} {user} {service} 0 * {completion}"
        );
        line
    }

    fn write(&self, origin: &Origin, entry: &Entry<'_>) {
        self.queue.send(self.line(&Zoned::now(), origin, entry).into_bytes());
    }
}

impl Subscriber for XferLog {
    fn event(&self, event: &Event) {
        match event {
            Event::TransferFinished(TransferFinished {
                origin,
                user,
                direction,
                path,
                bytes,
                lasted,
                text,
                outcome,
                ..
            }) => {
                let direction = match direction {
                    Direction::Upload => 'i',
                    Direction::Download => 'o',
                };
                // wu-ftpd and vsftpd never write 0: rates are computed from it.
                let seconds = lasted.as_secs().max(1);
                let path = String::from_utf8_lossy(path.as_bytes());
                let complete = matches!(outcome, Outcome::Complete);
                let entry =
                    Entry { seconds, bytes: *bytes, path: &path, ascii: *text, direction, user, complete };
                self.write(origin, &entry);
            }
            Event::FileChanged { origin, user, change: Change::Deleted(path) } => {
                let path = String::from_utf8_lossy(path.as_bytes());
                let entry = Entry {
                    seconds: 1,
                    bytes: 0,
                    path: &path,
                    ascii: false,
                    direction: 'd',
                    user,
                    complete: true,
                };
                self.write(origin, &entry);
            }
            // Nothing else has a line in this form.
            _ => {}
        }
    }
}

/// SECURITY: fields end at spaces and lines at line breaks; a name with either would forge what follows it. Whatever does not show, or
/// commands a terminal, becomes an underscore, as in ProFTPD and wu-ftpd.
fn one_word(text: &str) -> String {
    if text.is_empty() {
        return "_".to_owned();
    }
    let shown = |c: char| if c.is_whitespace() || c.is_control() || is_invisible(c) { '_' } else { c };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::queue::{Stream, queue};
    use carrack_core::event::SessionId;

    fn log() -> XferLog {
        let queue = queue("xferlog", Stream(std::io::sink()), Box::new(|_| Vec::new()));
        XferLog::new(queue, HashSet::from(["anonymous".to_owned()]))
    }

    fn origin(peer: &str) -> Origin {
        Origin { id: SessionId(7), peer: peer.parse().unwrap(), protocol: "ftps", server: None }
    }

    #[test]
    fn a_line_has_the_fields_of_the_manual_in_their_order() {
        let at: Zoned = "2026-11-02T09:05:06[UTC]".parse().unwrap();
        let entry = Entry {
            seconds: 3,
            bytes: 1024,
            path: "/a b/c\nd",
            ascii: false,
            direction: 'i',
            user: "alice",
            complete: true,
        };
        assert_eq!(
            log().line(&at, &origin("192.0.2.7:4711"), &entry),
            "Mon Nov 02 09:05:06 2026 3 192.0.2.7 1024 /a_b/c_d b _ i r alice ftps 0 * c\n"
        );
        let at_one = Origin { server: Some("ftp.example".into()), ..origin("192.0.2.7:4711") };
        assert_eq!(
            log().line(&at, &at_one, &entry),
            "Mon Nov 02 09:05:06 2026 3 192.0.2.7 1024 /a_b/c_d b _ i r alice@ftp.example ftps 0 * c\n"
        );
        let entry = Entry { direction: 'd', user: "anonymous", ascii: true, complete: false, ..entry };
        assert_eq!(
            log().line(&at, &origin("[::ffff:192.0.2.7]:4711"), &entry),
            "Mon Nov 02 09:05:06 2026 3 192.0.2.7 1024 /a_b/c_d a _ d a anonymous ftps 0 * i\n"
        );
    }

    #[test]
    fn no_name_is_more_than_one_word() {
        for (name, word) in [
            ("a\u{a0}b\tc\rd", "a_b_c_d"),
            ("x\u{1b}[31m\u{9b}\u{202e}y\u{2028}", "x_[31m__y_"),
            ("", "_"),
            ("\u{e4}\u{fffd}*?", "\u{e4}\u{fffd}*?"),
        ] {
            assert_eq!(one_word(name), word);
        }
    }
}
