//! How are the mode and the group written that new files and folders get, and may this process give them?

use rustix::process::{getegid, geteuid, getgroups};
use toml::Spanned;
use toml::de::DeValue;

use super::check::Faults;
use super::reader::{Key, Reader};
use super::section::{Kind, Setting, Shown};
use super::table::Config;
use super::value::{parsed, quoted};

/// Where names of groups are looked up.
pub(super) const GROUPS: &str = "/etc/group";

/// The mode of files. `OWNER` are the bits that must be in it, `MOST` those that may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessMode<const OWNER: u32, const MOST: u32>(pub u32);

/// The mode of files: the server reads and writes them.
pub type FileMode = AccessMode<0o600, 0o777>;

/// The mode of folders: the server lists and changes them. Set-group-id and sticky may be given.
pub type FolderMode = AccessMode<0o700, 0o3777>;

impl<const OWNER: u32, const MOST: u32> Setting for AccessMode<OWNER, MOST> {
    const KIND: Kind = Kind::Text {
        what: "a mode in octal digits",
        example: if OWNER == 0o600 { "0640" } else { "0750" },
        pattern: Some("^0?[0-7]{3,4}$"),
        secret: false,
    };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        parsed(reader, key, value, |text| {
            let is_octal = (3..=5).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
            let mode = u32::from_str_radix(text, 8).ok().filter(|_| is_octal).ok_or_else(String::new)?;
            if mode & !MOST != 0 {
                return Err(format!("{text:?} has bits that may not be given; {MOST:04o} has all that may"));
            }
            if mode & OWNER != OWNER {
                return Err(format!("{text:?} keeps the server out, which needs {OWNER:04o} at least"));
            }
            Ok(Self(mode))
        })
    }
    fn show(&self) -> Shown {
        Shown::Value(quoted(&format!("{:04o}", self.0)))
    }
}

/// A group, by its name or its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    text: String,
    /// Its number.
    pub number: u32,
}

impl Setting for Group {
    const KIND: Kind = Kind::Text {
        what: "a group, by its name or its number",
        example: "www-data",
        pattern: None,
        secret: false,
    };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        parsed(reader, key, value, |text| {
            let number = text.parse().ok().or_else(|| number_of(text)).ok_or_else(|| {
                format!(
                    "there is no group {text:?} in {GROUPS}; one that stands elsewhere is given by its number"
                )
            })?;
            Ok(Self { text: text.to_owned(), number })
        })
    }
    fn show(&self) -> Shown {
        Shown::Value(quoted(&self.text))
    }
}

fn number_of(name: &str) -> Option<u32> {
    let groups = std::fs::read(GROUPS).ok()?;
    String::from_utf8_lossy(&groups).lines().find_map(|line| {
        let mut fields = line.split(':');
        let is_it = fields.next() == Some(name);
        fields.nth(1)?.parse().ok().filter(|_| is_it)
    })
}

/// Only a process that is in a group may give it to a file.
pub(super) fn check(config: &Config, faults: &mut Faults) {
    let of_users =
        config.user.iter().enumerate().map(|(index, user)| (format!("user.{index}.group"), &user.group));
    for (place, group) in std::iter::once(("upload.group".to_owned(), &config.upload.group)).chain(of_users) {
        let Some(Group { text, number }) = group else { continue };
        let is_in = geteuid().is_root()
            || getegid().as_raw() == *number
            || getgroups().is_ok_and(|groups| groups.iter().any(|group| group.as_raw() == *number));
        if !is_in {
            faults.add(
                place,
                format!("this process (uid {}) is not in the group {text}, so it cannot give it to files", geteuid().as_raw()),
                format!("run `usermod -aG {text} USER` for the server's user and start the server again, or name one of its own groups"),
            );
        }
    }
}
