//! How are the segments' files opened, so that they are ours and nobody else's? In a folder of mode 0700 that belongs to our user, locked against
//! a second process; files of mode 0600; no symbolic link is followed. The folder lies in that of all spools, which may be root's, and is made
//! where it is missing, but never on a gateway's root file system: there a card that is not mounted would leave its place to be written to.

use std::ffi::{CStr, CString};
use std::fs::{File, Metadata};
use std::mem::take;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use mqtt_client_core::spool::{Fault, SegmentHead};
use rustix::fs::{
    AtFlags, CWD, Dir, FlockOperation, Mode, OFlags, fchmod, fdatasync, flock, fstatvfs, fsync,
    mkdirat, openat, renameat, unlinkat,
};
use rustix::io::{Errno, pread, pwrite};
use rustix::process::geteuid;

use super::file_system::FileSystem;

const ENDING: &str = ".spool";

/// Serial numbers of segments with their bytes, oldest first.
pub type Segments = Vec<(u32, u32)>;

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

fn open(opened: Result<OwnedFd, Errno>) -> Result<File, Fault> {
    opened.map(File::from).map_err(fault)
}

fn open_folder(parent: BorrowedFd<'_>, path: &CStr) -> Result<File, Fault> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
    open(openat(parent, path, flags, Mode::empty()))
}

/// The same; it is made where only itself is missing.
fn make_folder(parent: BorrowedFd<'_>, path: &CStr) -> Result<File, Fault> {
    match mkdirat(parent, path, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => open_folder(parent, path),
        // On read-only storage it may be there all the same.
        Err(error) => open_folder(parent, path).map_err(|_| fault(error)),
    }
}

/// The folder of all spools. Whose it is, and where.
fn open_path(path: &CStr) -> Result<File, Fault> {
    let place = FileSystem::for_new(path);
    let folder = if place.is_some_and(FileSystem::may_be_the_roots) {
        open_folder(CWD, path)
    } else {
        make_folder(CWD, path)
    }?;
    is_owned(&folder, &[geteuid().as_raw(), 0]).map(|_| folder)
}

/// Mode of a folder of one of these users.
fn is_owned(folder: &File, users: &[u32]) -> Result<u32, Fault> {
    let metadata = folder.metadata().map_err(|_| Fault::Missing)?;
    if users.contains(&metadata.uid()) {
        Ok(metadata.mode())
    } else {
        Err(Fault::NotOurs)
    }
}

impl Folder {
    /// Opens the folder of this device in that of all spools.
    pub fn open(path: &CStr, alias: &CStr) -> Result<Self, Fault> {
        let parent = open_path(path)?;
        let folder = make_folder(parent.as_fd(), alias)?;
        if is_owned(&folder, &[geteuid().as_raw()])? & 0o077 != 0 {
            fchmod(&folder, Mode::RWXU).map_err(fault)?;
        }
        flock(&folder, FlockOperation::NonBlockingLockExclusive).map_err(fault)?;
        Ok(Folder::of(folder))
    }

    /// Opens a folder as it is, to look at it: not locked, whoever it belongs to.
    pub fn look_into(path: &CStr) -> Result<Self, Fault> {
        open_folder(CWD, path).map(Folder::of)
    }

    fn of(folder: File) -> Self {
        Folder {
            folder,
            written: None,
            read: None,
            is_dirty: false,
            has_changed: false,
        }
    }

