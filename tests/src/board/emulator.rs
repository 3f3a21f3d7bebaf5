//! How does a board run here? Under QEMU, whose two cords (console, monitor) are Unix sockets in the board's own folder, whose output is the
//! log, and whose network is QEMU's own: a DHCP server, a name server, and the host at 10.0.2.2.

use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use super::image::Image;
use super::log::Decoded;
use crate::install::{self, Tool};
use crate::process::Process;
use crate::wait;

/// The emulator of boards.
pub const QEMU: Tool = Tool {
    program: "qemu-system-arm",
    package: "qemu-system-arm",
};

/// The names of the board's cable and of the two networks that it can lead to, for [`Monitor`](super::monitor::Monitor).
pub const CABLE: &str = "cable";
pub const NETWORK: &str = "network";
pub const OTHER_NETWORK: &str = "other";

/// The board, the two networks and a hub between them. Both are alike, but for the addresses that their DHCP servers give away.
const WIRING: [[&str; 2]; 6] = [
    ["-netdev", "user,id=network,dhcpstart=10.0.2.15"],
    ["-netdev", "user,id=other,dhcpstart=10.0.2.99"],
    ["-netdev", "hubport,hubid=0,id=port0,netdev=network"],
    ["-netdev", "hubport,hubid=0,id=port1,netdev=other"],
    ["-netdev", "hubport,hubid=0,id=cable"],
    ["-net", "nic,netdev=cable"],
];

/// The harness's ends.
pub struct Cords {
    pub console: UnixStream,
    pub monitor: UnixStream,
}

/// Starts an image, with the file `table` in the region for the mapping table, and `more` arguments for QEMU.
///
/// # Panics
///
/// If QEMU does not start.
pub fn start(
    image: &'static Image,
    folder: &Path,
    table: &Path,
    more: &[&str],
) -> (Process, Cords) {
    let [console, monitor] = ["console", "monitor"].map(|name| Cord::new(folder, name));
    let loader = format!(
        "loader,file={},addr={:#x},force-raw=on",
        table.display(),
        image.configuration
    );
    let kernel = image.path.display().to_string();
    // Not before it is told to: first the other network is unplugged.
    let mut arguments: Vec<String> = ["-M", "mps2-an385", "-nographic", "-nodefaults", "-S"]
        .map(String::from)
        .to_vec();
    for cord in [&console, &monitor] {
        arguments.extend([String::from("-chardev"), cord.option()]);
    }
    let machine = [
        ["-semihosting-config", "enable=on,target=native"],
        ["-serial", "chardev:console"],
        ["-mon", "chardev=monitor,mode=control"],
        ["-device", &loader],
        ["-kernel", &kernel],
    ];
    let words = WIRING.iter().chain(&machine).flatten().chain(more);
    arguments.extend(words.map(|&word| String::from(word)));
    let process = Process::start_decoded("QEMU", &install::path(QEMU), &arguments, |output| {
        Decoded::new(image, output)
    });
    let cords = Cords {
        console: console.plugged_in(),
        monitor: monitor.plugged_in(),
    };
    (process, cords)
}

/// A socket that QEMU connects to.
pub struct Cord {
    name: &'static str,
    path: String,
    listener: UnixListener,
}

impl Cord {
    /// Listens in a folder of the test's own.
    ///
    /// # Panics
    ///
    /// If it cannot.
    pub fn new(folder: &Path, name: &'static str) -> Self {
        let path = folder.join(name);
        let listener = UnixListener::bind(&path).expect("listen in a temporary folder");
        listener.set_nonblocking(true).expect("a socket's option");
        Self {
            name,
            path: path.display().to_string(),
            listener,
        }
    }

    /// What QEMU is told after `-chardev`.
    pub fn option(&self) -> String {
        format!("socket,id={},path={}", self.name, self.path)
    }

    /// The harness's end, once QEMU has connected.
    ///
    /// # Panics
    ///
    /// If it does not within [`wait::LIMIT`].
    #[track_caller]
    pub fn plugged_in(self) -> UnixStream {
        let what = format_args!("QEMU at its {}", self.name);
        let (stream, _) = wait::until(what, || self.listener.accept().ok());
        stream.set_nonblocking(false).expect("a socket's option");
        stream
    }
}
