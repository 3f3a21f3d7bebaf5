//! How is the socket made, so that it is ours and nobody else's? With mode 0600 from its first moment on, in a folder that nobody else can put
//! another one into. That of a daemon that has died is replaced, that of one that lives is not; no symbolic link is followed.

use std::fs::{File, OpenOptions, symlink_metadata};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, fchmod, flock};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::geteuid;

/// Askers that the kernel lets wait.
const BACKLOG: i32 = 16;

const OTHERS_WRITE: u32 = 0o022;
/// In a folder with this bit (`/tmp`), a file is renamed and removed by its owner only.
const STICKY: u32 = 0o1000;

/// A socket with a place in the file system, which it leaves when it is dropped.
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and number of its file.
    id: (u64, u64),
}

impl Socket {
    /// # Errors
    /// `AddrInUse`: a daemon answers there. `NotFound`: the folder is missing.
    pub fn bind(path: &Path) -> io::Result<Socket> {
        let folder = open_folder(path)?;
        // Two that start together do not take each other's socket for a dead one's.
        flock(&folder, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| io::Error::new(ErrorKind::AddrInUse, "another daemon is starting"))?;
        remove_dead(path)?;
        let socket = rustix::net::socket_with(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )?;
        // The file that `bind` makes has the mode that the socket has by then.
        fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
        rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
        rustix::net::listen(&socket, BACKLOG)?;
        let file = symlink_metadata(path)?;
        let socket = Socket {
            listener: socket.into(),
            path: path.into(),
            id: (file.dev(), file.ino()),
        };
        // An emulator, or a file system, may know better.
        rustix::fs::chmod(path, Mode::RUSR | Mode::WUSR)?;
        Ok(socket)
    }

    /// The next one who asks.
    ///
    /// # Errors
    /// `WouldBlock`: nobody.
    pub fn accept(&self) -> io::Result<UnixStream> {
        let (stream, _) = self.listener.accept()?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let is_ours =
            symlink_metadata(&self.path).is_ok_and(|file| (file.dev(), file.ino()) == self.id);
        if is_ours {
            // What is left is replaced by the next daemon.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The folder of this path, in which nobody but we and root may replace our files.
fn open_folder(path: &Path) -> io::Result<File> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let folder = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits() as i32)
        .open(folder.unwrap_or(Path::new(".")))?;
    let found = folder.metadata()?;
    let others_write = found.mode() & OTHERS_WRITE != 0 && found.permissions().mode() & STICKY == 0;
    if !is_trusted(found.uid()) || others_write {
        return Err(io::Error::other("others may write to its folder"));
    }
    Ok(folder)
}

/// Removes the socket of a daemon that has died.
fn remove_dead(path: &Path) -> io::Result<()> {
    let found = match symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.file_type().is_socket() || !is_trusted(found.uid()) {
        return Err(io::Error::other("it is there, and no socket of ours"));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        _ => Err(io::Error::new(
            ErrorKind::AddrInUse,
            "another daemon answers there",
        )),
    }
}

fn is_trusted(user: u32) -> bool {
    user == 0 || user == geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::symlink;

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("status-{}-{name}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
            Folder(folder)
        }

        fn socket(&self) -> PathBuf {
            self.0.join("status.sock")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn refused(path: &Path) -> String {
        Socket::bind(path).err().expect("a refusal").to_string()
    }

    #[test]
    fn the_file_is_its_owners_alone_and_goes_with_the_socket() {
        let folder = Folder::new("mode");
        let socket = Socket::bind(&folder.socket()).unwrap();
        let file = symlink_metadata(folder.socket()).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
        drop(socket);
        assert!(symlink_metadata(folder.socket()).is_err());
    }

    #[test]
    fn a_dead_ones_file_is_replaced_and_a_living_ones_is_not() {
        let folder = Folder::new("dead");
        drop(UnixListener::bind(folder.socket()).unwrap());
        let living = Socket::bind(&folder.socket()).unwrap();
        assert_eq!(refused(&folder.socket()), "another daemon answers there");
        assert!(UnixStream::connect(folder.socket()).is_ok());
        drop(living);
    }

    #[test]
    fn a_file_that_has_taken_its_place_is_left_there() {
        let folder = Folder::new("replaced");
        let socket = Socket::bind(&folder.socket()).unwrap();
        std::fs::remove_file(folder.socket()).unwrap();
        let other = UnixListener::bind(folder.socket()).unwrap();
        drop(socket);
        assert!(UnixStream::connect(folder.socket()).is_ok());
        drop(other);
    }

    #[test]
    fn neither_a_link_nor_a_file_is_followed_or_replaced() {
        let folder = Folder::new("link");
        let target = folder.0.join("target");
        for make in [
            |target: &Path, path: &Path| symlink(target, path),
            |_: &Path, path: &Path| std::fs::write(path, "kept"),
        ] {
            make(&target, &folder.socket()).unwrap();
            let before = symlink_metadata(folder.socket()).unwrap().ino();
            assert_eq!(
                refused(&folder.socket()),
                "it is there, and no socket of ours"
            );
            assert_eq!(symlink_metadata(folder.socket()).unwrap().ino(), before);
            assert!(!target.exists());
            std::fs::remove_file(folder.socket()).unwrap();
        }
        let linked = folder.0.join("folder");
        symlink(&folder.0, &linked).unwrap();
        assert!(Socket::bind(&linked.join("status.sock")).is_err());
        assert!(!folder.socket().exists());
    }

    #[test]
    fn a_folder_in_which_others_may_replace_it_is_not_used() {
        let folder = Folder::new("folder");
        for (mode, is_used) in [
            (0o750, true),
            (0o757, false),
            (0o770, false),
            (0o1777, true),
        ] {
            std::fs::set_permissions(&folder.0, Permissions::from_mode(mode)).unwrap();
            let socket = Socket::bind(&folder.socket());
            assert_eq!(socket.is_ok(), is_used, "{mode:o}");
        }
        assert!(Socket::bind(&folder.0.join("none/status.sock")).is_err());
    }
}
