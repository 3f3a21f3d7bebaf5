//! Which gateway is it whose power is cut? The emulated one, with a small disk and ext4, or with UBIFS on its NOR flash, and the daemon's spool there.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use fastrand::Rng;
use tempfile::TempDir;

use super::disk::{Disk, Kind};
use crate::Config;
use crate::board::HOST;
use crate::install::{self, Tool};
use crate::machine::{self, image, kernel, source};
use crate::process::{Lines, Process};
use crate::{config, wait};

/// What makes the disk, and the flash.
pub const TOOLS: [Tool; 2] = [MKE2FS, UBINIZE];
const MKE2FS: Tool = Tool::new("mke2fs", "e2fsprogs");
const UBINIZE: Tool = Tool::new("ubinize", "mtd-utils");

/// Where the spool is, in the gateway.
pub const SPOOL: &str = "/spool/mqtt-client";

/// In bytes. The second is the size of the board's flash.
const DISK: u64 = 32 << 20;
const FLASH: usize = 4 << 20;

/// The part of the flash that is free, in bytes, and its number as the kernel counts the parts.
const FLASH_PART: std::ops::Range<usize> = 0x10_0000..0x3e_0000;
const FLASH_PART_NUMBER: &str = "ubi.mtd=1";

/// One volume in all of it, without a file system: the kernel makes that when it is mounted for the first time.
const VOLUME: &str = "[spool]
mode=ubi
vol_id=0
vol_type=dynamic
vol_name=spool
vol_size=1MiB
vol_flags=autoresize
";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    Ext4,
    Ubifs,
}

impl Storage {
    fn name(self) -> &'static str {
        match self {
            Storage::Ext4 => "ext4",
            Storage::Ubifs => "ubifs",
        }
    }

    /// A disk with an empty file system, whose socket is in `folder`.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[must_use]
    pub fn disk(self, folder: &Path) -> Disk {
        let path = socket(folder);
        let disk = match self {
            Storage::Ext4 => Disk::new(Kind::Cached, ext4(folder), &path),
            Storage::Ubifs => Disk::new(Kind::Flash, ubifs().clone(), &path),
        };
        disk.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("disk")
}

/// An empty file system, with all its tables written.
fn ext4(folder: &Path) -> Vec<u8> {
    let path = folder.join("ext4");
    std::fs::File::create(&path)
        .and_then(|file| file.set_len(DISK))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut mke2fs = Command::new(install::path(MKE2FS));
    mke2fs.args(["-q", "-F", "-t", "ext4"]);
    mke2fs.args(["-E", "lazy_itable_init=0,lazy_journal_init=0"]);
    source::run(mke2fs.arg(&path)).unwrap_or_else(|error| panic!("{error}"));
    std::fs::read(&path).expect("the file is there")
}

/// The same on flash: what a gateway has made of an empty volume, which must not be interrupted.
fn ubifs() -> &'static Vec<u8> {
    static MADE: OnceLock<Vec<u8>> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = TempDir::new().expect("a temporary folder");
        let volume = volume(folder.path());
        let mut flash = vec![0xff; FLASH];
        flash[FLASH_PART][..volume.len()].copy_from_slice(&volume);
        let path = socket(folder.path());
        let disk = Disk::new(Kind::Flash, flash, &path).expect("a socket");
        // Its daemon has nothing to do.
        let table = config::cloud().signal("p").with_ports(1, 1);
        let image = image(folder.path(), &table);
        let mut gateway = Gateway::boot(&image, folder.path(), Storage::Ubifs);
        gateway.wait_until_mounted();
        gateway.kill();
        disk.restore(&mut Rng::with_seed(0));
        disk.content()
    })
}

fn volume(folder: &Path) -> Vec<u8> {
    let path = folder.join("volume");
    let (plan, made) = (path.with_extension("ini"), path.with_extension("ubi"));
    std::fs::write(&plan, VOLUME).expect("write to a temporary folder");
    let mut ubinize = Command::new(install::path(UBINIZE));
    // The sizes of the emulator's flash: a block, what is written at once, and with that where the second header is.
    ubinize.args(["-p", "64KiB", "-m", "1", "-O", "64"]);
    source::run(ubinize.arg("-o").arg(&made).arg(&plan)).unwrap_or_else(|error| panic!("{error}"));
    std::fs::read(&made).expect("the file is there")
}

/// The gateway's root file system, for many lives. Where the table names this machine's own servers, the gateway is told where it sees them.
///
/// # Panics
///
/// If it cannot be built.
#[must_use]
pub fn image(folder: &Path, table: &Config) -> PathBuf {
    let table = table.clone().with_host(HOST).to_json();
    image::write_for_power_cuts(folder, &table).unwrap_or_else(|error| panic!("{error}"))
}

/// One life of the gateway. Dropping it kills the emulator.
pub struct Gateway(Process);

impl Gateway {
    /// Switches it on, with the disk whose socket is in `folder`.
    ///
    /// # Panics
    ///
    /// If the emulator does not start.
    #[must_use]
    pub fn boot(image: &Path, folder: &Path, storage: Storage) -> Self {
        let kernel = kernel::path().unwrap_or_else(|error| panic!("{error}"));
        let mut append = format!("console=ttyS0 quiet panic=-1 storage={}", storage.name());
        let nbd = format!(
            "driver=nbd,server.type=unix,server.path={}",
            socket(folder).display()
        );
        let storage = match storage {
            Storage::Ext4 => [
                String::from("-blockdev"),
                format!("{nbd},node-name=spool"),
                String::from("-device"),
                // A slot whose interrupt is not the network's: the board's interrupts are told by edges, and one of two that share a line can be
                // missed, with all that comes after it.
                String::from("virtio-blk-pci,drive=spool,addr=0x14,romfile="),
            ]
            .to_vec(),
            Storage::Ubifs => {
                append += " ";
                append += FLASH_PART_NUMBER;
                let nbd = nbd.replace("driver=", "file.driver=");
                let nbd = nbd.replace("server.", "file.server.");
                [
                    String::from("-drive"),
                    format!("if=pflash,format=raw,{nbd}"),
                ]
                .to_vec()
            }
        };
        let words = machine::board(kernel, image, &append);
        let words: Vec<_> = words.into_iter().chain(storage).collect();
        let process = Process::start("the gateway", &install::path(machine::QEMU), &words);
        Self(process)
    }

    /// Its console: the kernel's, the init script's and the daemon's lines.
    #[must_use]
    pub fn console(&self) -> &Lines {
        self.0.stdout()
    }

    /// Waits until the file system is there.
    ///
    /// # Panics
    ///
    /// If it does not come.
    pub fn wait_until_mounted(&self) {
        let mounted = wait::within(machine::BOOT, || {
            wait::holds(!self.console().with(&["is mounted"]).is_empty())
        });
        mounted.expect("a file system that is mounted");
    }

    /// Ends the emulator with SIGKILL.
    pub fn kill(&mut self) {
        self.0.kill();
    }
}
