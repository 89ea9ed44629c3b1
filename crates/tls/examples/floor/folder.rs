//! Where do uploads go? Under a partial name first, and then whole or not at all to their own.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

/// A folder that is gone behind the run.
pub(crate) struct Folder {
    path: PathBuf,
    open: File,
    is_synced: bool,
}

impl Folder {
    pub(crate) fn make(beneath: &Path, is_synced: bool) -> Folder {
        let path = beneath.join(format!("floor-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Folder { open: File::open(&path).unwrap(), path, is_synced }
    }

    pub(crate) fn opened(&self) -> &File {
        &self.open
    }

    pub(crate) fn begin(&self) -> File {
        File::create_new(self.path.join("partial")).unwrap()
    }

    pub(crate) fn publish(&self, file: &File, name: &str) {
        if self.is_synced {
            file.sync_all().unwrap();
        }
        fs::rename(self.path.join("partial"), self.path.join(name)).unwrap();
        if self.is_synced {
            self.open.sync_all().unwrap();
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
