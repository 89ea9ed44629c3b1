//! What does the exit status say, and with which sentence does the program end?

use std::io;

use carrack_ftp_client::{Error, ErrorKind, Fault, Retry};

/// The exit statuses that scripts rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// All was done.
    Done = 0,
    /// Some files failed, or something else did that has no number of its own.
    Failed = 1,
    /// The command was given wrongly.
    Usage = 2,
    /// No connection, or none that is protected as it was asked for.
    Connection = 3,
    /// The server's certificate is not trusted.
    Untrusted = 4,
    /// The server lets this user not in.
    Login = 5,
    /// Not found or not allowed, on either side: FTP does not tell the two apart.
    Missing = 6,
    /// Interrupted; the same command goes on.
    Interrupted = 7,
}

impl Status {
    /// Whether what comes next cannot fare better: the server is out of reach, or nobody reads what is said.
    pub(crate) fn ends_all(self) -> bool {
        match self {
            Status::Done | Status::Connection | Status::Untrusted | Status::Login | Status::Interrupted => {
                true
            }
            Status::Failed | Status::Usage | Status::Missing => false,
        }
    }
}

/// How a command ended that did not end well: one sentence and its mend, and the status.
#[derive(Debug)]
pub(crate) struct Failure {
    text: String,
    status: Status,
    blame: Option<(Fault, Retry)>,
}

impl Failure {
    /// Something did not work.
    pub(crate) fn failed(text: impl ToString) -> Self {
        Self::new(Status::Failed, text)
    }

    /// The command was given wrongly.
    pub(crate) fn usage(text: impl ToString) -> Self {
        Self::new(Status::Usage, text)
    }

    /// With this status.
    pub(crate) fn new(status: Status, text: impl ToString) -> Self {
        Self { text: text.to_string(), status, blame: None }
    }

    /// All was said before; only the status is left.
    pub(crate) fn told(status: Status) -> Self {
        Self::new(status, "")
    }

    /// The sentence; empty where all was said before.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The status.
    pub(crate) fn status(&self) -> Status {
        self.status
    }

    /// Whose fault it is, where that is known.
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.blame.map(|(fault, _)| fault)
    }

    /// Whether it may be tried again, where that is known.
    pub(crate) fn retry(&self) -> Option<Retry> {
        self.blame.map(|(_, retry)| retry)
    }

    /// With more to say behind what is said.
    pub(crate) fn and(mut self, more: &str) -> Self {
        self.text.push_str(more);
        self
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let blame = Some((error.fault(), error.retry()));
        Self { blame, ..Self::new(status_of(&error), error) }
    }
}

/// Of standard output: a reader that goes away, as `head` does, has what it wants.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::told(Status::Done),
            _ => Self::failed(format!("standard output cannot be written: {error}")),
        }
    }
}

/// A read of a transfer that failed: the client's error stands inside.
pub(crate) fn failed_read(error: io::Error) -> Failure {
    match error.downcast::<Error>() {
        Ok(error) => error.into(),
        Err(error) => Failure::failed(error),
    }
}

/// A download that could not be written to standard output, or did not come.
pub(crate) fn failed_pour(error: Error) -> Failure {
    match error.local() {
        Ok(error) => error.into(),
        Err(error) => error.into(),
    }
}

/// The status for what went wrong with a server or a file.
pub(crate) fn status_of(error: &Error) -> Status {
    match error.kind() {
        ErrorKind::Untrusted(_) => Status::Untrusted,
        ErrorKind::LoginRefused(_) | ErrorKind::PasswordNeeded | ErrorKind::BadLogin(_) => Status::Login,
        ErrorKind::NotFoundOrDenied(_) => Status::Missing,
        ErrorKind::Local(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Status::Missing,
            _ => Status::Failed,
        },
        ErrorKind::Resolve(_)
        | ErrorKind::Connect(_)
        | ErrorKind::TimedOut(_)
        | ErrorKind::Tls(_)
        | ErrorKind::ProtectionRefused { .. }
        | ErrorKind::Protocol(_)
        | ErrorKind::ServiceClosed(_)
        | ErrorKind::ConnectionLost
        | ErrorKind::DataConnect(_)
        | ErrorKind::DataTls(_)
        | ErrorKind::DataRefused(_)
        | ErrorKind::DataLost
        | ErrorKind::KeysWornOut => Status::Connection,
        ErrorKind::Stopped => Status::Interrupted,
        ErrorKind::Refused { .. } | ErrorKind::Truncated | ErrorKind::NothingListed => Status::Failed,
    }
}

