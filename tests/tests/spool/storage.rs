//! Storage that is full, read-only, fails, hangs or vanishes, and comes back: the daemon goes on with memory only, says so once, uses it again in time,
//! and delays nobody.
//!
//! A tmpfs is mounted, and system calls are made to fail or to hang by `strace`, which both need root. Where that is not given a test says so.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use mqtt_client_tests::install::{self, Tool};
use mqtt_client_tests::process::{Process, Signal};
use mqtt_client_tests::spool::broker::Mood;
use mqtt_client_tests::{Counters, wait};
use tempfile::TempDir;

use crate::gateway::{FLUSH_INTERVAL, Gateway, USED_AGAIN, stored, table, wait_until_stored};

const STRACE: Tool = Tool::new("strace", "strace");

/// A small file system in memory, which ends with this.
struct Mount(TempDir);

impl Mount {
    fn new(size: &str) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let mount = Self(folder);
        let options = format!("size={size},mode=0700");
        match mount.call("mount", &["-t", "tmpfs", "-o", &options, "spool"]) {
            Ok(()) => Some(mount),
            Err(reason) => {
                println!("skipped: file systems cannot be mounted here ({reason})");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        self.call("mount", &["-o", &options]).unwrap();
    }

    fn call(&self, program: &str, words: &[&str]) -> Result<(), String> {
        let output = Command::new(program).args(words).arg(self.path()).output();
        let output = output.map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        output.status.success().then_some(()).ok_or(said)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: the daemon may end after this.
        let _ = self.call("umount", &["-l"]);
    }
}

/// System calls of a running daemon that fail or hang until this is dropped.
struct Injected(Process);

impl Injected {
    /// `what` in the words of strace's `inject`.
    fn into(gateway: &Gateway, what: &str) -> Option<Self> {
        install::ensure(&[STRACE]).unwrap();
        let id = gateway.daemon.id().to_string();
        let inject = format!("inject={what}");
        let words = ["-f", "-e", &inject, "-p", &id].map(String::from);
        let mut process = Process::start("strace", &install::path(STRACE), &words);
        let attached = wait::within(wait::LIMIT, || {
            let is_attached = !process.stderr().with(&["attached"]).is_empty();
            (is_attached || !process.is_running()).then_some(is_attached)
        });
        if attached != Some(true) {
            let said = process.stderr().all().join(" ");
            println!("skipped: strace may not look into the daemon here ({said})");
            return None;
        }
        Some(Self(process))
    }
}

impl Drop for Injected {
    fn drop(&mut self) {
        if self.0.is_running() {
            // It lets go of the daemon's threads first.
            self.0.signal(Signal::INT);
            self.0.wait_within(wait::LIMIT);
        }
    }
}

/// Loads the gateway while its storage is broken, for longer than two attempts to use it again, and with no more than memory has room for.
fn load_while_it_is_broken(gateway: &mut Gateway) {
    let begun = Instant::now();
    let mut room = 10_000;
    while begun.elapsed().as_secs() < 11 {
        if room > 0 {
            room -= 20;
            gateway.publish(20);
        }
        gateway.check_the_other();
    }
}

/// The storage has been mended: it is used again in time, and what is stored survives a kill.
fn check_it_is_used_again(gateway: &mut Gateway, folder: &Path) {
    let before = stored(folder);
    gateway.publish(20);
    wait_until_stored(folder, before, USED_AGAIN);
    assert!(gateway.warnings().len() <= 1, "{:?}", gateway.warnings());
    check_it_is_said(gateway);
    gateway.check_all();
    assert_eq!(gateway.daemon.stop().code, 0);
}

/// As often as it was said that it is not.
fn check_it_is_said(gateway: &Gateway) {
    let said = wait::within(USED_AGAIN, || {
        let lines = gateway.daemon.stderr().with(&["the spool is used again"]);
        wait::holds(lines.len() == gateway.warnings().len())
    });
    said.unwrap_or_else(|| panic!("{:?}", gateway.daemon.stderr().all()));
}

/// A gateway with something on storage.
fn begin(folder: &Path) -> Gateway {
    let mut gateway = Gateway::start(table(folder, 1));
    gateway.publish(100);
    wait_until_stored(folder, 0, wait::LIMIT);
    assert_eq!(gateway.warnings(), [""; 0]);
    gateway
}

#[test]
fn a_card_that_is_full_is_used_again_once_there_is_room() {
    let Some(card) = Mount::new("1m") else { return };
    let folder = card.path().join("spool");
    let mut gateway = begin(&folder);
    let filler = card.path().join("filler");
    // Until there is no room.
    let _ = std::fs::write(&filler, vec![1; 2 << 20]);
    let begun = Instant::now();
    while gateway.warnings().is_empty() && begun.elapsed() < wait::LIMIT {
        gateway.publish(50);
    }
    assert!(gateway.warnings()[0].contains("it is full"));
    load_while_it_is_broken(&mut gateway);
    std::fs::remove_file(filler).unwrap();
    check_it_is_used_again(&mut gateway, &folder);
}

#[test]
fn a_card_that_is_read_only_is_used_once_it_is_not() {
    let Some(card) = Mount::new("4m") else { return };
    let folder = card.path().join("spool");
    card.remount("ro");
    let mut gateway = Gateway::start(table(&folder, 1));
    gateway.daemon.stderr().wait_for(&["the spool is not used"]);
    assert!(
        gateway.warnings()[0].contains("read-only"),
        "{:?}",
        gateway.warnings()
    );
    load_while_it_is_broken(&mut gateway);
    card.remount("rw");
    check_it_is_used_again(&mut gateway, &folder);
}

/// A system call that fails, the words of the warning.
fn fail(inject: &str, words: &str) {
    let place = TempDir::new().unwrap();
    let folder = place.path().join("spool");
    let mut gateway = begin(&folder);
    let Some(injected) = Injected::into(&gateway, inject) else {
        return;
    };
    gateway.publish(20);
    gateway
        .daemon
        .stderr()
        .wait_for(&["the spool is not used", words]);
    load_while_it_is_broken(&mut gateway);
    drop(injected);
    check_it_is_used_again(&mut gateway, &folder);
}

#[test]
fn a_card_that_fails_to_write_is_used_again_once_it_does_not() {
    fail("pwrite64:error=EIO", "it fails (error 5)");
}

#[test]
fn a_card_that_fails_to_sync_is_used_again_once_it_does_not() {
    fail("fdatasync:error=EIO", "it fails (error 5)");
}

#[test]
fn that_a_card_is_used_again_is_said_where_nothing_waits_any_more() {
    let place = TempDir::new().unwrap();
    let folder = place.path().join("spool");
    let mut gateway = begin(&folder);
    let Some(injected) = Injected::into(&gateway, "pwrite64:error=EIO") else {
        return;
    };
    gateway.publish(20);
    gateway.daemon.stderr().wait_for(&["the spool is not used"]);
    drop(injected);
    gateway.check_all();
    check_it_is_said(&gateway);
    assert_eq!(gateway.warnings().len(), 1, "{:?}", gateway.warnings());
}

#[test]
fn a_card_that_turns_read_only_is_used_again_once_it_is_not() {
    fail("pwrite64:error=EROFS", "it is read-only");
}

#[test]
fn a_card_whose_files_cannot_be_opened_is_used_again_once_they_can() {
    fail("pwrite64,openat:error=EIO", "it fails (error 5)");
}

#[test]
fn a_card_that_fails_now_and_then_costs_nothing() {
    let place = TempDir::new().unwrap();
    let folder = place.path().join("spool");
    let mut gateway = begin(&folder);
    let calls = "pwrite64,fdatasync,fsync,openat:error=EIO:when=3+5";
    let Some(injected) = Injected::into(&gateway, calls) else {
        return;
    };
    load_while_it_is_broken(&mut gateway);
    drop(injected);
    gateway.check_all();
    check_it_is_said(&gateway);
    assert!(!gateway.warnings().is_empty());
    assert_eq!(gateway.daemon.counters("cloud").dropped, 0);
}

#[test]
fn a_card_that_vanishes_is_used_again_once_it_is_back() {
    let place = TempDir::new().unwrap();
    let (folder, away) = (place.path().join("spool"), place.path().join("away"));
    let mut gateway = begin(&folder);
    // What is open fails, and the path leads nowhere.
    let Some(injected) = Injected::into(&gateway, "pwrite64:error=EIO") else {
        return;
    };
    std::fs::rename(&folder, &away).unwrap();
    std::fs::write(&folder, "no folder").unwrap();
    gateway.publish(20);
    gateway.daemon.stderr().wait_for(&["the spool is not used"]);
    drop(injected);
    gateway
        .daemon
        .stderr()
        .wait_for(&["the spool is not used", "it is missing"]);
    load_while_it_is_broken(&mut gateway);
    // One for each change.
    assert_eq!(gateway.warnings().len(), 2, "{:?}", gateway.warnings());
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&away, &folder).unwrap();
    let before = stored(&folder);
    gateway.publish(20);
    wait_until_stored(&folder, before, USED_AGAIN);
    gateway.check_all();
}

