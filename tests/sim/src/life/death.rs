//! How a process of the bridge ends, and what becomes of the storage under it.

use mqtt_client_core::bridge::spooling::WRITE_WITHIN;
use mqtt_client_core::bridge::{Bridge, STOP_WITHIN};

use super::{Act, Life};
use crate::line::Line;
use crate::plan::StorageFault;
use crate::property;
use crate::stage::Turn;
use crate::trace;

impl Life<'_> {
    /// The bridge's process dies, alone or with the power of its machine. The next one knows nothing.
    pub(super) fn kill(&mut self, cuts_power: bool) -> Turn {
        let who = if cuts_power { "power cut" } else { "kill" };
        trace::note(|| (who.into(), String::new()));
        for disk in self.disks.iter().flatten() {
            if cuts_power {
                disk.cut();
            } else {
                disk.forget_process();
                disk.spare();
            }
        }
        self.begin_anew(false)
    }

    /// All that one process knew is gone.
    fn begin_anew(&mut self, in_order: bool) -> Turn {
        self.jumps += 1;
        self.deaths += 1;
        self.restarts = false;
        self.redis.line.client_dies();
        for end in &mut self.brokers {
            end.client_died(in_order);
        }
        Turn::Killed
    }

    /// Whether the process has ended, with the power or in the middle of a change to storage, or as it was told to.
    pub(super) fn has_ended(&mut self, bridge: &Bridge<'_, '_, Line>) -> Option<Turn> {
        let mut disks = self.disks.iter().flatten();
        if disks.any(crate::disk::Disk::is_cut) {
            return Some(self.kill(self.cuts_power));
        }
        if self.restarts && bridge.has_stopped() {
            trace::note(|| ("end".into(), String::new()));
            for disk in self.disks.iter().flatten() {
                disk.forget_process();
            }
            return Some(self.begin_anew(true));
        }
        None
    }

    /// The bridge is told to end.
    pub(super) fn restart(&mut self, bridge: &mut Bridge<'_, '_, Line>) {
        trace::note(|| ("restart".into(), String::new()));
        self.restarts = true;
        self.tell_to_stop(bridge);
    }

    pub(super) fn tell_to_stop(&mut self, bridge: &mut Bridge<'_, '_, Line>) {
        let by = self.now() + STOP_WITHIN;
        for end in &self.brokers {
            end.ledger.borrow_mut().stop_by = Some(by);
        }
        bridge.stop(self.bridge_time());
        self.wake_up = self.now();
        let writes = if self.plan.world.has_spools() {
            WRITE_WITHIN
        } else {
            0
        };
        let act = Act::MustHaveStopped(self.deaths, self.lateness);
        self.schedule(by + writes + 1, act);
    }

    /// [`property::STOPS`], if it is still that process.
    pub(super) fn must_have_stopped(
        &mut self,
        bridge: &Bridge<'_, '_, Line>,
        deaths: u32,
        known: u64,
    ) {
        let late = self.lateness - known;
        if deaths != self.deaths {
            return;
        }
        if late > 0 || self.asleep {
            let act = Act::MustHaveStopped(deaths, self.lateness);
            self.schedule(self.now() + late.max(1000), act);
            return;
        }
        let stopped = bridge.has_stopped();
        self.verdict
            .require(property::STOPS, stopped, || "it goes on");
        self.over = true;
    }

    /// Storage that is asked for something answers after a while: the port calls the bridge then.
    pub(super) fn wait_for_storage(&mut self) {
        let now = self.now();
        let devices = self.plan.world.devices.iter().zip(&self.disks);
        for (device, disk) in devices {
            if let (Some(spool), Some(disk)) = (device.spool, disk)
                && disk.is_busy()
            {
                self.wake_up = self.wake_up.min(now + spool.pace);
                self.stirs += 1;
            }
        }
    }

    pub(super) fn storage_fault(&mut self, device: usize, fault: StorageFault, lasts: u64) {
        let Some(disk) = &self.disks[device] else {
            return;
        };
        match fault {
            StorageFault::Fails(fault) => disk.fail(Some(fault)),
            StorageFault::FailsToWrite(fault) => disk.fail_to_write(Some(fault)),
            StorageFault::Hangs => disk.hang(true),
            StorageFault::Dies(changes) | StorageFault::CutsPower(changes) => {
                self.cuts_power = matches!(fault, StorageFault::CutsPower(_));
                disk.cut_in(changes);
                return;
            }
        }
        self.brokers[device]
            .ledger
            .borrow_mut()
            .storage_fails(lasts);
    }

    pub(super) fn end_storage_fault(&self, device: usize, fault: StorageFault) {
        let Some(disk) = &self.disks[device] else {
            return;
        };
        match fault {
            StorageFault::Fails(_) => disk.fail(None),
            StorageFault::FailsToWrite(_) => disk.fail_to_write(None),
            StorageFault::Hangs => disk.hang(false),
            StorageFault::Dies(_) | StorageFault::CutsPower(_) => disk.spare(),
        }
    }

    pub(super) fn heal_storage(&mut self) {
        for disk in self.disks.iter().flatten() {
            disk.fail(None);
            disk.fail_to_write(None);
            disk.hang(false);
            disk.spare();
        }
        // An answer may come now.
        self.wake_up = self.now();
    }
}
