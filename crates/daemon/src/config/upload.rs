//! How do uploads come to rest? The rows of `[upload]`.

use super::created::{FileMode, FolderMode, Group};
use super::section::section;
use super::value::Seconds;
use super::words::{Partials, Publish, UploadDigest};

section! {
    defaulted
    /// How uploads come to rest.
    pub struct Upload {
        /// When an upload appears under its name.
        NewSessions publish: Publish = [Publish::Atomic];
        /// Whether success is answered only after file and folder are on disk.
        NewSessions sync: bool = [true];
        /// Of which uploads a digest is computed while the bytes come, so that `HASH` and its kin answer at once afterwards. SHA-256 may cost
        /// more processor time than all else an upload does.
        NewSessions digest: UploadDigest = [UploadDigest::Asked];
        /// Who sees an unfinished upload in listings. FileZilla resumes only what it sees.
        NewSessions partials: Partials = [Partials::Hidden];
        /// The mode of new files, in octal digits such as `0640`, whatever the umask of the process. A file that replaces another gets the mode
        /// and the group of that one. Left out: 0666 less the umask.
        NewSessions file_mode: Option<FileMode> = [optional];
        /// The mode of folders that users make, such as `0750`, or `2770` with set-group-id. Left out: 0777 less the umask.
        NewSessions dir_mode: Option<FolderMode> = [optional];
        /// The group of new files and folders, by its name or number. The server has to be in it. Left out: the server's own, or in a
        /// folder with set-group-id that of the folder.
        NewSessions group: Option<Group> = [optional];
        /// Seconds after which an unfinished upload that nobody went on with is removed.
        AtOnce partial_expiry_s: Seconds<60, 315_360_000> = [Seconds(604_800)];
    }
}