#[test]
fn a_card_that_hangs_delays_neither_redis_nor_another_broker() {
    let place = TempDir::new().unwrap();
    let folder = place.path().join("spool");
    let mut gateway = begin(&folder);
    let Some(injected) = Injected::into(&gateway, "fdatasync:delay_enter=3600s") else {
        return;
    };
    let received = gateway.daemon.counters("cloud").received;
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed().as_secs() < 4 * FLUSH_INTERVAL {
        gateway.publish(20);
        count += 20;
        gateway.check_the_other();
    }
    gateway
        .daemon
        .wait_for_counters("cloud", |now| now.received == received + count);
    // It hangs in the middle of that, and what was accepted is delivered all the same.
    drop(injected);
    check_it_is_used_again(&mut gateway, &folder);
}

#[test]
fn a_card_that_hangs_for_30_s_is_given_up_once_memory_is_full_and_used_again() {
    let place = TempDir::new().unwrap();
    let folder = place.path().join("spool");
    let mut config = table(&folder, 1);
    config = config.device_key("buffer_size", 16_384);
    let mut gateway = Gateway::start(config);
    gateway.publish(100);
    wait_until_stored(&folder, 0, wait::LIMIT);
    let hang = "fdatasync:delay_enter=30s:when=1";
    let Some(_injected) = Injected::into(&gateway, hang) else {
        return;
    };
    let begun = Instant::now();
    while gateway.warnings().is_empty() {
        gateway.publish(200);
        gateway.check_the_other();
        assert!(begun.elapsed().as_secs() < 25, "it is not given up");
    }
    assert!(gateway.warnings()[0].ends_with("it does not answer"));
    while begun.elapsed().as_secs() < 30 {
        gateway.publish(1);
        gateway.check_the_other();
    }
    let before = stored(&folder);
    gateway.publish(20);
    wait_until_stored(&folder, before, USED_AGAIN);
    check_it_is_said(&gateway);
    assert_eq!(gateway.warnings().len(), 1, "{:?}", gateway.warnings());
    // But for what memory had no room for.
    gateway.cloud.be(Mood::There);
    let all_arrived = |now: &Counters| now.acknowledged + now.dropped == now.received;
    gateway.daemon.wait_for_counters("cloud", all_arrived);
    assert_eq!(gateway.daemon.stop().code, 0);
}

#[test]
fn a_card_that_hangs_at_the_end_is_not_waited_for() {
    let place = TempDir::new().unwrap();
    let mut gateway = begin(&place.path().join("spool"));
    let Some(mut injected) = Injected::into(&gateway, "fdatasync:delay_enter=3600s") else {
        return;
    };
    gateway.publish(20);
    gateway.daemon.signal(Signal::TERM);
    // Five seconds for the broker, as many for the card; what is more is for a busy machine.
    let lines = gateway.daemon.stderr();
    let said = wait::within(Duration::from_secs(15), || {
        wait::holds(!lines.with(&["20 samples are neither delivered"]).is_empty())
    });
    said.expect("an end");
    // Until its thread is let go of, Linux keeps the process.
    injected.0.kill();
    assert_eq!(gateway.daemon.wait().code, 0);
}
