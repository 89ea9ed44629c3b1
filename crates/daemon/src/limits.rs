//! What do the limits of the configuration come to for an account?

use carrack_core::limits::{AccountLimits, Most};

use crate::config::{Config, Count, User};
use crate::hours::Schedule;

/// The limits of one user: what the user's own table says, or else `[limits]`.
pub(crate) fn of_user(config: &Config, user: &User, schedule: &mut Schedule) -> AccountLimits {
    let limits = &config.limits;
    AccountLimits {
        sessions: nearest(
            (user.sessions.map(count), "user.sessions"),
            (limits.sessions_per_user.map(count), "limits.sessions_per_user"),
        ),
        transfers: nearest(
            (user.transfers.map(count), "user.transfers"),
            (limits.transfers_per_user.map(count), "limits.transfers_per_user"),
        ),
        files_per_session: nearest(
            (user.files_per_session.map(count), "user.files_per_session"),
            (limits.files_per_session.map(count), "limits.files_per_session"),
        ),
        bytes_per_session: nearest(
            (user.bytes_per_session.map(|bytes| bytes.0), "user.bytes_per_session"),
            (limits.bytes_per_session.map(|bytes| bytes.0), "limits.bytes_per_session"),
        ),
        rates: schedule.of_user(config, user),
        transfer_rates: schedule.of_transfer(config, user),
    }
}

fn count<const MINIMUM: u64, const MAXIMUM: u64>(count: Count<MINIMUM, MAXIMUM>) -> u64 {
    count.0.into()
}

/// The first that says something, by the name of its option.
fn nearest(own: (Option<u64>, &'static str), all: (Option<u64>, &'static str)) -> Option<Most> {
    [own, all].into_iter().find_map(|(count, option)| count.map(|count| Most { count, option }))
}
