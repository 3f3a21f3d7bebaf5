//! What OpenWrt installs and starts: the init script in OpenWrt's shell with a stand-in for procd, and the package unpacked.

mod init_script;
mod makefile;
mod package;
