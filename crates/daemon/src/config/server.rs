//! As whom does the process serve, and what may it still do then?

use toml::Spanned;
use toml::de::DeValue;

use super::check::Faults;
use super::choice::words;
use super::created::{GROUPS, Group};
use super::reader::{Key, Reader};
use super::section::{Kind, Setting, Shown, section};
use super::table::Config;
use super::value::{parsed, quoted};

/// Where names of users are looked up.
const USERS: &str = "/etc/passwd";

section! {
    defaulted
    /// The process of the server: as whom it runs, and what it may still do once it serves. Page `operations.md` tells more.
    pub struct ServerProcess {
        /// The user of the system as whom a server that root has started reads this file, opens its files and serves, by name or number. Of
        /// root's rights it keeps that to ports below 1024. Left out: whoever started it.
        Restart user: Option<SystemUser> = [optional];
        /// Its group, by name or number. Left out: that user's own.
        Restart group: Option<Group> = [optional];
        /// Whether the server keeps to the folders and the system calls that its work takes (Landlock and seccomp). The log says at the start
        /// what is in force.
        Restart sandbox: Sandbox = [Sandbox::On];
        /// Whether the server may leave core dumps, and debuggers of its user may look into it. Keys and passwords stand in its memory.
        Restart core_dumps: bool = [false];
    }
}

words! {
    /// How far the server is kept to what its work takes.
    pub enum Sandbox {
        /// as far as the system can
        On = "on",
        /// wholly: it does not start where the system cannot
        Require = "require",
        /// not at all
        Off = "off",
    }
}

/// A user of the system, by name or number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemUser {
    text: String,
    /// Its number.
    pub number: u32,
    /// The group it is in by its own entry; `None` for a number without one.
    pub group: Option<u32>,
    /// The groups that it is in beside.
    pub groups: Vec<u32>,
}

impl SystemUser {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Finds it in the texts of `/etc/passwd` and `/etc/group`.
    fn find(text: &str, users: &str, groups: &str) -> Option<Self> {
        let number = text.parse::<u32>().ok();
        let entry = users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (name, uid, gid) =
                (fields.next()?, fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
            (name == text || Some(uid) == number).then_some((name, uid, gid))
        });
        let Some((name, number, group)) = entry else {
            return number.map(|number| Self {
                text: text.to_owned(),
                number,
                group: None,
                groups: Vec::new(),
            });
        };
        let beside = groups.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let number: u32 = fields.nth(2)?.parse().ok()?;
            fields.next()?.split(',').any(|member| member == name).then_some(number)
        });
        Some(Self { text: text.to_owned(), number, group: Some(group), groups: beside.collect() })
    }
}

impl Setting for SystemUser {
    const KIND: Kind = Kind::Text {
        what: "a user of the system, by name or number",
        example: "carrack",
        pattern: None,
        secret: false,
    };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        let text_of = |path| String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
        parsed(reader, key, value, |text| {
            Self::find(text, &text_of(USERS), &text_of(GROUPS)).ok_or_else(|| {
                format!(
                    "there is no user {text:?} in {USERS}; one that stands elsewhere is given by its number"
                )
            })
        })
    }
    fn show(&self) -> Shown {
        Shown::Value(quoted(&self.text))
    }
}

/// A group comes with its user.
pub(super) fn check(config: &Config, faults: &mut Faults) {
    let server = &config.server;
    match &server.user {
        None if server.group.is_some() => {
            faults.add(
                "server.group",
                "there is a group without a user",
                "name `user` as well, or take it out",
            );
        }
        Some(user) if user.group.is_none() && server.group.is_none() => faults.add(
            "server.user",
            format!("the number {} stands in no line of {USERS}, so nothing says its group", user.as_str()),
            "name `group` as well",
        ),
        _ => {}
    }
    if server.sandbox != Sandbox::Off && config.users.asks() && config.roots.is_empty() {
        faults.add(
            "roots",
            "homes of users who stand in no file are known only at their login, and the sandbox has to know before where they lie",
            "name the folders beneath which they lie, such as roots = [\"/srv\"], or set server.sandbox = \"off\"",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_comes_with_its_groups() {
        let users = "root:x:0:0:root:/root:/bin/sh\ncarrack:x:998:997::/var/lib/carrack:/usr/sbin/nologin\n";
        let groups =
            "root:x:0:\nwww-data:x:33:alice,carrack\ncarrack:x:997:\ntls:x:50:carrack\nnear:x:51:carrack2\n";
        let carrack = SystemUser::find("carrack", users, groups).unwrap();
        assert_eq!((carrack.number, carrack.group, &carrack.groups[..]), (998, Some(997), &[33, 50][..]));
        assert_eq!(SystemUser::find("998", users, groups).unwrap().groups, [33, 50]);
        let bare = SystemUser::find("4711", users, groups).unwrap();
        assert_eq!((bare.number, bare.group, bare.groups.len()), (4711, None, 0));
        assert_eq!(SystemUser::find("nobody-here", users, groups), None);
    }

    #[test]
    fn a_number_without_an_entry_needs_its_group_named() {
        let of = |more: &str| {
            let problems =
                super::super::parse(&format!("[server]\n{more}\n"), std::path::Path::new("/")).unwrap_err();
            problems.into_iter().find(|problem| problem.key.starts_with("server")).map(|problem| problem.mend)
        };
        assert_eq!(of("user = \"471100\"").unwrap(), "name `group` as well");
        assert_eq!(of("user = \"471100\"\ngroup = \"0\""), None);
        assert!(of("group = \"0\"").unwrap().starts_with("name `user`"));
        assert!(of("user = \"nobody here\"").is_some());
        assert!(of("sandbox = \"enforced\"").is_some());
    }
}
