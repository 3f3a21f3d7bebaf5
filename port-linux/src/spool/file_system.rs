//! Where may a spool lie, and where not? By the kind of file system, as statfs(2) tells it.

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::statfs;

/// Kinds of which there is something to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    Overlay,
    Jffs2,
    /// Memory: tmpfs, ramfs.
    Memory,
    Other,
}

impl FileSystem {
    /// What lies under this path.
    pub fn of(path: &Path) -> Option<Self> {
        // Numbers of linux/magic.h, 32 bits wide; some processors show them with a sign.
        Some(match statfs(path).ok()?.f_type as u32 {
            0x794c_7630 => FileSystem::Overlay,
            0x72b6 => FileSystem::Jffs2,
            0x0102_1994 | 0x8584_58f6 => FileSystem::Memory,
            _ => FileSystem::Other,
        })
    }

    /// What a folder will lie on that is to be made.
    pub fn for_new(path: &CStr) -> Option<Self> {
        FileSystem::of(parent(Path::new(OsStr::from_bytes(path.to_bytes()))))
    }

    pub fn name(self) -> &'static str {
        match self {
            FileSystem::Overlay => "overlayfs",
            FileSystem::Jffs2 => "jffs2",
            FileSystem::Memory => "tmpfs",
            FileSystem::Other => "another file system",
        }
    }

    /// Whether a gateway has such a one as its root file system.
    pub fn may_be_the_roots(self) -> bool {
        matches!(self, FileSystem::Overlay | FileSystem::Jffs2)
    }
}

/// The folder that this one is in.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
