//! What does the driver owe an answer to? Tokens that are consumed by it.

use std::marker::PhantomData;

/// The right, and the duty, to answer one question of the machine.
///
/// It is neither `Clone` nor `Copy`, and every answer consumes it: two final replies to one command cannot be written.
/// A token whose connection has ended meanwhile is worth nothing; answering with it does nothing.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the client waits for this answer"]
pub struct Pending<K> {
    serial: Serial,
    kind: PhantomData<fn() -> K>,
}

impl<K> Pending<K> {
    pub(super) const fn new(serial: Serial) -> Pending<K> {
        Pending { serial, kind: PhantomData }
    }

    pub(super) const fn serial(&self) -> Serial {
        self.serial
    }
}

/// A transfer that has been announced with `150`; consumed by `Server::end`.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the client waits for the transfer's final reply"]
pub struct Running {
    serial: Serial,
}

impl Running {
    pub(super) const fn new(serial: Serial) -> Running {
        Running { serial }
    }

    pub(super) const fn serial(&self) -> Serial {
        self.serial
    }
}

/// Numbers the questions of one connection, so that a late answer is not taken for another's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Serial(u64);

impl Serial {
    pub(super) const fn next(self) -> Serial {
        Serial(self.0.wrapping_add(1))
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => { $(
        $(#[$doc])*
        #[derive(Debug, PartialEq, Eq)]
        pub enum $name {}
    )* };
}

kinds! {
    /// A TLS handshake on the control connection. It succeeds (`tls_established`) or the connection ends: no reply can be said.
    Upgrade,
    /// The end of TLS on the control connection. It succeeds (`tls_ended`) or the connection ends.
    Downgrade,
    /// A name that a certificate may stand for.
    Introduction,
    /// A login to be judged.
    Login,
    /// A name of the server to be judged.
    HostKind,
    /// A port to be listened on.
    Passive,
    /// An address to be connected to.
    Active,
    /// A request of one reply.
    RequestKind,
    /// A transfer that is not announced yet.
    TransferKind,
    /// A hash to be computed.
    HashKind,
    /// An ABOR during a transfer.
    AbortKind,
    /// A STAT without argument.
    StatusKind,
}

/// The kinds that [`super::Server::answer`] takes: all but [`Upgrade`] and [`Downgrade`].
pub trait Answerable: sealed::Sealed {}

mod sealed {
    pub trait Sealed {}
}

macro_rules! answerable {
    ($($name:ident),*) => { $( impl sealed::Sealed for $name {} impl Answerable for $name {} )* };
}

answerable!(
    Introduction,
    Login,
    HostKind,
    Passive,
    Active,
    RequestKind,
    TransferKind,
    HashKind,
    AbortKind,
    StatusKind
);
