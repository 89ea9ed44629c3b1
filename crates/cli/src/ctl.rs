//! `carrack ctl`: asks a running server of this machine.

use std::path::PathBuf;

use carrack_core::account::User;
use carrack_daemon::config;
use carrack_daemon::ctl::{
    Answer, Ban, Banned, Draining, Refusal, Reloaded, Request, Session, State, Status, Upgraded, ask,
};
use carrack_daemon::state::standard_folder;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::arguments::ctl::{Ctl, Order};
use crate::client::screen::harmless;
use crate::exit::{Failure, Status as Exit};

/// Runs `carrack ctl …`.
pub(crate) fn ctl(arguments: Ctl) -> Result<(), Failure> {
    let state = state(&arguments)?;
    let request = request(&arguments.order)?;
    let answer = ask(&state, &request).map_err(Failure::failed)?;
    if arguments.json {
        let line = serde_json::to_string(&answer).map_err(Failure::failed)?;
        say!("{line}");
        return match answer {
            Answer::Refused(_) => Err(Failure::told(Exit::Failed)),
            _ => Ok(()),
        };
    }
    match answer {
        Answer::Status(status) => return say_lines(&of_status(&status)),
        Answer::Sessions(sessions) => return say_lines(&of_sessions(&sessions)),
        Answer::Kicked { sessions: 1 } => say!("1 session was told to go"),
        Answer::Kicked { sessions } => say!("{sessions} sessions were told to go"),
        Answer::Bans(bans) => return say_lines(&of_bans(&bans)),
        Answer::Banned(Banned { network, sessions, .. }) => {
            say!("nobody is let in from {network}; sessions from there that were told to go: {sessions}");
        }
        Answer::Unbanned(unbanned) => say!("{} is let in again", unbanned.network),
        Answer::Reloaded(reloaded) => return of_reload(&reloaded),
        Answer::Draining(Draining { connections, deadline_s }) => {
            say!(
                "draining: {connections} connections are there; what still runs in {deadline_s} seconds is cut"
            );
        }
        Answer::Upgraded(Upgraded { process }) => {
            say!("process {process} serves; the one before drains");
        }
        Answer::Refused(Refusal { why, .. }) => return Err(Failure::failed(why)),
        Answer::HandedOver(_) => return Err(Failure::failed("the server answers what it was not asked")),
    }
    Ok(())
}

/// The state folder of the server that is meant.
fn state(arguments: &Ctl) -> Result<PathBuf, Failure> {
    match (&arguments.config, &arguments.state) {
        (Some(file), _) => config::state_of(file).map_err(crate::config::wrong),
        (None, Some(folder)) => Ok(folder.clone()),
        (None, None) => standard_folder().ok_or_else(|| {
            Failure::usage(
                "neither XDG_STATE_HOME nor HOME is set; name the server with --config FILE or --state DIR",
            )
        }),
    }
}

fn request(order: &Order) -> Result<Request, Failure> {
    Ok(match order {
        Order::Status => Request::Status {},
        Order::Sessions => Request::Sessions {},
        Order::Reload => Request::Reload {},
        Order::Drain => Request::Drain {},
        Order::Upgrade => Request::Upgrade {},
        Order::Bans => Request::Bans {},
        Order::Ban(ban) => {
            Request::Ban { network: ban.network.clone(), for_s: ban.for_s, why: ban.why.clone() }
        }
        Order::Unban { network } => Request::Unban { network: network.clone() },
        Order::Kick(kick) => match kick.whom.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["user", name] => Request::Kick {
                session: None,
                user: Some(name.to_owned()),
                virtual_server: kick.virtual_server.clone(),
            },
            [number] if number.parse::<u64>().is_ok() && kick.virtual_server.is_none() => {
                Request::Kick { session: number.parse().ok(), user: None, virtual_server: None }
            }
            _ => return Err(Failure::usage("kick takes the number of a session, or user NAME")),
        },
    })
}

fn say_lines(lines: &[String]) -> Result<(), Failure> {
    for line in lines {
        // SECURITY: names and paths are what clients made them.
        say!("{}", harmless(line));
    }
    Ok(())
}

