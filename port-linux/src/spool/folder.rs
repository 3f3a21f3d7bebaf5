//! How are the segments' files opened, so that they are ours and nobody else's? In a folder of mode 0700 that belongs to our user, locked against
//! a second process; files of mode 0600; no symbolic link is followed.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use mqtt_client_core::spool::{Fault, SegmentHead};
use rustix::fs::{
    self, AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, fdatasync, fstat, fstatvfs,
    fsync, openat, renameat, unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

const ENDING: &str = ".spool";

/// A spool's folder, open and locked.
pub struct Folder {
    folder: File,
    /// The segments that were last written to and read from.
    written: Option<(u32, File)>,
    read: Option<(u32, File)>,
    /// It was written to since the last sync.
    is_dirty: bool,
    /// Files were made or removed since then.
    has_changed: bool,
}

fn fault(error: Errno) -> Fault {
    match error {
        Errno::NOENT | Errno::NODEV | Errno::NOTDIR | Errno::NXIO => Fault::Missing,
        Errno::NOSPC | Errno::DQUOT => Fault::Full,
        Errno::ROFS => Fault::ReadOnly,
        Errno::ACCESS | Errno::PERM | Errno::LOOP => Fault::NotOurs,
        Errno::WOULDBLOCK => Fault::InUse,
        other => Fault::Failing(other.raw_os_error()),
    }
}

fn io_fault(error: &std::io::Error) -> Fault {
    fault(Errno::from_io_error(error).unwrap_or(Errno::IO))
}

impl Folder {
    /// Opens the folder, which is made if only itself is missing.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
        match fs::mkdirat(CWD, path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            // Read-only storage without the folder is as good as missing.
            Err(error) => return Err(fault(error)),
        }
        let folder = openat(CWD, path, flags, Mode::empty()).map_err(fault)?;
        let stat = fstat(&folder).map_err(fault)?;
        if stat.st_uid != geteuid().as_raw() {
            return Err(Fault::NotOurs);
        }
        if stat.st_mode & 0o077 != 0 {
            fs::fchmod(&folder, Mode::RWXU).map_err(fault)?;
        }
        fs::flock(&folder, FlockOperation::NonBlockingLockExclusive).map_err(fault)?;
        Ok(Folder {
            folder: folder.into(),
            written: None,
            read: None,
            is_dirty: false,
            has_changed: false,
        })
    }

    /// Bytes that are free for us.
    pub fn free(&self) -> u64 {
        fstatvfs(&self.folder).map_or(0, |stat| stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// The segments with their lengths. Files of another format get another name.
    pub fn segments(&self) -> Result<BTreeMap<u32, u64>, Fault> {
        let mut segments = BTreeMap::new();
        for entry in Dir::read_from(&self.folder).map_err(fault)? {
            let entry = entry.map_err(fault)?;
            let name = entry.file_name().to_string_lossy();
            let serial = name.strip_suffix(ENDING).filter(|digits| digits.len() == 8);
            let Some(serial) = serial.and_then(|digits| u32::from_str_radix(digits, 16).ok())
            else {
                continue;
            };
            let Ok(file) = self.file(serial, OFlags::RDONLY) else {
                continue;
            };
            let stat = fstat(&file).map_err(fault)?;
            if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
                continue;
            }
            let mut head = [0; 32];
            if file.read_exact_at(&mut head, 0).is_ok() && is_of_another_version(&head) {
                let other = c_name(&format!("{serial:08x}.unknown"));
                renameat(&self.folder, c_name(&name), &self.folder, other).map_err(fault)?;
                log::warn!(
                    "{name}: not of this version's format, set aside as {serial:08x}.unknown"
                );
                continue;
            }
            segments.insert(serial, stat.st_size as u64);
        }
        Ok(segments)
    }

    pub fn read(&mut self, segment: u32, at: u32, len: usize) -> Result<Vec<u8>, Fault> {
        let mut bytes = vec![0; len];
        if !matches!(&self.read, Some((open, _)) if *open == segment) {
            self.read = match self.file(segment, OFlags::RDONLY) {
                Ok(file) => Some((segment, file)),
                Err(Fault::Missing) => None,
                Err(fault) => return Err(fault),
            };
        }
        let Some((_, file)) = &self.read else {
            return Ok(Vec::new());
        };
        let mut filled = 0;
        while filled < len {
            match file.read_at(&mut bytes[filled..], u64::from(at) + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(io_fault(&error)),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    pub fn append(&mut self, segment: u32, at: u32, bytes: &[u8]) -> Result<(), Fault> {
        if !matches!(&self.written, Some((open, _)) if *open == segment) {
            self.sync_file()?;
            let file = self.file(segment, OFlags::WRONLY | OFlags::CREATE)?;
            self.written = Some((segment, file));
            self.has_changed = true;
        }
        let Some((_, file)) = &self.written else {
            return Err(Fault::Missing);
        };
        self.is_dirty = true;
        file.write_all_at(bytes, at.into())
            .map_err(|error| io_fault(&error))
    }

    pub fn erase(&mut self, segment: u32) -> Result<(), Fault> {
        if matches!(&self.written, Some((open, _)) if *open == segment) {
            self.written = None;
            self.is_dirty = false;
        }
        if matches!(&self.read, Some((open, _)) if *open == segment) {
            self.read = None;
        }
        self.has_changed = true;
        match unlinkat(&self.folder, c_name(&name_of(segment)), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(fault(error)),
        }
    }

    pub fn sync(&mut self) -> Result<(), Fault> {
        self.sync_file()?;
        if std::mem::take(&mut self.has_changed) {
            fsync(&self.folder).map_err(fault)?;
        }
        Ok(())
    }

    fn sync_file(&mut self) -> Result<(), Fault> {
        if std::mem::take(&mut self.is_dirty)
            && let Some((_, file)) = &self.written
        {
            fdatasync(file).map_err(fault)?;
        }
        Ok(())
    }

    fn file(&self, segment: u32, flags: OFlags) -> Result<File, Fault> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let name = c_name(&name_of(segment));
        let mode = Mode::RUSR | Mode::WUSR;
        let file = openat(&self.folder, name, flags, mode).map_err(fault)?;
        Ok(file.into())
    }
}

/// Not one that age has damaged: whoever wrote it says that it is a spool's.
fn is_of_another_version(head: &[u8; 32]) -> bool {
    head.starts_with(b"mqS") && head[3] != b'1' && SegmentHead::read(head).is_none()
}

fn name_of(segment: u32) -> String {
    format!("{segment:08x}{ENDING}")
}

fn c_name(name: &str) -> CString {
    // Names of directory entries and our own have no NUL.
    CString::new(name).unwrap_or_default()
}
