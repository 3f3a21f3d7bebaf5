//! A gateway whose power is cut again and again, while its daemon writes what waits to storage.
//!
//! | module | question |
//! |---|---|
//! | [`gateway`] | which gateway is it, and which file system has its spool? |
//! | [`disk`] | what is on a disk after a power cut? |
//! | `nbd` | how does the emulator reach the disk? |
//! | [`life`] | when is the power cut, under which load, and what must hold? |
//! | [`crowd`] | many cuts, in some chains at a time |

pub mod crowd;
pub mod disk;
pub mod gateway;
pub mod life;
mod nbd;

use crate::install;

/// Builds and installs whatever is not there yet: some minutes at the first call.
///
/// # Errors
///
/// Says what is missing or does not build.
pub fn prepare() -> Result<(), String> {
    install::ensure(&gateway::TOOLS)?;
    install::ensure(&[install::REDIS_SERVER])?;
    super::prepare()
}