fn of_status(status: &Status) -> Vec<String> {
    let state = match status.state {
        State::Serving => "serving",
        State::Draining => "draining",
    };
    let mut lines = vec![
        format!("carrack {}, process {}", status.version, status.process),
        format!("{state} since {}", moment(status.since_s)),
    ];
    lines.extend(status.config.iter().map(|file| format!("configuration  {file}")));
    lines.extend(status.listeners.iter().map(|one| format!("listener       {} {}", one.mode, one.address)));
    lines.extend(
        status.certificates.iter().map(|one| format!("certificate    {}, {} days left", one.file, one.days)),
    );
    lines.push(format!("connections    {}", status.connections));
    lines.push(format!("logged in      {}", status.sessions));
    lines.push(format!("transfers      {}", status.transfers));
    lines
}

/// A moment on the clock of this machine.
fn moment(unix_s: u64) -> String {
    let moment = i64::try_from(unix_s).ok().and_then(|unix_s| Timestamp::from_second(unix_s).ok());
    let shown =
        |moment: Timestamp| moment.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    moment.map(shown).unwrap_or_default()
}

fn of_bans(bans: &[Ban]) -> Vec<String> {
    let mut rows = vec![["NETWORK", "UNTIL", "BY", "WHY"].map(str::to_owned)];
    rows.extend(bans.iter().map(|ban| {
        let until = ban.until_s.map_or_else(|| "it is lifted".to_owned(), moment);
        [ban.network.clone(), until, ban.by.clone(), ban.why.clone()]
    }));
    table(&rows)
}

fn of_sessions(sessions: &[Session]) -> Vec<String> {
    let dash = || "-".to_owned();
    let mut rows =
        vec![["ID", "USER", "PEER", "TLS", "HERE", "IDLE", "BYTES", "RATE", "DOING"].map(str::to_owned)];
    rows.extend(sessions.iter().map(|one| {
        let doing = one.doing.as_ref();
        [
            one.session.to_string(),
            one.user
                .as_deref()
                .map_or_else(dash, |name| User { server: one.virtual_server.as_deref(), name }.to_string()),
            one.peer.clone(),
            one.tls.clone().unwrap_or_else(dash),
            span(one.lasted_s),
            one.idle_s.map_or_else(dash, span),
            one.bytes.map_or_else(dash, |bytes| bytes.to_string()),
            doing.map_or_else(dash, |doing| format!("{}/s", doing.rate)),
            doing.map_or_else(dash, |doing| format!("{} {}", doing.command, doing.path)),
        ]
    }));
    table(&rows)
}

/// As wide as what stands in it, and harmless to the terminal.
fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> Vec<String> {
    let rows: Vec<_> = rows.iter().map(|row| row.each_ref().map(|cell| harmless(cell))).collect();
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..COLUMNS).map(|column| width(column).unwrap_or_default()).collect();
    let padded = |(cell, width): (&String, &usize)| format!("{cell:width$}");
    rows.iter()
        .map(|row| row.iter().zip(&widths).map(padded).collect::<Vec<_>>().join("  ").trim_end().to_owned())
        .collect()
}

/// Seconds as people read them: `1d02h`, `3h05m`, `4m09s`, `7s`.
fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", seconds % 60),
        (0, _, _) => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

fn of_reload(Reloaded { next_start, warnings }: &Reloaded) -> Result<(), Failure> {
    for warning in warnings {
        crate::client::screen::line(&format!("carrack: warning: {warning}"));
    }
    say!("reloaded: new sessions have it");
    if !next_start.is_empty() {
        say!("counts only at the next start: {}", next_start.join(", "));
        say!("`carrack ctl upgrade` is one that refuses nobody");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_as_exact_as_they_are_short() {
        let spans: Vec<_> = [0, 59, 61, 3_700, 90_000].into_iter().map(span).collect();
        assert_eq!(spans, ["0s", "59s", "1m01s", "1h01m", "1d01h"]);
    }

    #[test]
    fn a_table_is_aligned_and_nothing_in_it_drives_the_terminal() {
        let one = |session, user: &str| Session {
            session,
            peer: "192.0.2.1:4711".to_owned(),
            protocol: "ftp".to_owned(),
            lasted_s: 5,
            user: Some(user.to_owned()),
            virtual_server: None,
            tls: None,
            idle_s: Some(1),
            bytes: Some(0),
            doing: None,
        };
        let lines = of_sessions(&[one(1, "a\u{1b}[2J"), one(12, "bob")]);
        assert!(lines.iter().all(|line| !line.contains('\u{1b}')), "{lines:?}");
        let column = lines[0].find("PEER").unwrap();
        assert!(lines.iter().skip(1).all(|line| line[column..].starts_with("192.0.2.1")), "{lines:?}");
    }
}
