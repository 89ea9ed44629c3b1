//! vsftpd's virtual users: what PAM checks them against, and their files in `user_config_dir`.
//!
//! Two kinds of files are in use: names and passwords in turns, a line each, of which `db_load` makes the database of pam_userdb; and names
//! with hashes, `name:hash`, for pam_pwdfile.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use super::{Imported, lines};

pub(super) fn users(text: &str, user_config_dir: Option<&Path>) -> Result<Vec<Imported>, String> {
    let all: Vec<_> = lines(text).collect();
    let has_hash = |(_, line): &(usize, &str)| line.split_once(':').is_some_and(|(_, hash)| !hash.is_empty());
    let mut users = match all.iter().all(has_hash) {
        true => all.iter().filter_map(|(_, line)| with_hash(line)).collect(),
        false => in_turns(text)?,
    };
    for user in &mut users {
        settings(user, user_config_dir)?;
    }
    Ok(users)
}

fn with_hash(line: &str) -> Option<Imported> {
    let (name, rest) = line.split_once(':')?;
    Some(Imported::new(name, rest.split(':').next().unwrap_or_default(), None))
}

/// Passwords that stand there in clear are hashed.
fn in_turns(text: &str) -> Result<Vec<Imported>, String> {
    let lines: Vec<_> = text.lines().map(|line| line.trim_end_matches('\r')).collect();
    let pairs = lines.chunks(2).map(|pair| match pair {
        [name, password] if !name.is_empty() && !password.is_empty() => {
            let hash = carrack_core::password::hash(password.as_bytes());
            Ok(Imported::new(
                name,
                &hash.map_err(|error| format!("the password of {name:?}: {error}"))?,
                None,
            ))
        }
        _ => Err("it has neither `name:hash` on every line, nor names and passwords in turns".to_owned()),
    });
    pairs.collect()
}

/// What the user's own file in `user_config_dir` says; vsftpd's standard where it says nothing.
fn settings(user: &mut Imported, folder: Option<&Path>) -> Result<(), String> {
    // SECURITY: the name becomes one of a file.
    let file = folder.filter(|_| !user.name.contains('/')).map(|folder| folder.join(&user.name));
    let text = match file.as_deref().map(fs::read_to_string) {
        Some(Ok(text)) => text,
        Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(format!("the file of {:?} in --user-config-dir: {error}", user.name));
        }
        _ => String::new(),
    };
    let mut said: HashMap<&str, &str> = lines(&text).filter_map(|(_, line)| line.split_once('=')).collect();
    let mut is_on = |key: &str, standard: bool| {
        said.remove(key)
            .map_or(standard, |word| ["YES", "TRUE", "1"].iter().any(|yes| word.eq_ignore_ascii_case(yes)))
    };
    let mut permissions = vec!["list", "read"];
    // With virtual_use_local_privs a virtual user has what write_enable gives, and without it what the anonymous have.
    let (writes, local) = (is_on("write_enable", false), is_on("virtual_use_local_privs", false));
    let (uploads, makes) = (is_on("anon_upload_enable", false), is_on("anon_mkdir_write_enable", false));
    let others = is_on("anon_other_write_enable", false);
    let is_granted = |by_itself: bool| writes && (local || by_itself);
    for (granted, words) in [
        (is_granted(uploads), &["write"][..]),
        (is_granted(others), &["overwrite", "delete", "rename"]),
        (is_granted(makes), &["mkdir"]),
    ] {
        if granted {
            permissions.extend(words);
        }
    }
    if !is_on("download_enable", true) {
        permissions.retain(|word| *word != "read");
    }
    let words: Vec<_> = permissions.iter().map(|word| format!("\"{word}\"")).collect();
    user.line("permissions", format!("[{}]", words.join(", ")));
    if permissions == ["list", "read"] {
        user.note("it may list and read: whatever it may write besides, say in `permissions`");
    }
    for key in ["local_root", "anon_root"] {
        if let Some(root) = said.remove(key).filter(|_| user.home.is_none()) {
            user.home = Some(root.replace("$USER", &user.name));
        }
    }
    let rate = if local { "local_max_rate" } else { "anon_max_rate" };
    if let Some(rate) = said.remove(rate).and_then(|rate| rate.parse::<u64>().ok()).filter(|rate| *rate > 0) {
        user.line("upload_bytes_per_s", rate);
        user.line("download_bytes_per_s", rate);
    }
    for key in ["local_umask", "anon_umask", "file_open_mode"] {
        if let Some(value) = said.remove(key) {
            user.note(format!("{key}={value} was not taken over: say it with `file_mode` and `dir_mode`"));
        }
    }
    // Here everybody is kept to the home, and all files are the server's.
    for key in ["chroot_local_user", "allow_writeable_chroot", "guest_enable", "guest_username"] {
        said.remove(key);
    }
    let mut left: Vec<_> = said.into_iter().collect();
    left.sort_unstable();
    for (key, value) in left {
        user.note(format!(
            "{key}={value} of its own file was not taken over: look for it in docs/configuration.md"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_files_are_read_and_others_refused() {
        let hashed = users("alice:$6$x$y\nbob:$1$x$y:more\n", None).ok().unwrap();
        assert_eq!(hashed.iter().map(|user| user.hash.as_str()).collect::<Vec<_>>(), ["$6$x$y", "$1$x$y"]);
        let clear = users("alice\nsecret:with:colons\nbob\nsecret\n", None).ok().unwrap();
        assert_eq!(clear.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["alice", "bob"]);
        assert!(clear.iter().all(|user| user.hash.starts_with("$argon2id$")));
        assert!(users("alice\nsecret\nbob\n", None).is_err());
    }

    #[test]
    fn a_users_own_file_says_what_it_may_do() {
        let dir = tempfile::tempdir().unwrap();
        let own = "local_root=/srv/$USER\nwrite_enable=YES\nanon_upload_enable=yes\nanon_max_rate=50000\nssl_enable=YES\nlocal_umask=077\n";
        fs::write(dir.path().join("alice"), own).unwrap();
        let users = users("alice:$6$x$y\nbob:$6$x$y\n", Some(dir.path())).ok().unwrap();
        let [alice, bob] = &users[..] else { panic!("two users") };
        assert_eq!(alice.home.as_deref(), Some("/srv/alice"));
        let rates = ["upload_bytes_per_s = 50000", "download_bytes_per_s = 50000"];
        assert_eq!(alice.lines, [&["permissions = [\"list\", \"read\", \"write\"]"][..], &rates].concat());
        assert_eq!(alice.notes.len(), 2, "{:?}", alice.notes);
        assert_eq!((bob.lines.len(), bob.notes.len(), bob.home.as_deref()), (1, 1, None));
    }
}
