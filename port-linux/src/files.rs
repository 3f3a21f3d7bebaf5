//! How is a file read that the user names? Bounded, and without waiting for anybody: neither a FIFO nor a device may hold the daemon, nor a huge file fill
//! its memory.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// The bytes of a regular file, in memory that was taken once: no copy of a part of them is left elsewhere.
///
/// # Errors
/// It cannot be read, is no regular file, or has more than `limit` bytes.
pub fn read_regular(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read_all(open(path)?, limit)
}

/// A regular file, to be read piece by piece.
///
/// # Errors
/// As [`read_regular`], as far as the file says how long it is.
#[cfg(feature = "tls")]
pub fn open_regular(path: &Path, limit: u64) -> io::Result<File> {
    let file = open(path)?;
    length(&file, limit)?;
    Ok(file)
}

fn open(path: &Path) -> io::Result<File> {
    // To open a FIFO would wait for its other end.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits() as i32)
        .open(path)?;
    let kind = file.metadata()?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok(file)
}

/// The same of whatever can be read, a pipe too: it may wait for a writer.
///
/// # Errors
/// It cannot be read, or has more than `limit` bytes.
pub fn read_any(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read_all(File::open(path)?, limit)
}

fn read_all(file: File, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length(&file, limit)? as usize + 1);
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(too_large(limit));
    }
    Ok(bytes)
}

fn length(file: &File, limit: u64) -> io::Result<u64> {
    let length = file.metadata()?.len();
    if length > limit {
        return Err(too_large(limit));
    }
    Ok(length)
}

fn too_large(limit: u64) -> io::Error {
    let limit = limit >> 20;
    io::Error::other(format!("it is larger than {limit} MiB"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn only_a_regular_file_of_bounded_length_is_read_and_nothing_waits() {
        let folder = std::env::temp_dir().join(format!("files-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = |name: &str| folder.join(name);
        fs::write(path("whole"), [7; 1 << 20]).unwrap();
        fs::write(path("longer"), vec![7; (1 << 20) + 1]).unwrap();
        // A hole, which takes no room on the disk.
        let huge = File::create(path("huge")).unwrap();
        huge.set_len(1 << 40).unwrap();
        mknodat(CWD, path("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let read = |path: &Path| read_regular(path, 1 << 20).map_err(|error| error.to_string());
        assert_eq!(read(&path("whole")).unwrap().len(), 1 << 20);
        for (file, words) in [
            (path("longer"), "larger than 1 MiB"),
            (path("huge"), "larger than 1 MiB"),
            (path("fifo"), "not a regular file"),
            ("/dev/zero".into(), "not a regular file"),
            ("/dev/ptmx".into(), "not a regular file"),
            (folder.clone(), "Is a directory"),
            (path("none"), "No such file"),
            // It says that it has no length.
            ("/proc/self/mem".into(), "error"),
        ] {
            let error = read(&file).expect_err("it is refused");
            assert!(error.contains(words), "{}: {error}", file.display());
        }
        let endless = read_any(Path::new("/dev/zero"), 1 << 20).unwrap_err();
        assert_eq!(endless.to_string(), "it is larger than 1 MiB");
        fs::remove_dir_all(folder).unwrap();
    }
}
