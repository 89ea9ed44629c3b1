//! What a client is told when the transfer domain refuses: the only place where an error of ours
//! becomes a reply.

use carrack_core::error::{Error, ErrorKind};
use carrack_core::event::Incomplete;
use carrack_core::limits::Limit;
use carrack_core::path::PathError;
use carrack_core::upload::Kept;
use carrack_ftp_proto::reply::{Code, Reply};
use carrack_ftp_proto::server::HashForm;

/// A command of a session whose certificate no longer counts; the code depends on the command (RFC 959 §5.4).
pub(crate) fn refused_certificate(code: Code) -> Reply {
    let text =
        "The certificate that this session came with is no longer accepted; connect again with another.";
    Reply::new(code, text).because_of("tls.client_ca")
}

/// The reply for an operation that failed. Says what the client may know: never a real path, never
/// what the operating system called it.
pub(crate) fn error(error: &Error) -> Reply {
    kind(error.kind())
}

/// The reply for one kind of failure (RFC 959 §4.2: 55x for the file system, 45x where a retry may
/// help).
pub(crate) fn kind(kind: ErrorKind) -> Reply {
    let (code, text) = match kind {
        ErrorKind::NotFound => (Code::FILE_UNAVAILABLE, "No such file or folder.".into()),
        ErrorKind::Denied => (Code::FILE_UNAVAILABLE, "You may not do that here.".into()),
        ErrorKind::Forbidden => (Code::FILE_UNAVAILABLE, "The server has no access to that.".into()),
        ErrorKind::Exists => (Code::FILE_UNAVAILABLE, "That name is taken.".into()),
        ErrorKind::NotADirectory => (Code::FILE_UNAVAILABLE, "Not a folder.".into()),
        ErrorKind::IsADirectory => (Code::FILE_UNAVAILABLE, "That is a folder.".into()),
        ErrorKind::NotEmpty => (Code::FILE_UNAVAILABLE, "The folder is not empty.".into()),
        ErrorKind::NotAFile => (Code::FILE_UNAVAILABLE, "Not a regular file.".into()),
        ErrorKind::InvalidName => (Code::NAME_NOT_ALLOWED, "That name is not allowed.".into()),
        ErrorKind::NoSpace => (Code::INSUFFICIENT_STORAGE, "The disk is full.".into()),
        ErrorKind::OffsetMismatch { length } => (
            Code::FILE_UNAVAILABLE,
            format!("The file here has {length} bytes: restart there with REST {length}, or store it anew."),
        ),
        ErrorKind::BeyondEnd { length } => {
            (Code::FILE_UNAVAILABLE, format!("The file has {length} bytes, and none where you ask for them."))
        }
        ErrorKind::RangeMismatch { end } => (
            Code::FILE_UNAVAILABLE,
            format!("The range ends with byte {}: send all of it and no more.", end.saturating_sub(1)),
        ),
        ErrorKind::Busy => (Code::FILE_BUSY, "Another transfer of this file is ending, try again.".into()),
        ErrorKind::Unfinished => (
            Code::FILE_UNAVAILABLE,
            "You have an unfinished upload of this name: finish it or delete it first.".into(),
        ),
        ErrorKind::TakenOver => (Code::TRANSFER_ABORTED, "A newer upload of this file took over.".into()),
        ErrorKind::Interrupted => (Code::LOCAL_ERROR, "Interrupted, try again.".into()),
        ErrorKind::Unsupported => (Code::ARGUMENT_NOT_IMPLEMENTED, "The storage here cannot do that.".into()),
        ErrorKind::CrossesStorage => {
            (Code::NAME_NOT_ALLOWED, "Source and target lie in different storages.".into())
        }
        ErrorKind::Limit(met) => return limit(met),
        ErrorKind::Io => (Code::LOCAL_ERROR, "The server could not do that; its log says why.".into()),
    };
    Reply::new(code, text)
}

/// The reply where a limit is met.
pub(crate) fn limit(limit: Limit) -> Reply {
    let (code, text) = words_of(limit);
    Reply::new(code, text)
}

/// RFC 959 §4.2: 421 ends the connection, 450 is for a moment, 552 for the rest of this session.
fn words_of(limit: Limit) -> (Code, String) {
    let count = limit.most().count;
    match limit {
        Limit::Sessions(_) => (
            Code::SERVICE_NOT_AVAILABLE,
            format!("Too many sessions of yours: {count} may be open at a time; close one first."),
        ),
        Limit::Transfers(_) => (
            Code::FILE_BUSY,
            format!("Too many transfers of yours: {count} may run at a time; try again when one has ended."),
        ),
        Limit::Files(_) => (
            Code::EXCEEDED_STORAGE_ALLOCATION,
            format!("One session moves {count} files and no more; log in again for further ones."),
        ),
        Limit::Bytes(_) => (
            Code::EXCEEDED_STORAGE_ALLOCATION,
            format!("One session moves {count} bytes of files and no more; log in again for further ones."),
        ),
        Limit::Quota { left, .. } => (
            Code::EXCEEDED_STORAGE_ALLOCATION,
            format!("Over your quota (quota_bytes) of {count} bytes: {left} are left for this file."),
        ),
        Limit::Counting(_) => (
            Code::FILE_BUSY,
            format!("Your files are still being counted for your quota of {count} bytes, try again."),
        ),
    }
}

