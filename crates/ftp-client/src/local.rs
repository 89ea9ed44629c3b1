//! How does the local disk take part in a copy without anything being written where it does not belong?
//!
//! A target is a [`Folder`]: a handle of the folder that the user named, by whatever links. What lies beneath it is
//! reached name by name from that handle, and no name on the way may be a symbolic link, so neither the names a server
//! lists nor a link that stands in the target lead anywhere else.

pub(crate) mod failure;
pub(crate) mod folder;
pub(crate) mod glob;
pub(crate) mod in_place;
pub(crate) mod partial;
pub(crate) mod scan;
pub(crate) mod source;
