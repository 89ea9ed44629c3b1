//! What can be granted? The seven permissions and sets of them.

use std::fmt;
use std::str::FromStr;

/// One thing that a user may do in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Permission {
    /// See names, sizes and times.
    List,
    /// Download.
    Read,
    /// Upload under a name that is not there yet.
    Write,
    /// Replace or extend a complete file that is there; change the time or mode of what is there.
    Overwrite,
    /// Remove files and empty folders.
    Delete,
    /// Give files and folders other names; needed where they leave and where they arrive.
    Rename,
    /// Make folders.
    Mkdir,
}

impl Permission {
    /// Every permission, in the order in which configurations name them.
    pub const ALL: [Permission; 7] = [
        Permission::List,
        Permission::Read,
        Permission::Write,
        Permission::Overwrite,
        Permission::Delete,
        Permission::Rename,
        Permission::Mkdir,
    ];

    /// The word that configurations use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Permission::List => "list",
            Permission::Read => "read",
            Permission::Write => "write",
            Permission::Overwrite => "overwrite",
            Permission::Delete => "delete",
            Permission::Rename => "rename",
            Permission::Mkdir => "mkdir",
        }
    }
}

/// The word is none of the permissions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such permission; there are list, read, write, overwrite, delete, rename and mkdir")]
pub struct UnknownPermission;

impl FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(word: &str) -> Result<Permission, UnknownPermission> {
        Permission::ALL.into_iter().find(|permission| permission.as_str() == word).ok_or(UnknownPermission)
    }
}

/// A set of permissions.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Permissions(u8);

impl Permissions {
    /// Nothing at all.
    pub const NONE: Permissions = Permissions(0);
    /// Everything.
    pub const ALL: Permissions = Permissions::of(&Permission::ALL);
    /// Looking and downloading.
    pub const READ_ONLY: Permissions = Permissions::of(&[Permission::List, Permission::Read]);

    /// The set of these.
    pub const fn of(mut permissions: &[Permission]) -> Permissions {
        let mut bits = 0;
        while let [first, rest @ ..] = permissions {
            bits |= 1 << *first as u8;
            permissions = rest;
        }
        Permissions(bits)
    }

    /// Whether `permission` is in the set.
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u8) != 0
    }

    /// Whether the sets have anything in common.
    pub const fn intersects(self, other: Permissions) -> bool {
        self.0 & other.0 != 0
    }

    /// What both sets grant.
    #[must_use]
    pub const fn intersection(self, other: Permissions) -> Permissions {
        Permissions(self.0 & other.0)
    }

    /// Whether nothing is granted.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The permissions of the set.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |permission| self.contains(*permission))
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Permissions {
        permissions.into_iter().fold(Permissions::NONE, |set, one| Permissions(set.0 | 1 << one as u8))
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_they_were_given() {
        for permission in Permission::ALL {
            assert_eq!(permission.as_str().parse(), Ok(permission));
            assert!(Permissions::ALL.contains(permission));
            assert!(!Permissions::NONE.contains(permission));
            assert_eq!(Permissions::of(&[permission]).iter().collect::<Vec<_>>(), [permission]);
        }
        assert_eq!(Permission::ALL.into_iter().collect::<Permissions>(), Permissions::ALL);
        assert_eq!("chmod".parse::<Permission>(), Err(UnknownPermission));
    }
}
