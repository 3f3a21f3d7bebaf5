//! How does a file appear whole, or not at all?

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use tempfile::Builder;

use crate::Failure;

/// Writes a file in the place of an older one, if there is one.
///
/// A new file belongs to its owner alone, since it may hold passwords; one that takes an older one's place gets that one's
/// permissions. On Windows it has those of its folder. Whatever goes wrong, the older one stays as it was.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    replace(path, bytes).map_err(|error| denied(path, &error))
}

/// Writes a workbook, but never over another file, whose other tabs and rows would be lost.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let made = temporary(path, bytes).and_then(|file| Ok(file.persist_noclobber(path)?));
    match made {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(failure(
            path,
            "exists already, and workbooks are not overwritten",
        )),
        Err(error) => Err(denied(path, &error)),
    }
}

/// Whether everybody on this machine may read the file. On Windows that is its folder's business.
pub fn is_open(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o004 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Where the name is a symbolic link, the file that it leads to is replaced, not the link.
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_path_buf(),
        Err(error) => return Err(error),
    };
    let old = fs::metadata(&target).ok();
    if old.as_ref().is_some_and(|old| !old.is_file()) {
        // A device or a pipe: nothing to be replaced.
        return fs::write(&target, bytes);
    }
    let file = temporary(&target, bytes)?;
    if let Some(old) = old {
        file.as_file().set_permissions(old.permissions())?;
    }
    file.persist(&target)?;
    Ok(())
}

/// A file beside `path` with these bytes, on the disk.
fn temporary(path: &Path, bytes: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = Builder::new()
        .prefix(".elseta-mqtt-config-")
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn denied(path: &Path, error: &io::Error) -> Failure {
    // Windows replaces no file that somebody has open, and says only that access is denied.
    let hint = if cfg!(windows) && error.kind() == io::ErrorKind::PermissionDenied && path.exists()
    {
        "; is it open in another program, or read-only?"
    } else {
        ""
    };
    failure(path, &format!("{error}{hint}"))
}

fn failure(path: &Path, reason: &str) -> Failure {
    Failure::Output(format!("{}: cannot be written: {reason}", path.display()))
}
