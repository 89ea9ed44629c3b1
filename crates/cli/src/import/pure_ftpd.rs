//! Pure-FTPd's `pureftpd.passwd`, as `pure-pw` writes it; the `.pdb` beside it is made of it.

use carrack_daemon::config::Network;

use super::{EVERYTHING, Imported, lines, quoted};

/// What stands between the home that a user is confined to and the folder in it where it begins.
const CONFINED: &str = "/./";

pub(super) fn users(text: &str) -> Result<Vec<Imported>, String> {
    lines(text).map(|(number, line)| user(line).ok_or_else(|| not_one(number))).collect()
}

fn not_one(number: usize) -> String {
    format!("line {number} is none of a pureftpd.passwd, which has 18 fields with colons between them")
}

fn user(line: &str) -> Option<Imported> {
    let fields: Vec<&str> = line.split(':').collect();
    let [
        name,
        hash,
        _uid,
        _gid,
        _gecos,
        home,
        upload,
        download,
        upload_ratio,
        download_ratio,
        sessions,
        files,
        bytes,
        local,
        no_local,
        networks,
        no_networks,
        hours,
    ] = fields[..]
    else {
        return None;
    };
    let (root, begins_at) = home.split_once(CONFINED).unwrap_or((home, ""));
    let mut user = Imported::new(name, hash, Some(root));
    user.lines.push(EVERYTHING.to_owned());
    if !home.contains(CONFINED) {
        user.note("it was not confined to its home, and here it is: name a folder that has all it needs");
    }
    if !begins_at.is_empty() {
        user.note(format!("it began in /{begins_at}, and here it begins in /"));
    }
    for (key, value) in [
        ("upload_bytes_per_s", upload),
        ("download_bytes_per_s", download),
        ("sessions", sessions),
        ("quota_bytes", bytes),
    ] {
        match value.parse::<u64>() {
            Ok(0) => {}
            Ok(number) => user.line(key, number),
            Err(_) if value.is_empty() => {}
            Err(_) => user.note(format!("{value:?} is no number, so there is no {key}")),
        }
    }
    let admitted: Vec<_> = networks.split(',').map(str::trim).filter(|network| !network.is_empty()).collect();
    let is_network = |network: &&str| network.parse::<Network>().is_ok();
    if !admitted.is_empty() && admitted.iter().all(is_network) {
        let list: Vec<_> = admitted.iter().map(|network| quoted(network)).collect();
        user.line("networks", format!("[{}]", list.join(", ")));
    } else if !admitted.is_empty() {
        // SECURITY: rather nobody than everybody.
        user.lines.push("disabled = true".to_owned());
        user.note(format!("it may come from {networks} alone, of which not all are addresses: write `networks`, and take `disabled` out"));
    }
    for (value, what, mend) in [
        (
            no_networks,
            "addresses it may not come from",
            "list those it may come from in `networks`, or deny them to all in [access]",
        ),
        (
            local,
            "addresses of the server that it may come to",
            "give those a [[listen]] and an `allow` of its own",
        ),
        (
            no_local,
            "addresses of the server that it may not come to",
            "give the others a [[listen]] of its own",
        ),
        (files, "a limit on the number of files", "quota_bytes limits their bytes"),
        (upload_ratio, "a ratio of uploads", "there are none here"),
        (download_ratio, "a ratio of downloads", "there are none here"),
        (
            hours,
            "hours at which alone it may log in",
            "there are none here; `disabled` keeps it out at all hours",
        ),
    ] {
        if !value.is_empty() && value != "0" {
            user.note(format!("it had {what} ({value}), which were not taken over: {mend}"));
        }
    }
    Some(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_and_networks_are_taken_over_and_what_there_is_not_is_told() {
        let line = "alice:$6$x$y:1000:1000::/srv/alice/./in:51200:102400:1:2:3:5:10485760:::192.0.2.0/24,::1:192.0.2.9:800-1800";
        // An IPv6 address has colons of its own, so Pure-FTPd cannot keep any either.
        assert!(users(line).is_err());
        let users = users(&line.replace(",::1", "")).ok().unwrap();
        let expected = [
            EVERYTHING,
            "upload_bytes_per_s = 51200",
            "download_bytes_per_s = 102400",
            "sessions = 3",
            "quota_bytes = 10485760",
            "networks = [\"192.0.2.0/24\"]",
        ];
        assert_eq!(users[0].lines, expected);
        assert_eq!(users[0].home.as_deref(), Some("/srv/alice"));
        assert_eq!(users[0].notes.len(), 6, "{:?}", users[0].notes);
    }

    #[test]
    fn who_may_come_from_places_that_are_no_addresses_is_let_in_from_nowhere() {
        let users = users("bob:$6$x$y:1:1::/srv/./::::::::::office.example::").ok().unwrap();
        assert!(users[0].lines.contains(&"disabled = true".to_owned()), "{:?}", users[0].lines);
    }
}
