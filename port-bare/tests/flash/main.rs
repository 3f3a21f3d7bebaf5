//! Is NOR flash storage that a spool can rely on? Under a log, beside a book of what it was given, on a model of flash that enforces its rules.
//!
//! | module | question |
//! |---|---|
//! | `nor` | (the model) |
//! | `chip` | (a flash with the shares of devices, and power that can be cut) |
//! | `power` | what is left when the power is cut at any word and any erase? |
//! | `using` | do sectors go around, shared between devices, whatever becomes of them? |
//! | `rig` | (the core's own: a log, process after process, and the book) |

#[path = "chip.rs"]
mod disk;
mod nor;
mod power;
#[path = "../../../core/tests/spool/rig.rs"]
mod rig;
mod using;
