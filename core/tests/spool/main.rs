//! Does the log keep what it promises, whatever becomes of the power and the storage under it?

#[path = "../common/disk.rs"]
mod disk;

mod damage;
mod power;
mod rig;
mod using;
