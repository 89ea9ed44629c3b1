//! How much may a user, a session and the server move, and how fast? The same for every protocol.
//!
//! ```text
//!   Rate     a number of bytes a second, which the hours of the day may change
//!   Bucket   the budget of all who share one: a transfer, a user, the server
//!   Pace     the buckets that one transfer draws on; asked before bytes move
//!   Users    what each user has under way
//!   Quota    how many bytes a home may have
//! ```

mod allowance;
mod pace;
pub mod quota;
mod rate;
mod users;

use std::fmt;

pub use pace::{Pace, Turn};
pub use rate::{Rate, Rates};

pub(crate) use allowance::{Allowance, SessionUse};
pub(crate) use rate::Buckets;
pub(crate) use users::{SessionPlace, Users};

/// A limit on a number of things, and what the operator calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Most {
    /// So many and no more.
    pub count: u64,
    /// The option that says so.
    pub option: &'static str,
}

/// What one account may take. Left as it is, there is no limit.
#[derive(Clone, Debug, Default)]
pub struct AccountLimits {
    /// Sessions at a time.
    pub sessions: Option<Most>,
    /// Transfers of files at a time, of all sessions together.
    pub transfers: Option<Most>,
    /// Files that one session may move, both ways together.
    pub files_per_session: Option<Most>,
    /// Bytes of files that one session may move, both ways together.
    pub bytes_per_session: Option<Most>,
    /// How fast all sessions together may move files.
    pub rates: Rates,
    /// How fast one transfer may move its file.
    pub transfer_rates: Rates,
}

/// A limit that was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// As many sessions of the user as there may be.
    Sessions(Most),
    /// As many transfers of the user as there may be.
    Transfers(Most),
    /// As many files as a session may move.
    Files(Most),
    /// As many bytes as a session may move.
    Bytes(Most),
    /// As many bytes as the files of the home may have.
    Quota {
        /// That is, so many.
        most: Most,
        /// How many are left for the file that was refused.
        left: u64,
    },
    /// The files of the home, which may have so many bytes, are still being counted.
    Counting(Most),
}

impl Limit {
    /// The number, and what the operator calls it.
    pub fn most(self) -> Most {
        match self {
            Limit::Sessions(most) | Limit::Transfers(most) | Limit::Files(most) | Limit::Bytes(most) => most,
            Limit::Quota { most, .. } | Limit::Counting(most) => most,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.most().count;
        match self {
            Limit::Sessions(_) => write!(f, "{count} sessions of one user at a time"),
            Limit::Transfers(_) => write!(f, "{count} transfers of one user at a time"),
            Limit::Files(_) => write!(f, "{count} files in one session"),
            Limit::Bytes(_) => write!(f, "{count} bytes in one session"),
            Limit::Quota { .. } => write!(f, "{count} bytes of files in the home"),
            Limit::Counting(_) => {
                write!(f, "{count} bytes of files in the home, which are still being counted,")
            }
        }
    }
}
