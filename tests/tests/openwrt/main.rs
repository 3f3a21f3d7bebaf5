//! What OpenWrt builds, installs and starts.
//!
//! | file | question |
//! |---|---|
//! | `init_script` | what does the init script ask of procd, and write to the log? |
//! | `service` | what starts, goes on and ends then, under stand-ins for rc.common, procd, opkg and apk (`system`)? |
//! | `package` | what is in the package? |
//! | `makefile` | what does OpenWrt's build make of the feed (in `tree`)? |

mod init_script;
mod makefile;
mod package;
mod service;
mod system;