/// The status of many things that were done one after the other: where nothing was done and all failed alike, it says why;
/// else that some failed.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    done: bool,
    failures: u64,
    failed: Option<Status>,
}

impl Tally {
    /// One more was done.
    pub(crate) fn done(&mut self) {
        self.done = true;
    }

    /// One more failed.
    pub(crate) fn failed(&mut self, status: Status) {
        self.failures += 1;
        self.failed = Some(match self.failed {
            Some(before) if before != status => Status::Failed,
            _ => status,
        });
    }

    /// How many failed.
    pub(crate) fn failures(&self) -> u64 {
        self.failures
    }

    /// The status of all.
    pub(crate) fn status(&self) -> Status {
        match self.failed {
            None => Status::Done,
            Some(_) if self.done => Status::Failed,
            Some(status) => status,
        }
    }

    /// The outcome of a command whose failures were told one by one.
    pub(crate) fn outcome(&self) -> Result<(), Failure> {
        match self.status() {
            Status::Done => Ok(()),
            status => Err(Failure::told(status)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carrack_ftp_client::Operation;

    #[test]
    fn numbers_are_the_contract() {
        let all = [
            Status::Done,
            Status::Failed,
            Status::Usage,
            Status::Connection,
            Status::Untrusted,
            Status::Login,
            Status::Missing,
            Status::Interrupted,
        ];
        assert_eq!(all.map(|status| status as u8), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn each_kind_of_error_has_its_status() {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let local = |kind: io::ErrorKind| ErrorKind::Local(kind.into());
        for (kind, status) in [
            (ErrorKind::Resolve(refused()), Status::Connection),
            (ErrorKind::Connect(refused()), Status::Connection),
            (ErrorKind::ConnectionLost, Status::Connection),
            (ErrorKind::DataConnect(refused()), Status::Connection),
            (ErrorKind::DataLost, Status::Connection),
            (ErrorKind::PasswordNeeded, Status::Login),
            (local(io::ErrorKind::NotFound), Status::Missing),
            (local(io::ErrorKind::PermissionDenied), Status::Missing),
            (local(io::ErrorKind::StorageFull), Status::Failed),
            (ErrorKind::Truncated, Status::Failed),
            (ErrorKind::NothingListed, Status::Failed),
            (ErrorKind::Stopped, Status::Interrupted),
        ] {
            let error = Error::new(Operation::Download, "x", kind);
            assert_eq!(status_of(&error), status, "{error}");
        }
    }

    #[test]
    fn many_outcomes_make_one_status() {
        let of = |done: usize, failed: &[Status]| {
            let mut tally = Tally::default();
            (0..done).for_each(|_| tally.done());
            failed.iter().for_each(|status| tally.failed(*status));
            tally.status()
        };
        assert_eq!(of(0, &[]), Status::Done);
        assert_eq!(of(2, &[]), Status::Done);
        assert_eq!(of(0, &[Status::Missing]), Status::Missing);
        assert_eq!(of(0, &[Status::Missing, Status::Missing]), Status::Missing);
        assert_eq!(of(0, &[Status::Missing, Status::Connection]), Status::Failed);
        assert_eq!(of(0, &[Status::Missing, Status::Connection, Status::Connection]), Status::Failed);
        assert_eq!(of(1, &[Status::Missing]), Status::Failed);
    }
}
