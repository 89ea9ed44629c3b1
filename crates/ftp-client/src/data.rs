//! The bytes of a transfer: how they flow, and how they end.

mod drive;
mod file;
mod flow;
mod receive;
mod send;

use carrack_tls::{ConnectError, WornOut};

use crate::error::ErrorKind;

pub(crate) use drive::{Step, drive};
pub(crate) use flow::{End, Flow};
pub(crate) use receive::{Receiver, ended};
pub(crate) use send::Sender;

/// Why reading or writing a data connection failed.
pub(crate) fn data_failed(error: std::io::Error) -> ErrorKind {
    if WornOut::is_in(&error) {
        return ErrorKind::KeysWornOut;
    }
    match ConnectError::from(error) {
        ConnectError::Closed | ConnectError::Io(_) => ErrorKind::DataLost,
        error => ErrorKind::DataTls(error),
    }
}