/// The reply for a digest that cannot be computed.
pub(crate) fn digest(failure: ErrorKind, form: HashForm) -> Reply {
    match (failure, form) {
        // draft-bryan-ftpext-hash §3.5 has a code of its own for it.
        (ErrorKind::IsADirectory, HashForm::Described) => {
            Reply::new(Code::NAME_NOT_ALLOWED, "That is a folder: only files have a hash.")
        }
        (failure, _) => kind(failure),
    }
}

/// The reply for a digest that was stopped (RFC 959 §4.1.3: 426, and 226 for the ABOR).
pub(crate) fn digest_stopped(why: &Incomplete) -> Reply {
    let text = match why {
        Incomplete::ShutDown => "The server is going down: the hash is not computed.",
        Incomplete::Dismissed => "Ended by the administrator: the hash is not computed.",
        _ => "The hash was stopped.",
    };
    Reply::new(Code::TRANSFER_ABORTED, text)
}

/// The reply for a path that is not one.
pub(crate) fn path(error: PathError) -> Reply {
    let text = match error {
        PathError::TooLong => "The path is too long.",
        PathError::TooDeep => "The path is too deep.",
        PathError::ForbiddenByte => "A name cannot hold NUL, CR or LF.",
        PathError::Reserved => "Names that begin with .carrack- are the server's own.",
        _ => "That is not a path.",
    };
    Reply::new(Code::NAME_NOT_ALLOWED, text)
}

/// The reply where a folder's bytes may not cross the network in clear (RFC 4217 §9, §10).
pub(crate) fn clear_data() -> Reply {
    Reply::new(
        Code::NOT_SUPPORTED_ON_DATA_CONNECTION,
        "This folder's files travel only on protected data connections: log in under TLS and send PROT P first.",
    )
}

/// The reply where a folder's bytes may not cross the network at all (RFC 2228 §6 has 534 for transfers).
pub(crate) fn no_transfers() -> Reply {
    Reply::new(Code::DENIED_BY_POLICY, "Nothing is transferred from or to this folder over this connection.")
}

/// The final reply of a transfer that did not end well (RFC 959 §5.4: 426 for the connection, 451
/// and 452 for us), with what is left of an upload.
pub(crate) fn incomplete(why: &Incomplete, kept: Kept) -> Reply {
    let limited;
    let (code, text) = match why {
        Incomplete::ConnectionLost => {
            (Code::TRANSFER_ABORTED, "The data connection broke: the transfer is not complete.")
        }
        Incomplete::Truncated => (
            Code::TRANSFER_ABORTED,
            "The data connection ended without TLS close_notify: the upload counts as cut off.",
        ),
        Incomplete::Stalled => (
            Code::TRANSFER_ABORTED,
            "The data connection stood still for too long: the transfer is not complete.",
        ),
        // The mend depends on how far the client has come, which it knows best.
        Incomplete::WornOut => (
            Code::TRANSFER_ABORTED,
            "One data connection of TLS 1.2 carries 256 GiB at most: go on behind what has arrived (REST), or use TLS 1.3.",
        ),
        Incomplete::Aborted => (Code::TRANSFER_ABORTED, "Transfer aborted."),
        Incomplete::TakenOver => {
            (Code::TRANSFER_ABORTED, "A newer upload of this file by the same user took over.")
        }
        Incomplete::ShutDown => {
            (Code::TRANSFER_ABORTED, "The server is going down: the transfer is not complete.")
        }
        Incomplete::Dismissed => {
            (Code::TRANSFER_ABORTED, "Ended by the administrator: the transfer is not complete.")
        }
        Incomplete::Undecodable(why) => {
            let text = format!("What was sent cannot be decompressed: {why}.");
            return Reply::new(Code::TRANSFER_ABORTED, text);
        }
        Incomplete::Refused(_) => (Code::CANNOT_OPEN_DATA_CONNECTION, "There was no data connection."),
        Incomplete::Storage(ErrorKind::Limit(met)) => {
            limited = words_of(*met);
            (limited.0, limited.1.as_str())
        }
        Incomplete::Storage(failure) => return kind(*failure),
    };
    let reply = match kept {
        Kept::Bytes(length) if length > 0 => {
            Reply::new(code, format!("{text} It can go on at byte {length}."))
        }
        Kept::Bytes(_) | Kept::Nothing => Reply::new(code, text),
    };
    match why {
        Incomplete::Stalled => reply.because_of("timeouts.data_stall_s"),
        Incomplete::Truncated => reply.because_of("listen.data_close"),
        _ => reply,
    }
}
