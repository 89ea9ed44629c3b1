//! What does an operator do about bans?

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use carrack_core::live::LiveSessions;
use carrack_net::{BannedBy, Bans, Moment, Network};

use super::protocol::{Answer, Ban, Banned, Unbanned};

/// Why somebody is banned, where the operator did not say.
const UNSAID: &str = "by the operator";

/// Longest reason that is kept, in bytes.
const LONGEST_WHY: usize = 200;

/// All bans in force.
pub(super) fn list(bans: &Bans) -> Answer {
    let shown = |ban: carrack_net::Ban| Ban {
        network: ban.network.to_string(),
        until_s: ban.until.map(unix_s),
        why: ban.why,
        by: match ban.by {
            BannedBy::Score => "server".to_owned(),
            BannedBy::Operator => "operator".to_owned(),
        },
    };
    Answer::Bans(bans.list(Moment::now()).into_iter().map(shown).collect())
}

/// Lets nobody in from a network, and ends the sessions that are there from it.
pub(super) async fn ban(
    bans: &Bans,
    live: &LiveSessions,
    network: &str,
    for_s: Option<u64>,
    why: Option<&str>,
    patience: Duration,
) -> Answer {
    let network: Network = match network.parse() {
        Ok(network) => network,
        Err(error) => return Answer::refused(format!("{network:?} cannot be banned: {error}")),
    };
    let why = why.unwrap_or(UNSAID);
    if why.len() > LONGEST_WHY {
        return Answer::refused(format!("a reason has at most {LONGEST_WHY} bytes"));
    }
    let now = Moment::now();
    let until = match for_s.map(|for_s| now.wall.checked_add(Duration::from_secs(for_s))) {
        None => None,
        Some(Some(until)) => Some(until),
        Some(None) => return Answer::refused("no clock shows the end of that; leave the time out"),
    };
    if let Err(error) = bans.ban(network, until, why, now) {
        return Answer::refused(error.to_string());
    }
    let all = live.describe(patience).await;
    let theirs = all.iter().filter(|one| network.contains(one.origin.peer.ip()));
    let sessions = theirs.filter(|one| live.dismiss(one.origin.id)).count();
    let until_s = until.map(unix_s);
    tracing::warn!(target: "carrack", %network, until_s, why, sessions, "banned_by_operator");
    Answer::Banned(Banned { network: network.to_string(), until_s, sessions })
}

/// Lets a network in again.
pub(super) fn unban(bans: &Bans, network: &str) -> Answer {
    let parsed: Network = match network.parse() {
        Ok(network) => network,
        Err(error) => return Answer::refused(format!("{network:?} is no network: {error}")),
    };
    if !bans.unban(parsed, Moment::now()) {
        return Answer::refused(format!("{parsed} is not banned; `carrack ctl bans` lists who is"));
    }
    tracing::info!(target: "carrack", network = %parsed, "unbanned");
    Answer::Unbanned(Unbanned { network: parsed.to_string() })
}

fn unix_s(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
