//! ProFTPD's `AuthUserFile`: passwd(5) with the hashes in it, as `ftpasswd` writes it.

use super::{EVERYTHING, Imported, lines};

pub(super) fn users(text: &str) -> Result<Vec<Imported>, String> {
    lines(text).map(|(number, line)| user(line).ok_or_else(|| not_one(number))).collect()
}

fn not_one(number: usize) -> String {
    format!("line {number} is none of an AuthUserFile, which has seven fields with colons between them")
}

fn user(line: &str) -> Option<Imported> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, hash, _uid, _gid, _gecos, home, _shell] = fields[..] else { return None };
    let mut user = Imported::new(name, hash, Some(home));
    user.lines.push(EVERYTHING.to_owned());
    Some(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwd_lines_are_users_and_others_are_named() {
        let users =
            users("# made by hand\nalice:$6$x$y:1000:1000:Alice:/srv/alice:/bin/false\r\n\n").ok().unwrap();
        assert_eq!(users.len(), 1);
        assert_eq!((users[0].name.as_str(), users[0].home.as_deref()), ("alice", Some("/srv/alice")));
        assert!(super::users("alice:x\n").is_err_and(|why| why.starts_with("line 1")));
    }
}