    /// Bytes that are free for us.
    pub fn free(&self) -> u64 {
        fstatvfs(&self.folder).map_or(0, |stat| stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// The segments. Files of another format get another name, where this is the spool of a device.
    pub fn segments(&self, device: Option<&CStr>) -> Result<Segments, Fault> {
        let mut segments = Segments::new();
        for entry in Dir::read_from(&self.folder).map_err(fault)? {
            let entry = entry.map_err(fault)?;
            let Some(serial) = serial_of(entry.file_name().to_bytes()) else {
                continue;
            };
            let Ok(file) = self.file(serial, OFlags::RDONLY) else {
                continue;
            };
            let Some(metadata) = file.metadata().ok().filter(Metadata::is_file) else {
                continue;
            };
            let mut head = [0; 32];
            if pread(&file, &mut head, 0) == Ok(head.len()) && is_of_another_version(&head) {
                if let Some(device) = device {
                    self.set_aside(serial, device)?;
                }
                continue;
            }
            let len = u32::try_from(metadata.len()).unwrap_or(u32::MAX);
            let place = segments.partition_point(|(other, _)| *other < serial);
            segments.insert(place, (serial, len));
        }
        Ok(segments)
    }

    /// What an earlier process wrote, and was ended before it synced it: from now on it counts as what survives a power cut. All before the newest
    /// segment was synced when that was begun. What fails here will fail again once something is written.
    pub fn sync_newest(&self, segments: &Segments) {
        if let Some((newest, _)) = segments.last()
            && let Ok(file) = self.file(*newest, OFlags::RDONLY)
        {
            let _ = fdatasync(&file);
            let _ = fsync(&self.folder);
        }
    }

    fn set_aside(&self, serial: u32, device: &CStr) -> Result<(), Fault> {
        let [from, to] = [ENDING, ".unknown"].map(|ending| name_of(serial, ending));
        renameat(&self.folder, &from, &self.folder, &to).map_err(fault)?;
        log::warn!(
            "{}: {serial:08x}{ENDING} of the spool is not of this version's format, and set aside as {serial:08x}.unknown",
            device.to_string_lossy()
        );
        Ok(())
    }

    /// Reads as many bytes of a segment from `at` on as it has; how many.
    pub fn read(&mut self, segment: u32, at: u32, bytes: &mut [u8]) -> Result<usize, Fault> {
        if !matches!(&self.read, Some((open, _)) if *open == segment) {
            self.read = match self.file(segment, OFlags::RDONLY) {
                Ok(file) => Some((segment, file)),
                Err(Fault::Missing) => None,
                Err(fault) => return Err(fault),
            };
        }
        let Some((_, file)) = &self.read else {
            return Ok(0);
        };
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match pread(file, rest, u64::from(at) + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(Errno::INTR) => {}
                Err(error) => return Err(fault(error)),
            }
        }
        Ok(filled)
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
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match pwrite(file, rest, u64::from(at) + written as u64) {
                // As std has it: nothing else will be written either.
                Ok(0) => return Err(Fault::Full),
                Ok(count) => written += count,
                Err(Errno::INTR) => {}
                Err(error) => return Err(fault(error)),
            }
        }
        Ok(())
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
        match unlinkat(&self.folder, name_of(segment, ENDING), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(fault(error)),
        }
    }

    pub fn sync(&mut self) -> Result<(), Fault> {
        self.sync_file()?;
        if take(&mut self.has_changed) {
            fsync(&self.folder).map_err(fault)?;
        }
        Ok(())
    }

    fn sync_file(&mut self) -> Result<(), Fault> {
        if take(&mut self.is_dirty)
            && let Some((_, file)) = &self.written
        {
            fdatasync(file).map_err(fault)?;
        }
        Ok(())
    }

    fn file(&self, segment: u32, flags: OFlags) -> Result<File, Fault> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let name = name_of(segment, ENDING);
        open(openat(&self.folder, &name, flags, Mode::RUSR | Mode::WUSR))
    }
}

/// Not one that age has damaged: whoever wrote it says that it is a spool's.
fn is_of_another_version(head: &[u8; 32]) -> bool {
    head.starts_with(b"mqS") && head[3] != b'1' && SegmentHead::read(head).is_none()
}

/// Names of segments have eight hexadecimal digits, as [`name_of`] writes them.
fn serial_of(name: &[u8]) -> Option<u32> {
    let digits = name.strip_suffix(ENDING.as_bytes())?;
    let mut serial = 0;
    for digit in digits {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        serial = serial << 4 | u32::from(digit);
    }
    (digits.len() == 8).then_some(serial)
}

fn name_of(segment: u32, ending: &str) -> CString {
    // It has no NUL.
    CString::new(format!("{segment:08x}{ending}")).unwrap_or_default()
}
