//! Which machine is this? A number that stays the same across restarts and differs between machines, for the
//! digits of a generated client id.

use std::fs;
use std::path::Path;

/// The hostname, as the kernel knows it.
const HOSTNAME: &str = "proc/sys/kernel/hostname";

/// The FNV-1a hash, 32 bits, of the first of these that is there:
///
/// 1. `/etc/machine-id`, which systemd and D-Bus make;
/// 2. the hardware address of the first network interface, by name, that is a device: bridges, tunnels and VLANs
///    come and go, and their addresses with them;
/// 3. the same of any interface but the loopback (a container has no devices);
/// 4. the hostname.
///
/// `root` is `/`, or a folder that stands for it. Files that cannot be read count as missing.
pub fn machine_id(root: &Path) -> u32 {
    let source = etc_machine_id(root)
        .or_else(|| hardware_address(root, true))
        .or_else(|| hardware_address(root, false))
        .or_else(|| read_trimmed(&root.join(HOSTNAME)))
        .unwrap_or_default();
    fnv1a(source.as_bytes())
}

/// systemd writes the word `uninitialized` until the machine's first start is complete.
fn etc_machine_id(root: &Path) -> Option<String> {
    read_trimmed(&root.join("etc/machine-id")).filter(|id| id != "uninitialized")
}

fn hardware_address(root: &Path, device_only: bool) -> Option<String> {
    let (_, address) = fs::read_dir(root.join("sys/class/net"))
        .ok()?
        .flatten()
        .filter(|entry| entry.file_name() != "lo")
        .filter(|entry| !device_only || entry.path().join("device").exists())
        .filter_map(|entry| {
            Some((
                entry.file_name(),
                read_trimmed(&entry.path().join("address"))?,
            ))
        })
        .filter(|(_, address)| address.bytes().any(|byte| !matches!(byte, b'0' | b':')))
        .min()?;
    Some(address)
}

/// The file's text without the white space around it; `None` if nothing is left.
fn read_trimmed(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// FNV-1a, 32 bits (RFC 9923).
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, &byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process;

    use super::*;

    /// Path below the root, and text.
    type File = (&'static str, &'static str);

    const ETH0: File = ("sys/class/net/eth0/address", "00:11:22:33:44:55\n");
    const HOST: File = (HOSTNAME, "gateway\n");

    /// A folder that stands for `/`, and is removed at the end.
    struct Root(PathBuf);

    impl Root {
        fn new(name: &str, files: &[File]) -> Root {
            let root =
                Root(std::env::temp_dir().join(format!("machine-id-{}-{name}", process::id())));
            fs::create_dir_all(&root.0).unwrap();
            for (path, text) in files {
                let path = root.0.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            root
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_best_source_that_is_there_makes_the_id() {
        let bridge = ("sys/class/net/br-lan/address", "02:00:00:00:00:01\n");
        let device = ("sys/class/net/eth0/device/vendor", "0x1\n");
        let second = ("sys/class/net/eth1/address", "00:11:22:33:44:56\n");
        let loopback = ("sys/class/net/lo/address", "00:00:00:00:00:00\n");
        let tunnel = ("sys/class/net/a-tun/address", "00:00:00:00:00:00\n");
        let point_to_point = ("sys/class/net/a-ppp/address", "\n");
        let cases: &[(&str, &[File], &str)] = &[
            (
                "machine-id",
                &[("etc/machine-id", "0123abcd\n"), ETH0, HOST],
                "0123abcd",
            ),
            (
                "empty",
                &[("etc/machine-id", ""), ETH0, HOST],
                "00:11:22:33:44:55",
            ),
            (
                "uninitialized",
                &[("etc/machine-id", "uninitialized\n"), ETH0],
                "00:11:22:33:44:55",
            ),
            (
                "a device before a bridge",
                &[bridge, ETH0, device, HOST],
                "00:11:22:33:44:55",
            ),
            ("no device", &[bridge, ETH0, HOST], "02:00:00:00:00:01"),
            ("sorted", &[second, ETH0, HOST], "00:11:22:33:44:55"),
            (
                "no address",
                &[tunnel, point_to_point, second, HOST],
                "00:11:22:33:44:56",
            ),
            ("loopback only", &[loopback, HOST], "gateway"),
            ("hostname", &[HOST], "gateway"),
            ("nothing", &[], ""),
        ];
        for (name, files, source) in cases {
            let root = Root::new(name, files);
            assert_eq!(machine_id(&root.0), fnv1a(source.as_bytes()), "{name}");
        }
    }

    #[test]
    fn this_machine_has_the_same_id_twice() {
        let id = machine_id(Path::new("/"));
        assert_eq!(machine_id(Path::new("/")), id);
    }

    #[test]
    fn the_hash_is_fnv1a() {
        for (text, hash) in [
            ("", 0x811c_9dc5),
            ("a", 0xe40c_292c),
            ("foobar", 0xbf9c_f968),
        ] {
            assert_eq!(fnv1a(text.as_bytes()), hash, "{text}");
        }
    }
}
