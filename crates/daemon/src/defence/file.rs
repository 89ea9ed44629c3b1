//! How do bans outlive a restart? In a small file of the state folder, a JSON object per line, replaced whole.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use carrack_net::{Ban, BannedBy, Bans, Moment};
use serde_json::{Value, json};

use crate::state::BansFile;

/// How often the file is written at most: a flood of bans is one write a second.
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// Takes up what the last run has left. A file that cannot be read costs the bans and not the start.
pub(crate) fn restore(bans: &Bans, file: &BansFile) {
    match file.read() {
        Ok(Some(text)) => {
            let (found, damaged) = parse(&text);
            if damaged > 0 {
                let why = format!("{damaged} lines are none that a server writes");
                tracing::warn!(target: "carrack", why, "bans_unreadable");
            }
            bans.restore(found, Moment::now());
        }
        Ok(None) => {}
        Err(error) => tracing::warn!(target: "carrack", why = %error, "bans_unreadable"),
    }
}

/// Writes the file after every change, for as long as it is polled.
pub(crate) async fn keep(bans: Arc<Bans>, file: Arc<BansFile>) {
    loop {
        bans.changed().await;
        let (own, to) = (Arc::clone(&bans), Arc::clone(&file));
        let _ = tokio::task::spawn_blocking(move || save(&own, &to)).await;
        tokio::time::sleep(WRITE_EVERY).await;
    }
}

/// Writes the file now.
pub(crate) fn save(bans: &Bans, file: &BansFile) {
    let text: String = bans.remembered(Moment::now()).iter().map(line).collect();
    if let Err(error) = file.write(text.as_bytes()) {
        tracing::warn!(target: "carrack", why = %error, "bans_not_saved");
    }
}

fn line(ban: &Ban) -> String {
    let until_s =
        ban.until.map(|until| until.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |s| s.as_secs()));
    let by = match ban.by {
        BannedBy::Score => "score",
        BannedBy::Operator => "operator",
    };
    let (network, why, times) = (ban.network.to_string(), &ban.why, ban.times);
    format!("{}\n", json!({"network": network, "until_s": until_s, "why": why, "by": by, "times": times}))
}

/// The bans in a text, and how many lines are none.
fn parse(text: &[u8]) -> (Vec<Ban>, usize) {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let (found, damaged): (Vec<_>, Vec<_>) = lines.map(ban).partition(Option::is_some);
    (found.into_iter().flatten().collect(), damaged.len())
}

fn ban(line: &[u8]) -> Option<Ban> {
    let value: Value = serde_json::from_slice(line).ok()?;
    let until = match value.get("until_s")? {
        Value::Null => None,
        seconds => Some(SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds.as_u64()?))?),
    };
    Some(Ban {
        network: value.get("network")?.as_str()?.parse().ok()?,
        until,
        why: value.get("why")?.as_str()?.to_owned(),
        by: match value.get("by")?.as_str()? {
            "score" => BannedBy::Score,
            "operator" => BannedBy::Operator,
            _ => return None,
        },
        times: u32::try_from(value.get("times")?.as_u64()?).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::StateFolder;

    fn bans() -> Vec<Ban> {
        let until = SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
        let network = |text: &str| text.parse().unwrap();
        let why = "a \"word\"\nand another".to_owned();
        vec![
            Ban {
                network: network("192.0.2.7"),
                until: Some(until),
                why: why.clone(),
                by: BannedBy::Score,
                times: 3,
            },
            Ban { network: network("2001:db8::/64"), until: None, why, by: BannedBy::Operator, times: 0 },
        ]
    }

    #[test]
    fn what_was_written_is_read_and_what_is_damaged_is_left_out() {
        let mut text: String = bans().iter().map(line).collect();
        assert_eq!(parse(text.as_bytes()), (bans(), 0));
        text.push_str("{\"network\":\"192.0.2.7/8\",\"until_s\":1,\"why\":\"\",\"by\":\"score\",\"times\":1}\nnonsense\n{}\n");
        assert_eq!(parse(text.as_bytes()), (bans(), 3));
        assert_eq!(parse(b"\xff\xff"), (Vec::new(), 1));
    }

    #[test]
    fn a_restart_finds_the_bans_in_the_state_folder() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateFolder::open(dir.path()).unwrap();
        let file = state.bans().unwrap();
        let before = Bans::default();
        restore(&before, &file);
        assert!(before.list(Moment::now()).is_empty());
        before.restore(bans(), Moment::now());
        save(&before, &file);
        let after = Bans::default();
        restore(&after, &file);
        assert_eq!(after.list(Moment::now()), bans());
    }

    #[test]
    fn a_file_of_no_use_costs_the_bans_alone() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateFolder::open(dir.path()).unwrap();
        let file = state.bans().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("bans")).unwrap();
        let bans = Bans::default();
        restore(&bans, &file);
        assert!(bans.list(Moment::now()).is_empty());
        // It is replaced and not written through.
        save(&bans, &file);
        assert!(std::fs::symlink_metadata(dir.path().join("bans")).unwrap().is_file());
    }
}
