//! Does the log keep what it promises, whatever becomes of the power and the storage under it?

#[path = "../common/disk.rs"]
#[expect(dead_code, reason = "no storage hangs here")]
mod disk;

mod damage;
mod figures;
mod power;
mod rig;
mod using;
